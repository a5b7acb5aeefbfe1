"""What counts as a point, where a loose reading of it gave wrong counts.

The independent evaluation is Newton's method in 50-digit arithmetic, `exact.py`.
"""

from itertools import pairwise

import numpy as np
import pytest
from exact import converge
from landscapes import different
from pele.storage import Minimum

import nnpotential as nnp
from nnpotential.contract import DEGENERATE, TRAVELLING
from nnpotential.networks.symmetry import IDLE_UNIT
from nnpotential.points.connect import connect_pair
from nnpotential.points.newton import newton
from nnpotential.points.stationary import spectrum
from nnpotential.verification.inertia import Curvature
from nnpotential.verification.verify import verify_point

SHORT = {
    "quenches": 20,
    "basin_hopping_runs": 0,
    "untrap_attempts": 0,
    "audit_sample": 0,
    "connection_attempts": 0,
}
SHORT |= {"soft_modes": 0}


# Weak penalties


@pytest.mark.parametrize(
    ("name", "regularization", "regularize_bias"),
    [("iris", 1e-9, True), ("wine", 5e-8, True), ("wine", 1e-6, False)],
)
def test_weak_penalties_store_no_copies(tmp_path, name, regularization, regularize_bias):
    data = nnp.load_dataset(name, seed=0)
    net = nnp.MLP([data.n_inputs, 3, 3])
    land = nnp.Landscape.create(
        tmp_path / "a",
        net,
        data,
        regularization=regularization,
        regularize_bias=regularize_bias,
        **SHORT,
    )
    figures = land.explore()
    assert figures["verified"] == {"ok": figures["n_minima"]}
    assert figures["failed_quenches"] == 0
    minima = [m.coords for m in land.database.minima()]
    truth = [converge(land.system, x) for x in minima]
    # each is where arithmetic of 50 digits puts it, and no two are images there
    assert all(np.abs(x - t).max() < 1e-9 for x, t in zip(minima, truth, strict=True))
    assert figures["n_minima"] == different(land.system, truth) >= 2


def test_weak_penalties_transition_states_have_converged_coordinates():
    data = nnp.load_dataset("iris", seed=0)
    system = nnp.NNSystem(nnp.MLP([4, 3, 3]), data, regularization=1e-7)
    minimize, rng = system.get_minimizer(), np.random.default_rng(0)
    minima = [minimize(system.net.random_parameters(rng)).coords for _ in range(4)]
    found = [c for x1, x2 in pairwise(minima) for c in connect_pair(system, x1, x2)]
    assert found
    for _, x, *_ in found:
        assert np.abs(x - converge(system, x)).max() < 1e-9


def test_a_point_whose_coordinates_are_open_is_unresolved():
    """Its loss has converged: only the Newton step tells that the point has not."""
    data = nnp.load_dataset("wine", seed=0)
    system = nnp.NNSystem(nnp.MLP([13, 3, 3]), data, regularization=5e-8)
    x = system.get_minimizer()(system.get_random_configuration()).coords
    here = spectrum(system.potential, x, system.identity.zero_modes())
    assert here.is_stationary(system.scales)
    softest = here.vector(0)
    point = Minimum(0.0, x + 1e-4 * softest / np.abs(softest).max())
    point.energy = system.potential.getEnergy(point.coords)
    there = spectrum(system.potential, point.coords, system.identity.zero_modes())
    energy_error, step = there.errors()
    assert there.rms <= 1e-9 and energy_error <= 1e-12 and 0.5e-4 < step < 2e-4
    assert not there.is_stationary(system.scales)
    assert verify_point(system, point, index=0) == "unresolved"


# Minima at infinity


@pytest.fixture(scope="module")
def separable():
    """Two species of iris, which a plane separates."""
    data = nnp.load_dataset("iris", seed=0)
    train, test = data.y_train < 2, data.y_test < 2
    return nnp.Dataset(
        data.X_train[train], data.y_train[train], data.X_test[test], data.y_test[test]
    )


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_there_is_no_minimum_at_infinity(tmp_path, separable, scale):
    """With inputs thirty times as large the loss falls below 1e-75 on the way."""
    data = nnp.Dataset(
        scale * separable.X_train, separable.y_train, scale * separable.X_test, separable.y_test
    )
    net = nnp.MLP([4, 3, 2])
    land = nnp.Landscape.create(tmp_path / "a", net, data, regularization=0, **SHORT)
    figures = land.explore()
    assert figures["n_minima"] == 0
    assert land.database.number_of_minima() == 0
    assert figures["failures"]["quenches"][TRAVELLING]["n"] == figures["failed_quenches"] == 20
    assert figures["remarks"] == [
        "the loss has no minimum at regularization 0 on these data: it falls towards 0 as the "
        "parameters grow; give --regularization"
    ]


def test_a_point_on_the_way_to_infinity_is_not_verified(separable):
    system = nnp.NNSystem(nnp.MLP([4, 3, 2]), separable, regularization=0)
    x = system.get_minimizer()(system.get_random_configuration()).coords
    for factor in (1.0, 3.0, 10.0, 100.0):
        energy = system.potential.getEnergy(factor * x)
        assert verify_point(system, Minimum(energy, factor * x), 0) in (
            "not converged",
            "unresolved",
        )
    assert energy < 1e-75


def test_without_regularization_success_means_a_minimum():
    """Separable data have their minimum at infinity; no saddle may pass for one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2))
    data = nnp.load_dataset((X, (X[:, 0] > 0).astype(int)), n_test=0)
    for activation in ("tanh", "silu"):
        system = nnp.NNSystem(nnp.MLP([2, 2, 2], activation), data, regularization=0)
        for _ in range(4):
            result = system.get_random_minimized_configuration()
            if result.success:
                point = Minimum(result.energy, result.coords)
                assert verify_point(system, point, index=0) in ("ok", "degenerate")


def regression(unit):
    """A linear regression, its one minimum, and its targets in other units."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=(40, 1))
    data = nnp.Dataset(X, unit * y, X, unit * y)
    truth = np.linalg.solve(X.T @ X / 40 + 0.01 * np.eye(2), X.T @ y / 40).ravel()
    return data, unit * truth


@pytest.mark.parametrize("bias", [True, False])
def test_there_is_no_minimum_on_the_way_to_a_plateau(tmp_path, bias):
    """Data that nothing separates: the loss falls on and on towards a value above 0."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.integers(0, 2, 40)
    data = nnp.Dataset(X, y, X, y)
    net = nnp.MLP([2, 1, 2], bias=bias)
    land = nnp.Landscape.create(tmp_path / "a", net, data, regularization=0, **SHORT)
    figures = land.explore()
    assert figures["degenerate_minima"]["n"] == 0
    if figures["n_minima"] == 0:
        [said] = figures["remarks"]
        assert "no minimum" in said and "give --regularization" in said
    truth = [m.coords for m in land.database.minima()]
    for x in truth:  # what is kept is no valley that leads on downhill
        for far in (2.0, 10.0):
            assert land.system.potential.getEnergy(far * x) > land.system.potential.getEnergy(x)


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1.0, 1e3])
def test_the_unit_of_the_targets_does_not_matter(unit):
    data, truth = regression(unit)
    system = nnp.NNSystem(nnp.MLP([2, 1], bias=False), data, regularization=0.01)
    assert system.scales.energy == pytest.approx(unit**2, rel=0.5)
    result = system.get_minimizer()(system.get_random_configuration())
    assert result.success, result.message
    assert result.coords == pytest.approx(truth, rel=1e-6)
    assert verify_point(system, Minimum(result.energy, result.coords), 0) == "ok"


def test_targets_far_from_one_say_what_to_do(tmp_path):
    data, _ = regression(1e12)
    net = nnp.MLP([2, 1], bias=False)
    land = nnp.Landscape.create(tmp_path / "a", net, data, regularization=0.01, **SHORT)
    figures = land.explore()
    assert figures["n_minima"] == 0
    [said] = figures["remarks"]
    assert "targets deviate by" in said and "standardise them" in said


# Flat valleys


def test_flat_valleys_are_explained(tmp_path):
    data = nnp.load_dataset("iris", seed=0)
    net = nnp.MLP([4, 3, 3])
    land = nnp.Landscape.create(
        tmp_path / "a", net, data, regularization=1e-3, regularize_bias=False, **SHORT
    )
    lowest = min(land.explore()["losses"].values())
    # two units in a minimum of their own and one without effect, its bias anywhere in a range
    two = nnp.NNSystem(nnp.MLP([4, 2, 3]), data, regularization=1e-3, regularize_bias=False)
    minimum = two.get_minimizer()(two.get_random_configuration())
    small, pot, zero = (
        two.net.split(minimum.coords),
        land.system.potential,
        land.system.identity.zero_modes(),
    )
    valley = []
    for bias in np.linspace(-20, 20, 41):
        x = np.zeros(net.n_parameters)
        layers = net.split(x)
        layers[0][0][:2], layers[0][1][:2], layers[0][1][2] = *small[0], bias
        layers[1][0][:, :2], layers[1][1][:] = small[1]
        modes = land.system.identity.free_modes(x)
        assert list(modes) == [IDLE_UNIT] and modes[IDLE_UNIT].shape == (net.n_parameters, 1)
        if spectrum(pot, x, zero).index == 0:
            valley.append(x)
    assert len(valley) >= 2
    for x in valley[::10]:
        assert Curvature(pot, x, zero).judge(0)[0] == "degenerate"
        assert newton(x, pot, zero).message == DEGENERATE
        land.database.session.add(Minimum(pot.getEnergy(x), x))
    land.database.session.commit()
    figures = land.explore()
    flat = figures["degenerate_minima"]
    assert flat["n"] >= 2
    assert flat["lowest_loss"] == pytest.approx(minimum.energy, abs=1e-9)
    assert flat["causes"] == {IDLE_UNIT: flat["n"]}
    assert figures["lowest_loss"] == lowest
    [said] = figures["remarks"]
    assert IDLE_UNIT in said
    assert f"{flat['lowest_loss']:.9g}" in said
    assert ("below all that count" in said) == (flat["lowest_loss"] < lowest)


def test_nothing_is_explained_where_other_modes_vanish_as_well(separable):
    system = nnp.NNSystem(nnp.MLP([4, 3, 2]), separable, regularization=1e-3)
    assert system.identity.free_modes(np.zeros(system.net.n_parameters)) == {}
