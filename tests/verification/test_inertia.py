"""How many curvatures are negative: against known spectra, by proof and by certificate."""

import numpy as np
import pytest
from surfaces import Quadratic

from nnpotential.verification.inertia import (
    Curvature,
    NegativeCurvatureError,
    conjugate_gradients,
    overlooked,
)


@pytest.mark.parametrize("limit", [0, 10**6])
@pytest.mark.parametrize(
    ("lowest", "index", "outcome"),
    [
        ([1e-3, 1e-3, 2e-3], 0, "ok"),
        ([1e-3, 1e-3, 2e-3], 1, "wrong index"),
        ([-1e-6, 1e-3, 1e-3], 0, "wrong index"),
        ([-1e-6, 1e-3, 1e-3], 1, "ok"),
        ([-1e-3, -1e-6, 1e-3], 0, "wrong index"),
        ([-1e-3, -1e-6, 1e-3], 1, "wrong index"),
        ([-1e-3, 1e-11, 1e-3], 1, "degenerate"),
        ([-1e-3, -1e-11, 1e-3], 1, "degenerate"),
        ([1e-11, 1e-3, 1e-3], 0, "degenerate"),
    ],
)
def test_index_of_known_spectra(lowest, index, outcome, limit):
    values = np.concatenate([lowest, np.geomspace(2e-3, 1.0, 197)])
    potential = Quadratic(values)
    curvature = Curvature(potential, np.zeros(200), np.empty((200, 0)), proof_limit=limit)
    judged, size, mode = curvature.judge(index)
    assert judged == outcome
    if outcome == "ok":
        b = np.random.default_rng(0).normal(size=200)
        expected = potential.basis @ ((potential.basis.T @ b) / np.abs(values))
        assert np.abs(size(b) - expected).max() < 1e-2 * np.abs(expected).max()
    if outcome == "ok" and index == 1:
        assert abs(mode @ potential.basis[:, 0]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("limit", [0, 10**6])
@pytest.mark.parametrize(
    ("lowest", "outcome"),
    [
        ([-1e-6, 1e-3], "ok"),
        ([1e-6, 1e-3], "wrong index"),
        ([-1e-3, -1e-6], "wrong index"),
        ([-1e-3, -1e-11], "degenerate"),
    ],
)
def test_a_mode_that_is_offered_is_not_believed(lowest, outcome, limit):
    values = np.concatenate([lowest, np.geomspace(2e-3, 1.0, 198)])
    potential = Quadratic(values)
    one, two = potential.basis.T[:2]
    offered = one, -3 * one, two, one + two, potential.basis[:, -1], 0 * one, np.nan * one, one[1:]
    other_types = one.astype(object), one.astype(complex), one.astype(str), [[1], []]
    for mode in offered + other_types:
        curvature = Curvature(potential, np.zeros(200), np.empty((200, 0)), proof_limit=limit)
        judged, _, found = curvature.judge(1, mode)
        assert judged == outcome
        if outcome == "ok":
            assert abs(found @ one) == pytest.approx(1, abs=1e-6)


def test_a_rough_mode_that_is_offered_hides_no_small_positive_eigenvalue():
    values = np.concatenate([[-1.0, 5e-9], np.geomspace(0.1, 1.0, 18)])
    potential = Quadratic(values)
    mode = potential.basis @ np.array([1, 0.99e-4] + 18 * [0])
    curvature = Curvature(potential, np.zeros(20), np.empty((20, 0)))
    assert curvature.judge(1, mode)[0] == curvature.judge(1)[0] == "ok"


@pytest.mark.parametrize(
    ("lowest", "index", "outcome"),
    [
        (5e-9, 0, "ok"),
        (-5e-9, 1, "ok"),
        (-5e-9, 0, "wrong index"),
        (5e-9, 1, "wrong index"),
        (5e-10, 0, "degenerate"),
        (-5e-10, 1, "degenerate"),
    ],
)
def test_what_counts_as_zero_is_told_by_the_largest_eigenvalue(lowest, index, outcome):
    """Not by the norm of the Hessian, here fourteen times as large."""
    potential = Quadratic(np.concatenate([[lowest], np.ones(199)]))
    curvature = Curvature(potential, np.zeros(200), np.empty((200, 0)))
    assert curvature.judge(index)[0] == outcome


@pytest.mark.parametrize("limit", [0, 10**6])
@pytest.mark.parametrize("values", [np.ones(50), np.eye(50)[0], -np.geomspace(1e-3, 1, 50)])
def test_whether_curvatures_exceed_a_level(values, limit):
    potential = Quadratic(values)
    curvature = Curvature(potential, np.zeros(50), np.empty((50, 0)), proof_limit=limit)
    for level in (0.0, 0.01, 0.1, 0.5, 0.99, 1.01, 2.0, 6.0, 8.0, 100.0):
        assert curvature.exceeds(level) == (level < 1)


def test_known_zero_modes_are_left_out():
    values = np.concatenate([[0.0, 1e-3], np.geomspace(1e-3, 1.0, 98)])
    potential = Quadratic(values)
    for limit in (0, 10**6):
        curvature = Curvature(potential, np.zeros(100), potential.basis[:, :1], proof_limit=limit)
        assert curvature.judge(0)[0] == "ok"


def test_stated_risk_bounds_what_is_overlooked():
    """Runs cut short: a negative eigenvalue is missed no more often than stated."""
    n, steps = 400, 40
    values = np.concatenate([[-0.01], np.linspace(0.0, 1.0, n - 1)])
    missed = []
    for seed in range(200):
        b = np.random.default_rng(seed).normal(size=n)
        space = np.linalg.qr(_krylov(values, b, steps))[0]
        ritz = np.linalg.eigvalsh(space.T @ (values[:, np.newaxis] * space))
        missed.append(ritz[0] + 0.01)
    width = 1.01
    for share in (0.02, 0.05, 0.1):
        often = np.mean(np.array(missed) > share * width)
        assert often <= overlooked(n, share, steps) + 0.02


def _krylov(values, b, steps):
    columns = [b / np.linalg.norm(b)]
    for _ in range(steps - 1):
        new = values * columns[-1]
        for _ in range(2):
            for c in columns:
                new = new - (c @ new) * c
        columns.append(new / np.linalg.norm(new))
    return np.array(columns).T


def test_conjugate_gradients():
    good = Quadratic(np.geomspace(1e-2, 1.0, 50))
    b = np.random.default_rng(0).normal(size=50)
    s = conjugate_gradients(lambda v: good.hessian @ v, b, 1e-10)
    assert np.abs(good.hessian @ s - b).max() < 1e-8
    assert conjugate_gradients(lambda v: good.hessian @ v, b, longest=1.0) is None
    bad = Quadratic(np.concatenate([[-0.1], np.geomspace(1e-2, 1.0, 49)]))
    with pytest.raises(NegativeCurvatureError):
        conjugate_gradients(lambda v: bad.hessian @ v, b)
