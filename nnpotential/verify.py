"""Verification of stored points: convergence, index, connections, uniqueness.

Nothing here comes from the search but the potential itself and the matching of
symmetry images: spectra are recomputed, and the minima that a transition state
joins are found by following the gradient flow, not by the search's own steps.
"""

import numpy as np
from pele.storage import Minimum
from scipy.integrate import LSODA
from scipy.linalg import cho_factor, cho_solve
from sqlalchemy.orm import undefer

from .stationary import ENERGY_ERROR, RMS_TOLERANCE, ZERO
from .storage import ENERGY_WINDOW

__all__ = [
    "OUTCOMES",
    "is_duplicate",
    "record_outcome",
    "verify_point",
    "verify_transition_state",
]

OUTCOMES = {
    "ok": "meets the definition",
    "not converged": "rms gradient above 1e-9 or energy error above 1e-12",
    "loss differs": "the stored loss is not that of the stored point",
    "wrong index": "not zero negative eigenvalues (minimum) or one (transition state)",
    "degenerate": "a vanishing eigenvalue beyond the known zero modes",
    "duplicate": "an image of a minimum stored before",
    "not above": "not above both its minima",
    "descends elsewhere": "steepest descent leads to other minima than those stored",
    "undecided": "steepest descent ends in no minimum",
    "not checked": "the check itself failed three times",
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
    outcome = verify_point(system, ts, index=1)
    if outcome != "ok":
        return outcome, []
    _, vectors = _eigen(system, ts.coords)
    push = _PUSHOFF * vectors[:, 0]
    ends = [follow_gradient(system, ts.coords + side * push) for side in (1, -1)]
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


def _physical_hessian(system, x):
    """The Hessian on the complement of the known zero modes, and that basis or None."""
    H = system.potential.getHessian(x)
    Z = system.symmetry.zero_modes
    if Z.shape[1] == 0:
        return H, None
    basis = np.linalg.qr(Z, mode="complete")[0][:, Z.shape[1] :]
    return basis.T @ H @ basis, basis


def _eigen(system, x):
    """Eigenvalues and -vectors of the Hessian without the known zero modes."""
    H, basis = _physical_hessian(system, x)
    values, vectors = np.linalg.eigh(H)
    return values, vectors if basis is None else basis @ vectors


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
    x = np.asarray(point.coords)
    energy, gradient = system.potential.getEnergyGradient(x)
    if abs(energy - point.energy) > ENERGY_ERROR * max(1.0, abs(energy)):
        return "loss differs"
    values, vectors = _eigen(system, x)
    if np.sqrt(np.mean(gradient**2)) > RMS_TOLERANCE:
        return "not converged"
    vanishing = np.abs(values) < ZERO * np.abs(values).max()
    if vanishing.any():
        return "degenerate"
    if 0.5 * ((vectors.T @ gradient) ** 2 / np.abs(values)).sum() > ENERGY_ERROR:
        return "not converged"
    if (values < 0).sum() != index:
        return "wrong index"
    return "ok"


def follow_gradient(system, x, accuracy=1e-8, max_time=1e8, max_steps=100_000):
    """Integrate ``dx/dt = -g`` from `x` to a minimum.

    Parameters
    ----------
    system : NNSystem
    x : ndarray, shape (n_parameters,)
    accuracy : float
        Relative tolerance of the integrator; the absolute one is a hundredth.
    max_time : float
        In units of squared parameters per nat.
    max_steps : int

    Returns
    -------
    (float, ndarray) or None
        Loss and coordinates of the minimum, or None if there is none in reach.

    References
    ----------
    A. C. Hindmarsh, ODEPACK (1983): LSODA, which changes between a non-stiff
    and a stiff method.
    """
    potential = system.potential
    flow = LSODA(
        lambda _, y: -potential.getGradient(y),
        0.0,
        np.array(x, dtype=float),
        max_time,
        rtol=accuracy,
        atol=0.01 * accuracy,
        jac=lambda _, y: -potential.getHessian(y),
    )
    for step in range(max_steps):
        if flow.status != "running":
            break
        if step % 20 == 0:
            arrived = _nearby_minimum(system, flow.y)
            if arrived is not None:
                return arrived
        flow.step()
    return _nearby_minimum(system, flow.y)


def _nearby_minimum(system, x):
    """The minimum a few short Newton steps away, or None."""
    start = x
    for _ in range(10):
        energy, gradient = system.potential.getEnergyGradient(x)
        if x is start and np.sqrt(np.mean(gradient**2)) > 1e-3:
            return None
        H, basis = _physical_hessian(system, x)
        try:
            factor = cho_factor(H)
        except np.linalg.LinAlgError:
            return None  # not where all curvatures are positive
        if basis is None:
            step = -cho_solve(factor, gradient)
        else:
            step = -basis @ cho_solve(factor, basis.T @ gradient)
        if np.linalg.norm(x + step - start) > _NEAR:
            return None
        if np.linalg.norm(step) <= 1e-8:
            return float(energy), x
        x = x + step
    return None


def record_outcome(point, outcome):
    """Note the outcome of verification on a minimum or transition state."""
    point.user_data = {**(point.user_data or {}), "verified": outcome}
    point.invalid = int(outcome != "ok")
