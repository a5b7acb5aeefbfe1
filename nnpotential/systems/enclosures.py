"""The functions that are known exactly enclosed, so that certificates can be checked."""

from math import pi

import numpy as np

from ..balls import PRECISION, arb_sum, flint, of_arbs, rounded_up, to_arbs
from ..contract import Enclosed, Enclosure

__all__ = ["AutoencoderEnclosure", "EggBoxEnclosure"]

_sin = np.frompyfunc(lambda z: z.sin(), 1, 1)
_cos = np.frompyfunc(lambda z: z.cos(), 1, 1)
_SLACK = 1e-10  # far more than rounding in the few operations of a distance


class _FunctionEnclosure(Enclosure):
    """A function without zero modes, all of it in Arb's ball arithmetic."""

    def __init__(self, n_dof):
        flint()
        self.zero_modes = np.zeros((n_dof, 0))

    def at(self, x, radius):
        with flint().ctx.workprec(PRECISION):
            energy, gradient, hessian = self._derivatives(to_arbs(x))
            parts = of_arbs(np.array(energy)), of_arbs(gradient), of_arbs(hessian)
        return Enclosed(*parts, float(rounded_up(self._lipschitz(x, radius), 100 + 4 * len(x))))

    def distance(self, x1, x2):
        gaps = self._gaps(np.asarray(x1), np.asarray(x2))
        size = float(np.abs(x1).sum() + np.abs(x2).sum())
        return max(0.0, float(np.linalg.norm(gaps)) * (1 - _SLACK) - _SLACK * (1 + size))


class AutoencoderEnclosure(_FunctionEnclosure):
    """Of `LinearAutoencoder`.

    The third derivative is that of ``(sum_i s_i a_i^2) |b|^2``. Along ``(p, q)``
    of length 1 it is ``12 (sum s p^2) (b.q) + 12 (sum s a p) |q|^2``, at most
    ``12 s_1 |p| |q| (|b| |p| + |a| |q|)`` and so at most ``6 s_1 |(a, b)|``.
    """

    def __init__(self, variances, regularization):
        super().__init__(2 * len(variances))
        self._largest = variances[0]
        self._s, self._weight = to_arbs(variances), flint().arb(regularization)

    def _derivatives(self, x):
        (a, b), s, weight = np.split(x, 2), self._s, self._weight
        saa, bb = arb_sum(s * a * a), arb_sum(b * b)
        energy = arb_sum(s) - 2 * arb_sum(s * a * b) + saa * bb + weight * arb_sum(x * x)
        gradient = 2 * (np.concatenate([s * (a * bb - b), saa * b - s * a]) + weight * x)
        one = to_arbs(np.eye(a.size))
        mixed = 2 * np.outer(s * a, b) - one * s
        hessian = np.block([[bb * one * s, mixed], [mixed.T, saa * one]])
        return energy, gradient, 2 * (hessian + weight * to_arbs(np.eye(x.size)))

    def _lipschitz(self, x, radius):
        return 6 * self._largest * (np.linalg.norm(x) + radius)

    def _gaps(self, x1, x2):
        """Each pair ``(a_i, b_i)`` has a sign of its own."""
        one, two = x1.reshape(2, -1), x2.reshape(2, -1)
        return np.minimum(
            *(np.linalg.norm(one - sign * two, axis=0) for sign in (1, -1)),
        )


class EggBoxEnclosure(_FunctionEnclosure):
    """Of `EggBox`, whose third derivative along an axis is ``-4 d sin 2x - t/2 sin x``."""

    def __init__(self, depths, tilts):
        super().__init__(len(depths))
        self._bound = max(4 * d + t / 2 for d, t in zip(depths, tilts, strict=True))
        self._d, self._t = to_arbs(depths), to_arbs(tilts)

    def _derivatives(self, x):
        d, t = self._d, self._t
        high, low = _sin(x), _sin(x / 2)
        energy = arb_sum(d * high * high + t * low * low)
        gradient = d * _sin(2 * x) + t / 2 * high
        curvatures = 2 * d * _cos(2 * x) + t / 2 * _cos(x)
        return energy, gradient, to_arbs(np.eye(x.size)) * curvatures

    def _lipschitz(self, x, radius):
        return self._bound

    def _gaps(self, x1, x2):
        """Each coordinate has a sign of its own, and repeats every 2 pi."""
        ways = [np.abs((x1 - sign * x2 + pi) % (2 * pi) - pi) for sign in (1, -1)]
        return np.minimum(*ways)
