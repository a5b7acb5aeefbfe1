"""Symmetry operations of the loss: identity of two points, alignment, zero modes.

Permuting the units of a hidden layer never changes the loss. For an odd
activation, such as tanh, turning the sign of everything that goes into and comes
out of a unit does not either. For one that is odd but for a constant, such as
sigmoid with ``s(-z) = 1 - s(z)``, it does not where the biases are free (not
regularized), because the bias of the next layer takes up the 1; written with
``s(z) - 1/2`` it is again a plain change of sign. Where no penalty holds the
outputs in place, softmax cross-entropy does not feel a common shift of all
outputs: these are the zero modes.
"""

from dataclasses import dataclass
from itertools import count
from math import factorial, lgamma, log

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..contract import Identity, Scales
from .activations import ACTIVATIONS
from .losses import LOSSES

__all__ = ["IDLE_UNIT", "Operation", "Symmetry"]

IDLE_UNIT = "a unit without effect leaves its own bias undetermined"


@dataclass(frozen=True)
class Operation:
    """A symmetry operation.

    For hidden layer `l`, unit `i` of the image is unit ``permutations[l][i]``
    of the original, with sign ``signs[l][i]``.
    """

    permutations: tuple
    signs: tuple


class Symmetry(Identity):
    """The symmetry group of the loss of one network.

    Parameters
    ----------
    net : MLP
    loss : str
        One of `LOSSES`.
    regularization : float
    regularize_bias : bool
    tolerance : float
        Largest difference of a parameter between two identical points.
        Quenched points are accurate to far better; distinct minima differ by
        far more.

    """

    def __init__(
        self,
        net,
        loss="cross_entropy",
        regularization=1e-4,
        regularize_bias=True,
        tolerance=Scales.tolerance,
    ):
        self.net = net
        self.tolerance = tolerance
        free_bias = net.bias and (regularization == 0 or not regularize_bias)
        self._center = ACTIVATIONS[net.activation].center
        self.has_signs = self._center == 0 or (self._center is not None and free_bias)
        self._unit_signs = (1.0, -1.0) if self.has_signs else (1.0,)
        self._free_bias = free_bias
        shifts = LOSSES[loss].shift_invariant
        self._zero_modes = self._output_shifts(free_bias and shifts, regularization == 0 and shifts)
        self._barren_modes = self._output_shifts(net.bias and shifts, shifts)

    @property
    def log_n_images(self):
        """Logarithm of the number of images of a point without symmetry of its own."""
        per_unit = log(2) if self.has_signs else 0.0
        return sum(lgamma(n + 1) + n * per_unit for n in self.net.hidden_sizes)

    def zero_modes(self, x=None):
        """Orthonormal directions in which the loss never changes, the same at every point.

        Returns
        -------
        ndarray, shape (n_parameters, k)
        """
        return self._zero_modes

    def barren_modes(self, x=None):
        """Orthonormal directions in which at most the penalty ever changes.

        The common shifts of all outputs, where the loss does not feel them:
        along these nothing is stationary but the origin.

        Returns
        -------
        ndarray, shape (n_parameters, k)
        """
        return self._barren_modes

    def _output_shifts(self, of_bias, of_weights):
        modes = []
        blank = np.zeros(self.net.n_parameters)
        n_in, n_out = self.net.layer_sizes[-2:]
        if of_bias:
            mode = blank.copy()
            self.net.split(mode)[-1][1][:] = 1 / np.sqrt(n_out)
            modes.append(mode)
        for unit in range(n_in if of_weights else 0):
            mode = blank.copy()
            self.net.split(mode)[-1][0][:, unit] = 1 / np.sqrt(n_out)
            modes.append(mode)
        return np.array(modes).T.reshape(self.net.n_parameters, len(modes))

    # Layers in the form in which every operation is linear: signed permutations.

    def _layers(self, x):
        layers = [(W.copy(), b.copy()) for W, b in self.net.split(np.asarray(x, dtype=float))]
        if self.has_signs and self._center:
            for W, b in layers[1:]:
                b += self._center * W.sum(axis=1)
        # in this form, too, the zero modes are common shifts of all outputs
        return self.net.split(self._without_zero_modes(self.net.join(layers)))

    def _without_zero_modes(self, x):
        return x - self._zero_modes @ (self._zero_modes.T @ x)

    def _vector(self, layers):
        if self.has_signs and self._center:
            first, *rest = layers
            layers = [first, *((W, b - self._center * W.sum(axis=1)) for W, b in rest)]
        return self.net.join(layers)

    def apply(self, operation, x):
        """The image of `x` under an operation, shape (n_parameters,)."""
        return self._vector(_transform(self._layers(x), operation))

    def random_operation(self, rng):
        """A random `Operation`, every one equally likely."""
        permutations = tuple(rng.permutation(n) for n in self.net.hidden_sizes)
        signs = tuple(
            rng.choice([-1.0, 1.0], n) if self.has_signs else np.ones(n)
            for n in self.net.hidden_sizes
        )
        return Operation(permutations, signs)

    # Identity

    def are_same(self, x1, x2):
        """Whether a symmetry operation maps `x2` onto `x1`. Exact up to `tolerance`."""
        return self.match(x1, x2) is not None

    def match(self, x1, x2):
        """The operation that maps `x2` onto `x1`, or None.

        Layer by layer from the input on, units are assigned by their incoming
        weights and bias, and each permutation and sign is carried into the
        next layer. Where several units of a layer have the same incoming
        weights, all distinct assignments of them are tried.

        Parameters
        ----------
        x1, x2 : ndarray, shape (n_parameters,)

        Returns
        -------
        Operation or None
        """
        return next(self._matches(self._layers(x1), self._layers(x2)), None)

    def n_self_images(self, x):
        """Number of operations that leave `x` as it is; 1 without symmetry of its own.

        A Python int: 16 units without weights alone give more than 64 bits hold.
        """
        layers = self._layers(x)
        # Exchangeable units are matched in one way only; count their exchanges here.
        exchanges = 1
        for depth in range(len(self.net.hidden_sizes)):
            units = np.column_stack([_incoming(layers[depth]), layers[depth + 1][0].T])
            counted = np.zeros(len(units), dtype=bool)
            for unit in range(len(units)):
                gaps = [np.abs(units - s * units[unit]).max(axis=1) for s in self._unit_signs]
                alike = np.min(gaps, axis=0) <= self.tolerance
                if counted[unit]:
                    continue
                counted |= alike
                exchanges *= factorial(int(alike.sum()))
                if self.has_signs and np.abs(units[unit]).max() <= self.tolerance:
                    exchanges *= 2 ** int(alike.sum())
        return exchanges * sum(1 for _ in self._matches(layers, layers))

    def free_modes(self, x):
        """Directions at `x` in which the loss does not change, by their cause.

        Unlike the zero modes they are no symmetry, and other points have none.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)

        Returns
        -------
        dict
            Orthonormal columns, shape (n_parameters, k), by a sentence; empty
            where there are none.
        """
        layers = self.net.split(np.asarray(x, dtype=float))
        modes = []
        for depth in range(len(self.net.hidden_sizes) if self._free_bias else 0):
            weights = np.column_stack([layers[depth][0], layers[depth + 1][0].T])
            for unit in np.flatnonzero(np.abs(weights).max(axis=1) <= self.tolerance):
                mode = np.zeros(self.net.n_parameters)
                self.net.split(mode)[depth][1][unit] = 1.0
                modes.append(mode)
        return {IDLE_UNIT: np.column_stack(modes)} if modes else {}

    def _matches(self, layers1, layers2):
        for found in self._match(layers1, layers2, 0):
            yield Operation(tuple(p for p, _ in found), tuple(s for _, s in found))

    def _match(self, layers1, layers2, depth):
        in1, in2 = _incoming(layers1[depth]), _incoming(layers2[depth])
        if depth + 1 == len(layers1):
            if np.abs(in1 - in2).max() <= self.tolerance:
                yield []
            return
        out1, out2 = layers1[depth + 1][0], layers2[depth + 1][0]
        to_output = depth + 2 == len(layers1)
        if not to_output:
            # the next layer is not ordered yet: compare what does not depend on it
            out1, out2 = np.sort(np.abs(out1), axis=0), np.sort(np.abs(out2), axis=0)
        possible = {}
        for sign in self._unit_signs:
            incoming = np.abs(in1[:, None] - sign * in2[None]).max(axis=-1)
            outgoing = np.abs(out1.T[:, None] - (sign if to_output else 1) * out2.T[None]).max(
                axis=-1
            )
            possible[sign] = np.maximum(incoming, outgoing) <= self.tolerance
        for permutation, signs in _assignments(
            possible, in2, layers2[depth + 1][0], self.tolerance
        ):
            ordered = _permute(layers2, depth, permutation, signs)
            for rest in self._match(layers1, ordered, depth + 1):
                yield [(permutation, signs), *rest]

    # Alignment

    def align(self, x1, x2, quick=False, n_starts=8, seed=0):
        """The image of `x2` nearest to `x1` that a local search finds.

        One layer at a time is assigned given all others, until nothing
        changes, from the match of incoming weights and from random starts. For
        one hidden layer the first assignment is already the nearest image. It
        serves the path search only, never identity.

        Parameters
        ----------
        x1, x2 : ndarray, shape (n_parameters,)
        quick : bool
            From one start only.
        n_starts : int
        seed : int
            Fixes the random starts.

        Returns
        -------
        distance : float
        image : ndarray, shape (n_parameters,)

        References
        ----------
        S. K. Ainsworth, J. Hayase and S. Srinivasa, "Git Re-Basin", ICLR
        (2023), algorithm 1, here with signs.
        """
        layers1, layers2 = self._layers(x1), self._layers(x2)
        n_hidden = len(self.net.hidden_sizes)
        if quick or n_hidden <= 1:
            n_starts = 1
        rng = np.random.default_rng(seed)
        best = (np.inf, None)
        for start in range(n_starts):
            layers = layers2
            if start > 0:
                layers = _transform(layers2, self.random_operation(rng))
            for sweep in count():
                before = layers
                for depth in range(n_hidden):
                    # the first sweep of the first start looks at the inputs only
                    layers = self._assign(
                        layers1, layers, depth, incoming_only=n_hidden > 1 and start + sweep == 0
                    )
                if sweep > 0 and _distance2(layers1, before) <= _distance2(layers1, layers):
                    break
            distance = _distance2(layers1, layers)
            if distance < best[0]:
                best = (distance, layers)
        return self._gap(x1, best[1])

    def align_second(self, x1, x2):
        """The second nearest image of `x2` to `x1`: another way between the two.

        Starting from the nearest image, one unit at a time is kept from the
        partner it has there, and the units of its layer are assigned again.

        Parameters
        ----------
        x1, x2 : ndarray, shape (n_parameters,)

        Returns
        -------
        distance : float
        image : ndarray, shape (n_parameters,)
            The nearest one again where there is no other.

        References
        ----------
        K. G. Murty, Oper. Res. 16, 682 (1968).
        """
        layers1 = self._layers(x1)
        nearest = self._layers(self.align(x1, x2)[1])
        images = [
            self._assign(layers1, nearest, depth, barred=unit)
            for depth, n in enumerate(self.net.hidden_sizes)
            for unit in range(n)
        ]
        ranked = sorted(((_distance2(layers1, i), n) for n, i in enumerate(images)))
        # as near as the nearest is the same way: units without weights, a symmetric end
        bound = (1 + self.tolerance) * _distance2(layers1, nearest)
        other = next((images[n] for distance, n in ranked if distance > bound), nearest)
        return self._gap(x1, other)

    def _gap(self, x1, layers):
        """Distance of `x1` from an image, and this image without zero modes between them."""
        gap = self._without_zero_modes(np.asarray(x1) - self._vector(layers))
        return float(np.linalg.norm(gap)), np.asarray(x1) - gap

    def _assign(self, layers1, layers2, depth, incoming_only=False, barred=None):
        """The layer of `layers2` brought nearest; unit `barred` may not stay as it is."""
        overlap = _incoming(layers1[depth]) @ _incoming(layers2[depth]).T
        if not incoming_only:
            overlap += layers1[depth + 1][0].T @ layers2[depth + 1][0]
        signs = np.where(overlap < 0, -1.0, 1.0) if self.has_signs else np.ones_like(overlap)
        if barred is not None and self.has_signs:
            signs[barred, barred] = -1.0
        gain = signs * overlap
        if barred is not None and not self.has_signs and len(gain) > 1:
            gain[barred, barred] = -np.inf
        units, permutation = linear_sum_assignment(gain, maximize=True)
        return _permute(layers2, depth, permutation, signs[units, permutation])


def _incoming(layer):
    """All that goes into the units of a layer, one row a unit."""
    weights, bias = layer
    return np.column_stack(layer) if bias.size else weights


def _permute(layers, depth, permutation, signs):
    layers = list(layers)
    W, b = layers[depth]
    layers[depth] = (signs[:, None] * W[permutation], signs * b[permutation] if b.size else b)
    W, b = layers[depth + 1]
    layers[depth + 1] = (W[:, permutation] * signs, b)
    return layers


def _transform(layers, operation):
    for depth, (p, s) in enumerate(zip(operation.permutations, operation.signs, strict=True)):
        layers = _permute(layers, depth, p, s)
    return layers


def _distance2(layers1, layers2):
    return sum(
        float(((a - b) ** 2).sum())
        for one, two in zip(layers1, layers2, strict=True)
        for a, b in zip(one, two, strict=True)
    )


def _assignments(possible, incoming, outgoing, tolerance):
    """All distinct ways to give every unit a partner; one for exchangeable partners.

    Parameters
    ----------
    possible : dict
        For each sign the boolean matrix of units that may be partners.
    incoming, outgoing : ndarray
        Weights into (rows) and out of (columns) the partners.

    Yields
    ------
    permutation, signs : ndarray
    """
    n = len(incoming)
    permutation, signs = np.empty(n, dtype=np.intp), np.empty(n)
    partners = np.concatenate([incoming, outgoing.T], axis=1)

    def place(unit, free):
        if unit == n:
            yield permutation.copy(), signs.copy()
            return
        tried = []
        for sign in possible:
            for partner in np.flatnonzero(possible[sign][unit] & free):
                weights = sign * partners[partner]
                if any(np.abs(weights - other).max() <= tolerance for other in tried):
                    continue
                tried.append(weights)
                permutation[unit], signs[unit] = partner, sign
                free[partner] = False
                yield from place(unit + 1, free)
                free[partner] = True

    yield from place(0, np.ones(n, dtype=bool))
