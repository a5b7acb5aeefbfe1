"""Which pair of minima is tried next, on graphs made by hand."""

import networkx as nx
import pytest

from nnpotential.points.connect import STRATEGIES
from nnpotential.search.pairs import Attempts, missing_connection, trapped_connection


def graph_of(energies, edges=()):
    graph = nx.Graph()
    for i, energy in enumerate(energies):
        graph.add_node(i, energy=energy)
    for i, j, energy in edges:
        graph.add_edge(i, j, energy=energy)
    return graph


def on_a_line(i, j):
    return abs(i - j)


def attempt(attempts, chosen, found):
    attempts.begin(*chosen[:2])
    attempts.end(*chosen[:2], found)


def test_nothing_to_connect():
    attempts = Attempts()
    assert missing_connection(graph_of([]), attempts, on_a_line, 6) is None
    assert missing_connection(graph_of([0.0]), attempts, on_a_line, 6) is None
    joined = graph_of([0.0, 0.1], [(0, 1, 0.2)])
    assert missing_connection(joined, attempts, on_a_line, 6) is None


def test_lowest_first_and_nearest_partner():
    graph = graph_of([0.0, 0.3, 0.1, 0.2])
    assert missing_connection(graph, Attempts(), on_a_line, 6) == (2, 1, "standard")


def test_the_nearest_pair_of_two_groups():
    # 5 is the lower of its group, but 2 is nearer to what is outside
    graph = graph_of([0.0, 0.1, 0.3, 9.0, 9.0, 0.2], [(2, 5, 0.5), (0, 1, 0.5)])
    graph.remove_nodes_from([3, 4])
    attempts = Attempts()
    assert missing_connection(graph, attempts, on_a_line, 6) == (2, 1, "standard")
    attempt(attempts, (2, 1), found=1)
    # one that was tried with a member is not tried with the next
    assert missing_connection(graph, attempts, on_a_line, 6) == (2, 0, "standard")
    attempt(attempts, (2, 0), found=1)
    assert missing_connection(graph, attempts, on_a_line, 6) is None


def test_components_under_way_wait():
    graph = graph_of([0.0, 0.3, 0.1, 0.2])
    attempts = Attempts()
    attempts.begin(2, 1)
    # 1 and 2 are taken, but the lowest may be tried by many at once
    assert missing_connection(graph, attempts, on_a_line, 6) == (3, 0, "standard")
    attempts.begin(3, 0)
    assert missing_connection(graph, attempts, on_a_line, 6) is None


def test_a_failed_pair_is_tried_in_every_way_and_then_left():
    graph = graph_of([0.0, 0.1, 0.2])
    attempts = Attempts()
    seen = []
    while (chosen := missing_connection(graph, attempts, on_a_line, 6)) is not None:
        seen.append(chosen)
        attempt(attempts, chosen, found=0)
    # whichever of the two others begins, all three pairs are tried in all ways
    pairs = [frozenset(chosen[:2]) for chosen in seen]
    assert set(pairs) == {frozenset(p) for p in ((0, 1), (0, 2), (1, 2))}
    for pair in set(pairs):
        assert [c[2] for c, p in zip(seen, pairs, strict=True) if p == pair] == list(STRATEGIES)


def test_the_limit_counts_partners():
    graph = graph_of([0.0] + [0.1 + i for i in range(9)])
    graph.add_edges_from((0, i, {"energy": 20.0}) for i in range(1, 9))
    attempts = Attempts()
    partners = []
    while (chosen := missing_connection(graph, attempts, on_a_line, 3)) is not None:
        assert chosen[0] == 9
        partners.append(chosen[1])
        attempt(attempts, chosen, found=1)  # transition states, but none that connects
    # in the order of distance, 7 being the nearest beside 8
    assert partners == [8, 7, 6]


def test_a_trapped_minimum_is_tried_across_its_barrier():
    # 3 sits behind a barrier far higher than the others
    edges = [(0, 1, 0.5), (1, 2, 0.6), (0, 3, 9.0), (3, 4, 0.7)]
    graph = graph_of([0.0, 0.3, 0.4, 0.35, 0.5], edges)
    attempts = Attempts()
    assert trapped_connection(graph, attempts, on_a_line, 6) == (3, 1, "standard")
    attempts.begin(3, 1)
    # while it is under way the next one has its turn
    assert trapped_connection(graph, attempts, on_a_line, 6)[0] != 3
    attempts.end(3, 1, 1)
    graph.add_edge(3, 1, energy=0.55)
    assert trapped_connection(graph, attempts, on_a_line, 6)[0] != 3


def test_traps_end():
    graph = graph_of([0.0, 0.3, 0.4], [(0, 1, 0.5), (1, 2, 0.6)])
    attempts = Attempts()
    seen = set()
    while (chosen := trapped_connection(graph, attempts, on_a_line, 2)) is not None:
        assert chosen not in seen
        seen.add(chosen)
        attempt(attempts, chosen, found=0)
    assert {frozenset(c[:2]) for c in seen} == {
        frozenset((1, 0)),
        frozenset((2, 0)),
        frozenset((2, 1)),
    }


@pytest.mark.parametrize("energies", [[], [0.0], [0.0, 1.0]])
def test_no_traps_without_connections(energies):
    assert trapped_connection(graph_of(energies), Attempts(), on_a_line, 6) is None
