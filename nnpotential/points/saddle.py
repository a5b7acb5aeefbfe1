"""Transition states: eigenvector following, and the descent to the minima they join."""

import numpy as np
from pele.optimize import Result

from ..contract import NATS, UNRESOLVED, rms
from ..pulse import tell
from .curvature import curvature
from .newton import ENOUGH, newton
from .trust import TrustRadius

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
    `contract.KRYLOV_LIMIT` parameters the step comes from the Hessian, above it from a Krylov
    space that holds the gradient and the mode followed.

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
        mode that most of it lies along is followed, or where there is none it itself, turned
        from stiffer modes (in a Krylov space the mode that overlaps it most), until
        the lowest eigenvalue is negative along it, then the lowest. Without it the lowest is.
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
        way = curvature(self._x.size, scales)
        self._here = way.ascent(potential, self._x, zero_modes, direction)
        self._scales, self._direction, self._lowest = scales, direction, lowest
        self._trust = TrustRadius(radius, max_radius, shrink=0.4, grow=1.5)
        self._ceiling = self._here.energy + _CLIMB * scales.energy
        self._nfev, self._nhev = 1, 0
        self._settled, self._over, self._message = False, False, "too many steps"

    def run(self, nsteps):
        """Climb until it is decided how this ends."""
        for _ in range(nsteps):
            here = self._here
            tell("eigenvector following", self._nfev, rms(here.gradient))
            step = self._choose()
            if self._settled and np.abs(step.move).max() <= ENOUGH * self._scales.tolerance:
                self._end("converged")
                return
            self._direction = step.mode
            self._nfev += 1
            there = self._x + step.move
            if self._settled:
                self._refine(here.nearby(there), there)
            else:
                self._advance(here.onward(there), there, step)
            if self._over:
                return

    def _choose(self):
        """The next step; at a transition state it is the first of those that refine it."""
        here, scales = self._here, self._scales
        step = here.step(self._direction, self._lowest, self._trust)
        while not self._settled and here.has_arrived(scales):
            if here.confirm(scales):
                self._settled = True
                return step
            before, step = step, here.step(self._direction, self._lowest, self._trust)
            if np.array_equal(step.move, before.move):
                break  # no mode came to light
        return step

    def _refine(self, there, x):
        """After convergence: steps go on while they halve the gradient."""
        if rms(there.gradient) >= 0.5 * rms(self._here.gradient):
            self._nhev += there.n_curvatures
            self._end("converged")
            return
        self._nhev += self._here.n_curvatures
        self._x, self._here = x, there

    def _advance(self, there, x, step):
        """Go there if the quadratic model agrees, and learn how far to trust it."""
        here, trust = self._here, self._trust
        error = abs(there.energy - here.energy - (step.slope + step.bend))
        scale = abs(step.slope) + abs(step.bend)
        quality = error / max(scale, 100 * self._scales.rounding(here.energy))
        finite = np.isfinite(quality)
        wrong = not finite or quality > 0.5
        trust.judge(np.linalg.norm(step.move), wrong=wrong, right=quality < 0.2)
        accepted = finite and quality < 0.7
        self._nhev += (here if accepted else there).n_curvatures
        if accepted:
            self._x, self._here = x, there
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
            eigenval, eigenvec, index = here.lowest(self._x)
            if index != 1:
                success, message = False, f"index {index}"
        else:
            modes = here.spectrum()
            eigenval, eigenvec = float(modes.eigenvalues[0]), modes.vector(0)
            if modes.is_stationary(self._scales):
                message = f"converged to index {modes.index}"
            elif modes.index == 1 and modes.rms <= self._scales.rms:
                message = UNRESOLVED
        return Result(
            coords=self._x,
            energy=here.energy,
            grad=here.gradient,
            rms=rms(here.gradient),
            eigenval=eigenval,
            eigenvec=eigenvec,
            nfev=self._nfev,
            nhev=self._nhev + here.n_curvatures,
            nsteps=self._nfev - 1,
            success=success,
            message=message,
        )


def descend(
    transition_state,
    direction,
    potential,
    zero_modes,
    *,
    scales=NATS,
    pushoff=0.02,
    radius=0.2,
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
