"""Every quench ends in a minimum by an independent reading of gradient and spectrum."""

import numpy as np
import pytest
from pele.optimize import lbfgs_cpp
from reference import assert_stationary
from scipy.optimize import minimize as scipy_minimize

from nnpotential import MLP, NNSystem
from nnpotential.networks.activations import ACTIVATIONS
from nnpotential.points.effort import Counted
from nnpotential.points.quench import _lbfgs, quench
from nnpotential.points.stationary import spectrum


@pytest.mark.parametrize("sizes", [(3, 4), (3, 5, 4), (3, 4, 4, 4), (3, 3, 3, 3, 4)])
@pytest.mark.parametrize(
    ("activation", "regularize_bias"),
    [
        *((record.name, True) for record in ACTIVATIONS.values() if record.smooth),
        # softplus with free biases becomes linear as they grow: its minima are at infinity
        ("tanh", False),
        ("sigmoid", False),
        ("silu", False),
    ],
)
def test_quenches_converge(ljat, sizes, activation, regularize_bias):
    system = NNSystem(
        MLP(sizes, activation), ljat, regularization=1e-4, regularize_bias=regularize_bias
    )
    minimize = system.get_minimizer()
    rng = np.random.default_rng(0)
    for _ in range(4):
        result = minimize(system.net.random_parameters(rng))
        assert result.success, result.message
        assert result.energy == system.potential.getEnergy(result.coords)
        here = spectrum(system.potential, result.coords, system.identity.zero_modes())
        if here.n_degenerate == 0:
            assert_stationary(system, result.coords, index=0)
        else:
            # units that died leave their unregularized biases free
            assert not regularize_bias
            assert here.index == 0
            assert here.rms <= 1e-9


def test_a_quench_does_not_rest_on_a_saddle(system):
    """The origin is stationary for tanh without data bias, but no minimum."""
    result = system.get_minimizer()(np.zeros(system.net.n_parameters))
    assert result.success
    assert_stationary(system, result.coords, index=0)


def test_convex_landscape_has_one_minimum_scipy_finds_too(ljat):
    system = NNSystem(MLP([3, 4]), ljat, regularization=1e-3)
    rng = np.random.default_rng(0)
    minimize = system.get_minimizer()
    ends = [minimize(3 * system.net.random_parameters(rng)).coords for _ in range(3)]
    pot = system.potential
    reference = scipy_minimize(
        pot.getEnergyGradient, ends[0] + 0.1, jac=True, method="BFGS", options={"gtol": 1e-10}
    )
    for x in ends:
        assert np.abs(x - reference.x).max() < 1e-6


def test_limits_are_kept_and_reported(system):
    x = system.get_random_configuration()
    result = system.get_minimizer(lbfgs_steps=2, newton_steps=2)(x)
    assert not result.success
    assert result.message == "too many steps"


def test_slices_of_lbfgs_are_the_whole(system):
    x = system.get_random_configuration()
    for limit in (0, 1, 7, 100_000):
        options = {"tol": 1e-6, "nsteps": limit, "M": 30, "maxstep": 1.0}
        whole = lbfgs_cpp(x, system.potential, **options)
        parts = _lbfgs(x, system.potential, **options)
        assert np.array_equal(whole.coords, parts.coords)
        assert (whole.nfev, whole.nsteps, whole.success) == (
            parts.nfev,
            parts.nsteps,
            parts.success,
        )


class _Precisions(Counted):
    """With another potential in the place of single precision."""

    def __init__(self, potential, rough):
        super().__init__(potential)
        self.rough = rough

    def single(self):
        return self.rough


class _Nowhere(Counted):
    def getEnergyGradient(self, x):
        self.cost += 1
        return np.nan, np.full_like(x, np.nan)


def test_a_large_quench_begins_in_single_precision_and_ends_in_double(system, matrix_free):
    pot, zero = system.potential, system.identity.zero_modes()
    x = system.get_random_configuration()
    rough = Counted(pot.single())
    both = _Precisions(pot, rough)
    result = quench(x, both, zero)
    assert result.success
    assert rough.cost > 20
    assert result.energy == pot.getEnergy(result.coords)
    assert spectrum(pot, result.coords, zero).is_stationary(system.scales)
    again = quench(x, pot, zero)
    assert np.array_equal(again.coords, result.coords)
    assert again.nfev == result.nfev


def test_a_small_quench_is_in_double_precision_throughout(system):
    rough = Counted(system.potential.single())
    both = _Precisions(system.potential, rough)
    assert quench(system.get_random_configuration(), both, system.identity.zero_modes()).success
    assert rough.cost == 0


def test_single_precision_that_fails_leaves_it_to_double(system, matrix_free):
    nowhere = _Nowhere(system.potential)
    both = _Precisions(system.potential, nowhere)
    result = quench(system.get_random_configuration(), both, system.identity.zero_modes())
    assert nowhere.cost > 0
    assert both.cost > 20
    assert result.success


def test_lbfgs_that_gains_nothing_ends_where_that_is_asked(system):
    """At the rounding of single precision it would go on for ever."""
    x, single = system.get_random_configuration(), system.potential.single()
    options = {"tol": 1e-30, "M": 30, "maxstep": 1.0}
    first, second = (_lbfgs(x, single, 100_000, stalls=True, **options) for _ in range(2))
    assert 500 <= first.nsteps < 20_000
    assert np.array_equal(first.coords, second.coords)
    assert first.nsteps == second.nsteps
    gradient = system.potential.getGradient(first.coords)
    assert np.sqrt(np.mean(gradient**2)) < 1e-6
