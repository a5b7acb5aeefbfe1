"""The kinds of job of a search: what each needs, how it runs, how it is merged.

`run` is a pure function of the system and its arguments: it can run in any
process, and gives the same result in all of them. `begin` and `end` keep what
the choice of the next job depends on, while a search runs as well as when one
is taken up again.
"""

from abc import ABC, abstractmethod
from copy import copy

import numpy as np
from pele.basinhopping import BasinHopping
from pele.storage import Minimum, TransitionState

from ..findings import Failure, Findings, Point
from ..points.connect import below, connect_pair, rearrangements
from ..points.effort import Counted
from ..points.polish import polish_minimum, polish_transition_state
from ..storage import (
    CONNECTIONS,
    GROWTH,
    OUTSIDE,
    add_hit,
    find_point,
    has_source,
    merge_minima,
    quench_hits,
    record_outcome,
)
from .barriers import mean_barrier
from .ways import UPHILL, WAYS, beyond_stored

__all__ = [
    "BY_THE_WAY",
    "LINK",
    "NEIGHBOURS",
    "SEARCHES",
    "AuditBarrier",
    "Connect",
    "FollowMode",
    "Grow",
    "Hop",
    "Kind",
    "Lower",
    "PolishMinimum",
    "PolishTransitionState",
    "Quench",
    "Rearrange",
]

_QUENCH, _BASIN_HOPPING, _IMAGE = 0, 1, 2  # what a derived seed is for
BY_THE_WAY = "by the way"  # why two minima are joined that no quench has found
LINK = "link"  # why two minima are joined on the way between groups that are far apart
NEIGHBOURS = "connect"  # why a minimum that is to be joined is tried with its nearest neighbour
_NOTHING = Findings([], [Failure("set aside", None)])  # of a job that failed too often


class Kind(ABC):
    """A kind of job.

    Attributes
    ----------
    name : str
        In the journal.
    stage : str
        Of the progress, and of the seconds that its jobs take.
    """

    name: str
    stage: str

    @abstractmethod
    def needs(self, known, *args):
        """What `run` is given besides the system, coordinates included.

        Parameters
        ----------
        known : Known
        *args
            What the job is about, in plain numbers and strings.
        """

    @staticmethod
    @abstractmethod
    def run(system, *needed):
        """The result, in whatever process."""

    @abstractmethod
    def merge(self, known, result, *args):
        """Store a result, None if the job was set aside; returns how much it found."""

    def begin(self, known, *args):  # noqa: B027 (most have nothing to do)
        """A job is handed out."""

    def end(self, known, found, *args):  # noqa: B027
        """It is merged, having found so much."""

    def progress(self, known, search):
        """How far the stage is: done, total, and a text."""
        waiting = sum(kind.stage == self.stage for kind in known.underway())
        total = len(known.forest) + known.n_transition_states()
        return total - waiting, total, "points found so far"


class _Source(Kind):
    """Where minima come from."""

    limit: str  # the search setting that says how many there are

    def needs(self, known, *args):
        return known.seed, *args

    def begin(self, known, *args):
        known.given_out[self.name] += 1

    def end(self, known, found, *args):
        known.merged[self.name] += 1

    @abstractmethod
    def source(self, *args):
        """The name under which minima count a hit."""

    def merge(self, known, result, *args):
        found, failures, *_ = result or _NOTHING
        known.journal.tally["failed_quenches"] += len(failures)
        known.count_failures("quenches", failures)
        for point in found:
            known.add_minimum(point, self.source(*args))
        known.trial.appeal(known.joins)
        return len(found)

    def progress(self, known, search):
        total = max(getattr(search, self.limit), known.given_out[self.name])
        return known.merged[self.name], total, f"{len(known.forest)} minima"


class Quench(_Source):
    """One independent quench: its number, and the name of its start."""

    name, stage, limit = "quench", "quenches", "quenches"

    @staticmethod
    def run(system, seed, index, initialization):
        rng = np.random.default_rng(_seed(seed, _QUENCH, index))
        return _minimum_of(system.get_minimizer()(system.starts[initialization](rng)))

    def source(self, index, initialization):
        return initialization

    def progress(self, known, search):
        done, total, text = super().progress(known, search)
        return done, total, f"{text}, coverage {known.coverage():.3f}"


class Hop(_Source):
    """One basin-hopping run from a random start of its own: its number, and its steps."""

    name, stage, limit = "hop", "basin_hopping_runs", "basin_hopping_runs"

    @staticmethod
    def run(system, seed, index, steps):
        system = system.with_seed(_seed(seed, _BASIN_HOPPING, index))
        minimizer, found, failures = system.get_minimizer(), [], []

        def quench(coords):
            result = minimizer(coords)
            if result.success:
                found.append(Point.of(result))
            else:
                failures.append(Failure(result.message, result.energy))
                result.energy = np.inf  # never accepted
            return result

        run = BasinHopping(
            system.get_random_configuration(),
            system.potential,
            system.get_takestep(),
            quench=quench,
            acceptTest=system.get_accept_test(),
            outstream=None,
        )
        run.run(steps)
        return Findings(found, failures)

    def source(self, index, steps):
        return "basin_hopping"


class _Bridge(Kind):
    """Where transition states come from."""

    stage = "connect"
    source = CONNECTIONS  # under which their minima count a hit
    joins = False  # minima that were apart: what leads to neither of a grown landscape is kept

    def merge(self, known, result, *args):
        found, failures, _, met, _ = result or _NOTHING
        n, found, failures = len(found) + len(met), list(found), list(failures)
        for state in met:
            # energies can agree by accident
            if not known.has_state(state):
                found += below(known.system, state, failures)
        known.count_failures("transition_states", failures)
        known.add_connections(found, self.source, anywhere=self.joins)
        return n

    def progress(self, known, search):
        n, total = known.n_transition_states(), len(known.targets())
        text = f"joined, {len(known.forest)} minima, {n} transition states"
        text += f", {known.n_links} links tried" * bool(known.n_links)
        left = known.trial.n_left
        text += f", at most {left} connections more tell whether any join" * bool(left)
        # groups grow together long before they reach the lowest
        return total - known.n_apart(), total, text


class Connect(_Bridge):
    """A double-ended search: two minima, a strategy, and what it is for."""

    name, joins = "connect", True

    def needs(self, known, i, j, strategy, purpose):
        return known.coords(i), known.coords(j), strategy

    @staticmethod
    def run(system, x1, x2, strategy):
        failures, astray = [], []
        found = connect_pair(system, x1, x2, strategy, failures, astray)
        return Findings(found, failures, astray=bool(astray))

    def begin(self, known, i, j, strategy, purpose):
        known.attempts.begin(i, j)
        known.n_by_the_way += purpose == BY_THE_WAY
        known.n_links += purpose == LINK
        if purpose == NEIGHBOURS:
            known.trial.begin()

    def end(self, known, found, i, j, strategy, purpose):
        known.attempts.end(i, j, found)
        if purpose == NEIGHBOURS:
            known.trial.end()

    def merge(self, known, result, i, j, strategy, purpose):
        found = super().merge(known, result)
        if purpose == NEIGHBOURS and result is not None:  # one that was set aside tells nothing
            known.trial.judge(known.joins, result.astray)
        return found


class FollowMode(_Bridge):
    """A walk up one soft mode of a minimum: the minimum, the mode, the side."""

    name = "single_ended"

    def needs(self, known, *walk):
        return known.state_energies(), *UPHILL.needs(known, *walk)

    @staticmethod
    def run(system, energies, *walk):
        return UPHILL.run(system, energies, *walk)

    def begin(self, known, *walk):
        UPHILL.begin(known, *walk)


class Grow(FollowMode):
    """As `FollowMode`, from a minimum joined to the lowest; what it finds is to be measured."""

    name, stage, source = "grow", "growth", GROWTH

    def begin(self, known, *args):
        super().begin(known, *args)
        known.is_grown = True

    def progress(self, known, search):
        done = known.n_grown()
        return (
            done,
            max(search.n_to_grow(known.trial.is_lost), done),
            f"reached{', as quenches stay apart' * known.trial.is_lost}, "
            f"{known.n_transition_states()} transition states",
        )


class Lower(_Bridge):
    """An attempt to lower barriers: the way, the bottleneck's edge, and what it tries there."""

    name, stage = "lower", "barriers"

    def needs(self, known, way, i, j, *what):
        return way, known.state_energies(), *WAYS[way].needs(known, *what)

    @staticmethod
    def run(system, way, energies, *needed):
        system = copy(system)
        system.potential = Counted(system.potential)
        findings = WAYS[way].run(system, energies, *needed)
        return findings._replace(cost=system.potential.cost)

    def begin(self, known, way, i, j, *what):
        known.lowering.tries[i, j] += 1
        WAYS[way].begin(known, *what)

    def end(self, known, found, way, i, j, *what):
        WAYS[way].end(known, found, *what)

    def merge(self, known, result, way, *where):
        n, before = known.n_joined(), mean_barrier(known.bottlenecks())
        found = super().merge(known, result, way, *where)
        n_now, after = known.n_joined(), mean_barrier(known.bottlenecks())
        if n_now != n:  # the mean is of others
            before = after
        cost = (result or _NOTHING).cost
        known.lowering.learn(way, max(before - after, 0.0), cost)
        known.lowering.settle(before, after, n_now)
        return found

    def progress(self, known, search):
        mean = mean_barrier(known.bottlenecks())
        n = known.n_transition_states()
        done, total = known.lowering.progress(known.n_joined(), search.untrap_attempts)
        return done, total, f"mean barrier {mean:.6g}, {n} transition states"


class AuditBarrier(Lower):
    """As `Lower`, for the audit: the id of a minimum for whose sake it is comes first."""

    name, stage = "audit", "audit"

    def needs(self, known, target, *attempt):
        return super().needs(known, *attempt)

    def begin(self, known, target, *attempt):
        super().begin(known, *attempt)

    def end(self, known, found, target, *attempt):
        super().end(known, found, *attempt)

    def merge(self, known, result, target, *attempt):
        before = known.n_transition_states()
        found = _Bridge.merge(self, known, result)
        known.merge_audit(known.n_transition_states() > before)
        return found

    def progress(self, known, search):
        done, total = known.audit.progress()
        return done, total, f"{len(known.audit.sample)} bottlenecks looked at again"


class Rearrange(_Bridge):
    """Bands from a minimum to another image of itself: the minimum, and the number of the image.

    It counts as found what is new, and the search ends when nothing is.
    """

    name = "rearrange"

    def needs(self, known, i, number):
        return known.state_energies(), known.seed, known.coords(i), i, number

    @staticmethod
    def run(system, energies, seed, x, i, number):
        return beyond_stored(system, energies, rearrangements, x, _seed(seed, _IMAGE, i, number))

    def merge(self, known, result, *args):
        before = known.n_transition_states()
        super().merge(known, result, *args)
        return known.n_transition_states() - before

    def begin(self, known, i, number):
        known.rearranged[i] += 1

    def end(self, known, found, *args):
        known.n_in_vain = 0 if found else known.n_in_vain + 1


class PolishMinimum(Kind):
    """A minimum that another program stored, to the full standard."""

    name, stage = "polish_minimum", "verify"

    def needs(self, known, number):
        return (known.minimum(number).coords,)

    @staticmethod
    def run(system, coords):
        return _minimum_of(polish_minimum(system, coords))

    def merge(self, known, result, number):
        minimum = known.minimum(number)
        found, failures, *_ = result or _NOTHING
        known.count_failures(OUTSIDE, failures)
        if not has_source(minimum):
            add_hit(minimum, OUTSIDE)
        if not found:
            record_outcome(minimum, "not converged")
            return 0
        [point] = found
        same = find_point(known.database, known.system.identity, Minimum, *point, minimum)
        if same is None:
            minimum.energy, minimum.coords = point
            minimum.invalid = 0
            known.count_in(minimum)
            known.ask("check_minimum", number)
            return 1
        before, counted = quench_hits(same), same.id() in known.forest
        merge_minima(known.database, same, minimum)
        known.forget(number)
        if counted:
            known.count_again(same, before)
            known.join_states_of(same)
        return 1


class PolishTransitionState(Kind):
    """A transition state that another program stored, to the full standard."""

    name, stage = "polish_transition_state", "verify"

    def needs(self, known, number):
        ts = known.transition_state(number)
        return ts.coords, ts.eigenvec

    @staticmethod
    def run(system, coords, eigenvec):
        failures = []
        return Findings(polish_transition_state(system, coords, eigenvec, failures), failures)

    def merge(self, known, result, number):
        ts = known.transition_state(number)
        known.unpolished.discard(number)
        found, failures, *_ = result or _NOTHING
        known.count_failures(OUTSIDE, failures)
        if not found:
            record_outcome(ts, "not converged")
            return 0
        [new] = found
        ends = [known.add_minimum(end, OUTSIDE) for end in (new.minimum1, new.minimum2)]
        identity = known.system.identity
        if find_point(known.database, identity, TransitionState, new.energy, new.coords, ts):
            known.database.remove_transition_state(ts, commit=False)
            return 1
        ts.energy, ts.coords, ts.invalid = new.energy, new.coords, 0
        ts.eigenval, ts.eigenvec = new.eigenval, new.eigenvec
        ts.minimum1, ts.minimum2 = sorted(ends, key=lambda m: m.id())
        known.database.session.flush()
        known.join(ts)
        known.ask("check_transition_state", number)
        return 1


def _seed(seed, purpose, *which):
    return np.random.SeedSequence(seed, spawn_key=(purpose, *which))


def _minimum_of(result):
    """The minimum that a pele `Result` holds, or why it holds none."""
    if not result.success:
        return Findings([], [Failure(result.message, result.energy)])
    return Findings([Point.of(result)], [])


SEARCHES = (
    Quench(),
    Hop(),
    Connect(),
    FollowMode(),
    Grow(),
    Lower(),
    AuditBarrier(),
    Rearrange(),
    PolishMinimum(),
    PolishTransitionState(),
)
