"""Quench to a minimum: L-BFGS, then Newton steps with exact curvatures."""

from time import monotonic

import numpy as np
from pele.optimize import LBFGS_CPP

from ..contract import NATS, single
from ..pulse import tell
from .curvature import curvature
from .newton import newton

__all__ = ["quench"]

_SLICE = 0.1  # seconds of L-BFGS at a time
_PATIENCE = 20  # Newton steps' worth of gradients that L-BFGS may spend instead
_CHECK, _STALLED = 100, 1000  # steps of L-BFGS


def quench(
    x,
    potential,
    zero_modes,
    *,
    scales=NATS,
    newton_from=5e-4,
    lbfgs_tol=1e-5,
    krylov_from=1e-9,
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
    Where Newton works with Hessian-vector products, each of its steps costs hundreds of
    gradients: there L-BFGS goes on to `krylov_from`, or until its rms gradient falls no
    longer, in single precision first where the potential has that.

    Parameters
    ----------
    x : ndarray, shape (n_parameters,)
    potential : LandscapePotential
    zero_modes : ndarray, shape (n_parameters, k), or a function of `x`
        Orthonormal directions in which the energy never changes.
    scales : Scales
    newton_from, lbfgs_tol, krylov_from : float
        Rms gradients at which Newton may take over, at which it does, and at which it
        does with Hessian-vector products, in units of ``scales.energy``.
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
    if curvature(x.size).newton_is_cheap:
        patience = int(_PATIENCE * newton_cost)
        stages = [(potential, newton_from, lbfgs_steps), (potential, lbfgs_tol, patience)]
        stalls = False
    else:
        rough = single(potential)
        precisions = [potential] if rough is potential else [rough, potential]
        stages = [(each, krylov_from, lbfgs_steps) for each in precisions]
        stalls = True
    for here, tol, limit in stages:
        tol *= scales.energy
        found = _lbfgs(x, here, limit, stalls, tol=tol, M=memory, maxstep=maxstep)
        nfev, steps = nfev + found.nfev, steps + found.nsteps
        # L-BFGS that lost its way must not lose the start with it
        if np.isfinite(found.coords).all():
            x = found.coords
        elif here is potential:
            break
    result = newton(
        x, potential, zero_modes, scales=scales, max_radius=maxstep, nsteps=newton_steps
    )
    result.nfev += nfev
    result.nsteps += steps
    return result


def _lbfgs(x, potential, nsteps, stalls=False, **options):
    """pele's L-BFGS in slices of time: while it runs, Python can do nothing else.

    With `stalls` it also ends where the rms gradient is not halved in `_STALLED` steps.
    """
    walk = LBFGS_CPP(x, getattr(potential, "native", potential), nsteps=nsteps, **options)
    done, size = 0, 1
    lowest, since = np.inf, 0
    while True:
        started = monotonic()
        # looked at after the same steps on every machine
        result = walk.run(min(size, nsteps - done, _CHECK - done % _CHECK))
        tell("L-BFGS", result.nfev, result.rms)
        if result.success or result.nsteps in (done, nsteps):
            return result
        done = result.nsteps
        if done % _CHECK == 0:
            if not result.rms > lowest / 2:
                lowest, since = result.rms, done
            elif stalls and done - since >= _STALLED:
                return result
        size = 2 * size if monotonic() - started < _SLICE else max(1, size // 2)
