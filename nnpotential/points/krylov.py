"""The Hessian seen through products with vectors: what the search needs of it, matrix-free.

Block Krylov spaces stand in for the eigenbasis, so that quench and
transition-state search take the same trust-region steps with either.
"""

from itertools import count

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import LinearOperator, eigsh

from ..contract import ZERO, rms, single
from ..errors import InputError
from ..pulse import tell
from .stationary import Spectrum, lift_zero_modes

__all__ = ["EXACT_LIMIT", "KrylovSpectrum", "softest_modes"]

EXACT_LIMIT = 1500  # parameters up to which the Hessian is factorised in the end

_MOST_VANISHING = 10  # modes of no curvature looked for at one point
_SPARE = 5  # soft modes computed beyond those asked for: ARPACK can miss the last ones
_UNSEEN = 0.01  # of what counts as zero, that modes taken as eigenvectors may be wrong by
_PRODUCTS = 16  # coordinates for each product that a Hessian costs: of 760 some 60
_FIRST, _GROWTH, _LARGEST = 6, 1.4, 500  # vectors in a Krylov space
_RISK, _LONGEST = 1e-3, 3000  # of overlooking an eigenvalue; steps of Lanczos that look for it
_POLISHED = 1e-10  # norm of ``H v - lambda v``, nats per sample and squared weight
# What may be left of the gradient where the radius limits the step, and of a full one; of the
# mode followed, against its eigenvalue and the largest. With 0.3, and 0.1 and 1e-4 of the mode,
# climbs of a 64-10-10 network took four times as long, and fewer arrived.
_FORCING = 0.5, 0.01
_FOLLOWED = (1.0, 1e-2), (0.1, 1e-4)


class KrylovSpace:
    """An orthonormal basis of a block Krylov space and the matrix in it.

    Block Lanczos with full orthogonalisation, twice is enough.

    Parameters
    ----------
    product : callable
        Rows ``(k, n)`` to the matrix times them, ``(k, n)``.
    start : ndarray, shape (k, n)
        Need be neither orthogonal nor independent, but not all zero.

    Attributes
    ----------
    basis : ndarray, shape (m, n)
    matrix : ndarray, shape (m, m)
        The matrix between the basis vectors.
    coupling : ndarray, shape (k, m)
        What the matrix makes of the basis beyond it, in the next block. Of no
        rows when the space is invariant.

    References
    ----------
    G. H. Golub and R. Underwood, in Mathematical Software III (1977), p. 361.
    """

    def __init__(self, product, start):
        self._product = product
        self._store = np.empty((0, start.shape[1]))
        self._matrix = np.empty((0, 0))
        self.size = 0
        self._next, _ = _orthonormal_rows(start)
        self._last = np.empty((len(self._next), 0))

    @property
    def basis(self):
        return self._store[: self.size]

    @property
    def matrix(self):
        return self._matrix[: self.size, : self.size]

    @property
    def coupling(self):
        full = np.zeros((len(self._next), self.size))
        full[:, self.size - self._last.shape[1] :] = self._last
        return full

    @property
    def exhausted(self):
        """Whether the space is invariant."""
        return len(self._next) == 0

    def grow(self, size):
        """Add blocks until the basis has at least `size` vectors or is invariant."""
        self._reserve(size + len(self._next))
        while self.size < size and not self.exhausted:
            old, new = self.size, self.size + len(self._next)
            self._store[old:new] = self._next
            self.size = new
            block = self._product(self._store[old:new])
            scale = np.linalg.norm(block, axis=1).max()
            overlap = self.basis @ block.T
            block -= overlap.T @ self.basis
            block -= (self.basis @ block.T).T @ self.basis
            self._matrix[:new, old:new] = overlap
            self._matrix[old:new, :new] = overlap.T
            self._matrix[old:new, old:new] = 0.5 * (overlap[old:] + overlap[old:].T)
            self._next, self._last = _orthonormal_rows(block, scale)

    def _reserve(self, size):
        if size > len(self._store):
            store = np.empty((size, self._store.shape[1]))
            store[: self.size] = self.basis
            matrix = np.zeros((size, size))
            matrix[: self.size, : self.size] = self.matrix
            self._store, self._matrix = store, matrix


def _orthonormal_rows(rows, scale=None):
    """Orthonormal rows `q` and factor `r` with ``rows = r.T @ ...``; dependent rows drop out.

    Returns
    -------
    q : ndarray, shape (k, n)
    r : ndarray, shape (k, n_rows)
        ``rows.T`` is ``q.T @ r``.
    """
    if scale is None:
        scale = np.linalg.norm(rows, axis=1).max(initial=0.0)
    q = []
    r = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        row = row.copy()
        for _ in range(2):
            for j, other in enumerate(q):
                part = other @ row
                r[j, i] += part
                row -= part * other
        length = np.linalg.norm(row)
        if length > 1e-13 * scale:
            r[len(q), i] = length
            q.append(row / length)
    return np.array(q).reshape(len(q), rows.shape[1]), r[: len(q)]


def lowest_mode(product, n, threshold):
    """The lowest eigenvalue of a symmetric matrix, as far as its sign is wanted.

    Plain Lanczos from a random start. It ends as soon as a Ritz value is not
    above the threshold, or when an eigenvalue not above it would have been
    overlooked with a probability below `_RISK`, or after `_LONGEST` steps: the last
    word is the verification's.

    Parameters
    ----------
    product : callable
        A vector of shape (n,) to the matrix times it.
    n : int
    threshold : float
        Eigenvalues up to this one are looked for.

    Returns
    -------
    lowest : float
        The lowest Ritz value.
    vector : ndarray, shape (n,), or None
        Its vector, where the value is not above the threshold.

    References
    ----------
    J. Kuczynski and H. Wozniakowski, SIAM J. Matrix Anal. Appl. 13, 1094
    (1992), theorem 4.2.
    """
    start = np.random.default_rng(0).normal(size=n)
    diagonal, off, check = [], [], 20
    for _, a, b in _lanczos(product, start, _LONGEST):
        diagonal.append(a)
        off.append(b)
        k = len(diagonal)
        if k < check and k < _LONGEST and b > 0:
            continue
        check = 1.1 * k
        scale = max(np.abs(diagonal).max(), np.finfo(float).tiny)  # LAPACK's is absolute
        matrix = np.array(diagonal) / scale, np.array(off[:-1]) / scale
        values = scale * scipy.linalg.eigvalsh_tridiagonal(*matrix)
        ratio = (values[0] - threshold) / (values[-1] - threshold)
        if ratio <= 0 or 1.648 * np.sqrt(n) * np.exp(-np.sqrt(ratio) * (2 * k - 1)) < _RISK:
            break
    if values[0] > threshold:
        return float(values[0]), None
    _, parts = scipy.linalg.eigh_tridiagonal(*matrix, select="i", select_range=(0, 0))
    again = zip(parts[:, 0], _lanczos(product, start, k), strict=True)
    vector = sum(part * vector for part, (vector, _, _) in again)
    return float(values[0]), vector / np.linalg.norm(vector)


def softest_modes(potential, x, zero_modes, k):
    """The lowest eigenvalues of the Hessian and their vectors, by ARPACK.

    Parameters
    ----------
    potential : LandscapePotential
    x : ndarray, shape (n,)
    zero_modes : ndarray, shape (n, m)
        Orthonormal; left out.
    k : int

    Returns
    -------
    values : ndarray, shape (k,)
        To a hundredth.
    vectors : ndarray, shape (n, k)

    Raises
    ------
    scipy.sparse.linalg.ArpackNoConvergence
        If there are none of this accuracy after many steps.
    """

    n, done = x.size, count(1)

    def product(v):
        tell("softest modes", next(done))
        return potential.hessian_vector_product(x, np.ascontiguousarray(v.ravel()))

    start = np.random.default_rng(1).normal(size=n)
    shape = {"shape": (n, n), "dtype": float}
    plain = LinearOperator(matvec=product, **shape)
    large = 2 * eigsh(plain, 1, which="LM", v0=start, tol=0.1, return_eigenvectors=False)[0]
    lifted = LinearOperator(matvec=_lift(product, zero_modes, abs(large)), **shape)
    more = min(k + _SPARE, n - 1)
    values, vectors = eigsh(lifted, more, which="SA", v0=start, ncv=min(60 + 2 * more, n), tol=1e-2)
    return values[:k], vectors[:, :k]


def _lift(product, modes, large):
    """A symmetric matrix with the eigenvalue `large` on the span of some orthonormal modes."""

    def lifted(v):
        v = v.ravel()
        outside = v - modes @ (modes.T @ v)
        result = product(outside)
        return result - modes @ (modes.T @ result) + large * (v - outside)

    return lifted


def _lanczos(product, start, n_steps):
    """Yield the Lanczos vectors with their diagonal and next off-diagonal element."""
    vector, before, b = start / np.linalg.norm(start), 0.0, 0.0
    for _ in range(n_steps):
        new = product(vector) - b * before
        a = float(vector @ new)
        new -= a * vector
        b = float(np.linalg.norm(new))
        yield vector, a, b
        if b == 0:
            return
        vector, before = new / b, vector


class KrylovSpectrum:
    """Loss, gradient and the Hessian in a Krylov space of one point.

    Answers as `stationary.Spectrum` does, with Ritz values and vectors in
    place of the eigenvalues and -vectors. The space starts from the gradient
    and from the guesses of eigenvectors; it is built when first asked for and
    grows until the step taken in it is good enough (`refine`).

    Parameters
    ----------
    potential : LandscapePotential
    x : ndarray, shape (n,)
    zero_modes : ndarray, shape (n, k)
        Orthonormal; nothing here has a part along them.
    guesses : sequence of ndarray, shape (n,)
    rough_above : float
        Rms gradient above which products are in single precision, where the potential has
        that: the steps there are corrected by those that follow.

    Attributes
    ----------
    n_curvatures : int
        Products of the Hessian with a vector so far.
    """

    def __init__(self, potential, x, zero_modes, guesses=(), rough_above=np.inf):
        self.x = x
        self._potential, self._zero_modes = potential, zero_modes
        self._guesses = list(guesses)
        self.energy, self.gradient = potential.getEnergyGradient(x)
        self._multiplier = single(potential) if self.rms > rough_above else potential
        self.n_curvatures = 0
        self._space = None
        self._complete = None

    @property
    def rms(self):
        """Root mean square of the gradient."""
        return rms(self.gradient)

    @property
    def outgrown(self):
        """Whether the products cost more than the Hessian, where that can be factorised."""
        self._build()
        n = self.x.size
        return n <= EXACT_LIMIT and self._space.size > n // _PRODUCTS

    @property
    def eigenvalues(self):
        """The Ritz values, ascending."""
        self._build()
        return self._values

    physical = eigenvalues  # the zero modes are outside of the space

    @property
    def components(self):
        """The gradient in the Ritz vectors."""
        self._build()
        return self._components

    def project(self, vector):
        """A vector in the Ritz vectors, from shape (n,) to (m,)."""
        self._build()
        return self._vectors.T @ (self._space.basis @ vector)

    def expand(self, parts):
        """The reverse of `project`."""
        self._build()
        return (self._vectors @ parts) @ self._space.basis

    def vector(self, i):
        """Ritz vector `i`, shape (n,)."""
        self._build()
        return self._vectors[:, i] @ self._space.basis

    @property
    def index(self):
        """Number of Ritz values below zero; see `complete`."""
        return int((self.eigenvalues < -self._threshold).sum())

    @property
    def n_degenerate(self):
        """Number of Ritz values that vanish."""
        return int((np.abs(self.eigenvalues) <= self._threshold).sum())

    @property
    def _threshold(self):
        return ZERO * np.abs(self.eigenvalues).max()

    def errors(self, modes=slice(None)):
        """Energy error along some modes, and the largest component of the step along them.

        To both is added what the space has not resolved of the step.
        """
        values = np.where(self.eigenvalues == 0, np.finfo(float).tiny, self.eigenvalues)
        step = np.zeros(values.size)
        step[modes] = -self.components[modes] / values[modes]
        lowest = np.abs(values[modes]).min(initial=np.inf)
        left = self._beyond(step)
        error = 0.5 * float((step**2 * np.abs(values)).sum() + left**2 / lowest)
        return error, float(np.abs(self.expand(step)).max() + left / lowest)

    def newton_step(self):
        """Largest component of ``H^-1 g``, with what the space has not resolved of it added."""
        return self.errors()[1]

    is_stationary = Spectrum.is_stationary
    flat_gradient = Spectrum.flat_gradient
    is_flat = Spectrum.is_flat

    def refine(self, step, radius, followed=None, careful=False):
        """Enlarge the space if it does not resolve a step, and tell whether it did.

        Parameters
        ----------
        step : ndarray, shape (m,)
            In the Ritz vectors; what the Hessian makes of it beyond the space
            must be small against the gradient: a hundredth of it, or a
            half where the radius limits the step (R. S. Dembo, S. C.
            Eisenstat and T. Steihaug, SIAM J. Numer. Anal. 19, 400 (1982)).
        radius : float
        followed : int, optional
            A Ritz vector that must be an eigenvector to a tenth of its
            eigenvalue, or to a ten-thousandth of the largest; where the radius
            limits the step, to its eigenvalue or a hundredth of the largest.
        careful : bool
            Ask so much of the mode of any step: walks from a minimum lose it else.

        Returns
        -------
        bool
        """
        size = self._space.size
        if self._space.exhausted or size >= _LARGEST:
            return False
        limited = np.linalg.norm(step) > 0.99 * radius
        forcing, (own, of_largest) = _FORCING[not limited], _FOLLOWED[careful or not limited]
        enough = self._beyond(step) <= forcing * np.linalg.norm(self.gradient)
        if enough and followed is not None:
            value = abs(self._values[followed])
            mode = np.zeros(size)
            mode[followed] = 1.0
            largest = np.abs(self._values).max()
            enough = self._beyond(mode) <= max(own * value, of_largest * largest)
        if not enough:
            self._grow(int(_GROWTH * size))
        return not enough

    def polish(self, i):
        """Eigenvalue and -vector of Ritz vector `i` to the accuracy of the arithmetic.

        Parameters
        ----------
        i : int

        Returns
        -------
        eigenvalue : float
        eigenvector : ndarray, shape (n,)
        """
        vector = self.vector(i)
        for _ in range(20):
            space = KrylovSpace(self._product, vector[np.newaxis])
            size = _FIRST
            while True:
                space.grow(size)
                values, vectors = scipy.linalg.eigh(space.matrix, driver="evd")
                at = int(np.argmax(np.abs(vectors[0])))
                beyond = np.linalg.norm(space.coupling @ vectors[:, at])
                if beyond <= _POLISHED or space.exhausted or size >= _LARGEST:
                    break
                size = int(_GROWTH * size)
            vector = vectors[:, at] @ space.basis
            if beyond <= _POLISHED or space.exhausted:
                break
        return float(values[at]), vector

    def complete(self):
        """Whether no eigenvalue but those known is negative or zero.

        A Krylov space is blind to what its start has no part in. Up to
        `EXACT_LIMIT` parameters a Cholesky factorisation proves the sign of
        all eigenvalues: with the negative Ritz vectors lifted the Hessian is
        positive definite only if it has no more negative eigenvalues than
        these (Sylvester and Cauchy). Beyond that, the lowest eigenvalue is
        looked for from a random start, across the Ritz vectors that are accurate.
        A mode that is found joins the space.

        Returns
        -------
        bool
            False if a negative eigenvalue was found.
        """
        if self._complete is None:
            self._complete = self._look_for_more()
        return self._complete

    def _look_for_more(self):
        for _ in range(_MOST_VANISHING):
            known = [self.vector(i) for i in np.flatnonzero(self.eigenvalues <= self._threshold)]
            lifted = np.column_stack([self._zero_modes, *known])
            if self._no_more(lifted):
                return True
            lowest, vector = self._lowest_beyond(lifted)
            if vector is None:
                return True
            negative = lowest < -self._threshold
            self._guesses += [*known, vector]
            self._space = None
            if negative:
                return False
        return False

    def _lowest_beyond(self, lifted):
        """What `lowest_mode` finds across some orthonormal modes."""
        settled = self._settled()
        rest = np.delete(self.eigenvalues, settled)
        rest = rest[rest > self._threshold]  # the others are lifted as they are
        vectors = self._vectors[:, settled].T @ self._space.basis
        product = _lift(
            lambda v: self._product(v[np.newaxis])[0],
            np.column_stack([lifted, vectors.T]),
            np.abs(rest if rest.size else self.eigenvalues).max(),
        )
        return lowest_mode(product, self.x.size, self._threshold)

    def _settled(self):
        """Ritz vectors so accurate that a negative eigenvalue is sought across them alone.

        The Hessian has as many as the Schur complement across them, which is less than
        the Hessian there by no more than a little of what counts as zero. Without the
        stiffest modes that takes a Lanczos space far fewer vectors.
        """
        values = self.eigenvalues
        left = np.linalg.norm(self._space.coupling @ self._vectors, axis=0)
        positive = np.flatnonzero(values > self._threshold)
        difference = left[positive] ** 2 / values[positive]
        order = np.argsort(difference)
        return positive[order[np.cumsum(difference[order]) <= _UNSEEN * self._threshold]]

    def _no_more(self, lifted):
        if self.x.size > EXACT_LIMIT:
            return False
        hessian = lift_zero_modes(self._potential.getHessian(self.x), lifted)
        hessian.flat[:: len(hessian) + 1] -= self._threshold
        try:
            scipy.linalg.cholesky(hessian, lower=True, overwrite_a=True, check_finite=False)
        except scipy.linalg.LinAlgError:
            return False
        return True

    def _product(self, rows):
        self.n_curvatures += len(rows)
        tell("curvatures", self.n_curvatures, self.rms)
        try:
            products = self._multiplier.hessian_vector_product(self.x, rows)
        except InputError:  # too large, perhaps for single precision only
            products = self._potential.hessian_vector_product(self.x, rows)
        return self._outside_zero_modes(products)

    def _outside_zero_modes(self, rows):
        if self._zero_modes.shape[1] == 0:
            return rows
        return rows - (rows @ self._zero_modes) @ self._zero_modes.T

    def _build(self):
        if self._space is None:
            gradient = self._outside_zero_modes(self.gradient)
            length = np.linalg.norm(gradient)
            start = [gradient / length] if length > 0 else []
            guesses = [self._outside_zero_modes(v) for v in self._guesses]
            if not start and not guesses:
                guesses = [self._outside_zero_modes(np.ones(self.x.size))]
            self._space = KrylovSpace(self._product, np.array(start + guesses))
            self._grow(_FIRST)

    def _grow(self, size):
        self._space.grow(size)
        self._values, self._vectors = scipy.linalg.eigh(
            self._space.matrix, driver="evd", check_finite=False
        )
        self._components = self.project(self.gradient)

    def _beyond(self, parts):
        """Length of what the Hessian makes of a vector beyond the space."""
        self._build()
        return float(np.linalg.norm(self._space.coupling @ (self._vectors @ parts)))
