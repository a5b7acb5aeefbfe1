"""What pele's connection keeps its points in: as its database, without one."""

import numpy as np
import pytest
from pele.storage import Minimum, TransitionState

from nnpotential.findings import Connection
from nnpotential.points.connect import connect_pair
from nnpotential.points.scratch import Scratch


@pytest.fixture
def scratch(box):
    return Scratch(box.identity, box.scales.energy_window)


def test_a_point_is_kept_once(box, scratch):
    first, second, *_ = (p for p in box.stationary_points() if p.index == 0)
    one = scratch.minimum(first.energy, first.x)
    assert isinstance(one, Minimum) and (one.energy, one.id()) == (first.energy, 1)
    image = first.x + 2 * np.pi
    assert scratch.minimum(first.energy + 0.4 * box.scales.energy_window, image) is one
    other = scratch.minimum(second.energy, second.x)
    assert other is not one and other.id() == 2
    # the window is closed on both sides, and energies alone do not make two points one
    assert scratch.minimum(first.energy + 2 * box.scales.energy_window, first.x) is not one
    assert scratch.minimum(first.energy, first.x + 0.1) is not one
    assert [m.id() for m in scratch.minima()] == [1, 2, 3, 4]
    assert scratch.minima()[:2] == [one, other]


def test_transition_states_have_their_minima(box, scratch):
    points = box.stationary_points()
    number, i, j = box.connections()[0]
    ends = [scratch.minimum(points[k].energy, points[k].x) for k in (i, j)]
    at = points[number]
    vector = np.eye(at.x.size)[0]
    ts = scratch.transition_state(at.energy, at.x, *ends, -1.0, vector)
    assert isinstance(ts, TransitionState)
    assert {ts.minimum1, ts.minimum2} == set(ends)
    assert (ts.eigenval, ts.eigenvec.tolist()) == (-1.0, vector.tolist())
    assert scratch.transition_state(at.energy, at.x + 2 * np.pi, *ends, -2.0, vector) is ts
    assert scratch.transition_states() == [ts] and len(scratch.minima()) == 2


def test_lists_are_copies(box, scratch):
    first = box.stationary_points()[0]
    scratch.minimum(first.energy, first.x)
    scratch.minima().clear()
    assert len(scratch.minima()) == 1


def test_transactions_keep_everything(scratch):
    with_point = scratch.minimum(1.0, np.zeros(3))
    for session in (scratch.session, scratch.connection.begin()):
        session.commit()
        session.rollback()
    assert scratch.minima() == [with_point]


def test_pele_finds_the_same_as_with_its_database(system, quenched):
    """Its double-ended search, with the one and the other."""
    found = {}
    x1, *others = sorted(quenched, key=lambda r: r.energy)
    x2 = next(r for r in others if not system.identity.are_same(r.coords, x1.coords))
    database = system.create_database()
    for name, store in (
        ("scratch", Scratch(system.identity, system.scales.energy_window)),
        ("database", database),
    ):
        add = store.minimum if name == "scratch" else store.addMinimum
        ends = [add(r.energy, r.coords) for r in (x1, x2)]
        system.get_double_ended_connect(*ends, store, verbosity=0).connect()
        states = store.transition_states() if name == "scratch" else database.transition_states()
        found[name] = sorted(
            (ts.energy, ts.coords.tobytes(), sorted(m.energy for m in (ts.minimum1, ts.minimum2)))
            for ts in states
        )
    assert found["scratch"] == found["database"] != []
    plain = connect_pair(system, x1.coords, x2.coords)
    assert all(isinstance(connection, Connection) for connection in plain)
    assert sorted(c.energy for c in plain) == [energy for energy, *_ in found["scratch"]]
