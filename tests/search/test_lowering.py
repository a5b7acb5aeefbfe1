"""How barriers are lowered: which way has its turn, and when it no longer pays."""

import json
from collections import Counter
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest

from nnpotential.search.barriers import bottlenecks
from nnpotential.search.forest import Forest
from nnpotential.search.lowering import _LEAST, FLAT, Lowering, _round, next_attempt
from nnpotential.search.pairs import Attempts
from nnpotential.search.ways import WAYS

FIRST, *REST = WAYS


def turns(lowering, n, gains, costs=None):
    """The ways of so many turns, where each gains and costs the same every time."""
    used = []
    for _ in range(n):
        way = lowering.ways()[0]
        lowering.charge(way)
        lowering.learn(way, gains.get(way, 0.0), (costs or {}).get(way, 10.0))
        used.append(way)
    return used


def test_in_the_beginning_all_ways_are_equal():
    lowering = Lowering({})
    assert list(lowering.shares()) == list(WAYS)
    assert list(lowering.shares().values()) == pytest.approx([1 / len(WAYS)] * len(WAYS))
    assert set(turns(lowering, len(WAYS), {})) == set(WAYS)


@pytest.mark.parametrize("seed", range(5))
def test_shares_sum_to_one_and_each_way_keeps_the_least(seed):
    rng = np.random.default_rng(seed)
    lowering = Lowering({})
    for _ in range(100):
        way = lowering.ways()[0]
        lowering.charge(way)
        lowering.learn(way, max(0.0, rng.normal()), float(rng.integers(1, 1000)))
        shares = lowering.shares()
        assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
        assert min(shares.values()) >= _LEAST - 1e-12


@pytest.mark.parametrize("best", WAYS)
def test_the_way_that_gains_gets_most_of_the_turns(best):
    lowering = Lowering({})
    used = Counter(turns(lowering, 300, {best: 1.0}))
    spare = 1 - _LEAST * len(WAYS)
    assert used[best] / 300 == pytest.approx(_LEAST + spare, abs=0.03)
    assert all(used[way] / 300 == pytest.approx(_LEAST, abs=0.02) for way in set(WAYS) - {best})


def test_gains_are_forgotten():
    lowering = Lowering({})
    turns(lowering, 100, {FIRST: 1.0})
    late = Counter(turns(lowering, 400, {REST[0]: 1.0})[200:])
    assert late.most_common(1)[0][0] == REST[0]


def test_shares_are_of_the_cost():
    """Of two that gain the same for their cost, the dearer has fewer turns."""
    lowering, dear = Lowering({}), 4.0
    costs = {way: 10.0 for way in WAYS} | {FIRST: dear * 10.0}
    gains = {way: costs[way] / 10 for way in WAYS}
    used = Counter(turns(lowering, 400, gains, costs))
    assert used[REST[0]] / used[FIRST] == pytest.approx(dear, rel=0.2)


def test_what_was_set_aside_is_taken_to_cost_as_others():
    lowering = Lowering({})
    used = []
    for _ in range(30):  # nothing comes back from any
        way = lowering.ways()[0]
        lowering.charge(way)
        lowering.learn(way, 0.0, 0.0)
        used.append(way)
    assert set(used) == set(WAYS) and sum(lowering.shares().values()) == pytest.approx(1)


def test_the_state_survives_json():
    noted = {}
    lowering = Lowering(noted)
    turns(lowering, 17, {FIRST: 0.125, REST[0]: 0.3})
    lowering.settle(1.0, 0.7, 9)
    again = json.loads(json.dumps(noted))
    assert again == noted
    other = Lowering(again)
    for one in (lowering, other):
        turns(one, 23, {REST[-1]: 0.1})
        one.settle(0.7, 0.69, 9)
    assert again == noted and other.shares() == lowering.shares()


# Rounds


def rounds(lowering, means, n=3):
    """One attempt a mean, the barrier being so high after it."""
    before = means[0]
    for after in means:
        lowering.learn(FIRST, before - after, 1.0)
        lowering.settle(before, after, n)
        before = after


def test_it_is_settled_when_a_round_gains_little():
    n, lowering = 3, Lowering({})
    length = _round(n)
    falling = np.geomspace(1.0, 0.5, length).tolist()
    rounds(lowering, falling)
    assert not lowering.is_settled(n)
    assert lowering.progress(n, None) == (length, 2 * length)
    rounds(lowering, [0.5] * (length - 1))
    assert not lowering.is_settled(n)
    rounds(lowering, [0.5 * (1 - FLAT / 2)])
    assert lowering.is_settled(n) and not lowering.is_settled(n + 1)
    assert lowering.progress(n, None) == (2 * length, 2 * length)
    assert lowering.progress(n, 1000) == (2 * length, 1000)
    lowering.unsettle()
    assert not lowering.is_settled(n)
    assert lowering.progress(n, None) == (2 * length, 3 * length)


def test_the_first_attempt_of_a_round_counts():
    n, lowering = 3, Lowering({})
    lowering.learn(FIRST, 0.5, 1.0)
    lowering.settle(1.0, 0.5, n)
    rounds(lowering, [0.5] * (_round(n) - 1))
    assert not lowering.is_settled(n)


def test_another_number_of_minima_begins_a_round_of_its_own():
    """Their mean may be higher or lower, which says nothing about what attempts gain."""
    few, more, lowering = 3, 4, Lowering({})
    rounds(lowering, [1.0] * _round(few), few)
    assert lowering.is_settled(few)
    lowering.learn(FIRST, 0.0, 1.0)
    lowering.settle(2.0, 2.0, more)
    rounds(lowering, np.geomspace(2.0, 1.2, _round(more) - 1).tolist(), more)
    assert not lowering.is_settled(more)  # though 1.2 is no less than 1.0


@pytest.mark.parametrize("n", [0, 1, 10, 10**6])
def test_rounds_have_a_length_for_any_number_of_minima(n):
    assert 0 < _round(1) <= _round(n) + (n == 0) * _round(1) <= _round(10**6) + _round(1)


# What is tried


class Known:
    """What an attempt is chosen from: minima on a line, those from 10 on behind a high pass."""

    def __init__(self, n_modes=1):
        self.graph = nx.Graph()
        for i in (1, 2, 3, 10, 11, 12):
            self.graph.add_node(i, energy=0.1 * i)
        for i, j, energy in ((1, 2, 1.5), (2, 3, 1.5), (3, 10, 9.0), (10, 11, 1.6), (11, 12, 1.6)):
            self.graph.add_edge(i, j, energy=energy)
        self.attempts, self.followed, self.n_modes = Attempts(), set(), n_modes
        self.lowering = SimpleNamespace(tries=Counter())

    @property
    def forest(self):
        return Forest(self.graph)

    def distances(self, pairs):
        return [abs(i - j) for i, j in pairs]

    def mode_left(self, i):
        sides = ((mode, side) for mode in range(self.n_modes) for side in (1, -1))
        return next(((m, s) for m, s in sides if (i, m, s) not in self.followed), None)

    def next(self, ways, targets=(1, 2, 3, 10, 11, 12)):
        found = bottlenecks(self.forest, set(targets))
        attempt = next_attempt(self, found, ways, np.random.default_rng(0))
        if attempt is not None:
            way, i, j, *what = attempt
            self.lowering.tries[i, j] += 1
            WAYS[way].begin(self, *what)
        return attempt


def test_across_the_highest_pass_between_the_nearest():
    known = Known()
    assert known.next(["across"]) == ("across", 3, 10, 10, 3)
    known = Known()
    assert known.next(["across"], targets=[2]) == ("across", 1, 2, 2, 1)


def test_uphill_from_behind_it_by_the_softest_mode():
    known = Known(n_modes=2)
    seen = [known.next(["uphill"], targets=[12]) for _ in range(7)]
    assert [what for _, _, _, *what in seen] == [
        *([i, 0, side] for i in (10, 11, 12) for side in (1, -1)),
        [10, 1, 1],
    ]


def test_neighbours_of_the_minimum_with_the_fewest_partners():
    known = Known()
    # of those behind the pass 10 has the highest barrier, and 11 is nearest
    assert known.next(["neighbours"], targets=[10, 11, 12]) == ("neighbours", 3, 10, 10, 11)
    assert known.next(["neighbours"], targets=[10, 11, 12]) == ("neighbours", 3, 10, 12, 11)


def test_downhill_from_the_highest_barriers_to_the_lowest_minima():
    known = Known()
    seen = [tuple(known.next(["downhill"], targets=[11, 12])[3:]) for _ in range(3)]
    assert seen == [(11, 1), (12, 1), (11, 2)]


def test_the_bottleneck_that_matters_most_for_how_often_it_was_tried():
    known = Known()
    edges = [tuple(known.next(["across"])[1:3]) for _ in range(10)]
    assert edges[0] == (3, 10)
    assert edges.count((3, 10)) > 5 and len(set(edges)) > 1


@pytest.mark.parametrize("first", WAYS)
def test_a_way_without_anything_left_is_passed_over_and_all_of_it_ends(first):
    known = Known()
    ways = sorted(WAYS, key=lambda way: way != first)
    seen = []
    while (attempt := known.next(ways)) is not None:
        seen.append(attempt)
        assert len(seen) < 100
    assert seen[0][0] == first
    tried = [frozenset(what) for way, _, _, *what in seen if way != "uphill"]
    walks = [tuple(what) for way, _, _, *what in seen if way == "uphill"]
    assert len(set(tried)) == len(tried) == 15  # every pair once
    # from every minimum that any pass keeps from the lowest
    assert sorted(walks) == sorted((i, 0, s) for i in (2, 3, 10, 11, 12) for s in (1, -1))


def test_the_same_state_gives_the_same_attempts():
    def all_of(known):
        return [known.next(list(WAYS)) for _ in range(12)]

    assert all_of(Known()) == all_of(Known())


def test_of_many_minima_some_are_looked_at():
    """Another draw, other minima; the same draw, the same."""
    known, n = Known(), 400
    for i in range(100, 100 + n):
        known.graph.add_node(i, energy=8.0)
        known.graph.add_edge(3, i, energy=8.5)
    known.distances = lambda pairs: [(i * 7919 + j * 104729) % 1009 for i, j in pairs]
    [found] = bottlenecks(known.forest, {12})
    picked = [
        next_attempt(known, [found], ["across"], np.random.default_rng(seed))
        for seed in (0, 0, 1, 2, 3)
    ]
    assert picked[0] == picked[1] and len(set(picked)) > 1


def test_nothing_to_lower():
    assert next_attempt(Known(), [], list(WAYS), np.random.default_rng(0)) is None
