"""A directory with a network of stationary points of which no coordinates are known."""

import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from os import PathLike
from typing import Any, Self

import numpy as np

from ..analysis.figures import summarise_network
from ..analysis.transition_network import StationaryPoints, TransitionNetwork
from ..checks import check_integer, plain
from ..errors import InputError
from ..files import absolute, atomic_write, new_directory
from ..settings import NETWORK, read_settings, write_settings
from ..view.disconnectivity import draw_graphs
from ..view.options import Drawing
from ..view.report import write_network_report
from ..view.source import Source
from ..view.tree import LEVELS

__all__ = ["NetworkDirectory"]

_ARRAYS = "network.npz"
_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)
_SCALARS = ("n_vibrations", "kinetic", "energy_label", "joined")


class NetworkDirectory:
    """A network in a directory: ``network.npz``, without pickled objects, and ``settings.toml``.

    Use `create` or `open`. It can be drawn, summed up and measured as a landscape can.

    Attributes
    ----------
    path : pathlib.Path
        Absolute.
    settings : dict
        As in ``settings.toml``.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = absolute(path)
        self.settings = read_settings(self.path, NETWORK)
        try:
            self._network = _read(self.path / _ARRAYS, self.settings[NETWORK])
        except _DAMAGE as error:
            what = getattr(error, "strerror", None) or error
            raise InputError(f"{self.path / _ARRAYS} is missing or damaged: {what}") from None

    @classmethod
    def create(
        cls, path: str | PathLike[str], network: TransitionNetwork, source: str = ""
    ) -> Self:
        """Make a new directory, whole or not at all.

        Parameters
        ----------
        path : path
            Must not exist, or be an empty directory.
        network : TransitionNetwork
        source : str
            Where it is from, for the settings.

        Raises
        ------
        InputError
            If the place is taken or cannot be written.
        """
        if not len(network):
            raise InputError("there is no minimum to keep")
        scalars = {name: getattr(network, name) for name in _SCALARS}
        section = {name: value for name, value in scalars.items() if value is not None}
        audit = {name: value for name, value in plain(network.audit).items() if value is not None}
        settings = {
            NETWORK: {**section, "source": source, "audit": audit},
            "versions": {"nnpotential": version("nnpotential")},
        }
        with new_directory(path) as folder:
            with atomic_write(folder / _ARRAYS, "wb") as file:
                np.savez_compressed(file, **_arrays(network))
            write_settings(folder, settings)
        return cls(path)

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """Open one that exists.

        Raises
        ------
        InputError
            If there is none, or it is damaged.
        """
        return cls(path)

    def network(self) -> TransitionNetwork:
        """The network."""
        return self._network

    def summary(self) -> dict[str, Any]:
        """Its figures; see `summarise_network`."""
        figures = summarise_network(self._network)
        return {**figures, "versions": self.settings["versions"], "settings": self.settings}

    def draw(
        self,
        paths: Sequence[str | PathLike[str]] | None = None,
        *,
        title: str | None = None,
        **drawing: Any,
    ) -> tuple[int, int]:
        """Draw ``disconnectivity.png`` and ``.svg``, as `Landscape.draw` does.

        Raises
        ------
        InputError
            If a measure or an inset is asked for, which would need coordinates.
        """
        options = Drawing.of(**drawing)
        if paths is None:
            paths = [self.path / f"disconnectivity.{suffix}" for suffix in ("png", "svg")]
        source = Source(self._network, self.path.name)
        [found] = draw_graphs([[source]], paths, options, titles=[title])
        return len(found), found.n_minima

    def report(
        self,
        *,
        quick: bool = False,
        levels: int = LEVELS,
        title: str | None = None,
        summary: dict[str, Any] | None = None,
    ) -> Any:
        """Write ``report.html``, as `Landscape.report` does; nothing takes long here."""
        levels = check_integer("levels", levels, 2)
        title = self.path.name if title is None else title
        path = self.path / "report.html"
        figures = self.summary() if summary is None else summary
        write_network_report(path, self._network, figures, title=title, levels=levels)
        return path


def _arrays(network: TransitionNetwork) -> dict[str, Any]:
    arrays: dict[str, Any] = {name: getattr(network, name) for name in ("ends", "hits", "grown")}
    for kind in ("minima", "states"):
        points = vars(getattr(network, kind))
        arrays |= {f"{kind}_{name}": values for name, values in points.items()}
    return {name: values for name, values in arrays.items() if values is not None}


def _read(path: Any, section: dict[str, Any]) -> TransitionNetwork:
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    minima, states = (_points(arrays, f"{kind}_") for kind in ("minima", "states"))
    known = {name: section[name] for name in _SCALARS if name in section}
    known |= {name: arrays.get(name) for name in ("hits", "grown")}
    known |= {"audit": section.get("audit", {})}
    return TransitionNetwork(minima, states, arrays["ends"], **known)


def _points(arrays: dict[str, Any], prefix: str) -> StationaryPoints:
    names = [name for name in arrays if name.startswith(prefix)]
    return StationaryPoints.of(**{name.removeprefix(prefix): arrays[name] for name in names})
