"""Matrix-free search and verification against the dense one, and against known spectra."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import LSODA

import nnpotential.points.connect
import nnpotential.points.krylov
import nnpotential.points.quench
import nnpotential.points.saddle
from nnpotential import MLP, Dataset, InputError, NNSystem
from nnpotential.contract import Scales
from nnpotential.findings import Verdict
from nnpotential.points.connect import single_ended
from nnpotential.points.krylov import KrylovSpectrum, lowest_mode, softest_modes
from nnpotential.points.newton import newton
from nnpotential.points.quench import quench
from nnpotential.points.saddle import descend, find_transition_state
from nnpotential.points.stationary import spectrum
from nnpotential.verification.flow import GradientFlow
from nnpotential.verification.inertia import (
    Curvature,
    NegativeCurvatureError,
    conjugate_gradients,
    overlooked,
)
from nnpotential.verification.verify import follow_gradient, verify_point, verify_transition_state


class Quadratic:
    """A potential with a known Hessian, ``(x - at)^T H (x - at) / 2``."""

    def __init__(self, values, at=0.0, seed=0):
        n = len(values)
        basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
        self.hessian = (basis * values) @ basis.T
        self.basis, self.at = basis, at + np.zeros(n)

    def getEnergyGradient(self, x):
        g = self.hessian @ (x - self.at)
        return 0.5 * float((x - self.at) @ g), g

    def getHessian(self, x):
        return self.hessian.copy()

    def hessian_vector_product(self, x, v):
        return v @ self.hessian

    def force_recurrence(self, x, gradient, step, first, weights):
        return recurrence(self, x, gradient, step, first, weights)


def recurrence(potential, x, gradient, step, first, weights):
    """What `KernelPotential.force_recurrence` is to give."""
    before, last = x, x - first * step * gradient
    for row in weights:
        force = -step * potential.getEnergyGradient(last)[1]
        rows = np.array([x, -step * gradient, force, last, before])
        before, last = last, row @ rows
    return last


@pytest.fixture
def matrix_free(monkeypatch):
    """Everything in the search from products with vectors."""
    monkeypatch.setattr(nnpotential.contract, "KRYLOV_LIMIT", 0)
    monkeypatch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 0)


@pytest.fixture(scope="module")
def candidates(system, quenched):
    """Points between two minima, and the lines' directions."""
    minima = []
    for found in sorted(quenched, key=lambda r: r.energy):
        if not any(system.identity.are_same(found.coords, other) for other in minima):
            minima.append(found.coords)
    tops = []
    for first, second in list(combinations(minima[:4], 2)):
        _, image = system.identity.align(first, second)
        line = image - first
        points = first + np.linspace(0.05, 0.95, 19)[:, np.newaxis] * line
        top = int(np.argmax([system.potential.getEnergy(x) for x in points]))
        tops.append((points[top], line / np.linalg.norm(line)))
    return tops


@pytest.fixture(scope="module")
def saddle_point(system, candidates):
    """A transition state, from the dense search."""
    pot, zero = system.potential, system.identity.zero_modes()
    found = (find_transition_state(x, pot, zero, direction=d) for x, d in candidates)
    return next(result for result in found if result.success)


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
            patch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 0)
            free = quench(start, pot, zero, lbfgs_tol=1e-6)
        assert free.success
        assert dense.success
        assert system.identity.are_same(dense.coords, free.coords)
        assert spectrum(pot, free.coords, zero).is_stationary(Scales())
        assert spectrum(pot, free.coords, zero).index == 0
        assert free.energy == pot.getEnergy(free.coords)


def test_a_quench_does_not_rest_on_a_saddle(system, matrix_free):
    result = quench(
        np.zeros(system.net.n_parameters), system.potential, system.identity.zero_modes()
    )
    assert result.success
    here = spectrum(system.potential, result.coords, system.identity.zero_modes())
    assert here.is_stationary(Scales())
    assert here.index == 0


def test_newton_leaves_a_transition_state(system, saddle_point, matrix_free):
    """Exactly on it the gradient says nothing: only the check of all modes does."""
    result = newton(saddle_point.coords, system.potential, system.identity.zero_modes())
    assert result.success
    assert result.energy < saddle_point.energy - 1e-6


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


@pytest.mark.parametrize("above", [True, False])
def test_the_size_decides(system, monkeypatch, above):
    """Above the threshold the search never asks for a Hessian, below it never for products."""
    n = system.net.n_parameters
    limit = n - 1 if above else n
    monkeypatch.setattr(nnpotential.contract, "KRYLOV_LIMIT", limit)
    monkeypatch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 0)
    asked = set()

    class Watched(type(system.potential)):
        def getEnergyGradientHessian(self, x):
            asked.add("matrix")
            return super().getEnergyGradientHessian(x)

        def hessian_vector_product(self, x, v):
            asked.add("products")
            return super().hessian_vector_product(x, v)

    data = system.data
    pot = Watched(system.net, data.X_train, data.y_train, regularization=1e-3)
    x = system.net.random_parameters(np.random.default_rng(0))
    quench(x, pot, system.identity.zero_modes())
    find_transition_state(x, pot, system.identity.zero_modes(), nsteps=3)
    assert asked == {"products" if above else "matrix"}


# The space


def test_the_whole_space_is_the_spectrum(system):
    x = system.net.random_parameters(np.random.default_rng(0))
    zero = system.identity.zero_modes()
    dense = spectrum(system.potential, x, zero)
    here = KrylovSpectrum(system.potential, x, zero)
    while here.refine(np.ones(here.eigenvalues.size), np.inf):
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


# Certificates


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


def test_lowest_mode_is_found_or_excluded():
    positive = Quadratic(np.geomspace(1e-3, 1.0, 300))
    value, vector = lowest_mode(lambda v: positive.hessian @ v, 300, 0.0)
    assert value > 0
    assert vector is None
    negative = Quadratic(np.concatenate([[-1e-6], np.geomspace(1e-3, 1.0, 299)]))
    value, vector = lowest_mode(lambda v: negative.hessian @ v, 300, 0.0)
    assert value < 0
    assert vector @ negative.hessian @ vector < 0


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


def test_walks_up_soft_modes_do_not_depend_on_the_method(system, quenched, request):
    starts = [quenched[i].coords for i in (2, 5)]  # where both arrive
    dense = [single_ended(system, x, 0, 1)[0].energy for x in starts]
    request.getfixturevalue("matrix_free")
    free = [single_ended(system, x, 0, 1)[0].energy for x in starts]
    assert free == pytest.approx(dense, abs=1e-10)


def test_conjugate_gradients():
    good = Quadratic(np.geomspace(1e-2, 1.0, 50))
    b = np.random.default_rng(0).normal(size=50)
    s = conjugate_gradients(lambda v: good.hessian @ v, b, 1e-10)
    assert np.abs(good.hessian @ s - b).max() < 1e-8
    assert conjugate_gradients(lambda v: good.hessian @ v, b, longest=1.0) is None
    bad = Quadratic(np.concatenate([[-0.1], np.geomspace(1e-2, 1.0, 49)]))
    with pytest.raises(NegativeCurvatureError):
        conjugate_gradients(lambda v: bad.hessian @ v, b)


# The flow


def test_stages_in_the_kernel(system):
    potential, rng = system.potential, np.random.default_rng(3)
    x = rng.normal(size=system.net.n_parameters)
    g = potential.getGradient(x)
    for n in (1, 2, 7):
        weights = rng.normal(size=(n - 1, 5))
        args = x, g, 0.1, 0.7, weights
        expected = recurrence(potential, *args)
        assert potential.force_recurrence(*args) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match="5 columns, not 4"):
        potential.force_recurrence(x, g, 0.1, 0.7, np.ones((2, 4)))
    far = potential.force_recurrence(x, g, 1e300, 1.0, np.full((5, 5), 1e10))
    assert not np.isfinite(far).all()


def test_flow_follows_the_exact_solution():
    values = np.geomspace(1e-3, 30.0, 40)
    potential = Quadratic(values)
    x = potential.basis @ np.ones(40)
    flow = GradientFlow(potential, x, tolerance=1e-5)
    while flow.time < 1000:
        assert flow.step()
        exact = potential.basis @ np.exp(-values * flow.time)
        assert np.linalg.norm(flow.x - exact) < 1e-3
    # an explicit Euler method would have needed 15000
    assert flow.n_gradients < 5000


def test_flow_reaches_the_minima_that_lsoda_reaches(system, saddle_point):
    pot = system.potential
    for side in (1, -1):
        start = saddle_point.coords + 0.01 * side * saddle_point.eigenvec
        _, reached = follow_gradient(system, start)
        lsoda = LSODA(
            lambda _, y: -pot.getGradient(y),
            0.0,
            start,
            1e5,
            rtol=1e-8,
            atol=1e-10,
            jac=lambda _, y: -pot.getHessian(y),
        )
        while lsoda.status == "running" and np.linalg.norm(pot.getGradient(lsoda.y)) > 1e-7:
            lsoda.step()
        assert np.linalg.norm(lsoda.y - reached) < 1e-3


def test_flow_does_not_rest_on_a_saddle(system, saddle_point):
    """Started exactly on one it goes nowhere, and says so."""
    assert follow_gradient(system, saddle_point.coords, max_steps=30) is None


# Verification without the Hessian


@pytest.mark.parametrize("limit", [0, 10**6])
def test_verification_accepts_and_rejects(system, quenched, saddle_point, monkeypatch, limit):
    monkeypatch.setattr("nnpotential.verification.inertia.PROOF_LIMIT", limit)
    pot = system.potential

    def judge(x):
        point = SimpleNamespace(coords=x, energy=pot.getEnergy(x), id=lambda: 1)
        return verify_point(system, point, index=0)

    assert judge(quenched[0].coords) == "ok"
    assert judge(quenched[0].coords + 1e-6) == "not converged"
    assert judge(saddle_point.coords) == "wrong index"
    point = SimpleNamespace(coords=quenched[0].coords, energy=quenched[0].energy + 1e-9)
    assert verify_point(system, point, index=0) == "loss differs"

    ends = [
        descend(
            saddle_point.coords, side * saddle_point.eigenvec, pot, system.identity.zero_modes()
        )
        for side in (1, -1)
    ]
    m1, m2 = (SimpleNamespace(coords=e.coords, energy=e.energy) for e in ends)
    ts = SimpleNamespace(
        coords=saddle_point.coords, energy=saddle_point.energy, minimum1=m1, minimum2=m2
    )
    verdict = verify_transition_state(system, ts)
    assert verdict.outcome == "ok"
    assert len(verdict.ends) == 2
    ts.coords, ts.energy = m1.coords, m1.energy
    assert verify_transition_state(system, ts) == Verdict("wrong index")
