"""What pele asks of a system, made of what the contract asks of one."""

import logging
from copy import copy
from importlib import import_module
from math import log10

import numpy as np
from pele.accept_tests.metropolis import Metropolis
from pele.landscape import smooth_path
from pele.systems import BaseSystem
from pele.systems.basesystem import BaseParameters
from pele.takestep import TakestepInterface
from pele.thermodynamics import NormalModeError

from .drawing import paint, profile_picture
from .errors import InputError
from .files import absolute
from .quiet import quiet

__all__ = ["PeleSystem"]

# pele sends everything down to DEBUG to standard output
logging.getLogger("pele").setLevel(logging.ERROR)

_IN_MEMORY = ":memory:"
_FEW = 12  # coordinates that are named one by one in a picture


class _WrongIndex(InputError, NormalModeError):
    """One point that is not what it is stored as: pele goes on with the others."""


class PeleSystem(BaseSystem):
    """pele's system in full, for one that has `potential`, `identity`, `scales` and `starts`."""

    def __init__(self, seed=0):
        with quiet():  # pele remarks on its own defaults
            super().__init__()
        self.rng = np.random.default_rng(seed)
        self._set_defaults()

    def _set_defaults(self):
        """Parameters that hold for smooth landscapes in general; a system sets its own scales."""
        p = self.params
        # In lengths and energies of order one.
        p.takestep.stepsize = 0.5
        p.basinhopping.temperature = 1.0
        # Condition numbers of 1e5 and more: a long memory pays for itself.
        p.structural_quench_params.memory = 30
        # Below this rms gradient Newton needs some five steps.
        p.structural_quench_params.lbfgs_tol = 1e-5
        connect = p.double_ended_connect
        # Five bands leave half of the pairs of a deep network unconnected, twenty few.
        connect.niter = 20
        local = connect.local_connect_params
        # Eigenvector following needs no more than this from a fair candidate.
        local.tsSearchParams = BaseParameters()
        local.tsSearchParams.nsteps = 200
        # Far enough off the ridge for an energy that falls beyond rounding.
        local.pushoff_params.pushoff = 0.02
        neb = local.NEBparams
        # Only a candidate is wanted; eigenvector following does the rest.
        neb.iter_density = 3
        # Single nudging lets the images slide apart: more maxima, more transition states.
        neb.dneb = False
        neb.verbose = -1

    def with_seed(self, seed):
        """The same system, parameters included, with a random generator of its own."""
        twin = copy(self)
        twin.rng = np.random.default_rng(seed)
        return twin

    def get_potential(self):
        """The `potential`."""
        return self.potential

    def get_random_configuration(self):
        """A random start from the first of `starts`."""
        return next(iter(self.starts.values()))(self.rng)

    def get_minimizer(self, **kwargs):
        """A function ``coords -> Result`` that quenches to the full standard.

        Parameters
        ----------
        **kwargs
            Override ``params.structural_quench_params``; see `quench`. pele's
            ``tol`` is accepted and ignored: convergence is always complete.
        """
        kwargs.pop("tol", None)
        options = {"scales": self.scales, **self.params.structural_quench_params, **kwargs}
        quench = _engine("quench.quench")
        return lambda coords: quench(coords, self.potential, self.identity.zero_modes, **options)

    def get_takestep(self, **kwargs):
        """Uniform random displacement of every coordinate, from the system's generator."""
        return _Displacement(self.rng, **{**self.params.takestep, **kwargs})

    def get_accept_test(self, temperature=None):
        """The Metropolis test, drawing from the system's generator."""
        if temperature is None:
            temperature = self.params.basinhopping.temperature
        return Metropolis(temperature, random=self.rng.random)

    def get_basinhopping(self, *args, **kwargs):
        """As pele's, with the system's own acceptance test; see `get_accept_test`."""
        kwargs.setdefault("acceptTest", self.get_accept_test(kwargs.get("temperature")))
        return super().get_basinhopping(*args, **kwargs)

    def create_database(self, *args, **kwargs):
        """pele's database; its file is found again from any working directory."""
        if args and args[0] != _IN_MEMORY:
            args = (str(absolute(args[0])), *args[1:])
        elif kwargs.get("db", _IN_MEMORY) != _IN_MEMORY:
            kwargs["db"] = str(absolute(kwargs["db"]))
        if "accuracy" not in self.params.database:
            kwargs.setdefault("accuracy", self.scales.energy_window)
        return super().create_database(*args, **kwargs)

    def get_mindist(self):
        """A function ``x1, x2 -> distance, x1, image of x2 near x1``."""
        return self._mindist(False)

    def _mindist(self, quick):
        def mindist(x1, x2):
            distance, image = self.identity.align(x1, x2, quick=quick)
            return distance, x1, image

        return mindist

    def get_compare_exact(self):
        """A function that tells whether two points are images of each other."""
        return self.identity.are_same

    def get_orthogonalize_to_zero_eigenvectors(self):
        """A function that removes the zero modes from a vector, or None without any."""
        if self.get_nzero_modes() == 0:
            return None

        def remove(vector, coords):
            zero_modes = self.identity.zero_modes(coords)
            return vector - zero_modes @ (zero_modes.T @ vector)

        return remove

    def get_nzero_modes(self):
        """Number of directions in which the energy never changes, at a general point."""
        x = next(iter(self.starts.values()))(np.random.default_rng(0))
        return self.identity.zero_modes(x).shape[1]

    def get_metric_tensor(self, coords):
        """None: the metric is the identity."""
        return None

    def get_pgorder(self, coords):
        """Number of symmetry operations that leave the point as it is.

        An int as long as the database can hold it, then the nearest float.

        Raises
        ------
        InputError
            If it is more than a float holds.
        """
        order = self.identity.n_self_images(coords)
        if order < 2**63:
            return order
        try:
            return float(order)
        except OverflowError:
            raise InputError(
                f"the point has a symmetry of order 10^{log10(order):.1f}, more than a float "
                "holds: take the logarithm of identity.n_self_images"
            ) from None

    def get_normalmodes(self, coords):
        """Eigenvalues of the Hessian, ascending, and its eigenvectors as columns.

        The zero modes are those of the identity, with eigenvalue 0.
        """
        coords = np.asarray(coords, dtype=float)
        zero_modes = self.identity.zero_modes(coords)
        here = _engine("stationary.spectrum")(self.potential, coords, zero_modes)
        n = here.physical.size
        values = np.concatenate([here.physical, np.zeros(zero_modes.shape[1])])
        vectors = np.hstack([here.eigenvectors[:, :n], zero_modes])
        order = np.argsort(values, kind="stable")
        return values[order], vectors[:, order]

    def get_log_product_normalmode_freq(self, coords, nnegative=0):
        """Log product of the Hessian's positive eigenvalues.

        pele's own takes eigenvalues below 1e-4 for zero modes; here they are
        real.

        Raises
        ------
        InputError
            If the point has not `nnegative` negative eigenvalues.
        """
        here = _engine("stationary.spectrum")(
            self.potential,
            np.asarray(coords, dtype=float),
            self.identity.zero_modes,
            vectors=False,
        )
        if here.index != nnegative:
            raise _WrongIndex(f"the point has index {here.index}, not {nnegative}")
        return float(np.log(here.physical[nnegative:]).sum())

    def get_double_ended_connect(self, min1, min2, database, **kwargs):
        """pele's `DoubleEndedConnect` with exact refinement; see `ExactDoubleEndedConnect`."""
        options = {
            "band_mindist": self.get_mindist(),
            "scales": self.scales,
            **self.params.double_ended_connect,
            **kwargs,
        }
        # a quick alignment ranks pairs well enough; only the ends of a band need the nearest image
        return _engine("connect.ExactDoubleEndedConnect")(
            min1, min2, self.potential, self._mindist(True), database, self.identity, **options
        )

    def createNEB(self, coords1, coords2, **kwargs):
        """A `BandDriver` between two points, with pele's arguments."""
        options = {**self.params.double_ended_connect.local_connect_params.NEBparams, **kwargs}
        return _engine("band.BandDriver")(self.potential, coords1, coords2, **options)

    def draw(self, x, index):
        """The `picture` of a point in pele's GUI.

        Parameters
        ----------
        x : ndarray, shape (n_dof,)
        index : {1, 2}
            Which of two points on one screen.
        """
        paint(self.picture(x), index)

    def picture(self, x):
        """The coordinates as bars; a system shows what they mean.

        Parameters
        ----------
        x : ndarray, shape (n_dof,)

        Returns
        -------
        Picture
        """
        parts = {f"x{i}": (i - 1, i) for i in range(1, len(x) + 1)} if len(x) <= _FEW else None
        return profile_picture(x, parts)

    def smooth_path(self, path, **kwargs):
        """The path with images in between, each point as its image near the one before.

        Parameters
        ----------
        path : sequence of ndarray, shape (n_dof,)
            Such as minima and transition states in turn.
        **kwargs
            As for pele's `smooth_path`.

        Returns
        -------
        list of ndarray
        """
        # pele's leaves out the first point
        return [np.array(path[0]), *smooth_path(path, self.get_mindist(), **kwargs)]


def _engine(name):
    """What pele's methods are made of: it stands below this module, which imports nothing there."""
    module, name = name.split(".")
    return getattr(import_module(f"{__package__}.points.{module}"), name)


class _Displacement(TakestepInterface):
    """Uniform displacement, as pele's `RandomDisplacement` but from a given generator."""

    def __init__(self, rng, stepsize):
        self.rng = rng
        self.stepsize = stepsize

    def takeStep(self, coords, **kwargs):
        coords += self.rng.uniform(-self.stepsize, self.stepsize, coords.size)
