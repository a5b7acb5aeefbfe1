"""Points found elsewhere, brought to the full standard where they are."""

import numpy as np

from .connect import refined
from .newton import newton

__all__ = ["polish_minimum", "polish_transition_state"]

_STEP = 0.1  # the longest: the point is nearly one already, and is to stay itself


def polish_minimum(system, x):
    """Newton steps to the minimum at `x`, a pele `Result` as from `newton`.

    Parameters
    ----------
    system : LandscapeSystem
    x : array_like, shape (n_dof,)
    """
    x = np.asarray(x, dtype=float)
    identity, scales = system.identity, system.scales
    return newton(x, system.potential, identity.zero_modes, scales=scales, max_radius=_STEP)


def polish_transition_state(system, x, direction, failures=None):
    """The transition state at `x`, and the minima below it.

    Parameters
    ----------
    system : LandscapeSystem
    x : ndarray, shape (n_dof,)
    direction : ndarray, shape (n_dof,), or None
        Its unstable mode, where that is known.
    failures : list, optional
        As for `connect_pair`.

    Returns
    -------
    list of Connection
        One, or none.
    """
    search = {
        **system.params.double_ended_connect.local_connect_params.tsSearchParams,
        "radius": _STEP,
        "max_radius": _STEP,
        "lowest": True,  # the direction may be wrong, or be that of an image
    }
    return refined(system, x, direction, search, failures)
