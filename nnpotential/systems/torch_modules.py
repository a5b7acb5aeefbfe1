"""Any smooth PyTorch module on data as a system to search. Needs the extra ``[torch]``."""

import hashlib
import json
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
from pele.potentials import BasePotential

from ..checks import check_choice, check_integer
from ..errors import InputError
from ..files import atomic_write, printable
from ..networks.datasets import Dataset
from ..networks.losses import LOSSES, Loss, default_loss, find_loss
from ..networks.mlp import INITIALIZATIONS
from ..networks.potential import LossSettings
from ..networks.symmetry import Units, UnitSymmetry, softmax_shifts
from ..networks.system import LossSystem, load_data
from .torch_program import Program, double_copy, torch, trace
from .torch_units import units_of

__all__ = ["TorchPotential", "TorchSystem"]

_PROGRAM, _ARRAYS = "module.json", "module.npz"
_OWN = "own"  # a loss of the user's
# numbers that intermediate results may take at once, for the samples of a batch and for vectors
_BATCH, _VECTORS = 2**20, 2**20
_ROUNDING = 1e-10  # relative; between the same sums in another order


def _cross_entropy(f, y):
    return torch.nn.functional.cross_entropy(f, y)


def _squared_error(f, y):
    return ((f - y) ** 2).mean()


def _binary_cross_entropy(f, y):
    return torch.nn.functional.softplus((1 - 2 * y) * f[:, 0], threshold=torch.inf).mean()


# the records of networks.losses have them in NumPy
_LOSSES = {
    "cross_entropy": _cross_entropy,
    "squared_error": _squared_error,
    "binary_cross_entropy": _binary_cross_entropy,
}


@dataclass(frozen=True)
class TorchLossSettings(LossSettings):
    """What defines the loss apart from module and data; ``own`` is a loss of the user's."""

    def _checked_loss(self):
        return check_choice("loss", self.loss, (*_LOSSES, _OWN))


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
        with torch.no_grad(), _one_thread():
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
            return _LOSSES[self.settings.loss](f, y)
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
        return _one_thread() if torch.device(self.device).type == "cpu" else nullcontext()

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
def _one_thread():
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TorchSystem(LossSystem):
    """The loss of a PyTorch module on a data set as a complete pele system.

    Parameters
    ----------
    module : torch.nn.Module
        Smooth and without randomness; takes inputs ``(n_samples, n_in)`` (let an
        image network begin with ``Unflatten``) and gives outputs ``(n_samples,
        n_out)``. It is traced once, in float64, and stays as it is. Parameters
        that require no gradient are constants.
    loss : str or callable, optional
        As for `NNSystem`; or ``loss(outputs, y)``, smooth, in torch operations:
        the mean over samples of a loss of each. By default cross-entropy for
        class labels, squared error for targets.
    data : Dataset
    regularization : float
        Weight of the sum of squared parameters.
    regularize_bias : bool
        Whether parameters whose name speaks of a bias are in that sum.
    batch_size : int, optional
        Samples that are worked on at a time; by default as many as keep the
        intermediate results within some 100 MB.
    device : str
        On a GPU results are the same to rounding only.
    symmetry : sequence of Units, optional
        Interchangeable units. By default those of `torch.nn.Sequential` stacks
        are read off: units of ``Linear`` and channels of ``Conv2d`` layers with
        pointwise activations, average pooling and ``Flatten`` between; without
        any, two points are one only where they are equal.
    seed : int or sequence of int

    Attributes
    ----------
    potential : TorchPotential
    identity : UnitSymmetry

    Raises
    ------
    InputError
        For a module that is not smooth, draws random numbers, mixes samples, or
        gives outputs of another shape; the message names the part.

    Notes
    -----
    Coordinates are ``torch.nn.utils.parameters_to_vector`` of the parameters
    that require a gradient. Starts are drawn as for `MLP`, weights and biases of
    a layer alike by its numbers of inputs and outputs; parameters of no such
    layer, as the gains of a normalisation, around the values they have in the
    module. ``Softplus`` is taken without its ``threshold``. Smoothness is known
    operation by operation; a square root or logarithm that meets its singularity
    is not seen.
    """

    kind = "torch"

    def __init__(
        self,
        module,
        loss=None,
        data=None,
        *,
        regularization=1e-4,
        regularize_bias=True,
        batch_size=None,
        device="cpu",
        symmetry=None,
        seed=0,
    ):
        super().__init__(seed)
        if not isinstance(data, Dataset):
            raise InputError(f"a module needs a Dataset, not {data!r}")
        data = replace(data, name=printable(data.name))
        record = None  # a loss of the user's
        if not callable(loss):
            record = default_loss(data) if loss is None else find_loss(loss)
        name = _OWN if record is None else record.name
        n_outputs = None if record is None else record.n_outputs(data)
        settings = TorchLossSettings(name, regularization, regularize_bias)
        if batch_size is not None:
            batch_size = check_integer("batch_size", batch_size, 1)
        copied = double_copy(module)
        values = {n: p for n, p in copied.named_parameters() if p.requires_grad}
        if not values:
            raise InputError("the module has no parameters that require a gradient: nothing to map")
        X, y = _samples(data)
        program, f = _traced(copied, X, n_outputs)
        own_loss = _traced_loss(loss, f, y) if record is None else None
        x = np.concatenate([p.detach().numpy().ravel() for p in values.values()])
        units = _checked_units(symmetry, copied, settings)
        scale = None if record is None else record.scale(data.y_train)
        self._assemble(data, settings, program, own_loss, x, units, scale, batch_size, device)
        self._try_out(declared=symmetry is not None)

    def _assemble(
        self, data, settings, program, own_loss, values, units, scale, batch_size, device
    ):
        potential = TorchPotential(
            program,
            data.X_train,
            data.y_train,
            settings,
            own_loss,
            batch_size,
            _checked_device(device),
        )
        self.units, self._values = units, values
        ends = program.last_linear()
        free = settings.regularization == 0 or not settings.regularize_bias
        identity = UnitSymmetry(
            program.parameters,
            units,
            *softmax_shifts(
                program.parameters,
                *(ends or (None, None)),
                self._record(settings.loss),
                settings.regularization,
                settings.regularize_bias,
            ),
            [n for n in program.parameters if free and is_bias(n)],
        )
        draws = _draws(program.parameters, values, potential.places())
        self._set_parts(
            data=data,
            settings=settings,
            potential=potential,
            identity=identity,
            n_dof=potential.n_parameters,
            energy=1.0 if scale is None else scale,
            starts={name: partial(_start, draws, name) for name in INITIALIZATIONS},
        )
        if scale is None:
            self.scales = replace(self.scales, energy=self._typical_loss())
            self._set_params()

    def _typical_loss(self):
        """The loss, roughly, of a module that has learnt nothing."""
        rng = np.random.default_rng(0)
        data, start = self.data, next(iter(self.starts.values()))
        losses = [
            self._own_mean(self.outputs(start(rng), data.X_train), data.y_train) for _ in range(5)
        ]
        return float(np.median(np.abs(losses))) or 1.0

    def _try_out(self, declared):
        """Refuse what shows only when it runs."""
        potential = self.potential
        rng = np.random.default_rng(0)
        x = next(iter(self.starts.values()))(rng)
        if not np.isfinite(potential.getEnergy(x)):
            raise InputError("the loss is not finite at a random start: outputs must be finite")
        try:
            products = potential.hessian_vector_product(x, rng.normal(size=(2, x.size)))
        except (RuntimeError, NotImplementedError) as error:
            why = str(error).splitlines()[0]
            raise InputError(f"torch has no second derivative of the module: {why}") from None
        if not np.isfinite(products).all():
            raise InputError("the second derivative is not finite at a random start")
        image = self.identity.apply(self.identity.random_operation(rng), x)
        loss, other = potential.getEnergy(x), potential.getEnergy(image)
        if abs(loss - other) > _ROUNDING * self.scales.energy:
            what = "the declared symmetry" if declared else "the symmetry read off the module"
            hint = "" if declared else ": declare it, or none by symmetry=[]"
            raise InputError(f"{what} changes the loss, from {loss:.9g} to {other:.9g}{hint}")

    def _newton_cost(self):
        # a product costs three gradients, several at once share some of it
        return 2.0 * self.n_dof

    def outputs(self, x, X):
        return self.potential.outputs(x, X)

    @property
    def loss(self):
        return self._record(self.settings.loss)

    def _record(self, name):
        if name != _OWN:
            return LOSSES[name]
        return Loss(_OWN, "a loss of one's own", self._own_mean, "units of the loss", scale=None)

    def _own_mean(self, f, y):
        with torch.no_grad(), _one_thread():
            return float(self.potential.own_loss([], torch.tensor(f), torch.tensor(y)))

    # What a landscape keeps

    def _contents(self):
        """The programs as text, and their arrays."""
        own = self.potential.own_loss
        programs = {"module": self.potential.program} | ({} if own is None else {"loss": own})
        text = json.dumps({name: json.loads(p.as_text()) for name, p in programs.items()})
        arrays = {"values": self._values}
        for name, program in programs.items():
            arrays |= {f"{name}_{at}": a for at, a in enumerate(program.constants)}
        return text, arrays

    def describe(self):
        """The sections ``[dataset]``, ``[potential]``, ``[module]`` and ``[symmetry]``."""
        parameters = self.potential.program.parameters
        return {
            "dataset": self.data.settings,
            "potential": {**asdict(self.settings), "energy_scale": self.scales.energy},
            "module": {
                "parameters": {name: list(shape) for name, shape in parameters.items()},
                "batch_size": self.potential.batch_size,
                "device": self.potential.device,
                "sha256": _sha256(*self._contents()),
            },
            "symmetry": {"units": [asdict(units) for units in self.units]},
        }

    def save(self, directory):
        """Write ``dataset.npz``, and the module as ``module.json`` and ``module.npz``."""
        super().save(directory)
        text, arrays = self._contents()
        with atomic_write(Path(directory) / _PROGRAM, "w") as file:
            file.write(text)
        with atomic_write(Path(directory) / _ARRAYS, "wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, directory, settings):
        """The module, data and loss of a landscape.

        Raises
        ------
        InputError
            If files are missing, damaged, or not those of the settings.
        """
        text, arrays = _read(Path(directory))
        section = settings["module"]
        if _sha256(text, arrays) != section["sha256"]:
            raise InputError(
                f"{Path(directory) / _PROGRAM} and {_ARRAYS} are not what settings.toml describes"
            )
        programs = {
            name: Program.from_text(
                json.dumps(program),
                [arrays[key] for key in arrays if key.startswith(f"{name}_")],
            )
            for name, program in json.loads(text).items()
        }
        potential = dict(settings["potential"])
        scale = potential.pop("energy_scale")
        system = cls.__new__(cls)
        super().__init__(system, settings["seed"])
        system._assemble(
            load_data(directory, settings),
            TorchLossSettings(**potential),
            programs["module"],
            programs.get("loss"),
            arrays["values"],
            [Units(**units) for units in settings["symmetry"]["units"]],
            scale,
            section["batch_size"],
            section["device"],
        )
        return system

    def get_system_properties(self):
        """What a database of this system records, all plain numbers and strings."""
        return {
            "module_sha256": _sha256(*self._contents()),
            "loss": self.settings.loss,
            "regularization": self.settings.regularization,
            "regularize_bias": int(self.settings.regularize_bias),
            **self._data_properties(),
        }

    def __str__(self):
        parts = [
            f"{self.data.name} N={len(self.data.X_train)}",
            f"torch module of {self.n_dof} parameters",
            f"{self.settings.loss}, regularization {self.settings.regularization:g}",
        ]
        if not self.settings.regularize_bias:
            parts.append("biases not regularized")
        return ", ".join(parts)


def is_bias(name):
    """Whether a parameter of torch is a bias, by its name: ``0.bias``, ``in_proj_bias``."""
    return "bias" in name.rpartition(".")[2]


# Tracing


def _samples(data):
    """A few samples, enough that a module cannot tell their number from one."""
    rows = np.arange(max(3, min(len(data.X_train), 5))) % len(data.X_train)
    return data.X_train[rows], data.y_train[rows]


def _traced(module, X, n_outputs):
    """The program of a module, and its outputs for the inputs; None is any number of these."""
    X = torch.tensor(X)
    try:
        with torch.no_grad(), _one_thread(), torch.random.fork_rng(devices=[]):
            first, second = module(X), module(X)
    except Exception as error:  # whatever the user's code does
        why = (str(error).strip().splitlines() or [""])[0]
        raise InputError(
            f"the module does not take inputs of shape (N, {X.shape[1]}) "
            f"({type(error).__name__}: {why})"
        ) from None
    if not isinstance(first, torch.Tensor):
        raise InputError(f"the module must return one tensor, not {type(first).__name__}")
    wanted = None if n_outputs is None else (len(X), n_outputs)
    if tuple(first.shape) != (wanted or (len(X), *first.shape[1:])):
        found = ", ".join(["N" if n == len(X) else str(n) for n in first.shape[:1]])
        shape = ", ".join([found, *map(str, first.shape[1:])]) if first.ndim else ""
        n_out = n_outputs if wanted else "n_out"
        raise InputError(f"the module must give outputs of shape (N, {n_out}), not ({shape})")
    program = trace(module, "the module", (X,))
    if not torch.equal(first, second):
        raise InputError(
            "the module gives different outputs when run twice: it draws random numbers or keeps "
            "a state, so that the loss is no function of the parameters"
        )
    if not torch.isfinite(first).all():
        raise InputError("the outputs of the module are not finite")
    free = [p.detach() for p in module.parameters() if p.requires_grad]
    try:
        with torch.no_grad(), _one_thread():
            again, alone = program(free, X), program(free, X[:1])
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise InputError(f"the module does not take any number of samples: {why}") from None
    if not torch.allclose(again, first, rtol=1e-8, atol=1e-8):
        raise InputError("the module does other than torch.export has traced of it")
    if not torch.allclose(alone[0], again[0], rtol=_ROUNDING, atol=_ROUNDING):
        raise InputError("the outputs of a sample depend on the other samples: they must not")
    return program, first


class _Loss(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, f, y):
        return self.function(f, y)


def _traced_loss(function, f, y):
    y = torch.tensor(y)
    program = trace(_Loss(function).double(), "the loss", (f, y), free_inputs=True)
    with torch.no_grad(), _one_thread():
        whole = program([], f, y)
        parts = [program([], f[i : i + 1], y[i : i + 1]) for i in range(len(f))]
    if whole.ndim or not torch.isfinite(whole):
        raise InputError("the loss must give one finite number, the mean over the samples")
    if not torch.allclose(torch.stack(parts).mean(), whole, rtol=_ROUNDING, atol=_ROUNDING):
        raise InputError("the loss must be the mean of a loss of each sample: it is not")
    return program


def _checked_units(symmetry, module, settings):
    if symmetry is None:
        free = settings.regularization == 0 or not settings.regularize_bias
        return units_of(module, free)
    try:
        units = list(symmetry)
    except TypeError:
        units = [symmetry]
    if not all(isinstance(u, Units) for u in units):
        raise InputError(f"symmetry must be a list of nnpotential.Units, not {symmetry!r}")
    return units


def _checked_device(device):
    try:
        torch.zeros(1, device=device).double()
    except Exception as error:  # torch raises many kinds
        why = (str(error).splitlines() or [""])[0]
        raise InputError(f"there is no device {device!r} here for float64: {why}") from None
    return str(device)


# Starts


def _draws(shapes, values, places):
    """For each parameter ``(n_in, n_out, centre, size)``: how a random start is drawn."""
    fans = {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            field_size = prod(shape[2:])
            layer = name.rpartition(".")[0]
            fans.setdefault(layer, (shape[1] * field_size, shape[0] * field_size))
            fans[name] = shape[1] * field_size, shape[0] * field_size
    draws = []
    for name, shape in shapes.items():
        start, stop = places[name]
        own = fans.get(name) or (fans.get(name.rpartition(".")[0]) if is_bias(name) else None)
        centre = 0.0 if own else values[start:stop]
        draws.append((*(own or (1, 1)), centre, prod(shape)))
    return draws


def _start(draws, initialization, rng):
    scheme, _, shape = initialization.partition("_")
    parts = []
    for n_in, n_out, centre, size in draws:
        variance = {"glorot": 2 / (n_in + n_out), "he": 2 / n_in, "gaussian": 1.0}[scheme]
        if shape == "uniform":
            bound = np.sqrt(3 * variance)
            parts.append(centre + rng.uniform(-bound, bound, size))
        else:
            parts.append(centre + rng.normal(0.0, np.sqrt(variance), size))
    return np.concatenate(parts)


# Files


def _sha256(text, arrays):
    digest = hashlib.sha256(text.encode())
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _read(directory):
    try:
        text = (directory / _PROGRAM).read_text(encoding="utf-8")
        with np.load(directory / _ARRAYS, allow_pickle=False) as file:
            return text, dict(file)
    except Exception as error:  # zipfile and NumPy raise many kinds
        raise InputError(
            f"{directory} lacks the module of its landscape, or it is damaged: {error}"
        ) from None
