"""What is known of a landscape while it is searched: its database, and what follows from it."""

from collections import Counter

import numpy as np
from pele.storage import Minimum, TransitionState
from sqlalchemy import or_

from ..contract import is_large
from ..errors import InputError
from ..index import all_points, energies, n_stored, stored_point
from ..storage import (
    CONNECTIONS,
    MALFORMED,
    NOT_CHECKED,
    add_hit,
    find_point,
    forget_verification,
    found_as_source,
    is_grown,
    is_well_formed,
    measured,
    notes,
    points_from_outside,
    quench_hits,
    record_outcome,
    set_aside,
    store_minimum,
    store_transition_state,
)
from .audit import Audit
from .barriers import barriers_of, bottlenecks
from .forest import Forest
from .journal import Journal
from .lowering import Lowering
from .pairs import Attempts, Trial

__all__ = ["Known"]


class Known:
    """Points, connections and jobs of one landscape. Nothing here commits.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    kinds : sequence of Kind
        All that its journal may hold.
    seed : int
    joined : int, optional
        How many minima have to be joined to the lowest, by default all of the quenches.

    Attributes
    ----------
    journal : Journal
    pending : list of Job
        Handed out, in the order in which they will be merged.
    forest : Forest
        Ids of the minima that count, joined by the lowest transition state of
        each pair.
    given_out, merged : Counter
        Quenches and basin-hopping runs, by kind of job.
    attempts : Attempts
        At connections.
    n_by_the_way : int
        Attempts to join minima that no quench has found.
    trial : Trial
        Whether attempts to join quenches' minima with their neighbours join any.
    n_links : int
        Attempts on the way between minima of a sample.
    lowering : Lowering
        Attempts to lower barriers.
    audit : Audit
        Of the barriers.
    followed : set of (int, int, int)
        Minimum, mode and side of the walks uphill.
    rearranged : Counter
        By minimum, images of itself that it was tried with.
    n_in_vain : int
        Such tries since the last one that found a new transition state.
    grown : set of int
        Minima that walks reached from what is joined to the lowest.
    is_grown : bool
        Whether there were such walks: from then on transition states are left out that lead
        neither from nor to what is joined to the lowest, unless two minima are to be connected.
    """

    def __init__(self, system, database, kinds, seed, joined=None):
        self.system, self.database, self.seed = system, database, seed
        self._targets = None, set()  # what they follow from, and they
        self.kinds = {kind.name: kind for kind in kinds}
        self.journal = Journal(database)
        self.journal.tally["joined"] = joined
        if self.journal.outdated:
            self._renew()
        self.pending = self.journal.pending()
        for job in self.pending:
            if job.kind not in self.kinds:
                raise InputError(
                    f"the landscape has jobs of a kind that is not known here, {job.kind!r}: it "
                    "was made with a newer nnpotential, install that"
                )
        self._distances = {}
        self._n_modes = {}
        self._next_mode = {}  # of each minimum the first that was not followed, and the side
        self._restore_points()
        self._restore_jobs()

    def _renew(self):
        """Have all points polished and verified anew, by the definition of today."""
        for kind in (Minimum, TransitionState):
            for point in self.database.session.query(kind):
                forget_verification(point)
        for job in self.journal.pending():
            if job.kind.startswith("check_"):
                self.journal.close(job, 0)
        self.journal.update()

    def _restore_points(self):
        session = self.database.session
        self.forest = Forest()
        # minima by who found them, others where neither of the first two did
        self._found_by = {"quenches": set(), "growth": set(), "others": set()}
        self.grown = self._found_by["growth"]
        self._bottlenecks = None, []  # what they follow from, and they
        self._sampling = 0  # changes of these
        self._seen = Counter()  # minima by the number of independent quenches that hit them
        # what comes from outside counts when it has been polished
        minima, states = (set(ids) for ids in points_from_outside(self.database, self.pending))
        for kind, ids in (("polish_minimum", minima), ("polish_transition_state", states)):
            ids.update(job.args[0] for job in self.pending if job.kind == kind)
        self.unpolished = states
        for minimum in all_points(self.database, Minimum, self.system.n_dof):
            set_aside(minimum, self.system.starts)
            if not minimum.invalid and minimum.id() not in minima:
                self.count_in(minimum, alone=True)
        # columns, as objects would look up the minima of each
        kind = TransitionState
        columns = kind._id, kind.invalid, kind._minimum1_id, kind._minimum2_id, kind.energy
        for number, invalid, *edge in session.query(*columns).order_by(kind._id):
            if not invalid and number not in states:
                self._join(*edge)

    def _restore_jobs(self):
        self.given_out, self.merged = Counter(), Counter()
        self.attempts, self.n_by_the_way, self.followed = Attempts(), 0, set()
        self.n_links, self.trial = 0, Trial(self.journal.tally["trial"])
        self.rearranged, self.n_in_vain = Counter(), 0
        self.is_grown = False
        self.lowering = Lowering(self.journal.tally["lowering"])
        self.audit = Audit(self.journal.tally["audit"])
        for job, found in self.journal.all_jobs():
            kind = self.kinds.get(job.kind)
            if kind is not None:
                kind.begin(self, *job.args)
                if found is not None:
                    kind.end(self, found, *job.args)

    # Jobs

    def ask(self, kind, *args):
        """Have a job done."""
        self.pending.append(self.journal.add(kind, args))
        self.kinds[kind].begin(self, *args)

    def underway(self):
        """The kinds of the jobs that are handed out."""
        return [self.kinds[job.kind] for job in self.pending]

    def ask_outsiders(self):
        """Have the points polished that others stored."""
        minima, states = points_from_outside(self.database, self.pending)
        for number in minima:
            if self._is_well_formed(self.minimum(number)):
                self.ask("polish_minimum", number)
        self.unpolished.update(states)
        for number in states:
            if self._is_well_formed(self.transition_state(number)):
                self.ask("polish_transition_state", number)

    def _is_well_formed(self, point):
        whole = is_well_formed(self.system, point)
        if not whole:
            record_outcome(point, MALFORMED)
        return whole

    # Points

    def minimum(self, number):
        """The stored minimum of an id."""
        return stored_point(self.database, Minimum, number)

    def transition_state(self, number):
        """The stored transition state of an id."""
        return stored_point(self.database, TransitionState, number)

    def n_transition_states(self):
        """How many are stored."""
        return n_stored(self.database, TransitionState)

    def coords(self, i):
        """The coordinates of a minimum."""
        return self.minimum(i).coords

    def distances(self, pairs):
        """The distances between minima, quickly aligned, one for each pair of ids."""
        pairs, known = [(min(pair), max(pair)) for pair in pairs], self._distances
        new = list(dict.fromkeys(pair for pair in pairs if pair not in known))
        coords = {i: self.coords(i) for i in {i for pair in new for i in pair}}
        points = [(coords[i], coords[j]) for i, j in new]
        known.update(zip(new, self.system.identity.distances(points), strict=True))
        return [known[pair] for pair in pairs]

    def n_modes(self, i):
        """How many modes of a minimum lead anywhere."""
        if i not in self._n_modes:
            barren = self.system.identity.barren_modes(self.coords(i))
            self._n_modes[i] = self.system.n_dof - barren.shape[1]
        return self._n_modes[i]

    def coverage(self):
        """The share of minima that further quenches would find again, after Good and Turing."""
        n = sum(hits * count for hits, count in self._seen.items())
        return 1 - self._seen[1] / n if n else 0.0

    def has_minima(self):
        """Whether quenches found any minimum that counts."""
        return any(self._seen.elements())

    def lowest(self):
        """The minimum of lowest energy, the first of equals; None without any."""
        return self.forest.lowest()

    def add_minimum(self, point, source):
        """Store a minimum or count one more arrival at it; a new one is to be checked."""
        at = self.database, self.system.identity
        minimum, is_new = store_minimum(*at, *point, {source: 1})
        if is_new:
            self.count_in(minimum, alone=True)
            self.ask("check_minimum", minimum.id())
            return minimum
        before = quench_hits(minimum)
        add_hit(minimum, source)
        if minimum.id() in self.forest:
            self.count_again(minimum, before)
        elif notes(minimum).get("verified") == NOT_CHECKED:
            minimum.user_data = {k: v for k, v in notes(minimum).items() if k != "verified"}
            self.ask("check_minimum", minimum.id())
        return minimum

    def forget(self, number):
        """A minimum is stored no more: its id may become that of another."""
        self._distances = {p: d for p, d in self._distances.items() if number not in p}
        self._n_modes.pop(number, None)
        self._next_mode.pop(number, None)

    def targets(self):
        """The minima that have to be joined to the lowest: the first of quenches, and those grown.

        If there are none, those that came from elsewhere but not from connections.
        """
        size = self.journal.tally["joined"]
        if self._targets[0] != (self._sampling, size):
            found = self._found_by
            wanted = measured(found["quenches"], found["growth"], size)
            self._targets = (self._sampling, size), wanted or measured(found["others"], (), size)
        return self._targets[1]

    def is_sample(self):
        """Whether not all minima of the quenches have to be joined: there are too many."""
        found = self._found_by
        return self.targets() != (found["quenches"] | self.grown or found["others"])

    def n_grown(self):
        """How many minima growth has reached that are joined to the lowest."""
        return len(self.grown & self.joined())

    def joins(self):
        """How many joins between quenches' minima are made, and of how many."""
        by_growth_alone = self.grown - self._found_by["quenches"]
        asked = {*(self.targets() - by_growth_alone), self.lowest()} - {None}
        return len(asked) - self.forest.n_groups(asked), len(asked) - 1

    def joined(self):
        """The minima that are joined to the lowest one, itself included; not to be changed."""
        lowest = self.lowest()
        return set() if lowest is None else self.forest.component(lowest)

    def n_apart(self):
        """How many joins are missing between the targets and the lowest minimum."""
        wanted = {*self.targets(), self.lowest()} - {None}
        return max(self.forest.n_groups(wanted) - 1, 0)

    def n_joined(self):
        """How many of the targets are joined to the lowest minimum: barriers are of these."""
        return len(self.targets() & self.joined())

    def bottlenecks(self, targets=None):
        """The bottlenecks between minima, by default `targets`, and the lowest one."""
        if targets is not None:
            return bottlenecks(self.forest, targets)
        source = self.forest.changes, self._sampling
        if self._bottlenecks[0] != source:
            self._bottlenecks = source, bottlenecks(self.forest, self.targets())
        return self._bottlenecks[1]

    def mode_left(self, i):
        """The softest mode of a minimum that was not followed, and the side, or None."""
        mode, side = self._next_mode.get(i, (0, 1))
        while (i, mode, side) in self.followed:
            mode, side = (mode, -1) if side == 1 else (mode + 1, 1)
        self._next_mode[i] = mode, side
        return (mode, side) if mode < self.n_modes(i) else None

    def merge_audit(self, new):
        """An attempt of the audit is merged; see `Audit.merge`."""
        self.audit.merge(barriers_of(self.bottlenecks()), new)

    def has_state(self, state):
        """Whether a transition state is stored."""
        at = self.database, self.system.identity
        return find_point(*at, TransitionState, state.energy, state.coords) is not None

    def state_energies(self):
        """Energies by which a job may take a transition state for stored, in ascending order.

        None on a large landscape: where an energy agrees by accident, whoever merges
        descends from the state, and that must not take long.
        """
        if is_large(self.system.n_dof):
            return np.array([])
        return energies(self.database, TransitionState)

    def add_connections(self, found, source=CONNECTIONS, *, anywhere=True):
        """Store transition states, in a grown landscape those that lead out of it."""
        if anywhere or not self.is_grown:
            for connection in found:
                self.add_connection(connection, source)
            return
        waiting, n = list(found), None
        while len(waiting) != n:  # one may lead on to another
            n, later = len(waiting), []
            for connection in waiting:
                if self._is_attached(connection):
                    self.add_connection(connection, source)
                else:
                    later.append(connection)
            waiting = later

    def _is_attached(self, found):
        """Whether one of the minima of a transition state is joined to the lowest."""
        at, joined = (self.database, self.system.identity, Minimum), self.joined()
        ends = (find_point(*at, *end) for end in (found.minimum1, found.minimum2))
        return any(end is not None and end.id() in joined for end in ends)

    def add_connection(self, found, source=CONNECTIONS):
        """Store a transition state and its minima, both to be checked, if it is new."""
        if self.has_state(found):
            return
        ends = [self.add_minimum(end, source) for end in (found.minimum1, found.minimum2)]
        ts, _ = store_transition_state(
            self.database,
            self.system.identity,
            found.energy,
            found.coords,
            *ends,
            found.eigenval,
            found.eigenvec,
        )
        self.join(ts)
        self.ask("check_transition_state", ts.id())

    def count_in(self, minimum, alone=False):
        """A minimum that did not count does so now, and what joins it, if anything does."""
        self._seen[quench_hits(minimum)] += 1
        self._sample(minimum)
        self.forest.add(minimum.id(), minimum.energy)
        if not alone:
            self.join_states_of(minimum)

    def count_out(self, minimum):
        """A minimum that counted does so no more."""
        self._seen[quench_hits(minimum)] -= 1
        for found in self._found_by.values():
            found.discard(minimum.id())
        self._sampling += 1
        self.forest.remove(minimum.id())

    def count_again(self, minimum, before):
        """A minimum that counts has been hit by more quenches than before."""
        self._seen[before] -= 1
        self._seen[quench_hits(minimum)] += 1
        self._sample(minimum)

    def _sample(self, minimum):
        """Note who found it: quenches, growth, or else any other search for minima."""
        finders = {"quenches": bool(quench_hits(minimum)), "growth": is_grown(minimum)}
        if not any(finders.values()):
            finders["others"] = found_as_source(minimum)
        for who, found in finders.items():
            if found and minimum.id() not in self._found_by[who]:
                self._found_by[who].add(minimum.id())
                self._sampling += 1

    def count_failures(self, of, failures):
        """Add to the tally what became of searches that failed."""
        tally = self.journal.tally["failures"].setdefault(of, {})
        for reason, energy in failures:
            entry = tally.setdefault(reason, {"n": 0, "lowest_loss": None})
            entry["n"] += 1
            lowest = entry["lowest_loss"]
            if energy is not None and (lowest is None or not energy >= lowest):
                entry["lowest_loss"] = energy

    def join(self, ts):
        """Add a transition state to the graph, which keeps the lowest of each pair."""
        self._join(ts.minimum1.id(), ts.minimum2.id(), ts.energy)

    def _join(self, i, j, energy):
        if i != j and i in self.forest and j in self.forest:
            self.forest.join(i, j, energy)

    def join_states_of(self, minimum):
        """Add the transition states of a minimum to the graph."""
        states = self.database.session.query(TransitionState).filter(
            TransitionState.invalid == 0,
            or_(
                TransitionState._minimum1_id == minimum.id(),
                TransitionState._minimum2_id == minimum.id(),
            ),
        )
        for ts in states:
            if ts.id() not in self.unpolished:
                self.join(ts)

    def part(self, ts):
        """Take a transition state out of the graph."""
        i, j = sorted((ts.minimum1.id(), ts.minimum2.id()))
        self.forest.part(i, j)
        others = self.database.session.query(TransitionState).filter(
            TransitionState._minimum1_id == i,
            TransitionState._minimum2_id == j,
            TransitionState._id != ts.id(),
            TransitionState.invalid == 0,
        )
        for other in others:
            if other.id() not in self.unpolished:
                self.join(other)
