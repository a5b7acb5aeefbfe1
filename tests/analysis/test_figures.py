"""Figures of a landscape: by hand on small graphs, and against their definitions."""

import networkx as nx
import numpy as np
import pytest
from landscapes import SEARCH, copy_of

import nnpotential as nnp
from nnpotential import Landscape
from nnpotential.analysis.figures import barriers_to_lowest, coverage, landscape_graph
from nnpotential.storage import is_verified, record_outcome


def test_graph_keeps_the_lowest_transition_state_of_each_pair(explored):
    graph = explored.graph()
    best = {}
    for ts in explored.database.transition_states():
        pair = frozenset((ts.minimum1.id(), ts.minimum2.id()))
        if len(pair) == 2:
            best[pair] = min(best.get(pair, np.inf), ts.energy)
    assert {frozenset((a.id(), b.id())): ts.energy for a, b, ts in graph.edges(data="ts")} == best
    assert nx.number_of_selfloops(graph) == 0


def test_a_higher_transition_state_added_later_does_not_hide_a_lower(ljat, net):
    system = nnp.NNSystem(net, ljat)
    database = system.create_database()
    rng = np.random.default_rng(0)
    m1, m2, m3 = (database.addMinimum(e, rng.normal(size=44)) for e in (0.1, 0.2, 0.3))
    for a, b, e in ((m1, m2, 0.5), (m1, m2, 0.9), (m2, m3, 0.4), (m1, m3, 0.7), (m1, m1, 0.8)):
        database.addTransitionState(e, rng.normal(size=44), a, b)
    assert not landscape_graph(database)  # nothing is verified yet
    for point in (*database.minima(), *database.transition_states()):
        record_outcome(point, "ok")
    graph = landscape_graph(database)
    assert graph.edges[m1, m2]["ts"].energy == 0.5
    barriers = barriers_to_lowest(graph)
    assert barriers == pytest.approx({m2: 0.5 - 0.2, m3: 0.5 - 0.3})


def test_barriers_are_minimax_over_all_paths(explored):
    graph = explored.graph()
    lowest = min(graph, key=lambda m: m.energy)
    barriers = barriers_to_lowest(graph)
    assert set(barriers) == set(graph) - {lowest}
    levels = sorted({d["energy"] for *_, d in graph.edges(data=True)})
    for m, barrier in barriers.items():
        # flood: the lowest level at which the two are connected
        for level in levels:
            flooded = nx.Graph()
            flooded.add_nodes_from(graph)
            flooded.add_edges_from((a, b) for a, b, e in graph.edges(data="energy") if e <= level)
            if nx.has_path(flooded, m, lowest):
                break
        assert barrier == pytest.approx(level - m.energy)


def test_coverage_estimates():
    assert coverage([]) == {"good_turing": None, "chao1": None}
    assert coverage([5, 5]) == {"good_turing": 1.0, "chao1": 2.0}
    figures = coverage([1, 1, 1, 2, 5])
    assert figures["good_turing"] == pytest.approx(0.7)
    assert figures["chao1"] == pytest.approx(5 + 3 * 2 / (2 * 2))


def test_points_that_failed_are_in_no_figure(tmp_path, explored):
    land = Landscape.open(copy_of(explored, tmp_path))
    lowest = land.database.minima()[0]
    before = land.summary()
    lowest.invalid = 1
    land.database.session.commit()
    after = land.summary()
    assert after["n_minima"] == before["n_minima"] - 1
    assert after["lowest_loss"] > before["lowest_loss"]
    assert lowest not in land.graph()


def test_only_what_is_verified_counts(tmp_path, net, ljat):
    land = Landscape.create(tmp_path / "a", net, ljat, regularization=1e-3, seed=3, **SEARCH)

    def interrupt(*_):
        if land.database.number_of_minima() >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt)
    figures = land.summary()
    assert figures["verified"]["unverified"] > 0
    assert figures["n_minima"] == sum(map(is_verified, land.database.minima()))
    assert figures["n_minima"] < land.database.number_of_minima()
