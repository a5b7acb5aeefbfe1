"""What a stationary point is: convergence and index, from all eigenvalues of the Hessian."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ..contract import ZERO, rms

__all__ = [
    "Spectrum",
    "decompose",
    "lift_zero_modes",
    "modes_at",
    "spectrum",
]


@dataclass(frozen=True)
class Spectrum:
    """Loss, gradient and eigen-decomposed Hessian of one point.

    The known zero modes are lifted out of the way: they appear with a large
    positive eigenvalue and take part in nothing below.
    """

    energy: float
    gradient: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray | None
    n_zero_modes: int
    n_curvatures = 1  # Hessians that were evaluated

    @property
    def components(self):
        """The gradient in the eigenbasis."""
        return self.eigenvectors.T @ self.gradient

    def project(self, vector):
        """A vector in the eigenbasis."""
        return self.eigenvectors.T @ vector

    def expand(self, parts):
        """The reverse of `project`."""
        return self.eigenvectors @ parts

    def vector(self, i):
        """Eigenvector `i`."""
        return self.eigenvectors[:, i].copy()

    def complete(self):
        """True: these are all eigenvalues."""
        return True

    @property
    def rms(self):
        """Root mean square of the gradient."""
        return rms(self.gradient)

    @property
    def physical(self):
        """The eigenvalues without the lifted zero modes, ascending."""
        return self.eigenvalues[: self.eigenvalues.size - self.n_zero_modes]

    @property
    def index(self):
        """Number of eigenvalues below zero."""
        return int((self.physical < -self._threshold).sum())

    @property
    def n_degenerate(self):
        """Number of vanishing eigenvalues beyond the known zero modes."""
        return int((np.abs(self.physical) <= self._threshold).sum())

    @property
    def _threshold(self):
        return ZERO * np.abs(self.physical).max(initial=0.0)

    def errors(self, modes=slice(None)):
        """Energy error along some modes, and the largest component of the step along them."""
        parts, size = self.components[modes], np.abs(self.eigenvalues[modes])
        size = np.maximum(size, np.finfo(float).tiny)
        step = self.eigenvectors[:, modes] @ (parts / size)
        return 0.5 * float((parts**2 / size).sum()), float(np.abs(step).max(initial=0.0))

    def is_stationary(self, scales, firm=False):
        """Whether energy and coordinates have converged to the standard of this project.

        Parameters
        ----------
        scales : Scales
        firm : bool
            Ask it only along the modes whose eigenvalue does not vanish.
        """
        if self.rms > scales.rms:
            return False
        modes = slice(None)
        if firm:
            modes = np.flatnonzero(np.abs(self.physical) > self._threshold)
        energy_error, step = self.errors(modes)
        return energy_error <= scales.energy_error and step <= scales.step

    def flat_gradient(self):
        """The part of the gradient along the modes whose eigenvalue vanishes."""
        n = self.physical.size
        parts = np.zeros_like(self.components)
        flat = np.abs(self.physical) <= self._threshold
        parts[:n][flat] = self.components[:n][flat]
        return self.expand(parts)

    def is_flat(self, scales):
        """Whether there is no curvature to speak of."""
        return np.abs(self.physical).max(initial=0.0) <= scales.flat


def modes_at(modes, x):
    """Directions at `x`: a matrix that holds everywhere, or a function of `x`."""
    return modes(x) if callable(modes) else modes


def lift_zero_modes(hessian, zero_modes):
    """`hessian` with a large eigenvalue on the known zero modes.

    Parameters
    ----------
    hessian : ndarray, shape (n, n)
    zero_modes : ndarray, shape (n, k)
        Orthonormal columns.

    Returns
    -------
    ndarray, shape (n, n)
    """
    if zero_modes.shape[1] == 0:
        return hessian
    # no larger than the curvatures call for: rounding is relative to it
    large = 2 * np.linalg.norm(hessian) or 1.0
    return hessian + large * (zero_modes @ zero_modes.T)


def spectrum(potential, x, zero_modes, vectors=True):
    """Evaluate loss, gradient and Hessian at `x` and diagonalise.

    Parameters
    ----------
    potential : LandscapePotential
    x : ndarray, shape (n,)
    zero_modes : ndarray, shape (n, k), or a function of `x`
    vectors : bool
        Without eigenvectors it takes a third of the time.

    Returns
    -------
    Spectrum
    """
    zero_modes = modes_at(zero_modes, x)
    energy, gradient, hessian = potential.getEnergyGradientHessian(x)
    lifted = lift_zero_modes(hessian, zero_modes)
    if not vectors:
        values = scipy.linalg.eigvalsh(lifted, check_finite=False)
        return Spectrum(energy, gradient, values, None, zero_modes.shape[1])
    return decompose(energy, gradient, lifted, zero_modes.shape[1])


def decompose(energy, gradient, lifted, n_zero_modes):
    """The `Spectrum` of a point whose Hessian, with its zero modes lifted, is known."""
    values, vectors = scipy.linalg.eigh(lifted, driver="evd", check_finite=False)
    return Spectrum(energy, gradient, values, vectors, n_zero_modes)
