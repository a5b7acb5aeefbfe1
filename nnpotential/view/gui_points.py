"""What pele's GUI is told of a landscape's points: figures of one, and which ones count."""

from itertools import pairwise

import networkx as nx
import numpy as np
from pele.storage import Minimum, TransitionState
from scipy.sparse.linalg import ArpackNoConvergence

from ..analysis import paths
from ..analysis.figures import landscape_graph
from ..contract import is_large
from ..points.krylov import softest_modes
from ..points.stationary import spectrum
from ..storage import OUTCOMES, UNVERIFIED, may_count, notes

__all__ = [
    "WithoutFailed",
    "browsed_graph",
    "count_unverified",
    "figures",
    "loss_along",
    "lowest_path",
    "name_of_energy",
]

_LOWEST = 5  # eigenvalues
_BETWEEN = 8  # points between two images of a band at which the loss is computed


class WithoutFailed:
    """A pele database without the points that failed verification.

    pele's analysis takes every stored point for what it is stored as. Those
    that nobody has looked at yet are among them: what was just found in the
    GUI is to be seen there.
    """

    def __init__(self, database):
        self._database = database

    def __getattr__(self, name):
        return getattr(self._database, name)

    def minima(self, order_energy=True):
        return list(filter(may_count, self._database.minima(order_energy)))

    def transition_states(self, order_energy=False):
        states = filter(may_count, self._database.transition_states(order_energy))
        return [
            ts
            for ts in states
            if may_count(ts.minimum1) and may_count(ts.minimum2) and ts.minimum1 != ts.minimum2
        ]

    def number_of_minima(self):
        return len(self.minima())


def browsed_graph(database):
    """The `landscape_graph` of all points but those that failed verification."""
    return landscape_graph(database, counts=may_count)


def count_unverified(graph):
    """How many minima and transition states of a graph nobody has looked at yet."""
    points = [*graph, *(ts for _, _, ts in graph.edges(data="ts"))]
    return sum("verified" not in notes(point) for point in points)


def name_of_energy(system):
    """What a system calls its energy, without the unit."""
    return system.energy_label.partition(" (")[0]


def lowest_path(graph, min1, min2):
    """Minima and transition states in turn, on the path whose highest one is lowest, or None."""
    if min1 not in graph or min2 not in graph or not nx.has_path(graph, min1, min2):
        return None
    path = paths.lowest_path(graph, min1, min2)
    points = [path[0]]
    for one, two in pairwise(path):
        points += [graph.edges[one, two]["ts"], two]
    return points


def loss_along(potential, path):
    """The loss on straight lines between the images of a band.

    Parameters
    ----------
    potential : LandscapePotential
    path : ndarray, shape (n_images, n_dof)

    Returns
    -------
    distances, losses : ndarray
        Along the band, images included.
    """
    shares = np.arange(_BETWEEN + 1)[:, None] / (_BETWEEN + 1)
    points = [a + shares * (b - a) for a, b in pairwise(path)]
    points = np.concatenate([*points, path[-1:]])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]), potential.energies_gradients(points)[0]


def figures(system, point):
    """What stands beside the picture of a minimum or transition state: pairs (name, value)."""
    x, noted = point.coords, notes(point)
    outcome = noted.get("verified", UNVERIFIED)
    yield system.energy_label, f"{point.energy:.10g}"
    for measure in system.measures.values():
        if not measure.lacking:
            yield measure.axis, f"{measure.function(x):.6g}"
    values, n_zero_modes, accuracy = _lowest_eigenvalues(system, x)
    yield f"lowest eigenvalues{accuracy}", ", ".join(f"{v:.3g}" for v in values)
    yield "zero modes", str(n_zero_modes)
    yield "verification", f"{outcome}: {OUTCOMES.get(outcome, '')}"
    if isinstance(point, TransitionState):
        yield "joins", f"{point.minimum1.id()} and {point.minimum2.id()}"
    hits = [f"{source} {n}" for source, n in noted.items() if isinstance(n, int)]
    if isinstance(point, Minimum) and hits:
        yield "found by", ", ".join(hits)


def _lowest_eigenvalues(system, x):
    zero_modes = system.identity.zero_modes(x)
    n = zero_modes.shape[1]
    if not is_large(system.n_dof):
        return spectrum(system.potential, x, zero_modes).physical[:_LOWEST], n, ""
    try:
        return softest_modes(system.potential, x, zero_modes, _LOWEST)[0], n, " (to 1 %)"
    except ArpackNoConvergence:
        return np.array([]), n, " (none converged)"
