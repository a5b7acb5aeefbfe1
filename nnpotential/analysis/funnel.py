"""How far a landscape is a funnel: basins, superbasins, and barriers beside what they lead down."""

import numpy as np

from .passes import unite_upward

__all__ = [
    "barrier_ratios",
    "downhill_barriers",
    "monotonic_sequence_basins",
    "spread",
    "superbasins",
]


def spread(network):
    """Standard deviation of the energies of minima, each counted once.

    Returns
    -------
    float, in units of the energy
    """
    return float(network.minima.energies.std()) if len(network) else np.nan


def monotonic_sequence_basins(network):
    """To which monotonic sequence basin each minimum belongs.

    A monotonic sequence goes from minimum to minimum across one transition state each, always
    down in energy. It ends where no neighbour is lower: each such end is the bottom of a basin,
    so that their number does not depend on how others are divided. A minimum from which
    sequences lead to several bottoms belongs to that to which steps to the lowest neighbour
    lead. A single funnel is one basin.

    Returns
    -------
    ndarray of int, shape (n_minima,)
        Position of the bottom.

    References
    ----------
    R. S. Berry and R. Breitfelder-Kunz, Phys. Rev. Lett. 74, 3951 (1995).
    """
    energies = network.minima.energies
    order = np.lexsort((np.arange(len(network)), energies))  # ties: the one found first is lower
    rank = np.empty(len(network), dtype=int)
    rank[order] = np.arange(len(network))
    lowest = rank.copy()  # rank of the lowest neighbour, or its own
    for one, two in (network.ends.T, network.ends.T[::-1]):
        np.minimum.at(lowest, one, rank[two])
    bottom = np.arange(len(network))
    for k in order:
        if lowest[k] < rank[k]:
            bottom[k] = bottom[order[lowest[k]]]
    return bottom


def superbasins(network, energies):
    """Superbasins at levels of energy: the branches of the disconnectivity graph there.

    At a level, minima below it fall into sets within which paths below it lead from each to
    each.

    Parameters
    ----------
    network : TransitionNetwork
    energies : array_like

    Returns
    -------
    ndarray of int, with the shape of `energies`
        How many sets there are.

    References
    ----------
    O. M. Becker and M. Karplus, J. Chem. Phys. 106, 1495 (1997).
    """
    joined = np.sort([top for *_, top in network.spanning_tree().edges(data="energy")])
    below = np.searchsorted(np.sort(network.minima.energies), energies, side="right")
    return below - np.searchsorted(joined, energies, side="right")


def barrier_ratios(network):
    """Barrier to the lowest minimum over the energy above it, ``(E_ts - E) / (E - E_gm)``.

    Returns
    -------
    ndarray, shape (n_minima,), without unit
        NaN for minima that are as low as the lowest, or not connected to it.
    """
    gaps = network.minima.energies - network.minima.energies.min(initial=np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = network.barriers() / gaps
    return np.where(gaps > 0, ratios, np.nan)


def downhill_barriers(network):
    """The smallest barrier from each minimum to any that is lower.

    In a funnel these are small beside the `spread` of energies. Of minima of the same energy
    the one found first counts as lower.

    Returns
    -------
    ndarray, shape (n_minima,), in units of the energy
        NaN where no lower minimum is known to be connected.
    """
    energies = network.minima.energies
    found = np.full(len(network), np.nan)

    def unite(edge, *lowest):
        lower, upper = sorted(lowest, key=lambda k: (energies[k], k))
        found[upper] = edge[2] - energies[upper]
        return lower

    unite_upward(
        {k: k for k in range(len(network))}, network.spanning_tree().edges(data="energy"), unite
    )
    return found
