"""The lowest passes between any two minima."""

import networkx as nx
import numpy as np

__all__ = ["lowest_passes", "pair_barriers"]


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
    # joined in the order of their energy, two groups at a time (Kruskal)
    groups, members = nx.utils.UnionFind(graph), {node: [k] for k, node in enumerate(nodes)}
    for one, other, energy in sorted(graph.edges(data="energy"), key=lambda edge: edge[2]):
        roots = groups[one], groups[other]
        if roots[0] == roots[1]:
            continue
        groups.union(*roots)
        parts = [members.pop(root, []) for root in roots]
        heights[np.ix_(*parts)] = energy
        heights[np.ix_(*reversed(parts))] = energy
        members[groups[one]] = [*parts[0], *parts[1]]
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
