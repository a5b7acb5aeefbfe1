"""pele's nudged elastic band, all images in one call."""

import numpy as np
from pele.transition_states import NEB, NEBDriver
from pele.transition_states._NEB import distance_cart

from ..pulse import tell

__all__ = ["Band", "BandDriver"]

_TINY = np.finfo(float).tiny


class Band(NEB):
    """pele's `NEB` with the forces on all images computed together.

    Parameters
    ----------
    path : sequence of ndarray
    potential : LandscapePotential
        Anything with `energies_gradients`.
    **kwargs
        As for pele's class. A `distance` of its own, `with_springenergy` or
        `copy_potential` need pele's loop over images and get it.
    """

    def __init__(self, path, potential, **kwargs):
        super().__init__(path, potential, **kwargs)
        self._together = self.distance is distance_cart and not (
            self.with_springenergy or self.copy_potential
        )

    def getEnergyGradient(self, coords1d):
        """Sum of the images' losses, and the force on the band with its sign changed.

        Parameters
        ----------
        coords1d : ndarray, shape ((n_images - 2) * n_parameters,)
            All images but the two ends.

        Returns
        -------
        energy : float
        gradient : ndarray, of the shape of `coords1d`
        """
        if not self._together:
            return super().getEnergyGradient(coords1d)
        path = self.coords.copy()
        path[1:-1] = coords1d.reshape(self.active.shape)
        self.energies[1:-1], gradients = self.potential.energies_gradients(path[1:-1])
        force = self._force(path, gradients)
        tell("band", len(gradients) * (self.getEnergyCount + 1), _rms(force), of="force")
        if self.iprint > 0 and self.getEnergyCount % self.iprint == 0 and self.save_energies:
            self.printState()
        self.getEnergyCount += 1
        if not self.use_minimizer_callback:
            self._step(coords1d)
        for event in self.events:
            event(
                path=path,
                energies=self.energies,
                distances=self.distances,
                stepnum=self.getEnergyCount,
                rms=_rms(force),
            )
        return float(self.energies.sum()), force.ravel()

    def _force(self, path, gradients):
        """What `NEBForce` gives for each image, as rows."""
        jumps = path[1:] - path[:-1]
        before, after = jumps[:-1], jumps[1:]
        squares = _dot(jumps, jumps)
        self.distances[:] = np.sqrt(squares)[:, 0]
        tangent = _tangents(self.energies, before, after)
        along = _dot(gradients, tangent) * tangent
        across = gradients - along
        force = across + self.k * (squares[:-1] - squares[1:]) * tangent
        if self.dneb:
            spring = self.k * (before - after)
            spring -= _dot(spring, tangent) * tangent
            share = _dot(spring, across) / np.maximum(_dot(across, across), _TINY)
            force += spring - share * across
        climbing = np.flatnonzero(self.isclimbing[1:-1])
        force[climbing] = gradients[climbing] - 2 * along[climbing]
        return force


class BandDriver(NEBDriver):
    """pele's `NEBDriver` with a `Band`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._nebclass = Band


def _rms(force):
    return np.linalg.norm(force) / np.sqrt(force.size)


def _dot(a, b):
    return np.einsum("ij,ij->i", a, b)[:, None]


def _tangents(energies, before, after):
    """The uphill tangents of `NEB.tangent`, one row an image.

    References
    ----------
    G. Henkelman and H. Jonsson, J. Chem. Phys. 113, 9978 (2000).
    """
    left, here, right = energies[:-2], energies[1:-1], energies[2:]
    rise, fall = np.abs(here - left), np.abs(here - right)
    high, low = np.maximum(rise, fall), np.minimum(rise, fall)
    extremum = (here >= np.maximum(left, right)) | (here <= np.minimum(left, right))
    left_higher = left > right
    of_before = np.where(extremum, np.where(left_higher, high, low), left_higher)
    of_after = np.where(extremum, np.where(left_higher, low, high), ~left_higher)
    tangents = of_before[:, None] * before + of_after[:, None] * after
    return tangents / np.maximum(np.sqrt(_dot(tangents, tangents)), _TINY)
