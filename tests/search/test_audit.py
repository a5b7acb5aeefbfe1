"""The audit: its sample, what it notes, and what it expects of all barriers."""

import json

import numpy as np
import pytest

from nnpotential.search.audit import EFFORT, Audit, barrier_audit
from nnpotential.search.lowering import WAYS

BARRIERS = {i: 1.0 + i / 10 for i in range(3, 43)}


def begun(size=5, seed=0, barriers=BARRIERS):
    audit = Audit({})
    audit.begin(barriers, len(barriers) + 1, size, np.random.default_rng(seed))
    return audit


def audited(before, half, after):
    """What an audit notes whose sample had these barriers."""
    n = EFFORT * len(before)
    noted = {"before": before, "half": half, "after": after, "merged": n, "made": n}
    return barrier_audit(noted)


def test_a_sample_is_drawn_once_from_those_with_a_barrier():
    audit = begun()
    assert len(set(audit.sample)) == 5 and set(audit.sample) <= set(BARRIERS)
    assert audit.sample == sorted(audit.sample) == begun().sample != begun(seed=1).sample
    assert audit.is_of(len(BARRIERS) + 1) and not audit.is_of(len(BARRIERS))
    assert audit.round == 1
    assert begun(size=1000).sample == sorted(BARRIERS)
    # every minimum may be drawn
    drawn = set().union(*(begun(size=10, seed=seed).sample for seed in range(50)))
    assert drawn == set(BARRIERS)


def test_each_has_its_turn_with_every_way():
    audit, seen = begun(size=3), []
    while (turn := audit.next()) is not None:
        assert audit.n_given_out == len(seen)
        seen.append(turn)
        audit.give_out()
    assert len(seen) == EFFORT * 3
    assert [who for who, _ in seen] == audit.sample * EFFORT
    for who in audit.sample:
        ways = [way for one, way in seen if one == who]
        assert ways == (list(WAYS) * EFFORT)[:EFFORT]


def test_without_a_sample_there_is_nothing_to_do():
    audit = Audit({})
    assert audit.next() is None and audit.sample == [] and audit.progress() == (0, 0)
    assert barrier_audit({}) is None
    assert not audit.is_short_of(0.01)


def test_barriers_half_way_and_at_the_end_are_noted():
    noted = {}
    audit = Audit(noted)
    audit.begin({1: 1.0, 2: 2.0}, 3, 2, np.random.default_rng(0))
    total = 2 * EFFORT
    for number in range(1, total + 1):
        assert barrier_audit(noted) is None and not audit.is_over()
        # what others are has nothing to do with it
        audit.merge({1: 1.0 - number / 100, 2: 2.0, 7: 0.0}, made=number % 2 == 0)
        assert audit.progress() == (number, total)
    assert audit.is_over()
    assert noted["half"] == [1.0 - (total // 2) / 100, 2.0]
    assert noted["after"] == [1.0 - total / 100, 2.0]
    found = barrier_audit(noted)
    assert found["n_sampled"] == 2
    assert found["n_attempts"] == total // 2  # those that were made
    assert found["fall"] == pytest.approx(total / 100 / 3)


def test_a_minimum_that_is_lost_has_not_fallen():
    noted = {}
    audit = Audit(noted)
    audit.begin({1: 1.0, 2: 2.0}, 3, 2, np.random.default_rng(0))
    for _ in range(2 * EFFORT):
        audit.merge({2: 1.5})
    assert noted["after"] == [1.0, 1.5]
    assert barrier_audit(noted)["fall"] == pytest.approx(0.5 / 3)


def test_the_state_survives_json():
    noted = {}
    audit = Audit(noted)
    audit.begin(BARRIERS, 41, 4, np.random.default_rng(3))
    for _ in range(7):
        audit.give_out()
        audit.merge(BARRIERS)
    again = json.loads(json.dumps(noted))
    assert again == noted
    assert Audit(again).next() == audit.next() and Audit(again).progress() == audit.progress()


@pytest.mark.parametrize("seed", range(20))
def test_the_interval_holds_the_fall_and_is_finite(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 15))
    before = rng.exponential(1.0, n) + 1e-3
    after = before * rng.choice([1.0, 0.9, 0.3], n)
    half = before - 0.5 * (before - after)
    found = audited(*(values.tolist() for values in (before, half, after)))
    low, high = found["interval"]
    assert 0 <= low <= found["fall"] <= high <= 1
    assert found["fall"] == pytest.approx(1 - after.sum() / before.sum())
    assert high > 0
    assert found == audited(*(values.tolist() for values in (before, half, after)))
    json.dumps(found)


@pytest.mark.parametrize("n", [1, 2, 10, 100])
def test_that_none_fell_does_not_mean_that_none_will(n):
    found = audited([1.0] * n, [1.0] * n, [1.0] * n)
    assert found["fall"] == 0.0 and found["interval"][0] == 0.0
    assert 0.0 < found["interval"][1] < 0.11


def test_more_minima_tell_more():
    ends = [audited([1.0] * n, [1.0] * n, [1.0] * n)["interval"][1] for n in (1, 5, 20, 100)]
    assert ends == sorted(ends, reverse=True) and ends[-1] < ends[0] / 5


def test_what_still_falls_in_the_second_half_may_go_on():
    early = audited([1.0] * 8, [0.8] * 8, [0.8] * 8)
    late = audited([1.0] * 8, [1.0] * 8, [0.8] * 8)
    assert late["fall"] == early["fall"] == pytest.approx(0.2)
    assert late["interval"][1] > 1.5 * early["interval"][1]


def test_barriers_that_rise_are_no_error():
    """A lower minimum was found, and all are measured from there."""
    found = audited([1.0, 2.0], [1.5, 2.5], [1.5, 2.5])
    assert found["fall"] == pytest.approx(-1 / 3)
    assert found["interval"][0] < 0 and np.isfinite(found["interval"]).all()


def test_no_barriers_no_audit():
    assert audited([0.0], [0.0], [0.0]) is None


def test_whether_it_falls_too_far():
    audit = begun(size=2)
    fallen = dict.fromkeys(audit.sample, 0.5)
    for _ in range(2 * EFFORT):
        assert not audit.is_short_of(0.05)
        audit.merge(fallen)
    assert audit.is_short_of(0.05) and not audit.is_short_of(0.99)
    assert not audit.is_short_of(0.0)  # nobody asked
    audit.discard()
    assert not audit.is_of(len(BARRIERS) + 1)
    assert not audit.is_short_of(0.05)  # or all of it would begin again for ever
    audit.begin(fallen, 3, 2, np.random.default_rng(0))
    assert audit.round == 2 and not audit.is_over()


def holds_the_truth(seed, n, share, fall, n_all=200):
    """Whether the interval holds what all would fall by, if a share of them does so."""
    rng = np.random.default_rng(seed)
    before = rng.exponential(1.0, n_all)
    after = before * np.where(rng.random(n_all) < share, 1 - fall, 1.0)
    picked = rng.choice(n_all, n, replace=False)
    found = audited(*(values[picked].tolist() for values in (before, after, after)))
    low, high = found["interval"]
    return low <= 1 - after.sum() / before.sum() <= high


@pytest.mark.parametrize("n", [10, 30])
@pytest.mark.parametrize(("share", "fall"), [(0.05, 0.1), (0.1, 0.2), (0.3, 0.5), (0.6, 0.3)])
def test_nine_of_ten_intervals_hold_the_truth(n, share, fall):
    held = [holds_the_truth(seed, n, share, fall) for seed in range(100)]
    assert np.mean(held) >= 0.9
