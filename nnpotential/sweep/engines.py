"""Whoever maps the points: processes of this machine, a Dask cluster, or any executor."""

import logging
import os
import shutil
import subprocess
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from importlib import import_module
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from time import monotonic

from pebble import ProcessPool

from ..checks import check_choice, check_integer
from ..errors import InputError
from ..interrupts import worker_context
from ..pulse import read_report, write_report
from ..search.workers import check_executor, try_start
from .work import can_import, die_with_parent, log_report

__all__ = ["Engine", "start_engine"]

CONNECT_TIMEOUT = 10.0  # seconds to reach a scheduler
_TOPIC = "nnpotential-sweep"
_SLURM = {"cores": 1, "processes": 1, "memory": "4GB", "walltime": "24:00:00"}

logger = logging.getLogger("nnpotential")


class Engine:
    """An executor, and what a sweep has to know of it besides.

    Parameters
    ----------
    executor : concurrent.futures.Executor
    n_workers : callable
        How many work for it now.
    in_place : bool
        Whether its workers write where this process reads.
    """

    def __init__(self, executor, n_workers, in_place=False):
        self.executor, self.n_workers, self.in_place = executor, n_workers, in_place
        self.jobs = None  # the executor for the points' own jobs, if not those who map them

    def report(self, name):
        """What the work on a point is to tell its progress by, or None."""
        return None

    def told(self, name):
        """What the work on a point has told last, or None."""
        return None


class _Processes(Executor):
    """Processes of this machine: pebble's pool, which survives the death of any of them."""

    def __init__(self, n_workers, context):
        self._pool = ProcessPool(n_workers, initializer=die_with_parent, context=context)

    def submit(self, function, /, *args, **kwargs):
        return self._pool.schedule(function, args=args, kwargs=kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        (self._pool.stop if cancel_futures else self._pool.close)()
        if wait:
            self._pool.join()


class _Local(Engine):
    def __init__(self, n_workers, context, folder):
        super().__init__(_Processes(n_workers, context), lambda: n_workers, in_place=True)
        self._folder = Path(folder)

    def report(self, name):
        return partial(write_report, str(self._folder / name))

    def told(self, name):
        return read_report(self._folder / name)


class _Dask(Engine):
    """A Dask cluster; `keep`, if given, starts workers anew that were lost."""

    def __init__(self, client, keep=None):
        super().__init__(client.get_executor(pure=False), self._count)
        self._client, self._told, self._keep = client, {}, keep
        self._counted, self._due = 0, 0.0
        client.subscribe_topic(_TOPIC, self._hear)

    def _count(self):
        if monotonic() > self._due:
            if self._keep is not None:
                self._keep()
            self._counted = sum(self._client.nthreads().values())
            self._due = monotonic() + 1.0
        return self._counted

    def _hear(self, event):
        _, told = event
        self._told[told["name"]] = told["text"]

    def report(self, name):
        return partial(log_report, _TOPIC, name)

    def told(self, name):
        return self._told.get(name) or (None if self._count() else "waits for a worker")


class _Spread(Engine):
    """Maps the points here, one after another; their own jobs go to another engine."""

    def __init__(self, engine):
        super().__init__(ThreadPoolExecutor(1), lambda: 1, in_place=True)
        self.jobs = engine.executor
        self._told = {}

    def report(self, name):
        return partial(self._told.__setitem__, name)

    def told(self, name):
        return self._told.get(name)


@contextmanager
def start_engine(workers=None, executor=None, scheduler=None, slurm=None, spread=False, modules=()):
    """The engine of a sweep, for the time of the block.

    Parameters
    ----------
    workers : int, optional
        Processes of this machine, by default one for each core; with `slurm` its jobs.
    executor : concurrent.futures.Executor, optional
        In place of these; it is not shut down.
    scheduler : str, optional
        Address of a Dask scheduler.
    slurm : dict, optional
        For `dask_jobqueue.SLURMCluster`.
    spread : bool
        Map the points one after another, each one's own jobs on all workers.
    modules : iterable of str
        What the workers must be able to import.

    Raises
    ------
    InputError
        If more than one is asked for, a package is missing, nobody answers, or the
        workers have another version of nnpotential or lack a module.
    """
    if workers is not None:
        workers = check_integer("workers", workers, 1)
    if sum(kind is not None for kind in (executor, scheduler, slurm)) > 1:
        raise InputError("choose one of scheduler, slurm and an executor")
    if executor is not None:
        check_executor(executor)
        started = nullcontext(
            Engine(executor, lambda: workers or getattr(executor, "_max_workers", 1))
        )
    elif scheduler is not None:
        started = _dask(scheduler, modules)
    elif slurm is not None:
        started = _slurm(workers or 1, slurm)
    else:
        started = _local(workers or len(os.sched_getaffinity(0)))
    with started as engine:
        if not spread:
            yield engine
            return
        alone = _Spread(engine)
        try:
            yield alone
        finally:
            alone.executor.shutdown(cancel_futures=True)


@contextmanager
def _local(n_workers):
    context = worker_context("nnpotential.sweep.work")
    try_start(context)
    with TemporaryDirectory(prefix="nnpotential-", ignore_cleanup_errors=True) as folder:
        engine = _Local(n_workers, context, folder)
        try:
            yield engine
        finally:
            engine.executor.shutdown(cancel_futures=True)


@contextmanager
def _dask(scheduler, modules):
    with _client(scheduler) as client:
        _check_workers(client, scheduler, modules)
        _preload(client)
        yield _Dask(client)


def _distributed():
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            f"a Dask cluster needs the extra [dask]: pip install 'nnpotential[dask]' ({error})"
        ) from None
    return distributed


@contextmanager
def _client(where):
    distributed = _distributed()
    try:
        if isinstance(where, str):  # a client of a wrong address does not close
            distributed.comm.get_address_host_port(where, strict=True)
        client = distributed.Client(where, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no Dask scheduler answers at {where} within {CONNECT_TIMEOUT:g} s ({error}): give "
            "its address as 'dask scheduler' prints it, such as tcp://10.0.0.1:8786"
        ) from error
    try:
        yield client
    finally:
        with suppress(TimeoutError, OSError):
            client.close(timeout=5)


def _check_workers(client, where, modules):
    mine = version("nnpotential")
    theirs = _all_answer(client, where, version, "nnpotential")
    for address, found in theirs.items():
        if isinstance(found, Exception):
            raise InputError(
                f"the worker at {address} lacks nnpotential ({type(found).__name__}: {found}): "
                f"install {mine} where the workers run"
            )
        if found != mine:
            raise InputError(
                f"the worker at {address} has nnpotential {found}, this is {mine}: install one "
                "version everywhere"
            )
    for module in modules:
        for address, found in _all_answer(client, where, can_import, module).items():
            if isinstance(found, Exception):
                raise InputError(
                    f"the worker at {address} cannot import {module}, which defines the system "
                    f"({type(found).__name__}: {found}): install it, and what it needs, where the "
                    "workers run"
                )
    if not theirs:
        logger.warning("%s has no workers yet; the sweep waits for them", where)


def _all_answer(client, where, function, *args):
    """What each worker answers, or raises; those that die meanwhile are left out."""
    try:
        answers = client.run(function, *args, on_error="return")
    except Exception as error:
        raise InputError(f"the workers of {where} do not answer ({error})") from error
    return {who: found for who, found in answers.items() if not isinstance(found, OSError)}


def _preload(client):
    """Let workers import the package when they start: one that dies so far costs no point."""
    from distributed import WorkerPlugin

    class Preload(WorkerPlugin):
        name = "nnpotential"

        def setup(self, worker):
            with suppress(ImportError):  # its points will say so; others may use it without
                import_module("nnpotential.sweep.work")

    with suppress(OSError):  # a worker died meanwhile; those that follow have it
        client.register_plugin(Preload())


@contextmanager
def _slurm(n_jobs, options):
    _distributed()
    try:
        from dask_jobqueue import SLURMCluster
        from dask_jobqueue.core import Job
        from dask_jobqueue.slurm import SLURMJob
    except ImportError as error:
        raise InputError(
            f"Slurm needs the extra [dask]: pip install 'nnpotential[dask]' ({error})"
        ) from None
    if shutil.which("sbatch") is None:
        raise InputError(
            "Slurm's command sbatch is not here: run where jobs are submitted, or take --scheduler"
        )
    known = {name for kind in (SLURMCluster, SLURMJob, Job) for name in signature(kind).parameters}
    for key in options:
        check_choice("setting of [slurm]", key, sorted(known))
    try:
        cluster = SLURMCluster(**{**_SLURM, **options})
    except (TypeError, ValueError) as error:
        raise InputError(f"[slurm] does not describe a cluster: {error}") from error
    with cluster:
        _try_submit(cluster.job_script())

        def keep():
            cluster.scale(jobs=n_jobs)

        keep()
        with _client(cluster) as client:
            _preload(client)
            yield _Dask(client, keep)


def _try_submit(script):
    """Whether Slurm would take a job: Dask itself waits for ever for jobs it refuses."""
    with NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(["sbatch", "--test-only", file.name], capture_output=True, text=True)
    if done.returncode != 0:
        raise InputError(f"Slurm refuses the jobs of [slurm]: {' '.join(done.stderr.split())}")
