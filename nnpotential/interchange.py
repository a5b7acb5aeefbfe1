"""From and to other programs: what files hold, what a directory holds, and which goes where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from .analysis.transition_network import TransitionNetwork
from .checks import check_integer
from .errors import InputError
from .exchange.directory import NetworkDirectory
from .exchange.pathsample import DATABASE, PathsampleDatabase
from .exchange.programs import INPUTS, read_network, why_no_inputs, write_inputs
from .files import absolute, new_directory
from .landscape import Landscape
from .networks.system import NNSystem
from .settings import SETTINGS, is_network

__all__ = [
    "PROGRAMS",
    "Exported",
    "Imported",
    "export_pathsample",
    "import_pathsample",
    "open_directory",
    "open_network",
]

PROGRAMS = ("pathsample",)

StrPath: TypeAlias = str | PathLike[str]
_DATA_SET = "MLPdata"
_SAME = 1e-9  # inputs may have been written with fewer digits
_KNOWN = (*DATABASE, *INPUTS)


@dataclass(frozen=True)
class Imported:
    """What became of files.

    Attributes
    ----------
    place : Landscape or NetworkDirectory
    found : PathsampleDatabase or None
        The points that the files hold, if any.
    new : tuple of int, or None
        How many minima and transition states of them a landscape did not have.
    notes : list of str
        What a reader has to know.
    """

    place: Landscape | NetworkDirectory
    found: PathsampleDatabase | None
    new: tuple[int, int] | None
    notes: list[str]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    folder : pathlib.Path
    names : list of str
        Of the files in it.
    network : TransitionNetwork
    notes : list of str
        What a reader has to know.
    """

    folder: Path
    names: list[str]
    network: TransitionNetwork
    notes: list[str]


def open_directory(path: StrPath) -> Landscape | NetworkDirectory:
    """What a directory holds: a landscape, or a network without coordinates.

    Raises
    ------
    InputError
        If it is neither, or damaged.
    """
    return (NetworkDirectory if is_network(absolute(path)) else Landscape).open(path)


def open_network(path: StrPath) -> TransitionNetwork:
    """The network of a directory, whether points have coordinates there or not.

    Of a landscape every Hessian is evaluated anew; see `Landscape.network`.

    Raises
    ------
    InputError
        As from `open_directory`.
    """
    return open_directory(path).network()


def import_pathsample(
    path: StrPath,
    sources: Sequence[StrPath],
    *,
    seed: int | None = None,
    n_vibrations: int | None = None,
    energy_label: str | None = None,
    kinetic: bool | None = None,
) -> Imported:
    """Bring PATHSAMPLE's database, or GMIN's or OPTIM's inputs of a network, into a directory.

    Points with coordinates go into a landscape: one that is there, or one made of the
    inputs. Without coordinates, ``min.data`` and ``ts.data`` alone become a directory of
    their own. All of it is done, or nothing.

    Parameters
    ----------
    path : path
        A landscape, or a place that is free.
    sources : sequence of path
        Files by their usual names, or folders that hold them.
    seed : int, optional
        Of a landscape that is made.
    n_vibrations, energy_label, kinetic : optional
        Of points without coordinates: the vibrations, the label of the energy axis, and
        whether there is a kinetic half.

    Returns
    -------
    Imported

    Raises
    ------
    InputError
        If files are missing, malformed, or do not fit each other or what is there.
    """
    files, inputs = _files(sources)
    exists = (absolute(path) / SETTINGS).is_file()
    if is_network(absolute(path)):
        raise InputError(f"{path} holds a network without coordinates already: choose a new place")
    told: dict[str, Any] = {
        "n_vibrations": n_vibrations,
        "energy_label": energy_label,
        "kinetic": kinetic,
    }
    told = {name: value for name, value in told.items() if value is not None}
    if told and (exists or inputs):
        raise InputError(
            "vibrations, label and kinetic are told of points without coordinates alone: a "
            "landscape knows them"
        )
    if seed is not None and (exists or not inputs):
        raise InputError("a seed goes with a landscape that is made from a network's inputs")
    if exists:
        return _into(path, files, inputs)
    if inputs:
        return _made(path, files, 0 if seed is None else seed)
    if "points.min" in files:
        raise InputError(
            f"{files['points.min']} holds coordinates, but of which system is not known: give a "
            "landscape that exists as DIR, or the network's inputs beside (MLPdata with data or "
            "odata); to leave the coordinates out, name min.data and ts.data alone"
        )
    if n_vibrations is not None:
        check_integer("the number of vibrations", n_vibrations, 1)
    found = PathsampleDatabase.read(files, **told)
    place = NetworkDirectory.create(path, found.network, "pathsample")
    return Imported(place, found, None, [])


def export_pathsample(path: StrPath, output: StrPath | None = None) -> Exported:
    """Write a landscape, or a network without coordinates, as PATHSAMPLE's database.

    For a network that the programs have too, their inputs are written besides, and its
    parameters stand in their order.

    Parameters
    ----------
    path : path
    output : path, optional
        A new or empty directory, by default ``pathsample`` in `path`.

    Returns
    -------
    Exported

    Raises
    ------
    InputError
        If there is nothing to write, or the place is taken.
    """
    place = open_directory(path)
    notes: list[str] = []
    target: Path = place.path / "pathsample" if output is None else absolute(output)
    with new_directory(target) as folder:
        if isinstance(place, Landscape):
            if not len(place.graph()):
                raise InputError(f"{path} has no verified minimum to export: run 'explore' first")
            found = place.points()
            names = found.write(folder)
            if isinstance(place.system, NNSystem):
                lacking = why_no_inputs(place.system)
                if lacking is None:
                    names += write_inputs(
                        folder, place.system, found.network.minima.energies, found.minima
                    )
                else:
                    notes.append(
                        f"no inputs of the programs, and parameters in our own order: {lacking}"
                    )
        else:
            found = PathsampleDatabase(place.network())
            names = found.write(folder)
    return Exported(target, names, found.network, notes)


def _files(sources: Sequence[StrPath]) -> tuple[dict[str, Path], bool]:
    """Paths by name, and whether there is a network to be made of them."""
    files: dict[str, Path] = {}
    wanted = False  # by its inputs being named, not only met in a folder
    for source in map(Path, sources):
        if source.is_dir():
            inside = {name: source / name for name in _KNOWN if (source / name).is_file()}
            if not inside:
                raise InputError(f"{source} holds none of {', '.join(_KNOWN)}")
        elif not source.exists():
            raise InputError(f"there is no file {source}")
        elif source.name not in _KNOWN:
            raise InputError(f"{source} is not known by its name: files are {', '.join(_KNOWN)}")
        else:
            inside = {source.name: source}
            wanted = wanted or source.name in INPUTS
        for name, file in inside.items():
            if name in files:
                raise InputError(f"two files {name} are given: {files[name]} and {file}")
            files[name] = file
    if not files:
        raise InputError(f"give the files to import: some of {', '.join(_KNOWN)}, or their folder")
    return files, wanted or _DATA_SET in files


def _into(path: StrPath, files: Mapping[str, Path], inputs: bool) -> Imported:
    """Points into a landscape that exists."""
    land = Landscape.open(path)
    notes: list[str] = []
    if inputs:
        system, notes = read_network(files)
        _check_same_network(path, land.system, system)
    if "points.min" not in files:
        raise InputError(
            f"{path} is a landscape, whose points need coordinates: give points.min"
            + (" and points.ts" if "ts.data" in files else "")
            + ", or choose a new place"
        )
    found = PathsampleDatabase.read(files, land.system.n_dof)
    return Imported(land, found, land.add_points(found), notes)


def _made(path: StrPath, files: Mapping[str, Path], seed: int) -> Imported:
    """A landscape made of a network's inputs, with the points that go with them."""
    system, notes = read_network(files, check_integer("the seed", seed, 0))
    found = new = None
    if any(name in files for name in DATABASE):
        if "points.min" not in files:
            raise InputError(
                "a network's landscape needs the coordinates of its points: give points.min and "
                "points.ts too; for a network of points without coordinates name min.data and "
                "ts.data alone"
            )
        found = PathsampleDatabase.read(files, system.n_dof)
    with new_directory(path) as unfinished:
        land = Landscape.create(unfinished, system, seed=seed)
        try:
            if found is not None:
                new = land.add_points(found)
        finally:
            land.close()
    return Imported(Landscape.open(path), found, new, notes)


def _check_same_network(path: StrPath, here: Any, there: NNSystem) -> None:
    if not isinstance(here, NNSystem):
        raise InputError(f"{path} is no landscape of a network ({here}), but MLPdata is of one")
    for section in ("network", "potential"):
        for name, value in there.describe()[section].items():
            known = here.describe()[section][name]
            if value != known:
                raise InputError(
                    f"{path} has {section}.{name} = {known!r}, the programs' inputs {value!r}"
                )
    X, y = here.data.X_train, here.data.y_train
    same = np.array_equal(y, there.data.y_train) and X.shape == there.data.X_train.shape
    if not same or not np.allclose(X, there.data.X_train, rtol=_SAME, atol=_SAME):
        raise InputError(f"{path} has another data set than MLPdata")
