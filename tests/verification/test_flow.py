"""The gradient flow against exact solutions, and both of its methods against another's."""

from itertools import product
from math import acos, pi
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from surfaces import Quadratic, Walled, recurrence

import nnpotential as nnp
from nnpotential import InputError
from nnpotential.contract import NATS, Scales
from nnpotential.points.connect import connect_pair
from nnpotential.systems.functions import EggBox
from nnpotential.verification import flow, verify
from nnpotential.verification.flow import ChebyshevFlow, RosenbrockFlow, gradient_flow
from nnpotential.verification.inertia import cholesky
from nnpotential.verification.verify import follow_gradient

both = pytest.mark.parametrize("method", [RosenbrockFlow, ChebyshevFlow])


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


@pytest.mark.parametrize("hidden", [1, 2, 3, 4, 12])  # parameters by the rest of a division by four
@pytest.mark.parametrize("step", [1e-2, 1.0, 1e3])
def test_implicit_stages_in_the_kernel(hidden, step, ljat):
    net, rng = nnp.MLP([3, hidden, 3]), np.random.default_rng(hidden)
    potential = nnp.NNPotential(net, ljat.X_train, ljat.y_train % 3, regularization=1e-2)
    x = 0.3 * rng.normal(size=net.n_parameters)
    _, g, hessian = potential.getEnergyGradientHessian(x)
    lowest = np.linalg.eigvalsh(hessian)[0]
    solve = cholesky(hessian + (1 / step + max(-2 * lowest, 0)) * np.eye(x.size))
    weights = flow._WEIGHTS
    there, error = potential.rosenbrock_stages(x, g, step, solve.lower, weights)
    expected, expected_error = flow._stages(potential, x, g, step, solve, weights)
    assert there == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert error == pytest.approx(expected_error, rel=1e-8, abs=1e-12)


def test_implicit_stages_beyond_what_can_be_computed(system):
    potential, x = system.potential, np.ones(system.net.n_parameters)
    g = potential.getGradient(x)
    solve = cholesky(np.eye(x.size))
    for weights in (np.full((3, 2, 3), 1e308), np.full((1, 2, 1), 1e308)):
        args = x, 1e10 * g, 1.0
        assert potential.rosenbrock_stages(*args, solve.lower, weights)[1] == np.inf
        with np.errstate(over="ignore"):
            assert flow._stages(potential, *args, solve, weights)[1] == np.inf
    with pytest.raises(InputError, match=r"shape \(n, 2, n\)"):
        potential.rosenbrock_stages(x, g, 1.0, solve.lower, np.ones((3, 2, 2)))
    with pytest.raises(InputError, match="parameters, not 3"):
        potential.rosenbrock_stages(x, g, 1.0, np.asfortranarray(np.eye(3)), np.ones((1, 2, 1)))


def test_the_flow_is_the_same_with_stages_in_python(system):
    class Plain:
        """A network without compiled stages."""

        def __getattr__(self, name):
            if name == "rosenbrock_stages":
                raise AttributeError
            return getattr(system.potential, name)

    x = system.net.random_parameters(np.random.default_rng(5))
    compiled, plain = RosenbrockFlow(system.potential, x), RosenbrockFlow(Plain(), x)
    for _ in range(30):
        assert compiled.step()
        assert plain.step()
        assert compiled.time == pytest.approx(plain.time, rel=1e-6)
        assert compiled.x == pytest.approx(plain.x, rel=1e-6, abs=1e-8)
    assert compiled.n_gradients == plain.n_gradients
    assert np.linalg.norm(compiled.x - x) > 1  # far enough to differ


@both
def test_flow_follows_the_exact_solution(method):
    values = np.geomspace(1e-3, 30.0, 40)
    potential = Quadratic(values)
    x = potential.basis @ np.ones(40)
    flow = method(potential, x, tolerance=1e-5)
    while flow.time < 1000:
        before = flow.energy
        assert flow.step()
        assert flow.energy <= before + NATS.rounding(before)
        exact = potential.basis @ np.exp(-values * flow.time)
        assert np.linalg.norm(flow.x - exact) < 1e-3
    # an explicit Euler method would have needed 15000
    assert flow.n_gradients < 5000


def test_decayed_modes_put_no_bound_on_the_step():
    values = np.geomspace(1e-4, 1e3, 40)
    potential = Quadratic(values)
    flow = RosenbrockFlow(potential, potential.basis @ np.ones(40))
    steps = 0
    while flow.time < 1e5:
        assert flow.step()
        steps += 1
        exact = potential.basis @ np.exp(-values * flow.time)
        assert np.linalg.norm(flow.x - exact) < 1e-2
    assert steps < 150


class Quartic:
    """``sum_i c_i y_i^4 / 4`` in turned axes."""

    factors = np.array([1.0, 3.0, 20.0])
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]

    def getEnergyGradient(self, x):
        y = x @ self.basis
        return float(self.factors @ y**4) / 4, self.basis @ (self.factors * y**3)

    def getEnergyGradientHessian(self, x):
        second = 3 * self.factors * (x @ self.basis) ** 2
        return *self.getEnergyGradient(x), (self.basis * second) @ self.basis.T

    def exact(self, x, time):
        y = x @ self.basis
        return self.basis @ (y / np.sqrt(1 + 2 * self.factors * y**2 * time))


def test_the_order_of_convergence_is_four():
    potential, start = Quartic(), np.array([0.7, -0.4, 0.5])
    errors = []
    for n in (8, 16, 32, 64):
        flow = RosenbrockFlow(potential, start, tolerance=1e9)
        for _ in range(n):
            flow._step = 1 / n
            assert flow.step()
        assert flow.time == pytest.approx(1)
        errors.append(np.linalg.norm(flow.x - potential.exact(start, 1.0)))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders[-1] == pytest.approx(4, abs=0.2)


def test_the_error_of_a_step_stays_near_the_tolerance():
    potential, start = Quartic(), np.array([0.7, -0.4, 0.5])
    for tolerance in (1e-4, 1e-6):
        flow = RosenbrockFlow(potential, start, tolerance)
        while flow.time < 100:
            x, time = flow.x, flow.time
            assert flow.step()
            exact = potential.exact(x, flow.time - time)
            assert np.linalg.norm(flow.x - exact) < tolerance


@both
def test_from_a_top_too_long_a_step_is_shortened(method):
    """`H + 1 / (gamma h)` is not definite there, or stages leave what has an energy."""
    potential = Walled()
    for side in (1, -1):
        flow = method(potential, np.array([side * 1e-4, 0.5]))
        flow._step = 1e6
        while flow.time < 100:
            before = flow.energy
            assert flow.step()
            assert flow.energy <= before + NATS.rounding(before)
        assert flow.x == pytest.approx([side * potential.minimum, 0], abs=1e-3)
    assert potential.n_beyond > 0


def test_without_a_way_down_the_flow_ends():
    class Wrong(Quadratic):
        def getEnergyGradient(self, x):
            energy, gradient = super().getEnergyGradient(x)
            return -energy, gradient

    flow = RosenbrockFlow(Wrong([1.0, 2.0]), np.ones(2))
    assert not flow.step()
    assert (flow.x == 1).all()


def test_from_where_nothing_is_finite_there_is_no_step():
    assert not RosenbrockFlow(Walled(), np.array([2.0, 0.0])).step()


@both
@pytest.mark.parametrize("size", [1e-75, 1e60])
def test_units_do_not_matter(method, size):
    values = size * np.geomspace(1e-3, 30.0, 10)
    potential = Quadratic(values)
    flow = method(potential, potential.basis @ np.ones(10), scales=Scales(energy=size))
    steps = 0
    while flow.time * size < 100:
        assert flow.step()
        steps += 1
        exact = potential.basis @ np.exp(-values * flow.time)
        assert np.linalg.norm(flow.x - exact) < 2e-3
    assert steps < 200


def test_large_systems_do_without_the_hessian():
    small, large = np.ones(400), np.ones(401)
    assert isinstance(gradient_flow(Quadratic(small), small), RosenbrockFlow)
    flow = gradient_flow(Quadratic(large), large)
    assert isinstance(flow, ChebyshevFlow)
    assert flow.hessian is None


def test_a_look_for_the_minimum_waits_until_it_is_near():
    values = np.geomspace(1e-4, 0.1, 500)
    potential = Quadratic(values)
    flow = ChebyshevFlow(potential, 0.1 * potential.basis @ np.ones(500), tolerance=1e-3)
    looks = []
    while len(looks) < 3:
        assert flow.step()
        if flow.may_be_near(0.05):
            looks.append((flow.n_gradients, np.linalg.norm(flow.x)))
        else:
            assert looks or np.linalg.norm(flow.x) > 0.03
    assert looks[0][1] < 0.2  # there the soft modes decay at rates of their own
    gaps = np.diff([n for n, _ in looks])
    assert (gaps >= 100).all()  # what factorising a Hessian of that size costs


def test_steps_that_hardly_shrink_prove_no_minimum():
    """The curvature of a quartic changes too much on the way, be the minimum ever so near."""

    class Valley(Quartic):
        def getEnergyGradient(self, x):
            energy, gradient = super().getEnergyGradient(x)
            return energy + 5e-4 * float(x @ x), gradient + 1e-3 * x

        def getEnergyGradientHessian(self, x):
            hessian = super().getEnergyGradientHessian(x)[2]
            return *self.getEnergyGradient(x), hessian + 1e-3 * np.eye(3)

        def getHessian(self, x):
            return self.getEnergyGradientHessian(x)[2]

    system = SimpleNamespace(
        potential=Valley(),
        scales=NATS,
        identity=SimpleNamespace(zero_modes=lambda x: np.empty((3, 0))),
    )
    for size, found in ((0.0224, False), (0.005, True)):
        flow = RosenbrockFlow(system.potential, size * Quartic.basis[:, 0])
        minimum = verify._nearby_minimum(system, flow)
        assert (minimum is not None) == found
    assert minimum.coords == pytest.approx(np.zeros(3), abs=1e-8)


# Which minimum it is: both methods, and SciPy's to a tight tolerance


def sides(system, n):
    """Starts beside some transition states between quenched minima."""
    minimize, rng = system.get_minimizer(), np.random.default_rng(2)
    found = []
    while len(found) < n:
        x1, x2 = (minimize(next(iter(system.starts.values()))(rng)).coords for _ in range(2))
        found += connect_pair(system, x1, system.identity.align(x1, x2)[1])
    return [ts.coords + side * 0.01 * ts.eigenvec for ts in found[:n] for side in (1, -1)]


def by_radau(system, x):
    """Where the flow is after a long time."""
    pot = system.potential
    done = solve_ivp(
        lambda _, y: -pot.getGradient(y),
        (0, 1e5 / system.scales.energy),
        x,
        method="Radau",
        jac=lambda _, y: -pot.getHessian(y),
        rtol=1e-8,
        atol=1e-9,
    )
    assert done.success
    return done.y[:, -1]


@pytest.mark.parametrize("name", ["network", "lj7"])
def test_both_methods_reach_what_radau_reaches(name, system, monkeypatch):
    if name == "lj7":
        system = nnp.LennardJonesCluster(7)
    for x in sides(system, 3):
        expected = by_radau(system, x)
        for method in (RosenbrockFlow, ChebyshevFlow):
            monkeypatch.setattr(verify, "gradient_flow", method)
            energy, reached = follow_gradient(system, x)
            assert energy == system.potential.getEnergy(reached)
            assert np.linalg.norm(reached - expected) < 1e-2  # the same image, not turned


class Rough:
    """A network's potential with another in place of its single precision."""

    def __init__(self, potential, factor):
        self._potential, self._factor = potential, factor

    def __getattr__(self, name):
        return getattr(self._potential, name)

    def single(self):
        def rough(x, v):
            if self._factor is None:
                raise InputError("too large")
            return self._factor * self._potential.hessian_vector_product(x, v)

        return SimpleNamespace(hessian_vector_product=rough)


@pytest.mark.parametrize("factor", [1.0, 0.999, 0.5, -1.0, None])
def test_looks_by_products_find_what_factorised_hessians_find(factor, system, monkeypatch):
    """However rough single precision is."""
    monkeypatch.setattr(verify, "gradient_flow", ChebyshevFlow)
    rough = SimpleNamespace(
        potential=Rough(system.potential, factor), scales=NATS, identity=system.identity
    )
    for x in sides(system, 2):
        expected = follow_gradient(system, x)
        with monkeypatch.context() as patch:
            patch.setattr(verify, "_FACTORISED", 0)
            reached = follow_gradient(rough, x)
        assert np.abs(reached.coords - expected.coords).max() < NATS.step


@both
def test_beside_a_ridge_the_side_decides(method, monkeypatch):
    """From near the top the flow passes transition states closely; each axis is by itself."""
    monkeypatch.setattr(verify, "gradient_flow", method)
    system = EggBox()
    top = np.array([acos(-t / (4 * d)) for d, t in zip(system.depths, system.tilts, strict=True)])
    for off in product((1e-6, -1e-6), (1e-3, -1e-3), (1e-4, -1e-4)):
        _, reached = follow_gradient(system, top + off)
        assert reached == pytest.approx(np.where(np.array(off) > 0, pi, 0.0), abs=1e-6)
