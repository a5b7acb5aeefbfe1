"""Certificates of the landscapes that are known exactly."""

from itertools import combinations

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import nnpotential as nnp
from nnpotential.verification.certificate import CERTIFIED, WRONG, certify_point

pytest.importorskip(
    "flint", reason="python-flint is not installed: pip install 'nnpotential[certify]'"
)

SYSTEMS = {
    "autoencoder": nnp.LinearAutoencoder(),
    "another": nnp.LinearAutoencoder((5.0, 1.1, 0.9, 0.2), 0.4),
    "egg box": nnp.EggBox(),
}


def autoencoder(system, x):
    s, weight = [mpf(v) for v in system.variances], mpf(system.regularization)
    a, b = x[: len(s)], x[len(s) :]
    saa = sum(v * p * p for v, p in zip(s, a, strict=True))
    sab = sum(v * p * q for v, p, q in zip(s, a, b, strict=True))
    return sum(s) - 2 * sab + saa * sum(q * q for q in b) + weight * sum(v * v for v in x)


def egg_box(system, x):
    axes = zip(system.depths, system.tilts, x, strict=True)
    return sum(mpf(d) * mpmath.sin(v) ** 2 + mpf(t) * mpmath.sin(v / 2) ** 2 for d, t, v in axes)


@pytest.fixture(params=SYSTEMS, ids=str)
def system(request):
    return SYSTEMS[request.param]


def exact_energy(system):
    return egg_box if isinstance(system, nnp.EggBox) else autoencoder


def test_all_points_on_paper_are_certified_with_their_energy_and_index(system):
    enclosure = system.enclosure()
    for point in system.stationary_points():
        found = certify_point(enclosure, point.x, point.index, system.scales.step)
        assert found.outcome == CERTIFIED
        assert found.index == point.index
        low, high = found.energy
        rounding = 4e-16 * max(1.0, point.energy)  # of the formula in double precision
        assert low - rounding <= point.energy <= high + rounding
        assert high - low < 3e-14
        assert found.radius < 1e-14
        wrong = certify_point(enclosure, point.x, point.index + 1, system.scales.step)
        assert wrong.outcome == WRONG


def test_points_moved_by_a_millionth_are_not_certified(system):
    enclosure, rng = system.enclosure(), np.random.default_rng(0)
    for point in system.stationary_points():
        way = rng.normal(size=point.x.size)
        moved = point.x + 1e-6 * way / np.linalg.norm(way)
        assert certify_point(enclosure, moved, point.index, system.scales.step).outcome != CERTIFIED
        near = point.x + 1e-8 * way / np.linalg.norm(way)
        found = certify_point(enclosure, near, point.index, system.scales.step)
        assert found.outcome == CERTIFIED
        assert np.linalg.norm(near - point.x) <= found.radius


def test_all_are_proved_different_and_their_images_are_not(system):
    enclosure, points = system.enclosure(), [p.x for p in system.stationary_points()]
    for x1, x2 in combinations(points, 2):
        nearest, _ = system.identity.align(x1, x2)
        assert 0 < enclosure.distance(x1, x2) <= nearest
        assert enclosure.distance(x1, x2) == pytest.approx(nearest, rel=1e-6)
    for x in points:
        assert enclosure.distance(x, -x) == 0
    if isinstance(system, nnp.EggBox):
        assert enclosure.distance(points[3], points[3] + 2 * np.pi * np.array([3, -2, 1])) == 0


def test_derivatives_contain_those_of_sixty_digits(system):
    rng, energy = np.random.default_rng(1), exact_energy(system)
    for _ in range(3):
        x = rng.normal(size=system.n_dof)
        found = system.enclosure().at(x, 1e-6)
        with mpmath.workdps(60):
            h, n = mpf(10) ** -15, x.size
            exact = [mpf(float(v)) for v in x]

            def at(*moves, exact=exact):
                moved = list(exact)
                for i, step in moves:
                    moved[i] += step
                return energy(system, moved)

            slack = mpf(10) ** -24
            assert abs(at() - float(found.energy.mid)) <= float(found.energy.rad)
            for i in range(n):
                slope = (at((i, h)) - at((i, -h))) / (2 * h)
                assert abs(slope - found.gradient.mid[i]) <= found.gradient.rad[i] + slack
                for j in range(n):
                    curve = at((i, h), (j, h)) - at((i, h), (j, -h))
                    curve = (curve - at((i, -h), (j, h)) + at((i, -h), (j, -h))) / (4 * h * h)
                    assert abs(curve - found.hessian.mid[i, j]) <= found.hessian.rad[i, j] + slack


def test_the_lipschitz_constant_bounds_differences_of_hessians(system):
    rng, radius = np.random.default_rng(2), 0.5
    steepest = []
    for _ in range(20):
        x = rng.normal(size=system.n_dof)
        bound = system.enclosure().at(x, radius).lipschitz
        here = system.potential.getHessian(x)
        for _ in range(50):
            step = rng.normal(size=x.size)
            step *= radius * rng.uniform() / np.linalg.norm(step)
            gap = system.potential.getHessian(x + step) - here
            steepest.append(np.linalg.norm(gap, 2) / np.linalg.norm(step) / bound)
    assert 0.2 < max(steepest) <= 1
