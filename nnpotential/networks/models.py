"""Networks of scikit-learn and torch to parameter vectors, and back."""

from itertools import pairwise
from typing import Any

import numpy as np

from ..contract import Array
from ..errors import InputError
from .losses import find_loss
from .mlp import MLP

__all__ = ["SKLEARN_ACTIVATIONS", "from_sklearn", "from_torch", "to_sklearn", "to_torch"]

SKLEARN_ACTIVATIONS = {"tanh": "tanh", "sigmoid": "logistic", "relu": "relu"}
_TORCH_ACTIVATIONS = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "silu": "SiLU",
    "gelu": "GELU",
    "relu": "ReLU",
}


def from_sklearn(net: MLP, model: Any) -> Array:
    """The parameters of a fitted `MLPClassifier` or `MLPRegressor`.

    Parameters
    ----------
    net : MLP
        Of the same sizes and activation. Of two classes scikit-learn has one output z, its
        logit; a network with two gets -z/2 and z/2, whose softmax is the same.
    model : sklearn.neural_network.MLPClassifier or MLPRegressor

    Returns
    -------
    ndarray, shape (n_parameters,)

    Raises
    ------
    InputError
        If the model was not fitted, or is another network.
    """
    if not hasattr(model, "coefs_"):
        raise InputError(f"{type(model).__name__} was not fitted: it has no weights")
    if not net.bias:
        raise InputError("networks of scikit-learn have biases, this one has not")
    layers = [
        (np.array(weights.T, dtype=np.float64), np.array(bias, dtype=np.float64))
        for weights, bias in zip(model.coefs_, model.intercepts_, strict=True)
    ]
    if net.layer_sizes[-1] == 2 and len(layers[-1][1]) == 1:
        weights, bias = layers[-1]
        layers[-1] = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    _check_shapes(net, [part.shape for layer in layers for part in layer])
    if net.hidden_sizes and model.activation != SKLEARN_ACTIVATIONS.get(net.activation):
        raise InputError(f"the model's activation is {model.activation!r}, not {net.activation!r}")
    return net.join(layers)


def to_sklearn(net: MLP, x: Array, loss: str = "cross_entropy") -> Any:
    """A scikit-learn network with these parameters, which predicts.

    Parameters
    ----------
    net : MLP
    x : ndarray, shape (n_parameters,)
    loss : str
        One of `LOSSES`: a classifier, whose classes are 0, 1, ..., or a regressor.

    Returns
    -------
    sklearn.neural_network.MLPClassifier or MLPRegressor

    Raises
    ------
    InputError
        For an activation that scikit-learn lacks.
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # takes a second

    record, n_out = find_loss(loss), net.layer_sizes[-1]
    options = {"hidden_layer_sizes": net.hidden_sizes, "random_state": 0}
    if net.hidden_sizes:
        options["activation"] = _known(SKLEARN_ACTIVATIONS, net.activation, "scikit-learn")
    # one step, so that the model has all that a fitted one has; then its weights are ours
    n_classes = 2 if record.two_classes else n_out
    if record.takes_labels and n_classes < 2:
        raise InputError(f"{record.name} with one output is for no classes: use another loss")
    X = np.zeros((max(n_classes, 2), net.layer_sizes[0]))
    model: Any
    if record.takes_labels:
        model = MLPClassifier(**options).partial_fit(X, np.arange(len(X)), classes=range(n_classes))
    else:
        model = MLPRegressor(**options).partial_fit(X, np.zeros((len(X), n_out)).squeeze())
    layers = net.split(np.array(x, dtype=np.float64))
    layers = [(w, b if net.bias else np.zeros(len(w))) for w, b in layers]
    if n_out == 2 and record.takes_labels:
        weights, bias = layers[-1]
        layers[-1] = weights[1:] - weights[:1], bias[1:] - bias[:1]
    model.coefs_ = [np.ascontiguousarray(w.T) for w, _ in layers]
    model.intercepts_ = [b.copy() for _, b in layers]
    return model


def from_torch(net: MLP, module: Any) -> Array:
    """The parameters of a stack of `torch.nn.Linear`.

    Parameters
    ----------
    net : MLP
        Of the same sizes and activation.
    module : torch.nn.Module
        Its parameters are taken in their order, weights then bias of each layer.

    Returns
    -------
    ndarray, shape (n_parameters,)

    Raises
    ------
    InputError
        If the module is another network.
    """
    names = {name: ours for ours, name in _TORCH_ACTIVATIONS.items()}
    kinds = [type(part).__name__ for part in module.modules()]
    for kind in kinds:
        if names.get(kind, net.activation) != net.activation:
            raise InputError(f"the module's activation is {kind}, not {net.activation!r}")
    parts = [p.detach().cpu().double().numpy() for p in module.parameters()]
    _check_shapes(net, [part.shape for part in parts])
    return np.concatenate([part.ravel() for part in parts])


def to_torch(net: MLP, x: Array) -> Any:
    """A `torch.nn.Sequential` with these parameters, in float64. Needs the extra ``[torch]``."""
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"torch cannot be imported ({error}): pip install 'nnpotential[torch]'"
        ) from None
    name = _known(_TORCH_ACTIVATIONS, net.activation, "torch")
    # beyond its threshold torch's softplus is a straight line: here beyond what rounding shows
    options = {"threshold": 40} if net.activation == "softplus" else {}
    stack = []
    for n_in, n_out in pairwise(net.layer_sizes):
        stack += [torch.nn.Linear(n_in, n_out, bias=net.bias, dtype=torch.float64)]
        stack += [getattr(torch.nn, name)(**options)]
    module = torch.nn.Sequential(*stack[:-1])
    vector = torch.from_numpy(np.array(x, dtype=np.float64))
    torch.nn.utils.vector_to_parameters(vector, module.parameters())
    return module


def _known(names, activation, program):
    if activation not in names:
        raise InputError(f"{program} has no activation {activation!r}: {', '.join(names)}")
    return names[activation]


def _check_shapes(net, found):
    layers = net.split(np.empty(net.n_parameters))
    wanted = [part.shape for layer in layers for part in layer if part.size or net.bias]
    if found != wanted:
        raise InputError(
            f"the weights and biases have the shapes {_shown(found)}; a network "
            f"{'-'.join(map(str, net.layer_sizes))} has {_shown(wanted)}"
        )


def _shown(shapes):
    return ", ".join("x".join(map(str, shape)) for shape in shapes)
