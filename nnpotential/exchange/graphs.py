"""A network of minima as GraphML, for networkx, Gephi, igraph and others, and as CSV tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from ..analysis.transition_network import TransitionNetwork
from ..errors import InputError
from ..files import atomic_write, write_table

__all__ = ["TABLES", "read_graphml", "write_graphml", "write_tables"]

TABLES = ("minima.csv", "transition_states.csv")
_OF_GRAPH = {"energy_label": str, "n_vibrations": int, "kinetic": bool, "joined": int}
_KNOWN = {"energy": "energies", "log_determinant": "log_determinants", "order": "orders"}

Columns = dict[str, NDArray[Any]]


def write_graphml(path: Path, network: TransitionNetwork, measures: Columns) -> None:
    """Write a network as GraphML: parallel edges and loops are kept.

    Parameters
    ----------
    path : pathlib.Path
    network : TransitionNetwork
    measures : dict of str to ndarray
        More attributes of the minima, in their order.
    """
    minima, states = _columns(network, measures)
    graph = nx.MultiGraph()
    graph.graph.update({k: v for k in _OF_GRAPH if (v := getattr(network, k)) is not None})
    for row in _as_rows(minima):
        graph.add_node(row.pop("id"), **row)
    for row in _as_rows(states):
        number, one, other = (row.pop(name) for name in ("id", "minimum1", "minimum2"))
        # its id also as an attribute, which programs show
        graph.add_edge(one, other, key=number, transition_state=number, **row)
    with atomic_write(path, "wb") as file:
        nx.write_graphml(graph, file)


def write_tables(folder: Path, network: TransitionNetwork, measures: Columns) -> list[str]:
    """Write a network as two CSV files into a folder; returns their names."""
    for name, columns in zip(TABLES, _columns(network, measures), strict=True):
        write_table(folder / name, {key: _with_gaps(values) for key, values in columns.items()})
    return list(TABLES)


def read_graphml(path: Path, **options: Any) -> TransitionNetwork:
    """The network of a GraphML file, as ours or of any program.

    Parameters
    ----------
    path : pathlib.Path
        Its nodes and edges have ``energy``; ``log_determinant`` and ``order`` may be there, of
        nodes also ``hits`` and ``grown``. Ids are kept where all are numbers.
    **options
        ``n_vibrations``, ``kinetic``, ``energy_label``, in place of those of the file.

    Raises
    ------
    InputError
        If it is no such file.
    """
    try:
        graph = nx.read_graphml(path, force_multigraph=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (ParseError, nx.NetworkXError, ValueError, KeyError, StopIteration) as error:
        raise InputError(f"{path} is no GraphML: {error or type(error).__name__}") from None
    if not len(graph):
        raise InputError(f"{path} holds no node")
    told = {
        k: kind(graph.graph[k])
        for k, kind in _OF_GRAPH.items()
        if isinstance(graph.graph.get(k), kind)
    }
    try:
        network = TransitionNetwork.of_graph(nx.MultiGraph(graph), **{**told, **options})
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
    nodes = dict(graph.nodes(data=True))
    minima, states = network.minima, network.states
    ids = [_number(node) for node in nodes]
    if None not in ids and len(set(ids)) == len(ids):
        minima = replace(minima, ids=np.array(ids, dtype=np.int64))
    named = [_number(data.get("transition_state")) for *_, data in graph.edges(data=True)]
    if None not in named and len(set(named)) == len(named):
        states = replace(states, ids=np.array(named, dtype=np.int64))
    hits = [_number(data.get("hits")) for data in nodes.values()]
    counted = None if None in hits else np.array(hits, dtype=np.int64)
    grown = [data.get("grown") for data in nodes.values()]
    reached = np.array(grown) if all(isinstance(value, bool) for value in grown) else None
    return replace(network, minima=minima, states=states, hits=counted, grown=reached)


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def _columns(network: TransitionNetwork, measures: Columns) -> tuple[Columns, Columns]:
    minima, states = (
        {"id": points.ids, **{name: getattr(points, key) for name, key in _KNOWN.items()}}
        for points in (network.minima, network.states)
    )
    minima["barrier"] = network.barriers()
    if network.hits is not None:
        minima["hits"] = network.hits
    if network.grown is not None:
        minima["grown"] = network.grown
    ends = network.minima.ids[network.ends]
    return {**minima, **measures}, {**states, "minimum1": ends[:, 0], "minimum2": ends[:, 1]}


def _as_rows(columns: Columns) -> list[dict[str, Any]]:
    """Plain values by name; what is not known is left out."""
    names = list(columns)
    lists = [values.tolist() for values in columns.values()]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
    return [{name: value for name, value in row.items() if value == value} for row in rows]


def _with_gaps(values: NDArray[Any]) -> list[Any]:
    """Plain values, nothing where one is not known."""
    return [value if value == value else "" for value in values.tolist()]
