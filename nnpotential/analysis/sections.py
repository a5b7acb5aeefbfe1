"""Sections of a landscape: planes through three minima, and lines along eigenvectors.

A section of so few dimensions shows little of a landscape of a hundred, so each says
how much of the distance to other minima lies in it.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

__all__ = ["Plane", "Profiles", "plane", "profiles", "share_within"]

_MARGIN = 0.35  # of the extent of the three minima, left around them
_BATCH = 256  # points evaluated at once


@dataclass(frozen=True)
class Plane:
    """The energy in the plane through three minima, each as its image near the first.

    Attributes
    ----------
    across, up : ndarray, shape (n,)
        Distances from the first minimum along two orthonormal axes; the second minimum
        lies on the first of them.
    energies : ndarray, shape (n, n)
        ``energies[i, j]`` at ``up[i], across[j]``.
    corners : ndarray, shape (3, 2)
        The minima.
    axes : ndarray, shape (2, n_dof)
    shares : ndarray
        Of the squared distances to the other minima, see `share_within`.
    """

    across: np.ndarray
    up: np.ndarray
    energies: np.ndarray
    corners: np.ndarray
    axes: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True)
class Profiles:
    """The energy along eigenvectors of the Hessian at a minimum.

    Attributes
    ----------
    distances : ndarray, shape (n,)
        From the minimum.
    energies : ndarray, shape (n_modes, n)
    harmonic : ndarray, shape (n_modes, n)
        What the curvature alone predicts.
    modes : ndarray of int, shape (n_modes,)
        0 is the softest.
    eigenvalues : ndarray, shape (n_modes,)
    shares : ndarray, shape (n_others, n_modes)
        Of the squared distance to each other minimum that lies along each.
    """

    distances: np.ndarray
    energies: np.ndarray
    harmonic: np.ndarray
    modes: np.ndarray
    eigenvalues: np.ndarray
    shares: np.ndarray


def plane(system, corners, others=(), n=61):
    """The plane through three minima.

    Parameters
    ----------
    system : LandscapeSystem
    corners : sequence of three ndarray, shape (n_dof,)
    others : sequence of ndarray, shape (n_dof,)
        Further minima, of which the distances are asked.
    n : int
        Points along either axis.

    Returns
    -------
    Plane

    Raises
    ------
    InputError
        If the three lie on a line, or are not different.
    """
    origin, *ends = corners
    ways = np.array([system.identity.align(origin, end)[1] - origin for end in ends])
    lengths = np.linalg.norm(ways, axis=1)
    first = ways[0] / max(lengths[0], np.finfo(float).tiny)
    rest = ways[1] - first * (first @ ways[1])
    height = np.linalg.norm(rest)
    if lengths[0] <= system.identity.tolerance or height <= system.identity.tolerance:
        raise InputError("a plane needs three different minima that lie on no line")
    axes = np.array([first, rest / height])
    places = np.vstack([[0.0, 0.0], ways @ axes.T])
    low, high = places.min(axis=0), places.max(axis=0)
    room = _MARGIN * (high - low).max()
    across, up = (np.linspace(a - room, b + room, n) for a, b in zip(low, high, strict=True))
    grid = origin + (up[:, None, None] * axes[1] + across[None, :, None] * axes[0])
    energies = _energies(system, grid.reshape(n * n, -1)).reshape(n, n)
    shares = share_within(system, origin, axes, others).sum(axis=1)
    return Plane(across, up, energies, places, axes, shares)


def profiles(system, x, others=(), n_modes=4, n=81):
    """The softest directions of a minimum.

    Parameters
    ----------
    system : LandscapeSystem
    x : ndarray, shape (n_dof,)
    others : sequence of ndarray, shape (n_dof,)
        Other minima; the lines are as long as the way to the nearest.
    n_modes, n : int
        Lines, and points on each.

    Returns
    -------
    Profiles
    """
    barren = system.identity.barren_modes(x)
    values, vectors = np.linalg.eigh(system.potential.getHessian(x))
    inside = np.linalg.norm(barren.T @ vectors, axis=0) < 0.5
    modes = np.flatnonzero(inside)[:n_modes]
    axes = vectors[:, modes].T
    ways = _ways(system, x, others)
    reach = np.linalg.norm(ways, axis=1).min() if len(ways) else 1.0
    distances = np.linspace(-reach, reach, n)
    energies = [_energies(system, x + distances[:, None] * axis) for axis in axes]
    base = system.potential.getEnergy(x)
    harmonic = base + 0.5 * values[modes][:, None] * distances**2
    return Profiles(
        distances,
        np.array(energies),
        harmonic,
        np.arange(modes.size),
        values[modes],
        share_within(system, x, axes, others),
    )


def share_within(system, origin, axes, others):
    """How much of the squared distance to other minima lies along some axes.

    Parameters
    ----------
    system : LandscapeSystem
    origin : ndarray, shape (n_dof,)
    axes : ndarray, shape (n_axes, n_dof)
        Orthonormal.
    others : sequence of ndarray, shape (n_dof,)
        Minima; each is taken as its image near the origin.

    Returns
    -------
    ndarray, shape (n_others, n_axes)
        Of random directions it would be ``1 / n_dof`` each.
    """
    ways = _ways(system, origin, others)
    return (ways @ axes.T) ** 2 / (ways**2).sum(axis=1, keepdims=True)


def _ways(system, origin, others):
    found = [system.identity.align(origin, x, quick=True)[1] - origin for x in others]
    return np.array(found).reshape(-1, origin.size)


def _energies(system, points):
    parts = np.array_split(points, max(1, len(points) // _BATCH))
    return np.concatenate([system.potential.energies_gradients(part)[0] for part in parts])
