"""A landscape: one directory that holds all of it, and the search that fills it."""

import json
import logging
import os
import platform
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Self, TypeAlias
from weakref import finalize

import networkx as nx
import numpy as np
from pele.storage import Minimum
from sqlalchemy.exc import DatabaseError, OperationalError

from .analysis.estimates import ESTIMATES, estimate_barriers, estimate_figures
from .analysis.figures import (
    barriers_to_lowest,
    landscape_graph,
    lowest_minimum,
    remarks,
    stored_audit,
    summarise,
)
from .analysis.kept import Kept, read_results
from .analysis.locate import Comparison, Located, check_point, compare, locate
from .analysis.measures import measures as measures_of
from .analysis.minima import correlations, minima_table
from .analysis.paths import PathProfile, path_profile
from .analysis.reach import check_against, check_methods, reach_figures, run_methods, store_new
from .analysis.sections import Plane, Profiles, plane, profiles
from .analysis.transition_network import TransitionNetwork
from .checks import check_choice, check_integer, check_seconds, plain
from .contract import LandscapeSystem, check_system
from .database import database_fault, open_database
from .errors import InputError
from .exchange.pathsample import PathsampleDatabase
from .exchange.points import Points, collect, store_points
from .exchange.shared import Shared
from .files import absolute, atomic_write, new_directory, place_check, printable, write_table
from .findings import Point
from .interrupts import uninterrupted
from .lock import held
from .networks.datasets import Dataset
from .networks.ensembles import ensembles
from .networks.mlp import MLP
from .networks.system import LossSystem, NNSystem
from .search.exploration import Exploration
from .search.joining import Joining
from .search.settings import AUDIT_SAMPLE, STAGES, SearchSettings
from .search.workers import Crew
from .sessions import close, close_sessions
from .settings import (
    DATABASE,
    SETTINGS,
    check_same_settings,
    read_settings,
    system_kind,
    write_settings,
)
from .storage import store_minimum
from .systems.registry import system_class
from .verification.certified import certificates
from .verification.certified import certify as certify_points
from .verification.kinds import CHECKS
from .verification.stored import outcomes, recheck
from .verification.stored import repair as repair_points
from .view.disconnectivity import draw_graphs
from .view.estimates import draw_estimates
from .view.options import Drawing
from .view.paths import draw_path
from .view.reach import draw_reach
from .view.report import write_report
from .view.sections import draw_plane, draw_profiles
from .view.source import Source, check_measure
from .view.tree import LEVELS

__all__ = ["REPORT", "Landscape"]

_SUMMARY = "summary.json"
REPORT = "report.html"

StrPath: TypeAlias = str | os.PathLike[str]
Settings: TypeAlias = Mapping[str, Any]
OnProgress: TypeAlias = Callable[[str, int, int | None, str], object]
_OF_NETWORKS = ("loss", "regularization", "regularize_bias")


class Landscape:
    """A landscape in a directory, complete and movable.

    Use `create`, `open` or `open_or_create`.

    Attributes
    ----------
    path : pathlib.Path
        Absolute.
    system : LandscapeSystem
    database : pele.storage.Database
        Threads may share it: each has a session of its own.
    settings : dict
        As in ``settings.toml``.

    Examples
    --------
    >>> import nnpotential as nnp
    >>> data = nnp.load_dataset("ljat", n_train=100, n_test=1000, seed=0)
    >>> land = nnp.Landscape.create("runs/ljat-10-100", nnp.MLP([3, 10, 4]), data)
    >>> land.explore()
    >>> land.summary()["n_minima"]
    """

    def __init__(self, path: StrPath) -> None:
        self.path = absolute(path)
        self.settings = read_settings(self.path)
        try:
            self._load()
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise InputError(f"{self.path / SETTINGS} is damaged: {what}") from None

    def _load(self) -> None:
        check_integer("the seed", self.settings["seed"], 0)
        kind = system_class(system_kind(self.settings))
        self.system = kind.load(self.path, self.settings)
        try:
            self._search()
        except InputError as error:
            raise InputError(f"{self.path / SETTINGS}: {error}") from None
        self._check_place = place_check(self.path / DATABASE)
        self.database = open_database(self.path / DATABASE, self.system, self._check_place)

    @classmethod
    def create(
        cls,
        path: StrPath,
        system: LandscapeSystem | MLP,
        data: Dataset | None = None,
        *,
        seed: int = 0,
        **options: Any,
    ) -> Self:
        """Make a new landscape directory.

        Parameters
        ----------
        path : path
            Must not exist, or be an empty directory.
        system : LandscapeSystem, or MLP
            What to map; a network with its data is short for their `NNSystem`.
            Its `params` hold for this object; they are not recorded, and a
            landscape that is opened again has those of its kind.
        data : Dataset, optional
            Of a network.
        seed : int
            Fixes the whole search.
        **options
            As for `SearchSettings`, and with a network ``loss``,
            ``regularization`` and ``regularize_bias`` as for `NNSystem`.

        Returns
        -------
        Landscape

        Raises
        ------
        InputError
            If the place is taken or cannot be written, the system lacks part
            of the contract, or a setting is wrong. Nothing is left behind.

        Examples
        --------
        >>> Landscape.create("runs/a", MLP([3, 10, 4]), data, regularization=1e-3)
        >>> Landscape.create("runs/lj7", LennardJonesCluster(7))
        """
        place = absolute(path)
        _check_place_is_free(place)
        seed = check_integer("the seed", seed, 0)
        system, options = _system_of(system, data, seed, options)
        check_system(system)
        kind = system_class(system.kind)
        if not (isinstance(system, kind) or issubclass(kind, type(system))):
            raise InputError(
                f"the kind {system.kind!r} is {kind.__name__}, not {type(system).__name__}: give "
                "it a kind of its own and nnpotential.register it"
            )
        settings = _settings(system, seed, SearchSettings.given(**options).of(system))
        _make(place, system, kind, settings)
        land = cls(place)
        land.system = system  # with parameters that its description does not hold
        return land

    @classmethod
    def open_or_create(
        cls,
        path: StrPath,
        system: LandscapeSystem | MLP,
        data: Dataset | None = None,
        *,
        seed: int = 0,
        **options: Any,
    ) -> Self:
        """The landscape of a system in a directory, made where there is none.

        Limits on the search may differ from those that are recorded: give them
        to `explore` as well.

        Parameters
        ----------
        path, system, data, seed, **options
            As for `create`.

        Raises
        ------
        InputError
            As for `create` and `open`; if the landscape there is of another
            system or seed, naming the first difference.
        """
        if not (absolute(path) / SETTINGS).is_file():
            return cls.create(path, system, data, seed=seed, **options)
        land = cls.open(path)
        system, options = _system_of(system, data, seed, options)
        SearchSettings.given(**options).of(system)
        asked = {"seed": seed, "system": {"kind": system.kind}, **system.describe()}
        check_same_settings(path, land.settings, plain(asked))
        land.system = system  # with parameters that its description does not hold
        return land

    @classmethod
    def open(cls, path: StrPath, *, untrusted: bool = False) -> Self:
        """Open a landscape that exists.

        Parameters
        ----------
        path : path
        untrusted : bool
            Of unknown origin: a pele database holds pickled objects, and to read those can run
            any program. Then a copy is opened that is made without unpickling, in a temporary
            directory that goes with this object; the original stays as it is.
            `nnpotential.import_untrusted` makes one that stays.

        Raises
        ------
        InputError
            If there is none, or it is damaged or inconsistent; of an untrusted one also if it
            holds a pickle that is more than plain values.
        """
        if not untrusted:
            return cls(path)
        shared = Shared.read(absolute(path))
        for note in shared.tables.notes:
            logging.getLogger(__name__).warning("note: %s: %s", path, note)
        folder = Path(mkdtemp(prefix="nnpotential-"))
        try:
            shared.write(folder)
            land = cls(folder)
        except BaseException:
            rmtree(folder, ignore_errors=True)
            raise
        finalize(land, rmtree, folder, ignore_errors=True)
        return land

    def explore(
        self,
        on_progress: OnProgress | None = None,
        *,
        workers: int = 1,
        executor: Executor | None = None,
        max_seconds: float | None = None,
        job_timeout: float = 3600.0,
        stages: Sequence[str] = STAGES,
        draw: bool = True,
        **search: Any,
    ) -> dict[str, Any]:
        """Find minima, connect and verify them, draw the graph; resumes if run again.

        The result is the same for any `workers` and any `executor`, provided
        that all machines have the same instruction set and libraries. It may run
        in a thread of its own while others read the landscape; they see what has
        been committed. An exception that `on_progress` raises ends it.

        Parameters
        ----------
        on_progress : callable, optional
            ``on_progress(stage, done, total, text)``.
        workers : int
            Processes; with more than 1, a script needs the usual guard
            ``if __name__ == "__main__":``.
        executor : concurrent.futures.Executor, optional
            Does the work instead, on a cluster for instance; it is not shut
            down.
        max_seconds : float, optional
            Stop after this time; the next call continues.
        job_timeout : float
            Seconds after which a job of a worker counts as hanging. It is
            repeated, and set aside after three failures.
        stages : sequence of str
            Some of ``"minima"``, ``"connections"`` and ``"audit"``, by default all.
        draw : bool
            Draw the graph at the end. If that fails it is a warning: all else
            is complete by then.
        **search
            New limits, as for `SearchSettings`; they are recorded.

        Returns
        -------
        dict
            The summary.

        Raises
        ------
        InputError
            If another process works on the landscape, it cannot be written,
            the executor breaks, or a setting is wrong.
        """
        crew = Crew(self.system, workers, executor, job_timeout)
        stages = _checked_stages(stages)
        report = _checked_progress(on_progress)
        max_seconds = check_seconds(max_seconds)
        self._search(**search).check_workers(crew.workers)
        with self._working(search) as figures:
            self._exploration(report).run(crew, stages, max_seconds)
        if draw and landscape_graph(self.database):
            try:
                self.draw()
            except InputError as error:
                warnings.warn(str(error), stacklevel=2)
        return figures

    def verify(
        self,
        on_progress: OnProgress | None = None,
        *,
        repair: bool = False,
        workers: int = 1,
        executor: Executor | None = None,
        job_timeout: float = 3600.0,
    ) -> list[tuple[str, int, str]]:
        """Verify every stored point anew.

        Parameters
        ----------
        repair : bool
            Then polish, verify and merge the points that failed, and those
            that plain pele or another program stored.
        on_progress, workers, executor, job_timeout
            As for `explore`.

        Returns
        -------
        list of (str, int, str)
            ``"minimum"`` or ``"transition state"``, its id, and the outcome, a
            key of `nnpotential.storage.OUTCOMES`.
        """
        report = _checked_progress(on_progress)
        crew = Crew(self.system, workers, executor, job_timeout)
        with self._working():
            names = self.settings["search"].get("initializations", ())
            recheck(self.system, self.database, crew, report, names)
            if repair:
                crew = Crew(self.system, workers, executor, job_timeout)
                seed = self.settings["seed"]
                repair_points(self.system, self.database, crew, report, seed)
        return outcomes(self.database)

    def audit(
        self,
        on_progress: OnProgress | None = None,
        *,
        sample: int | None = None,
        workers: int = 1,
        executor: Executor | None = None,
        max_seconds: float | None = None,
        job_timeout: float = 3600.0,
    ) -> dict[str, Any] | None:
        """How far the barriers may still fall: a new sample of bottlenecks gets more effort.

        One that was stopped goes on, unless the sample is to have another size. Until it
        is over, the summary has the result of the one before.

        Parameters
        ----------
        sample : int, optional
            Bottlenecks looked at; recorded. By default the setting ``audit_sample``, or 20
            where that is 0.
        on_progress, workers, executor, max_seconds, job_timeout
            As for `explore`.

        Returns
        -------
        dict or None
            ``barrier_audit`` of the summary, see `nnpotential.search.audit.barrier_audit`;
            None if it was stopped before its end.

        Raises
        ------
        InputError
            If no barrier is known; else as for `explore`.
        """
        usual = self._search().audit_sample or AUDIT_SAMPLE
        size = usual if sample is None else check_integer("sample", sample, 1)
        crew = Crew(self.system, workers, executor, job_timeout)
        report, max_seconds = _checked_progress(on_progress), check_seconds(max_seconds)
        self._search(audit_sample=size).check_workers(crew.workers)
        with self._working({} if sample is None else {"audit_sample": size}):
            exploration = self._exploration(report, audit_sample=size)
            audit = exploration.known.audit
            if audit.is_over() or size != usual:
                audit.discard()
            exploration.run(crew, ("audit",), max_seconds)
        if not any(bottleneck.weight for bottleneck in exploration.known.bottlenecks()):
            raise InputError(
                "there is nothing to audit: no barrier is known; connect the minima first "
                "('explore', 'connect')"
            )
        over = audit.is_over() and not exploration.known.pending and not audit.is_of(0)
        return self.summary()["barrier_audit"] if over else None

    def certify(
        self,
        on_progress: OnProgress | None = None,
        *,
        workers: int = 1,
        executor: Executor | None = None,
        job_timeout: float = 3600.0,
    ) -> list[tuple[str, int, str, str]]:
        """Prove, point by point, that it exists, with its index, and is no image of another.

        Points that were certified before are left as they are. Needs the extra
        ``[certify]``.

        Parameters
        ----------
        on_progress, workers, executor, job_timeout
            As for `explore`.

        Returns
        -------
        list of (str, int, str, str)
            Of each verified point ``"minimum"`` or ``"transition state"``, its id,
            the outcome, a key of `nnpotential.verification.certificate.CERTIFICATES`,
            and the same with the number that decided it.

        Raises
        ------
        InputError
            If the system cannot be certified, or python-flint is missing; else as
            for `explore`.
        """
        report = _checked_progress(on_progress)
        self.system.enclosure()  # what cannot be certified is refused before any work
        crew = Crew(self.system, workers, executor, job_timeout)
        with self._working():
            certify_points(self.system, self.database, crew, report)
        return certificates(self.database)

    def reach(
        self,
        on_progress: OnProgress | None = None,
        *,
        methods: Sequence[str] = (),
        runs: int = 100,
        against: str | None = None,
        store: bool = False,
        workers: int = 1,
        executor: Executor | None = None,
        job_timeout: float = 3600.0,
        draw: bool = True,
    ) -> dict[str, Any]:
        """Which minima the common minimisers reach; see `nnpotential.analysis.reach`.

        The result is the same for any number of workers. Runs are kept in ``reach.json``,
        also when this is interrupted; the same call does those that are missing.

        Parameters
        ----------
        methods : sequence of str
            Of ``system.trainers``, by default all.
        runs : int
            Of each method; those that were done before count.
        against : str, optional
            From which method differences are taken, by default the first.
        store : bool
            Store the minima that are new; the next `explore` verifies them.
        draw : bool
            Draw ``reach.png`` and ``.svg``. If that fails it is a warning.
        on_progress, workers, executor, job_timeout
            As for `explore`.

        Returns
        -------
        dict
            See `nnpotential.analysis.reach.reach_figures`.

        Raises
        ------
        InputError
            If the system has no such methods, no minimum is known, or ``reach.json`` is
            damaged; else as for `explore`.
        """
        methods = check_methods(self.system, methods)
        runs = check_integer("runs", runs, 1)
        report = _checked_progress(on_progress)
        crew = Crew(self.system, workers, executor, job_timeout)
        seed = self.settings["seed"]
        with self._working(), self._kept("reach", {"seed": seed}) as kept:
            parts = self.system, self.database
            if not self.graph():
                reach_figures(*parts, {"runs": {}, "new": {}})  # says so before any work
            check_against(kept.data, methods, against)
            run_methods(*parts, kept, crew, report, methods=methods, runs=runs, seed=seed)
            if store:
                store_new(*parts, kept.data)
            figures = reach_figures(*parts, kept.data, against)
            kept.results = figures
        if draw:
            energies = {m.id(): m.energy for m in self.graph()}
            self._draw("reach", draw_reach, figures, energies)
        return figures

    def estimates(
        self,
        on_progress: OnProgress | None = None,
        *,
        pairs: int = 200,
        of_quenches: bool = False,
        workers: int = 1,
        executor: Executor | None = None,
        job_timeout: float = 3600.0,
        draw: bool = True,
    ) -> dict[str, Any]:
        """Verified barriers beside straight lines and bands; see `nnpotential.analysis.estimates`.

        Kept in ``estimates.json`` and drawn, ``estimates.png`` and ``.svg``, as by `reach`.

        Parameters
        ----------
        pairs : int
            Size of the random sample of connected pairs of minima.
        of_quenches : bool
            Only of minima that independent quenches found, or that were grown: for their barriers
            the search cares.
        on_progress, workers, executor, job_timeout, draw
            As for `reach`.

        Returns
        -------
        dict
            See `nnpotential.analysis.estimates.estimate_figures`.

        Raises
        ------
        InputError
            If no two minima are connected; else as for `explore`.
        """
        pairs = check_integer("pairs", pairs, 1)
        report = _checked_progress(on_progress)
        crew = Crew(self.system, workers, executor, job_timeout)
        seed = self.settings["seed"]
        with self._working(), self._kept("estimates", {"seed": seed}) as kept:
            parts = self.system, self.database
            how = {"pairs": pairs, "of_quenches": of_quenches, "seed": seed}
            sample = estimate_barriers(*parts, kept, crew, report, **how)
            figures = kept.results = estimate_figures(*parts, kept.data, sample)
        if draw:
            self._draw("estimates", draw_estimates, figures, ESTIMATES)
        return figures

    def generalisation(self, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Curvature and loss of every minimum beside what its network does on data.

        Parameters
        ----------
        on_progress : callable, optional
            As for `explore`.

        Returns
        -------
        dict
            ``minima``: a table, see `nnpotential.analysis.minima.minima_table`;
            ``correlations``, see `nnpotential.analysis.minima.correlations`; ``ensembles``,
            see `nnpotential.networks.ensembles.ensembles`, None for systems without a test
            set.

        Raises
        ------
        InputError
            If no minimum is known.
        """
        report = _checked_progress(on_progress)
        table = minima_table(self.system, self.database, report)
        together = None
        if isinstance(self.system, LossSystem) and len(self.system.data.y_test):
            find = self.database.session.get
            points = [np.asarray(find(Minimum, i).coords) for i in table["id"].tolist()]
            together = ensembles(self.system, points)
        return {
            "minima": table,
            "correlations": correlations(self.system, table),
            "ensembles": together,
        }

    def locate(
        self,
        x: Any,
        other: Any = None,
        *,
        store: bool = False,
        connect: bool = False,
        attempts: int = 20,
        on_progress: OnProgress | None = None,
        workers: int = 1,
        executor: Executor | None = None,
        job_timeout: float = 3600.0,
    ) -> Located | Comparison:
        """Which minimum a point belongs to, such as a trained network; or what lies between two.

        Parameters
        ----------
        x : ndarray, shape (n_dof,)
            It is quenched on the energy of the landscape. `nnpotential.from_torch` and
            `from_sklearn` make one of a network.
        other : ndarray, shape (n_dof,), optional
            Another, to compare with.
        store : bool
            Store minima that are new; the next `explore` verifies them.
        connect : bool
            Where no path is known between the two minima, or of one point to the lowest, look for
            it: new minima are stored, verified, and what is found is merged.
        attempts : int
            At most, with `connect`.
        on_progress, workers, executor, job_timeout
            As for `explore`, with `connect`.

        Returns
        -------
        Located, or with `other` Comparison

        Raises
        ------
        InputError
            If `x` is no point of this system, or not finite; else as for `explore`.

        Examples
        --------
        >>> land.locate(nnp.from_torch(land.system.net, module)).above_lowest
        """
        report = _checked_progress(on_progress)
        attempts = check_integer("attempts", attempts, 1)
        points = [check_point(self.system, x, "the point" if other is None else "the first point")]
        if other is not None:
            points.append(check_point(self.system, other, "the second point"))
        look = locate if other is None else compare
        found: Any = look(self.system, self.database, *points)
        if not store and not connect:
            return found
        parts = [found] if other is None else [found.first, found.second]
        lost = [part.why for part in parts if part.why is not None]
        if lost:
            raise InputError(f"a quench ended in no minimum ({lost[0]}): there is none to store")
        with self._working():
            for part in parts:
                if part.minimum is None:
                    at = self.system.identity, part.minimum_energy, part.coords
                    store_minimum(self.database, *at)
            with uninterrupted():
                self.database.session.commit()
            if connect:
                ends = [Point(part.minimum_energy, part.coords) for part in parts]
                graph = self.graph()
                if other is None and graph:
                    ends.append(Point.of(lowest_minimum(graph)))
                choose = Joining(ends[0], ends[1], attempts) if len(ends) > 1 else _nothing
                crew = Crew(self.system, workers, executor, job_timeout)
                self._exploration(report).run(crew, (), choose=choose)
        return look(self.system, self.database, *points)

    def graph(self) -> nx.Graph:
        """Minima joined by the lowest transition state of each pair; see `landscape_graph`."""
        return landscape_graph(self.database)

    def network(self) -> TransitionNetwork:
        """The verified points as a kinetic transition network; see `TransitionNetwork`.

        Every Hessian is evaluated anew, which takes about a second for a thousand
        points of a hundred coordinates.
        """
        audit = stored_audit(self.database) or {}
        return TransitionNetwork.of_database(self.database, self.system, verified=True, audit=audit)

    def points(self, kind: Any = PathsampleDatabase) -> Any:
        """The verified points with their coordinates, as other programs have them.

        Parameters
        ----------
        kind : type
            `PathsampleDatabase` or `nnpotential.exchange.topsearch.TopsearchNetwork`.
        """
        return collect(self.system, self.database, self.network(), kind)

    def add_points(self, found: Points) -> tuple[int, int]:
        """Store points from another program, all or none.

        They count nowhere until the next `explore`, or `verify` with ``repair``, has
        polished, verified and merged them.

        Parameters
        ----------
        found : PathsampleDatabase or TopsearchNetwork
            With coordinates.

        Returns
        -------
        n_minima, n_transition_states : int
            How many are new: those that are stored already stay as they are.

        Raises
        ------
        InputError
            If a point is none of this system; else as for `explore`.
        """
        with self._working():
            new = store_points(self.system, self.database, found)
            with uninterrupted():
                self.database.session.commit()
        return new

    def measures(
        self, temperatures: Sequence[float] | None = None, **sets: Sequence[int]
    ) -> dict[str, Any]:
        """The measures of the field: funnel, thermodynamics, frustration, rates.

        Parameters
        ----------
        temperatures : sequence of float, optional
            In units of the energy; by default those that the landscape itself suggests.
        **sets
            ``a`` and ``b``, ids of minima: rates between these.

        Returns
        -------
        dict
            See `nnpotential.analysis.measures.measures`.

        Raises
        ------
        InputError
            If no minimum is verified, or a temperature is not above 0.
        """
        return measures_of(self.network(), temperatures, **sets)

    def lowest_path(
        self,
        start: int | None = None,
        end: int | None = None,
        *,
        draw: bool = True,
        measures: Sequence[str] | None = None,
    ) -> PathProfile:
        """The lowest path between two minima: loss and measures along steepest descent.

        Parameters
        ----------
        start, end : int, optional
            Ids of minima, as in the database; by default the minimum with the highest
            barrier, and the lowest one.
        draw : bool
            Write ``path-START-END.csv``, ``.png`` and ``.svg``.
        measures : sequence of str, optional
            Names of the system's measures that the figure shows; by default at most the
            first four that the data define.

        Returns
        -------
        PathProfile

        Raises
        ------
        InputError
            If there is no such minimum, the two are not connected, or a measure is wrong.
        """
        self._check_place()
        graph = self.graph()
        one, other = _ends(graph, start, end)
        shown = list(measures or ())
        for name in shown:
            check_measure(name, self.system)
        profile = path_profile(self.system, graph, one, other)
        if draw:
            name = self.path / f"path-{one.id()}-{other.id()}"
            write_table(name.with_suffix(".csv"), profile.as_columns())
            files = [name.with_suffix(suffix) for suffix in (".png", ".svg")]
            draw_path(self.system, profile, files, shown or list(profile.measures)[:4])
        return profile

    def section(self, *minima: int) -> Plane | Profiles:
        """Draw the plane through three minima, or lines along the softest modes of one.

        Writes ``plane-A-B-C.png`` and ``.svg``, or ``profiles-A.png`` and ``.svg``.

        Parameters
        ----------
        *minima : int
            Ids of three, or of one, by default the lowest.

        Returns
        -------
        Plane or Profiles

        Raises
        ------
        InputError
            If there is no such minimum, or their number is another.
        """
        self._check_place()
        if len(minima) not in (0, 1, 3):
            raise InputError(f"a section goes through one minimum or three, not {len(minima)}")
        graph = self.graph()
        if not graph:
            raise InputError("there is no verified minimum: run 'nnpotential explore' first")
        chosen = [_minimum(graph, number) for number in minima] or [lowest_minimum(graph)]
        ids, corners = [m.id() for m in chosen], [m.coords for m in chosen]
        others = [m.coords for m in graph if m not in chosen]
        kind = "plane" if len(chosen) == 3 else "profiles"
        name = f"{kind}-{'-'.join(map(str, ids))}"
        files = [self.path / f"{name}.{suffix}" for suffix in ("png", "svg")]
        if len(chosen) == 3:
            found: Plane | Profiles = plane(self.system, corners, others)
            draw_plane(self.system, found, ids, files)
        else:
            found = profiles(self.system, corners[0], others)
            draw_profiles(self.system, found, ids[0], files)
        return found

    def draw(
        self,
        paths: Sequence[StrPath] | None = None,
        *,
        title: str | None = None,
        **drawing: Any,
    ) -> tuple[int, int]:
        """Draw the disconnectivity graph; see `nnpotential.disconnectivity_graph`.

        Parameters
        ----------
        paths : sequence of path, optional
            By default ``disconnectivity.png`` and ``.svg`` in the directory.
        title : str, optional
        **drawing
            As for `nnpotential.disconnectivity_graph`.

        Returns
        -------
        n_drawn, n_minima : int

        Raises
        ------
        InputError
            If there is nothing to draw, or the drawing fails.
        """
        self._check_place()
        options = Drawing.of(**drawing)
        if paths is None:
            paths = [self.path / f"disconnectivity.{suffix}" for suffix in ("png", "svg")]
        source = Source.of_landscape(self.system, self.database, self.path.name)
        [found] = draw_graphs([[source]], paths, options, titles=[title])
        return len(found), found.n_minima

    def report(
        self,
        *,
        quick: bool = False,
        levels: int = LEVELS,
        title: str | None = None,
        summary: dict[str, Any] | None = None,
    ) -> Path:
        """Write ``report.html``, one page of all that is known, which needs nothing else.

        Parameters
        ----------
        quick : bool
            Without curvature, thermodynamics and lengths of paths, which take a Hessian of
            every point and an alignment with its neighbours, and without measures that would
            take more than a minute.
        levels : int
            Of the disconnectivity graph.
        title : str, optional
            By default the directory's name.
        summary : dict, optional
            From `summary`, where it is at hand.

        Returns
        -------
        pathlib.Path
            Of the page.

        Raises
        ------
        InputError
            If no minimum is verified, ``reach.json`` is damaged, or the page cannot be written.
        """
        self._check_place()
        levels = check_integer("levels", levels, 2)
        kept = self.path / "reach.json"
        write_report(
            self.path / REPORT,
            self.system,
            self.database,
            self.summary() if summary is None else summary,
            title=self.path.name if title is None else title,
            reach=read_results(kept) if kept.exists() else None,
            levels=levels,
            quick=quick,
        )
        return self.path / REPORT

    def summary(self) -> dict[str, Any]:
        """The figures of the landscape as it is now, as in ``summary.json``."""
        figures = summarise(self.database)
        return {
            **figures,
            "energy_label": self.system.energy_label,
            "remarks": remarks(self.system, figures),
            "versions": self.settings["versions"],
            "seed": self.settings["seed"],
            "settings": self.settings,
        }

    def write_summary(self) -> dict[str, Any]:
        """Rewrite ``summary.json``; returns the `summary`."""
        self._check_place()
        with atomic_write(self.path / _SUMMARY) as file:
            figures = self.summary()
            json.dump(figures, file, indent=2)
            file.write("\n")
        return figures

    def close(self) -> None:
        """Close the database, for all threads."""
        close_sessions(self.database)

    @contextmanager
    def _working(self, search: Settings | None = None) -> Iterator[dict[str, Any]]:
        """Hold the landscape for this process; whatever happens, write the summary.

        What was found is committed piece by piece; the figures follow it, also
        after Ctrl-C. They are in the dict that is given, at the end.
        """
        figures: dict[str, Any] = {}
        self._check_place()
        with held(self.path):
            try:
                try:
                    if search:
                        self._update_search(search)
                    yield figures
                finally:
                    with uninterrupted():
                        self.database.session.rollback()
                        figures |= self.write_summary()
            except OperationalError as error:
                raise InputError(
                    f"{self.path / DATABASE} {database_fault(error.orig)}; what was merged before "
                    "is kept"
                ) from error

    def _kept(self, name: str, about: dict[str, Any]) -> Kept:
        return Kept(self.path / f"{name}.json", about)

    def _draw(self, name: str, drawing: Callable[..., None], *figures: Any) -> None:
        """Draw what a result shows; if that fails it is a warning, the result is there."""
        paths = [self.path / f"{name}.{suffix}" for suffix in ("png", "svg")]
        try:
            drawing(*figures, paths)
        except InputError as error:
            warnings.warn(str(error), stacklevel=3)

    def _search(self, **new: Any) -> SearchSettings:
        """How much to search, with new limits."""
        return SearchSettings.given(**{**self.settings["search"], **new}).of(self.system)

    def _exploration(self, report: OnProgress, **new: Any) -> Exploration:
        search, seed = self._search(**new), self.settings["seed"]
        return Exploration(self.system, self.database, search, seed, CHECKS, report)

    def _update_search(self, search: Settings) -> None:
        merged = self._search(**search).as_toml()
        if merged != self.settings["search"]:
            settings = {**self.settings, "search": merged}
            write_settings(self.path, settings)
            self.settings = settings


def _nothing(*_: Any) -> None:
    """No word of progress; no job beyond what was stored asks for."""


def _ends(graph: nx.Graph, start: Any, end: Any) -> list[Any]:
    """The minima of a path, by id, by default the furthest below a barrier and the lowest."""
    if len(graph) < 2:
        raise InputError("a path needs two verified minima: run 'nnpotential explore' first")
    barriers = barriers_to_lowest(graph)
    furthest = max(barriers, key=lambda m: (barriers[m], -m.id()), default=None)
    found = [
        usual if given is None else _minimum(graph, given)
        for given, usual in ((start, furthest), (end, lowest_minimum(graph)))
    ]
    if None in found:
        raise InputError("no path is known between any two minima: connect them first")
    return found


def _minimum(graph: nx.Graph, number: Any) -> Any:
    """The minimum of an id."""
    number = check_integer("the minimum", number, 1)
    for minimum in graph:
        if minimum.id() == number:
            return minimum
    raise InputError(f"there is no verified minimum {number}: ids are those of the database")


def _check_place_is_free(path: Path) -> None:
    if "?" in str(path):
        raise InputError(f"{path} cannot be used: pele cannot open a path with '?' in it")
    if path.is_dir() and (path / SETTINGS).exists():
        raise InputError(f"{path} holds a landscape already: open it, or choose another place")


def _make(path: Path, system: LandscapeSystem, kind: Any, settings: dict[str, Any]) -> None:
    """Write a new landscape beside its place and move it there whole."""
    try:
        with new_directory(path) as unfinished:
            system.save(unfinished)
            database = system.create_database(str(unfinished / DATABASE))
            close(database)
            write_settings(unfinished, settings)
            try:
                again = kind.load(unfinished, read_settings(unfinished))
                SearchSettings(**settings["search"]).of(again)
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(
                    f"{kind.__name__}.load does not make the system from what describe gives "
                    f"({type(error).__name__}: {error})"
                ) from error
    except DatabaseError as error:
        why = database_fault(error.orig)
        raise InputError(f"{path} cannot be made: {DATABASE} {why}") from error


def _system_of(
    system: Any, data: Any, seed: int, options: dict[str, Any]
) -> tuple[LandscapeSystem, dict[str, Any]]:
    """The system that `Landscape.create` is given, and the options that are not its own."""
    if isinstance(system, MLP):
        options = dict(options)
        potential = {name: options.pop(name) for name in _OF_NETWORKS if name in options}
        if not isinstance(data, Dataset):
            raise InputError(f"a network needs a Dataset, not {data!r}")
        data = replace(data, name=printable(data.name))
        system = NNSystem(system, data, seed=seed, **potential)
    elif data is not None:
        raise InputError("data go with a network; a system has its own")
    return system, options


def _checked_stages(stages: Any) -> tuple[str, ...]:
    if isinstance(stages, str) or not np.iterable(stages):
        raise InputError(f"stages must be a list of {', '.join(STAGES)}, not {stages!r}")
    return tuple(check_choice("stage", stage, STAGES) for stage in stages)


def _checked_progress(on_progress: Any) -> OnProgress:
    if on_progress is not None and not callable(on_progress):
        raise InputError(f"on_progress must be a function, not {on_progress!r}")
    return on_progress or _nothing


def _settings(system: LandscapeSystem, seed: int, search: SearchSettings) -> dict[str, Any]:
    return {
        "seed": seed,
        "system": {"kind": system.kind},
        **system.describe(),
        "search": search.as_toml(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("nnpotential", "pele", "numpy", "scipy")},
        },
    }
