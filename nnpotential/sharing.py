"""A landscape for others and from others: archives, graphs, tables, untrusted directories."""

from pathlib import Path
from typing import Any

from .analysis.minima import minima_table
from .errors import InputError
from .exchange.archive import read_archive, write_archive
from .exchange.directory import NetworkDirectory
from .exchange.graphs import read_graphml, write_graphml, write_tables
from .exchange.shared import Shared
from .files import absolute, new_directory
from .interchange import (
    Exported,
    Imported,
    StrPath,
    check_exportable,
    export_place,
    open_directory,
    unverified_notes,
)
from .landscape import Landscape
from .pulse import tell
from .settings import SETTINGS, is_network

__all__ = [
    "export_archive",
    "export_csv",
    "export_graphml",
    "import_archive",
    "import_graphml",
    "import_untrusted",
]


def export_archive(path: StrPath, output: StrPath | None = None) -> Exported:
    """Write a landscape into one file that others can open without trust.

    All of it is carried that a search needs to go on: points with their connections, hits and
    verification, the journal of the search, settings, data, and what was measured
    (``summary.json``, ``reach.json``, ``estimates.json``). Drawings are not. `path` itself is
    read without unpickling, and so may be of unknown origin.

    Parameters
    ----------
    path : path
    output : path, optional
        A new file, by default that of `path` with ``.zip`` at its end.

    Returns
    -------
    Exported

    Raises
    ------
    InputError
        If it is no landscape, or the place is taken.
    """
    place = absolute(path)
    if is_network(place):
        raise InputError(
            f"{path} is a network without coordinates, which holds no pickles: share the directory "
            "as it is"
        )
    file = _new(export_place(place.parent, output, f"{place.name}.zip"))
    shared = Shared.read(place)
    notes = write_archive(file, shared)
    names = sorted(shared.files)
    return Exported(file, names, _size(shared), notes)


def import_archive(path: StrPath, file: StrPath) -> Imported:
    """Make a landscape of what `export_archive` wrote, of whatever origin.

    Parameters
    ----------
    path : path
        A new place.
    file : path

    Returns
    -------
    Imported

    Raises
    ------
    InputError
        In one line, naming the file within and what is wrong with it. Nothing is left behind.
    """
    return _made(path, read_archive(absolute(file)), file)


def import_untrusted(path: StrPath, other: StrPath) -> Imported:
    """Make a landscape of another's directory, of unknown origin, without unpickling.

    Parameters
    ----------
    path : path
        A new place.
    other : path
        It stays as it is.

    Returns
    -------
    Imported

    Raises
    ------
    InputError
        In one line, naming the file and what is wrong with it; a pickle that is more than
        numbers and text is refused, and nothing of it is run.
    """
    return _made(path, Shared.read(absolute(other)), other)


def export_graphml(
    path: StrPath, output: StrPath | None = None, *, untrusted: bool = False
) -> Exported:
    """Write the verified points as GraphML, which networkx, Gephi and igraph read.

    Nodes have ``energy`` (the loss), ``barrier`` to the lowest, ``hits``, ``log_determinant``,
    ``order`` and all that the system measures; edges, one for each transition state,
    ``transition_state`` (its id), ``energy``, ``log_determinant`` and ``order``.

    Parameters
    ----------
    path : path
    output : path, optional
        A new file, by default ``network.graphml`` in `path`.
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
    file = _new(export_place(path, output, "network.graphml"))
    network = _network(path, place)
    write_graphml(file, network, _measures(place, network))
    return Exported.of(file, [file.name], network, unverified_notes(place, network))


def export_csv(
    path: StrPath, output: StrPath | None = None, *, untrusted: bool = False
) -> Exported:
    """Write the verified points as two tables, with the columns of `export_graphml`.

    Parameters
    ----------
    path : path
    output : path, optional
        A new or empty directory, by default ``csv`` in `path`.
    untrusted : bool
        As for `Landscape.open`.

    Returns
    -------
    Exported

    Raises
    ------
    InputError
        As from `export_graphml`.
    """
    place = open_directory(path, untrusted)
    target = export_place(path, output, "csv")
    with new_directory(target) as folder:
        network = _network(path, place)
        names = write_tables(folder, network, _measures(place, network))
    return Exported.of(target, names, network, unverified_notes(place, network))


def import_graphml(path: StrPath, file: StrPath, **told: Any) -> Imported:
    """Make a directory without coordinates of a GraphML file.

    Parameters
    ----------
    path : path
        A new place.
    file : path
        See `nnpotential.exchange.graphs.read_graphml`.
    **told
        ``n_vibrations``, ``energy_label``, ``kinetic``, where the file does not say.

    Returns
    -------
    Imported

    Raises
    ------
    InputError
        If it is no such file, or the place is taken.
    """
    if (absolute(path) / SETTINGS).is_file():
        raise InputError(f"{path} is taken: choose a new place")
    network = read_graphml(absolute(file), **told)
    place = NetworkDirectory.create(path, network, "graphml")
    return Imported(place, (len(network), len(network.states)), None, [])


def _made(path: StrPath, shared: Shared, source: StrPath) -> Imported:
    with new_directory(path) as unfinished:
        try:
            shared.write(unfinished)
            Landscape.open(unfinished).close()  # what does not open is refused
        except InputError as error:
            raise InputError(str(error).replace(str(unfinished), str(source))) from None
    return Imported(Landscape.open(path), _size(shared), None, shared.tables.notes)


def _size(shared: Shared) -> tuple[int, int]:
    return len(shared.tables.minima), len(shared.tables.states)


def _new(file: Path) -> Path:
    if file.exists():
        raise InputError(f"{file} is there already: choose another --output")
    return file


def _network(path: StrPath, place: Landscape | NetworkDirectory) -> Any:
    network = place.network()
    check_exportable(path, len(network))
    return network


def _measures(place: Landscape | NetworkDirectory, network: Any) -> dict[str, Any]:
    """What the system measures of each minimum, in the order of the network."""
    if not isinstance(place, Landscape):
        return {}
    table = minima_table(place.system, place.database, _tell, network, curvature=False)
    row = {number: k for k, number in enumerate(table["id"].tolist())}
    rows = [row[number] for number in network.minima.ids.tolist()]
    return {name: table[name][rows] for name in place.system.measures if name in table}


def _tell(stage: str, done: int, *_: Any) -> None:
    tell(stage, done, unit="measured")
