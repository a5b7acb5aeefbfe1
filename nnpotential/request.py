"""A landscape asked for by a name and options, and whether one that exists is that."""

import logging
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from .checks import check_choice
from .errors import InputError
from .files import printable
from .landscape import Landscape
from .networks.datasets import DATASETS, load_dataset
from .networks.losses import default_loss, find_loss
from .networks.mlp import MLP
from .networks.system import NNSystem
from .settings import check_same_settings
from .systems.registry import SYSTEMS, named_system

__all__ = ["HIDDEN", "Request", "silent"]

HIDDEN = [10]  # sizes of the hidden layers by default


class Request:
    """What a user asks for; what is None or left out is as it is by default, or as it was.

    Parameters
    ----------
    name : str or None
        A data set, or a system such as ``lj13``; not needed to continue.
    hidden : list of int, optional
        Sizes of the hidden layers of a network.
    seed : int, optional
    dataset_options, network_options, loss_options : dict
        For `load_dataset`, `MLP` and `NNSystem`. Of a data set also a seed of its own.
    system_options : dict
        For `named_system`.
    load : callable
        In place of `load_dataset`, as one that remembers.
    """

    def __init__(
        self,
        name,
        *,
        hidden=None,
        seed=None,
        dataset_options=(),
        network_options=(),
        loss_options=(),
        system_options=(),
        load=load_dataset,
    ):
        self._name, self._hidden, self._asked_seed = name, hidden, seed
        self._dataset, self._network = dict(dataset_options), dict(network_options)
        self._loss, self._system = dict(loss_options), dict(system_options)
        self._load = load

    @property
    def seed(self):
        """The seed, where none was asked for 0."""
        return 0 if self._asked_seed is None else self._asked_seed

    def system(self):
        """The system, and a name for its directory.

        Raises
        ------
        InputError
            If there is no such system, or an option is not for it.
        """
        system = named_system(self._name, self.seed, **self._system)
        if system is not None:
            self._refuse_options_of_networks()
            return system, self._name
        if self._name not in DATASETS and not (
            Path(self._name).suffix or Path(self._name).exists()
        ):
            check_choice("data set or system", self._name, (*DATASETS, *SYSTEMS))
        loss = find_loss(self._loss["loss"]) if "loss" in self._loss else None
        regression = loss is not None and not loss.takes_labels
        options = {"seed": self.seed, **self._dataset}
        data = self._load(self._name, regression=regression, **options)
        sizes = HIDDEN if self._hidden is None else self._hidden
        n_outputs = (loss or default_loss(data)).n_outputs(data)
        net = MLP([data.n_inputs, *sizes, n_outputs], **self._network)
        data = replace(data, name=printable(data.name))
        system = NNSystem(net, data, seed=self.seed, **self._loss)
        shape = "x".join(map(str, sizes)) or "none"
        return system, f"{Path(data.name).stem}-{shape}-{len(data.X_train)}"

    def open(self, path):
        """The landscape in a directory, if there is one and it is what was asked for, or None.

        Raises
        ------
        InputError
            If it is another one; if there is none, and no name to make it from.
        """
        if path is not None and (path / "settings.toml").is_file():
            land = Landscape.open(path)
            try:
                self._compare(path, land.settings)
            except BaseException:
                land.close()
                raise
            return land
        if self._name is None:
            raise InputError(
                "DATASET is missing: name one, or with --output a landscape to continue"
                if path is None
                else f"{path} is no landscape to continue: name a DATASET to map one there"
            )
        return None

    def _refuse_options_of_networks(self):
        options = {"hidden": self._hidden, **self._dataset, **self._network, **self._loss}
        for name, given in options.items():
            if given is not None:
                option = f"--{'no-' * (given is False)}{name.replace('_', '-')}"
                raise InputError(f"{option} is for networks; {self._name} is none")

    def _compare(self, path, found):
        asked = {"dataset": self._dataset, "network": self._network, "potential": self._loss}
        if self._asked_seed is not None:
            asked["seed"] = self._asked_seed
        system = None if self._name is None else named_system(self._name, **self._system)
        if system is not None:
            self._refuse_options_of_networks()
            asked = {**asked, "system": {"kind": system.kind}, **system.describe()}
        elif self._name is not None:
            name = printable(Path(self._name).name)
            asked = {
                "system": {"kind": "network"},
                **asked,
                "dataset": {**self._dataset, "name": name},
            }
        if self._hidden is not None:
            ends = found.get("network", {}).get("layer_sizes", ())
            sizes = [*ends[:1], *self._hidden, *ends[-1:]]
            asked["network"] = {**self._network, "layer_sizes": sizes}
        check_same_settings(path, found, asked)
        if system is None and self._name not in (None, *DATASETS) and Path(self._name).exists():
            check_same_settings(path, found, {"dataset": {"sha256": self._read_again(found)}})

    def _read_again(self, found):
        """The checksum of a file's data, read as they were."""
        recorded = found["dataset"]
        with silent(logging.getLogger(load_dataset.__module__)):  # all has been said before
            return load_dataset(
                self._name,
                self._dataset.get("n_train", recorded["n_train"]),
                self._dataset.get("n_test", recorded["n_test"]),
                seed=recorded.get("seed", found["seed"]),
                standardize=recorded.get("standardize", True),
                regression=not find_loss(found["potential"]["loss"]).takes_labels,
            ).sha256


@contextmanager
def silent(logger):
    """Say nothing again within the block."""
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False
