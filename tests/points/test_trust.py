"""Steps within a trust radius are the best ones."""

import numpy as np
import pytest

from nnpotential.points.trust import TrustRadius, trust_region_step, trust_region_step_of_matrix


@pytest.mark.parametrize("case", range(30))
def test_trust_region_step_minimises_the_model(case):
    """No point of a fine sample of the sphere and its inside has a lower model value."""
    rng = np.random.default_rng(case)
    values = np.sort(rng.normal(size=3) * 10.0 ** rng.integers(-3, 3, size=3))
    components = rng.normal(size=3)
    if case % 3 == 0:
        components[0] = 0.0  # the hard case
    if case == 3:
        components[:] = 0.0
    radius = 10.0 ** rng.uniform(-2, 1)
    step = trust_region_step(values, components, radius)
    assert np.linalg.norm(step) <= radius * (1 + 1e-9)

    def model(h):
        return h @ components + 0.5 * h**2 @ values

    directions = rng.normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    lengths = radius * rng.uniform(size=(4000, 1)) ** (1 / 3)
    lengths[::2] = radius
    lowest = model(directions * lengths).min()
    # the root for the shift is found to 1e-3, which costs that share of the gain
    assert model(step) <= lowest + 2e-3 * abs(lowest)


def hessian_of(values, rng):
    """A matrix with these eigenvalues, and its eigenvectors."""
    vectors = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    return (vectors * values) @ vectors.T, vectors


@pytest.mark.parametrize("lowest", [-1.0, -1e-3, 1e-3, 1.0])
@pytest.mark.parametrize("radius", [1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_step_of_a_matrix_is_that_in_its_eigenbasis(lowest, radius, seed):
    """The best one of its length, which is the radius to a fifth."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([[lowest], np.abs(lowest) + rng.exponential(size=9)])
    H, vectors = hessian_of(values, rng)
    g = rng.normal(size=10)
    step, predicted, definite, full, _ = trust_region_step_of_matrix(H, g, radius)
    length = np.linalg.norm(step)
    newton = -np.linalg.solve(H, g)
    within = lowest > 0 and np.linalg.norm(newton) <= 1.2 * radius
    assert definite == (lowest > 0)
    assert full == within
    if within:
        assert step == pytest.approx(newton, rel=1e-9)
    else:
        assert 0.8 * radius <= length * (1 + 1e-9) <= 1.2 * radius * (1 + 2e-9)
    assert predicted == pytest.approx(g @ step + 0.5 * step @ H @ step, rel=1e-9)
    best = trust_region_step(values, vectors.T @ g, length)
    lowest_value = vectors.T @ g @ best + 0.5 * best**2 @ values
    assert predicted <= lowest_value + 2e-3 * abs(lowest_value)


def test_a_first_guess_where_there_is_no_gradient():
    step = trust_region_step_of_matrix(np.eye(3), np.zeros(3), 1.0, 0.5)
    assert step.full and step.definite and not step.vector.any()
    saddle = np.diag([-1.0, 1.0, 2.0])
    step = trust_region_step_of_matrix(saddle, np.zeros(3), 0.5, 1.5)
    assert np.abs(step.vector) == pytest.approx([0.5, 0, 0])


@pytest.mark.parametrize("lowest", [-1.0, -1e-3, 1e-3, 1.0])
@pytest.mark.parametrize("guess", [1e-6, 1e-2, 1.0, 1e3])
@pytest.mark.parametrize("radius", [1e-3, 0.1, 10.0])
def test_a_first_guess_of_the_shift_changes_no_step(lowest, guess, radius):
    """But for the fifth by which its length may differ."""
    rng = np.random.default_rng(1)
    values = np.concatenate([[lowest], np.abs(lowest) + rng.exponential(size=9)])
    H, vectors = hessian_of(values, rng)
    g = rng.normal(size=10)
    plain = trust_region_step_of_matrix(H, g, radius)
    guessed = trust_region_step_of_matrix(H, g, radius, guess)
    assert guessed.definite in (None, lowest > 0)
    length = np.linalg.norm(guessed.vector)
    if plain.full and not guessed.full:
        assert length >= 0.8 * radius
    elif guessed.full:
        assert guessed.vector == pytest.approx(plain.vector, rel=1e-9)
    else:
        assert 0.8 * radius <= length * (1 + 1e-9) <= 1.2 * radius * (1 + 2e-9)
    best = trust_region_step(values, vectors.T @ g, length)
    lowest_value = vectors.T @ g @ best + 0.5 * best**2 @ values
    assert guessed.predicted <= lowest_value + 2e-3 * abs(lowest_value)
    along = guessed.vector
    assert guessed.predicted == pytest.approx(g @ along + 0.5 * along @ H @ along, rel=1e-9)


@pytest.mark.parametrize("radius", [0.1, 1.0, 10.0])
def test_on_a_saddle_without_gradient_along_it_the_step_goes_down(radius):
    """The hard case: no shift gives a step of the right length."""
    rng = np.random.default_rng(0)
    values = np.array([-0.5, 1.0, 2.0, 3.0])
    H, vectors = hessian_of(values, rng)
    components = np.array([0.0, 1e-3, -1e-3, 2e-3])
    found = trust_region_step_of_matrix(H, vectors @ components, radius)
    step, predicted, definite, full, _ = found
    assert not definite and not full
    along = vectors.T @ step
    assert np.linalg.norm(step) == pytest.approx(radius)
    # the shift is that of the lowest mode, which takes up the rest
    assert along[1:] == pytest.approx(-components[1:] / (values[1:] + 0.5), rel=1e-5)
    assert predicted == pytest.approx(components @ along + 0.5 * along**2 @ values)
    exactly = trust_region_step(values, components, radius)
    assert np.abs(exactly) == pytest.approx(np.abs(along), rel=1e-5)


def test_without_any_gradient_or_curvature():
    """Nowhere to go: down the lowest mode of a saddle, and not at all in a minimum."""
    zero = np.zeros(3)
    assert np.array_equal(trust_region_step(np.ones(3), zero, 1.0), zero)
    assert np.abs(trust_region_step(np.array([-1.0, 1.0, 2.0]), zero, 0.5)) == pytest.approx(
        [0.5, 0, 0]
    )
    step, predicted, definite, full, _ = trust_region_step_of_matrix(np.eye(3), zero, 1.0)
    assert np.array_equal(step, zero) and predicted == 0 and definite and full


def test_the_radius_learns():
    trust = TrustRadius(1.0, 4.0, shrink=0.25, grow=2.0)
    for length, wrong, right, radius in (
        (1.0, False, True, 2.0),
        (1.0, False, True, 2.0),  # a short step says nothing of the radius
        (1.9, False, False, 2.0),
        (2.0, False, True, 4.0),
        (4.0, False, True, 4.0),  # never beyond the largest
        (2.0, True, False, 0.5),  # of the step that was wrong, not of the radius
    ):
        trust.judge(length, wrong=wrong, right=right)
        assert trust.radius == radius
