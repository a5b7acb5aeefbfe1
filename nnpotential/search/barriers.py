"""The barriers from some minima to the lowest, and where each of them has its bottleneck."""

from dataclasses import dataclass

from .forest import Members

__all__ = ["Bottleneck", "barriers_of", "bottlenecks", "mean_barrier"]


@dataclass(frozen=True)
class Bottleneck:
    """The transition state that some minima have to cross on their lowest path.

    Attributes
    ----------
    edge : (int, int)
        The minima that it joins.
    energy : float
    trapped, beyond : Members
        Minima that paths below it join to one another, on either side; the
        lowest is among those beyond.
    barriers : dict of int to float
        Its height above each trapped minimum that is asked about.
    """

    edge: tuple
    energy: float
    trapped: Members
    beyond: Members
    barriers: dict

    @property
    def weight(self):
        """The sum of the barriers that it makes."""
        return sum(self.barriers.values())


def bottlenecks(forest, targets):
    """The bottlenecks between some minima and the lowest one.

    They are where the lowest minimum's group takes in others, when minima are
    joined by transition states in the order of their energy (Kruskal's minimum
    spanning tree).

    Parameters
    ----------
    forest : Forest
    targets : collection of int
        The minima whose barriers are asked about; those that are not connected
        to the lowest have none.

    Returns
    -------
    list of Bottleneck
    """
    energy = forest.energy
    return [
        Bottleneck(tuple(edge), top, trapped, beyond, {i: top - energy[i] for i in behind})
        for (top, *edge), behind, trapped, beyond in forest.passes(targets)
    ]


def barriers_of(found):
    """The barrier of every minimum asked about, by id, from its bottleneck."""
    return {i: barrier for bottleneck in found for i, barrier in bottleneck.barriers.items()}


def mean_barrier(found):
    """The mean over the minima asked about, 0 if none is connected."""
    barriers = barriers_of(found).values()
    return sum(barriers) / len(barriers) if barriers else 0.0
