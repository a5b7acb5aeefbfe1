"""The proof that a stationary point of a given index lies within a stated distance.

Newton-Kantorovich: let g and H be gradient and Hessian at x, beta a bound on
``|H^-1|``, eta on ``|H^-1 g|``, and L a Lipschitz constant of the Hessian. If
``h = beta L eta < 1/2``, there is one and only one stationary point within 2 eta
of x. Nothing here is estimated: float64 eigenvectors V serve as an approximation
that is verified afterwards. With ``V^T H V = D + E`` enclosed, D its diagonal, and
``|1 - V^T V| <= delta < 1``,

- V is invertible, so H has as many negative eigenvalues as ``D + E`` (Sylvester);
  these are as many as D has where ``q = |D^-1 E| < 1``, since no ``D + t E`` with
  0 <= t <= 1 is singular;
- ``beta <= (1 + delta) / ((1 - q) min |D|)`` and
  ``eta <= sqrt(1 + delta) |D^-1 V^T g| / (1 - q)``;
- as ``beta L 2 eta < 1``, no Hessian in the ball is singular: all have that index,
  that of the stationary point as well.

Where the point itself does not fulfil the condition, the centre of the ball is a point
some Newton steps away, and the way there adds to the radius.

Along a zero mode u nothing is stationary by itself. A gauge ``m (u.(y - x))^2 / 2``
is added: the energy has no gradient along u, so what is stationary then is stationary
without it, on the slice through x, and H gains but the eigenvalue ``m |u|^2``.

References
----------
L. V. Kantorovich, Dokl. Akad. Nauk SSSR 59, 1237 (1948); J. M. Ortega, Am. Math.
Mon. 75, 658 (1968); D. Mehta, J. D. Hauenstein and D. J. Wales, J. Chem. Phys. 138,
171101 (2013), who certified stationary points of polynomials.
"""

from dataclasses import dataclass

import numpy as np

from ..balls import Ball, rounded_up

__all__ = [
    "CERTIFICATES",
    "CERTIFIED",
    "FAR",
    "FLAT",
    "LIKE",
    "OVERFLOW",
    "UNSURE",
    "WRONG",
    "Certificate",
    "certify_point",
]

_STEPS = 3  # of Newton, where a point as it is stored cannot be certified

CERTIFIED, LIKE = "certified", "not told apart"
FAR, FLAT, OVERFLOW = "Newton step too long", "curvature too small", "out of range"
UNSURE, WRONG = "beyond Kantorovich", "wrong index"
CERTIFICATES = {
    CERTIFIED: "exists near by, with its index, and is an image of no other",
    UNSURE: "beta L eta is not below 1/2: the Hessian may change too fast for the Newton step",
    FAR: "the ball, 2 eta, is wider than a tenth of the identity tolerance",
    FLAT: "an eigenvalue of the Hessian that rounding cannot tell from zero",
    WRONG: "has another number of negative eigenvalues, proved",
    OVERFLOW: "numbers too large for double precision",
    LIKE: "may be an image of another one: neither losses nor distance tell them apart",
}


@dataclass(frozen=True)
class Certificate:
    """What is proved of one point.

    Parameters
    ----------
    outcome : str
        A key of `CERTIFICATES`; those but the first say why there is no proof.
    index : int or None
        Negative eigenvalues of the Hessian, proved where it is not None.
    beta, eta, lipschitz : float
        Bounds on the inverse Hessian, the Newton step, and how fast the Hessian
        changes.
    shift : float
        Bound on the distance of the centre, for which they hold, from the point: 0
        where the point itself will do.
    energy : (float, float)
        The energy of the stationary point lies in between.
    """

    outcome: str
    index: int | None = None
    beta: float = np.inf
    eta: float = np.inf
    lipschitz: float = np.inf
    shift: float = 0.0
    energy: tuple = (-np.inf, np.inf)

    @property
    def radius(self):
        """Bound on the distance of the stationary point."""
        return rounded_up(self.shift + 2 * self.eta)

    @property
    def kantorovich(self):
        """``beta L eta``, which must be below 1/2."""
        return rounded_up(self.beta * self.lipschitz * self.eta)

    @property
    def why(self):
        """The outcome with the number that decided it."""
        return {
            UNSURE: f"{UNSURE}: beta L eta = {self.kantorovich:.2g}",
            FAR: f"{FAR}: 2 eta = {self.radius:.2g}",
            WRONG: f"{WRONG}: {self.index}",
        }.get(self.outcome, self.outcome)


def certify_point(enclosure, x, index, reach):
    """Prove, if possible, that a stationary point of this index lies near by.

    Parameters
    ----------
    enclosure : Enclosure
    x : ndarray, shape (n,)
    index : int
        Number of negative eigenvalues that it should have.
    reach : float
        The ball must not be larger, nor is what it says of other points any use.

    Returns
    -------
    Certificate
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        own, step = _judge(enclosure, x, 0.0, index, reach)
        found, centre = own, x
        for _ in range(_STEPS):
            if found.outcome != UNSURE:
                break
            # with the gradient in more digits this may come nearer than the search did
            centre = centre - step
            found, step = _judge(enclosure, centre, (Ball(centre) - x).norm(), index, reach)
    return found if found.outcome == CERTIFIED else own


def _judge(enclosure, x, shift, index, reach):
    """The certificate by a ball around `x`, and the Newton step there, or None."""
    found, zero_modes = enclosure.at(x, reach), enclosure.zero_modes
    hessian, lipschitz = found.hessian, found.lipschitz
    balls = hessian, found.gradient, found.energy
    numbers = (*(part for ball in balls for part in (ball.mid, ball.rad)), lipschitz)
    if not all(np.isfinite(part).all() for part in numbers):
        return Certificate(OVERFLOW), None
    size = hessian.norm()
    if zero_modes.shape[1]:
        # a power of two, so that the product is exact; about as large as the Hessian
        height = 2.0 ** np.round(np.log2(size / (zero_modes**2).sum(axis=0).max()))
        hessian = hessian + Ball(height * zero_modes) @ zero_modes.T
    _, V = np.linalg.eigh((hessian.mid + hessian.mid.T) / 2)
    V = Ball(V)
    delta = (V.T @ V - np.eye(len(V.mid))).norm()
    turned = V.T @ (hessian @ V)
    diagonal = turned.mid.diagonal()
    least = np.abs(diagonal)
    if not (delta < 0.5 and least.min() > 0):
        return Certificate(FLAT), None
    rest = Ball(turned.mid - np.diag(diagonal), turned.rad).upper / least[:, np.newaxis]
    q = Ball(rest).norm()
    if not q < 0.5:
        return Certificate(FLAT), None
    # 1 / (1 - q) with 1 - q rounded down: q carries a slack far above one rounding
    inverse = rounded_up(1 / (1 - rounded_up(q)))
    beta = float(rounded_up((1 + delta) * inverse / least.min()))
    along = V.T @ found.gradient.reshape(-1, 1)
    length = Ball(rounded_up(along.upper[:, 0] / least)).norm()
    eta = float(rounded_up(np.sqrt(1 + delta) * length * inverse))
    # expanded about the stationary point, where no gradient is
    drift = rounded_up((size + 2 * lipschitz * eta) * 2 * eta**2) + found.energy.rad
    energy = tuple(
        float(np.nextafter(found.energy.mid + side * drift, side * np.inf)) for side in (-1, 1)
    )
    number = int((diagonal < 0).sum())
    certificate = Certificate(CERTIFIED, number, beta, eta, lipschitz, shift, energy)
    if number != index:
        outcome = WRONG
    elif not certificate.radius <= reach:
        outcome = FAR
    elif not certificate.kantorovich < 0.5:
        outcome = UNSURE
    else:
        return certificate, None
    step = V.mid @ (along.mid[:, 0] / diagonal)
    return Certificate(outcome, number, beta, eta, lipschitz, shift), step
