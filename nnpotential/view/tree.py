"""The branches of a disconnectivity graph, as lines: a tree of superbasins, laid out."""

from dataclasses import dataclass

import networkx as nx
import numpy as np

__all__ = ["LEVELS", "Tree", "tree"]

LEVELS = 30  # more make horizontal lines of the branches of a funnel


@dataclass(frozen=True)
class Tree:
    """A disconnectivity graph in the plane.

    Attributes
    ----------
    places : ndarray, shape (n_minima,)
        Of the branch of each minimum, from 0.5 to ``n_minima - 0.5``.
    lines : ndarray, shape (n_lines, 2, 2)
        From point to point, a place and an energy each; the lower point comes first.
    owners : ndarray of int, shape (n_lines,)
        The minimum whose end a line is, -1 of a branch of several.
    spans : ndarray of int, shape (n_lines, 2)
        The minima of the branch that a line belongs to: those whose place lies between.
    """

    places: np.ndarray
    lines: np.ndarray
    owners: np.ndarray
    spans: np.ndarray


class _Branch:
    """A superbasin at a level, and from left to right those that are its parts."""

    def __init__(self, lowest, energy, parts=(), value=None):
        self.lowest, self.energy = lowest, energy
        self.size = sum(part.size for part in parts) or 1
        self.value = value  # the mean of those of its minima
        self.parts, self.left = (), 0.5  # of its stem
        if parts:
            main, *others = sorted(parts, key=_rank, reverse=True)
            if main.value is not None:
                self.value = sum(part.size * part.value for part in parts) / self.size
                self.parts = tuple(sorted(parts, key=lambda part: (part.value, part.lowest)))
                before = self.parts[: self.parts.index(main)]
                self.left = sum(part.size for part in before) + main.left
            else:
                self._by_size(main, others)

    def _by_size(self, main, others):
        self.left, right = main.left, main.size - main.left
        before, after = [], []
        for part in others:  # to the side that has more room
            if self.left <= right:
                before.append(part)
                self.left += part.size
            else:
                after.append(part)
                right += part.size
        self.parts = (*reversed(before), main, *after)


def tree(energies, ends, heights, levels, values=None, square=False):
    """Lay out the disconnectivity graph of minima and transition states.

    Branches hang from the superbasin that they join, the largest straight below it and
    the others by size to the side that has more room, so that stems stay upright. Minima that
    nothing joins hang from no branch.

    Parameters
    ----------
    energies : ndarray, shape (n,)
        Of minima.
    ends : ndarray of int, shape (m, 2)
        Minima that a transition state joins.
    heights : ndarray, shape (m,)
        Its energy.
    levels : ndarray, ascending
        Branches join at these; what joins above the last stands side by side.
    values : ndarray, shape (n,), optional
        Branches stand from left to right by the mean of these, in place of by size.
    square : bool
        Branches stay upright up to the level where they join, in place of bending to it from
        the level below.

    Returns
    -------
    Tree

    References
    ----------
    O. M. Becker and M. Karplus, J. Chem. Phys. 106, 1495 (1997).
    """
    roots = _roots(energies, ends, heights, levels, values)
    lines, places = [], np.full(len(energies), np.nan)
    left, waiting = 0, []
    for root in sorted(roots, key=_from_left):
        waiting.append((root, left))
        left += root.size
    order = []
    while waiting:
        branch, left = waiting.pop()
        order.append(branch)
        branch.begin, branch.place = left, left + branch.left
        if not branch.parts:
            places[branch.lowest] = branch.place
        for part in branch.parts:
            waiting.append((part, left))
            left += part.size
    for branch in order:
        for part in branch.parts:
            top = branch.energy if square else part.top
            lines.append((part, (part.place, part.energy), (part.place, top)))
            if not square and (part.place != branch.place or top < branch.energy):
                lines.append((part, (part.place, top), (branch.place, branch.energy)))
        if square and branch.parts:
            ends = branch.parts[0].place, branch.parts[-1].place
            lines.append((branch, *((place, branch.energy) for place in ends)))
    for root in roots:
        top = max(root.energy, levels[-1])
        lines.append((root, (root.place, root.energy), (root.place, top)))
    return Tree(
        places,
        np.array([line for _, *line in lines], dtype=float).reshape(-1, 2, 2),
        np.array([-1 if b.parts else b.lowest for b, *_ in lines], dtype=np.int64),
        np.array([(b.begin, b.begin + b.size) for b, *_ in lines], dtype=np.int64).reshape(-1, 2),
    )


def _rank(branch):
    return branch.size, -branch.energy, -branch.lowest


def _from_left(root):
    return (-root.size if root.value is None else root.value), root.energy


def _roots(energies, ends, heights, levels, values):
    """Superbasins, level by level from below; those that are left at the last."""
    values = [None] * len(energies) if values is None else np.asarray(values).tolist()
    branches = {k: _Branch(k, float(e), value=values[k]) for k, e in enumerate(energies)}
    sets = nx.utils.UnionFind(branches)
    order, at = np.argsort(heights, kind="stable"), 0
    below = -np.inf
    for level in map(float, levels):
        touched = set()
        while at < len(order) and heights[order[at]] <= level:
            one, two = (sets[int(k)] for k in ends[order[at]])
            at += 1
            if one != two:
                sets.union(one, two)
                touched |= {one, two}
        merged = {}
        for root in touched:
            merged.setdefault(sets[root], []).append(branches.pop(root))
        for root, parts in merged.items():
            best = min(parts, key=lambda branch: (energies[branch.lowest], branch.lowest))
            for part in parts:
                part.top = max(below, part.energy)
            branches[root] = _Branch(best.lowest, level, parts)
        below = level
    return list(branches.values())
