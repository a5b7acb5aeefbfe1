"""The loss written out in NumPy for HIPS autograd: shares nothing with the kernel."""

import autograd.numpy as anp
from autograd.scipy.special import logsumexp

ACTIVATIONS = {
    "tanh": anp.tanh,
    "sigmoid": lambda z: 0.5 * (1 + anp.tanh(z / 2)),
    "softplus": lambda z: anp.logaddexp(0.0, z),
    "silu": lambda z: z * 0.5 * (1 + anp.tanh(z / 2)),
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
    else:
        data = anp.mean(anp.mean((a - y) ** 2, axis=1))
    return data + regularization * penalty
