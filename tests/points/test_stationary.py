"""Convergence and index from all eigenvalues."""

from nnpotential.contract import Scales
from nnpotential.points.stationary import spectrum


def test_spectrum_counts(system, quenched):
    here = spectrum(system.potential, quenched[0].coords, system.identity.zero_modes())
    assert here.is_stationary(Scales())
    assert here.index == 0
    assert here.n_degenerate == 0
    away = spectrum(system.potential, quenched[0].coords + 0.1, system.identity.zero_modes())
    assert not away.is_stationary(Scales())
