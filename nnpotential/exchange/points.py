"""Points with coordinates, between a landscape and the files of another program."""

from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pele.storage import Database, Minimum, TransitionState

from ..analysis.transition_network import TransitionNetwork
from ..contract import LandscapeSystem
from ..errors import InputError
from ..pulse import tell
from ..sessions import hold, snapshot
from ..storage import store_minimum, store_transition_state
from ..systems.clusters import ClusterSymmetry
from .pathsample import PathsampleDatabase
from .programs import their_order
from .topsearch import TopsearchNetwork

__all__ = ["Points", "collect", "store_points"]

Points: TypeAlias = PathsampleDatabase | TopsearchNetwork
_Points = TypeVar("_Points", PathsampleDatabase, TopsearchNetwork)


def collect(
    system: LandscapeSystem,
    database: Database,
    network: TransitionNetwork,
    program: type[_Points],
) -> _Points:
    """The points of a landscape's network with their coordinates, as a program orders them.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    network : TransitionNetwork
        Of this database.
    program : type
        Whose points: `PathsampleDatabase` or `TopsearchNetwork`.

    Raises
    ------
    InputError
        If a point is no longer there.
    """
    parts: list[NDArray[np.float64]] = []
    order = _order(system, program)
    with snapshot(database):
        for kind, points in ((Minimum, network.minima), (TransitionState, network.states)):
            stored = {number: x for number, x in database.session.query(kind._id, kind.coords)}
            if not set(points.ids.tolist()) <= set(stored):
                raise InputError("another process changed the landscape meanwhile: begin again")
            coords = [np.asarray(stored[number], dtype=float) for number in points.ids.tolist()]
            parts.append(np.reshape(coords, (len(points), system.n_dof)).take(order, axis=1))
    if isinstance(system.identity, ClusterSymmetry):
        network = network.with_moments(*(list(map(_moments, part)) for part in parts))
    return program(network, *parts)


def store_points(system: LandscapeSystem, database: Database, found: Points) -> tuple[int, int]:
    """Store points as from outside: the next search polishes, verifies and merges them.

    Those that are stored already, by exact identity, are left as they are. Does not
    commit.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    found : PathsampleDatabase or TopsearchNetwork
        With coordinates.

    Returns
    -------
    n_minima, n_transition_states : int
        How many are new.

    Raises
    ------
    InputError
        If a point has another energy here, as points of another system have.
    """
    order, network = np.argsort(_order(system, type(found))), found.network
    if found.minima is None or found.states is None:
        raise InputError("points without coordinates cannot go into a landscape")
    points = [
        ("minimum", found.minima.take(order, axis=1), network.minima.energies),
        ("transition state", found.states.take(order, axis=1), network.states.energies),
    ]
    energies = [_checked_energies(system, found.agree, *part) for part in points]
    hold(database)
    minima, n_minima, n_states = [], 0, 0
    for k, (energy, x) in enumerate(zip(energies[0], points[0][1], strict=True)):
        tell("points stored", k, unit="minima")
        minimum, is_new = store_minimum(database, system.identity, energy, x)
        minima.append(minimum)
        n_minima += is_new
    for k, (energy, x) in enumerate(zip(energies[1], points[1][1], strict=True)):
        tell("points stored", k, unit="transition states")
        one, other = (minima[end] for end in network.ends[k])
        _, is_new = store_transition_state(
            database, system.identity, energy, x, one, other, eigenval=None, eigenvec=None
        )
        n_states += is_new
    return n_minima, n_states


def _order(system: LandscapeSystem, kind: type[Points]) -> NDArray[np.int64]:
    """Of the coordinates: ``theirs = ours[order]``."""
    return their_order(system) if kind is PathsampleDatabase else np.arange(system.n_dof)


def _checked_energies(
    system: LandscapeSystem,
    agree: float,
    what: str,
    X: NDArray[np.float64],
    energies: NDArray[np.float64],
) -> list[float]:
    """The energies of points here, which must be those of the file."""
    here = []
    for k, (x, energy) in enumerate(zip(X, energies, strict=True)):
        tell("energies compared", k, unit="points")
        here.append(float(system.potential.getEnergy(x)))
        if not abs(here[-1] - energy) <= agree * max(system.scales.energy, abs(energy)):
            raise InputError(
                f"{what} {k + 1} has the energy {energy:.9g} in the file, and {here[-1]:.9g} here "
                f"({system}): these are points of another system, or in another order of "
                "parameters"
            )
    return here


def _moments(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Principal moments of inertia of atoms of unit mass, ascending."""
    atoms = x.reshape(-1, 3)
    atoms = atoms - atoms.mean(0)
    return np.linalg.eigvalsh(np.eye(3) * (atoms**2).sum() - atoms.T @ atoms)
