"""Where a point that somebody has, such as a trained network, belongs in a landscape."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from pele.storage import Minimum

from ..contract import SPECTRUM_LIMIT, ZERO, Array, rms
from ..errors import InputError
from ..pulse import tell
from ..storage import find_point, is_verified
from .estimates import highest_on_line
from .figures import barriers_to_lowest, landscape_graph, lowest_minimum
from .paths import lowest_path

__all__ = [
    "Comparison",
    "Curvature",
    "Line",
    "Located",
    "Spectra",
    "check_point",
    "compare",
    "locate",
]


@dataclass(frozen=True)
class Curvature:
    """The spectrum of a Hessian, or of the block of one layer.

    Attributes
    ----------
    n : int
        Coordinates.
    largest, smallest : float
        Eigenvalues, known zero modes of the whole left out.
    n_negative : int
        How many lie below zero by more than rounding (1e-9 of the largest).
    """

    n: int
    largest: float
    smallest: float
    n_negative: int


@dataclass(frozen=True)
class Spectra:
    """The curvature at a point.

    Attributes
    ----------
    whole : Curvature
    layers : dict of str to Curvature
        Of the diagonal blocks of the layers, where the system has any.
    """

    whole: Curvature
    layers: dict[str, Curvature]


@dataclass(frozen=True, eq=False)
class Located:
    """A point, and the minimum below it.

    Attributes
    ----------
    energy : float
        Of the point as it was given.
    rms : float
        Of its gradient.
    curvature : Spectra or None
        Of the point's Hessian; None beyond 10 000 coordinates.
    why : str or None
        Why the quench from it ended in no minimum.
    coords : ndarray or None
        Of the minimum.
    minimum_energy, distance : float or None
        Of the minimum, and how far the point moved to it.
    minimum_curvature : Spectra or None
    minimum : int or None
        The id of the stored minimum that it is an image of; None if it is a new one.
    verified : bool
        Whether that has passed its verification: only then is it compared with others.
    above_lowest : float or None
        Its energy above the lowest verified minimum: negative for a new lowest one.
    n_lower, n_minima : int
        How many verified minima lie lower, and how many there are.
    barrier : float or None
        From it to the lowest, over the lowest path that is stored; None where none is known.
    measures : dict of str to (float, float or None)
        What the system measures, of the point and of the minimum.
    """

    energy: float
    rms: float
    curvature: Spectra | None
    why: str | None = None
    coords: Array | None = None
    minimum_energy: float | None = None
    distance: float | None = None
    minimum_curvature: Spectra | None = None
    minimum: int | None = None
    verified: bool = False
    above_lowest: float | None = None
    n_lower: int = 0
    n_minima: int = 0
    barrier: float | None = None
    measures: dict[str, tuple[float, float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """Straight lines between two points, before and after units are matched.

    Attributes
    ----------
    distance, matched_distance : float
    barrier, matched_barrier : float
        The highest energy on the line above the mean of its ends.
    """

    distance: float
    matched_distance: float
    barrier: float
    matched_barrier: float


@dataclass(frozen=True)
class Comparison:
    """Two points, and what lies between them.

    Attributes
    ----------
    first, second : Located
    same : bool
        Whether both are quenched to images of one minimum.
    points : Line
        Between the points as they were given.
    minima : Line or None
        Between their minima.
    barrier : float or None
        Verified: the highest transition state of the lowest path between the minima, above
        the mean of the two; None where no path is known.
    path : list of int
        The ids of the minima on it.
    """

    first: Located
    second: Located
    same: bool
    points: Line
    minima: Line | None
    barrier: float | None
    path: list[int]


def check_point(system: Any, x: Any, name: str = "the point") -> Array:
    """Coordinates of a system, or an `InputError` that says what is wrong with the point."""
    try:
        x = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"coordinates must be real numbers: {error}") from None
    if x.shape != (system.n_dof,):
        raise InputError(
            f"the coordinates have the shape {x.shape}, those of this system ({system}) have "
            f"({system.n_dof},)"
        )
    if not np.isfinite(x).all():
        at = int(np.flatnonzero(~np.isfinite(x))[0])
        raise InputError(f"the coordinates must be finite: entry {at} is {x[at]}")
    try:
        energy = system.potential.getEnergy(x)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    if not np.isfinite(energy):
        raise InputError(f"{name}: its energy is {energy}")
    return x


def locate(system: Any, database: Any, x: Array) -> Located:
    """Quench a point, name its minimum, and say where that lies. Stores nothing.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    x : ndarray, shape (n_dof,)

    Returns
    -------
    Located
    """
    energy, gradient = system.potential.getEnergyGradient(x)
    tell("quench", 0, rms(gradient))
    result = system.get_minimizer()(x.copy())
    measures = {name: m.function for name, m in system.measures.items() if not m.lacking}
    before = {name: float(f(x)) for name, f in measures.items()}
    given = {
        "energy": float(energy),
        "rms": float(rms(gradient)),
        "curvature": _curvature(system, x),
    }
    if not result.success:
        only = {name: (value, None) for name, value in before.items()}
        return Located(**given, why=result.message, measures=only)
    coords = np.array(result.coords)
    stored = find_point(database, system.identity, Minimum, result.energy, coords)
    graph = landscape_graph(database)
    verified = stored is not None and is_verified(stored)
    lowest = lowest_minimum(graph) if graph else None
    at = float(stored.energy if verified else result.energy)
    barrier = None
    if verified:
        barrier = 0.0 if stored == lowest else barriers_to_lowest(graph).get(stored)
    return Located(
        **given,
        coords=coords,
        minimum_energy=at,
        distance=float(np.linalg.norm(coords - x)),
        minimum_curvature=_curvature(system, coords),
        minimum=None if stored is None else stored.id(),
        verified=verified,
        above_lowest=None if lowest is None else at - lowest.energy,
        n_lower=sum(minimum.energy < at for minimum in graph),
        n_minima=len(graph),
        barrier=barrier,
        measures={name: (before[name], float(f(coords))) for name, f in measures.items()},
    )


def compare(system: Any, database: Any, x1: Array, x2: Array) -> Comparison:
    """Locate two points, and say what lies between them. Stores nothing.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    x1, x2 : ndarray, shape (n_dof,)

    Returns
    -------
    Comparison
    """
    first, second = (locate(system, database, x) for x in (x1, x2))
    same, barrier, path, between = False, None, [], None
    if first.coords is not None and second.coords is not None:
        same = bool(system.identity.are_same(first.coords, second.coords))
        between = _line(system, first.coords, second.coords)
        if same:
            barrier = 0.0
        elif first.verified and second.verified:
            barrier, path = _lowest(database, first.minimum, second.minimum)
    return Comparison(first, second, same, _line(system, x1, x2), between, barrier, path)


def _lowest(database: Any, one: Any, other: Any) -> tuple[float | None, list[int]]:
    """The barrier of two minima above their mean, and the minima on the path."""
    graph = landscape_graph(database)
    ends = [next(minimum for minimum in graph if minimum.id() == i) for i in (one, other)]
    try:
        path = lowest_path(graph, *ends)
    except InputError:  # no path is known
        return None, []
    top = max(graph.edges[pair]["energy"] for pair in pairwise(path))
    return float(top - np.mean([m.energy for m in ends])), [m.id() for m in path]


def _line(system: Any, x1: Array, x2: Array) -> Line:
    potential = system.potential
    matched, image = system.identity.align(x1, x2)
    mean = (potential.getEnergy(x1) + potential.getEnergy(x2)) / 2
    tops = [highest_on_line(potential, x1, end) for end in (x2, image)]
    distance = float(np.linalg.norm(x2 - x1))
    return Line(distance, float(matched), *(float(top - mean) for top in tops))


def _curvature(system: Any, x: Array) -> Spectra | None:
    if x.size > SPECTRUM_LIMIT:
        return None
    values = system.get_normalmodes(x)[0]
    layers = getattr(system, "layers", {})
    hessian = system.potential.getHessian(x) if layers else None
    return Spectra(
        _spectrum(values[values != 0.0]),  # the known zero modes are 0 exactly
        {
            name: _spectrum(np.linalg.eigvalsh(hessian[np.ix_(places, places)]))
            for name, places in layers.items()
        },
    )


def _spectrum(values: Array) -> Curvature:
    if not values.size:
        return Curvature(0, 0.0, 0.0, 0)
    negative = values < -ZERO * np.abs(values).max()
    return Curvature(values.size, float(values.max()), float(values.min()), int(negative.sum()))
