"""Which two minima to try to connect next.

All of it is decided from the graph of what is known and from what was tried, so
the same state gives the same choice.
"""

import networkx as nx
import numpy as np
from networkx.utils import UnionFind

from ..points.connect import STRATEGIES

__all__ = ["Attempts", "missing_connection", "trapped_connection"]

_CANDIDATES, _MEMBERS = 50, 5  # minima outside and inside of a group whose distance is computed


class Attempts:
    """What was tried between pairs of minima, and what is being tried."""

    def __init__(self):
        self._tries = {}  # pair -> number of tries
        self._failed = set()  # pairs without a transition state so far
        self._partners = {}  # minimum -> minima it was tried with
        self._underway = []  # pairs

    @property
    def busy(self):
        """Minima of the pairs under way."""
        return set().union(*self._underway)

    def begin(self, i, j):
        """A pair is handed out."""
        pair = frozenset((i, j))
        self._tries[pair] = self._tries.get(pair, 0) + 1
        self._partners.setdefault(i, set()).add(j)
        self._partners.setdefault(j, set()).add(i)
        self._underway.append(pair)

    def end(self, i, j, found):
        """It came back with so many transition states."""
        pair = frozenset((i, j))
        (self._failed.discard if found else self._failed.add)(pair)
        self._underway.remove(pair)

    def tried(self, i, j):
        """Whether the pair was tried at all."""
        return frozenset((i, j)) in self._tries

    def of(self, members):
        """Tried pairs with exactly one end among `members`, ordered (in, out)."""
        return [(i, j) for i in members for j in self._partners.get(i, ()) if j not in members]

    def another_way(self, i, j):
        """The next strategy for a pair that failed, or None."""
        pair = frozenset((i, j))
        if pair in self._failed and self._tries[pair] < len(STRATEGIES):
            return STRATEGIES[self._tries[pair]]
        return None


def missing_connection(graph, attempts, distance, limit):
    """The next pair of minima in different components.

    The component with the fewest tries comes first, and tries the nearest pair
    of one of its lowest minima and one outside. A pair that failed is tried in
    every other way before another partner.

    Parameters
    ----------
    graph : networkx.Graph
        Ids of minima with attribute ``energy``, joined where connected.
    attempts : Attempts
    distance : callable
        ``(id, id) -> float``.
    limit : int
        Partners that a component tries.

    Returns
    -------
    (int, int, str) or None
        The minima and the strategy.
    """
    if len(graph) < 2:
        return None
    energy = graph.nodes(data="energy")
    lowest = _bottom(graph, graph)
    busy, taken, waiting = attempts.busy, set(), []
    for component in nx.connected_components(graph):
        if lowest in component:
            continue  # many may try it at once
        if not busy.isdisjoint(component):
            taken |= component
        else:
            tried = attempts.of(component)
            again = sorted((i, j) for i, j in tried if attempts.another_way(i, j))
            if again or len(tried) < limit:
                bottom = _bottom(graph, component)
                waiting.append((len(tried), energy[bottom], bottom, again, tried, component))
    for *_, again, tried, component in sorted(waiting, key=lambda w: w[:3]):
        for i, j in again:
            if j not in taken and j in graph:
                return i, j, attempts.another_way(i, j)
        if len(tried) >= limit:
            continue
        inside = sorted(component, key=lambda i: (energy[i], i))[:_MEMBERS]
        refused = {*component, *taken, *(j for _, j in tried)}
        outside = [i for i in graph if i not in refused]
        pair = _nearest(graph, inside, outside, lowest, distance)
        if pair is not None:
            return *pair, STRATEGIES[0]
    return None


def trapped_connection(graph, attempts, distance, limit):
    """The next pair across the barrier that looks most artificial.

    A minimum whose barrier is high for how little it lies above the lowest one
    is likely to miss a lower path. It is tried against the nearest minimum on
    the other side of its barrier.

    Parameters
    ----------
    graph, attempts, distance, limit
        As for `missing_connection`; edges carry ``energy``, that of the lowest
        transition state of the pair.

    Returns
    -------
    (int, int, str) or None

    References
    ----------
    B. Strodel, C. S. Whittleston and D. J. Wales, J. Am. Chem. Soc. 129, 16005
    (2007); the strategy is called "untrap" in pele and PATHSAMPLE.
    """
    energy, busy = graph.nodes(data="energy"), attempts.busy
    for _, bottom, top in _traps(graph):
        trapped = _below(graph, bottom, top)
        if not busy.isdisjoint(trapped):
            continue
        if sum(j not in trapped for _, j in attempts.of({bottom})) >= limit:
            continue
        beyond = [
            i
            for i in nx.node_connected_component(graph, bottom) - trapped
            if energy[i] < energy[bottom] and not attempts.tried(bottom, i)
        ]
        pair = _nearest(graph, [bottom], beyond, None, distance)
        if pair is not None:
            return *pair, STRATEGIES[0]
    return None


def _below(graph, start, top):
    """Minima that a path below `top` joins to `start`."""
    edges = ((i, j) for i, j, energy in graph.edges(data="energy") if energy < top)
    low = nx.Graph(edges)
    return nx.node_connected_component(low, start) if start in low else {start}


def _traps(graph):
    """Basins that merge with a lower one: (-barrier over loss above lowest, bottom, top)."""
    energy = graph.nodes(data="energy")
    order = {i: (energy[i], i) for i in graph}
    lowest = {i: i for i in graph}  # of each basin, by its root
    basins, traps = UnionFind(graph), []
    for top, i, j in sorted((e, i, j) for i, j, e in graph.edges(data="energy")):
        a, b = lowest[basins[i]], lowest[basins[j]]
        if a == b:
            continue
        a, b = sorted((a, b), key=order.get)
        basins.union(i, j)
        lowest[basins[i]] = a
        traps.append((b, top))
    if not traps:
        return []
    ground = min(energy[i] for i in graph)
    tiny = np.finfo(float).tiny
    return sorted((-(top - energy[b]) / max(energy[b] - ground, tiny), b, top) for b, top in traps)


def _bottom(graph, members):
    energy = graph.nodes(data="energy")
    return min(members, key=lambda i: (energy[i], i))


def _nearest(graph, inside, outside, always, distance):
    """The nearest pair, outside among those of similar loss."""
    energy = graph.nodes(data="energy")
    level = energy[inside[0]]
    near = sorted(outside, key=lambda j: (abs(energy[j] - level), j))[:_CANDIDATES]
    if always in outside:
        near = {*near, always}
    pairs = [(i, j) for i in inside for j in near]
    return min(pairs, key=lambda pair: (distance(*pair), pair), default=None)
