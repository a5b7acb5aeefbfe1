"""Newton's walk: off a saddle, and to the end of what the arithmetic resolves."""

import numpy as np
from surfaces import Rough

from nnpotential.contract import UNRESOLVED
from nnpotential.points.newton import newton


def test_newton_leaves_a_transition_state(system, saddle_point, matrix_free):
    """Exactly on it the gradient says nothing: only the check of all modes does."""
    result = newton(saddle_point.coords, system.potential, system.identity.zero_modes())
    assert result.success
    assert result.energy < saddle_point.energy - 1e-6


def test_what_rounding_leaves_open_is_unresolved():
    rough = Rough(1e-8, 1e-12)  # coordinates open by 1e-4, the loss by 1e-16
    result = newton(np.array([0.3, 0.2]), rough, np.empty((2, 0)))
    assert not result.success
    assert result.message == UNRESOLVED
    fine = newton(np.array([0.3, 0.2]), Rough(1e-8, 1e-17), np.empty((2, 0)))
    assert fine.success
