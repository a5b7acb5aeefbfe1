"""The search: independent quenches, basin-hopping, connections.

The pieces of work are functions of the system and of a seed; what they find is
merged in a fixed order, each piece in one transaction with the record that it
is done. So the same seed gives the same landscape, and a search that was
stopped anywhere goes on where it was.
"""

import json
from dataclasses import asdict, dataclass
from time import perf_counter

import networkx as nx
import numpy as np
from pele.basinhopping import BasinHopping
from pele.storage import Minimum, TransitionState
from pele.storage.database import SystemProperty

from .checks import check_integer
from .connect import connect_pair
from .storage import store_minimum, store_transition_state
from .verify import record_outcome, verify_minimum, verify_transition_state

__all__ = ["Exploration", "SearchSettings"]

_QUENCH, _BASIN_HOPPING = 0, 1  # what a derived seed is for
_PARTNERS = 50  # candidates of similar loss whose distance is computed


@dataclass(frozen=True)
class SearchSettings:
    """How much to search.

    Parameters
    ----------
    quenches : int
        Independent quenches from random starts.
    basin_hopping_runs : int
        Basin-hopping runs, each from a random start of its own.
    basin_hopping_steps : int
        Steps of each run.
    connection_attempts : int
        Different partners that are tried for a minimum that is not connected
        to the lowest one.
    """

    quenches: int = 100
    basin_hopping_runs: int = 5
    basin_hopping_steps: int = 20
    connection_attempts: int = 6

    def __post_init__(self):
        for name, value in asdict(self).items():
            check_integer(name, value, 0)


class Exploration:
    """One search of one landscape.

    Parameters
    ----------
    system : NNSystem
    database : pele.storage.Database
        Holds what is found, and the record of the work done.
    search : SearchSettings
    seed : int
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total, text)``; `total` is None
        where it is not known.
    """

    def __init__(self, system, database, search, seed, on_progress=None):
        self.system = system
        self.database = database
        self.search = search
        self.seed = seed
        self._report = on_progress or (lambda stage, done, total, text: None)
        self._distances = {}
        self._verifying = 0.0  # seconds, within the piece of work at hand
        self.progress = read_progress(database)

    def run(self):
        """Find minima and connect them, verifying all; continue what was begun."""
        self.find_minima()
        self.connect()

    # Minima

    def find_minima(self):
        """Run the quenches and basin-hopping runs that are still to do."""
        jobs = (
            ("quenches", self.search.quenches, self._quench),
            ("basin_hopping_runs", self.search.basin_hopping_runs, self._hop),
        )
        for stage, total, job in jobs:
            for index in range(self.progress[stage], total):
                started = perf_counter()
                for energy, coords in job(index):
                    self._merge_minimum(energy, coords, stage)
                self.progress[stage] = index + 1
                self._commit(stage, started)
                n_minima = self.database.number_of_minima()
                self._report(stage, index + 1, total, f"{n_minima} minima")

    def _quench(self, index):
        rng = np.random.default_rng(self._seed(_QUENCH, index))
        result = self.system.get_minimizer()(self.system.net.random_parameters(rng))
        if not result.success:
            self.progress["failed_quenches"] += 1
            return []
        return [(result.energy, result.coords)]

    def _hop(self, index):
        system = self.system.with_seed(self._seed(_BASIN_HOPPING, index))
        minimizer, found = system.get_minimizer(), []

        def quench(coords):
            result = minimizer(coords)
            if result.success:
                found.append((result.energy, result.coords))
            else:
                result.energy = np.inf  # never accepted
                self.progress["failed_quenches"] += 1
            return result

        run = BasinHopping(
            system.get_random_configuration(),
            system.potential,
            system.get_takestep(),
            quench=quench,
            acceptTest=system.get_accept_test(),
            outstream=None,
        )
        run.run(self.search.basin_hopping_steps)
        return found

    def _seed(self, purpose, index):
        return np.random.SeedSequence(self.seed, spawn_key=(purpose, index))

    def _merge_minimum(self, energy, coords, source):
        minimum, is_new = store_minimum(self.database, self.system.symmetry, energy, coords)
        hits = {} if is_new else dict(minimum.user_data or {})
        hits[source] = hits.get(source, 0) + 1
        minimum.user_data = hits
        if is_new:
            started = perf_counter()
            record_outcome(minimum, verify_minimum(self.system, self.database, minimum))
            self._verifying += perf_counter() - started
        return minimum

    # Connections

    def connect(self):
        """Connect every minimum to the lowest one, nearest partners first."""
        started = perf_counter()
        graph = _connections(self.database)
        while (pair := self._next_pair(graph)) is not None:
            coords = [self._coords(i) for i in pair]
            triples = connect_pair(self.system, *coords)
            for triple in triples:
                self._merge_triple(*triple)
            self.progress["attempts"].append([*pair, len(triples)])
            self._commit("connect", started)
            started = perf_counter()
            graph = _connections(self.database)
            lowest = self.database.get_lowest_energy_minimum().id()
            connected = len(nx.node_connected_component(graph, lowest))
            n_ts = self.database.number_of_transition_states()
            self._report("connect", connected, len(graph), f"{n_ts} transition states")

    def _next_pair(self, graph):
        """The next pair worth an attempt, or None."""
        if len(graph) < 2:
            return None
        energy = nx.get_node_attributes(graph, "energy")
        lowest = min(graph, key=lambda i: (energy[i], i))
        main = nx.node_connected_component(graph, lowest)
        tried = {frozenset(pair[:2]) for pair in self.progress["attempts"]}
        waiting = []
        for component in nx.connected_components(graph):
            if lowest in component:
                continue
            attempts = sum(len(p & component) == 1 and len(p & main) == 1 for p in tried)
            bottom = min(component, key=lambda i: (energy[i], i))
            if attempts < self.search.connection_attempts:
                waiting.append((attempts, energy[bottom], bottom))
        for _, _, bottom in sorted(waiting):
            near = sorted(main, key=lambda i: (abs(energy[i] - energy[bottom]), i))[:_PARTNERS]
            partners = [i for i in {*near, lowest} if frozenset((bottom, i)) not in tried]
            if partners:
                return bottom, min(partners, key=lambda i: (self._distance(bottom, i), i))
        return None

    def _distance(self, id1, id2):
        pair = (min(id1, id2), max(id1, id2))
        if pair not in self._distances:
            x1, x2 = (self._coords(i) for i in pair)
            self._distances[pair] = self.system.symmetry.align(x1, x2, n_starts=1)[0]
        return self._distances[pair]

    def _coords(self, minimum_id):
        return self.database.getMinimum(minimum_id).coords

    def _merge_triple(self, transition_state, *ends):
        """Store and verify a transition state and the minima on its sides.

        Where the gradient proves to lead to other minima than the search's own
        descents, these are the ones that count.
        """
        minima = [self._merge_minimum(*end, "connections") for end in ends]
        energy, coords, eigenval, eigenvec = transition_state
        ts, is_new = store_transition_state(
            self.database, self.system.symmetry, energy, coords, *minima, eigenval, eigenvec
        )
        if not is_new:
            return
        started = perf_counter()
        outcome, ends = verify_transition_state(self.system, ts)
        self._verifying += perf_counter() - started
        if outcome == "descends elsewhere":
            minima = [self._merge_minimum(*end, "connections") for end in ends]
            ts.minimum1, ts.minimum2 = sorted(minima, key=lambda m: m.id())
            self.progress["corrected"] += 1
            above = all(ts.energy > m.energy for m in minima)
            outcome = "ok" if above else "not above"
        record_outcome(ts, outcome)

    def _commit(self, stage, started):
        took = {stage: perf_counter() - started - self._verifying, "verify": self._verifying}
        self._verifying = 0.0
        for name, seconds in took.items():
            self.progress["seconds"][name] = self.progress["seconds"].get(name, 0.0) + seconds
        write_progress(self.database, self.progress)
        self.database.session.commit()


def _connections(database):
    """Ids of all minima, joined where a valid transition state joins them."""
    graph = nx.Graph()
    session = database.session
    for i, energy in session.query(Minimum._id, Minimum.energy).order_by(Minimum._id):
        graph.add_node(i, energy=energy)
    edges = session.query(TransitionState._minimum1_id, TransitionState._minimum2_id).filter(
        TransitionState.invalid == 0
    )
    graph.add_edges_from((i, j) for i, j in edges if i != j)
    return graph


# The record of the work done travels in the database, so that it commits with it.

_PROGRESS = "progress"
_BLANK = {
    "quenches": 0,
    "basin_hopping_runs": 0,
    "failed_quenches": 0,
    "corrected": 0,
    "attempts": [],
    "seconds": {},
}


def read_progress(database):
    """What has been done, a dict: counts, attempted pairs, seconds by stage."""
    blank = json.loads(json.dumps(_BLANK))
    stored = database.get_property(_PROGRESS)
    return blank if stored is None else blank | json.loads(stored.string_value)


def write_progress(database, progress):
    """Record what has been done. Does not commit."""
    stored = database.get_property(_PROGRESS)
    if stored is None:
        stored = SystemProperty(_PROGRESS)
        database.session.add(stored)
    stored.string_value = json.dumps(progress)
