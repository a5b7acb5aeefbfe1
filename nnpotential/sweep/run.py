"""Map the points of a sweep: the longest first, each again if it fails, none that is finished."""

import heapq
import json
import logging
import os
import platform
import time
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, wait
from dataclasses import dataclass, field
from time import monotonic

from pebble import ProcessExpired

from ..errors import InputError
from ..files import atomic_write
from .cost import relative_cost
from .work import Task, pack, run_point, unpack

__all__ = ["PROGRESS", "Run"]

PROGRESS = ".progress.json"
ATTEMPTS = 3  # of a point that fails
HOPELESS = 3  # points in a row whose process died each time: it is not the points
# seconds after which a worker elsewhere sends back what it has, and goes on: few at first, and
# after a failure, so that workers that die again and again do not lose all of it each time
SLICE, LONGEST_SLICE, SHORTEST_SLICE = 2.0, 600.0, 0.5
_POLL = 0.5  # seconds between two looks
_KEPT = "what is finished is kept, the same command continues"

logger = logging.getLogger("nnpotential")


@dataclass(order=True)
class _Job:
    """A point to be mapped."""

    rank: float  # the longest first
    index: int
    name: str = field(compare=False)
    cost: float = field(compare=False)  # as of `relative_cost`
    module: str | None = field(compare=False, default=None)
    failures: int = field(compare=False, default=0)  # since it last came back
    slice: float = field(compare=False, default=0.0)
    seconds: float = field(compare=False, default=0.0)
    sent: int = field(compare=False, default=0)  # bytes through the engine, there and back
    deaths: int = field(compare=False, default=0)  # of these failures, those of its process


class Run:
    """One run of a sweep.

    Parameters
    ----------
    path : pathlib.Path
        Of the sweep.
    grid : Grid
    records : Records
    names : dict
        Of the directories of all points of this run, by index.
    todo : iterable of int
        Indices of the points to be mapped.
    engine : Engine
    on_progress : callable
        ``on_progress(run)``, twice a second and when a point has ended.
    """

    def __init__(self, path, grid, records, names, todo, engine, on_progress):
        self.path, self._grid, self._records = path, grid, records
        self._engine, self._on_progress = engine, on_progress
        self._waiting = []
        for index in todo:
            point = grid[index]
            cost = relative_cost(*grid.size(point), point.effort)
            self._waiting.append(
                _Job(-cost, index, names[index], cost, grid.module(point), slice=SLICE)
            )
        heapq.heapify(self._waiting)
        self._cost = sum(job.cost for job in self._waiting)
        self._running = {}  # jobs by future
        self._began = monotonic()
        self._told = self._written = 0.0
        self._hopeless = 0
        self._done_cost = self._done_seconds = 0.0
        self.n_points, self.n_before = len(names), len(names) - len(self._waiting)
        self.finished, self.failed = [], []  # names of those that ended in this run
        self.last = None  # record of the point that ended last
        self.bytes = 0

    @property
    def n_done(self):
        """Points of this run that need no more work."""
        return self.n_before + len(self.finished) + len(self.failed)

    @property
    def running(self):
        """What each point under way is doing, by name."""
        return {job.name: self._engine.told(job.name) or "" for job in self._running.values()}

    def seconds_left(self):
        """An estimate, None as long as no point has ended."""
        if not self._done_cost:
            return None
        workers = max(1, min(self._engine.n_workers(), len(self._running) + len(self._waiting)))
        left = self._cost - self._done_cost
        return max(0.0, left) * self._done_seconds / self._done_cost / workers

    def work(self, max_seconds=None):
        """Map all of them.

        Raises
        ------
        InputError
            If the engine fails, not a point.
        """
        until = None if max_seconds is None else self._began + max_seconds
        try:
            while self._running or (self._waiting and not _is_past(until)):
                self._hand_out(until)
                done = wait(self._running, _POLL, FIRST_COMPLETED).done
                for future in done:
                    self._take(future, self._running.pop(future), until)
                self._say()
        finally:
            for future in self._running:
                future.cancel()
            self._running.clear()
            self._on_progress(self)

    def _hand_out(self, until):
        n_workers = self._engine.n_workers()
        # a few more wait at an engine elsewhere, so that no worker waits for this process
        most = n_workers if self._engine.in_place else n_workers + n_workers // 4 + 1
        while self._waiting and len(self._running) < most and not _is_past(until):
            job = heapq.heappop(self._waiting)
            task = self._task(job, until)
            try:
                future = self._engine.executor.submit(run_point, task)
            except Exception as error:
                raise InputError(
                    f"the engine takes no work ({type(error).__name__}: {error}); {_KEPT}"
                ) from error
            self._running[future] = job

    def _task(self, job, until):
        point, place = self._grid[job.index], self.path / job.name
        if self._records.find(point) is None or not place.exists():
            self._records.write(job.name, point, "begun")
        seconds = None if until is None else max(0.0, until - monotonic())
        what = {"report": self._engine.report(job.name), "module": job.module}
        if self._engine.in_place:
            what |= {"place": str(place), "max_seconds": seconds, "jobs": self._engine.jobs}
        else:
            what["max_seconds"] = job.slice if seconds is None else min(job.slice, seconds)
            if place.exists():
                what["archive"] = pack(place)
            if point.data_file is not None:
                what["data"] = point.data_file.read_bytes()
            sent = sum(len(what.get(part, b"")) for part in ("archive", "data"))
            job.sent += sent
            self.bytes += sent
        return Task(job.name, point.settings, **what)

    def _take(self, future, job, until):
        """Keep what a worker brings, or see to a failure."""
        try:
            found = future.result()
        except (BrokenExecutor, CancelledError) as error:
            raise InputError(
                f"the engine no longer works ({error or type(error).__name__}); {_KEPT}"
            ) from error
        except ProcessExpired as error:
            job.deaths += 1
            self._failed(job, f"its process died (exit code {error.exitcode})")
        except Exception as error:
            self._failed(job, f"{type(error).__name__}: {error}")
        else:
            self._keep(job, found, until)

    def _keep(self, job, found, until):
        archive = found.pop("archive", None)
        if archive is not None:
            unpack(archive, self.path / job.name)
            job.sent += len(archive)
            self.bytes += len(archive)
        job.seconds += found.pop("seconds")
        done = found.pop("done")
        self._hopeless = job.failures = job.deaths = 0
        job.slice = min(2 * job.slice, LONGEST_SLICE)
        if done:
            self.finished.append(job.name)
            self._end(job, "finished", seconds=round(job.seconds, 3), **found)
        elif not _is_past(until):
            heapq.heappush(self._waiting, job)

    def _failed(self, job, why):
        job.failures += 1
        job.slice = max(SHORTEST_SLICE, job.slice / 4)
        why = " ".join(why.split())
        logger.warning("%s failed (%d of %d): %s", job.name, job.failures, ATTEMPTS, why)
        if job.failures < ATTEMPTS:
            heapq.heappush(self._waiting, job)
            return
        self.failed.append(job.name)
        self._end(job, "failed", error=why, seconds=round(job.seconds, 3))
        self._hopeless = self._hopeless + 1 if job.deaths == job.failures else 0
        if self._hopeless == HOPELESS:
            raise InputError(
                f"the workers died in {HOPELESS} points in a row ({why}): make sure of memory for "
                f"them, or take fewer; {_KEPT}"
            )

    def _end(self, job, state, **what):
        point = self._grid[job.index]
        self._records.write(job.name, point, state, bytes=job.sent, **what)
        self._done_cost += job.cost
        self._done_seconds += job.seconds
        self.last = {"name": job.name, "state": state, **what}
        self._on_progress(self)

    def _say(self):
        if monotonic() - self._told > _POLL:
            self._told = monotonic()
            self._on_progress(self)

    def write_progress(self):
        """For those who ask how far the sweep is; now and then."""
        if self._running and monotonic() < self._written + _POLL:
            return
        self._written = monotonic()
        progress = {
            "process": f"{os.getpid()} on {platform.node()}",
            "time": time.time(),
            "n_points": self.n_points,
            "n_done": self.n_done,
            "running": self.running,
            "seconds_left": self.seconds_left(),
        }
        with atomic_write(self.path / PROGRESS, durable=False) as file:
            json.dump(progress, file)


def _is_past(until):
    return until is not None and monotonic() > until
