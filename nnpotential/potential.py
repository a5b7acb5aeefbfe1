"""The loss of a network on data, as a pele potential."""

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from . import _kernel
from .checks import check_choice, check_inputs, check_labels, check_targets
from .errors import InputError

__all__ = ["NNPotential"]


def check_pele_version(built, installed):
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
    loss : {"cross_entropy", "squared_error"}
    regularization : float
        Weight of the sum of squared parameters, not negative.
    regularize_bias : bool
        Whether the biases are in that sum.
    """

    loss: str = "cross_entropy"
    regularization: float = 1e-4
    regularize_bias: bool = True

    def __post_init__(self):
        check_choice("loss", self.loss, _kernel.LOSSES)
        try:
            value = float(self.regularization)
        except (TypeError, ValueError):
            value = np.nan
        if not (np.isfinite(value) and value >= 0):
            raise InputError(
                f"regularization must be a number not below 0, not {self.regularization!r}"
            )
        object.__setattr__(self, "regularization", value)
        object.__setattr__(self, "regularize_bias", bool(self.regularize_bias))


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
        Class labels ``0 .. n_out - 1``, shape ``(n_samples,)``, for
        cross-entropy; targets ``(n_samples, n_out)`` for squared error.
    loss : {"cross_entropy", "squared_error"}
        Softmax cross-entropy, or ``(1/n_out) sum_k (f_k - y_k)**2``.
    regularization : float
        Weight of the L2 term, not negative.
    regularize_bias : bool
        Whether the L2 term contains the biases.

    Raises
    ------
    InputError
        For data that do not fit the network or are not finite, an unknown
        loss, or a negative regularization.

    Examples
    --------
    >>> import nnpotential as nnp
    >>> data = nnp.load_dataset("iris", seed=0)
    >>> pot = nnp.NNPotential(nnp.MLP([4, 5, 3]), data.X_train, data.y_train)
    >>> x = pot.net.random_parameters(np.random.default_rng(0))
    >>> energy, gradient = pot.getEnergyGradient(x)
    """

    def __new__(cls, net, X, y, *, loss="cross_entropy", regularization=1e-4, regularize_bias=True):
        settings = LossSettings(loss, regularization, regularize_bias)
        X = check_inputs(X, net.layer_sizes[0])
        labels = targets = None
        if settings.loss == "cross_entropy":
            labels = check_labels(y, len(X), net.layer_sizes[-1])
        else:
            targets = check_targets(y, len(X), net.layer_sizes[-1])
        self = super().__new__(
            cls,
            net.layer_sizes,
            net.bias,
            _kernel.ACTIVATIONS.index(net.activation),
            _kernel.LOSSES.index(settings.loss),
            settings.regularization,
            settings.regularize_bias,
            X,
            labels,
            targets,
        )
        self.net = net
        self.settings = settings
        self._data = (X, labels if targets is None else targets)
        return self

    def __init__(self, *args, **kwargs):
        pass  # all is done in __new__, where the compiled part is made

    def __reduce__(self):
        s = self.settings
        return _rebuild, (self.net, *self._data, s.loss, s.regularization, s.regularize_bias)

    def getEnergy(self, x):
        """The loss at `x`, an ndarray of float64, shape (n_parameters,)."""
        return self.energy(self._check("x", x))

    def getEnergyGradient(self, x):
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
        return self.energy_gradient(self._check("x", x))

    def getGradient(self, x):
        """The gradient at `x`, shape (n_parameters,)."""
        return self.getEnergyGradient(x)[1]

    def getEnergyGradientHessian(self, x):
        """Loss, gradient and exact Hessian, shape (n_parameters, n_parameters)."""
        self._require_curvature()
        return self.energy_gradient_hessian(self._check("x", x))

    def getHessian(self, x):
        """The exact Hessian at `x`, shape (n_parameters, n_parameters)."""
        return self.getEnergyGradientHessian(x)[2]

    def hessian_vector_product(self, x, v):
        """The exact product of the Hessian at `x` with the vector `v`.

        Parameters
        ----------
        x, v : ndarray of float64, shape (n_parameters,)

        Returns
        -------
        ndarray, shape (n_parameters,)
        """
        self._require_curvature()
        return self.product(self._check("x", x), self._check("v", v))

    def _require_curvature(self):
        if self.net.activation == "relu":
            raise InputError(
                "relu has no second derivative: use tanh, sigmoid, softplus or silu where a "
                "Hessian is needed"
            )

    def _check(self, name, x):
        x = np.asarray(x)
        n = self.net.n_parameters
        if x.shape != (n,):
            raise InputError(f"{name} must have shape ({n},), not {x.shape}")
        if x.dtype != np.float64:
            raise InputError(f"{name} must be float64, not {x.dtype}")
        if not np.isfinite(x).all():
            at = int(np.flatnonzero(~np.isfinite(x))[0])
            raise InputError(f"{name} must be finite: {name}[{at}] is {x[at]}")
        return np.ascontiguousarray(x)


def _rebuild(net, X, y, loss, regularization, regularize_bias):
    return NNPotential(
        net, X, y, loss=loss, regularization=regularization, regularize_bias=regularize_bias
    )
