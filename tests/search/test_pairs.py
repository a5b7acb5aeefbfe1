"""Which pair of minima is tried next, on graphs made by hand."""

import networkx as nx
import pytest

from nnpotential.points.connect import STRATEGIES
from nnpotential.search.forest import Forest
from nnpotential.search.pairs import Attempts, Trial, missing_connection, missing_link
from nnpotential.search.settings import ASTRAY, TRIALS


def graph_of(energies, edges=()):
    graph = nx.Graph()
    for i, energy in enumerate(energies):
        graph.add_node(i, energy=energy)
    for i, j, energy in edges:
        graph.add_edge(i, j, energy=energy)
    return graph


def on_a_line(pairs):
    return [abs(i - j) for i, j in pairs]


def attempt(attempts, chosen, found):
    attempts.begin(*chosen[:2])
    attempts.end(*chosen[:2], found)


def test_nothing_to_connect():
    attempts = Attempts()
    assert missing_connection(Forest(graph_of([])), attempts, on_a_line, 6) is None
    assert missing_connection(Forest(graph_of([0.0])), attempts, on_a_line, 6) is None
    joined = graph_of([0.0, 0.1], [(0, 1, 0.2)])
    assert missing_connection(Forest(joined), attempts, on_a_line, 6) is None


def test_lowest_first_and_nearest_partner():
    graph = graph_of([0.0, 0.3, 0.1, 0.2])
    assert missing_connection(Forest(graph), Attempts(), on_a_line, 6) == (2, 1, "standard")


def test_the_nearest_pair_of_two_groups():
    # 5 is the lower of its group, but 2 is nearer to what is outside
    graph = graph_of([0.0, 0.1, 0.3, 9.0, 9.0, 0.2], [(2, 5, 0.5), (0, 1, 0.5)])
    graph.remove_nodes_from([3, 4])
    attempts = Attempts()
    assert missing_connection(Forest(graph), attempts, on_a_line, 6) == (2, 1, "standard")
    attempt(attempts, (2, 1), found=1)
    # one that was tried with a member is not tried with the next
    assert missing_connection(Forest(graph), attempts, on_a_line, 6) == (2, 0, "standard")
    attempt(attempts, (2, 0), found=1)
    assert missing_connection(Forest(graph), attempts, on_a_line, 6) is None


def test_components_under_way_wait():
    graph = graph_of([0.0, 0.3, 0.1, 0.2])
    attempts = Attempts()
    attempts.begin(2, 1)
    # 1 and 2 are taken, but the lowest may be tried by many at once
    assert missing_connection(Forest(graph), attempts, on_a_line, 6) == (3, 0, "standard")
    attempts.begin(3, 0)
    assert missing_connection(Forest(graph), attempts, on_a_line, 6) is None


def test_a_failed_pair_is_tried_in_every_way_and_then_left():
    graph = graph_of([0.0, 0.1, 0.2])
    attempts = Attempts()
    seen = []
    while (chosen := missing_connection(Forest(graph), attempts, on_a_line, 6)) is not None:
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
    while (chosen := missing_connection(Forest(graph), attempts, on_a_line, 3)) is not None:
        assert chosen[0] == 9
        partners.append(chosen[1])
        attempt(attempts, chosen, found=1)  # transition states, but none that connects
    # in the order of distance, 7 being the nearest beside 8
    assert partners == [8, 7, 6]


def test_only_groups_with_what_is_needed():
    graph = graph_of([0.0, 0.3, 0.1, 0.2], [(2, 3, 0.5)])
    attempts = Attempts()
    assert missing_connection(Forest(graph), attempts, on_a_line, 6, {0}) is None
    assert missing_connection(Forest(graph), attempts, on_a_line, 6, set()) is None
    # the partner may be any
    assert missing_connection(Forest(graph), attempts, on_a_line, 6, {1}) == (1, 0, "standard")
    # and so may the member of a group that holds one
    assert missing_connection(Forest(graph), attempts, on_a_line, 6, {3}) == (2, 1, "standard")
    attempts.begin(1, 0)
    assert missing_connection(Forest(graph), attempts, on_a_line, 6, {1}) is None


def test_links_go_over_what_was_met_between_the_groups():
    """Stepping stones make the squares less; minima that nothing joins to others are none."""
    at = {0: 0.0, 1: 10.0, 2: 4.0, 3: 5.0, 4: 7.0, 5: 20.0}
    graph = graph_of([0.0, 0.3, 0.4, 0.5, 0.6, 0.7], [(2, 3, 0.8)])
    attempts, forest = Attempts(), Forest(graph)

    def distances(pairs):
        return [abs(at[i] - at[j]) for i, j in pairs]

    def link(needed=frozenset({1})):
        return missing_link(forest, attempts, distances, set(needed))

    assert link({0}) is None  # the lowest itself
    # the longer of the jumps 0 - 2 and 3 - 1, and while it is under way no other
    assert link() == (1, 3, "standard")
    attempts.begin(1, 3)
    assert link() is None
    attempts.end(1, 3, 0)
    assert link() == (1, 3, "alignment")  # another way for what failed
    for _ in STRATEGIES[1:]:
        attempt(attempts, (1, 3), found=0)
    assert link() == (1, 2, "standard")  # around it
    forest.join(1, 3, 0.9)
    assert link() == (2, 0, "standard")
    assert link({1, 5}) == (2, 0, "standard")  # the shorter way first
    forest.join(0, 2, 0.9)
    assert link() is None


def test_a_lowest_minimum_far_from_all_others_goes_to_them():
    """By-products of connections may be lower than what quenches found, and alone."""
    graph = graph_of([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 0.0])
    graph.add_edges_from((0, i, {"energy": 2.0}) for i in range(1, 5))
    attempts, quenched = Attempts(), {0, 1, 2, 3, 4}
    for outside in range(4):  # the group has had its tries
        attempt(attempts, (outside, 5), found=1)
    forest = Forest(graph)
    assert missing_connection(forest, attempts, on_a_line, 3, quenched) == (6, 5, "standard")
    attempt(attempts, (6, 5), found=1)
    assert missing_connection(forest, attempts, on_a_line, 3, quenched) == (6, 4, "standard")


def test_partners_are_counted_once():
    attempts = Attempts()
    assert attempts.n_partners(1) == 0
    for pair in ((1, 2), (2, 1), (1, 3)):
        attempt(attempts, pair, found=0)
    assert [attempts.n_partners(i) for i in (1, 2, 3, 4)] == [2, 1, 1, 0]
    assert attempts.tried(2, 1) and not attempts.tried(2, 3)


def test_the_first_connections_tell_whether_any_joins():
    noted = {}
    trial = Trial(noted)
    while not trial.is_open:
        trial.begin()
    trial.end()  # set aside
    assert not trial.is_open
    trial.begin()
    for _ in range(TRIALS - ASTRAY):
        assert trial.is_open
        trial.judge(lambda: (0, 30), astray=False)
        trial.end()
        assert not trial.is_open
        trial.begin()
    for _ in range(ASTRAY):
        assert trial.is_open and not trial.is_lost
        trial.judge(lambda: (0, 30), astray=False)
        trial.end()
    for one in (trial, Trial(noted)):
        assert one.is_lost and not one.is_open
        one.begin()
        one.judge(lambda: (30, 30), astray=False)  # growth may join two of them
        assert one.is_lost
    trial.appeal(lambda: (0, 31))
    assert not trial.is_lost and not trial.is_open


@pytest.mark.parametrize("hopeful", [0, 1, TRIALS - ASTRAY - 1])
def test_few_that_go_astray_are_enough(hopeful):
    """Each that does not has another one tried."""
    noted = {}
    trial = Trial(noted)
    for n in range(ASTRAY + hopeful):
        assert not trial.is_open and not trial.is_lost
        while not trial.is_open:
            trial.begin()
        trial = Trial(noted)  # stopped there, and continued
        while not trial.is_open:
            trial.begin()
        trial.judge(lambda: (0, 30), astray=n >= hopeful)
        trial.end()
        trial = Trial(noted)
    assert trial.is_lost
    trial.appeal(lambda: (0, 31))
    assert not trial.is_lost and not trial.is_open


@pytest.mark.parametrize(("astray", "each"), [(False, TRIALS), (True, ASTRAY)])
def test_each_join_allows_as_many_connections_again(astray, each):
    noted = {}
    for n in range(3 * each):
        assert not Trial(noted).is_lost and not Trial(noted).is_open
        joins = min(n // 2, 2)  # two early ones, and then no more
        Trial(noted).judge(lambda: (joins, 30), astray=astray)  # noqa: B023
    assert Trial(noted).is_lost


def test_a_trial_that_is_won_stays_so():
    noted = {}
    trial = Trial(noted)
    trial.begin()
    trial.judge(lambda: (15, 30), astray=True)
    trial.end()
    for one in (trial, Trial(noted)):
        for _ in range(2 * TRIALS):
            one.begin()
            one.judge(lambda: (15, 30), astray=True)
            one.appeal(lambda: (15, 30))
            assert not one.is_open and not one.is_lost


def test_a_trial_that_is_won_is_held_again_where_most_is_apart():
    trial = Trial({})
    trial.judge(lambda: (1, 1), astray=False)
    trial.appeal(lambda: (1, 40))
    for _ in range(2 * TRIALS):
        assert not trial.is_lost
        trial.judge(lambda: (1, 40), astray=False)
    assert trial.is_lost
