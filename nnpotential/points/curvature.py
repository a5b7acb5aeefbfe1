"""How the Hessian is looked at: whole where it is small, else through products with vectors.

The choice is made here, by the size of the system, and nowhere else.
"""

import numpy as np
from scipy.linalg.lapack import dpotrf

from ..contract import ZERO, is_large
from .krylov import KrylovSpectrum, softest_modes
from .stationary import lift_zero_modes, modes_at, spectrum
from .trust import trust_region_step, trust_region_step_of_matrix

__all__ = ["curvature"]


class _Dense:
    """By the Hessian itself, its Cholesky factors and eigenvectors."""

    newton_is_cheap = True  # and takes over from L-BFGS early

    def model(self, potential, x, zero_modes):
        """The quadratic model at `x` for `newton`."""
        return _DenseModel(potential, x, zero_modes)

    def modes(self, potential, x, zero_modes, guesses):
        """The `Spectrum` at `x`; what the modes may resemble need not be known."""
        return spectrum(potential, x, zero_modes)

    def first_guesses(self, direction, n):
        """What is known of the mode to follow uphill."""
        return []

    def uphill(self, potential, x, left_out, mode):
        """A mode of a minimum, and options of the search that follows it."""
        return spectrum(potential, x, left_out).vector(mode), {}


class _MatrixFree:
    """By products with vectors, in Krylov spaces."""

    newton_is_cheap = False

    def model(self, potential, x, zero_modes):
        return _KrylovModel(potential, x, zero_modes)

    def modes(self, potential, x, zero_modes, guesses):
        return KrylovSpectrum(potential, x, modes_at(zero_modes, x), guesses)

    def first_guesses(self, direction, n):
        return [np.random.default_rng(0).normal(size=n) if direction is None else direction]

    def uphill(self, potential, x, left_out, mode):
        if mode >= (x.size - left_out.shape[1]) // 2:
            return _DENSE.uphill(potential, x, left_out, mode)
        _, modes = softest_modes(potential, x, left_out, mode + 1)
        # In a Krylov space other modes are lost sight of: of 12 walks on a 64-32-32-10
        # network 10 kept their minimum this way, 8 the other, at three quarters of the cost.
        return modes[:, mode], {"lowest": True}


_DENSE, _MATRIX_FREE = _Dense(), _MatrixFree()


def curvature(n_dof):
    """The way that is cheaper for so many coordinates."""
    return _MATRIX_FREE if is_large(n_dof) else _DENSE


class _DenseModel:
    """Loss, gradient and dense Hessian at a point, and the step from there."""

    def __init__(self, potential, x, zero_modes):
        zero_modes = modes_at(zero_modes, x)
        self._at = potential, x, zero_modes
        self.energy, self.gradient, hessian = potential.getEnergyGradientHessian(x)
        self._hessian = lift_zero_modes(hessian, zero_modes)
        self.n_curvatures = 1

    def step(self, radius):
        """The step within `radius`, the change of the loss that it promises, its size.

        The size is the largest component of the Newton step, infinite where
        the radius cut the step short.
        """
        step, predicted, self._definite, full = trust_region_step_of_matrix(
            self._hessian, self.gradient, radius
        )
        return step, predicted, np.abs(step).max() if full else np.inf

    def looks_definite(self):
        """Whether the curvatures met so far are positive."""
        return self._definite

    def is_definite(self):
        """Whether all curvatures are positive, and none of them vanishes."""
        if not self._definite:
            return False
        shifted = self._hessian.copy()
        shifted.flat[:: len(shifted) + 1] -= ZERO * np.linalg.norm(shifted)
        if dpotrf(shifted.T, lower=True, overwrite_a=True, clean=False)[1] == 0:
            return True
        modes = self.spectrum()  # the norm is more than the largest eigenvalue
        return modes.index + modes.n_degenerate == 0

    def spectrum(self):
        """The `Spectrum` of the point."""
        return spectrum(*self._at)


class _KrylovModel:
    """As `_DenseModel`, from products of the Hessian with vectors."""

    def __init__(self, potential, x, zero_modes):
        self._modes = KrylovSpectrum(potential, x, modes_at(zero_modes, x))
        self.energy, self.gradient = self._modes.energy, self._modes.gradient

    @property
    def n_curvatures(self):
        return self._modes.n_curvatures

    def step(self, radius):
        modes = self._modes
        step = trust_region_step(modes.eigenvalues, modes.components, radius)
        while modes.refine(step, radius):
            step = trust_region_step(modes.eigenvalues, modes.components, radius)
        predicted = float(modes.components @ step + 0.5 * modes.eigenvalues @ step**2)
        full = modes.eigenvalues[0] > 0 and np.linalg.norm(step) < 0.99 * radius
        return modes.expand(step), predicted, modes.newton_step() if full else np.inf

    def looks_definite(self):
        return self._modes.index + self._modes.n_degenerate == 0

    def is_definite(self):
        return self.looks_definite() and self._modes.complete() and self.looks_definite()

    def spectrum(self):
        return self._modes
