"""The audit: its sample, what it notes, and what it expects of all barriers."""

import json
from itertools import chain

import numpy as np
import pytest

from nnpotential.search.audit import EFFORT, Audit, barrier_audit
from nnpotential.search.barriers import Bottleneck
from nnpotential.search.ways import WAYS

BARRIERS = {i: 1.0 + i / 10 for i in range(3, 43)}


def alone(barriers):
    """Bottlenecks of one minimum each."""
    return [Bottleneck((0, i), b, [i], [0], {i: b}) for i, b in barriers.items()]


def begun(size=5, seed=0, barriers=BARRIERS):
    audit = Audit({})
    audit.begin(alone(barriers), len(barriers) + 1, size, np.random.default_rng(seed))
    return audit


def audited(before, half, after, rest=(), rest_after=None, new=0):
    """What an audit says whose sample had these barriers, each its own bottleneck."""
    n = EFFORT * len(before)
    noted = {"before": [[b] for b in before], "half": half, "after": after, "made": n, "new": new}
    noted |= {"rest": list(rest), "rest_after": sum(rest) if rest_after is None else rest_after}
    return barrier_audit(noted)


def test_a_sample_is_drawn_once_from_those_with_a_barrier():
    audit = begun()
    ids = list(chain.from_iterable(audit.sample))
    assert len(set(ids)) == 5 and set(ids) <= set(BARRIERS)
    assert audit.sample == begun().sample != begun(seed=1).sample
    assert audit.is_of(len(BARRIERS) + 1) and not audit.is_of(len(BARRIERS))
    assert audit.round == 1
    assert begun(size=1000).sample == [[i] for i in sorted(BARRIERS)]
    # every minimum may be drawn
    drawn = set(chain(*chain(*(begun(size=10, seed=seed).sample for seed in range(50)))))
    assert drawn == set(BARRIERS)


def test_the_chance_of_a_bottleneck_is_the_sum_of_its_barriers():
    found = [
        Bottleneck((0, 1), 3.0, [1, 2, 3], [0], {1: 2.0, 3: 1.0}),
        *alone({4: 0.5, 5: 0.5, 6: 0.0}),
    ]
    drawn = []
    for seed in range(400):
        audit = Audit({})
        audit.begin(found, 5, 1, np.random.default_rng(seed))
        drawn += audit.sample
    assert all(group in ([1, 3], [4], [5]) for group in drawn)
    assert np.mean([group == [1, 3] for group in drawn]) == pytest.approx(0.75, abs=0.08)


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
    audit.begin(alone({1: 1.0, 2: 2.0}), 3, 2, np.random.default_rng(0))
    total = 2 * EFFORT
    for number in range(1, total + 1):
        assert barrier_audit(noted) is None and not audit.is_over()
        audit.merge({1: 1.0 - number / 100, 2: 2.0, 7: 0.5}, None if number % 2 else True)
        assert audit.progress() == (number, total)
    assert audit.is_over()
    assert noted["half"] == [1.0 - (total // 2) / 100, 2.0]
    assert noted["after"] == [1.0 - total / 100, 2.0]
    assert noted["rest_after"] == 0.5
    assert noted["new"] == total // 4  # in the second half
    found = barrier_audit(noted | {"rest_after": 0.0})
    assert found["n_sampled"] == 2
    assert found["n_attempts"] == total // 2  # those that were made
    assert found["fall"] == pytest.approx(total / 100 / 3)


def test_a_minimum_that_is_lost_has_not_fallen():
    noted = {}
    audit = Audit(noted)
    audit.begin(alone({1: 1.0, 2: 2.0}), 3, 2, np.random.default_rng(0))
    for _ in range(2 * EFFORT):
        audit.merge({2: 1.5}, False)
    assert noted["after"] == [1.0, 1.5]
    assert barrier_audit(noted)["fall"] == pytest.approx(0.5 / 3)


def test_the_state_survives_json():
    noted = {}
    audit = Audit(noted)
    audit.begin(alone(BARRIERS), 41, 4, np.random.default_rng(3))
    for _ in range(4 * EFFORT):
        audit.give_out()
        audit.merge(BARRIERS, True)
        again = json.loads(json.dumps(noted))
        assert again == noted
        assert Audit(again).next() == audit.next() and Audit(again).progress() == audit.progress()


@pytest.mark.parametrize("seed", range(20))
def test_the_interval_holds_the_fall_and_is_finite(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 15))
    before = rng.exponential(1.0, n) + 1e-3
    after = before * rng.choice([1.0, 0.9, 0.3, 0.0], n)
    half = before - rng.choice([0.5, 1.0]) * (before - after)
    rest = rng.exponential(1.0, int(rng.integers(0, 30))).tolist()
    told = *(values.tolist() for values in (before, half, after)), rest
    found = audited(*told)
    low, high = found["interval"]
    assert 0 <= low <= found["fall"] <= high <= 1
    expected = (before - after).sum() + sum(rest) * (1 - after / before).mean()
    assert found["fall"] == pytest.approx(expected / (before.sum() + sum(rest)))
    assert found == audited(*told)
    json.dumps(found)


@pytest.mark.parametrize("n", [1, 2, 10])
def test_that_none_fell_does_not_mean_that_none_will(n):
    found = audited([1.0] * n, [1.0] * n, [1.0] * n, new=n)
    assert found["fall"] == 0.0 and found["interval"][0] == 0.0
    assert 0.05 < found["interval"][1] < 0.6  # a quarter, three times over, is 0.58


def test_more_bottlenecks_tell_more():
    ends = [audited([1.0] * n, [1.0] * n, [1.0] * n, new=n)["interval"][1] for n in (2, 5, 20, 100)]
    assert ends == sorted(ends, reverse=True) and ends[-1] < ends[0] / 5


def test_attempts_that_find_nothing_new_tell_more():
    ends = [audited([1.0] * 9, [1.0] * 9, [1.0] * 9, new=new)["interval"][1] for new in (0, 9, 36)]
    assert ends[0] < ends[1] < ends[2]


def test_what_still_falls_in_the_second_half_may_go_on():
    early = audited([1.0] * 8, [0.8] * 8, [0.8] * 8)
    late = audited([1.0] * 8, [1.0] * 8, [0.8] * 8)
    assert late["fall"] == early["fall"] == pytest.approx(0.2)
    assert late["interval"][1] > 1.25 * early["interval"][1]


def test_what_was_seen_to_fall_is_certain():
    found = audited([1.0] * 4, [1.0] * 4, [1.0] * 4, rest=[1.0] * 4, rest_after=2.0)
    assert found["fall"] == found["interval"][0] == pytest.approx(0.25)


def test_barriers_that_rise_are_no_error():
    """A lower minimum was found, and all are measured from there."""
    found = audited([1.0, 2.0], [1.5, 2.5], [1.5, 2.5])
    assert found["fall"] == 0.0 == found["interval"][0]
    assert np.isfinite(found["interval"]).all()


def test_whether_it_falls_too_far():
    audit = begun(size=2)
    fallen = dict.fromkeys(BARRIERS, 0.5)
    for _ in range(2 * EFFORT):
        assert not audit.is_short_of(0.05)
        audit.merge(fallen, True)
    assert audit.is_short_of(0.05) and not audit.is_short_of(0.99)
    assert not audit.is_short_of(0.0)  # nobody asked
    audit.discard()
    assert not audit.is_of(len(BARRIERS) + 1)
    assert not audit.is_short_of(0.05)  # or all of it would begin again for ever
    audit.begin(alone(fallen), 3, 2, np.random.default_rng(0))
    assert audit.round == 2 and not audit.is_over()


def holds_the_truth(seed, n, share, fall, n_all=200):
    """Whether the interval holds what all would fall by, if a share of them does so."""
    rng = np.random.default_rng(seed)
    barriers = dict(enumerate(rng.exponential(1.0, n_all).tolist()))
    falls = dict(enumerate(np.where(rng.random(n_all) < share, 1 - fall, 1.0).tolist()))
    noted = {}
    audit = Audit(noted)
    audit.begin(alone(barriers), n_all, n, rng)
    sampled = {i for group in audit.sample for i in group}
    now = {i: b * falls[i] if i in sampled else b for i, b in barriers.items()}
    for _ in range(EFFORT * n):
        audit.merge(now, True)
    low, high = barrier_audit(noted)["interval"]
    return (
        low <= 1 - sum(b * falls[i] for i, b in barriers.items()) / sum(barriers.values()) <= high
    )


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize(("share", "fall"), [(0.05, 0.1), (0.1, 0.2), (0.3, 0.5), (0.6, 0.3)])
def test_nine_of_ten_intervals_hold_the_truth(n, share, fall):
    held = [holds_the_truth(seed, n, share, fall) for seed in range(100)]
    assert np.mean(held) >= 0.9
