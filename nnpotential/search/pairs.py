"""Which two minima to try to connect next.

All of it is decided from the graph of what is known and from what was tried, so
the same state gives the same choice.
"""

import networkx as nx

from ..points.connect import STRATEGIES

__all__ = ["Attempts", "missing_connection"]

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

    def n_partners(self, i):
        """How many minima one was tried with."""
        return len(self._partners.get(i, ()))

    def of(self, members):
        """Tried pairs with exactly one end among `members`, ordered (in, out)."""
        return [(i, j) for i in members for j in self._partners.get(i, ()) if j not in members]

    def another_way(self, i, j):
        """The next strategy for a pair that failed, or None."""
        pair = frozenset((i, j))
        if pair in self._failed and self._tries[pair] < len(STRATEGIES):
            return STRATEGIES[self._tries[pair]]
        return None


def missing_connection(graph, attempts, distance, limit, needed=None):
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
    needed : collection of int, optional
        Only components that hold one of these; by default all.

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
        if needed is not None and component.isdisjoint(needed):
            continue
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
