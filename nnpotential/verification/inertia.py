"""How many curvatures of a point are negative: proofs, and certificates of stated confidence.

Used by the verification alone; the search has its own means.
"""

from functools import cached_property
from math import sqrt

import numpy as np
from scipy.linalg import eigh, ldl
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dpotrf, dpotrs, dstebz
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from ..contract import ZERO
from ..pulse import tell

__all__ = ["PROOF_LIMIT", "RISK", "Curvature", "NegativeCurvatureError", "overlooked"]

PROOF_LIMIT = 4000  # parameters up to which the Hessian is factorised
RISK = 1e-6  # probability that a certificate overlooks an eigenvalue, beyond that
_EIGH_LIMIT = 1000  # parameters up to which LAPACK finds the lowest mode sooner than ARPACK
_MOST_STEPS = 20_000  # of a certificate
_ACCURATE = 1e-4  # residual of a lowest mode, relative to its eigenvalue
_VANISHING = 1e-150  # curvatures whose squares underflow


def norm(vector):
    """As `numpy.linalg.norm`, without its microseconds."""
    return sqrt(vector.dot(vector))


class NegativeCurvatureError(ArithmeticError):
    """A curvature that is not positive where all were taken to be."""


class Curvature:
    """The Hessian at a point, for questions about its signs.

    Parameters
    ----------
    potential : LandscapePotential
    x : ndarray, shape (n,)
    zero_modes : ndarray, shape (n, k)
        Orthonormal columns, left out of all that is answered.
    proof_limit : int, optional
        Parameters up to which the dense Hessian is factorised, by default
        `PROOF_LIMIT`.
    hessian : ndarray, shape (n, n), optional
        At `x`, if it has been computed.
    """

    def __init__(self, potential, x, zero_modes, proof_limit=None, hessian=None):
        self._potential, self._x, self._zero_modes = potential, x, zero_modes
        self.n, self._n_products = x.size, 0
        # the Hessian as it is, with the zero modes lifted, and how far at least
        self._plain, self._dense, self._lift = None, None, 0.0
        if self.n <= (PROOF_LIMIT if proof_limit is None else proof_limit):
            self._plain = self._dense = potential.getHessian(x) if hessian is None else hessian
            self._lift = norm(self._plain.ravel())
            if zero_modes.shape[1]:
                self._dense = self._plain + 2 * self._lift * zero_modes @ zero_modes.T
        else:
            self._lift = self.largest

    @cached_property
    def largest(self):
        """Of the eigenvalues, in size."""
        product = self.product if self._plain is None else self._plain.dot
        _, ends, _ = lanczos_ends(product, self._start(), 20)
        return float(np.abs(ends).max())

    def exceeds(self, level):
        """Whether `largest` is above a level, of which the norm of a dense Hessian can be proof."""
        surely = self._plain is not None and self._lift > sqrt(self.n) * level
        return surely or self.largest > level

    @property
    def threshold(self):
        """Size below which an eigenvalue counts as zero."""
        return ZERO * self.largest

    def product(self, v):
        """The Hessian times a vector of shape (n,), the known zero modes lifted."""
        self._n_products += 1
        tell("curvatures", self._n_products)
        outside = self._outside(v)
        product = self._outside(self._potential.hessian_vector_product(self._x, outside))
        return product + self._lift * (v - outside)

    def lowest_mode(self):
        """Lowest eigenvalue and its eigenvector, by LAPACK or ARPACK."""
        if self._dense is not None and self.n <= _EIGH_LIMIT:
            try:
                values, vectors = eigh(self._dense, subset_by_index=[0, 0])
            except np.linalg.LinAlgError:  # LAPACK's failure at multiple eigenvalues
                values, vectors = eigh(self._dense, driver="evd")
        else:
            operator = LinearOperator(
                (self.n, self.n),
                matvec=lambda v: self.product(np.ascontiguousarray(v.ravel())),
                dtype=float,
            )
            values, vectors = eigsh(
                operator, 1, which="SA", v0=self._start(), ncv=min(self.n, 60), tol=_ACCURATE
            )
        return float(values[0]), vectors[:, 0]

    def _negative_mode(self, vector, threshold):
        """Eigenvalue and -vector, if a vector is one of negative curvature, else None."""
        if not isinstance(vector, np.ndarray) or vector.dtype.kind not in "iuf":
            return None  # whatever it is that was stored
        if vector.shape != (self.n,) or not np.isfinite(vector).all():
            return None
        vector = self._outside(vector.astype(float))
        if not norm(vector) > 0:
            return None
        vector = vector / norm(vector)
        product = self.product(vector)
        value = float(vector @ product)
        found = value < -threshold and norm(product - value * vector) <= _ACCURATE * -value
        return (value, vector) if found else None

    def judge(self, index, mode=None):
        """Whether exactly `index` eigenvalues are negative and none vanishes.

        A direction of negative curvature shows that there is at least one
        negative eigenvalue; if the Hessian is positive definite on its
        complement there is no second one (Cauchy's interlacing theorem), be
        the direction an eigenvector or not.

        Parameters
        ----------
        index : {0, 1}
        mode : ndarray, shape (n,), optional
            Said to be the eigenvector of the negative eigenvalue. Where the Hessian says so, and
            with it that no other eigenvalue is negative, it is the lowest; else that is looked for.

        Returns
        -------
        outcome : {"ok", "wrong index", "degenerate", "undecided"}
        size : callable or None
            Solves ``|H| s = b`` for a right-hand side `b`; None unless "ok".
        mode : ndarray, shape (n,), or None
            The direction of negative curvature.
        """
        if not self.exceeds(_VANISHING):
            return "degenerate", None, None
        if self._dense is not None:
            # the norm is not below the largest eigenvalue: what it proves needs no better value
            proof = self._judge(index, ZERO * self._lift, mode)
            if proof[0] == "ok":
                return proof
        proof = self._judge(index, self.threshold, mode)
        # a rough mode may leave enough of the negative eigenvalue to hide a small positive one
        return proof if proof[0] == "ok" or mode is None else self.judge(index)

    def _judge(self, index, threshold, mode):
        modes = np.empty((self.n, 0))
        value = 0.0
        if index == 1:
            try:
                value, mode = self._negative_mode(mode, threshold) or self.lowest_mode()
            except ArpackNoConvergence:
                return "undecided", None, None
            if value >= -threshold:
                return ("degenerate" if abs(value) <= threshold else "wrong index"), None, None
            modes = mode[:, np.newaxis]
        if self._dense is None:
            return self._certify(modes, value)
        return self._prove(modes, value, threshold)

    def _prove(self, modes, value, threshold):
        # with the mode's own sign turned H becomes |H|
        lifted = self._dense.copy()
        for mode in modes.T:
            dger(-2 * value, mode, mode, a=lifted.T, overwrite_a=True)
        lifted.reshape(-1)[:: self.n + 1] -= threshold
        solve = cholesky(lifted)
        if solve is None:
            below, above = (self._negative(z) for z in (-threshold, threshold))
            return ("degenerate" if below != above else "wrong index"), None, None
        return "ok", solve, modes[:, 0] if modes.size else None

    def _negative(self, level):
        """How many eigenvalues are below `level` (J. J. Sylvester, Phil. Mag. 4, 138 (1852))."""
        _, d, _ = ldl(self._dense - level * np.eye(self.n))
        pairs = np.flatnonzero(np.diag(d, -1))  # each block of two has one of either sign
        single = np.delete(np.diag(d), np.concatenate([pairs, pairs + 1]))
        return len(pairs) + int((single < 0).sum())

    def _certify(self, modes, value):
        lift = -2 * value

        def size(v):
            return self.product(v) + lift * modes @ (modes.T @ v)

        def complement(v):
            # lifted, or rounding would bring the mode back as an eigenvalue of zero
            outside = v - modes @ (modes.T @ v)
            product = self.product(outside)
            return product - modes @ (modes.T @ product) + self.largest * (v - outside)

        start = self._start()
        start -= modes @ (modes.T @ start)
        _, ends, risk = lanczos_ends(complement, start, _MOST_STEPS, self.threshold, RISK)
        if ends[0] < -self.threshold:
            return "wrong index", None, None
        if ends[0] <= self.threshold:
            return "degenerate", None, None
        if risk > RISK:
            return "undecided", None, None
        return (
            "ok",
            lambda b: conjugate_gradients(size, self._outside(b), 1e-6),
            modes[:, 0] if modes.size else None,
        )

    def _start(self):
        return self._outside(np.random.default_rng(1).normal(size=self.n))

    def _outside(self, v):
        return v - self._zero_modes @ (self._zero_modes.T @ v)


def overlooked(n, ratio, steps):
    """Bound on the probability that the Lanczos method overlooks an eigenvalue.

    Parameters
    ----------
    n : int
        Order of the matrix.
    ratio : float
        By how much an overlooked eigenvalue would be below the lowest Ritz
        value, over the whole width of the spectrum.
    steps : int

    Returns
    -------
    float

    References
    ----------
    J. Kuczynski and H. Wozniakowski, SIAM J. Matrix Anal. Appl. 13, 1094
    (1992), theorem 4.2, for a start that is uniform on the sphere.
    """
    return 1.648 * np.sqrt(n) * np.exp(-np.sqrt(max(ratio, 0.0)) * (2 * steps - 1))


def lanczos_ends(product, start, max_steps, threshold=0.0, risk=0.0):
    """The Ritz values of a plain Lanczos run, and the risk in the lowest one.

    Without orthogonalisation: in finite precision the Ritz values are those of
    an exact run on a matrix whose eigenvalues cluster tightly about the true
    ones (A. Greenbaum, Linear Algebra Appl. 113, 7 (1989)), so that the bound,
    which knows only the ends of the spectrum, holds as before.

    Parameters
    ----------
    product : callable
    start : ndarray, shape (n,)
        Normally distributed.
    max_steps : int
    threshold : float
        An eigenvalue at or below this one must not be overlooked.
    risk : float
        The run ends when the risk of that is below this probability, or a
        Ritz value at or below the threshold shows that there is one.

    Returns
    -------
    steps : int
    ends : ndarray, shape (2,)
        The lowest and the highest Ritz value.
    risk : float
        Probability that an eigenvalue at or below the threshold was overlooked.
    """
    n = start.size
    vector, before, off = start / norm(start), 0.0, 0.0
    diagonal, offs, check = [], [], 20
    for k in range(1, max_steps + 1):
        new = product(vector) - off * before
        diagonal.append(vector @ new)
        new -= diagonal[-1] * vector
        off = norm(new)
        if k >= check or k == max_steps or off == 0:
            check = 1.1 * k
            ends = _ends(np.array(diagonal), np.array(offs))
            width = ends[-1] - threshold
            reached = overlooked(n, (ends[0] - threshold) / width if width > 0 else 0.0, k)
            if off == 0 or (risk > 0 and (ends[0] <= threshold or reached <= risk)):
                break
        offs.append(off)
        before, vector = vector, new / off
    return k, ends, min(1.0, reached)


def _ends(diagonal, offs):
    """The lowest and the highest eigenvalue of a tridiagonal matrix."""
    scale = max(np.abs(diagonal).max(), np.finfo(float).tiny)  # LAPACK's is absolute
    d, e = diagonal / scale, offs / scale if len(offs) else np.zeros(1)
    # by bisection, range 2: those with the numbers from `at` to `at`
    found = [dstebz(d, e, 2, 0.0, 1.0, at, at, 0.0, "E")[1][0] for at in (1, len(d))]
    return scale * np.array(found)


class Factor:
    """Called with a right-hand side `b`, it solves ``matrix s = b``.

    Attributes
    ----------
    lower : ndarray, shape (n, n)
        The Cholesky factor in Fortran order; above its diagonal is anything.
    """

    def __init__(self, lower):
        self.lower = lower

    def __call__(self, b):
        return dpotrs(self.lower, b, lower=True)[0]


def cholesky(matrix):
    """Factorise a symmetric matrix, which is overwritten.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)

    Returns
    -------
    Factor or None
        None if the matrix is not positive definite.
    """
    lower, failed = dpotrf(matrix.T, lower=True, clean=False, overwrite_a=True)
    return None if failed else Factor(lower)


def conjugate_gradients(product, b, tolerance=1e-3, longest=np.inf, max_steps=10_000):
    """Solve ``A s = b`` for a positive definite matrix.

    Parameters
    ----------
    product : callable
    b : ndarray, shape (n,)
    tolerance : float
        Of the residual, relative to `b`.
    longest : float
        Give up where the solution grows beyond this length; it never shrinks
        again.

    Returns
    -------
    ndarray, shape (n,), or None
        None if it is too long or not found.

    Raises
    ------
    NegativeCurvatureError
        If the matrix proves not to be positive definite.
    """
    s, r = np.zeros_like(b), b.copy()
    p, norm2 = r.copy(), r @ r
    goal = tolerance**2 * norm2
    for k in range(max_steps):
        tell("conjugate gradients", k)
        if norm2 <= goal:
            return s
        Ap = product(p)
        curvature = p @ Ap
        if curvature <= 0:
            raise NegativeCurvatureError
        s += norm2 / curvature * p
        if norm(s) > longest:
            return None
        r -= norm2 / curvature * Ap
        norm2, old = r @ r, norm2
        p = r + norm2 / old * p
    return None
