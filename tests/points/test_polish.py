"""Points found elsewhere are brought to the standard, and stay themselves."""

import numpy as np
import pytest
from reference import assert_stationary

from nnpotential.points.polish import polish_minimum, polish_transition_state


def moved(x, by, seed=0):
    """`x` a little way off, in a random direction."""
    away = np.random.default_rng(seed).normal(size=x.size)
    return x + by * away / np.linalg.norm(away)


@pytest.mark.parametrize("by", [1e-6, 1e-4, 1e-2])
def test_a_loose_minimum_is_polished_where_it_is(system, quenched, by):
    for k, exact in enumerate(quenched[:3]):
        result = polish_minimum(system, moved(exact.coords, by, k).tolist())
        assert result.success
        assert_stationary(system, result.coords, index=0)
        assert np.abs(result.coords - exact.coords).max() < 1e-6


def test_far_off_it_walks_in_short_steps_to_some_minimum(system):
    x = system.get_random_configuration()
    result = polish_minimum(system, x)
    assert result.success
    assert_stationary(system, result.coords, index=0)
    assert np.linalg.norm(result.coords - x) <= 0.1 * result.nsteps + 1e-9


@pytest.mark.parametrize("known", ["its mode", "nothing", "a wrong mode"])
def test_a_loose_transition_state_is_polished_where_it_is(system, saddle_point, known):
    direction = {
        "its mode": saddle_point.eigenvec,
        "nothing": None,
        "a wrong mode": moved(np.zeros(saddle_point.coords.size), 1.0, 1),
    }[known]
    failures = []
    [found] = polish_transition_state(system, moved(saddle_point.coords, 1e-3), direction, failures)
    assert failures == []
    assert np.abs(found.coords - saddle_point.coords).max() < 1e-6
    assert_stationary(system, found.coords, index=1)
    for end in (found.minimum1, found.minimum2):
        assert end.energy < found.energy
        assert_stationary(system, end.coords, index=0)


def test_what_leads_to_no_transition_state_is_a_failure(system, monkeypatch, saddle_point):
    search = system.params.double_ended_connect.local_connect_params.tsSearchParams
    monkeypatch.setitem(search, "nsteps", 1)
    failures = []
    assert polish_transition_state(system, system.get_random_configuration(), None, failures) == []
    [failure] = failures
    assert failure.reason == "too many steps"
