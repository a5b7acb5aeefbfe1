"""The loss of a network enclosed: value, gradient, Hessian, and how fast that changes.

The gradient is computed in Arb's ball arithmetic, where all that is elementary or
cancels stands; the Hessian, a sum over samples that need not be sharp, in float64
with bounds on its rounding (`balls.Ball`), from the activations that Arb gave.

The Lipschitz constant of the Hessian bounds the third derivative, sample by sample
and layer by layer. Let D1, D2, D3 bound the first three derivatives of what a layer
gives by all parameters, zero for the inputs; h is that output, w the spectral norm
of the next weights W, and a direction is split into its part within the layers
before and its part (dW, db) in this one. Of ``z = W h + b`` the derivatives along
one direction ``(cos t, sin t)`` are ::

    z'   = W h' + dW h + db       A1 <= sqrt((w D1)^2 + |(h, 1)|^2)
    z''  = W h'' + 2 dW h'        A2 <= max (w D2 cos^2 t + 2 D1 cos t sin t)
    z''' = W h''' + 3 dW h''      A3 <= sqrt((w D3)^2 + (3 D2)^2)

and of a symmetric form one direction attains the largest value of all (S. Banach,
Studia Math. 7, 36 (1938)). Through an activation, of which s1, s2, s3 bound the
derivatives, ::

    D1 = s1 A1,  D2 = s2 A1^2 + s1 A2,  D3 = s3 A1^3 + 3 s2 A1 A2 + s1 A3.

What is bounded holds in the whole ball: whatever stands for its centre is widened
by the next derivative times the radius.
"""

from abc import ABC, abstractmethod

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..balls import (
    PRECISION,
    Ball,
    arb_product,
    arb_sum,
    flint,
    norm_bound,
    of_arbs,
    root_up,
    rounded_up,
    to_arbs,
)
from ..contract import Enclosed, Enclosure
from ..pulse import tell
from .activations import ACTIVATIONS

__all__ = ["ACTIVATION_BOUNDS", "NetworkEnclosure"]

_CHUNK = 2**22  # numbers in the derivatives of one layer: samples are taken so many at a time
_SLACK = 1e-10  # more than the relative error of a few thousand roundings

# Bounds on the first three derivatives over all real numbers, a little above the least.
# Proved by Arb over small intervals, and by monotony beyond them: test_enclosures.py,
# test_the_bounds_on_derivatives_hold_for_all_arguments.
ACTIVATION_BOUNDS = {
    "tanh": (1.00001, 0.76981, 2.00001),
    "sigmoid": (0.25001, 0.09623, 0.12501),
    "softplus": (1.00001, 0.25001, 0.09623),
    "silu": (1.0999, 0.50001, 0.3083),
    "gelu": (1.1290, 0.79789, 0.7862),
}


def _tanh(z):
    t = z.tanh()
    first = 1 - t * t
    return t, first, -2 * t * first


def _sigmoid(z):
    p = _expit(z)
    first = p * (1 - p)
    return p, first, first * (1 - 2 * p)


def _softplus(z):
    p = _expit(z)
    # log(1 + e^z), where e^z may be too large for a number to hold
    value = (-z).exp().log1p() + z if z > 0 else z.exp().log1p()
    return value, p, p * (1 - p)


def _silu(z):
    p = _expit(z)
    curved = p * (1 - p)
    return z * p, p + z * curved, curved * (2 + z * (1 - 2 * p))


def _gelu(z):
    density = (-z * z / 2).exp() / (2 * flint().arb.pi()).sqrt()
    share = (-z / flint().arb(2).sqrt()).erfc() / 2
    return z * share, share + z * density, density * (2 - z * z)


def _expit(z):
    return 1 / (1 + (-z).exp())


# ``z -> s(z), s'(z), s''(z)`` of a flint.arb
_JETS = {
    "tanh": np.frompyfunc(_tanh, 1, 3),
    "sigmoid": np.frompyfunc(_sigmoid, 1, 3),
    "softplus": np.frompyfunc(_softplus, 1, 3),
    "silu": np.frompyfunc(_silu, 1, 3),
    "gelu": np.frompyfunc(_gelu, 1, 3),
}
_exp = np.frompyfunc(lambda z: z.exp(), 1, 1)
_log = np.frompyfunc(lambda z: z.log(), 1, 1)


# The losses, each of the outputs `f` at one point, shape (n_samples, n_out)


class _LossAt(ABC):
    """A loss of given outputs: object arrays of `flint.arb`, without the mean over samples.

    Attributes
    ----------
    values : ndarray of arb, shape (n_samples,)
    slopes : ndarray of arb, shape (n_samples, n_out)
    """

    @abstractmethod
    def curved(self, derivatives, at):
        """The second derivative by the outputs of some samples, times a Ball of (n, n_out, m)."""

    @abstractmethod
    def bounds(self, reach):
        """Bounds on the second and third derivative within `reach` of the outputs, by sample."""


class _CrossEntropy(_LossAt):
    """``log sum_k exp(f_k) - f_y``; its derivatives are cumulants of a choice k with p_k.

    Along a direction of length 1 the chosen entries range over sqrt(2) at most,
    so their variance is below 1/2, and the third central moment below sqrt(2)
    times the variance and below ``sqrt(2)^3 / 6 sqrt(3)``: given the mean it is
    largest where there are two values only. By Gershgorin's theorem the variance is
    also below ``max_k 2 p_k (1 - p_k)``.
    """

    def __init__(self, f, y):
        samples = np.arange(len(y))
        # a shift that does not matter, lest exp overflow
        shifted = f - to_arbs([max(map(float, row)) for row in f])[:, np.newaxis]
        weights = _exp(shifted)
        total = weights.sum(axis=1)
        p = weights / total[:, np.newaxis]
        self.values = _log(total) - shifted[samples, y]
        self.slopes = p.copy()
        self.slopes[samples, y] -= 1
        self._p = of_arbs(p)
        spread = of_arbs(p * (1 - p)).upper
        self._variance = rounded_up(2 * spread.max(axis=1))

    def curved(self, derivatives, at):
        p = self._p[at][:, :, np.newaxis]
        mean = (p * derivatives).sum(axis=1)
        return p * (derivatives - mean.reshape(len(mean.mid), 1, -1))

    def bounds(self, reach):
        most = 0.27217  # 2 sqrt(2) / 6 sqrt(3) = 0.272165...
        second = np.minimum(0.5, rounded_up(self._variance + most * reach))
        return second, np.minimum(most, rounded_up(1.41422 * second))


class _SquaredError(_LossAt):
    """``sum_k (f_k - y_k)^2 / n_out``."""

    def __init__(self, f, y):
        n_out = f.shape[1]
        gaps = f - to_arbs(y)
        self.values = (gaps * gaps).sum(axis=1) / n_out
        self.slopes = 2 * gaps / n_out
        self._second = of_arbs(to_arbs(np.array(2.0)) / n_out)

    def curved(self, derivatives, at):
        return self._second * derivatives

    def bounds(self, reach):
        return np.full_like(reach, self._second.upper), np.zeros_like(reach)


class _BinaryCrossEntropy(_LossAt):
    """``log(1 + exp(f)) - y f``, whose second derivative is that of softplus."""

    def __init__(self, f, y):
        value, p, second = _JETS["softplus"](f[:, 0])
        self.values = value - y * f[:, 0]
        self.slopes = (p - y)[:, np.newaxis]
        self._second = of_arbs(second)

    def curved(self, derivatives, at):
        return self._second[at][:, np.newaxis, np.newaxis] * derivatives

    def bounds(self, reach):
        most = ACTIVATION_BOUNDS["softplus"][2]
        second = np.minimum(0.25, rounded_up(self._second.upper + most * reach))
        return second, np.full_like(reach, most)


_LOSSES = {
    "cross_entropy": _CrossEntropy,
    "squared_error": _SquaredError,
    "binary_cross_entropy": _BinaryCrossEntropy,
}


class NetworkEnclosure(Enclosure):
    """Enclosures of the loss of a fully connected network with smooth activations.

    Data, parameters and the weight of the penalty are the float64 that they are.

    Parameters
    ----------
    net : MLP
    data : Dataset
    settings : LossSettings
    zero_modes : ndarray, shape (n_parameters, k)
        Of the loss, up to rounding: common shifts of what belongs to all outputs.
    """

    def __init__(self, net, data, settings, zero_modes):
        flint()
        self.net, self._settings = net, settings
        self._X, self._y = np.asarray(data.X_train, dtype=np.float64), data.y_train
        # entries are 0 or 1 / sqrt(n_out), and those of different modes are different
        self.zero_modes = (zero_modes != 0).astype(np.float64)
        self._held = np.ones(net.n_parameters)  # by the penalty
        if not settings.regularize_bias:
            for _, bias in net.split(self._held):
                bias[:] = 0.0

    def at(self, x, radius):
        x = np.asarray(x, dtype=np.float64)
        with flint().ctx.workprec(PRECISION):
            passed = _Pass(self, x)
            weight = flint().arb(self._settings.regularization)
            held = to_arbs(x * self._held)
            energy = passed.value + weight * arb_sum(held * held)
            gradient = passed.gradient + 2 * weight * held
            energy, gradient = of_arbs(np.array(energy)), of_arbs(gradient)
            hessian = passed.hessian()
            lipschitz = passed.lipschitz(radius)
        hessian = hessian + np.diag(2 * self._settings.regularization * self._held)
        return Enclosed(energy, gradient, hessian, lipschitz)

    def distance(self, x1, x2):
        return _orbit_distance(self.net, self._settings, self.zero_modes, x1, x2)

    @property
    def n_samples(self):
        return len(self._X)

    def data(self):
        return self._X, self._y

    def loss(self, outputs):
        return _LOSSES[self._settings.loss](outputs, self._y)


class _Pass:
    """One pass through the network and back, at one point.

    Lists go by layer: ``layers`` of weights and biases, ``a[l]`` what goes into layer
    l, ``first[l]``, ``second[l]`` the derivatives of the activation behind it,
    ``slopes[l]`` the derivative of the loss by what it gives before that.
    """

    def __init__(self, enclosure, x):
        net = enclosure.net
        self.net, self.n_samples = net, enclosure.n_samples
        self.layers = net.split(x)
        exact = [(to_arbs(W), to_arbs(b)) for W, b in self.layers]
        jet = _JETS[net.activation]
        X, _ = enclosure.data()
        a, first, second = [to_arbs(X)], [], []
        for depth, (W, b) in enumerate(exact):
            z = arb_product(a[-1], W.T)
            z = z + b if net.bias else z
            if depth + 1 < len(exact):
                value, s1, s2 = jet(z)
                a.append(value)
                first.append(s1)
                second.append(s2)
        self.loss = enclosure.loss(z)
        slopes, sent = [self.loss.slopes], []  # by the outputs of layers, by those of activations
        for depth in reversed(range(1, len(exact))):
            sent.append(arb_product(slopes[-1], exact[depth][0]))
            slopes.append(sent[-1] * first[depth - 1])
        slopes, sent = slopes[::-1], sent[::-1]
        parts = []
        for depth in range(len(exact)):
            ones = to_arbs(np.ones((1, self.n_samples)))
            of_weights = arb_product(slopes[depth].T, a[depth])
            of_bias = arb_product(ones, slopes[depth])[0] if net.bias else np.empty(0, object)
            parts.append((of_weights, of_bias))
        self.value = arb_sum(self.loss.values) / self.n_samples
        self.gradient = net.join(parts) / self.n_samples
        self.a = [Ball(X), *map(of_arbs, a[1:])]
        self.first = list(map(of_arbs, first))
        self.bend = [of_arbs(s2 * e) for s2, e in zip(second, sent, strict=True)]
        self.slopes = list(map(of_arbs, slopes))

    def hessian(self):
        """The second derivative of the mean loss, without the penalty.

        It has three sources: the curvature of the loss by the outputs, that of each
        activation, and the product of weights with what goes into them.
        """
        n = self.net.n_parameters
        width = max(self.net.layer_sizes[1:]) * n
        step = max(1, _CHUNK // width)
        total = Ball(np.zeros((n, n)))
        for start in range(0, self.n_samples, step):
            tell("Hessian in balls", start, unit="samples")
            total = total + self._hessian(slice(start, start + step))
        inverse = 1 / self.n_samples
        return total * Ball(inverse, np.spacing(inverse))

    def _hessian(self, at):
        n, begin = self.net.n_parameters, 0
        mid, rad = np.zeros((n, n)), np.zeros((n, n))

        def add(rows, columns, part):
            block = Ball(mid[rows, columns], rad[rows, columns]) + part
            mid[rows, columns], rad[rows, columns] = block.mid, block.rad

        before = None  # derivative of what goes into the layer by the parameters before it
        for depth, (W, b) in enumerate(self.layers):
            a = self.a[depth][at]
            samples, n_out = len(a.mid), len(W)
            weights = slice(begin, begin + W.size)
            if before is not None:
                # of weights, and of what they multiply: twice, as a matrix and its transpose
                mixed = self.slopes[depth][at].T @ before.reshape(samples, -1)
                mixed = mixed.reshape(W.size, begin)
                add(weights, slice(0, begin), mixed)
                add(slice(0, begin), weights, mixed.T)
            end = begin + W.size + b.size
            inner = _own(a, n_out, W.size + b.size)
            if before is not None:
                inner = _beside(Ball(W) @ before, inner)
            flat = inner.reshape(samples * n_out, end)
            if depth + 1 < len(self.layers):
                bent = self.bend[depth][at].reshape(samples, n_out, 1) * inner
                before = self.first[depth][at].reshape(samples, n_out, 1) * inner
            else:
                bent = self.loss.curved(inner, at)
            add(slice(0, end), slice(0, end), bent.reshape(samples * n_out, end).T @ flat)
            begin = end
        return Ball(mid, rad)

    def lipschitz(self, radius):
        """Bound on the third derivative of the mean loss in a ball of this radius."""
        s1, s2, s3 = ACTIVATION_BOUNDS[self.net.activation]
        D1 = D2 = D3 = np.zeros(self.n_samples)
        for depth, (W, b) in enumerate(self.layers):
            w = norm_bound(W) + radius
            # what comes in moves by D1 within the ball, the derivatives by D1 of the whole ball
            size = _row_norms(self.a[depth].upper) + D1 * radius
            own = size**2 + (1.0 if b.size else 0.0)
            A1 = root_up((w * D1) ** 2 + own)
            A2 = rounded_up((w * D2 + root_up((w * D2) ** 2 + 4 * D1**2)) / 2)
            A3 = root_up((w * D3) ** 2 + 9 * D2**2)
            if depth + 1 < len(self.layers):
                near = np.minimum(s1, self.first[depth].upper.max(axis=1) + s2 * A1 * radius)
                D1 = near * A1
                D2 = s2 * A1**2 + near * A2
                D3 = s3 * A1**3 + 3 * s2 * A1 * A2 + near * A3
                D1, D2, D3 = (rounded_up(bound) for bound in (D1, D2, D3))
        second, third = self.loss.bounds(rounded_up(A1 * radius))
        slope = _row_norms(self.slopes[-1].upper) + second * A1 * radius
        total = third * A1**3 + 3 * second * A1 * A2 + slope * A3
        return float(rounded_up(total.mean(), 100 + 2 * self.n_samples))


def _own(a, n_out, n_own):
    """Derivative of ``W a + b`` by W and b, shape (n_samples, n_out, n_own)."""
    samples, n_in = a.shape
    mid, rad = np.zeros((samples, n_out, n_own)), np.zeros((samples, n_out, n_own))
    for unit in range(n_out):
        weights = slice(unit * n_in, (unit + 1) * n_in)
        mid[:, unit, weights], rad[:, unit, weights] = a.mid, a.rad
        if n_own > n_out * n_in:
            mid[:, unit, n_out * n_in + unit] = 1.0
    return Ball(mid, rad)


def _beside(left, right):
    return Ball(
        np.concatenate([left.mid, right.mid], axis=-1),
        np.concatenate([left.rad, right.rad], axis=-1),
    )


def _row_norms(values):
    return root_up((values**2).sum(axis=1), 100 + 2 * values.shape[1])


# Images


def _orbit_distance(net, settings, zero_modes, x1, x2):
    """Bound from below on the distance between `x1` and all images of `x2`.

    Each layer by itself: its units are assigned to one another at the least cost,
    whatever is done to the other layers. What a unit has in common with units of
    another layer counts by its sizes in order, which no permutation or sign changes
    and which are nearer to each other than in any other order, and counts half, as
    it belongs to two layers.
    """
    center = ACTIVATIONS[net.activation].center
    x1, x2 = (np.array(x, dtype=np.float64) for x in (x1, x2))
    free_bias = net.bias and (settings.regularization == 0 or not settings.regularize_bias)
    signs = (1.0, -1.0) if center == 0 or (center is not None and free_bias) else (1.0,)
    # of a sigmoid the next biases move when a sign turns: then they do not count
    shifts = bool(center) and len(signs) > 1
    for x in (x1, x2):
        for mode in zero_modes.T:
            at = mode != 0
            x[at] -= x[at].mean()
    one, two = net.split(x1), net.split(x2)
    total = 0.0
    for depth in range(len(net.hidden_sizes)):
        cost = np.inf
        for sign in signs:
            rows = [
                _of_units(layers, depth, turn, net.bias and not (shifts and depth))
                for layers, turn in ((one, 1.0), (two, sign))
            ]
            gaps = rows[0][:, np.newaxis] - rows[1][np.newaxis]
            cost = np.minimum(cost, (gaps**2).sum(axis=-1))
        total += _least_assignment(cost * (1 - _SLACK))
    if net.bias and not (shifts and net.hidden_sizes):
        total += float(((one[-1][1] - two[-1][1]) ** 2).sum())
    if not net.hidden_sizes:
        total += float(((one[0][0] - two[0][0]) ** 2).sum())
    size = float(np.linalg.norm(x1) + np.linalg.norm(x2))
    # means err by rounding, and all else by relative errors far below the slack
    return max(0.0, np.sqrt(total) * (1 - _SLACK) - _SLACK * size)


def _of_units(layers, depth, sign, with_bias):
    """What belongs to each unit of a hidden layer, one row each, in a form all images share."""
    (into, bias), (out, _) = layers[depth], layers[depth + 1]
    parts = [sign * into if depth == 0 else np.sqrt(0.5) * np.sort(np.abs(into), axis=1)]
    if with_bias:
        parts.append(sign * bias[:, np.newaxis])
    last = depth + 2 == len(layers)
    parts.append(sign * out.T if last else np.sqrt(0.5) * np.sort(np.abs(out.T), axis=1))
    return np.concatenate(parts, axis=1)


def _least_assignment(cost):
    """Bound from below on the least sum that a permutation picks from a matrix.

    In whole numbers, rounded down and so small that all sums are exact in double
    precision, the assignment found is the least one indeed.
    """
    largest = float(cost.max())
    if not 0 < largest < np.inf:
        return 0.0
    scale = 2.0 ** np.floor(np.log2(2.0**48 / (largest * len(cost))))
    whole = np.floor(cost * scale)
    rows, columns = linear_sum_assignment(whole)
    return float(whole[rows, columns].sum()) / scale
