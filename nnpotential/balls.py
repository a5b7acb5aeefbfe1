"""Arrays of real numbers known to lie within balls, rigorous to the last rounding.

A `Ball` is a float64 array and a bound on its errors. All operations are plain
NumPy; what rounding may do is bounded afterwards, for sums and products in any
order, with or without fused multiply-add, as BLAS pleases (but not for Strassen's
method). Elementary functions, whose errors NumPy does not bound, and numbers that
need more digits come from Arb's ball arithmetic (python-flint), in object arrays
of `flint.arb`.

References
----------
S. M. Rump, Acta Numerica 19, 287 (2010); N. J. Higham, Accuracy and Stability of
Numerical Algorithms, SIAM (2002), section 3.1; F. Johansson, IEEE Trans. Comput.
66, 1281 (2017).
"""

import numpy as np

from .errors import InputError

__all__ = [
    "PRECISION",
    "Ball",
    "arb_product",
    "arb_sum",
    "flint",
    "norm_bound",
    "of_arbs",
    "root_up",
    "rounded_up",
    "to_arbs",
]

PRECISION = 128  # bits of Arb's numbers
_ROUND = 2.0**-52  # twice the unit roundoff: what one operation may add, generously
_TINY = 2.0**-960  # more than any operation loses to underflow, gradual or not
_SQUARINGS = 5


def flint():
    """The module `flint`, with Arb.

    Raises
    ------
    InputError
        If python-flint is not installed.
    """
    try:
        import flint
    except ImportError as error:
        raise InputError(
            "certificates need Arb's ball arithmetic (python-flint), which is not installed: "
            "pip install 'nnpotential[certify]'"
        ) from error
    return flint


def rounded_up(value, operations=100):
    """No less than what `value` approximates.

    Parameters
    ----------
    value : float or ndarray
        Computed by no more than `operations` sums, products, quotients and
        roots of numbers that are not negative, the longest chain of them
        counted: nothing cancels, so each errs by one rounding at most.
    operations : int
    """
    return value * (1 + (operations + 10) * _ROUND) + _TINY


def root_up(square, operations=100):
    """No less than the root of what `square` approximates, as for `rounded_up`."""
    # what squares lose to underflow would be more in the root
    return rounded_up(np.sqrt(square + _TINY), operations)


class Ball:
    """An array within balls: every entry at most `rad` from `mid`.

    Parameters
    ----------
    mid : ndarray
    rad : ndarray or float
        0 for numbers that are exact.
    """

    __array_ufunc__ = None  # an ndarray leaves operators to this class
    __slots__ = ("mid", "rad")

    def __init__(self, mid, rad=0.0):
        self.mid = np.asarray(mid, dtype=np.float64)
        self.rad = np.broadcast_to(np.asarray(rad, dtype=np.float64), self.mid.shape)

    @property
    def upper(self):
        """Bound on the absolute values."""
        return rounded_up(np.abs(self.mid) + self.rad)

    @property
    def T(self):
        return Ball(self.mid.T, self.rad.T)

    @property
    def shape(self):
        return self.mid.shape

    def __getitem__(self, at):
        return Ball(self.mid[at], self.rad[at])

    def reshape(self, *shape):
        return Ball(self.mid.reshape(*shape), self.rad.reshape(*shape))

    def __neg__(self):
        return Ball(-self.mid, self.rad)

    def __add__(self, other):
        other = _ball(other)
        mid = self.mid + other.mid
        return Ball(mid, rounded_up(self.rad + other.rad + _ROUND * np.abs(mid)))

    __radd__ = __add__

    def __sub__(self, other):
        return self + -_ball(other)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        other = _ball(other)
        mid = self.mid * other.mid
        rad = np.abs(self.mid) * other.rad + self.rad * (np.abs(other.mid) + other.rad)
        return Ball(mid, rounded_up(rad + _ROUND * np.abs(mid)))

    __rmul__ = __mul__

    def __matmul__(self, other):
        """Whatever the order of the sums, they err by ``k u / (1 - k u) |A| |B|`` at most."""
        other = _ball(other)
        terms = self.mid.shape[-1]
        error = (terms + 1) * _ROUND
        size, other_size = np.abs(self.mid), np.abs(other.mid)
        rad = size @ (other.rad + error * other_size)
        if self.rad.any():
            rad = rad + self.rad @ (other_size + other.rad)
        return Ball(self.mid @ other.mid, rounded_up(rad, 2 * terms) + terms * _TINY)

    def __rmatmul__(self, other):
        return _ball(other) @ self

    def sum(self, axis):
        """Sum along an axis, by any order."""
        terms = self.mid.shape[axis]
        rad = self.rad.sum(axis) + (terms + 1) * _ROUND * np.abs(self.mid).sum(axis)
        return Ball(self.mid.sum(axis), rounded_up(rad, 2 * terms))

    def norm(self):
        """Bound on the root of the sum of all squares, a float; inf where it is not finite."""
        upper = self.upper.ravel()
        value = float(root_up(upper @ upper, 2 * upper.size + 100))
        return value if np.isfinite(value) else np.inf


def _ball(value):
    return value if isinstance(value, Ball) else Ball(value)


def norm_bound(matrix):
    """Bound on the spectral norm of a matrix, a float a few per cent above it.

    ``|A|^2 = |A^T A| = |(A^T A)^(2^m)|^(1/2^m)``, and of the last power the
    Frobenius norm is a bound.

    Parameters
    ----------
    matrix : Ball or ndarray, shape (m, n)
    """
    matrix = _ball(matrix)
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    return float(root_up(_symmetric_norm(matrix.T @ matrix, _SQUARINGS)))


def _symmetric_norm(square, squarings):
    size = square.norm()
    if squarings == 0 or not 2.0**-200 < size < 2.0**200:
        return size
    scaled = square * 2.0 ** -np.ceil(np.log2(size))  # exact: a power of two
    root = float(root_up(_symmetric_norm(scaled @ scaled, squarings - 1)))
    return min(size, rounded_up(root * 2.0 ** np.ceil(np.log2(size))))


# Between float64 and Arb


def to_arbs(values):
    """An object array of exact `flint.arb` from one of float64."""
    arb = flint().arb
    return _objects([arb(value) for value in np.ravel(values).tolist()], np.shape(values))


def of_arbs(values):
    """The `Ball` around an object array of `flint.arb`."""
    flat = np.ravel(values)
    mid = np.array([float(value) for value in flat], dtype=np.float64)
    rad = np.array([float(value.rad()) for value in flat], dtype=np.float64)
    # both conversions are off by one unit in the last place at most
    shape = np.shape(values)
    return Ball(mid.reshape(shape), rounded_up(rad + 2 * _ROUND * np.abs(mid)).reshape(shape))


def arb_product(left, right):
    """Matrix product of two object arrays of `flint.arb`."""
    matrix = flint().arb_mat
    (m, k), (_, n) = left.shape, right.shape
    product = matrix(m, k, left.ravel().tolist()) * matrix(k, n, right.ravel().tolist())
    return _objects(product.entries(), (m, n))


def arb_sum(values):
    """Sum of all entries of an object array of `flint.arb`."""
    total = flint().arb(0)
    for value in np.ravel(values):
        total += value
    return total


def _objects(values, shape):
    """NumPy would look into the numbers for sequences."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)
