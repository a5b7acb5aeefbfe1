"""Any smooth PyTorch module on data as a system to search. Needs the extra ``[torch]``."""

import hashlib
import json
from dataclasses import asdict, replace
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from ..checks import check_integer
from ..drawing import network_picture, profile_picture
from ..errors import InputError
from ..files import atomic_write, printable
from ..networks.datasets import Dataset
from ..networks.losses import LOSSES, Loss, default_loss, find_loss
from ..networks.mlp import INITIALIZATIONS, draw_parameters
from ..networks.symmetry import Units, UnitSymmetry, softmax_shifts
from ..networks.system import LossSystem, load_data
from .torch_potential import OWN, TorchLossSettings, TorchPotential, is_bias, one_thread
from .torch_program import Program, double_copy, torch
from .torch_tracing import ROUNDING, few_samples, traced, traced_loss
from .torch_units import units_of

__all__ = ["TorchSystem"]

_PROGRAM, _ARRAYS = "module.json", "module.npz"


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
        name = OWN if record is None else record.name
        n_outputs = None if record is None else record.n_outputs(data)
        settings = TorchLossSettings(name, regularization, regularize_bias)
        if batch_size is not None:
            batch_size = check_integer("batch_size", batch_size, 1)
        copied = double_copy(module)
        values = {n: p for n, p in copied.named_parameters() if p.requires_grad}
        if not values:
            raise InputError("the module has no parameters that require a gradient: nothing to map")
        X, y = few_samples(data)
        program, f = traced(copied, X, n_outputs)
        own_loss = traced_loss(loss, f, y) if record is None else None
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
        self.units = units
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
        # what a start is drawn around, and no more: any module of these layers is the same system
        self._values = np.concatenate([np.broadcast_to(c, size) for _, _, c, size in draws])
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
        loss = potential.getEnergy(x)
        for operation in self.identity.generators():
            other = potential.getEnergy(self.identity.apply(operation, x))
            if not abs(loss - other) <= ROUNDING * max(self.scales.energy, abs(loss)):
                what = "the declared symmetry" if declared else "the symmetry read off the module"
                hint = "" if declared else ": declare it, or none by symmetry=[]"
                raise InputError(f"{what} changes the loss, from {loss:.9g} to {other:.9g}{hint}")

    @property
    def shapes(self):
        return {name: tuple(s) for name, s in self.potential.program.parameters.items()}

    @property
    def layers(self):
        found = {}
        for name, place in self.potential.places().items():
            found.setdefault(name.rpartition(".")[0] or name, []).append(np.arange(*place))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _newton_cost(self):
        # a product costs three gradients, several at once share some of it
        return 2.0 * self.n_dof

    def outputs(self, x, X):
        return self.potential.outputs(x, X)

    @property
    def loss(self):
        return self._record(self.settings.loss)

    def _record(self, name):
        if name != OWN:
            return LOSSES[name]
        return Loss(OWN, "a loss of one's own", self._own_mean, "units of the loss", scale=None)

    def _own_mean(self, f, y):
        with torch.no_grad(), one_thread():
            return float(self.potential.own_loss([], torch.tensor(f), torch.tensor(y)))

    def picture(self, x):
        """Units and weights of linear layers; of other modules bars by parameter.

        Parameters
        ----------
        x : ndarray, shape (n_dof,)

        Returns
        -------
        Picture
        """
        program, places = self.potential.program, self.potential.places()
        layers = program.linear_stack()
        if layers is None:
            return profile_picture(x, places)
        shapes = program.parameters.values()
        free = [
            x[a:b].reshape(shape) for (a, b), shape in zip(places.values(), shapes, strict=True)
        ]
        values = [*free, *program.constants]
        return network_picture(
            [(values[w], np.empty(0) if b is None else values[b]) for w, b in layers]
        )

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
    return np.concatenate(
        [
            centre + draw_parameters(rng, initialization, n_in, n_out, size)
            for n_in, n_out, centre, size in draws
        ]
    )


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
