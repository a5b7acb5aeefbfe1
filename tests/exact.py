"""The gradient of the loss in 50-digit arithmetic, and stationary points by it.

Shares nothing with the kernel but the data.
"""

import mpmath
import numpy as np
from mpmath import mpf

_number = np.vectorize(lambda value: mpf(float(value)), otypes=[object])
_tanh = np.vectorize(mpmath.tanh, otypes=[object])
_exp = np.vectorize(mpmath.exp, otypes=[object])


def gradient(system, x):
    """The gradient at `x`, an object array of mpf; tanh and cross-entropy."""
    net, settings = system.net, system.settings
    X, y = _number(system.data.X_train), system.data.y_train
    weight = 2 * mpf(settings.regularization)
    layers = net.split(x)
    activations = [X]
    for depth, (W, b) in enumerate(layers):
        z = activations[-1].dot(W.T) + b
        activations.append(_tanh(z) if depth + 1 < len(layers) else z)
    f = activations[-1]
    p = _exp(f - f.max(axis=1)[:, np.newaxis])
    delta = p / p.sum(axis=1)[:, np.newaxis]
    delta[np.arange(len(y)), y] -= 1
    delta = delta / len(y)
    parts = []
    for depth in reversed(range(len(layers))):
        W, b = layers[depth]
        of_bias = weight * b if settings.regularize_bias else 0 * b
        parts.append((delta.T.dot(activations[depth]) + weight * W, delta.sum(axis=0) + of_bias))
        if depth > 0:
            delta = delta.dot(W) * (1 - activations[depth] ** 2)
    return net.join(parts[::-1])


def converge(system, x, digits=25, steps=60):
    """The stationary point next to `x`, float64 rounded from a solution of so many digits.

    Newton's method with the gradient in 50 digits and a Hessian in double
    precision: each step gains some digits. Along zero modes, and along the free
    mode of a unit without effect, nothing is to be gained and `x` stays as it is.

    Raises
    ------
    ArithmeticError
        Where it does not get there; the caller judges how far it went.
    """
    fixed = [system.identity.zero_modes(), *system.identity.free_modes(x).values()]
    zero = np.column_stack(fixed)
    with mpmath.workdps(50):
        exact = _number(x)
        for _ in range(steps):
            near = np.array([float(value) for value in exact])
            H = system.potential.getHessian(near)
            H += np.linalg.norm(H) * zero @ zero.T
            g = gradient(system, exact)
            size = max(abs(value) for value in g)
            try:
                step = np.linalg.solve(H, np.array([float(value / size) for value in g]))
            except np.linalg.LinAlgError as error:
                raise ArithmeticError("the Hessian is singular on the way") from error
            exact = exact - size * _number(step)
            if size * np.abs(step).max() < mpf(10) ** -digits:
                return np.array([float(value) for value in exact])
    raise ArithmeticError("no stationary point of so many digits near by")
