"""Which two minima to try to connect next.

All of it is decided from the graph of what is known and from what was tried, so
the same state gives the same choice.
"""

from itertools import combinations, islice, pairwise, product
from operator import itemgetter
from typing import ClassVar

import numpy as np
from scipy.sparse.csgraph import csgraph_from_dense, dijkstra

from ..points.connect import STRATEGIES
from .settings import ASTRAY, TRIALS

__all__ = ["Attempts", "Trial", "missing_connection", "missing_link"]

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

    def under_way(self, i, j):
        """Whether the pair is being tried."""
        return frozenset((i, j)) in self._underway

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


class Trial:
    """Connections of neighbours: whether they join what was apart.

    Between the minima of a deep network with weak penalties, or of a glass, bands
    join next to nothing, and each takes long. It is lost where too few of them make a join,
    sooner where they go astray, and won where half of all joins are made.

    Parameters
    ----------
    noted : dict
        Where all of it but what is under way is kept; what it lacks is added.
    """

    _BEGINNING: ClassVar = {"apart": None, "merged": 0, "astray": 0, "joins": 0}

    def __init__(self, noted):
        self._noted, self._underway = noted, 0
        noted |= {**self._BEGINNING, **noted}

    def begin(self):
        """A connection is handed out."""
        self._underway += 1

    def end(self):
        """It came back."""
        self._underway -= 1

    def judge(self, joins, astray):
        """It was done, and is merged.

        Parameters
        ----------
        joins : callable
            How many joins are made by now, and how many there are to make.
        astray : bool
            Whether its bands went astray.
        """
        noted = self._noted
        if noted["apart"] is not None:
            return
        noted["merged"] += 1
        noted["astray"] += astray
        noted["joins"], wanted = joins()
        if 2 * noted["joins"] >= wanted:
            noted["apart"] = False
        elif self._are_enough(0):
            noted["apart"] = True

    def _are_enough(self, underway):
        """Whether with so many more the trial may be over: each join allows as many again."""
        noted, times = self._noted, 1 + self._noted["joins"]
        merged, astray = noted["merged"] + underway, noted["astray"] + underway
        return merged >= times * TRIALS or astray >= times * ASTRAY

    def appeal(self, joins):
        """There may be more minima to be joined: another trial, but where half still are.

        Parameters
        ----------
        joins : callable
            As for `judge`.
        """
        if self._noted["apart"] is None:
            return
        made, wanted = joins()
        if self.is_lost or 2 * made < wanted:
            self._noted |= self._BEGINNING

    @property
    def is_open(self):
        """Whether those under way and merged may be enough to end it.

        Where there was a join this is looked at after as many as would end it without one.
        """
        noted = self._noted
        doubted = not noted["joins"] or noted["merged"] >= TRIALS or noted["astray"] >= ASTRAY
        return noted["apart"] is None and doubted and self._are_enough(self._underway)

    @property
    def n_left(self):
        """How many may yet join nothing; none if it is over, not begun, or one has."""
        noted = self._noted
        is_on = (
            noted["apart"] is None and not noted["joins"] and (noted["merged"] or self._underway)
        )
        return TRIALS - noted["merged"] if is_on else 0

    @property
    def is_lost(self):
        """Whether too few of them did."""
        return bool(self._noted["apart"])


def missing_connection(forest, attempts, distances, limit, needed=None):
    """The next pair of minima in different components.

    The component that holds most of what is needed waits for the others, which
    may all try it at once. Of these the one with the fewest tries comes first,
    and tries the nearest pair of one of its lowest minima and one outside. A
    pair that failed is tried in every other way before another partner.

    Parameters
    ----------
    forest : Forest
    attempts : Attempts
    distances : callable
        Of a list of pairs of ids, a list.
    limit : int
        Partners that a component tries.
    needed : set of int, optional
        Only components that hold one of these or the lowest minimum; by default all.

    Returns
    -------
    (int, int, str) or None
        The minima and the strategy.
    """
    components = forest.components()
    if len(components) < 2:
        return None
    energy = forest.energy
    if needed is not None:
        needed = {*needed, forest.lowest()}
        components = [c for c in components if not c.isdisjoint(needed)]
    home = _home(forest, components, needed)
    busy, taken, waiting = attempts.busy, set(), []
    for component in components:
        if component is home:
            continue
        if not busy.isdisjoint(component):
            taken |= component
        else:
            tried = attempts.of(component)
            again = sorted((i, j) for i, j in tried if attempts.another_way(i, j))
            if again or len(tried) < limit:
                bottom = min(component, key=lambda i: (energy[i], i))
                waiting.append((len(tried), energy[bottom], bottom, again, tried, component))
    for *_, again, tried, component in sorted(waiting, key=lambda w: w[:3]):
        for i, j in again:
            if j not in taken and j in forest:
                return i, j, attempts.another_way(i, j)
        if len(tried) >= limit:
            continue
        inside = sorted(component, key=lambda i: (energy[i], i))[:_MEMBERS]
        refused = {*component, *taken, *(j for _, j in tried)}
        pair = _nearest(forest, inside, refused, distances)
        if pair is not None:
            return *pair, STRATEGIES[0]
    return None


def missing_link(forest, attempts, distances, needed):
    """The next pair on the way between groups that are far apart.

    The way goes over all minima that transition states join to others, so that what
    was met between the groups serves as stepping stones, and makes the sum of the squared
    jumps from group to group least (Dijkstra). Its longest jump comes first, and no
    other of the same way while that is under way.

    Parameters
    ----------
    forest, attempts, distances
        As for `missing_connection`.
    needed : set of int
        They and the lowest minimum are to be joined.

    Returns
    -------
    (int, int, str) or None
        As from `missing_connection`.

    References
    ----------
    J. M. Carr, S. A. Trygubenko and D. J. Wales, J. Chem. Phys. 122, 234903 (2005).
    """
    needed, components = {*needed, forest.lowest()}, forest.components()
    wanted = [c for c in components if not c.isdisjoint(needed)]
    if len(wanted) < 2:
        return None
    home = _home(forest, wanted, needed)
    stones = sorted(sorted(c) for c in components if len(c) > 1 or not c.isdisjoint(needed))
    group = {i: k for k, stone in enumerate(stones) for i in stone}

    def is_free(i, j):
        return not attempts.tried(i, j) or attempts.under_way(i, j) or attempts.another_way(i, j)

    pairs = [
        (i, j)
        for one, other in combinations(stones, 2)
        for i, j in product(one, other)
        if is_free(i, j)
    ]
    jumps = {}  # by two groups the shortest: its length, and the minima
    for (i, j), length in zip(pairs, distances(pairs), strict=True):
        a, b = group[i], group[j]
        if (a, b) not in jumps or length < jumps[a, b][0]:
            jumps[a, b], jumps[b, a] = (length, i, j), (length, j, i)
    weights = np.full((len(stones), len(stones)), np.inf)
    for between, (length, *_) in jumps.items():
        weights[between] = length**2
    lengths, before = dijkstra(
        csgraph_from_dense(weights, null_value=np.inf),
        indices=group[min(home)],
        return_predecessors=True,
    )
    others = [group[min(c)] for c in wanted if c is not home]
    for end in sorted(others, key=lambda k: (lengths[k], k)):
        way = [end]
        if not np.isfinite(lengths[end]):
            continue
        while before[way[-1]] >= 0:
            way.append(before[way[-1]])
        found = [jumps[between] for between in pairwise(way)]
        if any(attempts.under_way(i, j) for _, i, j in found):
            continue
        _, i, j = max(found, key=itemgetter(0))
        return i, j, attempts.another_way(i, j) or STRATEGIES[0]
    return None


def _home(forest, components, needed):
    """The component that others are to be joined to: of the largest the first with a low minimum.

    A new lowest minimum may turn up far from all others. If they had to go to it, a
    large component would soon have had its tries.
    """
    sizes = [len(c) if needed is None else len(c & needed) for c in components]
    most = max(sizes)
    largest = [c for c, size in zip(components, sizes, strict=True) if size == most]
    if len(largest) == 1:
        return largest[0]
    energy = forest.energy
    return min(largest, key=lambda c: min((energy[i], i) for i in c))


def _nearest(forest, inside, refused, distances):
    """The nearest pair, outside among those of similar loss, and the lowest."""
    outside = (j for j in forest.outward(forest.energy[inside[0]]) if j not in refused)
    near = set(islice(outside, _CANDIDATES))
    if forest.lowest() not in refused:
        near.add(forest.lowest())
    pairs = [(i, j) for i in inside for j in near]
    return min(zip(distances(pairs), pairs, strict=True), default=(None, None))[1]
