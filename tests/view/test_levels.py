"""The axis of a disconnectivity graph, and its levels."""

import numpy as np
import pytest
from transition_networks import scattered, with_hits

from nnpotential import InputError
from nnpotential.view.levels import axis_label, levels_of, on_axis

ENERGIES, HEIGHTS = np.array([0.0, 1.0, 2.0]), np.array([3.0, 5.0])


def test_levels_span_the_transition_states():
    levels = levels_of(ENERGIES, HEIGHTS, number=10)
    assert levels[0] == 3.0 and levels[-1] > 5.0 and len(levels) == 10
    assert np.ptp(np.diff(levels)) < 1e-12
    assert levels_of(ENERGIES, HEIGHTS[:1])[-1] > 3.0
    assert levels_of(ENERGIES, HEIGHTS[:0]).tolist() == [2.0]


def test_levels_of_equal_ratio():
    levels = levels_of(ENERGIES, HEIGHTS, number=10, log=True, top=6.0)
    assert np.ptp(levels[1:] / levels[:-1]) < 1e-12 and levels[-1] == 6.0
    with pytest.raises(InputError, match="above the lowest minimum, but the first is 0"):
        levels_of(ENERGIES, np.array([0.0, 3.0]), log=True)


def test_levels_at_a_distance():
    levels = levels_of(ENERGIES, HEIGHTS, spacing=0.5, bottom=2.0, top=6.0)
    assert levels.tolist() == [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]
    assert levels_of(ENERGIES, HEIGHTS, spacing=0.7)[-1] >= 5.0
    with pytest.raises(InputError, match=r"a spacing of 1e-06 makes \d+ levels between 3 and"):
        levels_of(ENERGIES, HEIGHTS, spacing=1e-6)


def test_a_range_that_is_upside_down():
    with pytest.raises(InputError, match="the lowest level, 4, must be below the highest, 2"):
        levels_of(ENERGIES, HEIGHTS, bottom=4.0, top=2.0)


def test_the_spread_is_that_of_the_quenches():
    """What connections met on their way is no sample."""
    network = scattered(30)
    hits = np.arange(30) < 10
    found = with_hits(network, hits.astype(int))
    energies = network.minima.energies
    assert on_axis(network, "spread", 1.0) == (1.0, energies.std())
    assert on_axis(found, "spread", 1.0) == (1.0, energies[hits].std())
    assert on_axis(found, "above", 1.0) == (1.0, 1.0)
    assert on_axis(found, "absolute", 1.0) == (0.0, 1.0)


def test_labels_of_the_axis():
    assert axis_label(["loss (nats)"], "absolute") == "loss (nats)"
    assert axis_label(["loss (nats)"] * 2, "above") == "loss above the lowest (nats)"
    assert axis_label(["energy"], "above") == "energy above the lowest"
    assert axis_label(["loss (nats)", "energy"], "spread").startswith("energy above the lowest, in")
    with pytest.raises(InputError, match=r"loss \(nats\) and energy have no axis in common"):
        axis_label(["loss (nats)", "energy"], "above")
