"""What a worker does: it maps one point, in its place or in a directory of its own."""

import io
import multiprocessing
import os
import platform
import shutil
import tarfile
import threading
import warnings
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter, sleep

from threadpoolctl import threadpool_limits

from ..analysis.transition_network import TransitionNetwork
from ..errors import InputError
from ..landscape import Landscape
from ..lock import held
from ..view.disconnectivity import lines_of
from .point import point_request, search_settings

__all__ = ["Task", "can_import", "die_with_parent", "here", "pack", "run_point", "unpack"]

_INTERVAL = 0.5  # seconds between two reports
_drawing = threading.Lock()  # matplotlib is for one thread
_PATIENCE = 30.0  # seconds for which a process that lost its sweep may still hold a landscape


@dataclass(frozen=True)
class Task:
    """A point, and all that a worker needs to map it.

    Parameters
    ----------
    name : str
        Of its directory.
    settings : dict
        As `Point.settings`.
    place : str, optional
        Where it is mapped; elsewhere by default, and sent back.
    archive : bytes, optional
        What there is of it already, where it is not mapped in its place.
    data : bytes, optional
        The file of its data, likewise.
    max_seconds : float, optional
        Stop after this time, with what there is.
    report : callable, optional
        ``report(text)``, told now and then how far it is. Sent by reference.
    jobs : concurrent.futures.Executor, optional
        Does its jobs; by default they are done where it is mapped.
    module : str, optional
        Registers its kind of system.
    version : str
        Of nnpotential where the sweep runs.
    """

    name: str
    settings: dict
    place: str | None = None
    archive: bytes | None = None
    data: bytes | None = None
    max_seconds: float | None = None
    report: object = None
    jobs: object = None
    module: str | None = None
    version: str = version("nnpotential")


def run_point(task):
    """Map a point, or go on with it.

    Returns
    -------
    dict
        ``done``, ``figures`` (the summary), ``tree`` (lines of the disconnectivity graph),
        ``n_parameters``, ``seconds``, ``host``, and ``archive`` (bytes) unless it was mapped in
        its place.
    """
    if task.version != version("nnpotential"):
        raise InputError(
            f"the worker on {platform.node()} has nnpotential {version('nnpotential')}, the sweep "
            f"{task.version}: install one version everywhere"
        )
    began = perf_counter()
    if task.module is not None:
        import_module(task.module)
    with threadpool_limits(1):
        if task.place is not None:
            place = Path(task.place)
            _wait_until_free(place)
            found = _explore(task, place, task.settings)
        else:
            with TemporaryDirectory(prefix="nnpotential-", ignore_cleanup_errors=True) as folder:
                place = Path(folder) / task.name
                if task.archive is not None:
                    unpack(task.archive, place)
                found = _explore(task, place, _with_data(task, Path(folder)))
                found["archive"] = pack(place)
    return {**found, "seconds": perf_counter() - began, "host": here()}


def _with_data(task, folder):
    """The settings, with the file of data in this place."""
    if task.data is None:
        return task.settings
    dataset = task.settings["dataset"]
    file = folder / "data" / Path(dataset["name"]).name
    file.parent.mkdir()
    file.write_bytes(task.data)
    return {**task.settings, "dataset": {**dataset, "name": str(file)}}


def _explore(task, place, settings):
    request = point_request(settings)
    search = asdict(search_settings(settings))
    if search["initializations"] is None:
        del search["initializations"]
    land = request.open(place)
    if land is None:
        system, _ = request.system()
        land = Landscape.create(place, system, seed=request.seed, **search)
    try:
        progress = None if task.report is None else _Progress(task.report)
        figures = land.explore(
            progress, draw=False, max_seconds=task.max_seconds, executor=task.jobs, **search
        )
        done = figures["jobs_pending"] == 0
        tree = []
        if done and figures["n_minima"]:
            if task.report is not None:
                task.report("the graph is drawn")
            tree = _tree(land.database)
            try:
                with _drawing:
                    land.draw()
            except InputError as error:
                warnings.warn(f"{task.name}: {error}", stacklevel=2)
        n_parameters = int(land.system.n_dof)
        return {"done": done, "figures": figures, "tree": tree, "n_parameters": n_parameters}
    finally:
        land.close()


def _tree(database):
    """Lines of the disconnectivity graph, ``[x1, energy1, x2, energy2]`` each."""
    network = TransitionNetwork.of_database(database, verified=True)
    return lines_of(network).reshape(-1, 4).tolist()


class _Progress:
    def __init__(self, report):
        self._report, self._due = report, 0.0

    def __call__(self, stage, done, total, text):
        if monotonic() < self._due:
            return
        self._due = monotonic() + _INTERVAL
        share = f"{done}" if total is None else f"{done} of {total}"
        self._report(f"{stage.replace('_', ' ')} {share}, {text}")


def _wait_until_free(place):
    """Until a worker whose sweep was killed a moment ago has let go of the landscape."""
    until = monotonic() + _PATIENCE
    while place.is_dir():
        try:
            with held(place):
                return
        except InputError:
            if monotonic() > until:
                raise
            sleep(0.1)


def here():
    """Name of this machine, and number of this process."""
    return f"{platform.node()}:{os.getpid()}"


def pack(place):
    """A landscape's directory as bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for file in sorted(place.iterdir()):
            if file.name != ".lock":
                archive.add(file, file.name)
    return buffer.getvalue()


def unpack(data, place):
    """Write a landscape's directory, whole or not at all."""
    unfinished = place.with_name(f".{place.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(unfinished, filter="data")
    before = place.with_name(f".{place.name}.old")
    if place.exists():
        shutil.rmtree(before, ignore_errors=True)
        place.rename(before)
    unfinished.rename(place)
    shutil.rmtree(before, ignore_errors=True)


def die_with_parent():
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()

    def watch():
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def can_import(module):
    """Raise if this process cannot import a module."""
    import_module(module)


def log_report(topic, name, text):
    """Tell by Dask's events."""
    from distributed import get_worker

    get_worker().log_event(topic, {"name": name, "text": text})
