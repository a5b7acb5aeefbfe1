"""Minima and transition states of one connection, in lists: no database is made for it."""

from pele.storage import Minimum, TransitionState

__all__ = ["Scratch"]


class Scratch:
    """What pele's `DoubleEndedConnect` asks of a database, and no more.

    Parameters
    ----------
    identity : Identity
    accuracy : float
        Energies further apart belong to different points.
    """

    def __init__(self, identity, accuracy):
        self._identity, self._accuracy = identity, accuracy
        self._points = {Minimum: [], TransitionState: []}
        self.session = self.connection = self  # there is nothing to commit

    def begin(self):
        """A transaction."""
        return self

    def commit(self):
        """It is kept already."""

    def rollback(self):
        """After an exception nothing here is used."""

    def minima(self):
        """In the order in which they were found."""
        return list(self._points[Minimum])

    def transition_states(self):
        """In the order in which they were found."""
        return list(self._points[TransitionState])

    def minimum(self, energy, coords):
        """The minimum, found or added."""
        return self._find_or_add(Minimum, energy, coords)

    def transition_state(self, energy, coords, *what):
        """The transition state, found or added; `what` as for pele's `TransitionState`."""
        return self._find_or_add(TransitionState, energy, coords, *what)

    def _find_or_add(self, kind, energy, coords, *what):
        points = self._points[kind]
        for point in points:
            near = abs(point.energy - energy) <= self._accuracy
            if near and self._identity.are_same(point.coords, coords):
                return point
        new = kind(float(energy), coords, *what)
        new._id = len(points) + 1  # what pele tells minima apart by
        points.append(new)
        return new
