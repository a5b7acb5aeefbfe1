"""What missing minima and unfinished barriers could change."""

import numpy as np
import pytest
from transition_networks import scattered, with_hits

from nnpotential import InputError, TransitionNetwork
from nnpotential.analysis.thermodynamics import frustration, shannon_entropy
from nnpotential.analysis.transition_network import StationaryPoints
from nnpotential.analysis.uncertainty import (
    audit_band,
    band,
    bands,
    missing_minima,
    with_missing_minima,
)

AUDIT = {"fall": 0.1, "interval": [0.05, 0.2], "level": 0.95}


def test_without_quenches_nothing_is_known():
    network = scattered()
    assert missing_minima(network) is None
    assert with_missing_minima(network) is None
    assert bands(network, 0.5) == {}
    assert missing_minima(with_hits(network, np.zeros(30, dtype=int))) is None


def test_what_quenches_say():
    network = with_hits(scattered(6), [4, 1, 1, 1, 2, 0])
    expected = {"unseen_mass": 3 / 9, "n_unseen": 3 * 2 / (2 * 2)}
    assert missing_minima(network) == pytest.approx(expected)


def test_nothing_is_added_where_each_was_found_again():
    network = with_hits(scattered(6), [4, 2, 3, 2, 2, 0])
    assert (with_missing_minima(network) == 1).all()
    found = bands(network, 0.5)["shannon_entropy"]["missing_minima"]
    assert found == pytest.approx([shannon_entropy(network, 0.5)] * 2)


def test_as_many_are_added_as_chao_says_like_those_found_once():
    hits = np.array([1] * 20 + [2] * 60 + [5] * 20)
    network = with_hits(scattered(100), hits)
    copies = with_missing_minima(network, 4000)
    added = copies.sum(axis=1) - 100
    assert (copies[:, hits != 1] == 1).all()
    # gamma moments: E f1^2 = 20 * 21, E 1 / f2 = 1 / 60
    assert added.mean() == pytest.approx(20 * 21 / (2 * 60), rel=0.05)
    assert copies[:, :20].mean(axis=0) - 1 == pytest.approx(added.mean() / 20, rel=0.2)
    again = with_missing_minima(network, 4000)
    assert (again == copies).all()


def test_more_that_is_unseen_widens_the_bands():
    network = scattered(100)
    width = []
    for once in (0, 5, 20, 60):
        entry = bands(with_hits(network, [1] * once + [3] * (100 - once)), 0.5)
        low, high = entry["shannon_entropy"]["missing_minima"]
        assert low <= shannon_entropy(network, 0.5) <= high
        width.append(high - low)
    assert width[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(width) > 0).all()


def test_bands_hold_what_a_whole_network_has():
    """Of a network that is known, quenches see a part; do bands about that part hold the whole?"""
    draw, inside, t = np.random.default_rng(0), 0, 0.7
    for seed in range(40):
        whole = scattered(120, seed)
        hits = np.bincount(draw.choice(120, 200), minlength=120)
        known = np.flatnonzero(hits)
        minima = StationaryPoints.of(
            whole.minima.energies[known],
            whole.minima.log_determinants[known],
            whole.minima.orders[known],
        )
        part = TransitionNetwork(minima, StationaryPoints.of([]), [], hits=hits[known])
        low, high = bands(part, t)["shannon_entropy"]["missing_minima"]
        inside += low <= shannon_entropy(whole, t) <= high
    assert inside >= 32  # the lowest minimum itself may be among those not seen


def test_the_audit_lowers_frustration_by_its_interval():
    network = with_hits(scattered(), np.full(30, 2), audit=AUDIT)
    f = frustration(network, 0.5)
    entry = bands(network, 0.5)
    assert audit_band(network, f) == pytest.approx([0.8 * f, 0.95 * f])
    assert entry["frustration"]["barriers"] == pytest.approx([0.8 * f, 0.95 * f])
    assert "barriers" not in entry["shannon_entropy"]
    assert entry["frustration"]["both"] == pytest.approx([0.8 * f, 0.95 * f])


def test_both_is_as_wide_as_either():
    network = with_hits(scattered(), [1] * 10 + [3] * 20, audit=AUDIT)
    entry = bands(network, 0.5)["frustration_normalised"]
    assert entry["both"] == pytest.approx(
        [0.8 * entry["missing_minima"][0], 0.95 * entry["missing_minima"][1]]
    )


def test_a_band_holds_what_was_found():
    assert band(0.0, np.linspace(1, 2, 101)) == [0.0, pytest.approx(1.975)]


def test_no_minimum_is_refused():
    with pytest.raises(InputError, match="there is no minimum"):
        bands(TransitionNetwork(StationaryPoints.of([]), StationaryPoints.of([]), []), 1.0)
