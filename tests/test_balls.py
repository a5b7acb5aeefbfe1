import sys
from fractions import Fraction

import numpy as np
import pytest

from nnpotential import InputError
from nnpotential.balls import Ball, arb_product, arb_sum, flint, norm_bound, of_arbs, to_arbs

NEEDED = "python-flint is not installed: pip install 'nnpotential[certify]'"


def exactly(values):
    return np.vectorize(Fraction, otypes=[object])(values)


def holds(ball, exact):
    """Whether all entries lie within, compared without rounding."""
    return bool((abs(exactly(ball.mid) - exact) <= exactly(ball.rad)).all())


def wide(rng, *shape):
    """Numbers of very different size."""
    return rng.normal(size=shape) * 10.0 ** rng.integers(-12, 12, shape)


@pytest.mark.parametrize("seed", range(5))
def test_sums_and_products_contain_the_exact_ones(seed):
    rng = np.random.default_rng(seed)
    a, b = wide(rng, 6, 9), wide(rng, 6, 9)
    A, B = exactly(a), exactly(b)
    assert holds(Ball(a) + b, A + B)
    assert holds(Ball(a) - Ball(b), A - B)
    assert holds(b - Ball(a), B - A)
    assert holds(Ball(a) * b, A * B)
    assert holds(Ball(a) @ b.T, A.dot(B.T))
    assert holds(a.T @ Ball(b), A.T.dot(B))
    assert holds(Ball(a).sum(axis=1), A.sum(axis=1))
    # what the rounding of these really was is not thrown away by bounds that are far too wide
    assert (Ball(a) @ b.T).rad.max() < 1e-13 * (np.abs(a) @ np.abs(b.T)).max()


@pytest.mark.parametrize("corner", [-1, 1])
def test_members_of_balls_give_members_of_the_result(corner):
    rng = np.random.default_rng(0)
    mids, rads = rng.normal(size=(2, 5, 5)), rng.uniform(0, 0.1, (2, 5, 5))
    one, two = (Ball(m, r) for m, r in zip(mids, rads, strict=True))
    results = one + two, one - two, one * two, one @ two, -one, one.T @ two
    for _ in range(200):
        # at corners of the boxes, where the results are extreme
        signs = rng.choice([-1, 1], (2, 5, 5)) if corner > 0 else rng.uniform(-1, 1, (2, 5, 5))
        A, B = (
            exactly(m) + exactly(s * r) for m, r, s in zip(mids, 0.999 * rads, signs, strict=True)
        )
        members = A + B, A - B, A * B, A.dot(B), -A, A.T.dot(B)
        assert all(holds(r, m) for r, m in zip(results, members, strict=True))


def test_a_product_that_underflows():
    a = np.full((1, 4), 1e-200)
    assert holds(Ball(a) @ a.T, exactly(a).dot(exactly(a).T))
    assert Ball(a).norm() >= 2e-200


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (20, 5), (30, 30)])
def test_the_bound_on_a_norm_is_above_it_and_near(shape):
    matrix = np.random.default_rng(1).normal(size=shape)
    norm = np.linalg.norm(matrix, 2)
    assert norm <= norm_bound(matrix) <= 1.06 * norm
    assert norm_bound(1e-300 * matrix) >= 1e-300 * norm
    assert norm_bound(0 * matrix) < 1e-70


def test_a_norm_of_what_is_not_finite():
    assert Ball(np.array([1.0, np.inf])).norm() == np.inf
    assert Ball(np.array([1.0, np.nan])).norm() == np.inf
    assert Ball(np.array([1.0]), np.inf).norm() == np.inf


def test_numbers_go_to_arb_and_back():
    pytest.importorskip("flint", reason=NEEDED)
    values = wide(np.random.default_rng(2), 4, 3)
    with flint().ctx.workprec(128):
        assert holds(of_arbs(to_arbs(values)), exactly(values))
        third = of_arbs(to_arbs(values) / 3)
        product = of_arbs(arb_product(to_arbs(values), to_arbs(values.T)))
        total = of_arbs(np.array(arb_sum(to_arbs(values))))
    assert holds(third, exactly(values) / 3)
    assert holds(product, exactly(values).dot(exactly(values).T))
    assert holds(total, exactly(values).sum())
    assert third.rad.max() <= 1e-15 * np.abs(values).max()


def test_without_python_flint_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(InputError, match=r"pip install 'nnpotential\[certify\]'"):
        flint()
