"""Transition states that are stored are told by their energies, and left out."""

import numpy as np
import pytest

from nnpotential.findings import State
from nnpotential.points.connect import below, connect_band, single_ended
from nnpotential.points.states import StoredStates


@pytest.fixture(scope="module")
def found(system, quenched):
    """Walks up soft modes: the arguments, and what comes of them."""
    walks = [(quenched[i].coords, mode, 1) for i in range(4) for mode in range(2)]
    found = [(walk, single_ended(system, *walk)) for walk in walks]
    return [(walk, connections[0]) for walk, connections in found if connections]


def state_of(connection):
    return State(*connection[:4])


@pytest.mark.parametrize("off", [0.0, 0.9, -0.9, 1.1, -1.1])
def test_a_state_is_met_within_the_window(off):
    stored = StoredStates(np.array([1.0, 2.0, 3.0]), 1e-3, np.array_equal)
    state = State(2.0 + off * 1e-3, np.zeros(2), -1.0, np.ones(2))
    assert stored.meets(state) == (abs(off) < 1)
    assert len(stored.met) == (abs(off) < 1)


def test_a_state_that_is_met_twice_is_one():
    """Two maxima of a band may lead to it; so does one of equal energy, but elsewhere."""
    stored = StoredStates(np.array([2.0]), 1e-3, np.array_equal)
    for x in (0.0, 0.0, 1.0):
        assert stored.meets(State(2.0, np.full(2, x), -1.0, np.ones(2)))
    assert len(stored.met) == 2


def test_nothing_is_met_where_nothing_is_stored():
    state = State(2.0, np.zeros(2), -1.0, np.ones(2))
    assert not StoredStates(np.array([]), 1e-3, np.array_equal).meets(state)


def test_what_is_stored_is_not_descended_from(system, found, monkeypatch):
    def never(*args, **options):
        raise AssertionError("descended")

    monkeypatch.setattr("nnpotential.points.connect.descend", never)
    window = system.scales.energy_window
    energies = np.sort([connection.energy for _, connection in found])
    for walk, connection in found:
        stored = StoredStates(energies, window, system.identity.are_same)
        assert single_ended(system, *walk, stored=stored) == []
        [met] = stored.met
        assert met.energy == connection.energy
        assert np.array_equal(met.coords, connection.coords)


def test_what_is_below_a_state_is_what_the_search_would_have_found(system, found):
    for _, connection in found:
        [again] = below(system, state_of(connection))
        assert state_of(again)[0] == state_of(connection)[0]
        for one, other in zip(again[4:], connection[4:], strict=True):
            assert one.energy == other.energy and np.array_equal(one.coords, other.coords)


def test_a_band_leaves_out_what_is_stored_and_nothing_else(system, quenched):
    told_by = system.scales.energy_window, system.identity.are_same
    pairs = [(quenched[0].coords, quenched[i].coords) for i in range(1, 5)]
    for pair in pairs:
        plain = connect_band(system, *pair)
        for left_out in plain[:1]:
            stored = StoredStates(np.array([left_out.energy]), *told_by)
            rest = connect_band(system, *pair, stored=stored)
            assert {c.energy for c in rest} == {c.energy for c in plain} - {left_out.energy}
            assert {s.energy for s in stored.met} == {left_out.energy}
