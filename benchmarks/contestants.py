"""One contestant of `barriers.py`, in a process of its own: a search from given minima.

    python contestants.py CONTESTANT TASK.npz FOUND.npz

All note each transition state when they have it, with the minima that they name for it.
"""

import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path

from common import TimeUp, Triples, pin_to_one_core

# isort: split
import networkx as nx
import numpy as np
from pele.landscape import ConnectManager

import nnpotential as nnp

WAYS = ("across", "uphill", "neighbours", "downhill")
OTHER_WAYS = ("hops", "mixtures")  # that the search does not have
OURS = ("default", *WAYS, *OTHER_WAYS, "modes", "before")
PELE = {"pele gmin, untrap": ("gmin", "untrap"), "pele combine, random": ("combine", "random")}
_ENOUGH = 1_000_000
_HOP, _MIXED = 2.0, 10  # length of a step of basin-hopping; soft modes that are mixed


class Notes(Triples):
    def note(self, ts):
        self.add(ts.coords, ts.minimum1.coords, ts.minimum2.coords)


def ours(contestant, task, folder):
    """Our search; by default it goes on after it would have ended by itself."""
    search = {"quenches": 0, "basin_hopping_runs": 0}
    if contestant == "before":
        search |= {"untrap_attempts": 500}
    elif contestant != "default":
        search |= {"untrap_attempts": _ENOUGH, "audit_sample": 0, "soft_modes": 0}
    if contestant == "modes":
        search |= {"untrap_attempts": 0, "soft_modes": 2}
    if contestant in (*WAYS, *OTHER_WAYS):
        only(contestant)
    data = nnp.load_dataset("ljat", n_train=len(task["y"]), n_test=1000, seed=0)
    land = nnp.Landscape.create(
        folder,
        nnp.MLP(list(task["sizes"])),
        data,
        regularization=float(task["regularization"]),
        seed=int(task["seed"]),
        **search,
    )
    for x in task["minima"]:
        minimum = land.database.addMinimum(land.system.potential.getEnergy(x), x)
        minimum.user_data = {"glorot_uniform": 1, "verified": "ok"}  # as of a quench
    land.database.session.commit()
    notes, ended = Notes(), np.nan
    land.database.on_ts_added.connect(notes.note)

    def on_progress(*_):
        if notes.now() > task["seconds"]:
            raise TimeUp

    with suppress(TimeUp):
        land.explore(on_progress, draw=False)
        ended = notes.now()
        if contestant == "default":
            land.explore(on_progress, draw=False, untrap_attempts=_ENOUGH, audit_sample=0)
    notes.took = notes.now()
    return notes, {"ended": ended}


def only(contestant):
    """Leave one way of lowering barriers, or put another search in its place."""
    from nnpotential.points.connect import refined
    from nnpotential.points.stationary import spectrum
    from nnpotential.search import ways  # an earlier version has none

    kept = {"mixtures": "uphill", "hops": "across"}.get(contestant, contestant)
    for way in set(ways.WAYS) - {kept}:
        del ways.WAYS[way]
    rng, band = np.random.default_rng(0), ways.connect_band

    def hops(system, x1, x2, failures=None, stored=None):
        """Basin-hopping from behind the bottleneck, and bands from there to both sides."""
        step = rng.normal(size=x1.size)
        start = x1 + _HOP * step / np.linalg.norm(step)
        there = system.get_minimizer()(start)
        if not there.success:
            return []
        ends = (x for x in (x1, x2) if not system.identity.are_same(x, there.coords))
        return [c for x in ends for c in band(system, there.coords, x, failures, stored)]

    def mixtures(system, x, mode, side, failures=None, stored=None):
        """Walks up random mixtures of the soft modes."""
        modes = spectrum(system.potential, x, system.identity.barren_modes(x))
        parts = rng.normal(size=_MIXED) / np.sqrt(np.abs(modes.eigenvalues[:_MIXED]))
        way = modes.eigenvectors[:, :_MIXED] @ parts
        way /= np.linalg.norm(way)
        search = system.params.double_ended_connect.local_connect_params.tsSearchParams
        return refined(system, x + 0.2 * way, way, search, failures, stored)

    if contestant == "mixtures":
        ways.single_ended = mixtures
    elif contestant == "hops":
        ways.Across.propose = ways.Downhill.propose  # pairs that a single band would join
        ways.connect_band = hops


def pele(contestant, task):
    """pele's own search, by two strategies: to join all, for half the time at most; afterwards."""
    from search import Case, PlainSystem

    case = Case(list(map(int, task["sizes"])), len(task["y"]), float(task["regularization"]))
    system = PlainSystem(case)
    database = system.create_database()
    for x in task["minima"]:
        database.addMinimum(system.potential.getEnergy(x), x)
    np.random.seed(int(task["seed"]))  # noqa: NPY002 (pele draws from the global state)
    strategies, n_given = PELE[contestant], len(task["minima"])
    manager, notes, graph = ConnectManager(database, verbosity=0), Notes(), nx.Graph()
    database.on_ts_added.connect(notes.note)
    database.on_ts_added.connect(lambda ts: graph.add_edge(ts.minimum1.id(), ts.minimum2.id()))
    budget = float(task["seconds"])

    def past_joining():
        if 1 not in graph:  # the lowest; untrap needs it joined to another
            return False
        joined = nx.node_connected_component(graph, 1)
        return joined.issuperset(range(1, n_given + 1)) or notes.now() > budget / 2

    with redirect_stdout(None), notes.within(budget):
        while True:
            pair = manager.get_connect_job(strategies[past_joining()])
            system.get_double_ended_connect(*pair, database, verbosity=0).connect()
    return notes, {}


def main():
    contestant, task, found = sys.argv[1:]
    pin_to_one_core()
    task = dict(np.load(task))
    if contestant in PELE:
        notes, more = pele(contestant, task)
    else:
        notes, more = ours(contestant, task, Path(found).with_suffix(""))
    notes.save(found, **more)


if __name__ == "__main__":
    main()
