"""Lowest passes by hand, and against paths of the spanning tree."""

import networkx as nx
import numpy as np
import pytest

from nnpotential.analysis.passes import heights_from, lowest_passes, pair_barriers
from nnpotential.search.barriers import barriers_of, bottlenecks
from nnpotential.search.forest import Forest


def test_by_hand():
    graph = nx.Graph()
    graph.add_nodes_from([("a", {"energy": 0.0}), ("b", {"energy": 1.0})])
    graph.add_nodes_from([("c", {"energy": 2.0}), ("d", {"energy": 0.5})])
    graph.add_edges_from(
        [("a", "b", {"energy": 3.0}), ("b", "c", {"energy": 4.0}), ("a", "c", {"energy": 7.0})]
    )
    heights = lowest_passes(graph, ["c", "a", "d"])
    assert heights[0].tolist()[:2] == [2.0, 4.0] and np.isnan(heights[0, 2])
    barriers = pair_barriers(heights, [2.0, 0.0, 0.5])
    assert barriers[0, 1] == barriers[1, 0] == 3.0  # 2 from above, 4 from below
    assert np.isnan(barriers[[0, 1, 2], [0, 1, 2]]).all() and np.isnan(barriers[2, 0])
    tree = nx.minimum_spanning_tree(graph, "energy")
    assert heights_from(tree, "a") == {"a": -np.inf, "b": 3.0, "c": 4.0}
    assert heights_from(tree, "d") == {"d": -np.inf}


def random_graph(seed):
    draw = np.random.default_rng(seed)
    graph = nx.gnm_random_graph(30, 45, seed=seed)
    for node in graph:
        graph.nodes[node]["energy"] = draw.random()
    for edge in graph.edges:
        graph.edges[edge]["energy"] = 1 + draw.random()
    return graph


@pytest.mark.parametrize("seed", range(5))
def test_against_the_barriers_of_the_search(seed):
    graph = random_graph(seed)
    energy = dict(graph.nodes(data="energy"))
    lowest = min(graph, key=energy.get)
    heights = heights_from(nx.minimum_spanning_tree(graph, "energy"), lowest)
    assert heights.pop(lowest) == -np.inf and len(heights) > 10
    expected = barriers_of(bottlenecks(Forest(graph), set(graph)))
    assert {k: top - energy[k] for k, top in heights.items()} == expected


@pytest.mark.parametrize("seed", range(5))
def test_against_the_spanning_tree(seed):
    draw, graph = np.random.default_rng(seed), random_graph(seed)
    nodes = draw.permutation(30)[:20].tolist()
    heights, tree = lowest_passes(graph, nodes), nx.minimum_spanning_tree(graph, "energy")
    for k, one in enumerate(nodes):
        for other in nodes[:k]:
            found = heights[k, nodes.index(other)]
            if not nx.has_path(tree, one, other):
                assert np.isnan(found)
                continue
            path = nx.shortest_path(tree, one, other)
            assert found == max(tree.edges[edge]["energy"] for edge in nx.utils.pairwise(path))
