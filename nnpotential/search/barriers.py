"""The barriers from some minima to the lowest, and where each of them has its bottleneck."""

from dataclasses import dataclass

__all__ = ["Bottleneck", "barriers_of", "bottlenecks", "mean_barrier"]


@dataclass(frozen=True)
class Bottleneck:
    """The transition state that some minima have to cross on their lowest path.

    Attributes
    ----------
    edge : (int, int)
        The minima that it joins.
    energy : float
    trapped, beyond : list of int
        Minima that paths below it join to one another, on either side; the
        lowest is among those beyond.
    barriers : dict of int to float
        Its height above each trapped minimum that is asked about.
    """

    edge: tuple
    energy: float
    trapped: list
    beyond: list
    barriers: dict

    @property
    def weight(self):
        """The sum of the barriers that it makes."""
        return sum(self.barriers.values())


def bottlenecks(graph, targets):
    """The bottlenecks between some minima and the lowest one.

    They are where the lowest minimum's group takes in others, when minima are
    joined by transition states in the order of their energy (Kruskal's minimum
    spanning tree).

    Parameters
    ----------
    graph : networkx.Graph
        Ids of minima with attribute ``energy``; edges carry that of the lowest
        transition state of the pair.
    targets : collection of int
        The minima whose barriers are asked about; those that are not connected
        to the lowest have none.

    Returns
    -------
    list of Bottleneck
    """
    if not graph:
        return []
    energy = graph.nodes(data="energy")
    lowest = min(graph, key=lambda i: (energy[i], i))
    group = {i: [i] for i in graph}  # the members of the group that a minimum is in
    found = []
    for top, *edge in sorted((e, min(i, j), max(i, j)) for i, j, e in graph.edges(data="energy")):
        one, other = (group[i] for i in edge)
        if one is other:
            continue
        ground = group[lowest]
        if ground is one or ground is other:
            trapped = other if ground is one else one
            barriers = {i: top - energy[i] for i in trapped if i in targets}
            if barriers:
                found.append(Bottleneck(tuple(edge), top, list(trapped), list(ground), barriers))
        if len(one) < len(other):
            one, other = other, one
        one += other
        for i in other:
            group[i] = one
    return found


def barriers_of(found):
    """The barrier of every minimum asked about, by id, from its bottleneck."""
    return {i: barrier for bottleneck in found for i, barrier in bottleneck.barriers.items()}


def mean_barrier(found):
    """The mean over the minima asked about, 0 if none is connected."""
    barriers = barriers_of(found).values()
    return sum(barriers) / len(barriers) if barriers else 0.0
