"""Disconnectivity graphs of whatever holds minima and transition states."""

import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
from pele.storage import Database, Minimum

from .analysis.transition_network import StationaryPoints, TransitionNetwork
from .checks import check_integer
from .database import database_fault
from .errors import InputError
from .exchange.directory import NetworkDirectory
from .exchange.pathsample import PathsampleDatabase
from .files import absolute
from .interchange import open_directory
from .landscape import Landscape
from .settings import SETTINGS
from .view.disconnectivity import DisconnectivityGraph, draw_graphs
from .view.options import Drawing
from .view.source import Source

__all__ = ["disconnectivity_graph", "disconnectivity_graphs", "titles_of"]

StrPath: TypeAlias = str | os.PathLike[str]
_PATHSAMPLE = ("min.data", "ts.data")
_SQLITE = b"SQLite format 3\0"
_ROW, _ROW_OF_ONE = 4, 2  # graphs beside each other, in two columns or one
_SETTING = re.compile(r"([^-]+-[^_]+)(?:_|$)")  # in the name of a point of a sweep
_NODE = ("energy", "log_determinant", "order")  # what a network takes from nodes


def disconnectivity_graph(
    source: Any,
    paths: StrPath | Sequence[StrPath] = (),
    *,
    title: str | None = None,
    **drawing: Any,
) -> DisconnectivityGraph:
    """Draw the disconnectivity graph of a landscape, a database, files or a plain graph.

    Every branch ends at the energy of a minimum; branches join at the level above which
    their minima are connected.

    Parameters
    ----------
    source : Landscape, TransitionNetwork, networkx.Graph, pele.storage.Database, or path
        Nodes and edges of a graph have an ``energy``; no database is needed. A path leads
        to the directory of a landscape or of a network without coordinates, to a folder
        with PATHSAMPLE's ``min.data`` and ``ts.data``, or to the SQLite file of a pele
        database, of which energies alone are read, and nothing is unpickled.
    paths : path or sequence of path
        Files to write; the suffix says the format (``.png``, ``.svg``, ``.pdf``). With none
        nothing is drawn, but what would be is returned.
    title : str, optional
    **drawing
        See `nnpotential.view.options.Drawing`: ``levels``, ``log``, ``spacing``,
        ``bottom``, ``top``, ``scale``; ``within``, ``lowest``, ``component``; ``order``,
        ``colour``, ``colour_label``, ``log_colour``; ``labels``, ``insets``; ``joints``,
        ``columns``, ``height``.

    Returns
    -------
    DisconnectivityGraph

    Raises
    ------
    InputError
        If there is nothing to draw, a transition state lies below its minima, an option does
        not fit, or a file cannot be written.

    Examples
    --------
    >>> graph = networkx.Graph()
    >>> graph.add_node("a", energy=0.0)
    >>> graph.add_node("b", energy=0.5)
    >>> graph.add_edge("a", "b", energy=1.0)
    >>> nnpotential.disconnectivity_graph(graph, "graph.pdf", labels=["a", "b"])
    """
    options = Drawing.of(**drawing)
    with ExitStack() as stack:
        rows = [[_source(source, stack)]]
        return draw_graphs(rows, _paths(paths), options, titles=[title])[0]


def disconnectivity_graphs(
    sources: Sequence[Any],
    paths: StrPath | Sequence[StrPath] = (),
    *,
    titles: Sequence[str] | None = None,
    row: int | None = None,
    **drawing: Any,
) -> list[DisconnectivityGraph]:
    """Draw several disconnectivity graphs on one scale, in one figure.

    Parameters
    ----------
    sources : sequence
        Of what `disconnectivity_graph` takes.
    paths : path or sequence of path
    titles : sequence of str, optional
        By default the names of directories, without what is the same in all.
    row : int, optional
        Graphs beside each other, by default at most 4, or 2 in one column.
    **drawing
        As for `disconnectivity_graph`; all have the same levels and colours.

    Returns
    -------
    list of DisconnectivityGraph

    Raises
    ------
    InputError
        As from `disconnectivity_graph`; if the energies have no axis in common.
    """
    options = Drawing.of(**drawing)
    row = check_integer("row", row or (_ROW_OF_ONE if options.columns == 1 else _ROW), 1)
    if not len(sources):
        raise InputError("there is no graph to draw: name the sources")
    with ExitStack() as stack:
        found = [_source(source, stack) for source in sources]
        if titles is None:
            titles = titles_of([source.title for source in found])
        if len(titles) != len(found):
            raise InputError(f"there are {len(found)} graphs but {len(titles)} titles")
        named = [_titled(source, title) for source, title in zip(found, titles, strict=True)]
        row = min(row, len(named))
        filled = [*named, *[None] * (-len(named) % row)]
        rows = [filled[k : k + row] for k in range(0, len(filled), row)]
        return draw_graphs(rows, _paths(paths), options)


def titles_of(names: Sequence[str]) -> list[str]:
    """Names of directories, of those of a sweep without the settings that are the same in all."""
    parts = [_SETTING.findall(name) for name in names]
    parts = [
        own if "_".join(own) == name else [name] for own, name in zip(parts, names, strict=True)
    ]
    common = set.intersection(*map(set, parts)) if len(names) > 1 else set()
    short = [
        ", ".join(part.replace("-", " ", len(own) > 1) for part in own if part not in common)
        for own in parts
    ]
    return [title or name for title, name in zip(short, names, strict=True)]


def _titled(source: Source, title: str) -> Source:
    return Source(**{**vars(source), "title": title})


def _paths(paths: Any) -> list[Path]:
    return [Path(p) for p in ([paths] if isinstance(paths, str | os.PathLike) else paths)]


def _source(given: Any, stack: ExitStack) -> Source:
    """What is drawn of whatever is given; what is opened for it, is closed with the stack."""
    if isinstance(given, Source):
        return given
    if isinstance(given, Landscape):
        return Source.of_landscape(given.system, given.database, given.path.name)
    if isinstance(given, NetworkDirectory):
        return Source(given.network(), given.path.name)
    if isinstance(given, TransitionNetwork):
        return Source(given)
    if isinstance(given, Database):
        return Source(TransitionNetwork.of_database(given), database=given)
    if isinstance(given, nx.Graph):
        return _of_graph(given)
    if isinstance(given, str | os.PathLike):
        return _of_path(absolute(given), stack)
    raise InputError(
        "a disconnectivity graph is drawn of a landscape, a pele database, a networkx.Graph, a "
        f"TransitionNetwork, or a path to one of these or to min.data; not of {given!r}"
    )


def _of_path(path: Path, stack: ExitStack) -> Source:
    if path.is_dir() and not (path / SETTINGS).exists() and (path / "min.data").is_file():
        return _of_pathsample(path)
    if path.name in _PATHSAMPLE and path.is_file():
        return _of_pathsample(path.parent)
    if path.is_file():
        with open(path, "rb") as file:
            begin = file.read(len(_SQLITE))
        if begin == _SQLITE:
            return _of_sqlite(path)
        raise InputError(
            f"{path} is neither a pele database nor min.data: name one of these, or a directory"
        )
    place = open_directory(path)
    if isinstance(place, Landscape):
        stack.callback(place.close)
    return _source(place, stack)


def _of_pathsample(folder: Path) -> Source:
    files = {name: folder / name for name in _PATHSAMPLE if (folder / name).is_file()}
    return Source(PathsampleDatabase.read(files).network, folder.name)


def _of_graph(graph: nx.Graph) -> Source:
    names = [node.id() if isinstance(node, Minimum) else node for node in graph]
    given = [data for _, data in graph.nodes(data=True)]
    known = dict.fromkeys(name for data in given for name in data if name not in _NODE)
    attributes = {name: [data.get(name) for data in given] for name in known}
    label = graph.graph.get("energy_label", "energy")
    network = TransitionNetwork.of_graph(graph, energy_label=label)
    return Source(network, str(graph.name or ""), names, attributes=attributes)


def _of_sqlite(path: Path) -> Source:
    """Energies and who is joined, of the points that are not marked as invalid.

    Coordinates are pickled, and stay closed: reading those of a stranger may run anything.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            minima = connection.execute(
                "SELECT _id, energy FROM tbl_minima WHERE NOT COALESCE(invalid, 0) ORDER BY _id"
            ).fetchall()
            states = connection.execute(
                "SELECT energy, _minimum1_id, _minimum2_id FROM tbl_transition_states "
                "WHERE NOT COALESCE(invalid, 0) ORDER BY _id"
            ).fetchall()
    except sqlite3.OperationalError as error:
        if "no such" in str(error):
            raise InputError(f"{path} is no pele database ({error})") from None
        raise InputError(f"{path} {database_fault(error)}") from None
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} {database_fault(error)}") from None
    for what, rows in (("minimum", [row[1:] for row in minima]), ("transition state", states)):
        for energy, *_ in rows:
            if not (isinstance(energy, float) and isfinite(energy)):
                raise InputError(
                    f"{path}: the energy of a {what} is {energy!r:.40}, no finite number"
                )
    place = {number: k for k, (number, _) in enumerate(minima)}
    joined = [state for state in states if state[1] in place and state[2] in place]
    network = TransitionNetwork(
        StationaryPoints.of([energy for _, energy in minima], ids=[i for i, _ in minima]),
        StationaryPoints.of([energy for energy, *_ in joined]),
        np.array([[place[one], place[two]] for _, one, two in joined], dtype=np.int64),
    )
    return Source(network, path.stem)
