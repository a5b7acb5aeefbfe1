"""How barriers are lowered: which way has its turn, and when it no longer pays."""

import json
from collections import Counter

import numpy as np
import pytest

from nnpotential.search.lowering import _LEAST, FLAT, Lowering, _round
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
