"""Symmetry operations of the loss: identity of two points, alignment, zero modes.

Permuting the units of a hidden layer never changes the loss. For an odd
activation, such as tanh, turning the sign of everything that goes into and comes
out of a unit does not either. For one that is odd but for a constant, such as
sigmoid with ``s(-z) = 1 - s(z)``, it does not where the biases are free (not
regularized), because the bias of the next layer takes up the 1; written with
``s(z) - 1/2`` it is again a plain change of sign. Where no penalty holds the
outputs in place, softmax cross-entropy does not feel a common shift of all
outputs: these are the zero modes.

All of it needs to know of a network only which axes of which parameters its
interchangeable units lie along.
"""

from dataclasses import dataclass, field
from functools import reduce
from itertools import count
from math import factorial, lgamma, log, prod

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..checks import check_integer
from ..contract import Identity, Scales
from ..errors import InputError
from .activations import ACTIVATIONS
from .losses import LOSSES

__all__ = ["IDLE_UNIT", "Operation", "Symmetry", "UnitSymmetry", "Units", "softmax_shifts"]

IDLE_UNIT = "a unit without effect leaves its own bias undetermined"
_AT_ONCE = 2**20  # parameters of points that are aligned at once


@dataclass(frozen=True)
class Units:
    """Interchangeable units of a network, such as those of a hidden layer or the channels of one.

    Parameters
    ----------
    axes : dict
        For each parameter that they lie along, by name, the axis, or several.
        The shortest of these axes has one entry a unit; in one that is m times
        as long each unit has m neighbours, as after flattening an image.
    odd : bool
        Whether turning the sign of a unit in all of these leaves the loss as it is.
    shifts : dict
        For units behind an activation that is odd but for a constant, as a
        sigmoid, so that their sign turns only together with a shift: the bias
        that takes it up, by the name of the weights that the units go into.
    center : float
        That constant.

    Examples
    --------
    The hidden units of ``Sequential(Linear(3, 10), Tanh(), Linear(10, 4))``:

    >>> Units({"0.weight": 0, "0.bias": 0, "2.weight": 1}, odd=True)
    """

    axes: dict
    odd: bool = False
    shifts: dict = field(default_factory=dict)
    center: float = 0.5


@dataclass(frozen=True)
class Operation:
    """A symmetry operation.

    For hidden layer `l`, unit `i` of the image is unit ``permutations[l][i]``
    of the original, with sign ``signs[l][i]``.
    """

    permutations: tuple
    signs: tuple


@dataclass(frozen=True)
class _Group:
    """Interchangeable units: how many, their signs, and where they are among the parts of a point.

    Of all entries some go into the units, others come out of them; in some all
    other units are matched before these are, in others not yet.
    """

    size: int
    signs: tuple
    entries: tuple
    incoming: tuple
    outgoing: tuple
    closed: tuple
    open: tuple


class UnitSymmetry(Identity):
    """The symmetry group of a loss under exchange of units.

    Parameters
    ----------
    shapes : dict
        Of the parameters by name, in the order of the parameter vector.
    units : sequence of Units
        From the input on. Matching takes one after the other, each by what
        the ones before have settled.
    zero_modes, barren_modes : ndarray, shape (n_parameters, k), optional
        See `softmax_shifts`.
    free : sequence of str
        Biases that no penalty holds.
    tolerance : float
        Largest difference of a parameter between two identical points.
        Quenched points are accurate to far better; distinct minima differ by
        far more.

    Raises
    ------
    InputError
        If units are declared of parameters or axes that are not there.
    """

    def __init__(
        self,
        shapes,
        units,
        zero_modes=None,
        barren_modes=None,
        free=(),
        tolerance=Scales.tolerance,
    ):
        self.tolerance = tolerance
        self.n_parameters = sum(prod(shape) for shape in shapes.values())
        none = np.zeros((self.n_parameters, 0))
        self._zero_modes = none if zero_modes is None else zero_modes
        self._barren_modes = none if barren_modes is None else barren_modes
        self._parts, self._groups = _layout(shapes, units)
        self._places = {name: at for at, name in enumerate(shapes)}
        # weights, the biases that take up the shift of what goes into them, and its size
        self._shifts = [
            (self._places[weights], self._places[bias], group.center)
            for group in units
            for weights, bias in group.shifts.items()
        ]
        self._free = {self._places[name] for name in free}

    @property
    def has_signs(self):
        """Whether signs of units may be turned."""
        return any(len(group.signs) > 1 for group in self._groups)

    @property
    def log_n_images(self):
        """Logarithm of the number of images of a point without symmetry of its own."""
        return sum(lgamma(g.size + 1) + g.size * log(len(g.signs)) for g in self._groups)

    def zero_modes(self, x=None):
        """Orthonormal directions in which the loss never changes, the same at every point.

        Returns
        -------
        ndarray, shape (n_parameters, k)
        """
        return self._zero_modes

    def barren_modes(self, x=None):
        """Orthonormal directions in which at most the penalty ever changes.

        The common shifts of all outputs, where cross-entropy does not feel
        them: along these nothing is stationary but the origin.

        Returns
        -------
        ndarray, shape (n_parameters, k)
        """
        return self._barren_modes

    # Parts in the form in which every operation is linear: signed permutations.

    # Of several points at once these are stacked, one entry of the first axis each.

    def _split(self, x):
        many = x.shape[:-1]
        return [x[..., start:stop].reshape(many + shape) for start, stop, shape in self._parts]

    def _layers(self, x):
        x = np.array(x, dtype=float, order="C")  # or sums would round by how it lies in memory
        parts = self._split(x)  # views
        self._shift(parts, 1)
        # in this form, too, the zero modes are common shifts of all outputs
        return self._split(self._without_zero_modes(x))

    def _without_zero_modes(self, x):
        if self._zero_modes.size == 0:
            return x
        rows = x[..., None, :]  # or BLAS would round by how many points there are
        return x - (rows @ self._zero_modes @ self._zero_modes.T)[..., 0, :]

    def _vector(self, layers):
        many = layers[0].shape[: layers[0].ndim - len(self._parts[0][2])]
        x = np.concatenate([part.reshape((*many, -1)) for part in layers], axis=-1)
        self._shift(self._split(x), -1)
        return x

    def _shift(self, parts, sign):
        for weights, bias, center in self._shifts:
            size = parts[bias].shape
            parts[bias] += sign * center * parts[weights].reshape((*size, -1)).sum(axis=-1)

    def apply(self, operation, x):
        """The image of `x` under an operation, shape (n_parameters,)."""
        return self._vector(self._transform(self._layers(x), operation))

    def random_operation(self, rng):
        """A random `Operation`, every one equally likely."""
        permutations = tuple(rng.permutation(g.size) for g in self._groups)
        signs = tuple(
            rng.choice([-1.0, 1.0], g.size) if len(g.signs) > 1 else np.ones(g.size)
            for g in self._groups
        )
        return Operation(permutations, signs)

    def generators(self):
        """Operations of which all others are made, a list of `Operation`.

        Of each kind of units an exchange of the first two, a cycle, and the sign
        of one.
        """
        still = [(np.arange(g.size), np.ones(g.size)) for g in self._groups]
        found = []
        for at, (units, signs) in enumerate(still):
            cases = [
                (order, signs) for order in (np.roll(units, 1), np.r_[units[1::-1], units[2:]])
            ]
            if len(self._groups[at].signs) > 1:
                cases.append((units, np.where(units == 0, -1.0, 1.0)))
            found += [[*still[:at], case, *still[at + 1 :]] for case in cases]
        return [Operation(*map(tuple, zip(*case, strict=True))) for case in found]

    def _transform(self, layers, operation):
        for group, p, s in zip(self._groups, operation.permutations, operation.signs, strict=True):
            layers = _permute(layers, group, p, s)
        return layers

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
        for group in self._groups:
            units = _rows(layers, group.entries)
            counted = np.zeros(len(units), dtype=bool)
            for unit in range(len(units)):
                gaps = [np.abs(units - s * units[unit]).max(axis=1) for s in group.signs]
                alike = np.min(gaps, axis=0) <= self.tolerance
                if counted[unit]:
                    continue
                counted |= alike
                exchanges *= factorial(int(alike.sum()))
                if np.abs(units[unit]).max() <= self.tolerance:
                    exchanges *= len(group.signs) ** int(alike.sum())
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
        parts = self._split(np.asarray(x, dtype=float))
        modes = []
        for group in self._groups if self._free else ():
            biases = [e.part for e in group.incoming if e.part in self._free]
            weights = [e for e in group.entries if e.part not in biases]
            idle = np.abs(_rows(parts, weights)).max(axis=1) <= self.tolerance
            for bias in biases:
                for unit in np.flatnonzero(idle):
                    mode = np.zeros(self.n_parameters)
                    self._split(mode)[bias][unit] = 1.0
                    modes.append(mode)
        return {IDLE_UNIT: np.column_stack(modes)} if modes else {}

    def _matches(self, layers1, layers2):
        for found in self._match(layers1, layers2, 0):
            yield Operation(tuple(p for p, _ in found), tuple(s for _, s in found))

    def _match(self, layers1, layers2, depth):
        if depth == len(self._groups):
            gaps = zip(layers1, layers2, strict=True)
            if all(np.abs(a - b).max() <= self.tolerance for a, b in gaps):
                yield []
            return
        group = self._groups[depth]
        fits = []
        if group.closed:
            in1, in2 = _rows(layers1, group.closed), _rows(layers2, group.closed)
        for e in group.open:
            # the other units are not ordered yet: compare what does not depend on it
            out1, out2 = e.unordered(layers1[e.part]), e.unordered(layers2[e.part])
            fits.append(np.abs(out1[:, None] - out2[None]).max(axis=-1))
        possible = {}
        for sign in group.signs:
            gaps = list(fits)
            if group.closed:
                gaps.append(np.abs(in1[:, None] - sign * in2[None]).max(axis=-1))
            worst = reduce(np.maximum, gaps)
            possible[sign] = worst <= self.tolerance
        partners = _rows(layers2, group.entries)
        for permutation, signs in _assignments(possible, partners, self.tolerance):
            ordered = _permute(layers2, group, permutation, signs)
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
        layers2, rng = self._layers(x2), np.random.default_rng(seed)
        n_random = 0 if quick or len(self._groups) <= 1 else n_starts - 1
        others = (self.random_operation(rng) for _ in range(n_random))
        starts = _stack([layers2, *(self._transform(layers2, other) for other in others)])
        layers1 = self._layers(np.broadcast_to(x1, (1 + n_random, self.n_parameters)))
        images = self._approach(layers1, starts, np.arange(1 + n_random) == 0)
        best = _distances2(layers1, images).argmin()
        distance, image = self._gap(x1, [part[best] for part in images])
        return float(distance), image

    def distances(self, pairs):
        """The distances of `align` with ``quick``, of many pairs at once.

        Parameters
        ----------
        pairs : sequence of (ndarray, ndarray), each of shape (n_parameters,)

        Returns
        -------
        list of float
        """
        found, at_once = [], max(_AT_ONCE // self.n_parameters, 1)
        for at in range(0, len(pairs), at_once):
            x1, x2 = map(np.array, zip(*pairs[at : at + at_once], strict=True))
            layers1, layers2 = self._layers(x1), self._layers(x2)
            images = self._approach(layers1, layers2, np.ones(len(x1), dtype=bool))
            found += self._gap(x1, images)[0].tolist()
        return found

    def _approach(self, layers1, layers2, cold):
        """Images near by, of a stack; the first sweep of those that are `cold` goes by inputs."""
        n_groups, images = len(self._groups), layers2
        left = np.arange(len(cold))  # those that still change
        for sweep in count():
            ones, before = ([part[left] for part in parts] for parts in (layers1, images))
            after = before
            for depth in range(n_groups):
                whole = ~cold[left] | (sweep > 0) | (n_groups == 1)
                after = self._assign(ones, after, depth, whole)
            images = [_replace(part, left, new) for part, new in zip(images, after, strict=True)]
            if n_groups == 1:
                return images  # the first assignment is the best
            if sweep > 0:
                left = left[_distances2(ones, after) < _distances2(ones, before)]
                if not left.size:
                    return images

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
        nearest = self.align(x1, x2)[1]
        layers = self._layers(nearest)
        # as near as the nearest is the same way: units without weights, a symmetric end
        bound = (1 + self.tolerance) * _distances2(_stack([self._layers(x1)]), _stack([layers]))
        best = np.inf, layers
        for depth, group in enumerate(self._groups):
            one, other = (
                self._layers(np.broadcast_to(x, (group.size, x.size))) for x in (x1, nearest)
            )
            images = self._assign(one, other, depth, barred=np.arange(group.size))
            distances2 = _distances2(one, images)
            distances2[distances2 <= bound] = np.inf
            unit = distances2.argmin()
            if distances2[unit] < best[0]:
                best = distances2[unit], [part[unit] for part in images]
        distance, image = self._gap(x1, best[1])
        return float(distance), image

    def _gap(self, x1, layers):
        """Distance of `x1` from an image, and this image without zero modes between them."""
        gap = self._without_zero_modes(np.asarray(x1) - self._vector(layers))
        return np.linalg.norm(gap, axis=-1), np.asarray(x1) - gap

    def _assign(self, layers1, layers2, depth, whole=True, barred=None):
        """One layer of a stack brought nearest.

        Parameters
        ----------
        layers1, layers2 : list of ndarray
        depth : int
        whole : ndarray of bool, shape (n,)
            Whether by what comes out of the units, too.
        barred : ndarray of int, shape (n,), optional
            A unit of each that may not stay as it is.
        """
        group = self._groups[depth]
        overlap = _overlap(layers1, layers2, group.incoming)
        if np.any(whole):
            outgoing = _overlap(layers1, layers2, group.outgoing)
            overlap = overlap + np.reshape(whole, (-1, 1, 1)) * outgoing
        has_signs = len(group.signs) > 1
        signs = np.where(overlap < 0, -1.0, 1.0) if has_signs else np.ones_like(overlap)
        stay = None if barred is None else (np.arange(len(barred)), barred, barred)
        if barred is not None and has_signs:
            signs[stay] = -1.0
        gain = signs * overlap
        if barred is not None and not has_signs and group.size > 1:
            gain[stay] = -np.inf
        order = np.array([linear_sum_assignment(one, maximize=True)[1] for one in gain])
        signs = np.take_along_axis(signs, order[:, :, None], axis=2)[:, :, 0]
        return _permute(layers2, group, order, signs)


class Symmetry(UnitSymmetry):
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
        free_bias = net.bias and (regularization == 0 or not regularize_bias)
        shapes = {}
        for depth, (weights, bias) in enumerate(net.split(np.zeros(net.n_parameters))):
            shapes[f"{depth}.weight"] = weights.shape
            if net.bias:
                shapes[f"{depth}.bias"] = bias.shape
        units, center = [], ACTIVATIONS[net.activation].center
        for depth in range(len(net.hidden_sizes)):
            into = dict.fromkeys((f"{depth}.weight", f"{depth}.bias")[: 1 + net.bias], 0)
            after = f"{depth + 1}."
            shifts = {f"{after}weight": f"{after}bias"}
            units.append(
                Units(
                    {**into, f"{after}weight": 1},
                    odd=center == 0,
                    shifts=shifts if center and free_bias else {},
                    center=center or 0.0,
                )
            )
        last = f"{len(net.hidden_sizes)}."
        modes = softmax_shifts(
            shapes,
            f"{last}weight",
            f"{last}bias" if net.bias else None,
            LOSSES[loss],
            regularization,
            regularize_bias,
        )
        free = [name for name in shapes if name.endswith("bias")] if free_bias else []
        super().__init__(shapes, units, *modes, free, tolerance)


def softmax_shifts(shapes, weights, bias, loss, regularization, regularize_bias):
    """Zero and barren modes of a loss: common shifts of all outputs.

    Parameters
    ----------
    shapes : dict
        Of the parameters by name, in the order of the parameter vector.
    weights, bias : str or None
        The last layer's, if it is linear; None where there is none.
    loss : Loss
        Only one that is `shift_invariant` does not feel them.
    regularization : float
    regularize_bias : bool

    Returns
    -------
    zero_modes, barren_modes : ndarray, shape (n_parameters, k)
        Orthonormal; the loss feels nothing of the first, the penalty alone the others.
    """
    starts = dict(zip(shapes, np.cumsum([0, *map(prod, shapes.values())])[:-1], strict=True))
    n_parameters = sum(map(prod, shapes.values()))

    def modes(of_bias, of_weights):
        found = np.zeros((0, n_parameters))
        for name, wanted in ((bias, of_bias), (weights, of_weights)):
            if name is None or not wanted or not loss.shift_invariant:
                continue
            n_out = shapes[name][0]
            n_in = prod(shapes[name][1:])
            block = np.zeros((n_in, n_parameters))
            for unit in range(n_in):
                block[unit, starts[name] + unit + n_in * np.arange(n_out)] = 1 / np.sqrt(n_out)
            found = np.concatenate([found, block])
        return found.T

    return modes(regularization == 0 or not regularize_bias, regularization == 0), modes(True, True)


def _along(units):
    """Pairs of parameter and axis."""
    for name, axes in units.axes.items():
        for axis in axes if isinstance(axes, list | tuple) else (axes,):
            yield name, check_integer(f"the axis of {name}", axis, 0)


def _layout(shapes, units):
    """Where each parameter is in a vector, in which shape; and the groups of units."""
    on_axes = {name: {} for name in shapes}  # which group is on which axis
    sizes = []
    for at, group in enumerate(units):
        if not group.axes:
            raise InputError("units without axes: name the parameters that they lie along")
        for name, axis in _along(group):
            if name not in shapes:
                raise InputError(
                    f"units lie along {name!r}, but the parameters are {', '.join(shapes)}"
                )
            if axis >= len(shapes[name]):
                raise InputError(
                    f"units lie along axis {axis} of {name}, which has {len(shapes[name])}"
                )
            if axis in on_axes[name]:
                raise InputError(f"two kinds of units lie along axis {axis} of {name}")
            on_axes[name][axis] = at
        lengths = [(shapes[name][axis], name) for name, axis in _along(group)]
        size, _ = min(lengths)
        for length, name in lengths:
            if length % size:
                raise InputError(
                    f"units lie along axes of different length: {size}, and {length} of {name}"
                )
        sizes.append(size)
    parts, entries, start = [], [[] for _ in units], 0
    for part, (name, shape) in enumerate(shapes.items()):
        split = []
        for axis, length in enumerate(shape):
            at = on_axes[name].get(axis)
            if at is None:
                split.append(length)
                continue
            entries[at].append((part, len(split), axis))
            split += [sizes[at]] if length == sizes[at] else [sizes[at], length // sizes[at]]
        parts.append((start, start + prod(shape), tuple(split)))
        start += prod(shape)
    cut = [shape for _, _, shape in parts]
    return parts, [_group(at, size, entries, units[at], cut) for at, size in enumerate(sizes)]


def _group(at, size, places, units, shapes):
    # axes of units that are not matched before these: their order must not matter
    later = [(part, axis) for others in places[at:] for part, axis, _ in others]
    entries = []
    for part, axis, original in places[at]:
        others = tuple(a for p, a in later if p == part and a != axis)
        # what goes into units is along the first axis, as everywhere in torch
        entries.append(_Entry(part, axis, others, shapes[part], incoming=original == 0))
    return _Group(
        size,
        (1.0, -1.0) if units.odd or units.shifts else (1.0,),
        tuple(entries),
        tuple(e for e in entries if e.incoming),
        tuple(e for e in entries if not e.incoming),
        tuple(e for e in entries if not e.others),
        tuple(e for e in entries if e.others),
    )


class _Entry:
    """Where units are in one part: the axis, and the other axes of units not matched before."""

    def __init__(self, part, axis, others, shape, incoming):
        self.part, self.others, self.incoming = part, others, incoming
        order = (axis, *(a for a in range(len(shape)) if a != axis))
        # of one part, and of stacked ones
        self._orders = None if axis == 0 else (order, (0, *(1 + a for a in order)))
        self._width = None if len(shape) == 2 else prod(shape) // max(shape[axis], 1)
        self._axis, self._n_axes = axis, len(shape)
        self._before = (slice(None),) * axis
        self._along = (*(1,) * axis, shape[axis], *(1,) * (len(shape) - axis - 1))

    def rows(self, part):
        """One row a unit."""
        stacked = part.ndim - self._n_axes
        if self._orders is not None:
            part = part.transpose(self._orders[stacked])
        if self._width is None:
            return part
        return part.reshape((*part.shape[: stacked + 1], self._width))

    def unordered(self, part):
        """The same without sign and order of other units."""
        values = np.abs(part)
        for other in self.others:
            values = np.sort(values, axis=other)
        return self.rows(values)

    def move(self, part, permutation, signs):
        if permutation.ndim == 1:
            return part[(*self._before, permutation)] * signs.reshape(self._along)
        first, axis = np.arange(len(part))[:, None], 1 + self._axis
        moved = part.swapaxes(1, axis)[first, permutation].swapaxes(1, axis)
        return moved * signs.reshape((len(part), *self._along))


def _rows(parts, entries):
    """All that belongs to the units of a group, one row a unit."""
    if len(entries) == 1:
        return entries[0].rows(parts[entries[0].part])
    return np.concatenate([e.rows(parts[e.part]) for e in entries], axis=-1)


def _overlap(parts1, parts2, entries):
    if not entries:
        return 0.0
    return _rows(parts1, entries) @ _rows(parts2, entries).swapaxes(-1, -2)


def _permute(parts, group, permutation, signs):
    parts = list(parts)
    for entry in group.entries:
        parts[entry.part] = entry.move(parts[entry.part], permutation, signs)
    return parts


def _stack(points):
    return [np.stack(parts) for parts in zip(*points, strict=True)]


def _replace(stack, places, new):
    if len(places) == len(stack):
        return new
    stack = stack.copy()
    stack[places] = new
    return stack


def _distances2(parts1, parts2):
    """Squared distances, shape (n,)."""
    squares = ((a - b) ** 2 for a, b in zip(parts1, parts2, strict=True))
    return sum(square.reshape(len(square), -1).sum(axis=1) for square in squares)


def _assignments(possible, partners, tolerance):
    """All distinct ways to give every unit a partner; one for exchangeable partners.

    Parameters
    ----------
    possible : dict
        For each sign the boolean matrix of units that may be partners.
    partners : ndarray
        All that belongs to each partner, one row each.

    Yields
    ------
    permutation, signs : ndarray
    """
    n = len(partners)
    permutation, signs = np.empty(n, dtype=np.intp), np.empty(n)
    each = np.stack(list(possible.values()))
    if not (each.any(axis=(0, 1)).all() and each.any(axis=(0, 2)).all()):
        return
    which, units, only = each.nonzero()
    if len(units) == n:  # nothing to choose
        permutation[units], signs[units] = only, np.array(list(possible))[which]
        yield permutation, signs
        return

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
