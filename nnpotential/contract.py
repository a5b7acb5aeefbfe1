"""What a system must give. The engine knows this, and nothing else of a system."""

import logging
from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from math import log10
from typing import Protocol

import numpy as np
from pele.accept_tests.metropolis import Metropolis
from pele.potentials import BasePotential
from pele.systems import BaseSystem
from pele.systems.basesystem import BaseParameters
from pele.takestep import TakestepInterface

from .checks import check_integer, check_number
from .errors import InputError
from .files import absolute
from .quiet import quiet

__all__ = [
    "DEGENERATE",
    "KRYLOV_LIMIT",
    "NATS",
    "TRAVELLING",
    "UNRESOLVED",
    "ZERO",
    "Adapted",
    "Identity",
    "LandscapePotential",
    "LandscapeSystem",
    "Measure",
    "Scales",
    "adapt",
    "check_system",
    "is_large",
    "rms",
]

# pele sends everything down to DEBUG to standard output
logging.getLogger("pele").setLevel(logging.ERROR)

ZERO = 1e-9  # an eigenvalue this far below the largest counts as zero
KRYLOV_LIMIT = 400  # coordinates above which products with vectors are cheaper than eigenvectors

# How a search for a stationary point can end besides well or out of steps.
DEGENERATE = "converged to a degenerate minimum"
TRAVELLING = "travelling"  # towards infinity: the Newton step does not become small
UNRESOLVED = "unresolved"  # converged, but for coordinates that rounding leaves open

_IN_MEMORY = ":memory:"


@dataclass(frozen=True)
class Scales:
    """What is small on a landscape, in its own units.

    Parameters
    ----------
    energy : float
        A typical difference of energies: 1 for cross-entropy in nats, the
        variance of the targets for squared error, the depth of a pair for atoms.
    tolerance : float
        Largest difference of a coordinate between two identical points.
    """

    energy: float = 1.0
    tolerance: float = 1e-5

    def __post_init__(self):
        for name in ("energy", "tolerance"):
            value = check_number(
                f"scales.{name}", getattr(self, name), "above 0", lambda x: 0 < x < np.inf
            )
            object.__setattr__(self, name, value)

    @property
    def rms(self):
        """Largest rms gradient of a converged point."""
        return 1e-9 * self.energy

    @property
    def energy_error(self):
        """Largest ``g^T |H|^-1 g / 2`` of a converged point."""
        return 1e-12 * self.energy

    @property
    def step(self):
        """Largest component of the Newton step at a converged point.

        It bounds the error of the coordinates, on which identity rests: under
        a weak penalty an energy error of 1e-12 leaves them open by 1e-2.
        """
        return 0.1 * self.tolerance

    @property
    def energy_window(self):
        """Energies of two identical points differ by less, distinct points may as well."""
        return 1e-9 * self.energy

    @property
    def flat(self):
        """A point without a curvature above this lies on a plateau, as at infinity."""
        return 1e-16 * self.energy

    def rounding(self, energy):
        """Changes of an energy of this size that may be rounding."""
        return 1e-14 * (abs(energy) + self.energy)


NATS = Scales()  # of cross-entropy


def rms(vector):
    """Root mean square of a vector."""
    return float(np.linalg.norm(vector) / np.sqrt(vector.size))


def is_large(n_dof):
    """Whether a system of so many coordinates is searched without its Hessian as a whole."""
    return n_dof > KRYLOV_LIMIT


class LandscapePotential(Protocol):
    """A pele potential with its Hessian, products of it, and batches. See `adapt`."""

    def getEnergy(self, x):
        """The energy at `x`, shape (n,)."""

    def getGradient(self, x):
        """The gradient at `x`, shape (n,)."""

    def getEnergyGradient(self, x):
        """Energy and gradient."""

    def getHessian(self, x):
        """The Hessian at `x`, shape (n, n)."""

    def getEnergyGradientHessian(self, x):
        """Energy, gradient and Hessian."""

    def hessian_vector_product(self, x, v):
        """The Hessian at `x` times one vector, shape (n,), or several as rows."""

    def energies_gradients(self, X):
        """Energies and gradients of a batch of points, rows of `X`."""


class Adapted(BasePotential):
    """Any pele potential as a `LandscapePotential`, by loops and ``H @ v``.

    Parameters
    ----------
    native : pele potential
        With an analytic Hessian, for accuracy.

    Attributes
    ----------
    native
        What pele's compiled optimisers run on without Python in between.
    """

    def __init__(self, native):
        self.native = native

    def getEnergy(self, x):
        return self.native.getEnergy(x)

    def getEnergyGradient(self, x):
        return self.native.getEnergyGradient(x)

    def getGradient(self, x):
        return self.native.getEnergyGradient(x)[1]

    def getEnergyGradientHessian(self, x):
        energy, gradient, hessian = self.native.getEnergyGradientHessian(x)
        return energy, gradient, np.asarray(hessian).reshape(x.size, x.size)

    def getHessian(self, x):
        return self.getEnergyGradientHessian(x)[2]

    def hessian_vector_product(self, x, v):
        return np.asarray(v) @ self.getHessian(x)

    def energies_gradients(self, X):
        parts = [self.native.getEnergyGradient(x) for x in X]
        return np.array([e for e, _ in parts]), np.array([g for _, g in parts])


def adapt(potential):
    """A pele potential as a `LandscapePotential`: itself, if it is one, else `Adapted`."""
    whole = all(hasattr(potential, m) for m in ("hessian_vector_product", "energies_gradients"))
    return potential if whole else Adapted(potential)


class Identity(ABC):
    """When two points are one: the symmetry of a system.

    Attributes
    ----------
    tolerance : float
        Largest difference of a coordinate between two identical points.
    """

    tolerance: float

    @abstractmethod
    def are_same(self, x1, x2):
        """Whether a symmetry operation maps `x2` onto `x1`: exact, never by energy alone."""

    @abstractmethod
    def align(self, x1, x2, quick=False):
        """An image of `x2` near `x1`: distance and image, the same for the same arguments.

        With `quick` one good enough to rank pairs by their distance.
        """

    def align_second(self, x1, x2):
        """Another image of `x2`, as from `align`: another way between the two, or None."""
        return None

    @abstractmethod
    def zero_modes(self, x):
        """Orthonormal directions at `x` in which the energy never changes, shape (n, k)."""

    def barren_modes(self, x):
        """Orthonormal directions that no path need follow, shape (n, k); the zero modes in them."""
        return self.zero_modes(x)

    @abstractmethod
    def n_self_images(self, x):
        """Number of operations that leave `x` as it is, a Python int."""

    def free_modes(self, x):
        """Flat directions at `x` that are no symmetry: {why, a sentence: columns}."""
        return {}


@dataclass(frozen=True)
class Measure:
    """What a minimum may be coloured by.

    Parameters
    ----------
    function : callable
        ``f(x) -> float``.
    label : str
    unit : str
        Empty for pure numbers.
    lacking : str
        What it lacks to be defined here, the end of a sentence; empty if nothing.
    """

    function: object
    label: str
    unit: str = ""
    lacking: str = ""

    @property
    def axis(self):
        """Label and unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


class LandscapeSystem(BaseSystem, ABC):
    """A pele system that the engine can search.

    Attributes
    ----------
    kind : str
        Its name in `settings.toml`, by which a landscape finds the class again.
    potential : LandscapePotential
    identity : Identity
    scales : Scales
    n_dof : int
        Length of a coordinate vector.
    starts : dict
        The sources of random starts: ``name: f(rng) -> x``.
    measures : dict
        ``name: Measure``.
    energy_label : str
        With its unit, for axes and tables.
    """

    kind: str
    energy_label = "energy"

    def __init__(self, seed=0):
        with quiet():  # pele remarks on its own defaults
            super().__init__()
        self.measures = {}
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

    # What pele asks of a system.

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

    def get_log_product_normalmode_freq(self, coords, nnegative=0):
        """Log product of the Hessian's eigenvalues without zero modes.

        pele's own takes eigenvalues below 1e-4 for zero modes; here they are
        real.

        Raises
        ------
        InputError
            If the point has not `nnegative` negative eigenvalues.
        """
        here = _engine("stationary.spectrum")(
            self.potential, np.asarray(coords, dtype=float), self.identity.zero_modes
        )
        if here.index != nnegative:
            raise InputError(f"the point has index {here.index}, not {nnegative}")
        return float(np.log(np.abs(here.physical)).sum())

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

    def __str__(self):
        """What `describe` says, in one line."""
        values = [
            f"{name} {value}"
            for section in self.describe().values()
            for name, value in section.items()
        ]
        return ", ".join([self.kind.replace("_", " "), *values])

    # What the engine asks besides.

    def why_no_minimum(self, failures):
        """Why a search found no minimum, a sentence, or None where that is not known.

        Parameters
        ----------
        failures : dict
            By what became of the quenches: how many (``n``), and ``lowest_loss``.
        """
        return None

    @abstractmethod
    def describe(self):
        """Sections of `settings.toml`, from which `load` makes the system again."""

    def save(self, directory):
        """Write what else `load` needs into a directory; by default nothing."""

    @classmethod
    @abstractmethod
    def load(cls, directory, settings):
        """The system that `save` and `describe` left."""


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


_PARTS = {
    "potential": ("getEnergyGradient", "getEnergyGradientHessian", "hessian_vector_product"),
    "identity": ("tolerance", "are_same", "align", "zero_modes", "barren_modes", "n_self_images"),
    "scales": ("energy", "tolerance"),
    "n_dof": (),
    "starts": ("items",),
    "measures": ("items",),
    "energy_label": (),
    "kind": (),
    "describe": (),
    "load": (),
}


def check_system(system):
    """Refuse a system that lacks part of the contract.

    Raises
    ------
    InputError
        That names every part that is missing.
    """
    if isinstance(system, type):
        raise InputError(f"{system.__name__} is a class: give an instance of it")
    missing = []
    for part, members in _PARTS.items():
        found = getattr(system, part, None)
        if found is None:
            missing.append(part)
        else:
            missing += [f"{part}.{member}" for member in members if not hasattr(found, member)]
    if not missing and not system.starts:
        missing.append("a source of random starts (starts is empty)")
    if missing:
        raise InputError(
            f"{type(system).__name__} is no system to search: it lacks {', '.join(missing)}"
        )
    check_number("identity.tolerance", system.identity.tolerance, "above 0", lambda x: x > 0)
    n = check_integer("n_dof", system.n_dof, 1)
    for name, start in system.starts.items():
        if not callable(start):
            raise InputError(f"the start {name!r} must be a function of a generator, not {start!r}")
        x = np.asarray(start(np.random.default_rng(0)))
        if x.shape != (n,) or x.dtype != np.float64 or not np.isfinite(x).all():
            raise InputError(
                f"the start {name!r} must give {n} finite float64 (n_dof), not {x.dtype} of shape "
                f"{x.shape}" + ("" if x.shape != (n,) else ", some of them not finite")
            )
    if not isinstance(system.describe(), dict):
        raise InputError(f"{type(system).__name__}.describe must give sections, a dict of dicts")
