"""Functions written down on paper, whose landscape is known exactly.

What a search finds on them can be held against the formula, point by point.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import acos, pi, sqrt

import numpy as np
from pele.potentials import BasePotential

from ..checks import check_number
from ..contract import Identity, LandscapeSystem, Scales, adapt
from ..errors import InputError
from .enclosures import AutoencoderEnclosure, EggBoxEnclosure

__all__ = ["EggBox", "ExactSystem", "LinearAutoencoder", "StationaryPoint"]


@dataclass(frozen=True)
class StationaryPoint:
    """A stationary point by its formula.

    Parameters
    ----------
    energy : float
    x : ndarray, shape (n,)
        One of its images.
    index : int
        Number of negative curvatures.
    """

    energy: float
    x: np.ndarray
    index: int


class ExactSystem(LandscapeSystem):
    """A system that knows its landscape."""

    kinetic = False

    def _complete(self, native, identity, starts, energy):
        self.potential = adapt(native)
        self.identity = identity
        self.scales = Scales(energy, identity.tolerance)
        self.starts = starts
        p = self.params
        p.basinhopping.temperature = 0.5 * energy
        p.structural_quench_params.maxstep = 0.5
        neb = p.double_ended_connect.local_connect_params.NEBparams
        neb.k = 0.1 * energy
        neb.image_density = 5.0
        neb.max_images = 30
        neb.NEBquenchParams = {"tol": 1e-3 * energy, "maxErise": energy, "maxstep": 0.2, "M": 10}

    @abstractmethod
    def stationary_points(self):
        """All of them, one of each set of images, by energy.

        Returns
        -------
        list of StationaryPoint
        """

    @abstractmethod
    def connections(self):
        """Which minima each transition state joins.

        Returns
        -------
        list of (int, int, int)
            Transition state and its two minima, as positions in
            `stationary_points`; one minimum twice for a degenerate rearrangement.
        """

    def barriers(self):
        """Barrier from each minimum to the lowest one: the lowest that any path has.

        Returns
        -------
        dict
            By position in `stationary_points`, without the lowest itself.
        """
        points, connections = self.stationary_points(), self.connections()
        minima = [i for i, point in enumerate(points) if point.index == 0]
        top = dict.fromkeys(minima, np.inf)
        top[minima[0]] = -np.inf
        for _ in minima:  # no path needs more connections
            for ts, i, j in connections:
                for here, there in ((i, j), (j, i)):
                    top[here] = min(top[here], max(top[there], points[ts].energy))
        return {i: top[i] - points[i].energy for i in minima[1:]}


class LinearAutoencoder(ExactSystem):
    """A linear autoencoder with one hidden unit and no biases.

    With inputs `x` of zero mean and the covariance ``C = diag(s)`` the loss is ::

        f(a, b) = E |x - b (a.x)|^2 + lambda (|a|^2 + |b|^2)
                = sum_i s_i - 2 sum_i s_i a_i b_i + (sum_i s_i a_i^2) |b|^2
                  + lambda (|a|^2 + |b|^2).

    It does not change when ``a_i`` and ``b_i`` change sign together, for any
    `i`: all of them together are the sign of the hidden unit, one alone is the
    mirror image of the data across a principal axis. These ``2^d`` operations
    decide identity. Stationary are, and no other points:

    - ``a = b = +-sqrt(1 - lambda / s_i) e_i`` for each ``s_i > lambda``, of energy
      ``tr C - (s_i - lambda)^2 / s_i`` and index ``i - 1``,
    - the origin, of energy ``tr C``; its index is the number of ``s_i > lambda``.

    So there is one minimum, ``i = 1``, with two images, and one transition state,
    ``i = 2``, which joins them: a degenerate rearrangement.

    Parameters
    ----------
    variances : sequence of float
        ``s``, from the largest to the smallest, all different.
    regularization : float
        ``lambda``, above 0, below the largest variance and equal to none.
    seed : int
        Fixes the random starts and steps of this object.

    References
    ----------
    P. Baldi and K. Hornik, Neural Networks 2, 53 (1989); D. Kunin, J. M. Bloom,
    A. Goeva and C. Seed, ICML (2019).
    """

    kind = "linear_autoencoder"
    energy_label = "loss"

    def __init__(self, variances=(3.0, 2.0, 0.7), regularization=0.3, seed=0):
        super().__init__(seed)
        s = self.variances = _positive("the variances", variances)
        weight = self.regularization = check_number(
            "regularization", regularization, "above 0 and finite", _is_positive
        )
        if (np.diff(s) >= 0).any():
            raise InputError(f"the variances must fall from each to the next, not {list(s)}")
        if weight in s or weight > s[0]:
            raise InputError(
                f"regularization must be below the largest variance and equal to none, not {weight}"
            )
        self.n_dof = 2 * len(s)
        blocks = np.arange(self.n_dof).reshape(2, -1).T
        self._complete(
            _AutoencoderLoss(s, weight),
            BlockSigns(blocks),
            {"gaussian": partial(_gaussian, self.n_dof)},
            energy=(s[0] - weight) ** 2 / s[0],
        )
        self.params.takestep.stepsize = 1.0

    def stationary_points(self):
        """One for each principal axis above the regularization, and the origin."""
        s, weight = self.variances, self.regularization
        points = []
        for i, variance in enumerate(s[: self._n_learnt]):
            axis = np.eye(len(s))[i]
            x = sqrt(1 - weight / variance) * np.concatenate([axis, axis])
            points.append(StationaryPoint(sum(s) - (variance - weight) ** 2 / variance, x, i))
        return [*points, StationaryPoint(sum(s), np.zeros(self.n_dof), self._n_learnt)]

    def connections(self):
        """One: through the second axis, or the origin if there is no second axis to learn."""
        return [(1, 0, 0)]

    @property
    def _n_learnt(self):
        return sum(variance > self.regularization for variance in self.variances)

    def enclosure(self):
        """See `AutoencoderEnclosure`."""
        return AutoencoderEnclosure(self.variances, self.regularization)

    def get_system_properties(self):
        """What a database of this system records, all plain numbers and strings."""
        return {
            "system": self.kind,
            "variances": _listed(self.variances),
            "regularization": self.regularization,
        }

    def describe(self):
        """Section ``linear_autoencoder``."""
        values = {"variances": list(self.variances), "regularization": self.regularization}
        return {self.kind: values}

    @classmethod
    def load(cls, directory, settings):
        """The autoencoder that `describe` described."""
        return cls(**settings[cls.kind], seed=settings.get("seed", 0))


class EggBox(ExactSystem):
    """An egg box whose hollows have different depths, on a torus.

    ::

        f(x) = sum_i d_i sin^2(x_i) + t_i sin^2(x_i / 2),    0 < t_i < 4 d_i

    repeats every 2 pi along each axis and does not change with the sign of any
    ``x_i``; with no two axes alike these are all its symmetries, and they decide
    identity. Along one axis, with ``r = t / 4d``, there are

    - a minimum at 0, of energy 0 and curvature ``2d (1 + r)``,
    - a minimum at pi, of energy ``t`` and curvature ``2d (1 - r)``,
    - between them a maximum at ``+-arccos(-r)``, of energy ``d (1 + r)^2`` and
      curvature ``-2d (1 - r^2)``.

    In n dimensions a stationary point is one of the three for each axis, its
    energy their sum, its index the number of maxima: ``2^n`` minima, the corners
    of a cube, and ``n 2^(n-1)`` transition states, one on each edge.

    Parameters
    ----------
    depths, tilts : sequence of float
        ``d`` and ``t``, one an axis; by default three dimensions.
    seed : int
        Fixes the random starts and steps of this object.
    """

    kind = "egg_box"

    def __init__(self, depths=(1.0, 1.5, 2.0), tilts=(0.5, 0.9, 1.6), seed=0):
        super().__init__(seed)
        self.depths, self.tilts = _positive("depths", depths), _positive("tilts", tilts)
        axes = list(zip(self.depths, self.tilts, strict=False))
        if len(self.depths) != len(self.tilts):
            raise InputError(
                f"depths and tilts must be as many, not {len(self.depths)} and {len(self.tilts)}"
            )
        if any(tilt >= 4 * depth for depth, tilt in axes):
            raise InputError("each tilt must be below four times the depth of its axis")
        if len(set(axes)) < len(axes):
            raise InputError("two axes have the same depth and tilt: make all axes different")
        self.n_dof = len(axes)
        self._complete(
            _EggBoxEnergy(self.depths, self.tilts),
            TorusReflections(),
            {"uniform": partial(_uniform, self.n_dof)},
            energy=max(self.depths),
        )
        self.params.takestep.stepsize = 2.0

    def _by_axis(self):
        """For each axis the minimum at 0, the minimum at pi and the maximum."""
        for depth, tilt in zip(self.depths, self.tilts, strict=True):
            ratio = tilt / (4 * depth)
            yield (0.0, 0.0), (tilt, pi), (depth * (1 + ratio) ** 2, acos(-ratio))

    def _combinations(self):
        """What every stationary point is along each axis: 0, 1 or, for the maximum, 2."""
        axes = list(self._by_axis())
        energy = {
            which: sum(axis[k][0] for axis, k in zip(axes, which, strict=True))
            for which in product(range(3), repeat=len(axes))
        }
        return sorted(energy.items(), key=lambda item: item[1])

    def stationary_points(self):
        """Every choice of a minimum or the maximum along each axis."""
        axes = list(self._by_axis())
        return [
            StationaryPoint(
                energy,
                np.array([axis[k][1] for axis, k in zip(axes, which, strict=True)]),
                which.count(2),
            )
            for which, energy in self._combinations()
        ]

    def connections(self):
        """A transition state joins the minima that differ along its one maximum."""
        position = {which: i for i, (which, _) in enumerate(self._combinations())}
        return [
            (
                i,
                *(position[tuple(end if k == 2 else k for k in which)] for end in (0, 1)),
            )
            for which, i in position.items()
            if which.count(2) == 1
        ]

    def enclosure(self):
        """See `EggBoxEnclosure`."""
        return EggBoxEnclosure(self.depths, self.tilts)

    def get_system_properties(self):
        """What a database of this system records, all plain numbers and strings."""
        return {
            "system": self.kind,
            "depths": _listed(self.depths),
            "tilts": _listed(self.tilts),
        }

    def describe(self):
        """Section ``egg_box``."""
        return {self.kind: {"depths": list(self.depths), "tilts": list(self.tilts)}}

    @classmethod
    def load(cls, directory, settings):
        """The egg box that `describe` described."""
        return cls(**settings[cls.kind], seed=settings.get("seed", 0))


# Identity


class _NoZeroModes(Identity):
    """A finite group: nothing is flat by symmetry."""

    tolerance = 1e-5

    def zero_modes(self, x):
        """None."""
        return np.empty((len(x), 0))


class BlockSigns(_NoZeroModes):
    """Changes of sign of blocks of coordinates, each block by itself.

    Parameters
    ----------
    blocks : ndarray of int, shape (n_blocks, size)
        Which coordinates change sign together.
    """

    def __init__(self, blocks):
        self._blocks = blocks

    def are_same(self, x1, x2):
        """Whether each block agrees with one sign or the other, up to `tolerance`."""
        one, two = np.asarray(x1)[self._blocks], np.asarray(x2)[self._blocks]
        gaps = np.minimum(np.abs(one - two).max(axis=1), np.abs(one + two).max(axis=1))
        return bool((gaps <= self.tolerance).all())

    def align(self, x1, x2, quick=False):
        """The nearest image of all."""
        return self._signed(x1, x2, self._overlaps(x1, x2) < 0)

    def align_second(self, x1, x2):
        """The nearest image with another sign of one block."""
        overlaps = self._overlaps(x1, x2)
        changes = np.flatnonzero(~self._vanishing(x2))
        if not changes.size:
            return None
        flipped = overlaps < 0
        at = changes[np.argmin(np.abs(overlaps[changes]))]
        flipped[at] = ~flipped[at]
        return self._signed(x1, x2, flipped)

    def n_self_images(self, x):
        """Each block that vanishes may have either sign."""
        return 2 ** int(self._vanishing(x).sum())

    def _overlaps(self, x1, x2):
        return (np.asarray(x1)[self._blocks] * np.asarray(x2)[self._blocks]).sum(axis=1)

    def _vanishing(self, x):
        return np.abs(np.asarray(x)[self._blocks]).max(axis=1) <= self.tolerance

    def _signed(self, x1, x2, flipped):
        image = np.array(x2, dtype=float)
        image[self._blocks[flipped]] *= -1
        return float(np.linalg.norm(x1 - image)), image


class TorusReflections(_NoZeroModes):
    """Translation of any coordinate by 2 pi, and change of its sign."""

    def are_same(self, x1, x2):
        """Whether each coordinate agrees with one sign or the other, up to `tolerance`."""
        gaps = [np.abs(_wrapped(sign * np.asarray(x2) - x1)) for sign in (1, -1)]
        return bool((np.minimum(*gaps) <= self.tolerance).all())

    def align(self, x1, x2, quick=False):
        """The nearest image of all."""
        return self._moved(x1, self._moves(x1, x2)[0])

    def align_second(self, x1, x2):
        """The image next to the nearest one along one axis."""
        moves = self._moves(x1, x2)
        nearest = moves[0]
        # of a coordinate at 0 or pi the images of both signs are one
        others = np.where(np.abs(moves - nearest) > self.tolerance, np.abs(moves), np.inf)
        further = moves[others.argmin(axis=0), np.arange(nearest.size)]
        at = np.argmin(further**2 - nearest**2)
        nearest[at] = further[at]
        return self._moved(x1, nearest)

    def n_self_images(self, x):
        """Each coordinate at 0 or pi may have either sign."""
        return 2 ** int((np.abs(_wrapped(2 * np.asarray(x))) <= 2 * self.tolerance).sum())

    def _moves(self, x1, x2):
        """Ways along each axis to images of `x2`: the nearest first, then others."""
        short = np.array([_wrapped(sign * np.asarray(x2) - x1) for sign in (1, -1)])
        short = np.take_along_axis(short, np.abs(short).argsort(axis=0, kind="stable"), axis=0)
        return np.concatenate([short, short - np.copysign(2 * pi, short)])

    def _moved(self, x1, move):
        return float(np.linalg.norm(move)), np.asarray(x1) + move


def _wrapped(angles):
    """The same angles from -pi to pi."""
    return (angles + pi) % (2 * pi) - pi


# Energies


class _AutoencoderLoss(BasePotential):
    """The loss of `LinearAutoencoder`; coordinates are ``[a, b]``."""

    def __init__(self, variances, regularization):
        self._s, self._weight = np.array(variances), regularization

    def getEnergy(self, x):
        a, b = np.split(x, 2)
        s = self._s
        return float(s.sum() - 2 * s @ (a * b) + (s @ a**2) * (b @ b) + self._weight * (x @ x))

    def getEnergyGradient(self, x):
        a, b = np.split(x, 2)
        s = self._s
        of_a = s * (a * (b @ b) - b)
        of_b = (s @ a**2) * b - s * a
        return self.getEnergy(x), 2 * (np.concatenate([of_a, of_b]) + self._weight * x)

    def getEnergyGradientHessian(self, x):
        a, b = np.split(x, 2)
        s, one = self._s, np.eye(a.size)
        mixed = 2 * np.outer(s * a, b) - np.diag(s)
        hessian = np.block([[(b @ b) * np.diag(s), mixed], [mixed.T, (s @ a**2) * one]])
        return *self.getEnergyGradient(x), 2 * (hessian + self._weight * np.eye(x.size))


class _EggBoxEnergy(BasePotential):
    """The energy of `EggBox`."""

    def __init__(self, depths, tilts):
        self._depths, self._tilts = np.array(depths), np.array(tilts)

    def getEnergy(self, x):
        return float(self._depths @ np.sin(x) ** 2 + self._tilts @ np.sin(x / 2) ** 2)

    def getEnergyGradient(self, x):
        return self.getEnergy(x), self._depths * np.sin(2 * x) + self._tilts / 2 * np.sin(x)

    def getEnergyGradientHessian(self, x):
        curvatures = 2 * self._depths * np.cos(2 * x) + self._tilts / 2 * np.cos(x)
        return *self.getEnergyGradient(x), np.diag(curvatures)


# Starts


def _gaussian(n, rng):
    return rng.normal(size=n)


def _uniform(n, rng):
    return rng.uniform(-pi, pi, n)


# What the user gave


def _is_positive(value):
    return 0 < value < np.inf


def _positive(name, values):
    if np.ndim(values) != 1 or np.size(values) == 0:
        raise InputError(f"{name} must be a list of numbers, not {values!r}")
    return tuple(
        check_number(f"each of {name}", v, "above 0 and finite", _is_positive) for v in values
    )


def _listed(values):
    return " ".join(map(repr, values))
