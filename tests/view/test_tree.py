"""The layout of disconnectivity graphs, on trees that can be drawn by hand."""

import networkx as nx
import numpy as np

from nnpotential.view.tree import tree


def test_three_minima_by_hand():
    """0 and 1 join below level 2, both with 2 below level 4, straight below 0."""
    found = tree(np.array([0.0, 1.0, 0.5]), np.array([[0, 1], [1, 2]]), [1.5, 3.0], [2.0, 4.0])
    drawn = {tuple(map(tuple, line)) for line in found.lines.tolist()}
    a, b, c = found.places
    assert sorted(found.places) == [0.5, 1.5, 2.5] and abs(c - a) >= 1
    stem = a  # of the lower of two equally large
    assert ((a, 0.0), (a, 0.0)) in drawn and ((b, 1.0), (stem, 2.0)) in drawn
    assert ((stem, 2.0), (stem, 2.0)) in drawn and ((stem, 2.0), (stem, 4.0)) in drawn
    assert ((c, 0.5), (c, 2.0)) in drawn and ((c, 2.0), (stem, 4.0)) in drawn


def random_network(n, seed):
    rng = np.random.default_rng(seed)
    graph = nx.gnm_random_graph(n, 2 * n, seed=seed)
    energies = rng.uniform(0, 1, n)
    ends = np.array(graph.edges)
    return energies, ends, energies[ends].max(axis=1) + rng.uniform(0.01, 1, len(ends))


def test_branches_join_where_superbasins_do():
    energies, ends, heights = random_network(60, 1)
    levels = np.linspace(0.2, 2.1, 20)
    found = tree(energies, ends, heights, levels)
    low, high = found.lines[:, 0, 1], found.lines[:, 1, 1]
    assert (high >= low).all()
    graph = nx.Graph()
    graph.add_nodes_from(range(60))
    for pair, height in zip(ends, heights, strict=True):
        if height <= levels[12]:
            graph.add_edge(*pair)
    below = [c for c in nx.connected_components(graph) if min(energies[list(c)]) <= levels[12]]
    # lines that cross the gap between two levels are the superbasins below it
    crossing = (low <= levels[12]) & (high > levels[12])
    assert crossing.sum() == len(below)


def test_every_minimum_has_its_end_at_its_energy():
    energies, ends, heights = random_network(200, 2)
    found = tree(energies, ends, heights, np.linspace(0.1, 2.1, 30))
    assert sorted(found.places) == [k + 0.5 for k in range(200)]
    for k in range(200):
        own = found.lines[found.owners == k]
        assert own[:, 0, 1].min() == energies[k]
        assert (own[own[:, 0, 1].argmin(), 0, 0]) == found.places[k]


def test_minima_without_transition_states_stand_alone():
    found = tree(np.array([1.0, 2.0]), np.zeros((0, 2), int), np.zeros(0), [3.0])
    assert found.lines.tolist() == [[[0.5, 1.0], [0.5, 3.0]], [[1.5, 2.0], [1.5, 3.0]]]
