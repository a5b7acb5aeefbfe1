"""A sweep in a directory: its landscapes, their table and a page to look at."""

import json
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import tomli_w

from ..checks import check_seconds, plain
from ..errors import InputError
from ..files import absolute, atomic_write
from ..landscape import Landscape
from ..lock import held
from .cost import relative_cost
from .engines import start_engine
from .grid import Grid, read_definition
from .page import write_page
from .records import STATES, Records
from .run import PROGRESS, Run
from .table import Table, as_frame

__all__ = ["Sweep"]

DEFINITION = "sweep.toml"


class Sweep:
    """A grid of landscapes in a directory.

    Parameters
    ----------
    path : path
        Of the directory; made by `run`. One that exists is continued.
    definition : dict or path, optional
        What varies, as in SWEEP.toml: any setting may be a list. By default
        what the directory holds.

    Raises
    ------
    InputError
        If anything of the definition is wrong, before any work.

    Examples
    --------
    >>> sweep = nnp.Sweep("runs/depth", {
    ...     "seed": [0, 1, 2],
    ...     "dataset": {"name": "ljat", "n_train": [50, 100]},
    ...     "network": {"hidden": [[10], [5, 5]]},
    ... })
    >>> sweep.run(workers=2)
    >>> sweep.table().groupby("network.hidden")["n_minima"].mean()
    """

    def __init__(self, path, definition=None):
        self.path = absolute(path)
        if definition is None:
            if not (self.path / DEFINITION).is_file():
                raise InputError(f"{self.path} is no sweep: it has no {DEFINITION}")
            definition = self.path / DEFINITION
        if not isinstance(definition, dict):
            definition = read_definition(definition)
        self.grid = Grid(_with_absolute_files(plain(definition)))

    def __len__(self):
        return len(self.grid)

    def plan(self):
        """What each point would be: a dict each, with ``n_parameters`` and ``cost``.

        The cost is a rough guess, to be compared with that of other points.

        Yields
        ------
        dict
        """
        for point in self.grid:
            n_parameters, n_samples = self.grid.size(point)
            yield {
                "point": point.label,
                "n_parameters": n_parameters,
                "cost": relative_cost(n_parameters, n_samples, point.effort),
            }

    def run(
        self,
        on_progress=None,
        *,
        workers=None,
        executor=None,
        scheduler=None,
        slurm=False,
        spread=False,
        extend=False,
        max_seconds=None,
        only=None,
    ):
        """Map all points that are not finished; the longest first.

        Every landscape is the same whoever maps it, provided that all machines have
        the same instruction set and libraries. Points that failed before are tried again.

        Parameters
        ----------
        on_progress : callable, optional
            ``on_progress(run)``, twice a second; see `nnpotential.sweep.run.Run`.
        workers : int, optional
            Processes of this machine, by default one for each core; a script needs
            the usual guard ``if __name__ == "__main__":``. With `slurm` its jobs.
        executor : concurrent.futures.Executor, optional
            Does the work instead.
        scheduler : str, optional
            Address of a Dask scheduler that does the work. No disk need be shared.
        slurm : bool
            Submit workers to Slurm, as the section ``[slurm]`` says.
        spread : bool
            Map the points one after another, each one's own jobs on all workers: for few
            large landscapes.
        extend : bool
            Where the search of a finished point has grown since, go on with it;
            by default that is another point.
        max_seconds : float, optional
            Stop after this time; the next call continues.
        only : int, optional
            The index of one point, and no other: for an array of batch jobs.

        Returns
        -------
        dict
            How many points of the grid are ``finished``, ``failed`` and ``left``.

        Raises
        ------
        InputError
            If another process runs the sweep, it cannot be written, or the
            workers fail, not a point.
        """
        max_seconds = check_seconds(max_seconds)
        if only is not None and not 0 <= only < len(self):
            raise InputError(f"there is no point {only}: they are numbered 0 to {len(self) - 1}")
        wanted = range(len(self)) if only is None else [only]
        alone = only is None  # points of a batch system's array run beside each other
        _, todo = self._chosen(Records(self.path), wanted, extend)
        slurm = self.grid.slurm if slurm else None
        with (
            start_engine(workers, executor, scheduler, slurm, spread, self.grid.modules)
            if todo
            else nullcontext() as engine
        ):
            self._make()
            with held(self.path) if alone else nullcontext():
                return self._run(engine, on_progress, extend, max_seconds, wanted, alone)

    def _make(self):
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.path} cannot be made: {error.strerror}") from None

    def _chosen(self, records, wanted, extend):
        """The names of points by index, and the indices of those that are to be mapped."""
        names, todo = {}, []
        for index in wanted:
            point = self.grid[index]
            record = records.find(point)
            if record is None and extend:
                record = records.find_lesser(point)
            names[index] = records.new_name(point) if record is None else record.name
            if record is None or record.state != "finished" or record.key != point.key:
                todo.append(index)
        return names, todo

    def _run(self, engine, on_progress, extend, max_seconds, wanted, alone):
        records = Records(self.path)
        if alone:
            records.tidy()
        if alone or not (self.path / DEFINITION).exists():
            with atomic_write(self.path / DEFINITION, "wb") as file:
                tomli_w.dump(self.grid.definition, file)
        names, todo = self._chosen(records, wanted, extend)
        table = Table(self.path, records)

        def report(run):
            if alone:
                table.write_sometimes()
                run.write_progress()
            if on_progress is not None:
                on_progress(run)

        run = Run(self.path, self.grid, records, names, todo, engine, report)
        try:
            run.work(max_seconds)
        finally:
            if alone:
                table.write()
                write_page(self.path, records)
        finished = len(wanted) - len(todo) + len(run.finished)
        failed = len(run.failed)
        return {"finished": finished, "failed": failed, "left": len(wanted) - finished - failed}

    def table(self):
        """All points and the figures of their summaries, a pandas DataFrame."""
        return as_frame(Records(self.path))

    def landscape(self, point):
        """The landscape of a point, by its name in the table.

        Returns
        -------
        Landscape
        """
        return Landscape.open(self.path / point)

    def status(self):
        """What is finished, failed and under way, also where another machine runs it.

        Returns
        -------
        dict
            Counts by state, ``errors`` by point, and as the process that runs it told
            ``seconds_ago``: ``running`` (what each point is doing), ``seconds_left``, ``process``.
        """
        records = Records(self.path)
        states, failed = Counter(), {}
        for record in map(records.find, self.grid):
            if record is not None:
                states[record.state] += 1
                if record.state == "failed":
                    failed[record.name] = records.entry(record.name)["error"]
        try:
            progress = json.loads((self.path / PROGRESS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            progress = {"time": None}
        ago = None if progress["time"] is None else time.time() - progress["time"]
        return {
            "n_points": len(self),
            **{state: states[state] for state in STATES},
            "errors": failed,
            "running": progress.get("running", {}),
            "seconds_left": progress.get("seconds_left"),
            "process": progress.get("process"),
            "seconds_ago": ago,
        }


def _with_absolute_files(definition):
    """As the copy in the sweep's directory has them."""
    dataset = definition.get("dataset")
    if isinstance(dataset, dict) and "name" in dataset:
        many = isinstance(dataset["name"], list)
        names = dataset["name"] if many else [dataset["name"]]
        names = [
            str(Path(n).resolve()) if isinstance(n, str) and Path(n).is_file() else n for n in names
        ]
        definition["dataset"] = {**dataset, "name": names if many else names[0]}
    return definition
