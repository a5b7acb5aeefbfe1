"""Certificates are held against stationary points that are known: exactly, or to 25 digits."""

from math import sqrt

import exact
import numpy as np
import pytest

import nnpotential as nnp
from nnpotential.balls import Ball
from nnpotential.contract import Enclosed, Enclosure
from nnpotential.verification.certificate import (
    CERTIFICATES,
    CERTIFIED,
    FAR,
    FLAT,
    OVERFLOW,
    UNSURE,
    WRONG,
    certify_point,
)

NEEDED = "python-flint is not installed: pip install 'nnpotential[certify]'"


class Cubic(Enclosure):
    """``x^3 / 3 - a x``: stationary at ``+-sqrt(a)``, and nowhere for a < 0.

    Kantorovich's condition is sharp on it: from 1, h = (1 - a) / 2.
    """

    zero_modes = np.zeros((1, 0))

    def __init__(self, a):
        self.a = a

    def at(self, x, radius):
        [x] = x
        # coarse, but no error: the tests say how near the edge they go
        energy = Ball(x**3 / 3 - self.a * x, 1e-15)
        return Enclosed(energy, Ball([x**2 - self.a], 1e-15), Ball([[2 * x]], 0.0), 2.0)

    def distance(self, x1, x2):
        return abs(x1 - x2)


class Quadratic(Enclosure):
    """``x^T H x / 2``, and the gradient at a point is as it is given."""

    def __init__(self, hessian, gradient, zero_modes=None, lipschitz=1.0):
        n = len(hessian)
        self.parts = Ball(np.array(hessian)), Ball(np.array(gradient)), lipschitz
        self.zero_modes = np.zeros((n, 0)) if zero_modes is None else zero_modes

    def at(self, x, radius):
        hessian, gradient, lipschitz = self.parts
        return Enclosed(Ball(0.0), gradient, hessian, lipschitz)

    def distance(self, x1, x2):
        return float(np.linalg.norm(x1 - x2))


@pytest.mark.parametrize("a", [0.999, 0.9, 0.5, 0.1, 0.001])
def test_a_point_that_is_certified_has_the_stationary_point_in_its_ball(a):
    found = certify_point(Cubic(a), np.array([1.0]), 0, reach=2.0)
    assert found.outcome == CERTIFIED
    assert abs(1 - sqrt(a)) <= found.radius
    assert found.kantorovich == pytest.approx((1 - a) / 2)
    low, high = found.energy
    assert low <= -2 / 3 * a**1.5 <= high


@pytest.mark.parametrize("a", [0.0, -1e-9, -0.1, -1.0])
def test_where_nothing_is_stationary_nothing_is_certified(a):
    found = certify_point(Cubic(a), np.array([1.0]), 0, reach=1e9)
    assert found.outcome == UNSURE
    assert "beta L eta = " in found.why
    assert found.energy == (-np.inf, np.inf)


class Parabola(Quadratic):
    """``x^2 / 2`` with a bound that is far too large, but a bound."""

    def __init__(self):
        super().__init__([[1.0]], [0.0], lipschitz=1e7)

    def at(self, x, radius):
        return Enclosed(Ball(x[0] ** 2 / 2, 1e-20), Ball(x), Ball([[1.0]]), 1e7)


def test_a_better_centre_is_looked_for_and_the_way_there_counts():
    found = certify_point(Parabola(), np.array([1e-7]), 0, reach=1e-6)
    assert found.outcome == CERTIFIED
    assert found.eta < 1e-20
    assert 1e-7 <= found.shift <= found.radius < 1.001e-7
    assert certify_point(Parabola(), np.array([1e-8]), 0, reach=1e-6).shift == 0
    # but not where it lies at the edge of what is wanted
    assert certify_point(Parabola(), np.array([1e-7]), 0, reach=1.9e-7).outcome == FAR


def test_a_ball_that_is_too_wide_is_none():
    found = certify_point(Cubic(0.5), np.array([1.0]), 0, reach=0.4)
    assert found.outcome == FAR
    assert found.why == "Newton step too long: 2 eta = 0.5"


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_the_index_is_that_of_the_hessian(index):
    rng = np.random.default_rng(0)
    V, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    H = V @ np.diag([-3.0, -1e-4, 2e-4, 1.0, 10.0, 1e3]) @ V.T
    found = certify_point(Quadratic((H + H.T) / 2, np.zeros(6)), np.zeros(6), index, reach=1e-6)
    assert found.outcome == (CERTIFIED if index == 2 else WRONG)
    assert found.index == 2
    assert index == 2 or found.why == "wrong index: 2"


def test_an_eigenvalue_below_rounding_is_not_decided():
    rng = np.random.default_rng(0)
    V, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    for small, outcome in ((1e-9, CERTIFIED), (1e-17, FLAT), (0.0, FLAT), (-1e-17, FLAT)):
        H = V @ np.diag([small, 1.0, 2.0, 3.0, 10.0, 1e3]) @ V.T
        problem = Quadratic((H + H.T) / 2, np.zeros(6), lipschitz=1e-9)
        assert certify_point(problem, np.zeros(6), 0, reach=1e-6).outcome == outcome
    assert certify_point(Quadratic([[0.0]], [0.0]), np.zeros(1), 0, reach=1e-6).outcome == FLAT


def test_errors_of_the_hessian_count():
    """An enclosure so wide that the index may be another one."""
    narrow, wide = Quadratic(np.diag([1.0, 1e-3]), np.zeros(2)), Quadratic(np.eye(2), np.zeros(2))
    wide.parts = Ball(np.diag([1.0, 1e-3]), 2e-3), *wide.parts[1:]
    assert certify_point(narrow, np.zeros(2), 0, reach=1e-6).outcome == CERTIFIED
    assert certify_point(wide, np.zeros(2), 0, reach=1e-6).outcome == FLAT


def test_zero_modes_are_held_and_do_not_count():
    mode = np.array([[1.0], [1.0], [0.0]])
    H = np.diag([1.0, 1.0, -2.0]) - 0.5 * mode @ mode.T
    assert np.abs(H @ mode).max() == 0
    gradient = np.array([1e-9, -1e-9, 0.0])
    found = certify_point(Quadratic(H, gradient, mode), np.zeros(3), 1, reach=1e-6)
    assert (found.outcome, found.index) == (CERTIFIED, 1)
    assert found.eta == pytest.approx(sqrt(2) * 1e-9)
    assert certify_point(Quadratic(H, gradient), np.zeros(3), 1, reach=1e-6).outcome == FLAT


def test_what_is_not_finite_is_refused():
    for H, g, L in (
        ([[np.inf]], [0.0], 1.0),
        ([[1.0]], [np.nan], 1.0),
        ([[1.0]], [0.0], np.inf),
    ):
        found = certify_point(Quadratic(H, g, lipschitz=L), np.zeros(1), 0, reach=1.0)
        assert found.outcome == OVERFLOW


def test_every_outcome_is_explained():
    assert {CERTIFIED, FAR, FLAT, OVERFLOW, UNSURE, WRONG} < set(CERTIFICATES)


# Networks


@pytest.fixture(scope="module")
def points(system, quenched, saddle_point):
    """Enclosure, points as the search leaves them, the same to 25 digits, their index."""
    pytest.importorskip("flint", reason=NEEDED)
    found = [(r.coords, 0) for r in quenched[:4]] + [(saddle_point.coords, 1)]
    return system.enclosure(), [(x, exact.converge(system, x), index) for x, index in found]


def test_the_true_point_lies_in_the_ball(system, points):
    enclosure, found = points
    for x, truth, index in found:
        certificate = certify_point(enclosure, x, index, system.scales.step)
        assert certificate.outcome == CERTIFIED
        # the true point is known up to its rounding to float64
        assert np.linalg.norm(x - truth) <= certificate.radius + 1e-16 * np.linalg.norm(x)
        low, high = certificate.energy
        assert high - low < 1e-14
        assert low - 1e-15 <= system.potential.getEnergy(truth) <= high + 1e-15


def test_a_point_moved_by_a_millionth_is_never_certified(system, points):
    enclosure, found = points
    rng = np.random.default_rng(0)
    for x, truth, index in found:
        _, vectors = np.linalg.eigh(system.potential.getHessian(x))
        ways = [*rng.normal(size=(4, x.size)), vectors[:, 0], vectors[:, -1], vectors[:, 1]]
        for way in ways:
            moved = truth + 1e-6 * way / np.linalg.norm(way)
            assert certify_point(enclosure, moved, index, system.scales.step).outcome == FAR


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-7, 4e-7, 1e-5, 1e-3])
def test_the_ball_of_a_moved_point_holds_the_true_one_or_is_none(system, points, size):
    enclosure, found = points
    rng = np.random.default_rng(1)
    certified = 0
    for x, truth, index in found:
        for way in rng.normal(size=(5, x.size)):
            moved = truth + size * way / np.linalg.norm(way)
            certificate = certify_point(enclosure, moved, index, system.scales.step)
            if certificate.outcome == CERTIFIED:
                certified += 1
                assert np.linalg.norm(moved - truth) <= certificate.radius
    assert certified == (25 if size < 5e-7 else 0)


def test_a_false_index_is_never_certified(system, points):
    enclosure, found = points
    for x, _, index in found:
        for other in {0, 1, 2, 3} - {index}:
            certificate = certify_point(enclosure, x, other, system.scales.step)
            assert (certificate.outcome, certificate.index) == (WRONG, index)


@pytest.mark.parametrize(
    "case",
    [
        {"sizes": [4, 4, 3], "regularize_bias": False},
        {"sizes": [4, 4, 3], "activation": "sigmoid", "regularize_bias": False},
        {"sizes": [4, 3, 3, 3]},
        {"sizes": [4, 3, 3], "activation": "softplus"},
        {"sizes": [4, 3, 3], "activation": "silu"},
        {"sizes": [4, 3, 3], "activation": "gelu", "bias": False},
        {"sizes": [4, 3]},
    ],
    ids=str,
)
def test_quenched_minima_of_all_kinds_are_certified(iris, case):
    pytest.importorskip("flint", reason=NEEDED)
    options = {"activation": "tanh", "bias": True, "regularize_bias": True, **case}
    net = nnp.MLP(options["sizes"], options["activation"], options["bias"])
    system = nnp.NNSystem(
        net, iris, regularization=1e-3, regularize_bias=options["regularize_bias"]
    )
    enclosure, minimize = system.enclosure(), system.get_minimizer()
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = minimize(net.random_parameters(rng)).coords
        found = certify_point(enclosure, x, 0, system.scales.step)
        assert found.outcome == CERTIFIED, found.why
