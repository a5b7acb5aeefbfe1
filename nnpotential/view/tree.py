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
    """

    places: np.ndarray
    lines: np.ndarray
    owners: np.ndarray


class _Branch:
    """A superbasin at a level, and from left to right those that are its parts."""

    def __init__(self, lowest, energy, parts=()):
        self.lowest, self.energy = lowest, energy
        self.size = sum(part.size for part in parts) or 1
        self.left = 0.5  # of its stem
        if parts:
            self.main, *others = sorted(parts, key=_rank, reverse=True)
            self.left, right = self.main.left, self.main.size - self.main.left
            before, after = [], []
            for part in others:  # to the side that has more room
                if self.left <= right:
                    before.append(part)
                    self.left += part.size
                else:
                    after.append(part)
                    right += part.size
            parts = (*reversed(before), self.main, *after)
        self.parts = parts


def tree(energies, ends, heights, levels):
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
        Branches join at these; the last is above all transition states.

    Returns
    -------
    Tree

    References
    ----------
    O. M. Becker and M. Karplus, J. Chem. Phys. 106, 1495 (1997).
    """
    roots = _roots(energies, ends, heights, levels)
    lines, owners, places = [], [], np.full(len(energies), np.nan)
    left = 0.0
    waiting = []
    for root in sorted(roots, key=lambda branch: (-branch.size, branch.energy)):
        waiting.append((root, left))
        left += root.size
    order = []
    while waiting:
        branch, left = waiting.pop()
        order.append(branch)
        branch.place = left + branch.left
        if not branch.parts:
            places[branch.lowest] = branch.place
        for part in branch.parts:
            waiting.append((part, left))
            left += part.size
    for branch in order:
        for part in branch.parts:
            lines.append(((part.place, part.energy), (part.place, part.top)))
            owners.append(-1 if part.parts else part.lowest)
            if part.place != branch.place or part.top < branch.energy:
                lines.append(((part.place, part.top), (branch.place, branch.energy)))
                owners.append(-1 if part.parts else part.lowest)
    for root in roots:
        lines.append(((root.place, root.energy), (root.place, max(root.energy, levels[-1]))))
        owners.append(-1 if root.parts else root.lowest)
    return Tree(
        places, np.array(lines, dtype=float).reshape(-1, 2, 2), np.array(owners, dtype=np.int64)
    )


def _rank(branch):
    return branch.size, -branch.energy, -branch.lowest


def _roots(energies, ends, heights, levels):
    """Superbasins, level by level from below; those that are left at the last."""
    branches = {k: _Branch(k, float(e)) for k, e in enumerate(energies)}
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
