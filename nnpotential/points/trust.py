"""Steps within a trust radius, and the radius."""

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs
from scipy.optimize import brentq

__all__ = [
    "Step",
    "TrustRadius",
    "shifted_factor",
    "trust_region_step",
    "trust_region_step_of_matrix",
]

_SHIFTS = 10  # Cholesky factorisations before the eigenvectors decide


@dataclass
class TrustRadius:
    """How far a quadratic model is believed.

    Parameters
    ----------
    radius, largest : float
    shrink : float
        Times the last step, where the model was wrong.
    grow : float
        Times the radius, where it was right and the radius limited the step.
    shift : float
        Of the Hessian that gave the last step this length, 0 where none did.
    """

    radius: float
    largest: float
    shrink: float
    grow: float
    shift: float = 0.0

    def judge(self, length, *, wrong, right):
        """Learn from a step of some length."""
        if wrong:
            self.radius = self.shrink * length
        elif right and length > 0.8 * self.radius:
            self.radius = min(self.grow * self.radius, self.largest)


def trust_region_step(eigenvalues, components, radius):
    """Minimise a quadratic model within a sphere, in the Hessian's eigenbasis.

    Parameters
    ----------
    eigenvalues, components : ndarray, shape (n,)
        Of the Hessian, and the gradient in its eigenbasis.
    radius : float

    Returns
    -------
    ndarray, shape (n,)
        The step in the eigenbasis, of length at most `radius`.

    References
    ----------
    J. J. More and D. C. Sorensen, SIAM J. Sci. Stat. Comput. 4, 553 (1983).
    """
    lowest = float(eigenvalues.min())
    if lowest > 0:
        newton = -components / eigenvalues
        if np.linalg.norm(newton) <= radius:
            return newton
    scale = max(float(np.abs(eigenvalues).max()), np.finfo(float).tiny)
    smallest = max(0.0, -lowest) + 1e-12 * scale
    width = np.linalg.norm(components) / radius + 1e-12 * scale

    def excess(shift):
        length = np.linalg.norm(components / (eigenvalues + shift))
        return 1 / max(length, np.finfo(float).tiny) - 1 / radius

    if excess(smallest) >= 0:
        # the hard case: no gradient along the lowest mode, so walk along it
        step = -components / (eigenvalues + smallest)
        lacking = max(radius**2 - float(step @ step), 0.0)
        at = int(np.argmin(eigenvalues))
        step[at] += np.copysign(np.sqrt(lacking), -components[at])
        return step * min(1.0, radius / np.linalg.norm(step))
    while excess(smallest + width) < 0:  # rounding can fall short of the bound
        width *= 2
    shift = brentq(excess, smallest, smallest + width, rtol=1e-3, xtol=1e-300)
    step = -components / (eigenvalues + shift)
    return step * min(1.0, radius / np.linalg.norm(step))


class Step(NamedTuple):
    """A step of `trust_region_step_of_matrix`.

    Attributes
    ----------
    vector : ndarray, shape (n,)
    predicted : float
        The change of the quadratic model.
    definite : bool or None
        Whether the matrix is positive definite; None where that was not looked at.
    full : bool
        Whether it is Newton's, which the radius does not cut.
    shift : float
        Of the matrix; 0 where there is none to begin with at the next point.
    """

    vector: np.ndarray
    predicted: float
    definite: bool | None
    full: bool
    shift: float


def shifted_factor(matrix, shift):
    """The Cholesky factor of a symmetric matrix with its diagonal shifted.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
    shift : float

    Returns
    -------
    ndarray, shape (n, n), or None
        As LAPACK's `dpotrf` leaves it, in the lower triangle; None if that is not definite.
    """
    shifted = matrix.copy()
    shifted.flat[:: len(shifted) + 1] += shift
    # LAPACK at once: SciPy's checks cost as much as a small matrix; by symmetry
    # the lower triangle of the transpose, in Fortran order, is the upper one
    factor, failed = dpotrf(shifted.T, lower=True, overwrite_a=True, clean=False)
    return None if failed else factor


def trust_region_step_of_matrix(hessian, gradient, radius, shift=0.0):
    """Newton's step, or the one that is best within the radius, to a fifth of it.

    The shift of the Hessian that gives a step as long as the radius is found
    with a few Cholesky factorisations (J. J. More and D. C. Sorensen, SIAM J.
    Sci. Stat. Comput. 4, 553 (1983)), each far cheaper than the eigenvectors;
    where that does not settle, as on a saddle, these decide.

    Parameters
    ----------
    hessian : ndarray, shape (n, n)
    gradient : ndarray, shape (n,)
    radius : float
    shift : float
        To try first, such as that of the step before.

    Returns
    -------
    Step
    """
    low, high, definite = 0.0, None, None
    for _ in range(_SHIFTS):
        factor = shifted_factor(hessian, shift)
        if factor is None:
            definite = bool(definite)
        else:
            definite = shift == 0 or definite
            step = -dpotrs(factor, gradient, lower=True)[0]
            square = float(step @ step)
            length = sqrt(square)
            if (shift == 0 and length <= radius) or abs(length - radius) <= 0.2 * radius:
                predicted = 0.5 * (float(gradient @ step) - shift * square)
                return Step(step, predicted, definite, shift == 0, shift)
        if high is None:
            high = np.linalg.norm(hessian) + np.linalg.norm(gradient) / radius
        if factor is None:
            low = shift
            shift = max(np.sqrt(low * high), low + 1e-3 * (high - low))
            continue
        if length > radius:
            low = shift
        else:
            high = shift
        solved = dtrtrs(factor, step, lower=True)[0]
        bent = float(solved @ solved)
        newton = shift + square / bent * (length - radius) / radius if bent else 0.0
        # only inside the bracket, and never so near its lower end that H is singular
        if low + 1e-3 * (high - low) < newton < high:
            shift = newton
        elif definite is None and low == 0:
            shift = 0.0
        else:
            shift = max(np.sqrt(low * high), low + 1e-2 * (high - low))
    values, vectors = scipy.linalg.eigh(hessian, driver="evd", check_finite=False)
    components = vectors.T @ gradient
    step = trust_region_step(values, components, radius)
    predicted = float(components @ step + 0.5 * values @ step**2)
    definite = bool(values[0] > 0)
    full = definite and bool(np.linalg.norm(step) < 0.99 * radius)
    return Step(vectors @ step, predicted, definite, full, 0.0)
