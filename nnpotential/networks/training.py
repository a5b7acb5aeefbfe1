"""How networks are commonly trained: scikit-learn's solvers, and others on our own loss."""

import warnings
from functools import partial

import numpy as np
from scipy.optimize import minimize

from ..pulse import tell
from .models import SKLEARN_ACTIVATIONS, from_sklearn

__all__ = ["UPDATES", "sklearn_alpha", "trainers"]

UPDATES = 10_000  # of a minibatch method, whatever its rate and batch
_SKLEARN = ("lbfgs", "adam", "sgd")
_SKLEARN_BATCH = 200  # its batch_size="auto"
_MINIBATCH = (
    ("sgd", 0.03, 8),
    ("sgd", 0.03, 32),
    ("sgd", 0.3, 8),
    ("sgd", 0.3, 32),
    ("adam", 1e-3, 32),
    ("adam", 1e-2, 32),
)


def trainers(system):
    """The common minimisers of a network, ``name: f(rng) -> x``: where training ends.

    Parameters
    ----------
    system : NNSystem

    Returns
    -------
    dict
        ``sklearn-lbfgs``, ``-adam``, ``-sgd``: scikit-learn's `MLPClassifier` or
        `MLPRegressor` as it is by default, from its own start to its own stop, with `alpha`
        as from `sklearn_alpha`. They are missing where it has no such network: another
        activation, no biases, several targets (there its gradient is not that of its loss).
        The others work on exactly our loss from Glorot-uniform starts. ``lbfgs`` is SciPy's
        L-BFGS-B as it is by default, a quasi-Newton method. ``sgd-0.03-8`` and others,
        method, learning rate and batch, are `UPDATES` steps at a constant rate; each epoch
        shuffles the samples, and its last batch may be smaller.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR (2015).
    """
    net, loss = system.net, system.loss
    known = not net.hidden_sizes or net.activation in SKLEARN_ACTIVATIONS
    found = {"lbfgs": partial(_quasi_newton, system)}
    if net.bias and known and (loss.takes_labels or net.layer_sizes[-1] == 1):
        found |= {f"sklearn-{solver}": partial(_sklearn, system, solver) for solver in _SKLEARN}
    for method, rate, batch in _MINIBATCH:
        batch = min(batch, system.potential.n_samples)
        name = f"{method}-{rate:g}-{batch}"
        found[name] = partial(_minibatch, system, name, method, rate, batch)
    return found


def sklearn_alpha(system, solver):
    """scikit-learn's weight of the penalty that is ours of the weights.

    Its loss is the mean cross-entropy, or half the mean squared error, plus
    ``alpha / (2 n)`` times the sum of squared weights, biases left out, with n the samples
    of the batch (version 1.9; the last batch of an epoch, if smaller, is penalised more).

    Parameters
    ----------
    system : NNSystem
    solver : {"lbfgs", "adam", "sgd"}

    Returns
    -------
    float
    """
    n = system.potential.n_samples
    if solver != "lbfgs":
        n = min(n, _SKLEARN_BATCH)
    return (2 if system.loss.takes_labels else 1) * n * system.settings.regularization


def _sklearn(system, solver, rng):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    net, data = system.net, system.data
    options = {"activation": SKLEARN_ACTIVATIONS[net.activation]} if net.hidden_sizes else {}
    model = (MLPClassifier if system.loss.takes_labels else MLPRegressor)(
        hidden_layer_sizes=net.hidden_sizes,
        solver=solver,
        alpha=sklearn_alpha(system, solver),
        random_state=int(rng.integers(2**31)),
        **options,
    )
    tell(f"scikit-learn's {solver}", 0)
    y = data.y_train if system.loss.takes_labels else data.y_train[:, 0]
    with warnings.catch_warnings():
        # that its usual number of steps is not enough is part of what is asked
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow, seen by its result
        try:
            model.fit(data.X_train, y)
        except ValueError as error:
            if "non-finite" not in str(error):
                raise
            return np.full(net.n_parameters, np.nan)
    return from_sklearn(net, model)


def _quasi_newton(system, rng):
    def told(x):
        tell("L-BFGS-B", 0)

    start = system.net.random_parameters(rng)
    found = minimize(
        system.potential.getEnergyGradient, start, jac=True, method="L-BFGS-B", callback=told
    )
    return found.x


def _minibatch(system, name, method, rate, batch, rng):
    gradient_of, n = system.potential.subset_energy_gradient, system.potential.n_samples
    x = system.net.random_parameters(rng)
    first, second, order = np.zeros_like(x), np.zeros_like(x), np.empty(0, dtype=np.int64)
    for step in range(1, UPDATES + 1):
        if not order.size:
            order = rng.permutation(n)
        chosen, order = order[:batch], order[batch:]
        _, gradient = gradient_of(x, chosen)
        if method == "adam":
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            mean, square = first / (1 - 0.9**step), second / (1 - 0.999**step)
            gradient = mean / (np.sqrt(square) + 1e-8)
        x = x - rate * gradient
        if not np.isfinite(x).all():
            break
        tell(name, step, unit="updates")
    return x
