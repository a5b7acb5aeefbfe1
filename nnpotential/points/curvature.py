"""How the Hessian is looked at: whole where it is small, else through products with vectors.

The choice is made here, by the size of the system, and nowhere else.
"""

from copy import copy
from dataclasses import replace
from math import hypot, sqrt
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dgesv, dpotrf, dpotrs

from ..contract import NATS, ZERO, is_large, rms
from .krylov import KrylovSpectrum, softest_modes
from .stationary import decompose, lift_zero_modes, modes_at, spectrum
from .trust import shifted_factor, trust_region_step, trust_region_step_of_matrix

__all__ = ["curvature"]

_NEGATIVE = 1e-12  # of the largest curvature: rounding
_NEARLY = 0.03  # accuracy of the mode that a step follows
_ROUNDING = 1e-14  # of the largest curvature, in a product of the Hessian with a vector
_SHIFT = 1e-4  # of the largest curvature, that makes the soft modes definite
_PATIENCE = 10  # steps of a climb along one mode: up a wall it would go on for ever
_QUOTIENTS = 4  # at most, that bring a direction to a mode
_TURNS = 8  # of a guess, at most, before the eigenvectors are asked
_ALONG = 0.3  # overlap with what is followed at which the lowest mode takes its place


class _Dense:
    """By the Hessian itself, its Cholesky factors and eigenvectors."""

    newton_is_cheap = True  # and takes over from L-BFGS early

    def model(self, potential, x, zero_modes):
        """The quadratic model at `x` for `newton`."""
        return _DenseModel(potential, x, zero_modes)

    def ascent(self, potential, x, zero_modes, direction):
        """The model at `x` for `find_transition_state`, which follows `direction` at first."""
        return _DenseAscent(potential, x, zero_modes)

    def uphill(self, potential, x, left_out, mode):
        """A mode of a minimum, and options of the search that follows it."""
        return spectrum(potential, x, left_out).vector(mode), {}


class _MatrixFree:
    """By products with vectors, in Krylov spaces."""

    newton_is_cheap = False

    def __init__(self, scales):
        self._rough_above = scales.rms  # above, no point is taken to be converged

    def model(self, potential, x, zero_modes):
        return _KrylovModel(potential, x, zero_modes, self._rough_above)

    def ascent(self, potential, x, zero_modes, direction):
        guess = np.random.default_rng(0).normal(size=x.size) if direction is None else direction
        return _KrylovAscent(potential, x, zero_modes, [guess], self._rough_above)

    def uphill(self, potential, x, left_out, mode):
        if mode >= (x.size - left_out.shape[1]) // 2:
            return _DENSE.uphill(potential, x, left_out, mode)
        _, modes = softest_modes(potential, x, left_out, mode + 1)
        # In a Krylov space other modes are lost sight of: of 12 walks on a 64-32-32-10
        # network 10 kept their minimum this way, 8 the other, at three quarters of the cost;
        # with steps of up to 1 one in four.
        return modes[:, mode], {"lowest": True, "radius": 0.1, "max_radius": 0.1}


_DENSE = _Dense()


def curvature(n_dof, scales=NATS):
    """The way that is cheaper for so many coordinates."""
    return _MatrixFree(scales) if is_large(n_dof) else _DENSE


class _DensePoint:
    """Loss, gradient and dense Hessian at a point, its zero modes lifted."""

    def __init__(self, potential, x, zero_modes):
        own = modes_at(zero_modes, x)
        self._at = potential, zero_modes
        self.energy, self.gradient, hessian = potential.getEnergyGradientHessian(x)
        self._hessian, self._own_zero_modes = lift_zero_modes(hessian, own), own
        self._spectrum = None
        self.n_curvatures = 1

    def onward(self, x):
        """The model at the next point."""
        return type(self)(self._at[0], x, self._at[1])

    def nearby(self, x):
        """The same at a point so near that only the gradient is another."""
        there = copy(self)
        there.energy, there.gradient = self._at[0].getEnergyGradient(x)
        there.n_curvatures = 0
        return there

    def spectrum(self):
        """The `Spectrum` of the point."""
        if self._spectrum is None:
            here = self.energy, self.gradient
            self._spectrum = decompose(*here, self._hessian, self._own_zero_modes.shape[1])
        return replace(self._spectrum, energy=self.energy, gradient=self.gradient)


class _DenseModel(_DensePoint):
    """The quadratic model of the loss at a point, and the step from there."""

    def step(self, trust):
        """The step within a `TrustRadius`, the change of the loss that it promises, its size.

        The size is the largest component of the Newton step, infinite where
        the radius cut the step short.
        """
        step = _step_of_matrix(self._hessian, self.gradient, trust)
        self._definite = step.definite
        return step.vector, step.predicted, np.abs(step.vector).max() if step.full else np.inf

    def looks_definite(self):
        """Whether the curvatures met so far are positive."""
        if self._definite is None:
            self._definite = dpotrf(self._hessian, clean=False)[1] == 0
        return self._definite

    def is_definite(self):
        """Whether all curvatures are positive, and none of them vanishes."""
        if not self.looks_definite():
            return False
        if _is_definite(self._hessian, ZERO * np.linalg.norm(self._hessian)):
            return True
        modes = self.spectrum()  # the norm is more than the largest eigenvalue
        return modes.index + modes.n_degenerate == 0


def _is_definite(matrix, margin):
    """Whether all eigenvalues are above a margin."""
    return shifted_factor(matrix, -margin) is not None


def _step_of_matrix(hessian, gradient, trust):
    step = trust_region_step_of_matrix(hessian, gradient, trust.radius, trust.shift)
    trust.shift = step.shift
    return step


class _KrylovModel:
    """As `_DenseModel`, from products of the Hessian with vectors.

    A step that they do not give for the price of the Hessian, as a full one near the
    end, is found by factorising that, as long as it is not too large.
    """

    def __init__(self, potential, x, zero_modes, rough_above, near=False):
        self._at, self._rough_above = (potential, x, zero_modes), rough_above
        self._modes = self._whole = None
        if near:
            self._whole = _DenseModel(*self._at)
        else:
            own = modes_at(zero_modes, x)
            self._modes = KrylovSpectrum(potential, x, own, rough_above=rough_above)
        first = self._whole or self._modes
        self.energy, self.gradient = first.energy, first.gradient
        self._near = near  # whether the Hessian is the cheaper way from the first

    @property
    def n_curvatures(self):
        return sum(part.n_curvatures for part in (self._whole, self._modes) if part is not None)

    def step(self, trust):
        if self._whole is None:
            step = self._step_in_space(trust)
            if step is not None:
                return step
            self._whole = _DenseModel(*self._at)
        step = self._whole.step(trust)
        self._near = np.isfinite(step[2])
        return step

    def _step_in_space(self, trust):
        """The step, or None where the Hessian itself is the cheaper way to it."""
        modes, radius = self._modes, trust.radius
        step = trust_region_step(modes.eigenvalues, modes.components, radius)
        while modes.refine(step, radius):
            if modes.outgrown:
                return None
            step = trust_region_step(modes.eigenvalues, modes.components, radius)
        predicted = float(modes.components @ step + 0.5 * modes.eigenvalues @ step**2)
        full = modes.eigenvalues[0] > 0 and np.linalg.norm(step) < 0.99 * radius
        return modes.expand(step), predicted, modes.newton_step() if full else np.inf

    def onward(self, x):
        return _KrylovModel(self._at[0], x, self._at[2], self._rough_above, self._near)

    def nearby(self, x):
        if self._whole is None:
            return self.onward(x)
        there = copy(self)
        there._whole, there._modes = self._whole.nearby(x), None
        there.energy, there.gradient = there._whole.energy, there._whole.gradient
        return there

    def looks_definite(self):
        if self._whole is not None:
            return self._whole.looks_definite()
        return self._modes.index + self._modes.n_degenerate == 0

    def is_definite(self):
        if self._whole is not None:
            return self._whole.is_definite()
        return self.looks_definite() and self._modes.complete() and self.looks_definite()

    def spectrum(self):
        return self._modes if self._whole is None else self._whole.spectrum()


class Uphill(NamedTuple):
    """A step up one mode and down all others.

    Attributes
    ----------
    move : ndarray, shape (n,)
    slope, bend : float
        The parts of first and second order of the change of the loss that it promises.
    mode : ndarray, shape (n,)
        Which it follows.
    """

    move: np.ndarray
    slope: float
    bend: float
    mode: np.ndarray


class _DenseAscent(_DensePoint):
    """The image of the loss at a point, in which one direction has changed sign.

    A transition state of the loss is a minimum of the image, and the step is
    that to a minimum. The direction is the lowest mode where the curvature along that is
    negative and it resembles what was followed before. Elsewhere it is the mode that most of
    what was followed before lies along. Where there is none, since many modes are as soft as the
    penalty alone makes them, or the climb has been long, it is what was followed before, turned.
    """

    _guess = None  # the mode followed at the point before, if it was the lowest
    _steps = 0  # from where the climb began
    _followed = None  # curvature and direction, and whether that is the lowest mode

    def onward(self, x):
        there = super().onward(x)
        _, mode, is_lowest = self._followed
        there._guess = mode if is_lowest else None
        there._steps = self._steps + 1
        return there

    def step(self, direction, lowest, trust):
        """The `Uphill` within a `TrustRadius`, along the mode that `direction` resembles.

        Parameters
        ----------
        direction : ndarray, shape (n,), or None
            Where there is none, or with `lowest`, it is the lowest mode.
        lowest : bool
        trust : TrustRadius
        """
        if self._followed is None:
            self._followed = self._follow(direction, lowest)
        value, mode, _ = self._followed
        self._image = _with_more(self._hessian, mode, -2 * value)
        gradient = self.gradient - 2 * (mode @ self.gradient) * mode
        step = _step_of_matrix(self._image, gradient, trust)
        move = step.vector
        # a full step: all curvatures of the image are positive, of the loss all but one
        self._index_one = value < 0 and step.full
        longest = np.abs(move).max() if step.full else np.inf
        self._errors = -step.predicted, longest
        bend = 0.5 * float(move @ (self._hessian @ move))
        return Uphill(move, float(self.gradient @ move), bend, mode)

    def _follow(self, direction, lowest):
        """Curvature and direction to follow, and whether that is the lowest mode."""
        direction = self._physical(direction)
        lowest = lowest or direction is None
        leaves = self._guess is None and not lowest  # a minimum, mostly
        if leaves and _is_definite(self._hessian, 0.0):
            return *self._go_on(direction), False
        value, mode = self._lowest(direction if self._guess is None else self._guess)
        negative = value < -_NEGATIVE * np.linalg.norm(self._hessian)
        if lowest or (negative and _goes_along(mode, direction)):
            return value, mode, True
        return *self._go_on(direction), False

    def _go_on(self, direction):
        """Curvature and direction where the lowest mode is not followed."""
        mode = _most_of(self._hessian, direction) if self._steps < _PATIENCE else None
        if mode is None:
            mode = _turned(self._hessian, direction)
        return float(mode @ self._hessian @ mode), mode

    def _physical(self, direction):
        """A direction without zero modes, or None where nothing else is in it."""
        if direction is None:
            return None
        own = self._own_zero_modes
        left = direction - own @ (own.T @ direction)
        return left if left @ left > ZERO * (direction @ direction) else None

    def _lowest(self, guess):
        """The lowest eigenvalue and its vector, from a guess or None."""
        if guess is not None:
            value, mode = _lowest_near(self._hessian, guess, _NEARLY)
            if mode is not None:
                return value, mode
        return _softest_mode(self._hessian)

    def has_arrived(self, scales):
        """Whether the step just made ends at a transition state, as far as is known."""
        error, longest = self._errors
        settled = error <= scales.energy_error and longest <= scales.step
        return settled and self._index_one and rms(self.gradient) <= scales.rms

    def confirm(self, scales):
        """Whether it does when all modes are known."""
        if _has_index_one(self._image, self._followed[0]):
            return True
        modes = self.spectrum()
        return modes.index == 1 and modes.is_stationary(scales)

    def lowest(self, x):
        """The lowest eigenvalue, its vector and the index at the very point, which is `x`."""
        potential, zero_modes = self._at
        self.n_curvatures += 1
        hessian = lift_zero_modes(potential.getHessian(x), modes_at(zero_modes, x))
        value, mode = _lowest_near(hessian, self._followed[1], 0.0)
        if mode is not None and _has_index_one(_with_more(hessian, mode, -2 * value), value):
            return value, mode, 1
        modes = decompose(self.energy, self.gradient, hessian, self._own_zero_modes.shape[1])
        return float(modes.eigenvalues[0]), modes.vector(0), modes.index


class _KrylovAscent:
    """As `_DenseAscent`, from products of the Hessian with vectors."""

    def __init__(self, potential, x, zero_modes, guesses, rough_above):
        self._at = potential, zero_modes, rough_above
        own = modes_at(zero_modes, x)
        self._modes = KrylovSpectrum(potential, x, own, guesses, rough_above)
        self.energy, self.gradient = self._modes.energy, self._modes.gradient

    @property
    def n_curvatures(self):
        return self._modes.n_curvatures

    def onward(self, x):
        potential, zero_modes, rough_above = self._at
        guesses = [self._modes.vector(i) for i in {0, self._followed}]
        return _KrylovAscent(potential, x, zero_modes, guesses, rough_above)

    nearby = onward

    def step(self, direction, lowest, trust):
        modes, radius = self._modes, trust.radius
        while True:
            # a space that has grown may know another mode that is more alike
            first = lowest or direction is None
            self._followed = followed = 0 if first else _most_alike(modes, direction)
            flip = np.ones_like(modes.eigenvalues)
            flip[followed] = -1.0
            step = trust_region_step(flip * modes.eigenvalues, flip * modes.components, radius)
            if not modes.refine(step, radius, followed, careful=lowest):
                break
        slope, bend = modes.components @ step, 0.5 * modes.eigenvalues @ step**2
        return Uphill(modes.expand(step), float(slope), float(bend), modes.vector(followed))

    def has_arrived(self, scales):
        modes = self._modes
        return modes.index == 1 and self._followed == 0 and modes.is_stationary(scales)

    def confirm(self, scales):
        return self._modes.complete()

    def spectrum(self):
        return self._modes

    def lowest(self, x):
        return *self._modes.polish(0), self._modes.index


def _with_more(matrix, vector, curvature):
    """A symmetric matrix with more curvature along a vector of length one."""
    return dger(curvature, vector, vector, a=matrix.copy().T, overwrite_a=True).T


def _has_index_one(image, value):
    """Whether a matrix has one negative eigenvalue and none that vanishes.

    It is known by its image, in which the curvature `value` along some direction has
    changed sign: they differ by one dyad, so that the lowest eigenvalue of the
    image is not above the second lowest of the matrix.
    """
    margin = ZERO * np.linalg.norm(image)
    return value < -margin and _is_definite(image, margin)


def _lowest_near(hessian, guess, tolerance):
    """The lowest eigenvalue and its vector, if it is negative and not far from a guess.

    Across the guess all curvatures are above that along it: the Cholesky factor
    with which the vector is turned proves that, so that it is the lowest.

    Parameters
    ----------
    hessian : ndarray, shape (n, n)
    guess : ndarray, shape (n,)
    tolerance : float
        Norm of ``H v - lambda v`` over that of ``lambda v``; never below rounding.

    Returns
    -------
    value : float
    vector : ndarray, shape (n,), or None
        None where it takes the eigenvectors to tell.

    References
    ----------
    G. L. G. Sleijpen and H. A. van der Vorst, SIAM J. Matrix Anal. Appl. 17, 401 (1996).
    """
    largest, length = float(np.linalg.norm(hessian)), sqrt(guess @ guess)
    if not (0 < largest < np.inf and length > 0):
        return 0.0, None
    v = guess / length
    product = hessian @ v
    value = float(v @ product)
    factor = _factor_across(hessian, v, value, largest)
    if factor is None:
        v = _softened(hessian, v, _SHIFT * largest)
        product = hessian @ v
        value = float(v @ product)
        factor = _factor_across(hessian, v, value, largest)
    for _ in range(0 if factor is None else _TURNS):
        rest = product - value * v
        if sqrt(rest @ rest) <= max(-tolerance * value, _ROUNDING * largest):
            return value, v
        turn = dpotrs(factor, rest, lower=True)[0]
        turn -= (v @ turn) * v
        turn /= sqrt(turn @ turn)
        turned = hessian @ turn
        # the lower eigenvalue in the plane of the two
        both, other = float(v @ turned), float(turn @ turned)
        half = 0.5 * (other - value)
        gap = half + hypot(half, both)
        if not gap > 0:
            break  # two that are one, to rounding
        far = both / gap
        length = hypot(1.0, far)
        v, product = (v - far * turn) / length, (product - far * turned) / length
        value = float(v @ product)
    return value, None


def _factor_across(hessian, v, value, largest):
    """The Cholesky factor of ``H - value`` across `v`, or None if `value` is not the lowest there.

    Nor where it is not negative.
    """
    if not value < -_NEGATIVE * largest:
        return None
    return shifted_factor(_with_more(hessian, v, largest), -value)


def _softened(hessian, v, shift, times=2):
    """A vector with less of the stiff modes, which is most of what a guess has too much of."""
    while (factor := shifted_factor(hessian, shift)) is None:  # ends beyond the norm
        shift *= 4
    for _ in range(times):
        v = dpotrs(factor, v, lower=True)[0]
        v /= sqrt(v @ v)
    return v


def _most_of(hessian, direction):
    """The eigenvector that more than half of a direction lies along, or None.

    By a few steps of Rayleigh quotient iteration, which can miss it where there is one.
    """
    start = v = direction / sqrt(direction @ direction)
    value = float(v @ (hessian @ v))
    for _ in range(_QUOTIENTS):
        shifted = hessian.copy()
        shifted.flat[:: len(shifted) + 1] -= value
        *_, v, failed = dgesv(shifted.T, v, overwrite_a=True)
        size = sqrt(v @ v)
        if failed or not 0 < size < np.inf:
            return None
        v = v / size
        if (v @ start) ** 2 <= 0.5:
            return None
        product = hessian @ v
        value = float(v @ product)
        rest = product - value * v
        if sqrt(rest @ rest) <= _NEARLY * abs(value):
            return v
    return None


def _turned(hessian, direction):
    """A direction of length one after it has turned from the modes that are stiffer.

    Modes about as soft as the direction keep their share of it.
    """
    v, largest = direction / sqrt(direction @ direction), float(np.linalg.norm(hessian))
    if not 0 < largest < np.inf:
        return v
    shift = max(abs(float(v @ hessian @ v)), ZERO * largest)
    return _softened(hessian, v, shift, times=1)


def _goes_along(mode, direction):
    """Whether what is followed is enough like the lowest mode, whatever the others are."""
    square = float(mode @ direction) ** 2
    return square > _ALONG**2 * (float(direction @ direction) - square)


def _softest_mode(hessian):
    """The lowest eigenvalue and its vector."""
    try:
        subset = {"subset_by_index": [0, 0], "driver": "evr"}
        values, vectors = scipy.linalg.eigh(hessian, check_finite=False, **subset)
    except np.linalg.LinAlgError:  # LAPACK's failure at multiple eigenvalues, as of zero modes
        values, vectors = scipy.linalg.eigh(hessian, driver="evd", check_finite=False)
    return float(values[0]), vectors[:, 0]


def _most_alike(modes, direction):
    """Which mode to walk uphill along: the lowest where it is negative and something like it."""
    overlap = np.abs(modes.project(direction))[: modes.physical.size]  # no zero modes
    if modes.eigenvalues[0] < -_NEGATIVE * np.abs(modes.physical).max() and (
        overlap[0] > _ALONG * overlap.max()
    ):
        return 0
    return int(np.argmax(overlap))
