"""The shape of a network and the layout of its parameter vector."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..checks import check_choice, check_flag, check_integer
from ..contract import Array
from ..errors import InputError
from .activations import ACTIVATIONS, find_activation

__all__ = ["INITIALIZATIONS", "MLP", "draw_parameters"]

INITIALIZATIONS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "gaussian")


@dataclass(frozen=True)
class MLP:
    """A fully connected network with a linear output layer.

    The parameter vector holds, layer by layer, the weight matrix of shape
    ``(n_out, n_in)`` in C order and then the bias ``(n_out,)``: exactly what
    ``torch.nn.utils.parameters_to_vector`` gives for a stack of
    ``torch.nn.Linear``.

    Parameters
    ----------
    layer_sizes : sequence of int
        ``[n_in, hidden..., n_out]``, at least two sizes.
    activation : str
        One of `ACTIVATIONS`, applied to every hidden layer. One that is not
        smooth serves where no curvature is asked for.
    bias : bool
        Whether every layer has a bias.

    Raises
    ------
    InputError
        For sizes below 1, fewer than two sizes or an unknown activation.

    Examples
    --------
    >>> MLP([3, 10, 4]).n_parameters
    84
    """

    layer_sizes: tuple
    activation: str = "tanh"
    bias: bool = True

    def __post_init__(self) -> None:
        try:
            sizes = tuple(self.layer_sizes)
        except TypeError:
            raise InputError(
                f"layer_sizes must be a list [n_in, hidden..., n_out], not {self.layer_sizes!r}"
            ) from None
        if len(sizes) < 2:
            raise InputError(f"layer_sizes needs at least an input and an output, not {sizes}")
        sizes = tuple(check_integer("a layer size", size, 1) for size in sizes)
        object.__setattr__(self, "layer_sizes", sizes)
        object.__setattr__(self, "bias", check_flag("bias", self.bias))
        object.__setattr__(self, "activation", find_activation(self.activation).name)

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Sizes of the hidden layers, a tuple."""
        return self.layer_sizes[1:-1]

    @property
    def n_parameters(self) -> int:
        """Length of the parameter vector."""
        return sum((n_in + self.bias) * n_out for n_in, n_out in self._shapes())

    def _shapes(self) -> Iterator[tuple[int, int]]:
        return pairwise(self.layer_sizes)

    def blocks(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights and biases in a parameter vector, by name."""
        found: dict[str, tuple[int, ...]] = {}
        for layer, (n_in, n_out) in enumerate(self._shapes(), 1):
            found[f"layer {layer}, weights"] = n_out, n_in
            if self.bias:
                found[f"layer {layer}, biases"] = (n_out,)
        return found

    def split(self, x: Array) -> list[tuple[Array, Array]]:
        """Views of the weights and biases in a parameter vector.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)

        Returns
        -------
        list of (ndarray, ndarray)
            For each layer the weights ``(n_out, n_in)`` and the bias
            ``(n_out,)``, of length 0 in a network without biases.
        """
        layers, at = [], 0
        for n_in, n_out in self._shapes():
            weights = x[at : at + n_in * n_out].reshape(n_out, n_in)
            at += n_in * n_out
            end = at + n_out * self.bias
            layers.append((weights, x[at:end]))
            at = end
        return layers

    def join(self, layers: Sequence[tuple[Array, Array]]) -> Array:
        """The parameter vector of weights and biases, the inverse of `split`."""
        return np.concatenate([part.ravel() for layer in layers for part in layer])

    def outputs(self, x: Array, X: Array) -> Array:
        """Outputs of the network, as the loss takes them.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
        X : ndarray, shape (n_samples, n_in)

        Returns
        -------
        ndarray, shape (n_samples, n_out)
        """
        layers, function = self.split(x), ACTIVATIONS[self.activation].function
        a = X
        for depth, (weights, bias) in enumerate(layers):
            z = a @ weights.T + (bias if self.bias else 0.0)
            a = function(z) if depth + 1 < len(layers) else z
        return a

    def random_parameters(
        self, rng: np.random.Generator, initialization: str = "glorot_uniform"
    ) -> Array:
        """A random start as practitioners draw it.

        Parameters
        ----------
        rng : numpy.random.Generator
        initialization : {"glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "gaussian"}
            Variance ``2 / (n_in + n_out)`` in each layer (Glorot), ``2 / n_in``
            (He), or 1 (gaussian); weights and biases alike.

        Returns
        -------
        ndarray, shape (n_parameters,)

        Raises
        ------
        InputError
            For another name.

        References
        ----------
        X. Glorot and Y. Bengio, AISTATS 9, 249 (2010); K. He, X. Zhang, S. Ren
        and J. Sun, ICCV (2015), 1026.
        """
        check_choice("initialization", initialization, INITIALIZATIONS)
        return np.concatenate(
            [
                draw_parameters(rng, initialization, n_in, n_out, (n_in + self.bias) * n_out)
                for n_in, n_out in self._shapes()
            ]
        )


def draw_parameters(
    rng: np.random.Generator, initialization: str, n_in: int, n_out: int, n: int
) -> Array:
    """So many parameters of a layer at random; see `MLP.random_parameters`."""
    scheme, _, shape = initialization.partition("_")
    variance = {"glorot": 2 / (n_in + n_out), "he": 2 / n_in, "gaussian": 1.0}[scheme]
    if shape == "uniform":
        bound = np.sqrt(3 * variance)
        return rng.uniform(-bound, bound, n)
    return rng.normal(0.0, np.sqrt(variance), n)
