"""Transition states that are stored already: nobody need descend from them again."""

import numpy as np

from ..findings import State

__all__ = ["StoredStates"]


class StoredStates:
    """Transition states that a landscape holds, as far as a job needs to know them.

    Parameters
    ----------
    energies : ndarray
        In ascending order.
    window : float
        Energies further apart belong to different points.
    same : callable
        ``(x1, x2) -> bool``: whether points are one.

    Attributes
    ----------
    met : list of State
        Those that a search arrived at and that by their energy are stored, each once.
    """

    def __init__(self, energies, window, same):
        self._energies, self._window, self._same = energies, window, same
        self.met = []

    def meets(self, found):
        """Whether a state found, a pele `Result`, is stored by its energy; if so it is kept."""
        nearest = np.searchsorted(self._energies, found.energy - self._window)
        if not (self._energies[nearest : nearest + 1] <= found.energy + self._window).any():
            return False
        for state in self.met:
            near = abs(state.energy - found.energy) <= self._window
            if near and self._same(state.coords, found.coords):
                return True
        self.met.append(State(found.energy, found.coords, found.eigenval, found.eigenvec))
        return True
