"""One point of a sweep: the settings of a landscape, as a plain nested dict."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from inspect import Parameter, signature
from pathlib import Path

from ..networks.datasets import DATASETS, load_dataset
from ..networks.mlp import MLP
from ..networks.system import NNSystem
from ..request import HIDDEN, Request
from ..search.settings import SearchSettings
from ..systems.registry import system_options

__all__ = ["DEFAULTS", "Point", "default_settings", "point_request", "search_settings"]


def _defaults(function, *left_out):
    given = signature(function).parameters.values()
    return {p.name: p.default for p in given if p.name not in left_out}


# landscapes are compared by the minima of their quenches: none is grown unless it is asked for
_ALIKE = {"grow": 0}

# of each section, what may be set and what it is by default
DEFAULTS = {
    "dataset": {
        "name": None,
        **_defaults(load_dataset, "source", "regression"),
        "seed": None,  # by default that of the search
    },
    "network": {"hidden": HIDDEN, **_defaults(MLP, "layer_sizes")},
    "potential": _defaults(NNSystem, "net", "data", "seed"),
    "search": {option.name: option.default for option in fields(SearchSettings)} | _ALIKE,
}


def default_settings(settings):
    """What may be set beside some settings, by section, and what it is by default."""
    if "system" in settings:
        name = settings["system"].get("name")
        known = {"name": name, **(system_options(name) if isinstance(name, str) else {})}
        return {"system": known, "search": DEFAULTS["search"]}
    return DEFAULTS


def point_request(settings, **how):
    """The `Request` that the settings of a point are.

    Parameters
    ----------
    settings : dict
        Nested: ``seed``, ``system`` or ``dataset``, ``network``, ``potential``.
    **how
        For `Request`.
    """
    parts = {name: dict(settings.get(name, ())) for name in ("dataset", "network", "potential")}
    system = dict(settings.get("system", ()))
    name = system.pop("name", None) or parts["dataset"].pop("name")
    return Request(
        name,
        hidden=parts["network"].pop("hidden", None),
        seed=settings.get("seed", 0),
        dataset_options=parts["dataset"],
        network_options=parts["network"],
        loss_options=parts["potential"],
        system_options=system,
        **how,
    )


# settings that came when there were sweeps, whose points stay the same where they are not used
_LATER = {
    option.name: DEFAULTS["search"][option.name]
    for option in fields(SearchSettings)
    if "later" in option.metadata
}


@dataclass(frozen=True)
class Point:
    """One landscape of a sweep.

    Parameters
    ----------
    index : int
        In the grid.
    label : str
        Names what varies; the directory's name, unless that is taken.
    settings : dict
        As given, nested.
    sha256 : str, optional
        Of the file that holds its data.
    """

    index: int
    label: str
    settings: dict
    sha256: str | None = None

    @property
    def search(self):
        """Its settings of the search, as given."""
        return self.settings.get("search", {})

    @cached_property
    def resolved(self):
        """All settings, those left out as they are by default."""
        found = {"seed": self.settings.get("seed", 0)}
        for section, known in default_settings(self.settings).items():
            known = {k: v for k, v in known.items() if v is not Parameter.empty}
            found[section] = {**known, **self.settings.get(section, {})}
        found["search"] = asdict(self.effort)
        if self.sha256 is not None:
            found["dataset"] |= {"name": Path(found["dataset"]["name"]).name, "sha256": self.sha256}
        return found

    @property
    def key(self):
        """Two points of one key are the same landscape, whatever they are called."""
        search = self.resolved["search"]
        known = {k: v for k, v in search.items() if k not in _LATER or v != _LATER[k]}
        return _digest({**self.resolved, "search": known})

    @property
    def landscape(self):
        """As `key`, whatever the effort of the search."""
        return _digest({**self.resolved, "search": None})

    @property
    def effort(self):
        """The search as resolved."""
        return search_settings(self.settings)

    @property
    def data_file(self):
        """The file that holds its data, or None."""
        return None if self.sha256 is None else Path(self.settings["dataset"]["name"])


def search_settings(settings):
    """The `SearchSettings` of a point of such settings."""
    return SearchSettings(**_ALIKE | settings.get("search", {}))


def is_file(name):
    """Whether a name of a data set is that of a file."""
    return isinstance(name, str) and name not in DATASETS


def effort_lacks(old, new):
    """Why a search cannot go on as another, or None: limits may rise, nothing else may change."""
    old, new = asdict(old), asdict(new)
    for option in fields(SearchSettings):
        name = option.name
        was, would = old[name], new[name]
        limit = option.metadata.get("least") == 0 or name == "until_coverage"
        rises = limit and None not in (was, would) and would > was
        if was != would and not rises:
            return f"{name} was {was!r} and would be {would!r}"
    return None


def _digest(settings):
    text = json.dumps(_canonical(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value):
    """Equal settings alike: 1 and 1.0, a tuple and a list."""
    if isinstance(value, dict):
        return {name: _canonical(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
