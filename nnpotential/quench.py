"""Quench to a minimum: L-BFGS, then trust-region Newton with the exact Hessian."""

import numpy as np
import scipy.linalg
from pele.optimize import Result, lbfgs_cpp

from .stationary import (
    ENERGY_ERROR,
    RMS_TOLERANCE,
    lift_zero_modes,
    rms,
    spectrum,
    trust_region_step,
)

__all__ = ["newton", "quench"]

_SHIFTS = 10  # Cholesky factorisations before the eigenvectors decide


def quench(
    x,
    potential,
    zero_modes,
    *,
    lbfgs_tol=1e-5,
    lbfgs_steps=20000,
    memory=30,
    maxstep=1.0,
    newton_steps=500,
):
    """Minimise the loss from `x` to the project's standard of convergence.

    Parameters
    ----------
    x : ndarray, shape (n_parameters,)
    potential : NNPotential
    zero_modes : ndarray, shape (n_parameters, k)
        Orthonormal directions in which the loss never changes.
    lbfgs_tol : float
        Rms gradient at which Newton takes over.
    lbfgs_steps, newton_steps : int
        Limits on the two stages.
    memory : int
        Corrections that L-BFGS keeps.
    maxstep : float
        Longest step of L-BFGS, and first trust radius of Newton.

    Returns
    -------
    pele.optimize.Result
        As `newton` returns it; `nfev` counts both stages.
    """
    x = np.array(x, dtype=float)
    start = lbfgs_cpp(x, potential, tol=lbfgs_tol, nsteps=lbfgs_steps, M=memory, maxstep=maxstep)
    # L-BFGS that lost its way must not lose the start with it
    coords = start.coords if np.isfinite(start.coords).all() else x
    result = newton(coords, potential, zero_modes, max_radius=maxstep, nsteps=newton_steps)
    result.nfev += start.nfev
    result.nsteps += start.nsteps
    return result


def newton(x, potential, zero_modes, *, max_radius=1.0, nsteps=500):
    """Minimise by trust-region Newton steps with the exact Hessian.

    A positive definite Hessian costs one Cholesky factorisation a step; only
    where the full step is not allowed is it diagonalised. After convergence
    Newton steps go on while they still halve the gradient, so that the point
    is as accurate as the arithmetic.

    Parameters
    ----------
    x : ndarray, shape (n_parameters,)
    potential : NNPotential
    zero_modes : ndarray, shape (n_parameters, k)
    max_radius : float
        First and largest trust radius.
    nsteps : int

    Returns
    -------
    pele.optimize.Result
        ``coords, energy, grad, rms, nfev, nhev, nsteps, success, message``;
        `success` means converged, with no negative eigenvalue; where an
        eigenvalue vanishes, `message` says that the minimum is degenerate.

    References
    ----------
    J. Nocedal and S. J. Wright, Numerical Optimization (2006), chapter 4.
    """
    radius = max_radius
    x = x - zero_modes @ (zero_modes.T @ x)
    energy, gradient, hessian = potential.getEnergyGradientHessian(x)
    nfev = nhev = 1
    steps = 0
    success, message = False, "too many steps"
    while steps < nsteps:
        lifted = lift_zero_modes(hessian, zero_modes)
        step, predicted, definite = _step(lifted, gradient, radius)
        if (
            definite
            and rms(gradient) <= RMS_TOLERANCE
            and -predicted <= ENERGY_ERROR
            and np.linalg.norm(step) <= radius
        ):
            success, message = True, "converged"
        elif not definite and rms(gradient) <= RMS_TOLERANCE:
            here = spectrum(potential, x, zero_modes)
            if here.index == 0 and here.n_degenerate and here.firm_energy_error <= ENERGY_ERROR:
                success, message = True, "converged to a degenerate minimum"
                break
        steps += 1
        new = potential.getEnergyGradientHessian(x + step)
        nfev, nhev = nfev + 1, nhev + 1
        if success:
            if rms(new[1]) > 0.5 * rms(gradient):
                break
            x, (energy, gradient, hessian) = x + step, new
            continue
        gain = (new[0] - energy) / predicted
        # near the end the loss drowns in rounding, but the gradient does not
        rounding = 1e-14 * (abs(energy) + 1)
        if -predicted < rounding and rms(new[1]) < rms(gradient):
            gain = 1.0
        length = np.linalg.norm(step)
        if not np.isfinite(new[0]) or gain < 0.25:
            radius = 0.25 * length
        elif gain > 0.75 and length > 0.8 * radius:
            radius = min(2 * radius, max_radius)
        if np.isfinite(new[0]) and gain > 1e-3:
            x, (energy, gradient, hessian) = x + step, new
        elif radius < 1e-14 * (1 + np.linalg.norm(x)):
            message = "no step lowers the loss"
            break
    return Result(
        coords=x,
        energy=energy,
        grad=gradient,
        rms=rms(gradient),
        nfev=nfev,
        nhev=nhev,
        nsteps=steps,
        success=success,
        message=message,
    )


def _step(hessian, gradient, radius):
    """Newton or trust-region step, its predicted change, whether H > 0.

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
        try:
            factor, _ = scipy.linalg.cho_factor(
                shifted, lower=True, overwrite_a=True, check_finite=False
            )
        except scipy.linalg.LinAlgError:
            definite = definite and shift > 0
            low = shift
            shift = max(np.sqrt(low * high), low + 1e-3 * (high - low))
            continue
        step = -scipy.linalg.cho_solve((factor, True), gradient, check_finite=False)
        length = np.linalg.norm(step)
        if (shift == 0 and length <= radius) or abs(length - radius) <= 0.2 * radius:
            predicted = float(gradient @ step + 0.5 * step @ (hessian @ step))
            return step, predicted, definite
        if length > radius:
            low = shift
        else:
            high = shift
        solved = scipy.linalg.solve_triangular(factor, step, lower=True, check_finite=False)
        newton = shift + (length / np.linalg.norm(solved)) ** 2 * (length - radius) / radius
        # only inside the bracket, and never so near its lower end that H is singular
        inside = low + 1e-3 * (high - low) < newton < high
        shift = newton if inside else max(np.sqrt(low * high), low + 1e-2 * (high - low))
    values, vectors = scipy.linalg.eigh(hessian, driver="evd", check_finite=False)
    components = vectors.T @ gradient
    step = trust_region_step(values, components, radius)
    predicted = float(components @ step + 0.5 * values @ step**2)
    return vectors @ step, predicted, bool(values[0] > 0)
