"""The search from products with vectors, against the dense one."""

from types import SimpleNamespace

import numpy as np
import pytest
from surfaces import Quadratic

import nnpotential.points.connect
import nnpotential.points.krylov
import nnpotential.points.quench
import nnpotential.points.saddle
from nnpotential import MLP, Dataset, InputError, NNSystem
from nnpotential.contract import Scales
from nnpotential.points.krylov import KrylovSpectrum, lowest_mode, softest_modes
from nnpotential.points.newton import newton
from nnpotential.points.quench import quench
from nnpotential.points.saddle import descend, find_transition_state
from nnpotential.points.stationary import spectrum
from nnpotential.verification.verify import follow_gradient

# The search, matrix-free against dense


@pytest.mark.parametrize(
    ("loss", "activation", "regularize_bias"),
    [
        ("cross_entropy", "tanh", True),
        ("cross_entropy", "sigmoid", False),
        ("cross_entropy", "tanh", False),
        ("squared_error", "tanh", True),
    ],
)
def test_newton_reaches_the_minimum_of_the_dense_one(
    iris, monkeypatch, loss, activation, regularize_bias
):
    if loss == "squared_error":
        one_hot = np.eye(3)
        iris = Dataset(iris.X_train, one_hot[iris.y_train], iris.X_test, one_hot[iris.y_test])
    system = NNSystem(
        MLP([4, 4, 3], activation), iris, regularization=1e-3, regularize_bias=regularize_bias
    )
    pot, zero = system.potential, system.identity.zero_modes()
    assert zero.shape[1] == (loss == "cross_entropy" and not regularize_bias)
    for seed in range(3):
        start = system.net.random_parameters(np.random.default_rng(seed))
        dense = quench(start, pot, zero, lbfgs_tol=1e-6)
        with monkeypatch.context() as patch:
            patch.setattr(nnpotential.contract, "KRYLOV_LIMIT", 0)
            # products with vectors alone, or the Hessian itself where they would cost more
            patch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 1500 * (seed == 2))
            free = quench(start, pot, zero, lbfgs_tol=1e-6)
        assert free.success
        assert dense.success
        assert system.identity.are_same(dense.coords, free.coords)
        assert spectrum(pot, free.coords, zero).is_stationary(Scales())
        assert spectrum(pot, free.coords, zero).index == 0
        assert free.energy == pot.getEnergy(free.coords)


@pytest.mark.parametrize("factorised", [False, True])
def test_a_quench_does_not_rest_on_a_saddle(system, matrix_free, monkeypatch, factorised):
    if factorised:  # in the end
        monkeypatch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 1500)
    result = quench(
        np.zeros(system.net.n_parameters), system.potential, system.identity.zero_modes()
    )
    assert result.success
    here = spectrum(system.potential, result.coords, system.identity.zero_modes())
    assert here.is_stationary(Scales())
    assert here.index == 0


def test_transition_state_search_agrees_with_the_dense_one(system, saddle_point, matrix_free):
    rng = np.random.default_rng(0)
    push = rng.normal(size=saddle_point.coords.size)
    start = saddle_point.coords + 0.02 * push / np.linalg.norm(push)
    pot, zero = system.potential, system.identity.zero_modes()
    free = find_transition_state(start, pot, zero, direction=saddle_point.eigenvec)
    assert free.success, free.message
    assert system.identity.are_same(free.coords, saddle_point.coords)
    assert free.eigenval == pytest.approx(saddle_point.eigenval, rel=1e-8)
    assert abs(free.eigenvec @ saddle_point.eigenvec) == pytest.approx(1, abs=1e-8)
    assert free.rms <= 1e-9
    residual = pot.hessian_vector_product(free.coords, free.eigenvec)
    assert np.linalg.norm(residual - free.eigenval * free.eigenvec) < 1e-9


def test_transition_state_search_from_a_line_between_minima(system, candidates, matrix_free):
    pot, zero = system.potential, system.identity.zero_modes()
    found = [find_transition_state(x, pot, zero, direction=d) for x, d in candidates]
    found = [result for result in found if result.success]
    assert len(found) >= 2 / 3 * len(candidates)
    for result in found[:2]:
        here = spectrum(pot, result.coords, zero)
        assert here.is_stationary(Scales())
        assert here.index == 1
        for side in (1, -1):
            end = descend(result.coords, side * result.eigenvec, pot, zero)
            assert end.success
            assert end.energy < result.energy
            flow = follow_gradient(system, result.coords + 0.01 * side * result.eigenvec)
            assert system.identity.are_same(flow[1], end.coords)


def test_zero_modes_are_not_followed(iris, matrix_free):
    system = NNSystem(MLP([4, 4, 3]), iris, regularization=1e-3, regularize_bias=False)
    pot, zero = system.potential, system.identity.zero_modes()
    rng = np.random.default_rng(0)
    found = []
    for _ in range(6):
        result = find_transition_state(system.net.random_parameters(rng), pot, zero)
        if result.success:
            found.append(result)
            here = spectrum(pot, result.coords, zero)
            assert here.is_stationary(Scales())
            assert here.index == 1
            assert np.abs(zero.T @ result.eigenvec).max() < 1e-8
    assert found


def test_too_few_steps_are_no_success(system, matrix_free):
    x = system.get_random_configuration()
    result = find_transition_state(x, system.potential, system.identity.zero_modes(), nsteps=1)
    assert not result.success
    assert result.message == "too many steps"
    assert not newton(x, system.potential, system.identity.zero_modes(), nsteps=1).success


# The space


def test_the_whole_space_is_the_spectrum(system):
    x = system.net.random_parameters(np.random.default_rng(0))
    zero = system.identity.zero_modes()
    dense = spectrum(system.potential, x, zero)
    here = KrylovSpectrum(system.potential, x, zero)
    while here.refine(np.full(here.eigenvalues.size, 1e6), np.inf):
        pass
    # as many of the eigenvalues as the gradient has a part in, and these exactly
    gaps = np.abs(dense.eigenvalues[:, np.newaxis] - here.eigenvalues).min(axis=0)
    assert gaps.max() < 1e-9 * np.abs(dense.eigenvalues).max()
    (energy, step), (exact_energy, exact_step) = here.errors(), dense.errors()
    assert energy == pytest.approx(exact_energy, rel=1e-6)
    # what the space has not resolved is added as a bound
    assert exact_step <= step <= 1.1 * exact_step
    value, vector = here.polish(0)
    assert value == pytest.approx(dense.eigenvalues[0], rel=1e-9)
    assert abs(vector @ dense.eigenvectors[:, 0]) == pytest.approx(1)


@pytest.mark.parametrize("fits", [True, False])
def test_products_are_rough_far_from_where_a_point_may_be_converged(system, fits):
    class Rough:
        def __getattr__(self, name):
            return getattr(system.potential, name)

        def single(self):
            def product(x, v):
                if not fits:
                    raise InputError("too large")
                return 1.01 * system.potential.hessian_vector_product(x, v)

            return SimpleNamespace(hessian_vector_product=product)

    x, zero = system.net.random_parameters(np.random.default_rng(0)), system.identity.zero_modes()
    exact = KrylovSpectrum(system.potential, x, zero)
    for rough_above, factor in ((0.5, 1.01 if fits else 1.0), (2.0, 1.0)):
        here = KrylovSpectrum(Rough(), x, zero, rough_above=rough_above * exact.rms)
        assert here.eigenvalues == pytest.approx(factor * exact.eigenvalues, rel=1e-9)


# Modes


def test_lowest_mode_is_found_or_excluded():
    positive = Quadratic(np.geomspace(1e-3, 1.0, 300))
    value, vector = lowest_mode(lambda v: positive.hessian @ v, 300, 0.0)
    assert value > 0
    assert vector is None
    negative = Quadratic(np.concatenate([[-1e-6], np.geomspace(1e-3, 1.0, 299)]))
    value, vector = lowest_mode(lambda v: negative.hessian @ v, 300, 0.0)
    assert value < 0
    assert vector @ negative.hessian @ vector < 0


@pytest.mark.parametrize("hidden", [-1e-2, -1e-5, 0.0, 1e-3])
def test_what_a_space_has_not_met_is_found_without_its_stiff_modes(hidden, monkeypatch):
    monkeypatch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 0)
    surface = Quadratic(np.array([hidden, -1e-2, *np.geomspace(1e-3, 1.0, 398)]))
    x = surface.basis @ np.array([0.0, *np.ones(399)])  # no part in what is hidden
    here = KrylovSpectrum(surface, x, np.empty((400, 0)))
    while here.refine(np.full(here.eigenvalues.size, 1e6), np.inf) and here.n_curvatures < 100:
        pass
    assert here.index == 1
    before = here.n_curvatures
    assert here.complete() == (hidden >= 0)
    assert here.index == 1 + (hidden < 0)
    assert here.n_degenerate == (hidden == 0)
    if hidden > 0:
        known = [here.vector(0)]
        lifted = surface.hessian + 3 * np.outer(known, known)
        count = []
        lowest_mode(lambda v: count.append(0) or lifted @ v, 400, 1e-9)
        assert here.n_curvatures - before < 0.8 * len(count)


@pytest.mark.parametrize("known", [0.0, -2e-9, -1e-4])
def test_a_mode_that_is_known_costs_no_search_of_its_own(known, monkeypatch):
    monkeypatch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 0)
    surface = Quadratic(np.array([known, *np.geomspace(1e-2, 1.0, 59)]))
    x = 1e-10 * surface.basis[:, -1]
    here = KrylovSpectrum(surface, x, np.empty((60, 0)), [surface.basis[:, 0]])
    assert here.complete()
    assert here.index == (known < -1e-9)
    assert here.n_curvatures < 2 * 60


def test_modes_that_are_not_accurate_hide_no_negative_curvature(monkeypatch):
    monkeypatch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 0)
    surface = Quadratic(np.ones(40))
    links = np.array([0.1] * 5 + [2.0] + [0.1] * 33)  # a space of six ends at the strong one
    surface.hessian = np.eye(40) + np.diag(links, 1) + np.diag(links, -1)
    x = np.linalg.solve(surface.hessian, np.eye(40)[0])
    here = KrylovSpectrum(surface, x, np.empty((40, 0)))
    assert here.index == 0
    assert not here.complete()
    assert here.index == 1


@pytest.mark.parametrize("k", [1, 4])
def test_softest_modes(system, quenched, k):
    left_out = system.identity.barren_modes()
    assert left_out.shape[1] > 0
    for minimum in quenched[:3]:
        exact = spectrum(system.potential, minimum.coords, left_out)
        values, vectors = softest_modes(system.potential, minimum.coords, left_out, k)
        assert values == pytest.approx(exact.physical[:k], rel=1e-2)
        assert np.abs(left_out.T @ vectors).max() < 1e-8
        overlap = np.abs(np.sum(vectors * exact.eigenvectors[:, :k], axis=0))
        assert overlap.min() > 0.9
