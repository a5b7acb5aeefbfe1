"""Ways between minima: the lowest path in a network, and steepest descent along it."""

from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np

from ..contract import rms
from ..errors import InputError
from ..pulse import tell
from ..verification.flow import gradient_flow

__all__ = ["PathProfile", "descent_path", "lowest_path", "path_profile"]

_PUSHOFF = 0.01  # from a transition state, as verification takes it
_STEPS = 100_000
_ARRIVED = 1e-3  # rms gradient, over that of the steepest point, at which a descent has arrived
_POINTS = 40  # of a descent that are looked at


def lowest_path(graph, start, end):
    """The minima on the path whose highest transition state is lowest.

    It runs in the minimum spanning tree, so that every part of it is a lowest path too.

    Parameters
    ----------
    graph : networkx.Graph
        Edges have ``energy``.
    start, end : node

    Returns
    -------
    list of node

    Raises
    ------
    InputError
        If the two are not connected.
    """
    tree = nx.minimum_spanning_tree(graph, weight="energy")
    try:
        return nx.shortest_path(tree, start, end)
    except nx.NetworkXNoPath:
        raise InputError("no path is known between the two minima: connect them first") from None


def descent_path(system, x, direction):
    """Steepest descent from a transition state to the minimum below it.

    Parameters
    ----------
    system : LandscapeSystem
    x : ndarray, shape (n,)
        The transition state.
    direction : ndarray, shape (n,)
        Of negative curvature; its sign says to which side.

    Returns
    -------
    list of ndarray
        The transition state, points of the gradient flow as it was integrated, and
        the minimum.

    Raises
    ------
    InputError
        If the flow ends in no minimum.

    Notes
    -----
    The error of a point is 1e-4 in parameters a step.
    """
    potential, scales = system.potential, system.scales
    direction = np.asarray(direction) / np.linalg.norm(direction)
    flow = gradient_flow(potential, x + _PUSHOFF * direction, scales=scales)
    points, steepest = [np.array(x), flow.x.copy()], rms(flow.gradient)
    for number in range(_STEPS):
        tell("steepest descent", number, rms(flow.gradient), unit="steps")
        steepest = max(steepest, rms(flow.gradient))
        if rms(flow.gradient) <= _ARRIVED * steepest or not flow.step():
            break
        points.append(flow.x.copy())
    found = system.get_minimizer()(flow.x)
    if not found.success:
        raise InputError(f"steepest descent ends in no minimum: {found.message}")
    return [*points, found.coords]


@dataclass(frozen=True)
class PathProfile:
    """What is met along a path.

    Attributes
    ----------
    lengths : ndarray, shape (n,)
        Arc length in parameter space from the first minimum on.
    energies : ndarray, shape (n,)
    measures : dict of str to ndarray
        By the name of a measure of the system.
    minima, states : list of int
        Ids of the stored points in their order.
    places : dict of str to list of int
        Positions of the ``"minima"`` and the ``"states"`` among the points.
    """

    lengths: np.ndarray
    energies: np.ndarray
    measures: dict
    minima: list
    states: list
    places: dict

    def as_columns(self):
        """The columns of a table: a name, and a value for each point."""
        kinds = np.full(self.lengths.size, "", dtype=object)
        kinds[self.places["minima"]] = [f"minimum {i}" for i in self.minima]
        kinds[self.places["states"]] = [f"transition state {i}" for i in self.states]
        columns = {"length": self.lengths, "energy": self.energies, **self.measures}
        return {**columns, "stored": kinds}


def path_profile(system, graph, start, end):
    """Energy and measures along the lowest path between two minima.

    Every transition state is left on both sides along steepest descent. Energies and
    measures are the same for all images, so that each part may be one of its own.

    Parameters
    ----------
    system : LandscapeSystem
    graph : networkx.Graph
        Of pele minima, from `landscape_graph`.
    start, end : pele.storage.Minimum

    Returns
    -------
    PathProfile

    Raises
    ------
    InputError
        If the two are one, or not connected.
    """
    if start == end:
        raise InputError("a path needs two different minima")
    minima = lowest_path(graph, start, end)
    states = [graph.edges[pair]["ts"] for pair in pairwise(minima)]
    points, lengths = [np.array(start.coords)], [0.0]
    places = {"minima": [0], "states": []}
    for (here, _), ts in zip(pairwise(minima), states, strict=True):
        sides = [descent_path(system, ts.coords, side * ts.eigenvec) for side in (1, -1)]
        if not system.identity.are_same(sides[0][-1], here.coords):
            sides.reverse()
        up, down = map(_thinned, sides)
        part = [*reversed(up), *down[1:]]
        steps = np.linalg.norm(np.diff(part, axis=0), axis=1)
        lengths += list(lengths[-1] + np.cumsum(steps))
        places["states"].append(len(points) + len(up) - 2)
        points += part[1:]
        places["minima"].append(len(points) - 1)
    measures = {name: m for name, m in system.measures.items() if not m.lacking}
    values = {
        name: np.array([measure.function(x) for x in points]) for name, measure in measures.items()
    }
    return PathProfile(
        np.array(lengths),
        np.array([system.potential.getEnergy(x) for x in points]),
        values,
        [m.id() for m in minima],
        [ts.id() for ts in states],
        places,
    )


def _thinned(points):
    """So many of the points of a descent that they are evenly far apart, both ends among them."""
    if len(points) <= _POINTS:
        return points
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.searchsorted(length, np.linspace(0.0, length[-1], _POINTS))
    return [points[k] for k in sorted({0, len(points) - 1, *np.minimum(wanted, len(points) - 1)})]
