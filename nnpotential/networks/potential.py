"""The loss of a network on data, as a pele potential."""

import os
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .. import _kernel
from ..checks import (
    check_choice,
    check_flag,
    check_inputs,
    check_integer,
    check_number,
    frozen,
)
from ..contract import Array
from ..errors import InputError
from .activations import ACTIVATIONS
from .losses import LOSSES, find_loss
from .mlp import MLP

__all__ = ["NNPotential"]

PRECISIONS = ("double", "single")


def check_pele_version(built: str, installed: str) -> None:
    """Refuse a pele whose class layout may not be the one compiled against.

    Raises
    ------
    ImportError
        If the two versions differ.
    """
    if built != installed:
        raise ImportError(
            f"nnpotential was built against pele {built}, but pele {installed} is installed and "
            f"its class layout may differ: install pele=={built}, or rebuild nnpotential with "
            "'pip install --force-reinstall --no-deps --no-build-isolation .'"
        )


check_pele_version(_kernel.PELE_VERSION, version("pele"))


@dataclass(frozen=True)
class LossSettings:
    """What defines the loss apart from network and data, checked.

    Parameters
    ----------
    loss : str
        One of `LOSSES`.
    regularization : float
        Weight of the sum of squared parameters, not negative.
    regularize_bias : bool
        Whether the biases are in that sum.
    """

    loss: str = "cross_entropy"
    regularization: float = 1e-4
    regularize_bias: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", self._checked_loss())
        weight = check_number(
            "regularization",
            self.regularization,
            "a number not below 0",
            lambda weight: 0 <= weight < np.inf,
        )
        object.__setattr__(self, "regularization", weight)
        flag = check_flag("regularize_bias", self.regularize_bias)
        object.__setattr__(self, "regularize_bias", flag)

    def _checked_loss(self) -> str:
        return find_loss(self.loss).name


class NNPotential(_kernel.KernelPotential):
    """The regularised loss of a network as a potential energy.

    ``L(x) = (1/N) sum_n l(f(x, X_n), y_n) + regularization * sum_i x_i**2``,
    in nats per sample for cross-entropy. It is derived from pele's compiled
    `BasePotential`, so pele's C++ optimisers walk on it with no Python per
    step.

    Parameters
    ----------
    net : MLP
    X : array_like, shape (n_samples, n_in)
    y : array_like
        As the loss takes it: class labels from 0 up, shape ``(n_samples,)``,
        or targets ``(n_samples, n_out)``.
    loss : str
        One of `LOSSES`: ``cross_entropy`` (softmax), ``binary_cross_entropy`` (two
        classes, one output, its logit), or ``squared_error``, the mean over outputs
        of ``(f_k - y_k)**2``.
    regularization : float
        Weight of the L2 term, not negative.
    regularize_bias : bool
        Whether the L2 term contains the biases.
    threads : int
        Threads of one evaluation. The result is the same to the last bit for
        any number.
    precision : {"double", "single"}
        In which the loss, its gradient and Hessian-vector products are computed; sums
        over many samples are in double precision always, as is what goes in and comes out.

    Attributes
    ----------
    n_samples : int
        In the training set.
    engine : str
        The instruction set in use, the best of this machine; the environment
        variable ``NNPOTENTIAL_ENGINE`` chooses another.

    Raises
    ------
    InputError
        For data that do not fit the network or are not finite, an unknown
        loss or precision, or a negative regularization.

    Examples
    --------
    >>> import nnpotential as nnp
    >>> data = nnp.load_dataset("iris", seed=0)
    >>> pot = nnp.NNPotential(nnp.MLP([4, 5, 3]), data.X_train, data.y_train)
    >>> x = pot.net.random_parameters(np.random.default_rng(0))
    >>> energy, gradient = pot.getEnergyGradient(x)
    """

    _in_single: "NNPotential | None"

    def __new__(
        cls,
        net: MLP,
        X: Any,
        y: Any,
        *,
        loss: str = "cross_entropy",
        regularization: float = 1e-4,
        regularize_bias: bool = True,
        threads: int = 1,
        precision: str = "double",
    ) -> Self:
        settings = LossSettings(loss, regularization, regularize_bias)
        check_choice("precision", precision, PRECISIONS)
        X = check_inputs(X, net.layer_sizes[0], keep_float32=True)
        y = LOSSES[settings.loss].check(y, len(X), net.layer_sizes[-1])
        if precision == "single":
            _check_single("X", X)
            _check_single("y", y)
        self = super().__new__(
            cls,
            net.layer_sizes,
            net.bias,
            _kernel.ACTIVATIONS.index(net.activation),
            _kernel.LOSSES.index(settings.loss),
            settings.regularization,
            settings.regularize_bias,
            X,
            y.reshape(len(X), -1).astype(np.float64, copy=False),
            check_integer("threads", threads, 1),
            _engine(),
            precision == "single",
        )
        self.net = net
        self.threads = threads
        self.precision = precision
        self.settings = settings
        self._shape = (net.n_parameters,)
        self._smooth = ACTIVATIONS[net.activation].smooth
        # the kernel has a copy of its own, and what rebuilds it must stay the same
        self._data = (frozen(X), frozen(y))
        self.n_samples = len(X)
        self._in_single = None
        return self

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass  # all is done in __new__, where the compiled part is made

    def __reduce__(self) -> tuple[Any, ...]:
        s = self.settings
        options = (s.loss, s.regularization, s.regularize_bias, self.threads, self.precision)
        return _rebuild, (self.net, *self._data, *options)

    def single(self) -> "NNPotential":
        """The same loss in single precision: about twice as fast, to some six digits.

        It is for the beginning of a descent and for training; no stationary point is
        known to better than its rounding. It has no Hessian, only products of it.

        Returns
        -------
        NNPotential
            The same one at each call.
        """
        if self.precision == "single":
            return self
        if self._in_single is None:
            args = (*self.__reduce__()[1][:-1], "single")
            self._in_single = _rebuild(*args)
        return self._in_single

    def getEnergy(self, x: Array) -> float:
        """The loss at `x`, an ndarray of float64, shape (n_parameters,)."""
        return self._energy(x)

    def getEnergyGradient(self, x: Array) -> tuple[float, Array]:
        """Loss and gradient.

        Parameters
        ----------
        x : ndarray of float64, shape (n_parameters,)

        Returns
        -------
        energy : float
        gradient : ndarray, shape (n_parameters,)

        Raises
        ------
        InputError
            If `x` has the wrong length or type or is not finite. So do all
            methods here.
        """
        return self._energy_gradient(x)

    def getGradient(self, x: Array) -> Array:
        """The gradient at `x`, shape (n_parameters,)."""
        return self.getEnergyGradient(x)[1]

    def getEnergyGradientHessian(self, x: Array) -> tuple[float, Array, Array]:
        """Loss, gradient and exact Hessian, shape (n_parameters, n_parameters)."""
        self._require_curvature()
        self._require_double()
        return self._energy_gradient_hessian(x)

    def getHessian(self, x: Array) -> Array:
        """The exact Hessian at `x`, shape (n_parameters, n_parameters)."""
        return self.getEnergyGradientHessian(x)[2]

    def getGaussNewton(self, x: Array) -> Array:
        """The Gauss-Newton part of the Hessian, shape (n_parameters, n_parameters).

        ``J^T H_l J / N`` with the Jacobian of the outputs and the Hessian of
        the loss in the outputs, plus the penalty; never with a negative
        eigenvalue.
        """
        self._require_double()
        return self._energy_gradient_hessian(x, True)[2]

    def hessian_vector_product(self, x: Array, v: Array) -> Array:
        """The exact product of the Hessian at `x` with one vector or several.

        Parameters
        ----------
        x : ndarray of float64, shape (n_parameters,)
        v : ndarray of float64, shape (n_parameters,) or (n_vectors, n_parameters)
            Several vectors at once share the work on `x`.

        Returns
        -------
        ndarray, of the shape of `v`
        """
        self._require_curvature()
        return self._products(x, v)

    def energies_gradients(self, x: Array) -> tuple[Array, Array]:
        """Losses and gradients at several points in one call.

        Parameters
        ----------
        x : ndarray of float64, shape (n_points, n_parameters)

        Returns
        -------
        energies : ndarray, shape (n_points,)
        gradients : ndarray, shape (n_points, n_parameters)
        """
        return self._many(x)

    def subset_energy_gradient(self, x: Array, indices: ArrayLike) -> tuple[float, Array]:
        """Loss and gradient on some of the samples, such as a minibatch.

        Parameters
        ----------
        x : ndarray of float64, shape (n_parameters,)
        indices : array_like of int, shape (n_indices,)
            Which samples the mean runs over, each from 0 up to but not
            including the number of samples; one that repeats counts again.

        Returns
        -------
        energy : float
            With the whole penalty.
        gradient : ndarray, shape (n_parameters,)
        """
        indices = np.asarray(indices)
        if indices.ndim != 1 or indices.size == 0 or indices.dtype.kind not in "iu":
            raise InputError("indices must be a list of at least one integer")
        n = len(self._data[0])
        if indices.min() < 0 or indices.max() >= n:
            raise InputError(f"indices must be from 0 to {n - 1}")
        indices = np.ascontiguousarray(indices, dtype=np.int64)
        return self._subset(x, indices)

    def _require_curvature(self) -> None:
        if not self._smooth:
            ACTIVATIONS[self.net.activation].require_smooth(", which this needs")

    def _require_double(self) -> None:
        if self.precision != "double":
            raise InputError(
                "there is no Hessian in single precision: ask the potential in double precision"
            )

    def _check(self, name: str, x: Any, several: bool = False) -> Array:
        if isinstance(x, np.ma.MaskedArray):
            raise InputError(f"{name} must not be a masked array: give its data")
        try:
            x = np.asarray(x)
        except ValueError:
            raise InputError(f"{name} must be an array of numbers: its rows differ") from None
        if x.shape != self._shape and not (
            several and x.ndim == 2 and x.shape[1:] == self._shape and len(x)
        ):
            raise InputError(f"{name} must have shape {self._shape}, not {x.shape}")
        if x.dtype != np.float64:
            raise InputError(f"{name} must be float64, not {x.dtype}")
        x = np.ascontiguousarray(x)
        if not np.isfinite(x).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
            index = at[0] if len(at) == 1 else at
            raise InputError(f"{name} must be finite: {name}[{index}] is {x[at]}")
        return x


def _rebuild(
    net: MLP,
    X: Array,
    y: Any,
    loss: str,
    regularization: float,
    regularize_bias: bool,
    threads: int,
    precision: str,
) -> NNPotential:
    return NNPotential(
        net,
        X,
        y,
        loss=loss,
        regularization=regularization,
        regularize_bias=regularize_bias,
        threads=threads,
        precision=precision,
    )


def _check_single(name: str, values: Array) -> None:
    largest = np.abs(values).max()
    if largest > np.finfo(np.float32).max:
        raise InputError(f"{name} does not fit into single precision: it has a value of {largest}")


def _engine() -> str:
    """The instruction set asked for in the environment, or empty for the best."""
    name = os.environ.get("NNPOTENTIAL_ENGINE", "")
    return check_choice("NNPOTENTIAL_ENGINE", name, _kernel.ENGINES) if name else name
