"""The minima that count, the transition states that join them, and which of these are crossed."""

from bisect import bisect_left, insort
from itertools import chain

import networkx as nx

__all__ = ["Forest"]


class Forest:
    """A graph, kept together with its minimum spanning forest.

    The forest is made of the transition states that lowest paths cross: minima
    are joined in the order of their energy, then of the ids that they join. A
    new one costs as much as the path in the forest is long that it closes; where
    one of the forest is taken away all of it is made anew.

    Parameters
    ----------
    graph : networkx.Graph, optional
        Ids of minima with attribute ``energy``; edges carry that of the lowest
        transition state of the pair. Changed by the methods here alone.

    Attributes
    ----------
    graph : networkx.Graph
    energy : dict
        By minimum.
    changes : int
        Differs when the forest or the lowest minimum does.
    """

    def __init__(self, graph=None):
        self.graph = nx.Graph() if graph is None else graph
        self.energy = dict(self.graph.nodes(data="energy"))
        self._sorted = sorted((e, i) for i, e in self.energy.items())
        self.changes = 0
        self._merged = None
        self._stale = True  # the forest is made when it is asked for

    def __contains__(self, i):
        return i in self.energy

    def __len__(self):
        return len(self.energy)

    def __iter__(self):
        return iter(self.energy)

    # Changes

    def add(self, i, energy):
        """A minimum, joined to none so far."""
        self.graph.add_node(i, energy=energy)
        self.energy[i] = energy
        insort(self._sorted, (energy, i))
        if not self._stale:
            self._plant(i)
        if self.lowest() == i:
            self._changed()

    def remove(self, i):
        """A minimum, and all that joins it."""
        alone = not self.graph.degree(i)
        if not alone or self.lowest() == i:
            self._changed()
        self.graph.remove_node(i)
        del self._sorted[bisect_left(self._sorted, (self.energy.pop(i), i))]
        if alone and not self._stale:
            del self._up[i], self._members[self._label.pop(i)]
        else:
            self._stale = True

    def join(self, i, j, energy):
        """By a transition state, which counts if it is the lowest of the two."""
        if self.graph.has_edge(i, j) and not energy < self.graph.edges[i, j]["energy"]:
            return
        self.graph.add_edge(i, j, energy=energy)
        if self._stale or self._grow((energy, min(i, j), max(i, j))):
            self._changed()

    def part(self, i, j):
        """The two are no longer joined directly, if they were."""
        if not self.graph.has_edge(i, j):
            return
        self.graph.remove_edge(i, j)
        if self._stale or self._parent(i) == j or self._parent(j) == i:
            self._stale = True
            self._changed()

    def _changed(self):
        self.changes += 1
        self._merged = None

    # What follows from it

    def lowest(self):
        """The minimum of lowest energy, the first of equals; None without any."""
        return self._sorted[0][1] if self._sorted else None

    def outward(self, level):
        """The minima by the distance of their energy from a level, and then by id."""
        found = self._sorted
        right = bisect_left(found, (level,))
        left = right - 1
        while left >= 0 or right < len(found):
            gaps = [abs(found[k][0] - level) for k in (left, right) if 0 <= k < len(found)]
            gap, equal = min(gaps), []
            while left >= 0 and abs(found[left][0] - level) == gap:
                equal.append(found[left][1])
                left -= 1
            while right < len(found) and abs(found[right][0] - level) == gap:
                equal.append(found[right][1])
                right += 1
            yield from sorted(equal)

    def components(self):
        """Sets of minima that are joined to one another; not to be changed."""
        self._renew()
        return self._members.values()

    def component(self, i):
        """The minima that are joined to one, itself included; not to be changed."""
        self._renew()
        return self._members[self._label[i]]

    def merges(self):
        """How the group of the lowest minimum takes in others, the lowest transition state first.

        Returns
        -------
        order : list of int
            Minima.
        steps : list
            (energy, i, j), its edge; start and stop in `order` of those that are taken
            in there, and of those that take them in.
        """
        self._renew()
        if self._merged is None:
            self._merged = _merges(self.energy, self._edges, self.lowest())
        return self._merged

    # The forest: of each minimum the next one on its way to the root of its tree

    def _renew(self):
        if not self._stale:
            return
        self._up, self._edges = {}, []
        self._label, self._members = {}, {}
        for i in self.energy:
            self._plant(i)
        keys = ((e, min(i, j), max(i, j)) for i, j, e in self.graph.edges(data="energy"))
        for key in sorted(keys):
            _, i, j = key
            if self._label[i] != self._label[j]:
                self._grow(key)
        self._stale = False

    def _plant(self, i):
        self._up[i] = None  # else (edge, minimum)
        self._label[i], self._members[i] = i, {i}

    def _parent(self, i):
        return None if self._up[i] is None else self._up[i][1]

    def _grow(self, edge):
        """Take an edge into the forest if it belongs there; returns whether it does."""
        _, i, j = edge
        if self._label[i] == self._label[j]:
            ways = [self._way_up(k) for k in (i, j)]
            while ways[0] and ways[1] and ways[0][-1] == ways[1][-1]:
                for way in ways:
                    way.pop()  # above where they meet
            highest, below = max((self._up[k][0], k) for k in chain(*ways))
            if highest < edge:
                return False
            self._up[below] = None
            del self._edges[bisect_left(self._edges, highest)]
            if below in ways[1]:
                i, j = j, i
        else:
            one, other = sorted(
                (self._label[i], self._label[j]), key=lambda label: len(self._members[label])
            )
            if self._label[i] != one:
                i, j = j, i
            for k in self._members[one]:
                self._label[k] = other
            self._members[other] |= self._members.pop(one)
        insort(self._edges, edge)
        before = edge, j
        while i is not None:  # from here up to the old root all turn round
            after, self._up[i] = self._up[i], before
            before = None if after is None else (after[0], i)
            i = None if after is None else after[1]
        return True

    def _way_up(self, i):
        """The minima from one to below the root."""
        way = []
        while self._up[i] is not None:
            way.append(i)
            i = self._up[i][1]
        return way


def _merges(energy, edges, lowest):
    """As `Forest.merges`: a group is a part of the order, so that nothing is copied."""
    # of each group, by any of its members the root, and by that its first, last and size
    up = {i: i for i in energy}
    last, size = dict(up), dict.fromkeys(energy, 1)
    first, following = dict(up), {}

    def root(i):
        while up[i] != i:
            up[i] = i = up[up[i]]
        return i

    taken = []
    for edge in edges:
        one, other = root(edge[1]), root(edge[2])
        ground = root(lowest)
        if ground in (one, other):
            inside = other if ground == one else one
            taken.append((edge, first[inside], size[inside], first[ground], size[ground]))
        if size[one] < size[other]:
            one, other = other, one
        up[other] = one
        following[last[one]] = first[other]
        last[one] = last[other]
        size[one] += size[other]
    order, i = [], None if lowest is None else first[root(lowest)]
    while i is not None:
        order.append(i)
        i = following.get(i)
    at = {i: k for k, i in enumerate(order)}
    return order, [
        (edge, at[i], at[i] + n, at[ground], at[ground] + m) for edge, i, n, ground, m in taken
    ]
