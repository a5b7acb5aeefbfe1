"""Every activation: the record in Python against the kernel, and what the record claims."""

import mpmath
import numpy as np
import pytest
import reference

from nnpotential import MLP, InputError, NNPotential, _kernel
from nnpotential.networks.activations import ACTIVATIONS, SMOOTH

Z = np.linspace(-6, 6, 241)


def test_the_kernel_has_the_same_activations():
    assert sorted(ACTIVATIONS) == sorted(_kernel.ACTIVATIONS)
    assert all(name == record.name for name, record in ACTIVATIONS.items())
    assert sorted(reference.ACTIVATIONS) == sorted(ACTIVATIONS)


@pytest.mark.parametrize("record", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_the_function_in_numpy_is_the_kernel_s(record):
    """One sample, one unit, a target of zero: the loss is the square of the activation."""
    net = MLP([1, 1, 1], record.name)
    potential = NNPotential(net, [[1.0]], [[0.0]], loss="squared_error", regularization=0.0)
    found = [potential.getEnergy(np.array([z, 0.0, 1.0, 0.0])) for z in Z]
    assert np.allclose(found, record.function(Z) ** 2, rtol=1e-14, atol=1e-30)


EXACT = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "gelu": lambda z: z * mpmath.ncdf(z),
}


@pytest.mark.parametrize("engine", _kernel.ENGINES)
@pytest.mark.parametrize("name", [r.name for r in ACTIVATIONS.values() if r.smooth])
def test_values_and_derivatives_in_other_arithmetic(monkeypatch, engine, name):
    """Of one unit, read off derivatives of (w s(b) + c)^2 at w = 1 and w s + c near 1."""
    monkeypatch.setenv("NNPOTENTIAL_ENGINE", engine)
    net = MLP([1, 1, 1], name)
    potential = NNPotential(net, [[0.0]], [[0.0]], loss="squared_error", regularization=0.0)
    points = np.r_[Z[::4] + 0.01, 0.0, -1e-9, 1e-3, -15.0, 15.0, -36.9, 37.1, 300.0]
    with mpmath.workdps(30):
        for z in points:
            exact = [mpmath.diff(EXACT[name], mpmath.mpf(float(z)), n) for n in range(3)]
            value, first, second = (float(e) for e in exact)
            x = np.array([0.0, z, 1.0, 1.0 - value])  # of which the second is b, the last c
            H, outer = potential.getHessian(x), potential.getGaussNewton(x)
            rest = potential.getGradient(x)[3] / 2  # w s + c
            assert rest - x[3] == pytest.approx(value, rel=4e-16, abs=1e-15 * max(1, abs(z)))
            assert H[1, 3] / 2 == pytest.approx(first, rel=4e-16, abs=1e-15)
            assert (H - outer)[1, 1] / (2 * rest) == pytest.approx(second, abs=2e-15)


@pytest.mark.parametrize("record", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_the_center_is_as_claimed(record):
    twice = record.function(Z) + record.function(-Z)
    if record.center is None:
        assert np.ptp(twice) > 0.1
    else:
        assert np.allclose(twice, 2 * record.center, atol=1e-15)


@pytest.mark.parametrize("record", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_one_that_is_not_smooth_is_refused_where_curvature_is_needed(record):
    net = MLP([1, 2, 2], record.name)
    potential, x = NNPotential(net, [[1.0]], [0]), np.ones(net.n_parameters)
    if record.smooth:
        assert record.name in SMOOTH and np.isfinite(potential.getHessian(x)).all()
    else:
        assert record.name not in SMOOTH
        with pytest.raises(InputError, match=f"{record.name} has no second .*: use {SMOOTH}"):
            potential.getHessian(x)
