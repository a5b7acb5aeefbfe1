"""Minima and transition states in a pele database, told apart by exact symmetry."""

import numpy as np
from pele.storage import Minimum, TransitionState
from sqlalchemy.orm import undefer

from .network import INITIALIZATIONS

__all__ = [
    "ENERGY_WINDOW",
    "add_hit",
    "is_verified",
    "quench_hits",
    "store_minimum",
    "store_transition_state",
]

# Losses of two images of one point differ by rounding and by the energy error
# of convergence, together far below this; symmetry matching decides the rest.
ENERGY_WINDOW = 1e-9


def store_minimum(database, symmetry, energy, coords):
    """Find the minimum in the database, or add it. Does not commit.

    Parameters
    ----------
    database : pele.storage.Database
    symmetry : Symmetry
    energy : float
    coords : ndarray, shape (n_parameters,)

    Returns
    -------
    minimum : pele.storage.Minimum
    is_new : bool
    """
    return _find_or_add(database, symmetry, Minimum, energy, coords, Minimum)


def store_transition_state(
    database, symmetry, energy, coords, minimum1, minimum2, eigenval, eigenvec
):
    """Find the transition state in the database, or add it. Does not commit.

    pele's own method takes any two transition states of a pair whose energies
    are close for the same; this one compares the points.

    Returns
    -------
    transition_state : pele.storage.TransitionState
    is_new : bool
    """
    return _find_or_add(
        database,
        symmetry,
        TransitionState,
        energy,
        coords,
        lambda e, x: TransitionState(e, x, minimum1, minimum2, eigenval, eigenvec),
    )


def add_hit(minimum, source):
    """Count one more arrival at a minimum: by an initialization, or another source."""
    hits = dict(minimum.user_data or {})
    hits[source] = hits.get(source, 0) + 1
    minimum.user_data = hits


def is_verified(point):
    """Whether a minimum or transition state has passed its verification."""
    return not point.invalid and (point.user_data or {}).get("verified") == "ok"


def quench_hits(minimum):
    """Number of independent quenches that ended in a minimum."""
    hits = minimum.user_data or {}
    return sum(hits.get(name, 0) for name in INITIALIZATIONS)


def _find_or_add(database, symmetry, kind, energy, coords, make):
    near = (
        database.session.query(kind)
        .options(undefer(kind.coords))
        .filter(kind.energy.between(energy - ENERGY_WINDOW, energy + ENERGY_WINDOW))
        .order_by(kind._id)
    )
    for found in near:
        if symmetry.are_same(found.coords, coords):
            return found, False
    new = make(float(energy), np.array(coords))
    database.session.add(new)
    database.session.flush()
    (database.on_minimum_added if kind is Minimum else database.on_ts_added)(new)
    return new, True
