"""The gradient flow ``dx/dt = -g``, which is stiff: with the Hessian where that is cheap.

Both methods meet the same local error; `gradient_flow` chooses.
"""

from functools import cache
from math import isfinite, log

import numpy as np

from ..contract import NATS, is_large, rms
from ..pulse import tell
from .inertia import cholesky, lanczos_ends, norm

__all__ = ["ChebyshevFlow", "RosenbrockFlow", "gradient_flow"]

_SHORTEST = 1e-10  # step, over the time of the fastest mode, that is still tried
# RODAS estimates the error of its third-order companion. At three times the tolerance the
# paths are as near to the true ones as those of the explicit method (benchmarks/flow.py).
_LENIENCE = 3

# The coefficients of RODAS: its gamma, the weights of the stages before in the position of
# each stage, and in its right-hand side (there over the step).
_GAMMA = 0.25
_POSITION = (
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0),
)
_MEMORY = (
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (
        8.083246795921522,
        -7.981132988064893,
        -31.52159432874371,
        16.31930543123136,
        -6.058818238834054,
    ),
)
_WEIGHTS = np.zeros((len(_POSITION), 2, len(_POSITION)))
for _i, _rows in enumerate(zip(_POSITION, _MEMORY, strict=True)):
    _WEIGHTS[_i, :, : _i + 1] = _rows

_DAMPING = 2 / 13
_MAX_STAGES = 400
# What a look for a minimum costs. With a factorised Hessian, a gradient for so many parameters
# (digits, 460 to 1510); with products, so many gradients (3466 and 50 020).
_HESSIAN_PER_GRADIENT, _PRODUCTS = 5, 450
_LOOKS = 0.1  # of the gradients so far until the next look for a minimum


def gradient_flow(potential, x, tolerance=1e-4, scales=NATS):
    """The flow from `x` by the method that is cheaper for so many parameters."""
    flow = ChebyshevFlow if is_large(x.size) else RosenbrockFlow
    return flow(potential, x, tolerance, scales)


class _Flow:
    """Steepest descent as a differential equation, followed step by step.

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
    hessian : ndarray, shape (n, n), or None
        There; None where the method does without.
    n_gradients : int
    """

    def __init__(self, potential, x, tolerance=1e-4, scales=NATS):
        self._potential, self._tolerance, self._scales = potential, tolerance, scales
        self.x = np.array(x, dtype=float)
        self.energy, self.gradient, self.hessian = self.at(self.x)
        self.time, self.n_gradients = 0.0, 1

    def _lowers(self, energy):
        """Whether an energy is finite and none above the present one."""
        return isfinite(energy) and energy <= self.energy + self._scales.rounding(self.energy)


def _stages(potential, x, gradient, step, solve, weights):
    """Where a step leads and its error, as `KernelPotential.rosenbrock_stages` computes them."""
    k = np.zeros((len(weights) + 1, x.size))
    k[0] = solve(-gradient)
    for i, both in enumerate(weights):
        way, memory = both.dot(k[:-1])
        position = x + way
        if not isfinite(position.dot(position)):
            return position, np.inf
        k[i + 1] = solve(memory / step - potential.getEnergyGradient(position)[1])
    position += k[-1]
    error = norm(k[-1])
    return position, error if isfinite(error) and isfinite(position.dot(position)) else np.inf


class RosenbrockFlow(_Flow):
    """By RODAS, a Rosenbrock method of fourth order with an embedded one of third.

    Six stages share one factorisation of ``H + 1 / (gamma h)``. It is L-stable
    and stiffly accurate, so that decayed modes put no bound on the step. The
    step follows Gustafsson's predictive controller.

    References
    ----------
    E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, 2nd
    ed. (Springer 1996), sections IV.7 and IV.8.
    """

    def __init__(self, potential, x, tolerance=1e-4, scales=NATS):
        super().__init__(potential, x, tolerance, scales)
        self._accepted = None  # the last step, its error over the tolerance, and its solver
        # the time in which the gradient changes, on a way of at most a thousand tolerances
        slope = norm(self.gradient)
        unit = self.gradient / max(slope, 1e-300)
        curvature = unit.dot(self.hessian.dot(unit))
        self._step = 1 / max(abs(curvature), 1e-3 * slope / tolerance, 1e-300)

    def at(self, x):
        """Energy, gradient and Hessian."""
        return self._potential.getEnergyGradientHessian(x)

    def may_be_near(self, length):
        """Whether it is worth while to see if a definite Hessian gives so short a Newton step.

        It is that of the gradient's softer part, which the solver of the last step lifts out.
        """
        if self._accepted is None:
            return True
        soft = self._accepted[-1](self.gradient)
        curvature = soft.dot(self.hessian.dot(soft))
        return curvature >= 0 and self.gradient.dot(soft) * norm(soft) <= length * curvature

    def step(self):
        """Take one step that meets the tolerance.

        Returns
        -------
        bool
            False if no step, however short, lowers the loss.
        """
        largest = max(norm(self.hessian.ravel()), 1e-300)
        while True:
            tell("gradient flow", self.n_gradients, rms(self.gradient))
            # beyond, rounding of the Hessian decides what happens along modes without curvature
            h = min(self._step, 1e12 / largest)
            if not h * largest >= _SHORTEST:  # nor where the Hessian is not finite
                return False
            shifted = self.hessian.copy()
            shifted.reshape(-1)[:: self.x.size + 1] += 1 / (_GAMMA * h)
            solve = cholesky(shifted)
            if solve is None:  # a longer step than the flow takes to leave a ridge
                self._step = 0.5 * h
                continue
            x, error = self._advance(h, solve)
            ratio = error / (_LENIENCE * self._tolerance)
            if ratio <= 1:
                here = self.at(x)
                if self._lowers(here[0]):
                    break
                ratio = np.inf
            self._step = h * min(0.9, max(0.1, 0.9 / ratio**0.25))
        factor, ratio = 0.9 / max(ratio, 1e-10) ** 0.25, max(ratio, 1e-2)
        if self._accepted is not None:
            before, ratio_before, _ = self._accepted
            factor = min(factor, factor * h / before * (ratio_before / ratio) ** 0.25)
        self._accepted = h, ratio, solve
        self._step = h * min(8.0, max(0.1, factor))
        self.time += h
        self.x, (self.energy, self.gradient, self.hessian) = x, here
        return True

    def _advance(self, h, solve):
        """Where a step leads, and its error; infinite if it leaves what can be computed."""
        self.n_gradients += len(_WEIGHTS)
        compiled = getattr(self._potential, "rosenbrock_stages", None)
        if compiled is not None:
            return compiled(self.x, self.gradient, h, solve.lower, _WEIGHTS)
        return _stages(self._potential, self.x, self.gradient, h, solve, _WEIGHTS)


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


class ChebyshevFlow(_Flow):
    """By the Runge-Kutta-Chebyshev method of second order, which needs gradients only.

    Its stable step grows with the square of the number of stages, so that it
    passes over the fast, decayed modes at the cost of their square root.

    References
    ----------
    B. P. Sommeijer, L. F. Shampine and J. G. Verwer, J. Comput. Appl. Math.
    88, 315 (1998).
    """

    def __init__(self, potential, x, tolerance=1e-4, scales=NATS):
        super().__init__(potential, x, tolerance, scales)
        self._radius = self._spectral_radius()
        self._step = 1 / self._radius
        self._price = min(self.x.size / _HESSIAN_PER_GRADIENT, _PRODUCTS)
        self._since, self._due, self._ahead = 0, self._price, np.inf

    def at(self, x):
        """Energy, gradient, and None for the Hessian."""
        return *self._potential.getEnergyGradient(x), None

    def may_be_near(self, length):
        """Whether it is time to see: that can cost as much as many steps.

        A gradient that decays at a rate k has about ``|g| / k`` to go.
        """
        if not (self._ahead <= length and self.n_gradients >= self._due):
            return False
        self._due = self.n_gradients + max(self._price, _LOOKS * self.n_gradients)
        return True

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
            if h * self._radius < _SHORTEST:
                return False
            stages = max(2, 1 + int(np.sqrt(1.54 * h * self._radius + 1)))
            x = self._advance(h, stages)
            energy, gradient = self._evaluate(x)
            error = np.inf
            if self._lowers(energy):
                error = norm(0.8 * (self.x - x) - 0.4 * h * (self.gradient + gradient))
            ratio = error / self._tolerance
            self._step = h * min(5.0, max(0.1, 0.8 / max(ratio, 1e-30) ** (1 / 3)))
            if ratio <= 1:
                break
            self._since = 20  # perhaps the curvatures have grown
        self._since += 1
        self.time += h
        before, slope = norm(self.gradient), norm(gradient)
        decay = log(before / slope) if before > slope > 0 else 0.0
        self._ahead = slope * h / decay if decay > 0 else np.inf
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
