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
    climb = _Climb(x, potential, zero_modes, scales, direction, lowest, radius, max_radius)
    climb.run(nsteps)
    return climb.result()


class _Climb:
    """The point where `find_transition_state` is, and what it has met on its way."""

    def __init__(self, x, potential, zero_modes, scales, direction, lowest, radius, max_radius):
        self._x = np.array(x, dtype=float)
        way = curvature(self._x.size)
        self._look = partial(way.modes, potential, zero_modes=zero_modes)
        self._here = self._look(self._x, guesses=way.first_guesses(direction, self._x.size))
        self._scales, self._direction, self._lowest = scales, direction, lowest
        self._trust = TrustRadius(radius, max_radius, shrink=0.4, grow=1.5)
        self._ceiling = self._here.energy + _CLIMB * scales.energy
        self._nfev, self._nhev = 1, 0
        self._settled, self._over, self._message = False, False, "too many steps"

    def run(self, nsteps):
        """Climb until it is decided how this ends."""
        for _ in range(nsteps):
            tell("eigenvector following", self._nfev, self._here.rms)
            step, followed = self._choose()
            here = self._here
            self._direction = here.vector(followed)
            guesses = [here.vector(i) for i in {0, followed}]
            move = here.expand(step)
            there = self._look(self._x + move, guesses=guesses)
            self._nfev += 1
            if self._settled and there.rms >= 0.5 * here.rms:
                self._nhev += there.n_curvatures
                self._end("converged")
            else:
                self._advance(there, move, step)
            if self._over:
                return

    def _choose(self):
        """The step in the eigenbasis, and the mode that it follows uphill."""
        here, radius = self._here, self._trust.radius
        while True:
            followed = 0 if self._lowest else _followed(here, self._direction)
            flip = np.ones_like(here.eigenvalues)
            flip[followed] = -1.0
            step = trust_region_step(flip * here.eigenvalues, flip * here.components, radius)
            if here.refine(step, radius, followed):
                continue
            found = here.index == 1 and followed == 0 and here.is_stationary(self._scales)
            if self._settled or not found:
                return step, followed
            if here.complete():
                self._settled = True
                return step, followed
            if here.index == 1:
                return step, followed  # where all modes could not be told

    def _advance(self, there, move, step):
        """Go there if the quadratic model agrees, and learn how far to trust it."""
        here, trust = self._here, self._trust
        slope = here.components @ step
        bend = 0.5 * here.eigenvalues @ step**2
        error = abs(there.energy - here.energy - float(slope + bend))
        scale = abs(slope) + abs(bend)
        quality = error / max(scale, 100 * self._scales.rounding(here.energy))
        finite = np.isfinite(quality)
        wrong = not finite or quality > 0.5
        trust.judge(np.linalg.norm(step), wrong=wrong, right=quality < 0.2)
        accepted = finite and quality < 1.0
        self._nhev += (here if accepted else there).n_curvatures
        if accepted:
            self._x, self._here = self._x + move, there
        elif trust.radius < 1e-12:
            self._end("no step agrees with the quadratic model")
        if self._here.energy > self._ceiling:
            self._end("climbed without end")

    def _end(self, message):
        self._over, self._message = True, message

    def result(self):
        """What `find_transition_state` returns."""
        here, success, message = self._here, self._settled, self._message
        if success:
            if here.index != 1:
                success, message = False, f"index {here.index}"
        elif here.is_stationary(self._scales):
            message = f"converged to index {here.index}"
        elif here.index == 1 and here.rms <= self._scales.rms:
            message = UNRESOLVED
        eigenval, eigenvec = float(here.eigenvalues[0]), here.vector(0)
        if success:
            eigenval, eigenvec = here.polish(0)
        return Result(
            coords=self._x,
            energy=here.energy,
            grad=here.gradient,
            rms=here.rms,
            eigenval=eigenval,
            eigenvec=eigenvec,
            nfev=self._nfev,
            nhev=self._nhev + here.n_curvatures,
            nsteps=self._nfev - 1,
            success=success,
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
