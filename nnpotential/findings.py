"""What a piece of work brings back, in plain numbers that travel between processes."""

from typing import Any, NamedTuple, Self

from .contract import Array

__all__ = ["Connection", "Failure", "Findings", "Point", "State", "Verdict"]


class Point(NamedTuple):
    """A minimum.

    Attributes
    ----------
    energy : float
    coords : ndarray, shape (n_dof,)
    """

    energy: float
    coords: Array

    @classmethod
    def of(cls, stored: Any) -> Self:
        """The numbers of a stored pele `Minimum`."""
        return cls(stored.energy, stored.coords)


class State(NamedTuple):
    """A transition state that was not descended from.

    Attributes
    ----------
    energy, coords, eigenval, eigenvec
        As of a `Connection`.
    """

    energy: float
    coords: Array
    eigenval: float
    eigenvec: Array


class Connection(NamedTuple):
    """A transition state and the minima below its two sides, named as pele's `TransitionState`.

    Attributes
    ----------
    energy : float
    coords : ndarray, shape (n_dof,)
    eigenval : float
        The negative eigenvalue of the Hessian.
    eigenvec : ndarray, shape (n_dof,)
        Its eigenvector.
    minimum1, minimum2 : Point
    """

    energy: float
    coords: Array
    eigenval: float
    eigenvec: Array
    minimum1: Point
    minimum2: Point

    @classmethod
    def of(cls, stored: Any) -> Self:
        """The numbers of a stored pele `TransitionState`."""
        ends = (Point.of(minimum) for minimum in (stored.minimum1, stored.minimum2))
        return cls(stored.energy, stored.coords, stored.eigenval, stored.eigenvec, *ends)


class Failure(NamedTuple):
    """What became of a search that failed, and the energy where it ended, if it got anywhere."""

    reason: str
    energy: float | None


class Findings(NamedTuple):
    """What a job of the search found: points or connections, its failures, its cost.

    The cost is in gradients, where it is counted. Transition states that were
    met are stored by all appearances: nobody descended from them. A connection
    is astray whose way has become no shorter by many bands.
    """

    found: list[Any]
    failures: list[Failure]
    cost: float = 0.0
    met: tuple[State, ...] = ()
    astray: bool = False


class Verdict(NamedTuple):
    """What a check says.

    Attributes
    ----------
    outcome : str
        A key of `storage.OUTCOMES`.
    why : str or None
        What leaves a degenerate minimum without curvature, where that is known.
    ends : list of Point
        The minima that the two sides of a transition state lead to.
    """

    outcome: str
    why: str | None = None
    ends: list[Point] = []  # noqa: RUF012 (never changed)
