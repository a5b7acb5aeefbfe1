"""Quench to a minimum: L-BFGS, then trust-region Newton with exact curvatures."""

from time import monotonic

import numpy as np
import scipy.linalg
from pele.optimize import LBFGS_CPP, Result
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs

from ..contract import DEGENERATE, NATS, TRAVELLING, UNRESOLVED, ZERO, rms
from ..pulse import tell
from .krylov import KRYLOV_LIMIT, KrylovSpectrum
from .stationary import lift_zero_modes, modes_at, spectrum, trust_region_step

__all__ = ["newton", "quench"]

_SLICE = 0.1  # seconds of L-BFGS at a time
_PATIENCE = 20  # Newton steps' worth of gradients that L-BFGS may spend instead
_LINGER = 300  # Newton steps at a point whose loss has converged, but not its coordinates
_DOUBT = 3, 10, 30, 100  # so many of them may mean a flat valley that rounding tilts
_FALL = 30, 1e-6  # so many that lower the loss so far lead to infinity
_FAR = 1.0, 10.0, 100.0  # how far a flat valley is looked along whether it leads downhill
_WALKS = 3  # so many walks along it
_SHIFTS = 10  # Cholesky factorisations before the eigenvectors decide


def quench(
    x,
    potential,
    zero_modes,
    *,
    scales=NATS,
    newton_from=5e-4,
    lbfgs_tol=1e-5,
    lbfgs_steps=20000,
    memory=30,
    maxstep=1.0,
    newton_steps=3000,
    newton_cost=20.0,
):
    """Minimise the loss from `x` to the project's standard of convergence.

    From a rms gradient of `newton_from` on, L-BFGS may be quick or take
    thousands of steps, where Newton with the exact Hessian takes some forty:
    L-BFGS gets about as many steps as these would cost to reach `lbfgs_tol`.
    Where Newton works with Hessian-vector products there is no such limit.

    Parameters
    ----------
    x : ndarray, shape (n_parameters,)
    potential : LandscapePotential
    zero_modes : ndarray, shape (n_parameters, k), or a function of `x`
        Orthonormal directions in which the energy never changes.
    scales : Scales
    newton_from, lbfgs_tol : float
        Rms gradients at which Newton may take over, and at which it does, in
        units of ``scales.energy``.
    lbfgs_steps, newton_steps : int
        Limits on the two stages.
    memory : int
        Corrections that L-BFGS keeps.
    maxstep : float
        Longest step of L-BFGS, and first trust radius of Newton.
    newton_cost : float
        Roughly how many gradients a Newton step costs.

    Returns
    -------
    pele.optimize.Result
        As `newton` returns it; `nfev` counts both stages.
    """
    x = np.array(x, dtype=float)
    nfev = steps = 0
    stages = [(lbfgs_tol, lbfgs_steps)]
    if x.size <= KRYLOV_LIMIT:
        patience = int(_PATIENCE * newton_cost)
        stages = [(newton_from, lbfgs_steps), (lbfgs_tol, patience)]
    for tol, limit in stages:
        tol *= scales.energy
        found = _lbfgs(x, potential, tol=tol, nsteps=limit, M=memory, maxstep=maxstep)
        nfev, steps = nfev + found.nfev, steps + found.nsteps
        # L-BFGS that lost its way must not lose the start with it
        if not np.isfinite(found.coords).all():
            break
        x = found.coords
    result = newton(
        x, potential, zero_modes, scales=scales, max_radius=maxstep, nsteps=newton_steps
    )
    result.nfev += nfev
    result.nsteps += steps
    return result


def _lbfgs(x, potential, nsteps, **options):
    """pele's L-BFGS in slices of time: while it runs, Python can do nothing else."""
    walk = LBFGS_CPP(x, getattr(potential, "native", potential), nsteps=nsteps, **options)
    done, size = 0, 1
    while True:
        started = monotonic()
        result = walk.run(min(size, nsteps - done))
        tell("L-BFGS", result.nfev, result.rms)
        if result.success or result.nsteps in (done, nsteps):
            return result
        done = result.nsteps
        size = 2 * size if monotonic() - started < _SLICE else max(1, size // 2)


def newton(x, potential, zero_modes, *, scales=NATS, max_radius=1.0, nsteps=3000):
    """Minimise by trust-region Newton steps with the exact Hessian.

    Up to `krylov.KRYLOV_LIMIT` parameters a step costs one or a few Cholesky
    factorisations, above it some products of the Hessian with vectors; where
    the gradient vanishes all modes are looked at, so that no saddle passes for
    a minimum (see `krylov.KrylovSpectrum.complete`). After convergence
    Newton steps go on while they still halve the gradient, so that the point
    is as accurate as the arithmetic.

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
        eigenvalue vanishes, `message` is `stationary.DEGENERATE`. A point
        that moves on and on while the loss hardly changes is no success, and
        `message` says whether it is `stationary.TRAVELLING` to infinity or
        stays `stationary.UNRESOLVED`.

    References
    ----------
    J. Nocedal and S. J. Wright, Numerical Optimization (2006), chapter 4.
    """
    radius = max_radius
    own = modes_at(zero_modes, x)
    x = x - own @ (own.T @ x)
    look = _Products if x.size > KRYLOV_LIMIT else _Matrix
    here = look(potential, x, zero_modes)
    nfev, nhev = 1, 0
    steps = 0
    lingering, walks = 0, 0
    x_then, energy_then = x, here.energy
    success, message = False, "too many steps"
    while steps < nsteps:
        tell("Newton", nfev, rms(here.gradient))
        step, predicted, longest = here.step(radius)
        if not success and rms(here.gradient) <= scales.rms:
            settled = -predicted <= scales.energy_error
            arrived = settled and longest <= scales.step
            lingering += settled
            if lingering == 1 and walks == 0:
                x_then, energy_then = x, here.energy
            if arrived and here.is_definite():
                success, message = True, "converged"
            elif arrived or lingering in _DOUBT or not here.looks_definite():
                modes = here.spectrum()
                modes.complete()
                if modes.is_flat(scales):
                    message = TRAVELLING
                    break
                still = -predicted <= scales.rounding(here.energy)
                flat = modes.index == 0 and modes.n_degenerate > 0
                if still and flat and modes.is_stationary(scales, firm=True):
                    lower = _downhill(potential, x, here.energy, modes.flat_gradient(), scales)
                    moved = np.linalg.norm(x - x_then) > _FAR[1]
                    if moved or (lower is not None and walks == _WALKS):
                        message = TRAVELLING
                        break
                    if lower is None:
                        success, message = True, DEGENERATE
                        break
                    walks, lingering = walks + 1, 0
                    nhev += here.n_curvatures
                    x, here = lower, look(potential, lower, zero_modes)
                    nfev += 1
                    continue
                step, predicted, longest = here.step(radius)  # now that all modes are known
            if not success and lingering >= _FALL[0]:
                fell = here.energy <= _FALL[1] * energy_then
                if fell or lingering >= _LINGER:
                    far = fell or np.abs(step).max() > scales.tolerance
                    message = TRAVELLING if far else UNRESOLVED
                    break
        steps += 1
        there = look(potential, x + step, zero_modes)
        nfev += 1
        if success:
            if rms(there.gradient) >= 0.5 * rms(here.gradient):
                nhev += there.n_curvatures
                break
            x, here, nhev = x + step, there, nhev + here.n_curvatures
            continue
        gain = (there.energy - here.energy) / predicted
        # near the end the loss drowns in rounding, but the gradient does not
        drowned = -predicted < scales.rounding(here.energy)
        if drowned and rms(there.gradient) < rms(here.gradient):
            gain = 1.0
        length = np.linalg.norm(step)
        if not np.isfinite(there.energy) or gain < 0.25:
            radius = 0.25 * length
        elif gain > 0.75 and length > 0.8 * radius:
            radius = min(2 * radius, max_radius)
        accepted = np.isfinite(there.energy) and gain > 1e-3
        nhev += (here if accepted else there).n_curvatures
        if accepted:
            x, here = x + step, there
        elif radius < 1e-14 * (1 + np.linalg.norm(x)):
            message = UNRESOLVED if lingering else "no step lowers the loss"
            break
    return Result(
        coords=x,
        energy=here.energy,
        grad=here.gradient,
        rms=rms(here.gradient),
        nfev=nfev,
        nhev=nhev + here.n_curvatures,
        nsteps=steps,
        success=success,
        message=message,
    )


def _downhill(potential, x, energy, gradient, scales):
    """A point far along a flat valley where the loss is lower than rounding explains, or None."""
    length = np.linalg.norm(gradient)
    if length == 0:
        return None
    for far in _FAR:
        there = x - far / length * gradient
        if potential.getEnergy(there) < energy - scales.rounding(energy):
            return there
    return None


class _Matrix:
    """Loss, gradient and dense Hessian at a point, and the step from there."""

    def __init__(self, potential, x, zero_modes):
        zero_modes = modes_at(zero_modes, x)
        self._at = potential, x, zero_modes
        self.energy, self.gradient, hessian = potential.getEnergyGradientHessian(x)
        self._hessian = lift_zero_modes(hessian, zero_modes)
        self.n_curvatures = 1

    def step(self, radius):
        """The step within `radius`, the change of the loss that it promises, its size.

        The size is the largest component of the Newton step, infinite where
        the radius cut the step short.
        """
        step, predicted, self._definite, full = _step(self._hessian, self.gradient, radius)
        return step, predicted, np.abs(step).max() if full else np.inf

    def looks_definite(self):
        """Whether the curvatures met so far are positive."""
        return self._definite

    def is_definite(self):
        """Whether all curvatures are positive, and none of them vanishes."""
        if not self._definite:
            return False
        shifted = self._hessian.copy()
        shifted.flat[:: len(shifted) + 1] -= ZERO * np.linalg.norm(shifted)
        if dpotrf(shifted.T, lower=True, overwrite_a=True, clean=False)[1] == 0:
            return True
        modes = self.spectrum()  # the norm is more than the largest eigenvalue
        return modes.index + modes.n_degenerate == 0

    def spectrum(self):
        """The `Spectrum` of the point."""
        return spectrum(*self._at)


class _Products:
    """As `_Matrix`, from products of the Hessian with vectors."""

    def __init__(self, potential, x, zero_modes):
        self._modes = KrylovSpectrum(potential, x, modes_at(zero_modes, x))
        self.energy, self.gradient = self._modes.energy, self._modes.gradient

    @property
    def n_curvatures(self):
        return self._modes.n_curvatures

    def step(self, radius):
        modes = self._modes
        step = trust_region_step(modes.eigenvalues, modes.components, radius)
        while modes.refine(step, radius):
            step = trust_region_step(modes.eigenvalues, modes.components, radius)
        predicted = float(modes.components @ step + 0.5 * modes.eigenvalues @ step**2)
        full = modes.eigenvalues[0] > 0 and np.linalg.norm(step) < 0.99 * radius
        return modes.expand(step), predicted, modes.newton_step() if full else np.inf

    def looks_definite(self):
        return self._modes.index + self._modes.n_degenerate == 0

    def is_definite(self):
        return self.looks_definite() and self._modes.complete() and self.looks_definite()

    def spectrum(self):
        return self._modes


def _step(hessian, gradient, radius):
    """Newton or trust-region step, its predicted change, whether H > 0, whether it is Newton's.

    The shift of the Hessian that gives a step as long as the radius is found
    with a few Cholesky factorisations (J. J. More and D. C. Sorensen, SIAM J.
    Sci. Stat. Comput. 4, 553 (1983)), each far cheaper than the eigenvectors;
    where that does not settle, as on a saddle, these decide.
    """
    low, high = 0.0, np.linalg.norm(hessian) + np.linalg.norm(gradient) / radius
    shift, definite = 0.0, True
    for _ in range(_SHIFTS):
        shifted = hessian.copy()
        shifted.flat[:: len(hessian) + 1] += shift
        # LAPACK at once: SciPy's checks cost as much as a small matrix; by symmetry
        # the lower triangle of the transpose, in Fortran order, is the upper one
        factor, failed = dpotrf(shifted.T, lower=True, overwrite_a=True, clean=False)
        if failed:
            definite = definite and shift > 0
            low = shift
            shift = max(np.sqrt(low * high), low + 1e-3 * (high - low))
            continue
        step = -dpotrs(factor, gradient, lower=True)[0]
        length = np.linalg.norm(step)
        if (shift == 0 and length <= radius) or abs(length - radius) <= 0.2 * radius:
            predicted = float(gradient @ step + 0.5 * step @ (hessian @ step))
            return step, predicted, definite, shift == 0
        if length > radius:
            low = shift
        else:
            high = shift
        solved = dtrtrs(factor, step, lower=True)[0]
        newton = shift + (length / np.linalg.norm(solved)) ** 2 * (length - radius) / radius
        # only inside the bracket, and never so near its lower end that H is singular
        inside = low + 1e-3 * (high - low) < newton < high
        shift = newton if inside else max(np.sqrt(low * high), low + 1e-2 * (high - low))
    values, vectors = scipy.linalg.eigh(hessian, driver="evd", check_finite=False)
    components = vectors.T @ gradient
    step = trust_region_step(values, components, radius)
    predicted = float(components @ step + 0.5 * values @ step**2)
    definite = bool(values[0] > 0)
    return vectors @ step, predicted, definite, definite and np.linalg.norm(step) < 0.99 * radius
