"""Points in a database are told apart by exact symmetry, and remember what happened to them."""

from types import SimpleNamespace

import numpy as np
import pytest
from pele.storage import Minimum, TransitionState

from nnpotential.search.journal import Job
from nnpotential.storage import (
    OUTCOMES,
    OUTSIDE,
    add_hit,
    find_point,
    forget_verification,
    is_verified,
    is_well_formed,
    merge_minima,
    notes,
    points_from_outside,
    quench_hits,
    record_outcome,
    store_minimum,
    store_transition_state,
)

X = np.array([0.3, 1.0, 2.0])
IMAGE = np.array([-0.3, 1.0 + 2 * np.pi, -2.0])  # on the torus, and in its mirrors
OTHER = np.array([0.3, 1.1, 2.0])


def stored(database, n):
    """Different minima, by their number."""
    minima = [Minimum(float(i), X + i) for i in range(n)]
    for minimum in minima:
        database.session.add(minimum)
        database.session.flush()
    return minima


def test_an_image_is_no_new_minimum(box, database):
    first, new = store_minimum(database, box.identity, 1.0, X)
    assert new and database.minima() == [first]
    window = database.accuracy
    assert store_minimum(database, box.identity, 1.0 + 0.9 * window, IMAGE) == (first, False)
    assert store_minimum(database, box.identity, 1.0, OTHER)[1]  # the energy alone says nothing
    assert store_minimum(database, box.identity, 1.0 + 3 * window, IMAGE)[1]
    assert database.number_of_minima() == 3


def test_what_is_stored_is_a_copy(box, database):
    mine = X.copy()
    minimum, _ = store_minimum(database, box.identity, 1.0, mine)
    mine[:] = 0
    assert np.array_equal(minimum.coords, X)


def test_nothing_is_committed(box, database):
    store_minimum(database, box.identity, 1.0, X)
    database.session.rollback()
    assert database.number_of_minima() == 0


def test_transition_states_of_one_pair_and_one_energy_may_differ(box, database):
    """pele takes them for one."""
    ends = [store_minimum(database, box.identity, e, x)[0] for e, x in ((0.1, X), (0.2, OTHER))]
    mode = np.array([1.0, 0.0, 0.0])
    store = [database, box.identity, 1.0]
    first, new = store_transition_state(*store, X + 0.5, *ends, -2.0, mode)
    assert new and (first.eigenval, list(first.eigenvec)) == (-2.0, [1, 0, 0])
    assert {first.minimum1, first.minimum2} == set(ends)
    assert store_transition_state(*store, OTHER + 0.5, *ends, -2.0, mode)[1]
    assert store_transition_state(*store, -X - 0.5, *ends[::-1], -2.0, mode) == (first, False)


def test_the_first_image_is_found_and_not_the_one_left_out(box, database):
    first, second = (Minimum(1.0, x) for x in (X, IMAGE))
    for minimum in (first, second):
        database.session.add(minimum)
        database.session.flush()
    assert find_point(database, box.identity, Minimum, 1.0, X) is first
    assert find_point(database, box.identity, Minimum, 1.0, X, first) is second
    assert find_point(database, box.identity, Minimum, 1.0, OTHER) is None


def test_hits_are_counted_by_source():
    minimum = Minimum(1.0, X)
    for source in ("gaussian", "uniform", "gaussian", "basin_hopping", "connections", OUTSIDE):
        add_hit(minimum, source)
    assert notes(minimum) == {
        "gaussian": 2,
        "uniform": 1,
        "basin_hopping": 1,
        "connections": 1,
        OUTSIDE: 1,
    }
    assert quench_hits(minimum) == 3
    record_outcome(minimum, "ok")
    assert quench_hits(minimum) == 3


def test_notes_of_other_programs_are_kept():
    minimum = Minimum(1.0, X)
    assert notes(minimum) == {}
    minimum.user_data = "mine"
    record_outcome(minimum, "ok")
    assert notes(minimum) == {"user_data": "mine", "verified": "ok"}
    assert quench_hits(minimum) == 0


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_is_noted_and_forgotten(outcome):
    minimum = Minimum(1.0, X)
    add_hit(minimum, "gaussian")
    record_outcome(minimum, "degenerate", "a unit is idle")
    assert notes(minimum)["why"] == "a unit is idle"
    record_outcome(minimum, outcome)
    assert notes(minimum) == {"gaussian": 1, "verified": outcome}
    assert is_verified(minimum) == (outcome == "ok") == (not minimum.invalid)
    forget_verification(minimum)
    assert notes(minimum) == {"gaussian": 1}
    assert not minimum.invalid and not is_verified(minimum)


def test_a_point_that_pele_calls_invalid_does_not_count():
    minimum = Minimum(1.0, X)
    record_outcome(minimum, "ok")
    minimum.invalid = 1
    assert not is_verified(minimum)


@pytest.mark.parametrize(
    ("coords", "whole"),
    [
        (X, True),
        (np.array([1, 2, 3]), True),
        (X[:2], False),
        (X[:, np.newaxis], False),
        (np.array([1.0, np.nan, 0.0]), False),
        (np.array([1.0, np.inf, 0.0]), False),
        (np.array(["a", "b", "c"]), False),
        (X + 0j, False),
        (None, False),
    ],
)
def test_what_is_a_point_at_all(box, coords, whole):
    assert is_well_formed(box, SimpleNamespace(coords=coords)) is whole


def test_points_from_outside_are_those_nobody_looked_at(database):
    minima = stored(database, 4)
    states = [TransitionState(9.0 + i, X - i, *minima[:2]) for i in range(3)]
    for ts in states:
        database.session.add(ts)
        database.session.flush()
    assert points_from_outside(database, []) == [[1, 2, 3, 4], [1, 2, 3]]
    record_outcome(minima[0], "ok")
    record_outcome(minima[1], "not converged")
    record_outcome(states[2], "ok")
    waiting = [Job(1, "check_minimum", (3,)), Job(2, "polish_transition_state", (1,))]
    assert points_from_outside(database, waiting) == [[4], [2]]
    assert points_from_outside(database, [Job(1, "connect", (4, 1))]) == [[3, 4], [1, 2]]


def test_merging_leaves_nothing_of_the_other(database):
    one, kept, other, far = stored(database, 4)
    states = [
        TransitionState(9.0 + i, X - i, *ends)
        for i, ends in enumerate([(one, other), (other, far), (kept, other), (one, kept)])
    ]
    database.session.add_all(states)
    for source in ("gaussian", "gaussian", OUTSIDE):
        add_hit(other, source)
    add_hit(kept, "gaussian")
    record_outcome(kept, "ok")
    removed = []

    def listen(minimum):  # pele holds it by a weak reference
        removed.append(minimum)

    database.on_minimum_removed.connect(listen)
    merge_minima(database, kept, other)
    assert database.minima() == [one, kept, far] and removed == [other]
    assert notes(kept) == {"gaussian": 3, OUTSIDE: 1, "verified": "ok"}
    ends = [(ts.minimum1, ts.minimum2) for ts in states]
    assert ends == [(one, kept), (kept, far), (kept, kept), (one, kept)]


def test_merging_keeps_the_order_of_ends(database):
    """pele looks for a pair with the lower id first."""
    kept, between, other = stored(database, 3)
    ts = TransitionState(9.0, X, between, other)
    database.session.add(ts)
    merge_minima(database, kept, other)
    assert (ts.minimum1, ts.minimum2) == (kept, between)
