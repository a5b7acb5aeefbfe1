"""Small potentials that are known exactly."""

import numpy as np


class Quadratic:
    """A potential with a known Hessian, ``(x - at)^T H (x - at) / 2``."""

    def __init__(self, values, at=0.0, seed=0):
        n = len(values)
        basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
        self.hessian = (basis * values) @ basis.T
        self.basis, self.at = basis, at + np.zeros(n)

    def getEnergyGradient(self, x):
        g = self.hessian @ (x - self.at)
        return 0.5 * float((x - self.at) @ g), g

    def getEnergyGradientHessian(self, x):
        return *self.getEnergyGradient(x), self.hessian.copy()

    def getHessian(self, x):
        return self.hessian.copy()

    def hessian_vector_product(self, x, v):
        return v @ self.hessian

    def force_recurrence(self, x, gradient, step, first, weights):
        return recurrence(self, x, gradient, step, first, weights)


def recurrence(potential, x, gradient, step, first, weights):
    """What `KernelPotential.force_recurrence` is to give."""
    before, last = x, x - first * step * gradient
    for row in weights:
        force = -step * potential.getEnergyGradient(last)[1]
        rows = np.array([x, -step * gradient, force, last, before])
        before, last = last, row @ rows
    return last


class Rough:
    """A quadratic valley of curvature `soft` whose gradient is wrong by about `noise`."""

    n_samples = 1

    def __init__(self, soft, noise):
        self.hessian, self.noise = np.diag([1.0, soft]), noise

    def getEnergyGradient(self, x):
        bits = np.frombuffer(np.ascontiguousarray(x).tobytes(), dtype=np.uint32)
        error = self.noise * np.random.default_rng(bits).uniform(-1, 1, 2)
        return float(0.5 * x @ self.hessian @ x), self.hessian @ x + error

    def getEnergyGradientHessian(self, x):
        return *self.getEnergyGradient(x), self.hessian.copy()

    def getGradient(self, x):
        return self.getEnergyGradient(x)[1]

    def getHessian(self, x):
        return self.hessian.copy()

    def hessian_vector_product(self, x, v):
        return self.hessian @ v


class Walled:
    """``-a^2 - log(1 - a^2) / 2 + b^2`` of (a, b): two minima, no energy where a is not below 1."""

    minimum = 0.5**0.5
    n_beyond = 0

    def getEnergyGradient(self, x):
        return self.getEnergyGradientHessian(x)[:2]

    def getEnergyGradientHessian(self, x):
        a, b = x
        left = 1 - a * a
        if not left > 0:
            self.n_beyond += 1
            return np.nan, np.full(2, np.nan), np.full((2, 2), np.nan)
        first = np.array([a / left - 2 * a, 2 * b])
        second = np.diag([(1 + a * a) / left**2 - 2, 2.0])
        return -a * a - np.log(left) / 2 + b * b, first, second

    def hessian_vector_product(self, x, v):
        return v @ self.getEnergyGradientHessian(x)[2]
