"""Verification of stored points: convergence, index, connections, uniqueness.

Nothing here comes from the search but the potential itself and the matching of
symmetry images: spectra are recomputed, and the minima that a transition state
joins are found by following the gradient flow, not by the search's own steps.
Index and convergence are proved by factorising the Hessian where that is
affordable (`inertia.PROOF_LIMIT`), and beyond certified from products with
vectors at a risk of 1e-6 per point (`inertia.RISK`).
"""

import numpy as np
from pele.storage import Minimum
from sqlalchemy.orm import undefer

from .flow import GradientFlow
from .inertia import Curvature, NegativeCurvatureError, conjugate_gradients
from .stationary import ENERGY_ERROR, RMS_TOLERANCE
from .storage import ENERGY_WINDOW

__all__ = [
    "NOT_CHECKED",
    "OUTCOMES",
    "is_duplicate",
    "record_outcome",
    "verify_point",
    "verify_transition_state",
]

NOT_CHECKED = "not checked"
OUTCOMES = {
    "ok": "meets the definition",
    "not converged": "rms gradient above 1e-9 or energy error above 1e-12",
    "loss differs": "the stored loss is not that of the stored point",
    "wrong index": "not zero negative eigenvalues (minimum) or one (transition state)",
    "degenerate": "a vanishing eigenvalue beyond the known zero modes",
    "duplicate": "an image of a minimum stored before",
    "not above": "not above both its minima",
    "descends elsewhere": "steepest descent leads to other minima than those stored",
    "undecided": "steepest descent ends in no minimum, or the index could not be certified",
    NOT_CHECKED: "the check itself failed three times",
}

_PUSHOFF = 0.01
_NEAR = 0.05  # length of a Newton step that counts as having arrived


def is_duplicate(system, database, minimum):
    """Whether a minimum is an image of one that was stored before it.

    Parameters
    ----------
    system : NNSystem
    database : pele.storage.Database
    minimum : pele.storage.Minimum

    Returns
    -------
    bool
    """
    others = (
        database.session.query(Minimum)
        .options(undefer(Minimum.coords))
        .filter(Minimum.invalid == 0)
        .filter(Minimum._id < minimum.id())  # of two images the first one stays
        .filter(
            Minimum.energy.between(minimum.energy - ENERGY_WINDOW, minimum.energy + ENERGY_WINDOW)
        )
    )
    return any(system.symmetry.are_same(minimum.coords, other.coords) for other in others)


def verify_transition_state(system, ts):
    """Check one stored transition state and follow the gradient down both its sides.

    Parameters
    ----------
    system : NNSystem
    ts : pele.storage.TransitionState

    Returns
    -------
    outcome : str
        A key of `OUTCOMES`.
    ends : list of (float, ndarray)
        Loss and coordinates of the minima that the two sides lead to; empty
        where the check ended before.
    """
    outcome, mode = _examine(system, ts, index=1)
    if outcome != "ok":
        return outcome, []
    ends = [follow_gradient(system, ts.coords + side * _PUSHOFF * mode) for side in (1, -1)]
    if any(end is None for end in ends):
        return "undecided", []
    same = system.symmetry.are_same
    (_, x1), (_, x2) = ends
    m1, m2 = ts.minimum1.coords, ts.minimum2.coords
    if not ((same(x1, m1) and same(x2, m2)) or (same(x1, m2) and same(x2, m1))):
        return "descends elsewhere", ends
    if not (ts.energy > ts.minimum1.energy and ts.energy > ts.minimum2.energy):
        return "not above", ends
    return "ok", ends


def verify_point(system, point, index):
    """Check one stored point by itself: loss, convergence, index.

    Parameters
    ----------
    system : NNSystem
    point : pele.storage.Minimum or pele.storage.TransitionState
        Or any object with ``energy`` and ``coords``.
    index : int
        Number of negative eigenvalues that it should have.

    Returns
    -------
    str
        A key of `OUTCOMES`.
    """
    return _examine(system, point, index)[0]


def _examine(system, point, index):
    """Outcome for one stored point, and its direction of negative curvature or None."""
    x = np.asarray(point.coords)
    energy, gradient = system.potential.getEnergyGradient(x)
    if abs(energy - point.energy) > ENERGY_ERROR * max(1.0, abs(energy)):
        return "loss differs", None
    if np.sqrt(np.mean(gradient**2)) > RMS_TOLERANCE:
        return "not converged", None
    curvature = Curvature(system.potential, x, system.symmetry.zero_modes)
    outcome, solve, mode = curvature.judge(index)
    if outcome != "ok":
        return outcome, None
    step = solve(gradient)
    if step is None or 0.5 * gradient @ step > ENERGY_ERROR:
        return "not converged", None
    return "ok", mode


def follow_gradient(system, x, tolerance=1e-4, max_time=1e8, max_steps=100_000):
    """Integrate ``dx/dt = -g`` from `x` to a minimum.

    Parameters
    ----------
    system : NNSystem
    x : ndarray, shape (n_parameters,)
    tolerance : float
        Local error of a step of the integrator, see `GradientFlow`.
    max_time : float
        In units of squared parameters per nat.
    max_steps : int

    Returns
    -------
    (float, ndarray) or None
        Loss and coordinates of the minimum, or None if there is none in reach.
    """
    flow = GradientFlow(system.potential, x, tolerance)
    attempt = 0
    for step in range(max_steps):
        if step >= attempt:
            attempt = step + 10 + step // 5  # each attempt can cost as much as many steps
            arrived = _nearby_minimum(system, flow.x, flow.gradient)
            if arrived is not None:
                return arrived
        if flow.time > max_time or not flow.step():
            break
    return _nearby_minimum(system, flow.x, flow.gradient)


def _nearby_minimum(system, start, gradient):
    """The minimum a few short Newton steps away, or None."""
    if np.sqrt(np.mean(gradient**2)) > 1e-3:
        return None
    potential, zero_modes = system.potential, system.symmetry.zero_modes
    x = start
    for _ in range(10):
        energy, gradient = potential.getEnergyGradient(x)
        gradient = gradient - zero_modes @ (zero_modes.T @ gradient)
        try:
            step = conjugate_gradients(
                lambda v, x=x: potential.hessian_vector_product(x, v),
                -gradient,
                longest=_NEAR,
            )
        except NegativeCurvatureError:
            return None
        if step is None or np.linalg.norm(x + step - start) > _NEAR:
            return None
        if np.linalg.norm(step) <= 1e-8:
            # the steps may not feel a mode along which there is no gradient
            outcome, _, _ = Curvature(potential, x, zero_modes).judge(0)
            return (float(energy), x) if outcome == "ok" else None
        x = x + step
    return None


def record_outcome(point, outcome):
    """Note the outcome of verification on a minimum or transition state."""
    point.user_data = {**(point.user_data or {}), "verified": outcome}
    point.invalid = int(outcome != "ok")
