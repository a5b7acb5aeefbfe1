"""Running jobs: in this process, in a pool of processes, or on any executor.

The system travels to a worker once: a job goes out with its key alone, and a
worker that has not met it yet asks for it.
"""

import hashlib
import logging
import multiprocessing
import pickle
import signal
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from multiprocessing import forkserver
from time import perf_counter

from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

from .checks import check_integer
from .errors import InputError
from .jobs import JOBS

__all__ = ["Crew", "JobFailed"]

ATTEMPTS = 3  # of a job that fails

logger = logging.getLogger("nnpotential")


class JobFailed(Exception):
    """A job failed as often as it is tried; the message says how."""


_systems = {}  # of a worker process, by key


def _run(key, payload, kind, args):
    """In the worker: the result of a job, and the seconds it took; None if it lacks the system."""
    if key not in _systems:
        if payload is None:
            return None
        # small matrices: BLAS threads only stand in each other's way
        threadpool_limits(1)
        _systems.clear()
        _systems[key] = pickle.loads(payload)
    started = perf_counter()
    result = JOBS[kind](_systems[key], *args)
    return result, perf_counter() - started


class Crew:
    """Whoever does the jobs. A context manager.

    Parameters
    ----------
    system : NNSystem
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
        If `executor` is none, or `workers` below 1.
    """

    def __init__(self, system, workers=1, executor=None, timeout=3600.0):
        self.workers = check_integer("workers", workers, 1)
        if executor is not None and not isinstance(executor, Executor):
            raise InputError(
                f"executor must be a concurrent.futures.Executor, not {type(executor).__name__}"
            )
        if not timeout > 0:
            raise InputError(f"the timeout of a job must be above 0 seconds, not {timeout}")
        self.timeout = timeout
        self._executor, self._pool = executor, None
        self._system, self._futures = system, {}
        if executor is not None or self.workers > 1:
            self._payload = pickle.dumps(system)
            self._key = hashlib.sha256(self._payload).hexdigest()

    def __enter__(self):
        if self._executor is None and self.workers > 1:
            # a fork of this process would share its open database
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__])
            # Ctrl-C is for this process: workers inherit that it is blocked
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            forkserver.ensure_running()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._pool = ProcessPool(self.workers, context=context)
        return self

    def __exit__(self, *_):
        for future, *_ in self._futures.values():
            future.cancel()
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()

    def submit(self, job_id, kind, args):
        """Hand out a job under an id of the caller's choice."""
        if self._executor is None and self._pool is None:
            self._futures[job_id] = (_Deferred(self._system, kind, args), kind, args)
        else:
            self._futures[job_id] = (self._send(None, kind, args), kind, args)

    def result(self, job_id):
        """Wait for a job; returns its result and the seconds it took.

        Raises
        ------
        JobFailed
            If it raised, hung or lost its process `ATTEMPTS` times.
        InputError
            If the executor itself is broken.
        """
        failures = 0
        while True:
            future, kind, args = self._futures[job_id]
            try:
                result = future.result(None if self._executor is None else self.timeout)
                if result is None:
                    self._futures[job_id] = (self._send(self._payload, kind, args), kind, args)
                    continue
                del self._futures[job_id]
                return result
            except (BrokenExecutor, CancelledError) as error:
                if self._executor is None:
                    raise
                raise InputError(
                    f"the executor no longer works ({error or type(error).__name__}); "
                    "what was merged is kept, the same call continues"
                ) from error
            except TimeoutError:
                future.cancel()
                why = f"no result after {self.timeout:g} s"
            except ProcessExpired as error:
                why = f"its process died ({error})"
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
            failures += 1
            logger.warning("%s job failed (%d of %d): %s", kind, failures, ATTEMPTS, why)
            if failures == ATTEMPTS:
                del self._futures[job_id]
                raise JobFailed(why)
            self.submit(job_id, kind, args)

    def _send(self, payload, kind, args):
        call = (self._key, payload, kind, args)
        if self._pool is not None:
            return self._pool.schedule(_run, args=call, timeout=self.timeout)
        return self._executor.submit(_run, *call)


class _Deferred:
    """A job that runs when its result is asked for."""

    def __init__(self, system, kind, args):
        self._call = system, kind, args

    def result(self, timeout):
        system, kind, args = self._call
        started = perf_counter()
        return JOBS[kind](system, *args), perf_counter() - started

    def cancel(self):
        pass
