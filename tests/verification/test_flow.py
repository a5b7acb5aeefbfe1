"""The gradient flow against its exact solution."""

import numpy as np
import pytest
from surfaces import Quadratic, recurrence

from nnpotential import InputError
from nnpotential.verification.flow import GradientFlow


def test_stages_in_the_kernel(system):
    potential, rng = system.potential, np.random.default_rng(3)
    x = rng.normal(size=system.net.n_parameters)
    g = potential.getGradient(x)
    for n in (1, 2, 7):
        weights = rng.normal(size=(n - 1, 5))
        args = x, g, 0.1, 0.7, weights
        expected = recurrence(potential, *args)
        assert potential.force_recurrence(*args) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match="5 columns, not 4"):
        potential.force_recurrence(x, g, 0.1, 0.7, np.ones((2, 4)))
    far = potential.force_recurrence(x, g, 1e300, 1.0, np.full((5, 5), 1e10))
    assert not np.isfinite(far).all()


def test_flow_follows_the_exact_solution():
    values = np.geomspace(1e-3, 30.0, 40)
    potential = Quadratic(values)
    x = potential.basis @ np.ones(40)
    flow = GradientFlow(potential, x, tolerance=1e-5)
    while flow.time < 1000:
        assert flow.step()
        exact = potential.basis @ np.exp(-values * flow.time)
        assert np.linalg.norm(flow.x - exact) < 1e-3
    # an explicit Euler method would have needed 15000
    assert flow.n_gradients < 5000
