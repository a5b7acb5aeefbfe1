"""Running jobs: in this process, in a pool of processes, or on any executor.

The system travels to a worker once: a job goes out with its key alone, and a
worker that has not met it yet asks for it.
"""

import hashlib
import logging
import pickle
import signal
import threading
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import nullcontext, suppress
from functools import partial
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter

from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

from ..checks import check_integer, check_number
from ..errors import InputError
from ..interrupts import worker_context
from ..pulse import listening, read_report, write_report
from .preloaded import JOBS

__all__ = ["Crew", "JobFailed", "check_executor", "try_start"]

ATTEMPTS = 3  # of a job that fails
REPLACEMENTS = 3  # of a pool that dies
HOPELESS = 3  # jobs in a row whose process died each time: it is not the jobs
START_TIMEOUT = 300.0  # seconds that a worker may take to start, also from a slow file system
_POLL = 0.5  # seconds between two looks at a job
_GRACE = 60.0  # seconds beyond its timeout after which a job is lost and the pool stuck

_KEPT = "what was merged is kept, the same call continues"
_GUARD = (
    "in a script, what runs must stand below 'if __name__ == \"__main__\":', as each worker "
    "imports the script; with one worker it need not"
)
# raised at once: repeating a job does not mend its program
_MISTAKES = (AttributeError, TypeError, NotImplementedError, ImportError, NameError)

logger = logging.getLogger("nnpotential")


class JobFailed(Exception):
    """A job failed as often as it is tried; the message says how."""


class _Refused(BrokenExecutor):
    """The pool or executor does not take a job."""


class _Carried(BaseException):
    """What whoever waits for a job raised: it is not the job's, and passes through it."""


class _CannotLoad(Exception):
    """A worker cannot load the system."""


_systems = {}  # of a worker process, by key


def _load(payload):
    try:
        return pickle.loads(payload)
    except Exception as error:
        raise _CannotLoad(f"{type(error).__name__}: {error}") from error


def _run(key, payload, kind, args, report=None):
    """In the worker: the result of a job, and the seconds it took; None if it lacks the system.

    Where `report` names a file, the job writes there what it is doing.
    """
    system = _systems.get(key)
    if system is None:
        if payload is None:
            return None
        # small matrices: BLAS threads only stand in each other's way
        threadpool_limits(1)
        system = _load(payload)
        _systems.clear()
        _systems[key] = system
    with nullcontext() if report is None else listening(partial(write_report, report)):
        return _timed(system, kind, args)


def _timed(system, kind, args):
    started = perf_counter()
    result = kind.run(system, *args)
    return result, perf_counter() - started


def _context(*modules):
    """How workers start: what every job needs is imported once, by the server that forks them."""
    return worker_context(*JOBS, *modules)


def check_executor(executor):
    """Return `executor` if it is one.

    Raises
    ------
    InputError
        If it is none.
    """
    if not isinstance(executor, Executor):
        raise InputError(
            f"executor must be a concurrent.futures.Executor, not {type(executor).__name__}"
        )
    return executor


def try_start(context, payload=None):
    """Start a process as a pool does, which itself starts dying ones for ever.

    Parameters
    ----------
    context : multiprocessing.context.BaseContext
    payload : bytes, optional
        A pickled system that the process is to load.

    Raises
    ------
    InputError
        If it dies again and again or cannot start, or cannot load the system.
    """
    for _ in range(1 + REPLACEMENTS):
        code = _exit_code(context, payload)
        if code is None:
            return
        if code in range(255):  # 255: the server that forks them died
            raise InputError(
                f"a worker process ended while it started (exit code {code}, its own message "
                f"stands above): {_GUARD}"
            )
    raise InputError(
        f"worker processes die while they start ({_exit(code)}): make sure of memory and "
        f"processes for them, or take fewer workers; {_KEPT}"
    )


def _exit_code(context, payload):
    """Of a process that died while it started, None if all is well."""
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_try_out, args=(payload, writer), daemon=True)
    try:
        try:
            process.start()
        except (OSError, EOFError) as error:
            raise InputError(f"no worker process can be started: {error}; {_KEPT}") from error
        finally:
            writer.close()
        if not wait_for_any([reader, process.sentinel], START_TIMEOUT):
            raise InputError(
                f"a worker process has not started within {START_TIMEOUT:g} s; {_GUARD}"
            )
        try:
            why = reader.recv()
        except (EOFError, OSError):
            process.join(_GRACE)
            return 255 if process.exitcode is None else process.exitcode
        if why is not None:
            raise _cannot_travel(why)
        return None
    finally:
        reader.close()
        if process.pid is not None:
            process.kill()
            process.join()
            process.close()


def _try_out(payload, answer):
    """In a process started for this alone: say why the system cannot be loaded, or None."""
    why = None
    try:
        if payload is not None:
            _load(payload)
    except _CannotLoad as error:
        why = str(error)
    with suppress(BrokenPipeError):  # interrupted, nobody waits any more
        answer.send(why)


class Crew:
    """Whoever does the jobs. A context manager.

    Parameters
    ----------
    system : LandscapeSystem
    workers : int
        1 runs jobs in this process when their result is asked for, more start
        a pool of processes.
    executor : concurrent.futures.Executor, optional
        Runs the jobs instead; it is not shut down.
    timeout : float
        Seconds after which a job counts as hanging. In this process nothing
        stops it; on an executor time runs from when its result is waited for.

    Raises
    ------
    InputError
        If `executor` is none, `workers` below 1, or the system cannot be sent
        to another process; on entering, if no worker can start.
    """

    def __init__(self, system, workers=1, executor=None, timeout=3600.0):
        self.workers = check_integer("workers", workers, 1)
        if executor is not None:
            check_executor(executor)
        timeout = check_number(
            "the timeout of a job", timeout, "above 0 seconds", lambda seconds: seconds > 0
        )
        self.timeout = min(timeout, threading.TIMEOUT_MAX)
        self._executor, self._pool, self._reports = executor, None, None
        self._system, self._futures = system, {}
        self._replaced = self._given_up = 0
        self._answered = False  # by any worker
        self._slow = False  # whether one call of compiled code may take a second
        if executor is not None or self.workers > 1:
            try:
                self._payload = pickle.dumps(system)
            except Exception as error:
                raise _cannot_travel(f"{type(error).__name__}: {error}") from error
            self._key = hashlib.sha256(self._payload).hexdigest()

    def __enter__(self):
        if self._executor is None:
            if self.workers > 1:
                self._start()
            else:
                self._slow = _is_slow(self._system)
        return self

    def __exit__(self, *_):
        for future, *_ in self._futures.values():
            future.cancel()
        self._stop()

    def _start(self):
        home = type(self._system).__module__
        # modules of others might not bear being forked
        context = _context(*([home] if home.startswith("nnpotential.") else []))
        try_start(context, self._payload)
        self._pool = ProcessPool(self.workers, context=context)
        self._reports = TemporaryDirectory(prefix="nnpotential-", ignore_cleanup_errors=True)

    def _stop(self):
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            pool.join()
            self._reports.cleanup()

    def _replace(self, error):
        """A new pool for one that died, with all jobs that it had not done."""
        self._replaced += 1
        if self._replaced > REPLACEMENTS:
            raise InputError(
                f"the pool of workers died {self._replaced} times ({error}): make sure of memory "
                f"for {self.workers} workers, or take fewer; {_KEPT}"
            ) from error
        logger.warning("the pool of workers died (%s), a new one starts", error)
        self._stop()
        self._start()
        for job_id, (future, kind, args) in list(self._futures.items()):
            if not future.done() or isinstance(future.exception(), BrokenExecutor):
                self.submit(job_id, kind, args)

    def submit(self, job_id, kind, args):
        """Hand out a job; whatever fails, `result` says.

        Parameters
        ----------
        job_id
            Of the caller's choice.
        kind : Kind
            Sent by reference: workers import its class.
        args : tuple
            What its `run` is given besides the system.
        """
        if self._executor is None and self._pool is None:
            job = _Deferred(self._system, kind, args, self._slow)
            self._futures[job_id] = (job, kind, args)
        else:
            self._futures[job_id] = (self._send(job_id, None, kind, args), kind, args)

    def result(self, job_id, on_wait=None):
        """Wait for a job; returns its result and the seconds it took.

        Parameters
        ----------
        job_id
            As given to `submit`.
        on_wait : callable, optional
            ``on_wait(seconds, text)``, called twice a second while the job is
            waited for; `text` says what it is doing, None where that is not
            known. What it raises ends the waiting.

        Raises
        ------
        JobFailed
            If it raised, hung or lost its process `ATTEMPTS` times.
        InputError
            If the executor or all workers fail, and not the job.
        AttributeError, TypeError, NotImplementedError, ImportError, NameError
            If the job raised it: a mistake in a program.
        """

        def carried(*told):
            try:
                on_wait(*told)
            except Exception as error:
                raise _Carried from error

        try:
            return self._result(job_id, on_wait and carried)
        except _Carried as error:
            raise error.__cause__ from None

    def _result(self, job_id, on_wait):
        failures, asked = 0, monotonic()
        while True:
            future, kind, args = self._futures[job_id]
            died = False
            try:
                result = self._wait(job_id, future, on_wait, asked)
                self._answered = True
                if result is None:
                    again = self._send(job_id, self._payload, kind, args)
                    self._futures[job_id] = (again, kind, args)
                    continue
                self._given_up = 0
                del self._futures[job_id]
                return result
            except (BrokenExecutor, CancelledError) as error:
                if self._pool is not None:
                    self._replace(error)
                    continue
                hint = (
                    ""
                    if isinstance(error, _Refused)
                    else f"; its workers need memory, and an initializer that succeeds; {_GUARD}"
                )
                raise InputError(
                    f"the executor no longer works ({error or type(error).__name__}): take a new "
                    f"one{hint}; {_KEPT}"
                ) from error
            except TimeoutError:
                future.cancel()
                why = f"no result after {self.timeout:g} s"
            except ProcessExpired as error:
                died, why = True, f"its process died ({_exit(error.exitcode)})"
            except _CannotLoad as error:
                raise _cannot_travel(error) from error
            except _MISTAKES as error:
                if isinstance(error, ImportError) and (error.name or "").startswith("nnpotential"):
                    raise InputError(
                        f"a worker cannot import nnpotential ({error}): install it where the "
                        f"workers run; {_KEPT}"
                    ) from error
                raise
            except Exception as error:
                self._answered = True
                why = f"{type(error).__name__}: {error}"
            failures += 1
            logger.warning("%s job failed (%d of %d): %s", kind.name, failures, ATTEMPTS, why)
            if failures == ATTEMPTS:
                self._blame(future, died)
                del self._futures[job_id]
                raise JobFailed(why)
            self.submit(job_id, kind, args)

    def _blame(self, failed, died):
        """Raise if not the job is to blame that it failed, but those who do the jobs."""
        self._given_up = self._given_up + 1 if died else 0
        if self._given_up == HOPELESS:
            raise InputError(
                f"the workers died in {HOPELESS} jobs in a row: make sure of memory for "
                f"{self.workers} of them, or take fewer; {_KEPT}"
            )
        silent = not self._answered and not any(
            future.done() for future, *_ in self._futures.values() if future is not failed
        )
        if self._executor is not None and silent:
            raise InputError(
                f"no worker of the executor has answered within {ATTEMPTS} times "
                f"{self.timeout:g} s: see that it has workers; {_KEPT}"
            )

    def _wait(self, job_id, future, on_wait, asked):
        """The result of a future; a pool that died or got stuck is found out.

        `asked` is when the caller began to wait.
        """
        began = monotonic()
        last = began, 0
        while not self._is_done(future, on_wait):
            now = monotonic()
            if on_wait is not None:
                on_wait(now - asked, self._told(job_id, future))
            if self._pool is None:
                if self._executor is not None and now - began > self.timeout:
                    raise TimeoutError
                continue
            n_done = sum(f.done() for f, *_ in self._futures.values())
            if n_done != last[1]:
                last = now, n_done
            if not self._pool.active and not future.done():
                raise BrokenExecutor("its manager ended")
            if now - last[0] > self.timeout + _GRACE:
                raise BrokenExecutor(f"no job ended within {self.timeout + _GRACE:g} s")
        return future.result()

    def _is_done(self, future, on_wait):
        if isinstance(future, _Deferred):
            return future.wait(_POLL, on_wait)
        return bool(wait([future], _POLL).done)

    def _told(self, job_id, future):
        """What a job says that it is doing, or None."""
        if self._pool is not None:
            return read_report(self._report(job_id))
        return getattr(future, "told", None)

    def _report(self, job_id):
        return Path(self._reports.name) / str(job_id)

    def _send(self, job_id, payload, kind, args):
        call = (self._key, payload, kind, args)
        try:
            if self._pool is not None:
                call = (*call, str(self._report(job_id)))
                return self._pool.schedule(_run, args=call, timeout=self.timeout)
            return self._executor.submit(_run, *call)
        except Exception as error:
            # shut down, or broken: said where the result is asked for, when nothing is half merged
            refused = Future()
            refused.set_exception(_Refused(f"{type(error).__name__}: {error}"))
            return refused


def _is_slow(system):
    x = system.with_seed(0).get_random_configuration()
    began = monotonic()
    system.potential.getEnergyGradient(x)
    # a band of thirty images, or a Hessian
    return (monotonic() - began) * (30 + x.size / 8) > 0.3


def _cannot_travel(why):
    return InputError(
        f"the system cannot be sent to a worker ({why}): define what it is made of in a module "
        "that workers can import, or take one worker and no executor"
    )


def _exit(code):
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"killed by {name}" + (", perhaps for want of memory" * (code == -signal.SIGKILL))
    return f"exit code {code}"


class _Cancelled(BaseException):
    """Nobody waits for the job any more."""


class _Deferred:
    """A job that runs in this process when its result is waited for.

    Where one call of compiled code may take a second it runs in a thread of its
    own, so that Ctrl-C need not wait for the end of that call.
    """

    def __init__(self, system, kind, args, slow):
        self._call = system, kind, args
        self._slow, self._cancelled = slow, False
        self._thread = self._outcome = self._error = self.told = None

    def wait(self, seconds, on_wait):
        """Run on, for so long if there is a thread; whether it is done."""
        if not self._slow:
            began = monotonic()
            with (
                nullcontext()
                if on_wait is None
                else listening(lambda text: on_wait(monotonic() - began, text))
            ):
                self._outcome = _timed(*self._call)
            return True
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self):
        try:
            with listening(self._listen):
                self._outcome = _timed(*self._call)
        except BaseException as error:
            self._error = error

    def _listen(self, text):
        if self._cancelled:
            raise _Cancelled
        self.told = text

    def result(self):
        if self._error is not None:
            raise self._error
        return self._outcome

    def cancel(self):
        self._cancelled = True
