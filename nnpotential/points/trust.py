"""Steps within a trust radius, and the radius."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs
from scipy.optimize import brentq

__all__ = ["TrustRadius", "trust_region_step", "trust_region_step_of_matrix"]

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
    """

    radius: float
    largest: float
    shrink: float
    grow: float

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


def trust_region_step_of_matrix(hessian, gradient, radius):
    """Newton or trust-region step, its predicted change, whether H > 0, whether it is Newton's.

    The shift of the Hessian that gives a step as long as the radius is found
    with a few Cholesky factorisations (J. J. More and D. C. Sorensen, SIAM J.
    Sci. Stat. Comput. 4, 553 (1983)), each far cheaper than the eigenvectors;
    where that does not settle, as on a saddle, these decide.
    """
    low, high = 0.0, np.linalg.norm(hessian) + np.linalg.norm(gradient) / radius
    shift, definite = 0.0, True
    for _ in range(_SHIFTS):
        shifted = hessian.copy()
        shifted.flat[:: len(hessian) + 1] += shift
        # LAPACK at once: SciPy's checks cost as much as a small matrix; by symmetry
        # the lower triangle of the transpose, in Fortran order, is the upper one
        factor, failed = dpotrf(shifted.T, lower=True, overwrite_a=True, clean=False)
        if failed:
            definite = definite and shift > 0
            low = shift
            shift = max(np.sqrt(low * high), low + 1e-3 * (high - low))
            continue
        step = -dpotrs(factor, gradient, lower=True)[0]
        length = np.linalg.norm(step)
        if (shift == 0 and length <= radius) or abs(length - radius) <= 0.2 * radius:
            predicted = float(gradient @ step + 0.5 * step @ (hessian @ step))
            return step, predicted, definite, shift == 0
        if length > radius:
            low = shift
        else:
            high = shift
        solved = dtrtrs(factor, step, lower=True)[0]
        newton = shift + (length / np.linalg.norm(solved)) ** 2 * (length - radius) / radius
        # only inside the bracket, and never so near its lower end that H is singular
        inside = low + 1e-3 * (high - low) < newton < high
        shift = newton if inside else max(np.sqrt(low * high), low + 1e-2 * (high - low))
    values, vectors = scipy.linalg.eigh(hessian, driver="evd", check_finite=False)
    components = vectors.T @ gradient
    step = trust_region_step(values, components, radius)
    predicted = float(components @ step + 0.5 * values @ step**2)
    definite = bool(values[0] > 0)
    return vectors @ step, predicted, definite, definite and np.linalg.norm(step) < 0.99 * radius
