"""Barriers and their bottlenecks: against the minimum spanning tree, and by hand."""

import networkx as nx
import numpy as np
import pytest

from nnpotential.search.barriers import barriers_of, bottlenecks, mean_barrier
from nnpotential.search.forest import Forest


def random_graph(seed, n=14, share=0.2):
    """Minima with some transition states above them, in several parts."""
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(n, share, seed=seed)
    for i in graph:
        graph.nodes[i]["energy"] = float(rng.random())
    for i, j in graph.edges:
        above = max(graph.nodes[k]["energy"] for k in (i, j))
        # some of the same height
        graph.edges[i, j]["energy"] = above + round(float(rng.random()), 1) + 0.05
    return graph


def expected(graph):
    """Each minimum's barrier to the lowest, on the path of the minimum spanning tree."""
    energy = graph.nodes(data="energy")
    lowest = min(graph, key=lambda i: (energy[i], i))
    tree = nx.minimum_spanning_tree(graph, weight="energy")
    found = {}
    for i, path in nx.single_source_shortest_path(tree, lowest).items():
        if i != lowest:
            found[i] = max(tree.edges[e]["energy"] for e in nx.utils.pairwise(path)) - energy[i]
    return found


@pytest.mark.parametrize("seed", range(30))
def test_barriers_are_those_of_the_spanning_tree(seed):
    graph = random_graph(seed)
    barriers = expected(graph)
    found = bottlenecks(Forest(graph), set(graph))
    assert barriers_of(found) == barriers
    mean = np.mean(list(barriers.values())) if barriers else 0.0
    assert mean_barrier(found) == pytest.approx(mean, rel=1e-14)
    some = set(list(graph)[::3])
    assert barriers_of(bottlenecks(Forest(graph), some)) == {
        i: barriers[i] for i in some & set(barriers)
    }


@pytest.mark.parametrize("seed", range(10))
def test_below_its_bottleneck_a_minimum_is_cut_off(seed):
    graph = random_graph(seed, share=0.3)
    energy = graph.nodes(data="energy")
    lowest = min(graph, key=lambda i: (energy[i], i))
    found = bottlenecks(Forest(graph), set(graph))
    assert found
    for one in found:
        below = graph.edge_subgraph(
            e for e in graph.edges if graph.edges[e]["energy"] < one.energy
        ).copy()
        below.add_nodes_from(graph)
        beyond = nx.node_connected_component(below, lowest)
        assert beyond <= set(one.beyond) and not beyond & set(one.trapped)
        assert set(one.barriers) == set(one.trapped)
        i, j = one.edge
        assert graph.edges[i, j]["energy"] == one.energy and i < j
        assert len({i, j} & set(one.trapped)) == len({i, j} & set(one.beyond)) == 1


def test_the_order_of_a_graph_does_not_matter():
    graph = random_graph(1, share=0.4)
    other = nx.Graph()
    other.add_nodes_from(reversed(list(graph.nodes(data=True))))
    other.add_edges_from((j, i, data) for i, j, data in reversed(list(graph.edges(data=True))))
    assert bottlenecks(Forest(other), set(graph)) == bottlenecks(Forest(graph), set(graph))


def test_a_valley_behind_a_high_pass_by_hand():
    graph = nx.Graph()
    for i, energy in enumerate([0.0, 0.3, 0.4, 0.35, 9.0], 1):
        graph.add_node(i, energy=energy)
    for i, j, energy in ((1, 2, 0.5), (3, 4, 0.7), (2, 3, 2.0), (1, 4, 3.0)):
        graph.add_edge(i, j, energy=energy)
    first, second = bottlenecks(Forest(graph), {2, 3, 4, 5})
    assert (first.edge, first.energy, list(first.trapped), list(first.beyond)) == (
        (1, 2),
        0.5,
        [2],
        [1],
    )
    assert (second.edge, second.energy) == ((2, 3), 2.0)
    assert sorted(second.trapped) == [3, 4] and sorted(second.beyond) == [1, 2]
    assert second.barriers == pytest.approx({3: 1.6, 4: 1.65})
    # where nobody is asked about there is nothing to lower
    [only] = bottlenecks(Forest(graph), {3, 5})
    assert only.barriers == pytest.approx({3: 1.6}) and sorted(only.trapped) == [3, 4]


def test_nothing_is_trapped_where_nothing_is_connected():
    graph = nx.Graph()
    assert (
        bottlenecks(Forest(graph), set()) == []
        and mean_barrier([]) == 0.0
        and barriers_of([]) == {}
    )
    graph.add_node(1, energy=0.0)
    graph.add_node(2, energy=0.0)
    assert bottlenecks(Forest(graph), {1, 2}) == []
    # of equals the first is the lowest
    graph.add_edge(1, 2, energy=1.0)
    assert barriers_of(bottlenecks(Forest(graph), {1, 2})) == {2: 1.0}
