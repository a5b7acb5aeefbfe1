"""The index of stored points: as a query would find them, whatever changed and whoever did it."""

import threading

import numpy as np
import pytest
from pele.storage import Minimum, TransitionState
from sqlalchemy import event

from nnpotential import index as module
from nnpotential.index import all_points, n_stored, points_near, stored_point
from nnpotential.storage import merge_minima, store_minimum

X = np.array([0.3, 1.0, 2.0])


def put(database, *energies):
    minima = [Minimum(e, X + i) for i, e in enumerate(energies)]
    for minimum in minima:
        database.session.add(minimum)
        database.session.flush()
    return minima


def by_query(database, kind, energy):
    window = database.accuracy
    near = database.session.query(kind).filter(
        kind.energy.between(energy - window, energy + window)
    )
    return [point.id() for point in near.order_by(kind._id)]


def by_index(database, kind, energy):
    return [point.id() for point in points_near(database, kind, energy)]


@pytest.fixture
def statements(database):
    seen = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda *args: seen.append(" ".join(args[2].split())),
    )
    return seen


def test_it_follows_whatever_is_flushed(database):
    """Random changes, each of them compared with what a query finds."""
    rng = np.random.default_rng(0)
    window, session = database.accuracy, database.session
    grid = 1.0 + window * np.arange(-3, 4) / 2  # of both ends of a window, exactly
    for _ in range(300):
        minima = session.query(Minimum).all()
        what = rng.integers(6) if len(minima) > 3 else 0
        one, two = rng.permutation(minima)[:2] if len(minima) > 3 else (None, None)
        if what <= 1:
            session.add(Minimum(float(rng.choice(grid)), X))
        elif what == 2:
            one.energy = float(rng.choice(grid))
        elif what == 3:
            session.add(TransitionState(float(rng.choice(grid)), X, one, two))
        elif what == 4:
            session.flush()
            merge_minima(database, one, two)
        else:
            (session.commit if rng.random() < 0.5 else session.rollback)()
        for energy in grid:
            for kind in (Minimum, TransitionState):
                # the query flushes as well: the index has to do so first
                assert by_index(database, kind, energy) == by_query(database, kind, energy)
        assert n_stored(database, Minimum) == session.query(Minimum).count()
    assert n_stored(database, TransitionState) > 0


def test_numbers_that_are_used_again_are_of_another_point(database):
    first, last = put(database, 1.0, 2.0)
    number = last.id()
    assert stored_point(database, Minimum, number) is last
    merge_minima(database, first, last)
    assert stored_point(database, Minimum, number) is None
    [new] = put(database, 3.0)
    assert new.id() == number and stored_point(database, Minimum, number) is new
    assert by_index(database, Minimum, 2.0) == []


def test_what_is_known_is_not_asked_again(database, statements):
    minima = put(database, *np.linspace(1, 2, 50))
    assert by_index(database, Minimum, 1.0) == [1]
    statements.clear()
    for minimum in minima:
        assert [m.coords.size for m in points_near(database, Minimum, minimum.energy)] == [3]
        assert stored_point(database, Minimum, minimum.id()) is minimum
    assert n_stored(database, Minimum) == 50
    assert statements == []


def test_only_so_many_points_are_held(database, monkeypatch):
    monkeypatch.setattr(module, "_HELD", 5 * 2 * X.nbytes)
    put(database, *map(float, range(1, 30)))
    database.session.commit()
    for number in range(1, 30):
        assert np.array_equal(stored_point(database, Minimum, number).coords, X + (number - 1))
    assert len(database.session.identity_map) <= 6


def test_a_loss_that_is_no_number_is_near_to_none(database):
    put(database, np.nan, 1.0)
    assert by_index(database, Minimum, 1.0) == by_query(database, Minimum, 1.0) == [2]
    database.session.commit()
    assert by_index(database, Minimum, np.nan) == [] and n_stored(database, Minimum) == 2


def test_what_others_commit_is_seen(land):
    """Of another thread, between two transactions of this one and within one."""
    database = land.database

    def in_another_thread(change):
        thread = threading.Thread(target=lambda: (change(), database.session.commit()))
        thread.start()
        thread.join()

    assert by_index(database, Minimum, 1.0) == []
    in_another_thread(lambda: put(database, 1.0, 1.0))
    assert by_index(database, Minimum, 1.0) == [1, 2]
    one = stored_point(database, Minimum, 1)
    database.session.commit()
    in_another_thread(lambda: setattr(stored_point(database, Minimum, 1), "energy", 2.0))
    assert by_index(database, Minimum, 1.0) == [2]
    assert one.energy == 2.0
    database.session.commit()

    def remove():
        database.session.delete(stored_point(database, Minimum, 2))

    in_another_thread(remove)
    assert by_index(database, Minimum, 1.0) == []
    assert stored_point(database, Minimum, 2) is None


def test_after_the_session_was_closed_points_are_of_the_new_one(land):
    store_minimum(land.database, land.system.identity, 1.0, np.zeros(land.system.n_dof))
    land.database.session.commit()
    land.database.session.close()
    minimum = stored_point(land.database, Minimum, 1)
    minimum.pgorder = 7
    land.database.session.commit()
    assert land.database.session.query(Minimum.pgorder).scalar() == 7


@pytest.mark.parametrize("room", [100, 5])
def test_all_points_at_once(database, statements, monkeypatch, room):
    monkeypatch.setattr(module, "_HELD", room * (2 * X.nbytes + 1))
    minima = put(database, 3.0, 1.0, 2.0, *map(float, range(4, 30)))
    numbers = [m.id() for m in minima]
    database.session.commit()
    del minima
    database.session.rollback()  # forgets all
    statements.clear()
    assert [m.id() for m in all_points(database, Minimum, X.size)] == numbers
    assert sum(s.startswith("SELECT") for s in statements) <= 3
    statements.clear()
    for number in numbers:
        assert np.array_equal(stored_point(database, Minimum, number).coords, X + (number - 1))
    asked = any(s.startswith("SELECT") for s in statements)
    assert asked == (room < len(numbers))
