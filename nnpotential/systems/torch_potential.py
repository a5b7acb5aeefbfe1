"""The loss of a traced torch module as a pele potential."""

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from pele.potentials import BasePotential

from ..checks import check_choice
from ..errors import InputError
from ..networks.potential import LossSettings
from .torch_program import torch

__all__ = ["OWN", "TorchLossSettings", "TorchPotential", "is_bias", "one_thread"]

OWN = "own"  # a loss of the user's
# numbers that intermediate results may take at once, for the samples of a batch and for vectors
_BATCH, _VECTORS = 2**20, 2**20


def _cross_entropy(f, y):
    return torch.nn.functional.cross_entropy(f, y)


def _squared_error(f, y):
    return ((f - y) ** 2).mean()


def _binary_cross_entropy(f, y):
    return torch.nn.functional.binary_cross_entropy_with_logits(f[:, 0], y.to(f.dtype))


# the records of networks.losses have them in NumPy
LOSSES = {
    "cross_entropy": _cross_entropy,
    "squared_error": _squared_error,
    "binary_cross_entropy": _binary_cross_entropy,
}


@dataclass(frozen=True)
class TorchLossSettings(LossSettings):
    """What defines the loss apart from module and data; ``own`` is a loss of the user's."""

    def _checked_loss(self):
        return check_choice("loss", self.loss, (*LOSSES, OWN))


class TorchPotential(BasePotential):
    """The regularised loss of a traced module on data, in float64.

    Parameters
    ----------
    program : Program
        Gives the outputs.
    X, y : ndarray
    settings : TorchLossSettings
    own_loss : Program, optional
        The mean loss of outputs, where that is the user's.
    batch_size : int
        Samples that are worked on at a time.
    device : str

    Notes
    -----
    Products with the Hessian are the gradient's own gradient, several at once by
    `torch.func`'s vmap under ``torch.autograd.grad(is_grads_batched=True)``; this
    took half the time of forward over reverse mode, and asks of an operation no
    forward derivative. On the CPU one thread works, so that the result does not
    depend on how many there are.
    """

    def __init__(self, program, X, y, settings, own_loss=None, batch_size=None, device="cpu"):
        self.program, self.settings, self.own_loss = program, settings, own_loss
        self.device = device
        self.n_samples = len(X)
        self._X, self._y = X, y
        self._shapes = list(program.parameters.values())
        self._sizes = [prod(shape) for shape in self._shapes]
        self.n_parameters = sum(self._sizes)
        self._penalty = np.full(self.n_parameters, settings.regularization)
        if not settings.regularize_bias:
            for name, (start, stop) in self.places().items():
                if is_bias(name):
                    self._penalty[start:stop] = 0.0
        self._tensors = self._held = None
        self._width = self._measure_width()
        if batch_size is None:
            batch_size = max(1, _BATCH // self._width)
        self.batch_size = min(batch_size, self.n_samples)

    def __getstate__(self):
        return {**self.__dict__, "_tensors": None, "_held": None}

    def places(self):
        """Where each parameter begins and ends in a vector."""
        ends = np.cumsum([0, *self._sizes]).tolist()
        return dict(zip(self.program.parameters, pairwise(ends), strict=True))

    def _measure_width(self):
        """Numbers that the intermediate results of one sample hold."""
        few = torch.tensor(self._X[: min(2, self.n_samples)])
        with torch.no_grad(), one_thread():
            return 1 + self.program.count(self._pieces(torch.zeros(self.n_parameters)), few)

    # torch

    def _batches(self):
        if self._tensors is None:
            X, y = (self._tensor(a) for a in (self._X, self._y))
            size = self.batch_size
            self._tensors = list(zip(X.split(size), y.split(size), strict=True))
        return self._tensors

    def _pieces(self, x):
        pieces = x.to(torch.float64).split(self._sizes)
        return [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]

    def _loss(self, x, X, y):
        """The share of some samples in the mean loss."""
        f = self.program(self._pieces(x), X)
        return self.mean_loss(f, y) * (len(X) / self.n_samples)

    def mean_loss(self, f, y):
        """The mean loss of outputs, both tensors."""
        if self.own_loss is None:
            return LOSSES[self.settings.loss](f, y)
        return self.own_loss([], f, y)

    def _tensor(self, array):
        return torch.tensor(array, device=self.device)

    def _leaf(self, x):
        return self._tensor(x).requires_grad_()

    def _sum(self, x, part):
        """Sum of ``part(x, X, y)``, a tuple of arrays, over the batches."""
        total = None
        with self._alone():
            for X, y in self._batches():
                found = [t.detach().cpu().numpy() for t in part(self._leaf(x), X, y)]
                total = (
                    found if total is None else [a + b for a, b in zip(total, found, strict=True)]
                )
        return total

    def _alone(self):
        return one_thread() if torch.device(self.device).type == "cpu" else nullcontext()

    def outputs(self, x, X):
        """What the module gives for inputs, an ndarray."""
        found = []
        with torch.no_grad(), self._alone():
            pieces = self._pieces(self._tensor(x))
            for start in range(0, len(X), self.batch_size):
                batch = self._tensor(X[start : start + self.batch_size])
                found.append(self.program(pieces, batch).cpu().numpy())
        return np.concatenate(found)

    # pele

    def getEnergy(self, x):
        """The loss at `x`, shape (n_parameters,)."""
        x = self._checked("x", x)

        def energy(x, X, y):
            with torch.no_grad():
                return (self._loss(x, X, y),)

        (energy,) = self._sum(x, energy)
        return float(energy) + float(self._penalty @ x**2)

    def getEnergyGradient(self, x):
        """Loss and gradient."""
        x = self._checked("x", x)
        energy, gradient = self._sum(x, self._energy_gradient)
        return float(energy) + float(self._penalty @ x**2), gradient + 2 * self._penalty * x

    def _energy_gradient(self, x, X, y):
        energy = self._loss(x, X, y)
        return energy, *torch.autograd.grad(energy, x)

    def getGradient(self, x):
        """The gradient at `x`."""
        return self.getEnergyGradient(x)[1]

    def energies_gradients(self, x):
        """Losses and gradients of a batch of points, rows of `x`."""
        parts = [self.getEnergyGradient(one) for one in self._checked("x", x, rows=True)]
        return np.array([e for e, _ in parts]), np.array([g for _, g in parts])

    def hessian_vector_product(self, x, v):
        """The exact product of the Hessian at `x` with one vector, or several as rows."""
        x, v = self._checked("x", x), self._checked("v", v, rows=np.ndim(v) == 2)
        rows = v.reshape(-1, v.shape[-1])
        with self._alone():
            if len(self._batches()) > 1:
                products = self._products(x, rows)[2]
            else:
                held = self._held
                # a search asks for tens of products at one point: half of the work is the same
                if held is None or not np.array_equal(held[0], x):
                    leaf, ((X, y),) = self._leaf(x), self._batches()
                    held = self._held = x.copy(), leaf, self._gradient(leaf, X, y)[1]
                products = self._times(*held[1:], self._tensor(rows), self.n_samples)
                products = products.cpu().numpy() + 2 * self._penalty * rows
        return products.reshape(v.shape)

    def getEnergyGradientHessian(self, x):
        """Loss, gradient and exact Hessian, shape (n_parameters, n_parameters)."""
        x = self._checked("x", x)
        energy, gradient, hessian = self._products(x, np.eye(x.size))
        return energy, gradient, (hessian + hessian.T) / 2

    def getHessian(self, x):
        """The exact Hessian at `x`."""
        return self.getEnergyGradientHessian(x)[2]

    def _products(self, x, rows):
        """Energy, gradient and products of all batches."""
        V = self._tensor(rows)

        def part(x, X, y):
            energy, gradient = self._gradient(x, X, y)
            return energy, gradient, self._times(x, gradient, V, len(X))

        energy, gradient, products = self._sum(x, part)
        return (
            float(energy) + float(self._penalty @ x**2),
            gradient + 2 * self._penalty * x,
            products + 2 * self._penalty * rows,
        )

    def _gradient(self, x, X, y):
        """The share of some samples in energy and gradient, which can be derived once more."""
        energy = self._loss(x, X, y)
        return energy, *torch.autograd.grad(energy, x, create_graph=True)

    def _times(self, x, gradient, V, n_samples):
        """The derivative of a gradient along each row of `V`."""
        if not gradient.requires_grad:  # linear in all parameters
            return torch.zeros_like(V)
        products = []
        for some in V.split(max(1, _VECTORS // (n_samples * self._width))):
            single = len(some) == 1
            (product,) = torch.autograd.grad(
                gradient,
                x,
                some[0] if single else some,
                is_grads_batched=not single,
                retain_graph=True,
                materialize_grads=True,
            )
            products.append(product.reshape(some.shape))
        return torch.cat(products)

    def _checked(self, name, x, rows=False):
        x = np.asarray(x)
        if x.ndim != 1 + rows or x.shape[-1] != self.n_parameters or not len(x):
            shape = ("n", self.n_parameters) if rows else (self.n_parameters,)
            raise InputError(f"{name} must have shape {shape}, not {x.shape}")
        if x.dtype != np.float64:
            raise InputError(f"{name} must be float64, not {x.dtype}")
        if not np.isfinite(x).all():
            raise InputError(f"{name} must be finite")
        return x


@contextmanager
def one_thread():
    before = torch.get_num_threads()
    # also where it is 1: that is OpenMP's number, MKL has another, and a process that was
    # forked from one with threads of MKL's would wait for them for ever
    torch.set_num_threads(1)
    try:
        yield
    finally:
        if before != 1:
            torch.set_num_threads(before)


def is_bias(name):
    """Whether a parameter of torch is a bias, by its name: ``0.bias``, ``in_proj_bias``."""
    return "bias" in name.rpartition(".")[2]
