"""The minima that count, and in what order transition states join them to groups."""

from bisect import bisect_left, insort
from collections.abc import Sequence

import networkx as nx

__all__ = ["Forest", "Members"]


class _Group:
    """Minima that a transition state, the highest that they need, joins; or a single one.

    Attributes
    ----------
    edge : tuple
        Energy of the transition state, and the minima that it joins; of a single
        minimum its id.
    ends : list of _Group
        The two groups that it joins, that of the first minimum first; of a single
        minimum none.
    size : int
    lowest : (float, int)
        Energy and id of its lowest minimum, the first of equals.
    up : _Group or None
        That it becomes part of next.
    """

    __slots__ = ("edge", "ends", "lowest", "size", "up")

    def __init__(self, edge, *ends, lowest=None):
        self.edge, self.ends, self.up = edge, list(ends), None
        self.size = sum(end.size for end in ends) or 1
        self.lowest = lowest or min(end.lowest for end in ends)
        for end in ends:
            end.up = self

    def larger_first(self):
        """The two ends in the order in which their members stand in this group."""
        one, other = self.ends
        return (other, one) if one.size < other.size else (one, other)

    def exchange(self, end, by):
        """Have another group as an end; size and lowest minimum are left to the caller."""
        self.ends[self.ends[0] is not end] = by
        by.up = self


class Members(Sequence):
    """The minima of a group, for as long as the forest does not change; not copied."""

    def __init__(self, group):
        self._group = group

    def __len__(self):
        return self._group.size

    def __getitem__(self, k):
        return self.take([k])[0]

    def take(self, places):
        """The minima at some places, all in one walk down the tree."""
        if not all(0 <= k < len(self) for k in places):
            raise IndexError(places)
        found, waiting = {}, [(self._group, 0, sorted(set(places)))]
        while waiting:
            group, before, asked = waiting.pop()
            while group.ends and asked:
                group, second = group.larger_first()
                after = before + group.size
                if asked[-1] >= after:
                    split = bisect_left(asked, after)
                    waiting.append((second, after, asked[split:]))
                    asked = asked[:split]
            if asked:
                found[before] = group.edge
        return [found[k] for k in places]

    def __iter__(self):
        waiting = [self._group]
        while waiting:
            group = waiting.pop()
            if group.ends:
                waiting.extend(reversed(group.larger_first()))
            else:
                yield group.edge

    def __eq__(self, other):
        return list(self) == list(other)

    __hash__ = None


class Forest:
    """A graph, kept together with its minimum spanning forest, as a tree of groups.

    The forest is made of the transition states that lowest paths cross: minima
    are joined in the order of their energy, then of the ids that they join
    (Kruskal), each time two groups to one. A new one changes the groups between
    the two minima and the first that holds both; where one of the forest is
    taken away all of it is made anew.

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

    References
    ----------
    J. C. Gower and G. J. S. Ross, Appl. Stat. 18, 54 (1969).
    """

    def __init__(self, graph=None):
        self.graph = nx.Graph() if graph is None else graph
        self.energy = dict(self.graph.nodes(data="energy"))
        self._sorted = sorted((e, i) for i, e in self.energy.items())
        self.changes = 0
        self._stale = True  # the groups are made when they are asked for

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
            del self._single[i], self._members[self._label.pop(i)]
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
        if self._stale or (min(i, j), max(i, j)) in self._crossed:
            self._stale = True
            self._changed()

    def _changed(self):
        self.changes += 1

    # What follows from it

    def lowest(self):
        """The minimum of lowest energy, the first of equals; None without any."""
        return self._sorted[0][1] if self._sorted else None

    def upward(self):
        """The minima from the lowest on."""
        return (i for _, i in self._sorted)

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

    def n_groups(self, of):
        """How many of the components hold some of these minima."""
        self._renew()
        return len({self._label[i] for i in of})

    def component(self, i):
        """The minima that are joined to one, itself included; not to be changed."""
        self._renew()
        return self._members[self._label[i]]

    def passes(self, targets):
        """Where the group of the lowest minimum takes in others, from the lowest pass on.

        Parameters
        ----------
        targets : collection of int

        Yields
        ------
        edge : tuple
            Energy, and the minima that it joins.
        behind : list of int
            The targets that are taken in there, in order; passes without any are left out.
        trapped, beyond : Members
            All that are taken in, and those that take them in.
        """
        self._renew()
        lowest = self.lowest()
        outermost, behind = {}, {}
        for i in sorted(targets):
            group, within = self._single.get(i), []
            if group is None or i == lowest:
                continue
            while group.up is not None and group.up.lowest[1] != lowest and group not in outermost:
                within.append(group)
                group = group.up
            group = outermost.get(group, group)
            outermost.update(dict.fromkeys(within, group))
            if group.up is not None:
                behind.setdefault(group, []).append(i)
        for group in sorted(behind, key=lambda group: group.up.edge):
            [ground] = (end for end in group.up.ends if end is not group)
            yield group.up.edge, behind[group], Members(group), Members(ground)

    # The groups

    def _renew(self):
        if not self._stale:
            return
        self._single, self._crossed = {}, set()
        self._label, self._members = {}, {}  # of whole trees
        for i in self.energy:
            self._plant(i)
        top = dict(self._single)  # by label
        edges = ((e, min(i, j), max(i, j)) for i, j, e in self.graph.edges(data="energy"))
        for edge in sorted(edges):
            one, other = (self._label[i] for i in edge[1:])
            if one != other:
                group = _Group(edge, top[one], top[other])
                top[self._unite(*edge[1:])] = group
                self._crossed.add(edge[1:])
        self._stale = False

    def _plant(self, i):
        self._single[i] = _Group(i, lowest=(self.energy[i], i))
        self._label[i], self._members[i] = i, {i}

    def _unite(self, i, j):
        """Two trees are one; returns its label."""
        labels = self._label[i], self._label[j]
        less, more = sorted(labels, key=lambda label: len(self._members[label]))
        for k in self._members[less]:
            self._label[k] = more
        self._members[more] |= self._members.pop(less)
        return more

    def _grow(self, edge):
        """Take an edge into the forest if it belongs there; returns whether it does."""
        below = [self._single[i] for i in edge[1:]]
        for side in (0, 1):
            while below[side].up is not None and below[side].up.edge < edge:
                below[side] = below[side].up
        if below[0] is below[1]:
            return False
        above = [group.up for group in below]
        own = [(group.size, group.lowest) for group in below]
        group = _Group(edge, *below)
        while above[0] is not above[1]:  # each of both sides now holds what the other does
            one, other = above
            side = int(one is None or (other is not None and other.edge < one.edge))
            upper = above[side]
            above[side] = upper.up
            if below[side] is not group:
                upper.exchange(below[side], group)
            size, lowest = own[1 - side]
            own[side] = upper.size, upper.lowest
            upper.size += size
            if lowest < upper.lowest:
                upper.lowest = lowest
            below[side] = group = upper
        last = above[0]
        if last is None:
            group.up = None
            self._unite(*edge[1:])
        else:  # the first that held both: its transition state is no longer needed
            self._crossed.remove(last.edge[1:])
            group.up = last.up
            if last.up is not None:
                last.up.ends[last.up.ends[0] is not last] = group
        self._crossed.add(edge[1:])  # it may be the same two
        return True
