"""From and to other programs: what files hold, what a directory holds, and which goes where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np

from .analysis.transition_network import TransitionNetwork
from .checks import check_integer
from .errors import InputError
from .exchange.directory import NetworkDirectory
from .exchange.pathsample import DATABASE, PathsampleDatabase
from .exchange.points import Points
from .exchange.programs import INPUTS, read_network, why_no_inputs, write_inputs
from .exchange.topsearch import TOPSEARCH_FILES, TopsearchNetwork
from .files import absolute, new_directory
from .landscape import Landscape
from .networks.system import NNSystem
from .settings import SETTINGS, is_network
from .verification.stored import left_out_text

__all__ = [
    "Exported",
    "Imported",
    "StrPath",
    "export_pathsample",
    "export_topsearch",
    "import_pathsample",
    "import_topsearch",
    "open_directory",
    "open_network",
]

StrPath: TypeAlias = str | PathLike[str]
_DATA_SET = "MLPdata"
_SAME = 1e-9  # inputs may have been written with fewer digits
_PATHSAMPLE = (*DATABASE, *INPUTS)


@dataclass(frozen=True)
class Imported:
    """What became of files.

    Attributes
    ----------
    place : Landscape or NetworkDirectory
    read : tuple of int, or None
        How many minima and transition states the files hold, if any.
    new : tuple of int, or None
        How many of them a landscape did not have, as points from outside.
    notes : list of str
        What a reader has to know.
    """

    place: Landscape | NetworkDirectory
    read: tuple[int, int] | None
    new: tuple[int, int] | None
    notes: list[str]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    place : pathlib.Path
        A folder, or a file.
    names : list of str
        Of the files in it.
    size : tuple of int
        How many minima and transition states.
    notes : list of str
        What a reader has to know.
    network : TransitionNetwork or None
        Not of an archive, whose points need not be verified.
    """

    place: Path
    names: list[str]
    size: tuple[int, int]
    notes: list[str]
    network: TransitionNetwork | None = None

    @classmethod
    def of(cls, place: Path, names: list[str], network: TransitionNetwork, notes: Any = ()) -> Self:
        """Of a network that was written."""
        return cls(place, names, (len(network), len(network.states)), list(notes), network)


def unverified_notes(source: Landscape | NetworkDirectory, network: TransitionNetwork) -> list[str]:
    """What to note of the points that are not in a network of all verified ones."""
    if not isinstance(source, Landscape):
        return []
    note = left_out_text(source.database, len(network) + len(network.states))
    return [] if note is None else [note]


def open_directory(path: StrPath, untrusted: bool = False) -> Landscape | NetworkDirectory:
    """What a directory holds: a landscape, or a network without coordinates.

    Parameters
    ----------
    path : path
    untrusted : bool
        As for `Landscape.open`; a network without coordinates holds no pickles.

    Raises
    ------
    InputError
        If it is neither, or damaged.
    """
    if is_network(absolute(path)):
        return NetworkDirectory.open(path)
    return Landscape.open(path, untrusted=untrusted)


def open_network(path: StrPath, untrusted: bool = False) -> TransitionNetwork:
    """The network of a directory, whether points have coordinates there or not.

    Of a landscape every Hessian is evaluated anew; see `Landscape.network`.

    Raises
    ------
    InputError
        As from `open_directory`.
    """
    return open_directory(path, untrusted).network()


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
    files = _files(sources, _PATHSAMPLE)
    named = [path for path in map(Path, sources) if not path.is_dir()]
    # by inputs being named, not only met in a folder
    inputs = _DATA_SET in files or any(path.name in INPUTS for path in named)
    exists = (absolute(path) / SETTINGS).is_file()
    told = _told(path, exists or inputs, n_vibrations, energy_label, kinetic)
    if seed is not None and (exists or not inputs):
        raise InputError("a seed goes with a landscape that is made from a network's inputs")
    if exists:
        return _into(path, files, inputs, PathsampleDatabase, DATABASE)
    if inputs:
        return _made(path, files, 0 if seed is None else seed)
    if "points.min" in files:
        raise InputError(
            f"{files['points.min']} holds coordinates, but of which system is not known: give a "
            "landscape that exists as DIR, or the network's inputs beside (MLPdata with data or "
            "odata); to leave the coordinates out, name min.data and ts.data alone"
        )
    found = PathsampleDatabase.read(files, **told)
    place = NetworkDirectory.create(path, found.network, "pathsample")
    return Imported(place, _size(found), None, [])


def import_topsearch(
    path: StrPath,
    sources: Sequence[StrPath],
    *,
    n_vibrations: int | None = None,
    energy_label: str | None = None,
    kinetic: bool | None = None,
) -> Imported:
    """Bring TopSearch's network into a directory.

    With coordinates its points go into a landscape that is there. Without,
    ``min.data`` and ``ts.data`` alone become a directory of their own.

    Parameters
    ----------
    path : path
    sources : sequence of path
        Files by their usual names, or folders that hold them.
    n_vibrations, energy_label, kinetic : optional
        As for `import_pathsample`.

    Returns
    -------
    Imported

    Raises
    ------
    InputError
        As from `import_pathsample`.
    """
    files = _files(sources, TOPSEARCH_FILES)
    exists = (absolute(path) / SETTINGS).is_file()
    told = _told(path, exists, n_vibrations, energy_label, kinetic)
    if exists:
        return _into(path, files, False, TopsearchNetwork, TOPSEARCH_FILES)
    if "min.coords" in files:
        raise InputError(
            f"{files['min.coords']} holds coordinates, but of which system is not known: give a "
            "landscape that exists as DIR; to leave the coordinates out, name min.data and ts.data "
            "alone"
        )
    found = TopsearchNetwork.read(files, **told)
    place = NetworkDirectory.create(path, found.network, "topsearch")
    return Imported(place, _size(found), None, [])


def _told(
    path: StrPath, known: bool, n_vibrations: Any, energy_label: Any, kinetic: Any
) -> dict[str, Any]:
    """What is told of points without coordinates, checked."""
    if is_network(absolute(path)):
        raise InputError(f"{path} holds a network without coordinates already: choose a new place")
    told: dict[str, Any] = {
        "n_vibrations": n_vibrations,
        "energy_label": energy_label,
        "kinetic": kinetic,
    }
    told = {name: value for name, value in told.items() if value is not None}
    if told and known:
        raise InputError(
            "vibrations, label and kinetic are told of points without coordinates alone: a "
            "landscape knows them"
        )
    if n_vibrations is not None:
        check_integer("the number of vibrations", n_vibrations, 1)
    return told


def _size(found: Points) -> tuple[int, int]:
    return len(found.network), len(found.network.states)


def export_place(path: StrPath, output: StrPath | None, usual: str) -> Path:
    """Where an export goes: as asked, or of the usual name in the directory itself."""
    return absolute(path) / usual if output is None else absolute(output)


def check_exportable(path: StrPath, n_minima: int) -> None:
    """Refuse a landscape of no verified minimum."""
    if not n_minima:
        raise InputError(f"{path} has no verified minimum to export: run 'explore' first")


def export_pathsample(
    path: StrPath, output: StrPath | None = None, *, untrusted: bool = False
) -> Exported:
    """Write a landscape, or a network without coordinates, as PATHSAMPLE's database.

    For a network that the programs have too, their inputs are written besides, and its
    parameters stand in their order.

    Parameters
    ----------
    path : path
    output : path, optional
        A new or empty directory, by default ``pathsample`` in `path`.
    untrusted : bool
        As for `Landscape.open`.

    Returns
    -------
    Exported

    Raises
    ------
    InputError
        If there is nothing to write, or the place is taken.
    """
    place = open_directory(path, untrusted)
    notes: list[str] = []
    target = export_place(path, output, "pathsample")
    with new_directory(target) as folder:
        if isinstance(place, Landscape):
            check_exportable(path, len(place.graph()))
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
    notes = unverified_notes(place, found.network) + notes
    return Exported.of(target, names, found.network, notes)


def export_topsearch(
    path: StrPath, output: StrPath | None = None, *, untrusted: bool = False
) -> Exported:
    """Write a landscape as TopSearch's network.

    Parameters
    ----------
    path : path
    output : path, optional
        A new or empty directory, by default ``topsearch`` in `path`.
    untrusted : bool
        As for `Landscape.open`.

    Returns
    -------
    Exported

    Raises
    ------
    InputError
        If there is nothing to write, coordinates are not known, or the place is taken.
    """
    place = open_directory(path, untrusted)
    if not isinstance(place, Landscape):
        raise InputError(f"{path} has no coordinates, without which TopSearch reads no points")
    target = export_place(path, output, "topsearch")
    with new_directory(target) as folder:
        check_exportable(path, len(place.graph()))
        whole = place.points(TopsearchNetwork)
        found = whole.as_it_holds()
        names = found.write(folder)
    notes = unverified_notes(place, whole.network)
    left_out = len(whole.network.states) - len(found.network.states)
    if left_out:
        notes.append(
            f"{left_out} transition states were left out: TopSearch holds one for each pair of "
            "minima, here the lowest, and no degenerate rearrangements"
        )
    if min(_size(found)) == 1:
        notes.append("TopSearch 0.0.3 does not read a single minimum or transition state")
    return Exported.of(target, names, found.network, notes)


def _files(sources: Sequence[StrPath], known: Sequence[str]) -> dict[str, Path]:
    """Paths by name."""
    files: dict[str, Path] = {}
    for source in map(Path, sources):
        if source.is_dir():
            inside = {name: source / name for name in known if (source / name).is_file()}
            if not inside:
                raise InputError(f"{source} holds none of {', '.join(known)}")
        elif not source.exists():
            raise InputError(f"there is no file {source}")
        elif source.name not in known:
            raise InputError(f"{source} is not known by its name: files are {', '.join(known)}")
        else:
            inside = {source.name: source}
        for name, file in inside.items():
            if name in files:
                raise InputError(f"two files {name} are given: {files[name]} and {file}")
            files[name] = file
    if not files:
        raise InputError(f"give the files to import: some of {', '.join(known)}, or their folder")
    return files


def _into(
    path: StrPath,
    files: Mapping[str, Path],
    inputs: bool,
    program: type[Points],
    names: Sequence[str],
) -> Imported:
    """Points into a landscape that exists, from a program's files of these names."""
    minima, states = names[2:4]
    notes: list[str] = []
    land = Landscape.open(path)
    try:
        if inputs:
            system, notes = read_network(files)
            _check_same_network(path, land.system, system)
        if minima not in files:
            raise InputError(
                f"{path} is a landscape, whose points need coordinates: give {minima}"
                + (f" and {states}" if "ts.data" in files else "")
                + ", or choose a new place"
            )
        found = program.read(files, land.system.n_dof)
        return Imported(land, _size(found), land.add_points(found), notes)
    except BaseException:
        land.close()
        raise


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
    size = None if found is None else _size(found)
    return Imported(Landscape.open(path), size, new, notes)


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
