"""Verification of stored points: convergence, index, connections, uniqueness.

Nothing here comes from the search but the potential itself and the matching of
symmetry images: spectra are recomputed, and the minima that a transition state
joins are found by following the gradient flow, not by the search's own steps;
where the two differ it is followed again, a hundred times as accurately.
Index and convergence are proved by factorising the Hessian where that is
affordable (`inertia.PROOF_LIMIT`), and beyond certified from products with
vectors at a risk of 1e-6 per point (`inertia.RISK`).
"""

import numpy as np
from pele.storage import Minimum

from ..contract import rms, single
from ..errors import InputError
from ..findings import Point, Verdict
from ..index import points_near
from .flow import gradient_flow
from .inertia import (
    Curvature,
    NegativeCurvatureError,
    cholesky,
    conjugate_gradients,
    norm,
)

__all__ = [
    "is_duplicate",
    "verify_point",
    "verify_transition_state",
    "why_degenerate",
]

_PUSHOFF = 0.01
_TOLERANCES = 1e-4, 1e-6  # of the flow; the second where the first contradicts the search
_NEAR = 0.05  # guessed distance of a minimum from where the flow is worth a look
_AROUND = 2 * _NEAR  # distance from there in which it has to be
_APPROACH = 40  # Newton steps there
_ARRIVED, _ROUGHLY = 1e-8, 1e-4  # their length in the end; where the judge's are cheaper
_FACTORISED = 1500  # parameters up to which a Hessian there costs less than products
_SOLVED, _TURNS = 1e-3, 3  # residual of such a step, and in how many turns of rough products


def is_duplicate(system, database, minimum):
    """Whether a minimum is an image of one that was stored before it.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    minimum : pele.storage.Minimum

    Returns
    -------
    bool
    """
    others = points_near(database, Minimum, minimum.energy)
    before = (m for m in others if m.id() < minimum.id() and not m.invalid)
    # of two images the first one stays
    return any(system.identity.are_same(minimum.coords, other.coords) for other in before)


def verify_transition_state(system, ts):
    """Check one stored transition state and follow the gradient down both its sides.

    Parameters
    ----------
    system : LandscapeSystem
    ts : pele.storage.TransitionState or Connection

    Returns
    -------
    Verdict
        With the minima that the two sides lead to, unless the check ended before.
    """
    outcome, mode = _examine(system, ts, index=1)
    if outcome != "ok":
        return Verdict(outcome)
    starts = [ts.coords + side * _PUSHOFF * mode for side in (1, -1)]
    known = [Point(m.energy, m.coords) for m in (ts.minimum1, ts.minimum2)]
    for tolerance in _TOLERANCES:
        ends = [follow_gradient(system, start, tolerance, known) for start in starts]
        decided = all(end is not None for end in ends)
        if decided and _are_the_minima_of(ts, ends, system.identity):
            above = ts.energy > ts.minimum1.energy and ts.energy > ts.minimum2.energy
            return Verdict("ok" if above else "not above", ends=ends)
    return Verdict("descends elsewhere", ends=ends) if decided else Verdict("undecided")


def _are_the_minima_of(ts, ends, identity):
    same = identity.are_same
    (_, x1), (_, x2) = ends
    m1, m2 = ts.minimum1.coords, ts.minimum2.coords
    return (same(x1, m1) and same(x2, m2)) or (same(x1, m2) and same(x2, m1))


def verify_point(system, point, index):
    """Check one stored point by itself: loss, convergence, index.

    Parameters
    ----------
    system : LandscapeSystem
    point : pele.storage.Minimum, pele.storage.TransitionState, Point or Connection
    index : int
        Number of negative eigenvalues that it should have.

    Returns
    -------
    str
        A key of `OUTCOMES`.
    """
    return _examine(system, point, index)[0]


def _examine(system, point, index):
    """Outcome for one stored point, and its direction of negative curvature or None."""
    x, scales = np.asarray(point.coords), system.scales
    energy, gradient = system.potential.getEnergyGradient(x)
    if abs(energy - point.energy) > scales.energy_error * max(1.0, abs(energy) / scales.energy):
        return "loss differs", None
    if rms(gradient) > scales.rms:
        return "not converged", None
    curvature = Curvature(system.potential, x, system.identity.zero_modes(x))
    if not curvature.exceeds(scales.flat):
        return "not converged", None
    outcome, solve, mode = curvature.judge(index, getattr(point, "eigenvec", None))
    if outcome != "ok":
        return outcome, None
    step = solve(gradient)
    if step is None or 0.5 * gradient @ step > scales.energy_error:
        return "not converged", None
    steps = [step, *_moved_by_rounding(system.potential, x, gradient, solve)]
    if any(s is None or np.abs(s).max() > scales.step for s in steps):
        return "unresolved", None
    change = _change_of_curvature(system.potential, x, max(steps, key=norm), solve)
    if change is None:
        return "unresolved", None
    return ("degenerate", None) if change > 0.5 else ("ok", mode)


def _change_of_curvature(potential, x, step, solve):
    """By what share the curvature along a Newton step is another at twice the step.

    Where all curvature vanishes, as in the middle of a monkey saddle, no eigenvalue is small beside
    the largest. But there Newton's steps, up to the sign of their parts, are a fixed share of the
    way to the point, and what curvature there is changes by as much over it. The change is
    measured in the curvature itself, as in the covariant theorem of Newton and Mysovskikh (P.
    Deuflhard, Newton Methods for Nonlinear Problems, Springer, 2011, section 2.1): a soft mode may
    well bend a stiff one.

    Parameters
    ----------
    solve : callable
        As of `Curvature.judge`.

    Returns
    -------
    float or None
        None if it cannot be solved for.
    """
    here, there = (potential.hessian_vector_product(y, step) for y in (x, x - 2 * step))
    change = solve(there - here)
    return None if change is None else norm(change) / (norm(step) or 1.0)


def _moved_by_rounding(potential, x, gradient, solve, samples=2):
    """Newton steps that answer to nothing but the rounding of the gradient.

    A step computed at one point can be small by accident. The gradient some
    units in the last place away differs by the Hessian times the way there,
    and by rounding.
    """
    rng = np.random.default_rng(0)
    for _ in range(samples):
        nearby = x * (1 + 2.0**-50 * rng.uniform(-1, 1, x.size))
        way = potential.hessian_vector_product(x, nearby - x)
        yield solve(potential.getGradient(nearby) - gradient - way)


def follow_gradient(system, x, tolerance=1e-4, known=(), max_time=1e11, max_steps=100_000):
    """Integrate ``dx/dt = -g`` from `x` to a minimum.

    Parameters
    ----------
    system : LandscapeSystem
    x : ndarray, shape (n_parameters,)
    tolerance : float
        Local error of a step of the integrator, see `gradient_flow`.
    known : sequence of Point
        Minima that are verified by themselves: where proofs are dear, what turns out to be one
        of them is not proved to be a minimum again.
    max_time : float
        In units of squared parameters per ``system.scales.energy``.
    max_steps : int

    Returns
    -------
    Point or None
        The minimum, or None if there is none in reach.
    """
    flow = gradient_flow(system.potential, x, tolerance, system.scales)
    for _ in range(max_steps):
        if flow.may_be_near(_NEAR):
            arrived = _nearby_minimum(system, flow, known)
            if arrived is not None:
                return arrived
        if flow.time * system.scales.energy > max_time or not flow.step():
            break
    return _nearby_minimum(system, flow, known)


def _nearby_minimum(system, flow, known=()):
    """The minimum that the flow is bound for, or None if it is not plain.

    Newton steps with the Hessian of one point shrink as fast as it is like that of the points
    on the way. Where each is at most half as long as the one before, the curvature changes too
    little for the flow to turn: measured along the steps, not proved for all that surrounds them.
    """
    if rms(flow.gradient) > 1e-3 * system.scales.energy:
        return None
    zero_modes = system.identity.zero_modes(flow.x)
    step_from = _newton_steps(system.potential, flow, zero_modes)
    found = None
    if step_from is not None:
        arrived = _ROUGHLY if _by_products(flow) else _ARRIVED
        found = _shrinking_steps(system, flow, flow.x, step_from, arrived)
    if found is None:
        return None
    _, x = found
    if _by_products(flow):
        for minimum in known:
            if system.identity.are_same(x, minimum.coords):
                return minimum
    # it is stored where the search went elsewhere, so it has to meet the definition too; nor do
    # the steps feel a mode along which there is no gradient
    curvature = Curvature(system.potential, x, system.identity.zero_modes(x))
    outcome, solve, _ = curvature.judge(0)
    if outcome != "ok":
        return None
    return _shrinking_steps(system, flow, x, lambda _, g: -solve(g), _ARRIVED)


def _shrinking_steps(system, flow, x, step_from, arrived):
    """Where steps lead that shrink to a length near the flow, else None."""
    energy, gradient = system.potential.getEnergyGradient(x)
    before, length_before = np.inf, np.inf
    for _ in range(_APPROACH):
        here = rms(gradient)
        step = step_from(x, gradient)
        if step is None or not norm(x + step - flow.x) <= _AROUND:
            return None
        accurate = arrived > _ARRIVED or here <= system.scales.rms or here > 0.5 * before
        if norm(step) <= arrived and accurate:
            # a step that is no more than rounding makes no point better, a longer one does
            return Point(float(energy), x + step if arrived > _ARRIVED else x)
        length = np.sqrt(max(-gradient @ step, 0.0))  # in the norm of the Hessian
        if length > 0.5 * length_before and np.abs(step).max() > system.scales.step:
            return None
        x, before, length_before = x + step, here, length
        energy, gradient = system.potential.getEnergyGradient(x)
    return None


def _newton_steps(potential, flow, zero_modes):
    """Newton's step by point and gradient, None if there is none or it is far.

    Parameters
    ----------
    potential : LandscapePotential
    flow : RosenbrockFlow or ChebyshevFlow
    zero_modes : ndarray, shape (n, k)

    Returns
    -------
    callable or None
        Up to `_FACTORISED` parameters with the Hessian where the flow is, factorised once; None
        if that is not positive definite. Beyond with products at the point itself.
    """

    def outside(v):
        return v - zero_modes @ (zero_modes.T @ v)

    def product_of(potential, x):
        return lambda v: outside(potential.hessian_vector_product(x, outside(v)))

    def by_products(x, gradient):
        exact, b = product_of(potential, x), -outside(gradient)
        step = None if rough is potential else _solve_roughly(product_of(rough, x), exact, b)
        try:
            return _solve(exact, b) if step is None else step
        except NegativeCurvatureError:
            return None

    if _by_products(flow):
        rough = single(potential)
        return by_products
    lifted = potential.getHessian(flow.x) if flow.hessian is None else flow.hessian.copy()
    if zero_modes.size:
        size = np.linalg.norm(lifted)
        lifted = outside(outside(lifted).T) + size * zero_modes @ zero_modes.T
    solve = cholesky(lifted)
    return None if solve is None else lambda _, gradient: solve(-outside(gradient))


def _by_products(flow):
    """Whether products with vectors are the cheaper way to see where a flow is bound for."""
    return flow.hessian is None and flow.x.size > _FACTORISED


def _solve(product, b):
    return conjugate_gradients(product, b, _SOLVED, longest=_AROUND)


def _solve_roughly(rough, exact, b):
    """As `_solve` by exact products, which here only correct what rough ones have solved.

    None as well where the rough ones are too rough for that.
    """
    step, left = np.zeros_like(b), b
    for _ in range(_TURNS):
        try:
            more = _solve(rough, left)
        except (NegativeCurvatureError, InputError):  # also what does not fit into them
            return None
        if more is None:
            return None
        step = step + more
        left = b - exact(step)
        if norm(left) <= _SOLVED * norm(b):
            return step
    return None


def why_degenerate(system, x):
    """What leaves a degenerate minimum without curvature, where that is known.

    Parameters
    ----------
    system : LandscapeSystem
    x : ndarray, shape (n_parameters,)

    Returns
    -------
    str or None
    """
    for why, modes in system.identity.free_modes(x).items():
        modes = np.column_stack([system.identity.zero_modes(x), modes])
        if Curvature(system.potential, x, modes).judge(0)[0] == "ok":
            return why
    return None
