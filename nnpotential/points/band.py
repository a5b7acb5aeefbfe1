"""pele's nudged elastic band, all images in one call."""

from pele.optimize import lbfgs_cpp, mylbfgs
from pele.transition_states import NEB, NEBDriver
from pele.transition_states._NEB import distance_cart

from .._kernel import band_force
from ..contract import rms
from ..pulse import tell

__all__ = ["Band", "BandDriver"]

# of the options of pele's L-BFGS in Python what the compiled one knows as well
_COMPILED = {"tol", "nsteps", "M", "maxstep", "maxErise", "H0", "rel_energy"}


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
        super().__init__(path, potential, **{"quenchRoutine": _move, **kwargs})
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
        climbing = bytes(self.isclimbing[1:-1])
        force = band_force(
            path, self.energies, gradients, climbing, self.k, self.dneb, self.distances
        )
        size = rms(force)
        tell("band", len(gradients) * (self.getEnergyCount + 1), size, of="force")
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
                rms=size,
            )
        return float(self.energies.sum()), force


def _move(x, band, logger, events=(), **options):
    """pele's L-BFGS, compiled where nobody asks for more than it does: the steps are the same."""
    if band.adjustk_freq > 0 or not options.keys() <= _COMPILED:
        return mylbfgs(x, band, logger=logger, events=list(events), **options)
    return lbfgs_cpp(x, band, **options)


class BandDriver(NEBDriver):
    """pele's `NEBDriver` with a `Band`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._nebclass = Band

    def _process_event(self, **news):
        # pele's signal takes a sixth of the time of a small band to find that nobody listens
        if self.update_event._functions or self.update_event._methods:
            super()._process_event(**news)
