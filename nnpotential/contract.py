"""What a system must give. The engine knows this, and nothing else of a system."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from os import PathLike
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pele.potentials import BasePotential

from .balls import Ball
from .checks import check_integer, check_number
from .errors import InputError
from .pele_system import PeleSystem

__all__ = [
    "DEGENERATE",
    "KRYLOV_LIMIT",
    "NATS",
    "SPECTRUM_LIMIT",
    "TRAVELLING",
    "UNRESOLVED",
    "ZERO",
    "Adapted",
    "Enclosed",
    "Enclosure",
    "Identity",
    "LandscapePotential",
    "LandscapeSystem",
    "Measure",
    "Scales",
    "adapt",
    "check_system",
    "is_large",
    "rms",
    "single",
]

Array: TypeAlias = NDArray[np.float64]

ZERO = 1e-9  # an eigenvalue this far below the largest counts as zero
KRYLOV_LIMIT = 400  # coordinates above which products with vectors are cheaper than eigenvectors
SPECTRUM_LIMIT = 10_000  # coordinates up to which all eigenvalues are computed for a measure

# How a search for a stationary point can end besides well or out of steps.
DEGENERATE = "converged to a degenerate minimum"
TRAVELLING = "travelling"  # towards infinity: the Newton step does not become small
UNRESOLVED = "unresolved"  # converged, but for coordinates that rounding leaves open


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

    def __post_init__(self) -> None:
        for name in ("energy", "tolerance"):
            value = check_number(
                f"scales.{name}", getattr(self, name), "above 0", lambda x: 0 < x < np.inf
            )
            object.__setattr__(self, name, value)

    @property
    def rms(self) -> float:
        """Largest rms gradient of a converged point."""
        return 1e-9 * self.energy

    @property
    def energy_error(self) -> float:
        """Largest ``g^T |H|^-1 g / 2`` of a converged point."""
        return 1e-12 * self.energy

    @property
    def step(self) -> float:
        """Largest component of the Newton step at a converged point.

        It bounds the error of the coordinates, on which identity rests: under
        a weak penalty an energy error of 1e-12 leaves them open by 1e-2.
        """
        return 0.1 * self.tolerance

    @property
    def energy_window(self) -> float:
        """Energies of two identical points differ by less, distinct points may as well."""
        return 1e-9 * self.energy

    @property
    def flat(self) -> float:
        """A point without a curvature above this lies on a plateau, as at infinity."""
        return 1e-16 * self.energy

    def rounding(self, energy: float) -> float:
        """Changes of an energy of this size that may be rounding."""
        return 1e-14 * (abs(energy) + self.energy)


NATS = Scales()  # of cross-entropy


def rms(vector: Array) -> float:
    """Root mean square of a vector."""
    v = vector.ravel()
    return sqrt(v.dot(v)) / sqrt(v.size)


def is_large(n_dof: int) -> bool:
    """Whether a system of so many coordinates is searched without its Hessian as a whole."""
    return n_dof > KRYLOV_LIMIT


class LandscapePotential(Protocol):
    """A pele potential with its Hessian, products of it, and batches. See `adapt`."""

    def getEnergy(self, x: Array) -> float:
        """The energy at `x`, shape (n,)."""

    def getGradient(self, x: Array) -> Array:
        """The gradient at `x`, shape (n,)."""

    def getEnergyGradient(self, x: Array) -> tuple[float, Array]:
        """Energy and gradient."""

    def getHessian(self, x: Array) -> Array:
        """The Hessian at `x`, shape (n, n)."""

    def getEnergyGradientHessian(self, x: Array) -> tuple[float, Array, Array]:
        """Energy, gradient and Hessian."""

    def hessian_vector_product(self, x: Array, v: Array) -> Array:
        """The Hessian at `x` times one vector, shape (n,), or several as rows."""

    def energies_gradients(self, X: Array) -> tuple[Array, Array]:
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

    def __init__(self, native: BasePotential) -> None:
        self.native = native

    def getEnergy(self, x: Array) -> float:
        return self.native.getEnergy(x)

    def getEnergyGradient(self, x: Array) -> tuple[float, Array]:
        return self.native.getEnergyGradient(x)

    def getGradient(self, x: Array) -> Array:
        return self.native.getEnergyGradient(x)[1]

    def getEnergyGradientHessian(self, x: Array) -> tuple[float, Array, Array]:
        energy, gradient, hessian = self.native.getEnergyGradientHessian(x)
        return energy, gradient, np.asarray(hessian).reshape(x.size, x.size)

    def getHessian(self, x: Array) -> Array:
        return self.getEnergyGradientHessian(x)[2]

    def hessian_vector_product(self, x: Array, v: Array) -> Array:
        return np.asarray(v) @ self.getHessian(x)

    def energies_gradients(self, X: Array) -> tuple[Array, Array]:
        parts = [self.native.getEnergyGradient(x) for x in X]
        return np.array([e for e, _ in parts]), np.array([g for _, g in parts])


def adapt(potential: Any) -> LandscapePotential:
    """A pele potential as a `LandscapePotential`: itself, if it is one, else `Adapted`."""
    whole = all(hasattr(potential, m) for m in ("hessian_vector_product", "energies_gradients"))
    return potential if whole else Adapted(potential)


def single(potential: Any) -> Any:
    """A potential in single precision, by its method of that name.

    For what may be rough, such as the beginning of a descent. It is the potential itself where
    it has none, or says by an `InputError` that its numbers are too large for it.
    """
    method = getattr(potential, "single", None)
    if not callable(method):
        return potential
    try:
        return method()
    except InputError:
        return potential


class Identity(ABC):
    """When two points are one: the symmetry of a system.

    Attributes
    ----------
    tolerance : float
        Largest difference of a coordinate between two identical points.
    """

    tolerance: float

    @abstractmethod
    def are_same(self, x1: Array, x2: Array) -> bool:
        """Whether a symmetry operation maps `x2` onto `x1`: exact, never by energy alone."""

    @abstractmethod
    def align(self, x1: Array, x2: Array, quick: bool = False) -> tuple[float, Array]:
        """An image of `x2` near `x1`: distance and image, the same for the same arguments.

        With `quick` one good enough to rank pairs by their distance.
        """

    def distances(self, pairs: Sequence[tuple[Array, Array]]) -> list[float]:
        """The distances that `align` finds, with `quick`, for many pairs of points."""
        return [self.align(x1, x2, quick=True)[0] for x1, x2 in pairs]

    def align_second(self, x1: Array, x2: Array) -> tuple[float, Array] | None:
        """Another image of `x2`, as from `align`: another way between the two, or None."""
        return None

    @abstractmethod
    def zero_modes(self, x: Array) -> Array:
        """Orthonormal directions at `x` in which the energy never changes, shape (n, k)."""

    def barren_modes(self, x: Array) -> Array:
        """Orthonormal directions that no path need follow, shape (n, k); the zero modes in them."""
        return self.zero_modes(x)

    @abstractmethod
    def n_self_images(self, x: Array) -> int:
        """Number of operations that leave `x` as it is, a Python int."""

    def free_modes(self, x: Array) -> Mapping[str, Array]:
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

    function: Callable[[Array], float]
    label: str
    unit: str = ""
    lacking: str = ""

    @property
    def axis(self) -> str:
        """Label and unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True)
class Enclosed:
    """An energy at a point and near it, rigorous to the last rounding.

    Parameters
    ----------
    energy : Ball, shape ()
    gradient : Ball, shape (n,)
    hessian : Ball, shape (n, n)
        These at the point itself.
    lipschitz : float
        Bound on ``|H(x) - H(y)| / |x - y|``, in the spectral and the Euclidean
        norm, for all `x` and `y` in a ball around the point.
    """

    energy: Ball
    gradient: Ball
    hessian: Ball
    lipschitz: float


class Enclosure(ABC):
    """What a certificate needs of a system. Nothing here may be an estimate.

    Attributes
    ----------
    zero_modes : ndarray, shape (n, k)
        Directions in which the energy never changes, at any point; exact to
        the last bit, of any length, with no entry in common.
    """

    zero_modes: Array

    @abstractmethod
    def at(self, x: Array, radius: float) -> Enclosed:
        """Enclosures at `x`, and the Lipschitz constant in the ball of this radius around it.

        `x` is taken as it is, its float64 being exact numbers.
        """

    @abstractmethod
    def distance(self, x1: Array, x2: Array) -> float:
        """Bound from below on the distance between `x1` and any image of `x2`.

        All symmetry operations are meant, and motions along the zero modes.
        """


class LandscapeSystem(PeleSystem, ABC):
    """A pele system that the engine can search.

    Parameters
    ----------
    seed : int or numpy.random.SeedSequence
        Of the generator that pele's own searches draw from.

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
    trainers : dict
        How the energy is commonly minimised by others, ``name: f(rng) -> x``, the point
        where that ends; empty by default. See `nnpotential.analysis.reach`.
    energy_label : str
        With its unit, for axes and tables.
    kinetic : bool
        Whether the energy has a kinetic half: atoms move, a loss does not.
    """

    kind: str
    potential: LandscapePotential
    identity: Identity
    scales: Scales
    n_dof: int
    starts: Mapping[str, Callable[[np.random.Generator], Array]]
    measures: Mapping[str, Measure]
    trainers: Mapping[str, Callable[[np.random.Generator], Array]]
    energy_label: str = "energy"
    kinetic: bool = True

    def __init__(self, seed: Any = 0) -> None:
        super().__init__(seed)
        self.measures = {}
        self.trainers = {}

    def __str__(self) -> str:
        """What `describe` says, in one line."""
        values = [
            f"{name} {value}"
            for section in self.describe().values()
            for name, value in section.items()
        ]
        return ", ".join([self.kind.replace("_", " "), *values])

    # What the engine asks besides.

    def why_no_minimum(self, failures: Mapping[str, Any]) -> str | None:
        """Why a search found no minimum, a sentence, or None where that is not known.

        Parameters
        ----------
        failures : dict
            By what became of the quenches: how many (``n``), and ``lowest_loss``.
        """
        return None

    def blocks(self) -> Mapping[str, tuple[int, ...]]:
        """The arrays that a point consists of, in their order: name and shape; none by default."""
        return {}

    def enclosure(self) -> Enclosure:
        """What a certificate needs.

        Raises
        ------
        InputError
            Where it is not known, saying what is missing.
        """
        raise InputError(
            f"a landscape of the kind {self.kind!r} cannot be certified: no rigorous bound on how "
            "fast its Hessian changes (a Lipschitz constant) is known; known it is for fully "
            "connected networks on the compiled kernel and the exact landscapes"
        )

    @abstractmethod
    def describe(self) -> dict[str, dict[str, Any]]:
        """Sections of `settings.toml`, from which `load` makes the system again."""

    def save(self, directory: str | PathLike[str]) -> None:
        """Write what else `load` needs into a directory; by default nothing."""

    @classmethod
    @abstractmethod
    def load(cls, directory: str | PathLike[str], settings: Mapping[str, Any]) -> Self:
        """The system that `save` and `describe` left."""


def _members(part: type) -> list[str]:
    return [name for name in vars(part) if not name.startswith("_")]


_PARTS: dict[str, Sequence[str]] = {
    "potential": _members(LandscapePotential),
    "identity": ["tolerance", *_members(Identity)],
    "scales": ["energy", "tolerance"],
    "n_dof": (),
    "with_seed": (),
    "starts": ["items"],
    "measures": ["items"],
    "energy_label": (),
    "kind": (),
    "describe": (),
    "load": (),
}


def check_system(system: Any) -> None:
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
            f"{type(system).__name__} is no system to search: it lacks {', '.join(missing)} "
            "(LandscapeSystem and Identity, to derive from, supply what has a default)"
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
