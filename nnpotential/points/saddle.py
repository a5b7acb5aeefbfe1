"""Transition states: eigenvector following, and the descent to the minima they join."""

from functools import partial

import numpy as np
from pele.optimize import Result

from ..contract import NATS, UNRESOLVED
from ..pulse import tell
from .curvature import curvature
from .newton import newton
from .trust import TrustRadius, trust_region_step

__all__ = ["descend", "find_transition_state"]

_CLIMB = 1000.0  # energies above its start from which no walk came back: up a wall for ever


def find_transition_state(
    x,
    potential,
    zero_modes,
    *,
    scales=NATS,
    direction=None,
    lowest=False,
    nsteps=200,
    radius=0.2,
    max_radius=1.0,
):
    """Follow one eigenvector uphill and all others downhill to a transition state.

    The step minimises, within a trust radius, the image of the loss in which
    gradient and curvature along the followed mode have changed sign; a
    transition state of the loss is a minimum of the image. Up to
    `contract.KRYLOV_LIMIT` parameters the Hessian is diagonalised at every step,
    above it in a Krylov space that holds the gradient and the mode followed.

    Parameters
    ----------
    x : ndarray, shape (n_parameters,)
        A candidate, such as the highest image of a band.
    potential : LandscapePotential
    zero_modes : ndarray, shape (n_parameters, k)
    scales : Scales
        What counts as converged.
    direction : ndarray, shape (n_parameters,), optional
        The direction to follow at first, such as the tangent of the band. The
        mode that overlaps it most is followed until the lowest eigenvalue is
        negative along it, then the lowest. Without it the lowest is followed.
    lowest : bool
        Follow the lowest mode from the first; `direction` then only tells a
        Krylov space where to look for it.
    nsteps : int
    radius, max_radius : float
        First and largest trust radius.

    Returns
    -------
    pele.optimize.Result
        ``coords, energy, grad, rms, eigenval, eigenvec, nfev, nsteps, success,
        message``, and ``nhev``, which counts Hessians or products with one
        vector; `success` means converged with index one.

    References
    ----------
    T. Helgaker, Chem. Phys. Lett. 182, 503 (1991); C. J. Cerjan and W. H.
    Miller, J. Chem. Phys. 75, 2800 (1981).
    """
    x = np.array(x, dtype=float)
    look = partial(curvature(x.size).modes, potential)
    here = look(x, zero_modes, curvature(x.size).first_guesses(direction, x.size))
    trust = TrustRadius(radius, max_radius, shrink=0.4, grow=1.5)
    nfev, nhev = 1, 0
    ceiling = here.energy + _CLIMB * scales.energy
    message = "too many steps"
    settled = False
    for _ in range(nsteps):
        tell("eigenvector following", nfev, here.rms)
        while True:
            followed = 0 if lowest else _followed(here, direction)
            values = here.eigenvalues
            flip = np.ones_like(values)
            flip[followed] = -1.0
            components = here.components
            step = trust_region_step(flip * values, flip * components, trust.radius)
            if here.refine(step, trust.radius, followed):
                continue
            if settled or not (here.index == 1 and followed == 0 and here.is_stationary(scales)):
                break
            if here.complete():
                settled = True
                break
            if here.index == 1:
                break  # where all modes could not be told
        direction = here.vector(followed)
        predicted = float(components @ step + 0.5 * values @ step**2)
        move = here.expand(step)
        there = look(x + move, zero_modes, [here.vector(i) for i in {0, followed}])
        nfev += 1
        if settled and there.rms >= 0.5 * here.rms:
            message = "converged"
            nhev += there.n_curvatures
            break

        error = abs(there.energy - here.energy - predicted)
        scale = abs(components @ step) + abs(0.5 * values @ step**2)
        quality = error / max(scale, 100 * scales.rounding(here.energy))
        finite = np.isfinite(quality)
        wrong = not finite or quality > 0.5
        trust.judge(np.linalg.norm(step), wrong=wrong, right=quality < 0.2)
        accepted = finite and quality < 1.0
        nhev += (here if accepted else there).n_curvatures
        if accepted:
            x, here = x + move, there
        elif trust.radius < 1e-12:
            message = "no step agrees with the quadratic model"
            break
        if here.energy > ceiling:
            message = "climbed without end"
            break
    if settled:
        if here.index != 1:
            settled, message = False, f"index {here.index}"
    elif here.is_stationary(scales):
        message = f"converged to index {here.index}"
    elif here.index == 1 and here.rms <= scales.rms:
        message = UNRESOLVED
    eigenval, eigenvec = float(here.eigenvalues[0]), here.vector(0)
    if settled:
        eigenval, eigenvec = here.polish(0)
    nhev += here.n_curvatures
    return Result(
        coords=x,
        energy=here.energy,
        grad=here.gradient,
        rms=here.rms,
        eigenval=eigenval,
        eigenvec=eigenvec,
        nfev=nfev,
        nhev=nhev,
        nsteps=nfev - 1,
        success=settled,
        message=message,
    )


def _followed(here, direction):
    """Which mode to walk uphill along."""
    if direction is None:
        return 0
    overlap = np.abs(here.project(direction))
    if here.eigenvalues[0] < -1e-12 * np.abs(here.physical).max() and (
        overlap[0] > 0.3 * overlap.max()
    ):
        return 0
    return int(np.argmax(overlap))


def descend(
    transition_state,
    direction,
    potential,
    zero_modes,
    *,
    scales=NATS,
    pushoff=0.02,
    radius=0.1,
):
    """Walk down from a transition state to one of the minima it joins.

    Newton steps within a small trust radius: short enough to stay in the basin
    that steepest descent would enter, which the verification checks by
    following the gradient itself.

    Parameters
    ----------
    transition_state : ndarray, shape (n_parameters,)
    direction : ndarray, shape (n_parameters,)
        The unstable mode, with the sign of the side to descend to.
    potential : LandscapePotential
    zero_modes : ndarray, shape (n_parameters, k)
    scales : Scales
    pushoff : float
        How far along `direction` to begin.
    radius : float

    Returns
    -------
    pele.optimize.Result
        As `newton` returns it.
    """
    start = transition_state + pushoff * direction / np.linalg.norm(direction)
    return newton(start, potential, zero_modes, scales=scales, max_radius=radius, nsteps=5000)
