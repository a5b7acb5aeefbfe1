"""The gradient flow ``dx/dt = -g``, by an explicit method for stiff real spectra."""

from functools import cache

import numpy as np

from ..contract import NATS, rms
from ..pulse import tell
from .inertia import lanczos_ends

__all__ = ["GradientFlow"]

_DAMPING = 2 / 13
_MAX_STAGES = 400


@cache
def _coefficients(stages):
    """The weight of the first force in stage 1, and the weights of the later stages.

    They belong to the start, the first force, the force at the stage before, that
    stage, and the one before that.
    """
    w0 = 1 + _DAMPING / stages**2
    T, dT, ddT = [1.0, w0], [0.0, 1.0], [0.0, 0.0]
    for _ in range(2, stages + 1):
        ddT.append(2 * w0 * ddT[-1] - ddT[-2] + 4 * dT[-1])
        dT.append(2 * w0 * dT[-1] - dT[-2] + 2 * T[-1])
        T.append(2 * w0 * T[-1] - T[-2])
    w1 = dT[stages] / ddT[stages]
    b = [ddT[j] / dT[j] ** 2 if j > 1 else 0.0 for j in range(stages + 1)]
    b[0] = b[1] = b[2]
    later = []
    for j in range(2, stages + 1):
        mu, nu, tilde = 2 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2], 2 * b[j] * w1 / b[j - 1]
        later.append([1 - mu - nu, -(1 - b[j - 1] * T[j - 1]) * tilde, tilde, mu, nu])
    return b[1] * w1, np.array(later)


def _recurrence(potential, x, gradient, step, first, weights):
    """The last stage, as `KernelPotential.force_recurrence` computes it in one call."""
    before, last, start = x, x - first * step * gradient, -step * gradient
    for a, b, c, d, e in weights:
        if not np.isfinite(last).all():
            break
        force = -step * potential.getEnergyGradient(last)[1]
        before, last = last, a * x + b * start + c * force + d * last + e * before
    return last


class GradientFlow:
    """Steepest descent as a differential equation, followed step by step.

    The Runge-Kutta-Chebyshev method of second order needs gradients only; its
    stable step grows with the square of the number of stages, so that it
    passes over the fast, decayed modes at the cost of their square root.

    Parameters
    ----------
    potential : LandscapePotential
    x : ndarray, shape (n,)
    tolerance : float
        Local error of a step, a distance in parameter space.
    scales : Scales

    Attributes
    ----------
    time : float
        In units of squared parameters per nat.
    x, energy, gradient
        Where the flow is.
    n_gradients : int

    References
    ----------
    B. P. Sommeijer, L. F. Shampine and J. G. Verwer, J. Comput. Appl. Math.
    88, 315 (1998).
    """

    def __init__(self, potential, x, tolerance=1e-4, scales=NATS):
        self._potential, self._tolerance, self._scales = potential, tolerance, scales
        self.x = np.array(x, dtype=float)
        self.energy, self.gradient = potential.getEnergyGradient(self.x)
        self.time, self.n_gradients = 0.0, 1
        self._radius = self._spectral_radius()
        self._step = 1 / self._radius
        self._since = 0

    def step(self):
        """Take one step that meets the tolerance.

        Returns
        -------
        bool
            False if no step, however short, lowers the loss.
        """
        while True:
            tell("gradient flow", self.n_gradients, rms(self.gradient))
            if self._since >= 20:
                self._radius = self._spectral_radius()
            longest = 0.65 * (_MAX_STAGES**2 - 1) / self._radius
            h = min(self._step, longest)
            if h * self._radius < 1e-10:
                return False
            stages = max(2, 1 + int(np.sqrt(1.54 * h * self._radius + 1)))
            x = self._advance(h, stages)
            energy, gradient = self._evaluate(x)
            error = np.inf
            if np.isfinite(energy) and energy <= self.energy + self._scales.rounding(self.energy):
                error = np.linalg.norm(0.8 * (self.x - x) - 0.4 * h * (self.gradient + gradient))
            ratio = error / self._tolerance
            self._step = h * min(5.0, max(0.1, 0.8 / max(ratio, 1e-30) ** (1 / 3)))
            if ratio <= 1:
                break
            self._since = 20  # perhaps the curvatures have grown
        self._since += 1
        self.time += h
        self.x, self.energy, self.gradient = x, energy, gradient
        return True

    def _advance(self, h, stages):
        self.n_gradients += stages - 1
        weights = _coefficients(stages)
        compiled = getattr(self._potential, "force_recurrence", None)
        if compiled is not None:
            return compiled(self.x, self.gradient, h, *weights)
        return _recurrence(self._potential, self.x, self.gradient, h, *weights)

    def _evaluate(self, x):
        self.n_gradients += 1
        if not np.isfinite(x).all():
            return np.inf, np.full_like(x, np.inf)
        return self._potential.getEnergyGradient(x)

    def _spectral_radius(self, steps=12, safety=1.1):
        """Largest curvature in size, by a few Lanczos steps from a random vector."""
        self._since = 0
        start = np.random.default_rng(0).normal(size=self.x.size)
        _, ends, _ = lanczos_ends(
            lambda v: self._potential.hessian_vector_product(self.x, v),
            start,
            min(steps, start.size),
        )
        return safety * max(np.abs(ends).max(), 1e-300)
