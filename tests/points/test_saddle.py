"""Transition states: index, position above both minima, what the descents reach."""

import numpy as np
import pytest
from reference import assert_stationary

from nnpotential import MLP, NNSystem, load_dataset
from nnpotential.points.connect import connect_pair
from nnpotential.points.saddle import descend, find_transition_state
from nnpotential.systems.functions import LinearAutoencoder
from nnpotential.verification.verify import follow_gradient


@pytest.fixture(scope="module")
def connections(system, quenched):
    """Transition states between the lowest and some other minima."""
    first, *rest = sorted(quenched, key=lambda r: r.energy)
    found = []
    for other in rest[-3:]:
        found += connect_pair(system, first.coords, other.coords)
    assert len(found) >= 3
    return found


def test_every_transition_state_meets_the_definition(system, connections):
    for energy, x, eigenval, eigenvec, *ends in connections:
        assert energy == system.potential.getEnergy(x)
        assert_stationary(system, x, index=1)
        H = system.potential.getHessian(x)
        assert eigenval < 0
        assert np.linalg.norm(H @ eigenvec - eigenval * eigenvec) < 1e-9
        assert np.linalg.norm(eigenvec) == pytest.approx(1)
        for end_energy, end in ends:
            assert end_energy < energy
            assert_stationary(system, end, index=0)


def test_descents_agree_with_the_gradient_flow(system, connections):
    for _, x, _, eigenvec, *ends in connections:
        reached = [follow_gradient(system, x + side * 0.01 * eigenvec)[1] for side in (1, -1)]
        same = system.identity.are_same
        straight = same(reached[0], ends[0][1]) and same(reached[1], ends[1][1])
        crossed = same(reached[0], ends[1][1]) and same(reached[1], ends[0][1])
        assert straight or crossed


def test_images_of_a_candidate_give_images_of_the_transition_state(system, connections):
    x = connections[0].coords
    rng = np.random.default_rng(0)
    start = x + 0.05 * rng.normal(size=x.size)
    operation = system.identity.random_operation(rng)
    one = find_transition_state(start, system.potential, system.identity.zero_modes())
    two = find_transition_state(
        system.identity.apply(operation, start), system.potential, system.identity.zero_modes()
    )
    assert one.success == two.success
    assert one.success
    assert one.energy == pytest.approx(two.energy, abs=1e-12)
    assert system.identity.are_same(one.coords, two.coords)


def test_zero_modes_are_not_followed(ljat):
    system = NNSystem(MLP([3, 4, 4]), ljat, regularization=1e-3, regularize_bias=False)
    minimize = system.get_minimizer()
    rng = np.random.default_rng(0)
    results = sorted(
        (minimize(system.net.random_parameters(rng)) for _ in range(8)), key=lambda r: r.energy
    )
    connections = connect_pair(system, results[0].coords, results[-1].coords)
    assert connections
    for _, x, _, eigenvec, *_ in connections:
        assert_stationary(system, x, index=1)
        assert np.abs(system.identity.zero_modes().T @ eigenvec).max() < 1e-8


def test_a_convex_landscape_has_no_transition_state(ljat):
    system = NNSystem(MLP([3, 4]), ljat, regularization=1e-2)
    zero_modes = system.identity.zero_modes()
    # under the penalty softmax's shifts are one eigenvalue four times, at which LAPACK can fail
    for seed in range(60):
        x = system.net.random_parameters(np.random.default_rng(seed))
        assert not find_transition_state(x, system.potential, zero_modes).success


def test_too_few_steps_are_no_success(system):
    result = find_transition_state(
        system.get_random_configuration(), system.potential, system.identity.zero_modes(), nsteps=1
    )
    assert not result.success
    assert result.message == "too many steps"


def test_descent_goes_down_on_both_sides(system, connections):
    energy, x, _, eigenvec, *_ = connections[0]
    for side in (1, -1):
        end = descend(x, side * eigenvec, system.potential, system.identity.zero_modes())
        assert end.success
        assert end.energy < energy


class Ring:
    """The cosine of the distance from the origin: one mode that leads anywhere, one zero mode."""

    def getEnergyGradientHessian(self, x):
        r = np.linalg.norm(x)
        out, round_about = x / r, self.zero_modes(x)[:, 0]
        hessian = -np.cos(r) * np.outer(out, out)
        hessian -= np.sin(r) / r * np.outer(round_about, round_about)
        return float(np.cos(r)), -np.sin(r) * out, hessian

    def getEnergyGradient(self, x):
        return self.getEnergyGradientHessian(x)[:2]

    def getHessian(self, x):
        return self.getEnergyGradientHessian(x)[2]

    def zero_modes(self, x):
        return (np.array([-x[1], x[0]]) / np.linalg.norm(x))[:, np.newaxis]


@pytest.mark.parametrize("share", [0.0, 0.8, 1.0])
def test_a_zero_mode_is_never_followed(share):
    """Even where the direction to follow lies along it."""
    ring, x = Ring(), np.array([4.5, 0.3])
    out, round_about = x / np.linalg.norm(x), ring.zero_modes(x)[:, 0]
    direction = np.sqrt(1 - share**2) * out + share * round_about
    ts = find_transition_state(x, ring, ring.zero_modes, direction=direction)
    assert ts.success and ts.nsteps < 20
    assert np.linalg.norm(ts.coords) == pytest.approx(2 * np.pi, abs=1e-9)


class Bowl:
    """A potential that rises for ever on all sides, ``|x|^4``."""

    def getEnergyGradient(self, x):
        return float((x @ x) ** 2), 4 * (x @ x) * x

    def getEnergyGradientHessian(self, x):
        return *self.getEnergyGradient(x), self.getHessian(x)

    def getHessian(self, x):
        return 4 * (x @ x) * np.eye(x.size) + 8 * np.outer(x, x)


def test_walks_up_a_wall_end_early():
    start = np.array([0.5, 0.0])
    found = find_transition_state(start, Bowl(), np.zeros((2, 0)), direction=start)
    assert (found.success, found.message) == (False, "climbed without end")
    assert found.nsteps < 20 and found.energy < 1e4


def test_walks_leave_minima_where_the_penalty_alone_makes_most_curvatures():
    """Many modes are as soft as each other; to follow the one most like the last leads nowhere."""
    data = load_dataset("wine", n_train=120, n_test=30, seed=0)
    system = NNSystem(MLP([13, 3, 3]), data, regularization=1e-5)
    start = system.starts["glorot_uniform"](np.random.default_rng(0))
    x = system.get_minimizer()(start).coords
    modes = np.linalg.eigh(system.potential.getHessian(x))[1]
    barren = system.identity.barren_modes(x)
    modes = [v for v in modes.T if np.linalg.norm(barren.T @ v) < 0.1][:3]
    walks = [(side, v) for v in modes for side in (1, -1)]
    for side, v in walks:
        zero_modes = system.identity.zero_modes
        found = find_transition_state(x + 0.2 * side * v, system.potential, zero_modes, direction=v)
        assert found.success, found.message
        values = np.linalg.eigvalsh(system.potential.getHessian(found.coords))
        assert (values < 0).sum() == 1 and found.rms <= 1e-9


def test_walks_up_different_modes_find_different_transition_states():
    """Where modes are distinct each is followed: the softest of all does not take over."""
    system = LinearAutoencoder()
    lowest, saddle, *_ = system.stationary_points()
    values, modes = np.linalg.eigh(system.potential.getHessian(lowest.x))
    assert values[0] > 0
    zero_modes = system.identity.zero_modes(lowest.x)
    found = [
        find_transition_state(lowest.x + 0.2 * v, system.potential, zero_modes, direction=v)
        for v in (*modes.T, *-modes.T)
    ]
    arrived = [ts for ts in found if ts.success]
    assert len(arrived) >= 8
    assert all(system.identity.are_same(ts.coords, saddle.x) for ts in arrived)
