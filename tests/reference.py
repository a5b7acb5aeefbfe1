"""The loss for HIPS autograd, and the definition of a stationary point: independent readings."""

import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import erf, logsumexp

ACTIVATIONS = {
    "tanh": anp.tanh,
    "sigmoid": lambda z: 0.5 * (1 + anp.tanh(z / 2)),
    "softplus": lambda z: anp.logaddexp(0.0, z),
    "silu": lambda z: z * 0.5 * (1 + anp.tanh(z / 2)),
    "gelu": lambda z: 0.5 * z * (1 + erf(z / np.sqrt(2))),
    "relu": lambda z: anp.maximum(z, 0.0),
}


def loss(x, sizes, activation, bias, kind, regularization, regularize_bias, X, y):
    """The loss of section 2 of the design, parameter by parameter."""
    a, at, penalty = X, 0, 0.0
    for depth in range(len(sizes) - 1):
        n_in, n_out = sizes[depth], sizes[depth + 1]
        W = anp.reshape(x[at : at + n_in * n_out], (n_out, n_in))
        at += n_in * n_out
        penalty = penalty + anp.sum(W**2)
        a = anp.dot(a, W.T)
        if bias:
            b = x[at : at + n_out]
            at += n_out
            a = a + b
            if regularize_bias:
                penalty = penalty + anp.sum(b**2)
        if depth < len(sizes) - 2:
            a = ACTIVATIONS[activation](a)
    if kind == "cross_entropy":
        data = anp.mean(logsumexp(a, axis=1) - a[anp.arange(len(y)), y])
    elif kind == "binary_cross_entropy":
        data = anp.mean(anp.logaddexp(0.0, (1 - 2 * y) * a[:, 0]))
    elif kind == "squared_error":
        data = anp.mean(anp.mean((a - y) ** 2, axis=1))
    else:
        raise LookupError(f"no reference for the loss {kind}: write one here")
    return data + regularization * penalty


def assert_stationary(system, x, index):
    """The definition of a stationary point, evaluated without the package's code for it."""
    _, g, H = system.potential.getEnergyGradientHessian(x)
    Z = system.identity.zero_modes()
    values, vectors = np.linalg.eigh(H)
    # the known zero modes are the eigenvalues that vanish, and no others do
    physical = np.abs(values) > 1e-9 * np.abs(values).max()
    assert (~physical).sum() == Z.shape[1]
    assert np.sqrt(np.mean(g**2)) <= 1e-9
    parts = vectors.T @ g
    assert 0.5 * (parts[physical] ** 2 / np.abs(values[physical])).sum() <= 1e-12
    assert (values[physical] < 0).sum() == index
