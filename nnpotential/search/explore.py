"""The search: independent quenches, basin-hopping, connections, verification.

The work is cut into jobs. A fixed number of them is under way at any time; they
are merged in the order in which they were handed out, each in one transaction
together with the choice of the jobs that follow from it. So the same seed gives
the same landscape for any number of workers, and a search that was stopped
anywhere goes on where it was.
"""

from collections import Counter, deque
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from time import perf_counter

import networkx as nx
import numpy as np
from pele.storage import Minimum, TransitionState
from sqlalchemy import or_
from threadpoolctl import threadpool_limits

from ..checks import check_choice, check_integer, check_number
from ..errors import InputError
from ..interrupts import uninterrupted
from ..storage import (
    MALFORMED,
    NOT_CHECKED,
    OUTSIDE,
    UNVERIFIED,
    add_hit,
    find_point,
    is_well_formed,
    merge_minima,
    notes,
    points_from_outside,
    quench_hits,
    record_outcome,
    store_minimum,
    store_transition_state,
)
from ..verification.verify import is_duplicate
from .journal import Journal
from .pairs import Attempts, missing_connection, trapped_connection
from .workers import Crew, JobFailed

__all__ = ["STAGES", "Exploration", "SearchSettings", "outcomes", "recheck", "repair"]

STAGES = ("minima", "connections")
_HOPELESS = 100  # quenches without a minimum after which coverage will never come
_SET_ASIDE = "set aside"  # what became of a job that failed as often as it is tried
_SILENCE = 2.0  # seconds after which a job says what it is doing
_COMMIT_INTERVAL = 0.2  # seconds of work that a crash may cost
_STAGE_OF = {
    "quench": "quenches",
    "hop": "basin_hopping_runs",
    "connect": "connect",
    "single_ended": "connect",
    "polish_minimum": "verify",
    "polish_transition_state": "verify",
    "check_minimum": "verify",
    "check_transition_state": "verify",
}


@dataclass(frozen=True)
class SearchSettings:
    """How much to search.

    Parameters
    ----------
    quenches : int
        Independent quenches from random starts.
    until_coverage : float
        If above 0, quenches go on beyond that number until the Good-Turing
        coverage is at least this; below 1. Where a hundred quenches found no
        minimum it is given up.
    initializations : sequence of str
        How random starts of quenches are drawn, in turn; names among the
        `starts` of the system, by default all.
    basin_hopping_runs : int
        Basin-hopping runs, each from a random start of its own.
    basin_hopping_steps : int
        Steps of each run.
    connection_attempts : int
        Different partners that are tried for a group of minima that is not
        connected to the lowest one.
    untrap_attempts : int
        Attempts in all to find a lower path where a barrier looks artificial.
    soft_modes : int
        Softest modes of every minimum that are followed uphill, both ways, for
        further transition states.
    lookahead : int
        Jobs that are under way at once, at least the number of workers. The
        landscape depends on it, as a choice is made from what is known by then.
    """

    quenches: int = 100
    until_coverage: float = 0.0
    initializations: tuple | None = None
    basin_hopping_runs: int = 5
    basin_hopping_steps: int = 20
    connection_attempts: int = 6
    untrap_attempts: int = 20
    soft_modes: int = 0
    lookahead: int = 16

    def __post_init__(self):
        for name, value in asdict(self).items():
            if name not in ("until_coverage", "initializations"):
                value = check_integer(name, value, 1 if name == "lookahead" else 0)
                object.__setattr__(self, name, value)
        coverage = check_number(
            "until_coverage",
            self.until_coverage,
            "at least 0 and below 1",
            lambda share: 0 <= share < 1,
        )
        object.__setattr__(self, "until_coverage", coverage)
        if self.initializations is None:
            return
        try:
            names = () if isinstance(self.initializations, str) else tuple(self.initializations)
        except TypeError:
            names = ()
        if not names:
            raise InputError(
                f"initializations must be a list of names, not {self.initializations!r}"
            )
        object.__setattr__(self, "initializations", names)

    def of(self, system):
        """The settings for a system, whose starts are named; by default all of them.

        Raises
        ------
        InputError
            If it has no start of a name.
        """
        starts = tuple(system.starts)
        names = starts if self.initializations is None else self.initializations
        return replace(
            self,
            initializations=tuple(check_choice("initialization", name, starts) for name in names),
        )

    def check_workers(self, workers):
        """Refuse more workers than there are jobs under way."""
        if workers > self.lookahead:
            raise InputError(
                f"{workers} workers need a lookahead of at least as many, not {self.lookahead}: "
                "raise lookahead, or take fewer workers"
            )


class Exploration:
    """One search of one landscape.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
        Holds what is found, and the journal of the work.
    search : SearchSettings
    seed : int
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total, text)``; `total` is None
        where it is not known.
    """

    def __init__(self, system, database, search, seed, on_progress=None):
        self.system = system
        self.database = database
        self.search = search.of(system)
        self.seed = seed
        self._report = on_progress or (lambda stage, done, total, text: None)
        self.journal = Journal(database)
        self._committed = perf_counter()
        self._whole = True  # nothing is half merged or half written
        self._uncommitted = False  # something is merged that others do not see yet
        if self.journal.outdated:
            self._renew()
        self._pending = self.journal.pending()
        self._restore()

    def _renew(self):
        """Have all points polished and verified anew, by the definition of today."""
        for kind in (Minimum, TransitionState):
            for point in self.database.session.query(kind):
                _forget_verification(point)
        for job in self.journal.pending():
            if job.kind.startswith("check_"):
                self.journal.close(job, 0)
        self.journal.update()

    def _restore(self):
        """All that the choice of the next job depends on, from the database."""
        session, journal = self.database.session, self.journal
        self._distances = {}
        # each reading is a query and a pickle
        self._coords = lru_cache(maxsize=4096)(lambda i: self._minimum(i).coords)
        self._graph = nx.Graph()
        self._seen = Counter()  # minima by the number of independent quenches that hit them
        # what comes from outside counts when it has been polished
        minima, states = (set(ids) for ids in points_from_outside(self.database, self._pending))
        for kind, ids in (("polish_minimum", minima), ("polish_transition_state", states)):
            ids.update(job.args[0] for job in self._pending if job.kind == kind)
        self._unpolished = states
        for minimum in session.query(Minimum).order_by(Minimum._id):
            if not minimum.invalid and minimum.id() not in minima:
                self._seen[quench_hits(minimum)] += 1
                self._graph.add_node(minimum.id(), energy=minimum.energy)
        for ts in session.query(TransitionState).order_by(TransitionState._id):
            if not ts.invalid and ts.id() not in states:
                self._join(ts)
        sources = {kind: journal.jobs(kind) for kind in ("quench", "hop")}
        self._given_out = {kind: len(jobs) for kind, jobs in sources.items()}
        self._merged = {
            kind: sum(found is not None for _, found in jobs) for kind, jobs in sources.items()
        }
        self._attempts = Attempts()
        self._untrapped = 0
        for job, found in journal.jobs("connect"):
            i, j, _, purpose = job.args
            self._attempts.begin(i, j)
            self._untrapped += purpose == "untrap"
            if found is not None:
                self._attempts.end(i, j, found)
        self._followed = {job.args for job, _ in journal.jobs("single_ended")}

    def run(self, crew=None, stages=STAGES, max_seconds=None):
        """Do all that is still to do; continue what was begun.

        Parameters
        ----------
        crew : Crew, optional
            Who does the work; by default this process.
        stages : sequence of str
            Some of `STAGES`.
        max_seconds : float, optional
            Hand out nothing more after this time.
        """
        began = perf_counter()
        with threadpool_limits(1), crew or Crew(self.system) as crew:
            try:
                with uninterrupted():
                    self._invite()
                    self._fill(stages)
                    for job in self._pending:
                        crew.submit(job.id, job.kind, self._arguments(job))
                while self._pending:
                    if max_seconds is not None and perf_counter() - began > max_seconds:
                        break
                    self._step(crew, stages)
            finally:
                if self._whole:
                    with uninterrupted():
                        self._commit()

    def _step(self, crew, stages):
        """Merge the first job that is under way, and hand out those that follow."""
        job = self._pending[0]
        try:
            result, seconds = crew.result(job.id, partial(self._wait, job))
            reason = None
        except JobFailed as error:
            result, seconds, reason = None, 0.0, str(error)
        with uninterrupted():
            self._finish(job, result, seconds, reason, crew, stages)
            progress = self._progress(job)
        self._report(*progress)

    def _wait(self, job, seconds, told):
        """A job takes its time: say so, and keep nothing from others meanwhile."""
        if self._uncommitted:
            with uninterrupted():
                self._commit()
        if seconds > _SILENCE:
            *progress, _ = self._progress(job)
            self._report(*progress, _waiting(job.kind, seconds, told))

    def _finish(self, job, result, seconds, reason, crew, stages):
        self._whole = False
        started = perf_counter()
        underway = len(self._pending) - 1
        found = self._merge(job, result)
        self.journal.close(job, found, reason)
        del self._pending[0]
        self._fill(stages)
        for new in self._pending[underway:]:
            crew.submit(new.id, new.kind, self._arguments(new))
        self._count_seconds(_STAGE_OF[job.kind], seconds)
        self._count_seconds("merge", perf_counter() - started)
        self._whole = True
        self._uncommitted = True
        # each commit waits for the disk
        if perf_counter() - self._committed > _COMMIT_INTERVAL:
            self._commit()

    def _count_seconds(self, stage, seconds):
        tally = self.journal.tally["seconds"]
        tally[stage] = tally.get(stage, 0.0) + seconds

    def _commit(self):
        self._whole = False
        self.journal.save()
        self.database.session.commit()
        self._whole, self._uncommitted = True, False
        self._committed = perf_counter()

    # What to do next

    def _invite(self):
        """Have the points polished that others stored."""
        minima, states = points_from_outside(self.database, self._pending)
        for number in minima:
            if self._is_well_formed(self._minimum(number)):
                self._add("polish_minimum", number)
        self._unpolished.update(states)
        for number in states:
            if self._is_well_formed(self._transition_state(number)):
                self._add("polish_transition_state", number)

    def _is_well_formed(self, point):
        whole = is_well_formed(self.system, point)
        if not whole:
            record_outcome(point, MALFORMED)
        return whole

    def _fill(self, stages):
        """Hand out jobs until enough are under way, or none follows from what is known."""
        while len(self._pending) < self.search.lookahead:
            chosen = self._next(stages)
            if chosen is None:
                return
            self._add(*chosen)

    def _add(self, kind, *args):
        self._pending.append(self.journal.add(kind, args))

    def _next(self, stages):
        """The next job, or None if there is none before one under way is merged."""
        underway = {job.kind for job in self._pending}
        if "minima" in stages:
            chosen = self._next_source()
            if chosen is not None:
                return chosen
        if underway & {"quench", "hop"} or "connections" not in stages:
            return None
        chosen = self._next_connection(underway)
        if chosen is not None:
            return chosen
        if underway <= {"single_ended"}:
            return self._next_soft_mode()
        return None

    def _next_source(self):
        search, index = self.search, self._given_out["quench"]
        hopeless = self._merged["quench"] >= _HOPELESS and not any(self._seen.elements())
        if index < search.quenches or (self._coverage() < search.until_coverage and not hopeless):
            self._given_out["quench"] += 1
            return "quench", index, search.initializations[index % len(search.initializations)]
        index = self._given_out["hop"]
        if index < search.basin_hopping_runs:
            self._given_out["hop"] += 1
            return "hop", index, search.basin_hopping_steps
        return None

    def _coverage(self):
        n = sum(hits * count for hits, count in self._seen.items())
        return 1 - self._seen[1] / n if n else 0.0

    def _next_connection(self, underway):
        limit = self.search.connection_attempts
        pair = missing_connection(self._graph, self._attempts, self._distance, limit)
        purpose = "connect"
        if pair is None:
            # the barriers are known when all that is under way is merged
            if underway - {"connect"} or any(j.args[3] == "connect" for j in self._pending):
                return None
            if self._untrapped < self.search.untrap_attempts:
                pair = trapped_connection(self._graph, self._attempts, self._distance, limit)
                purpose = "untrap"
        if pair is None:
            return None
        self._attempts.begin(*pair[:2])
        self._untrapped += purpose == "untrap"
        return "connect", *pair, purpose

    def _next_soft_mode(self):
        if self.search.soft_modes == 0:
            return None
        for i in sorted(self._graph):
            barren = self.system.identity.barren_modes(self._coords(i)).shape[1]
            for mode in range(min(self.search.soft_modes, self.system.n_dof - barren)):
                for side in (1, -1):
                    if (i, mode, side) not in self._followed:
                        self._followed.add((i, mode, side))
                        return "single_ended", i, mode, side
        return None

    def _distance(self, i, j):
        pair = (min(i, j), max(i, j))
        if pair not in self._distances:
            x1, x2 = (self._coords(k) for k in pair)
            self._distances[pair] = self.system.identity.align(x1, x2, quick=True)[0]
        return self._distances[pair]

    def _arguments(self, job):
        """What a worker needs to know of a job, coordinates included."""
        if job.kind in ("quench", "hop"):
            return (self.seed, *job.args)
        if job.kind == "connect":
            i, j, strategy, _ = job.args
            return self._coords(i), self._coords(j), strategy
        if job.kind == "single_ended":
            i, mode, side = job.args
            return self._coords(i), mode, side
        if job.kind in ("check_minimum", "polish_minimum"):
            return _point_of(self._minimum(*job.args))
        if job.kind == "polish_transition_state":
            ts = self._transition_state(*job.args)
            return ts.energy, ts.coords, ts.eigenvec
        return _points_of(self._transition_state(*job.args))

    def _minimum(self, number):
        return self.database.session.get(Minimum, number)

    def _transition_state(self, number):
        return self.database.session.get(TransitionState, number)

    # What came of it

    def _merge(self, job, result):
        """Store the result of a job, None if it was set aside; returns how much it found."""
        return getattr(self, f"_merge_{job.kind}")(job, result)

    def _merge_quench(self, job, result):
        self._merged[job.kind] += 1
        minima, failures = result or ([], [(_SET_ASIDE, None)])
        self.journal.tally["failed_quenches"] += len(failures)
        self._count_failures("quenches", failures)
        source = "basin_hopping" if job.kind == "hop" else job.args[1]
        for energy, coords in minima:
            self._merge_point(energy, coords, source)
        return len(minima)

    _merge_hop = _merge_quench

    def _merge_connect(self, job, result):
        i, j, *_ = job.args
        found = self._merge_single_ended(job, result)
        self._attempts.end(i, j, found)
        return found

    def _merge_single_ended(self, job, result):
        triples, failures = result or ([], [(_SET_ASIDE, None)])
        self._count_failures("transition_states", failures)
        return self._merge_triples(triples)

    def _merge_polish_minimum(self, job, result):
        minimum = self._minimum(*job.args)
        minima, failures = result or ([], [(_SET_ASIDE, None)])
        self._count_failures(OUTSIDE, failures)
        if not notes(minimum):
            add_hit(minimum, OUTSIDE)
        if not minima:
            record_outcome(minimum, "not converged")
            return 0
        [(energy, coords)] = minima
        same = find_point(self.database, self.system.identity, Minimum, energy, coords, minimum)
        if same is None:
            minimum.energy, minimum.coords, minimum.invalid = energy, coords, 0
            self._count_in(minimum)
            self._add("check_minimum", minimum.id())
            return 1
        before, counted = quench_hits(same), same.id() in self._graph
        merge_minima(self.database, same, minimum)
        if counted:
            self._seen[before] -= 1
            self._seen[quench_hits(same)] += 1
            self._join_states_of(same)
        return 1

    def _merge_polish_transition_state(self, job, result):
        ts = self._transition_state(*job.args)
        self._unpolished.discard(ts.id())
        triples, failures = result or ([], [(_SET_ASIDE, None)])
        self._count_failures(OUTSIDE, failures)
        if not triples:
            record_outcome(ts, "not converged")
            return 0
        [((energy, coords, eigenval, eigenvec), *ends)] = triples
        minima = [self._merge_point(*end, OUTSIDE) for end in ends]
        if find_point(self.database, self.system.identity, TransitionState, energy, coords, ts):
            self.database.remove_transition_state(ts, commit=False)
            return 1
        ts.energy, ts.coords, ts.invalid = energy, coords, 0
        ts.eigenval, ts.eigenvec = eigenval, eigenvec
        ts.minimum1, ts.minimum2 = sorted(minima, key=lambda m: m.id())
        self.database.session.flush()
        self._join(ts)
        self._add("check_transition_state", ts.id())
        return 1

    def _count_failures(self, kind, failures):
        tally = self.journal.tally["failures"].setdefault(kind, {})
        for reason, energy in failures:
            entry = tally.setdefault(reason, {"n": 0, "lowest_loss": None})
            entry["n"] += 1
            if energy is not None and not energy >= (entry["lowest_loss"] or np.inf):
                entry["lowest_loss"] = energy

    def _merge_triples(self, triples):
        for (energy, coords, eigenval, eigenvec), *ends in triples:
            minima = [self._merge_point(*end, "connections") for end in ends]
            ts, is_new = store_transition_state(
                self.database, self.system.identity, energy, coords, *minima, eigenval, eigenvec
            )
            if is_new:
                self._join(ts)
                self._add("check_transition_state", ts.id())
        return len(triples)

    def _merge_point(self, energy, coords, source):
        minimum, is_new = store_minimum(self.database, self.system.identity, energy, coords)
        before = quench_hits(minimum)
        add_hit(minimum, source)
        if not minimum.invalid:
            self._seen[before] -= not is_new
            self._seen[quench_hits(minimum)] += 1
        if is_new:
            self._graph.add_node(minimum.id(), energy=minimum.energy)
            self._add("check_minimum", minimum.id())
        elif notes(minimum).get("verified") == NOT_CHECKED:
            minimum.user_data = {k: v for k, v in notes(minimum).items() if k != "verified"}
            self._add("check_minimum", minimum.id())
        return minimum

    def _merge_check_minimum(self, job, result):
        minimum = self._minimum(*job.args)
        known = not minimum.invalid  # `verify` may have been there in between
        _record_minimum(self.system, self.database, minimum, result)
        if known and minimum.invalid:
            self._seen[quench_hits(minimum)] -= 1
            self._graph.remove_node(minimum.id())
        elif not known and not minimum.invalid:
            self._count_in(minimum)
        return 1

    def _count_in(self, minimum):
        """A minimum that did not count does so now, and what joins it."""
        self._seen[quench_hits(minimum)] += 1
        self._graph.add_node(minimum.id(), energy=minimum.energy)
        self._join_states_of(minimum)

    def _join_states_of(self, minimum):
        states = self.database.session.query(TransitionState).filter(
            TransitionState.invalid == 0,
            or_(
                TransitionState._minimum1_id == minimum.id(),
                TransitionState._minimum2_id == minimum.id(),
            ),
        )
        for ts in states:
            if ts.id() not in self._unpolished:
                self._join(ts)

    def _merge_check_transition_state(self, job, result):
        """Where the gradient leads elsewhere than the search's descents, it counts."""
        outcome, ends = result or (NOT_CHECKED, [])
        ts = self._transition_state(*job.args)
        if outcome == "descends elsewhere":
            self._part(ts)
            minima = [self._merge_point(*end, "connections") for end in ends]
            ts.minimum1, ts.minimum2 = sorted(minima, key=lambda m: m.id())
            self.journal.tally["corrected"] += 1
            above = all(ts.energy > m.energy for m in minima)
            outcome = "ok" if above else "not above"
        record_outcome(ts, outcome)
        (self._part if ts.invalid else self._join)(ts)
        return 1

    def _join(self, ts):
        """Add a transition state to the graph, which keeps the lowest of each pair."""
        i, j = ts.minimum1.id(), ts.minimum2.id()
        if i == j or i not in self._graph or j not in self._graph:
            return
        if not self._graph.has_edge(i, j) or ts.energy < self._graph.edges[i, j]["energy"]:
            self._graph.add_edge(i, j, energy=ts.energy)

    def _part(self, ts):
        """Take a transition state out of the graph."""
        i, j = sorted((ts.minimum1.id(), ts.minimum2.id()))
        if self._graph.has_edge(i, j):
            self._graph.remove_edge(i, j)
        others = self.database.session.query(TransitionState).filter(
            TransitionState._minimum1_id == i,
            TransitionState._minimum2_id == j,
            TransitionState._id != ts.id(),
            TransitionState.invalid == 0,
        )
        for other in others:
            self._join(other)

    def _progress(self, job):
        """What to report: stage, done, total, text."""
        n_minima, n_ts = len(self._graph), self.database.number_of_transition_states()
        if job.kind == "quench":
            total = max(self.search.quenches, self._given_out["quench"])
            text = f"{n_minima} minima, coverage {self._coverage():.3f}"
            return ("quenches", self._merged["quench"], total, text)
        elif job.kind == "hop":
            total = max(self.search.basin_hopping_runs, self._given_out["hop"])
            text = f"{n_minima} minima"
            return ("basin_hopping_runs", self._merged["hop"], total, text)
        elif job.kind in ("connect", "single_ended") and n_minima:
            lowest = min(self._graph, key=lambda i: (self._graph.nodes[i]["energy"], i))
            connected = len(nx.node_connected_component(self._graph, lowest))
            text = f"{n_ts} transition states, {self._graph.number_of_edges()} pairs"
            return ("connect", connected, n_minima, text)
        else:
            waiting = sum(_STAGE_OF[j.kind] == "verify" for j in self._pending)
            total = n_minima + n_ts
            return ("verify", total - waiting, total, "points")


def _waiting(kind, seconds, told):
    """What to show of a job that takes its time."""
    return f"{told or kind.replace('_', ' ')}, {seconds:.0f} s"


def recheck(system, database, crew, report):
    """Verify every stored point anew, but those from outside; each outcome is committed.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    crew : Crew
    report : callable
        ``report(stage, done, total, text)``.
    """
    session = database.session
    outside = points_from_outside(database, Journal(database).pending())
    points = [
        (kind, number)
        for kind, left_out in zip((Minimum, TransitionState), outside, strict=True)
        for (number,) in session.query(kind._id).order_by(kind._id)
        if number not in left_out and notes(session.get(kind, number)).get("verified") != MALFORMED
    ]
    todo, underway = iter(enumerate(points)), deque()

    def on_wait(seconds, told):
        if seconds > _SILENCE:
            report("verify", i, len(points), _waiting("check", seconds, told))

    with threadpool_limits(1), crew:
        while True:
            for i, (kind, number) in islice(todo, 4 * crew.workers + 60 - len(underway)):
                point = session.get(kind, number)
                if kind is Minimum:
                    crew.submit(i, "check_minimum", _point_of(point))
                else:
                    crew.submit(i, "check_transition_state", _points_of(point))
                underway.append(i)
            if not underway:
                return
            i = underway.popleft()
            kind, number = points[i]
            point = session.get(kind, number)
            try:
                result, _ = crew.result(i, on_wait)
            except JobFailed:
                result = None
            with uninterrupted():
                if kind is Minimum:
                    _record_minimum(system, database, point, result)
                else:
                    record_outcome(point, result[0] if result else NOT_CHECKED)
                session.commit()
            name = "minimum" if kind is Minimum else "transition state"
            text = f"{name} {number}: {notes(point)['verified']}"
            report("verify", i + 1, len(points), text)


def _point_of(minimum):
    return minimum.energy, minimum.coords


def _points_of(ts):
    return ts.energy, ts.coords, _point_of(ts.minimum1), _point_of(ts.minimum2)


def _record_minimum(system, database, minimum, result):
    outcome, why = result or (NOT_CHECKED, None)
    if outcome == "ok" and is_duplicate(system, database, minimum):
        outcome = "duplicate"
    record_outcome(minimum, outcome, why)


def outcomes(database):
    """Outcome of verification of every stored point: list of (kind, id, outcome)."""
    return [
        (name, point.id(), notes(point).get("verified", UNVERIFIED))
        for name, kind in (("minimum", Minimum), ("transition state", TransitionState))
        for point in database.session.query(kind).order_by(kind._id)
    ]


def repair(system, database, crew=None, on_progress=None):
    """Polish, verify and merge every point that is not verified.

    Such are the points that failed, but for those whose curvature vanishes,
    which would only fail again, and the points that plain pele or another
    program stored.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    crew : Crew, optional
        Who does the work; by default this process.
    on_progress : callable, optional
        As for `Exploration`.

    Returns
    -------
    list of (str, int, str)
        As from `outcomes`.
    """
    for kind in (Minimum, TransitionState):
        for point in database.session.query(kind):
            if notes(point).get("verified") not in ("ok", "degenerate", MALFORMED):
                _forget_verification(point)
    Exploration(system, database, SearchSettings(), 0, on_progress).run(crew, stages=())
    return outcomes(database)


def _forget_verification(point):
    kept = {k: v for k, v in notes(point).items() if k not in ("verified", "why")}
    point.user_data, point.invalid = kept, 0
