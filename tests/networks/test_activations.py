"""Every activation: the record in Python against the kernel, and what the record claims."""

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
