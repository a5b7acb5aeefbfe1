"""Trust-region Newton steps to a minimum, with the exact Hessian."""

import numpy as np
from pele.optimize import Result

from ..contract import DEGENERATE, NATS, TRAVELLING, UNRESOLVED, rms
from ..pulse import tell
from .curvature import curvature
from .stationary import modes_at
from .trust import TrustRadius

__all__ = ["ENOUGH", "newton"]

ENOUGH = 1e-6  # a step, in units of the tolerance of identity, that need not be taken
_LINGER = 300  # steps at a point whose loss has converged, but not its coordinates
_DOUBT = 3, 10, 30, 100  # so many of them may mean a flat valley that rounding tilts
_FALL = 30, 1e-6  # so many that lower the loss so far lead to infinity
_FAR = 1.0, 10.0, 100.0  # how far a flat valley is looked along whether it leads downhill
_WALKS = 3  # so many walks along it


def newton(x, potential, zero_modes, *, scales=NATS, max_radius=1.0, nsteps=3000):
    """Minimise by trust-region Newton steps with the exact Hessian.

    Up to `contract.KRYLOV_LIMIT` parameters a step costs one or a few Cholesky
    factorisations, above it some products of the Hessian with vectors; where
    the gradient vanishes all modes are looked at, so that no saddle passes for
    a minimum (see `krylov.KrylovSpectrum.complete`). After convergence
    Newton steps go on while they still halve the gradient, so that the point
    is as accurate as the arithmetic, unless they are too short to matter.

    Parameters
    ----------
    x : ndarray, shape (n_parameters,)
    potential : LandscapePotential
    zero_modes : ndarray, shape (n_parameters, k)
    scales : Scales
        What counts as converged.
    max_radius : float
        First and largest trust radius.
    nsteps : int

    Returns
    -------
    pele.optimize.Result
        ``coords, energy, grad, rms, nfev, nhev, nsteps, success, message``;
        `nhev` counts Hessians, or products with one vector;
        `success` means converged, with no negative eigenvalue; where an
        eigenvalue vanishes, `message` is `contract.DEGENERATE`. A point
        that moves on and on while the loss hardly changes is no success, and
        `message` says whether it is `contract.TRAVELLING` to infinity or
        stays `contract.UNRESOLVED`.

    References
    ----------
    J. Nocedal and S. J. Wright, Numerical Optimization (2006), chapter 4.
    """
    walk = _Walk(x, potential, zero_modes, scales, max_radius)
    walk.run(nsteps)
    return walk.result()


class _Walk:
    """The point where `newton` is, and what it has met on its way."""

    def __init__(self, x, potential, zero_modes, scales, max_radius):
        self._potential, self._zero_modes, self._scales = potential, zero_modes, scales
        self._curvature = curvature(x.size, scales)
        self._trust = TrustRadius(max_radius, max_radius, shrink=0.25, grow=2.0)
        own = modes_at(zero_modes, x)
        self._x = x - own @ (own.T @ x)
        self._here = self._look(self._x)
        self._nfev, self._nhev, self._steps = 1, 0, 0
        self._lingering = self._walks = 0
        self._then = self._x, self._here.energy  # where it began to linger
        self._success, self._over, self._message = False, False, "too many steps"

    def _look(self, x):
        return self._curvature.model(self._potential, x, self._zero_modes)

    def run(self, nsteps):
        """Walk until it is decided how this ends."""
        while self._steps < nsteps and not self._over:
            here = self._here
            tell("Newton", self._nfev, rms(here.gradient))
            self._step = here.step(self._trust)
            small = rms(here.gradient) <= self._scales.rms
            if not self._success and small and self._consider():
                continue
            if self._success and self._step[2] <= ENOUGH * self._scales.tolerance:
                return
            self._steps += 1
            self._nfev += 1
            there = self._x + self._step[0]
            if self._success:
                self._refine(here.nearby(there))
            else:
                self._advance(here.onward(there))

    def result(self):
        """What `newton` returns."""
        here = self._here
        return Result(
            coords=self._x,
            energy=here.energy,
            grad=here.gradient,
            rms=rms(here.gradient),
            nfev=self._nfev,
            nhev=self._nhev + here.n_curvatures,
            nsteps=self._steps,
            success=self._success,
            message=self._message,
        )

    def _end(self, message, success=False):
        self._over, self._message, self._success = True, message, success

    def _consider(self):
        """Where there is no gradient: whether the next step is not to be taken, and why."""
        scales, here = self._scales, self._here
        _, predicted, longest = self._step
        settled = -predicted <= scales.energy_error
        arrived = settled and longest <= scales.step
        self._lingering += settled
        if self._lingering == 1 and self._walks == 0:
            self._then = self._x, here.energy
        if arrived and here.is_definite():
            self._success, self._message = True, "converged"
            return False
        if arrived or self._lingering in _DOUBT or not here.looks_definite():
            if self._look_along_all_modes(predicted):
                return True
            self._step = here.step(self._trust)  # now that all modes are known
        if self._lingering >= _FALL[0]:
            fell = self._then[1] > 0 and here.energy <= _FALL[1] * self._then[1]
            if fell or self._lingering >= _LINGER:
                far = fell or np.abs(self._step[0]).max() > scales.tolerance
                self._end(TRAVELLING if far else UNRESOLVED)
        return self._over

    def _look_along_all_modes(self, predicted):
        """On a plateau or in a flat valley: whether the walk ended, or went on along it."""
        scales, here = self._scales, self._here
        modes = here.spectrum()
        modes.complete()
        if modes.is_flat(scales):
            self._end(TRAVELLING)
            return True
        still = -predicted <= scales.rounding(here.energy)
        flat = modes.index == 0 and modes.n_degenerate > 0
        if not (still and flat and modes.is_stationary(scales, firm=True)):
            return False
        lower = self._downhill(modes.flat_gradient())
        moved = np.linalg.norm(self._x - self._then[0]) > _FAR[1]
        if moved or (lower is not None and self._walks == _WALKS):
            self._end(TRAVELLING)
        elif lower is None:
            self._end(DEGENERATE, success=True)
        else:
            self._walks, self._lingering = self._walks + 1, 0
            self._nhev += here.n_curvatures
            self._nfev += 1
            self._x, self._here = lower, self._look(lower)
        return True

    def _downhill(self, gradient):
        """A point far along a flat valley where the loss is lower than rounding explains."""
        length = np.linalg.norm(gradient)
        if length == 0:
            return None
        energy = self._here.energy
        for far in _FAR:
            there = self._x - far / length * gradient
            if self._potential.getEnergy(there) < energy - self._scales.rounding(energy):
                return there
        return None

    def _refine(self, there):
        """After convergence: steps go on while they halve the gradient."""
        if rms(there.gradient) >= 0.5 * rms(self._here.gradient):
            self._nhev += there.n_curvatures
            self._over = True
            return
        self._nhev += self._here.n_curvatures
        self._x, self._here = self._x + self._step[0], there

    def _advance(self, there):
        """Go there if the loss falls as predicted, and learn how far to trust the model."""
        scales, here, trust = self._scales, self._here, self._trust
        step, predicted, _ = self._step
        gain = (there.energy - here.energy) / predicted
        # near the end the loss drowns in rounding, but the gradient does not
        drowned = -predicted < scales.rounding(here.energy)
        if drowned and rms(there.gradient) < rms(here.gradient):
            gain = 1.0
        finite = np.isfinite(there.energy)
        trust.judge(np.linalg.norm(step), wrong=not finite or gain < 0.25, right=gain > 0.75)
        accepted = finite and gain > 1e-3
        self._nhev += (here if accepted else there).n_curvatures
        if accepted:
            self._x, self._here = self._x + step, there
        elif trust.radius < 1e-14 * (1 + np.linalg.norm(self._x)):
            self._end(UNRESOLVED if self._lingering else "no step lowers the loss")
