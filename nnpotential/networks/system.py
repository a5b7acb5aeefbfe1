"""The loss of a network on a data set as a system to search."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, astuple
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..contract import (
    TRAVELLING,
    Array,
    Enclosure,
    Identity,
    LandscapeSystem,
    Scales,
    is_large,
)
from ..drawing import Picture, network_picture
from ..errors import InputError
from .activations import ACTIVATIONS
from .datasets import Dataset
from .enclosures import NetworkEnclosure
from .generalisation import network_measures
from .losses import LOSSES, Loss, default_loss, find_loss
from .mlp import INITIALIZATIONS, MLP
from .potential import LossSettings, NNPotential
from .symmetry import Symmetry
from .training import trainers

__all__ = ["LossSystem", "NNSystem", "load_data"]

_DATASET = "dataset.npz"


class LossSystem(LandscapeSystem):
    """The loss of a model on a data set, whatever the model: what all of these share.

    Attributes
    ----------
    data : Dataset
        Its training set defines the loss.
    settings : LossSettings
    loss : Loss
        What of it stands in no setting.
    """

    potential: Any  # has n_samples besides
    kinetic = False

    def _set_parts(
        self,
        *,
        data: Dataset,
        settings: LossSettings,
        potential: Any,
        identity: Identity,
        n_dof: int,
        energy: float,
        starts: dict[str, Any],
    ) -> None:
        """All that the contract asks for, from the parts."""
        self.data, self.settings = data, settings
        self.potential, self.identity = potential, identity
        self.scales = Scales(energy, identity.tolerance)
        self.n_dof, self.starts = n_dof, starts
        self.measures = network_measures(self)
        self.energy_label = f"regularised loss ({self.loss.unit} per sample)"
        self._set_params()

    @property
    def loss(self) -> Loss:
        """The record of the loss."""
        return LOSSES[self.settings.loss]

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters by name, in the order of a vector."""

    @property
    @abstractmethod
    def layers(self) -> dict[str, NDArray[np.int64]]:
        """Where the parameters of each layer are in a vector, from the input on."""

    @abstractmethod
    def outputs(self, x: Array, X: Array) -> Array:
        """What the model gives for inputs, before any softmax, shape (n_samples, n_out)."""

    def _set_params(self) -> None:
        p = self.params
        large = is_large(self.n_dof)
        # Neighbouring minima differ by hundredths of a nat, not by units.
        p.basinhopping.temperature = 0.01 * self.scales.energy
        # At 1.0 most steps of 3-10-4 and 3-5-4 networks fell back, at 2.0 few did.
        p.takestep.stepsize = 2.0
        # The default of 0.1 crawls across distances of order ten.
        p.structural_quench_params.maxstep = 1.0
        # Roughly the Hessian and a factorisation.
        p.structural_quench_params.newton_cost = self._newton_cost()
        local = p.double_ended_connect.local_connect_params
        if large:
            # Where a band takes minutes, the search had better choose a new pair in between.
            p.double_ended_connect.niter = 3
            # With steps of up to 0.1 climbs of a 64-10-10 network take twice as many of them,
            # with steps of up to 1 fewer arrive.
            local.tsSearchParams.max_radius = 0.3
        neb = local.NEBparams
        # Forces of a loss are near 0.1 and below; stiffer springs drown them.
        neb.k = 0.01
        # Aligned minima are about five apart; three images a unit resolve the path.
        neb.image_density = 3.0
        neb.max_images = 30
        # The default tolerance of 1e-2 stops the band after two steps; the default
        # memory of 4 and step of 0.1 leave it short of its path after that many iterations.
        neb.NEBquenchParams = {"tol": 1e-5, "maxErise": 100.0, "maxstep": 0.5, "M": 10}

    def _newton_cost(self) -> float:
        """Gradients that a Hessian and its factorisation cost."""
        n = self.n_dof
        return n / 8 + n**2 / (3 * self.potential.n_samples)

    def why_no_minimum(self, failures: Mapping[str, Any]) -> str | None:
        """Why a search found no minimum, a sentence, or None where that is not known.

        Parameters
        ----------
        failures : dict
            By what became of the quenches: how many (``n``), and ``lowest_loss``.
        """
        deviation = self.scales.energy**0.5
        if failures and not 0.03 < deviation < 30:
            return (
                f"the targets deviate by {deviation:.1g}, where weights begin near one: "
                "standardise them"
            )
        weight = f"{self.settings.regularization:g}"
        if failures and TRAVELLING not in failures:
            ended = ", ".join(f"{entry['n']} {reason}" for reason, entry in failures.items())
            return (
                f"no quench converged at regularization {weight} ({ended}); with a weak penalty or "
                "none there may be no minimum: give a larger --regularization"
            )
        if not failures:
            return None
        lowest = failures[TRAVELLING]["lowest_loss"]
        vanishes = lowest <= 1e-6 * self.scales.energy
        remedy = "give --regularization" if weight == "0" else "give a larger --regularization"
        return (
            f"the loss has no minimum at regularization {weight} on these data: it falls "
            f"{'towards 0 ' if vanishes else ''}as the parameters grow; {remedy}"
        )

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``dataset.npz``."""
        self.data.save(Path(directory) / _DATASET)

    def _data_properties(self) -> dict[str, str]:
        """What a database records of the data."""
        return {"dataset": self.data.name, "dataset_sha256": self.data.sha256}


class NNSystem(LossSystem):
    """The loss of a network on a data set as a complete pele system.

    Parameters
    ----------
    net : MLP
    data : Dataset
        Its training set defines the loss.
    loss : str, optional
        One of `LOSSES`; by default cross-entropy for class labels, squared error
        for targets.
    regularization : float
        Weight of the sum of squared parameters.
    regularize_bias : bool
    seed : int or sequence of int
        Fixes the random starts and steps of this object. pele's own random
        steps draw from NumPy's global state; none is used here.

    Attributes
    ----------
    potential : NNPotential
    identity : Symmetry
    scales : Scales
        What is small here: tolerances, the window of energies.
    params : pele.systems.Parameters
        Tuned to these landscapes; change them as on any pele system.

    Examples
    --------
    >>> import nnpotential as nnp
    >>> data = nnp.load_dataset("iris", seed=0)
    >>> system = nnp.NNSystem(nnp.MLP([4, 3, 3]), data, regularization=1e-3)
    >>> database = system.create_database()
    >>> system.get_basinhopping(database=database, outstream=None).run(5)
    """

    kind = "network"

    def __init__(
        self,
        net: MLP,
        data: Dataset,
        *,
        loss: str | None = None,
        regularization: float = 1e-4,
        regularize_bias: bool = True,
        seed: Any = 0,
    ) -> None:
        super().__init__(seed)
        ACTIVATIONS[net.activation].require_smooth(
            ", so its landscape has no transition states to find"
        )
        record = default_loss(data) if loss is None else find_loss(loss)
        n_outputs = record.n_outputs(data)
        if net.layer_sizes[0] != data.n_inputs or net.layer_sizes[-1] != n_outputs:
            raise InputError(
                f"these data and {record.name} need a network with {data.n_inputs} inputs and "
                f"{n_outputs} output{'s' * (n_outputs > 1)}, not {net.layer_sizes[0]} and "
                f"{net.layer_sizes[-1]}"
            )
        self.net = net
        settings = LossSettings(record.name, regularization, regularize_bias)
        self._set_parts(
            data=data,
            settings=settings,
            potential=NNPotential(net, data.X_train, data.y_train, **asdict(settings)),
            identity=Symmetry(net, *astuple(settings)),
            n_dof=net.n_parameters,
            energy=record.scale(data.y_train),
            starts={name: partial(_start, net, name) for name in INITIALIZATIONS},
        )
        self.trainers = trainers(self)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        found = {}
        for k, (weights, bias) in enumerate(self.net.split(np.empty(self.n_dof)), 1):
            found[f"layer {k}.weight"] = weights.shape
            if self.net.bias:
                found[f"layer {k}.bias"] = bias.shape
        return found

    @property
    def layers(self) -> dict[str, NDArray[np.int64]]:
        layers = self.net.split(np.arange(self.n_dof, dtype=float))
        return {
            f"layer {k}": np.concatenate([weights.ravel(), bias]).astype(np.int64)
            for k, (weights, bias) in enumerate(layers, 1)
        }

    def outputs(self, x: Array, X: Array) -> Array:
        return self.net.outputs(x, X)

    def blocks(self) -> dict[str, tuple[int, ...]]:
        return self.net.blocks()

    def enclosure(self) -> Enclosure:
        """See `NetworkEnclosure`."""
        zero_modes = self.identity.zero_modes(np.zeros(self.n_dof))
        return NetworkEnclosure(self.net, self.data, self.settings, zero_modes)

    def picture(self, x: Array) -> Picture:
        """Units and weights; see `network_picture`."""
        return network_picture(self.net.split(x))

    def get_system_properties(self) -> dict[str, Any]:
        """What a database of this system records, all plain numbers and strings."""
        return {
            "layer_sizes": "-".join(map(str, self.net.layer_sizes)),
            "activation": self.net.activation,
            "bias": int(self.net.bias),
            "loss": self.settings.loss,
            "regularization": self.settings.regularization,
            "regularize_bias": int(self.settings.regularize_bias),
            **self._data_properties(),
        }

    def describe(self) -> dict[str, dict[str, Any]]:
        """The sections ``[dataset]``, ``[network]`` and ``[potential]``."""
        return {
            "dataset": self.data.settings,
            "network": {
                "layer_sizes": list(self.net.layer_sizes),
                "activation": self.net.activation,
                "bias": self.net.bias,
            },
            "potential": asdict(self.settings),
        }

    @classmethod
    def load(cls, directory: str | PathLike[str], settings: Mapping[str, Any]) -> Self:
        """The network, data and loss of a landscape.

        Raises
        ------
        InputError
            If the data are missing, damaged, or not those of the settings.
        """
        data = load_data(directory, settings)
        return cls(MLP(**settings["network"]), data, **settings["potential"], seed=settings["seed"])

    def __str__(self) -> str:
        sizes = "-".join(map(str, self.net.layer_sizes))
        parts = [f"{self.data.name} N={len(self.data.X_train)}", f"{sizes} {self.net.activation}"]
        if not self.net.bias:
            parts.append("no biases")
        parts.append(f"{self.settings.loss}, regularization {self.settings.regularization:g}")
        if self.net.bias and not self.settings.regularize_bias:
            parts.append("biases not regularized")
        return ", ".join(parts)


def load_data(directory: str | PathLike[str], settings: Mapping[str, Any]) -> Dataset:
    """The data set of a landscape.

    Raises
    ------
    InputError
        If it is missing, damaged, or not that of the settings.
    """
    recorded, path = settings["dataset"], Path(directory) / _DATASET
    known = ("name", "seed", "n_train", "n_test", "sha256")
    data = Dataset.load(
        path,
        name=recorded["name"],
        seed=recorded.get("seed"),
        details={name: value for name, value in recorded.items() if name not in known},
    )
    if data.sha256 != recorded["sha256"]:
        raise InputError(f"{path} is not the data set that settings.toml describes")
    return data


def _start(net: MLP, initialization: str, rng: np.random.Generator) -> Array:
    return net.random_parameters(rng, initialization)
