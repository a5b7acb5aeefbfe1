"""The lowest passes between minima: the highest points of paths for which these are lowest."""

from operator import itemgetter

import networkx as nx
import numpy as np

__all__ = ["heights_from", "lowest_passes", "pair_barriers", "unite_upward"]


def heights_from(tree, start):
    """The highest edge on the way from one node to each other.

    Parameters
    ----------
    tree : networkx.Graph
        A minimum spanning forest, so that the ways are the lowest; edges with ``energy``.
    start : node

    Returns
    -------
    dict
        By node that is joined to `start`, in the order of its steps from there; -infinity of
        `start` itself.
    """
    heights = {start: -np.inf}
    for near, far in nx.bfs_edges(tree, start):
        heights[far] = max(heights[near], tree.edges[near, far]["energy"])
    return heights


def unite_upward(values, edges, unite):
    """Let groups of nodes become one as a level rises past the edges (Kruskal).

    Parameters
    ----------
    values : dict
        By node: of the group that it is by itself.
    edges : iterable of (node, node, float, ...)
        Each with its energy; of equals the first in `edges` comes first.
    unite : callable
        ``unite(edge, one, other)`` is the value of a group from those of the two that the edge
        is the first to join, that of its first node before that of its second.
    """
    values, sets = dict(values), nx.utils.UnionFind(values)
    for edge in sorted(edges, key=itemgetter(2)):
        roots = sets[edge[0]], sets[edge[1]]
        if roots[0] != roots[1]:
            sets.union(*roots)
            values[sets[edge[0]]] = unite(edge, *(values.pop(root) for root in roots))


def lowest_passes(graph, nodes):
    """For every two minima the highest point of the path for which that is lowest.

    Parameters
    ----------
    graph : networkx.Graph
        Nodes and edges with ``energy``.
    nodes : sequence
        The minima asked about, each once.

    Returns
    -------
    ndarray, shape (n, n)
        Energies, symmetric; NaN where no path is known. Of a minimum and itself its own.
    """
    heights = np.full((len(nodes), len(nodes)), np.nan)
    np.fill_diagonal(heights, [graph.nodes[node]["energy"] for node in nodes])

    def unite(edge, one, other):
        heights[np.ix_(one, other)] = heights[np.ix_(other, one)] = edge[2]
        return one + other

    asked = {node: [k] for k, node in enumerate(nodes)}
    unite_upward({node: asked.get(node, []) for node in graph}, graph.edges(data="energy"), unite)
    return heights


def pair_barriers(heights, energies):
    """The barrier of every pair: the height above the mean of the two, there and back alike.

    Parameters
    ----------
    heights : ndarray, shape (n, n)
        From `lowest_passes`.
    energies : array_like, shape (n,)

    Returns
    -------
    ndarray, shape (n, n)
        NaN on the diagonal, and where no path is known.
    """
    energies = np.asarray(energies)
    barriers = heights - (energies[:, None] + energies[None, :]) / 2
    np.fill_diagonal(barriers, np.nan)
    return barriers
