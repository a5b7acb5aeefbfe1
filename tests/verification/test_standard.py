"""What counts as a point, where a loose reading of it gave wrong counts.

The independent evaluation is Newton's method in 50-digit arithmetic, `exact.py`.
"""

from itertools import pairwise

import numpy as np
import pytest
from exact import converge
from landscapes import FEW, contents
from pele.storage import Minimum, TransitionState

import nnpotential as nnp
from nnpotential.contract import DEGENERATE, TRAVELLING, UNRESOLVED, Scales
from nnpotential.networks.symmetry import IDLE_UNIT
from nnpotential.points.connect import connect_pair
from nnpotential.points.newton import newton
from nnpotential.points.stationary import spectrum
from nnpotential.storage import OUTSIDE, notes
from nnpotential.verification.inertia import Curvature
from nnpotential.verification.verify import verify_point

SHORT = {"quenches": 20, "basin_hopping_runs": 0, "untrap_attempts": 0, "connection_attempts": 0}
SHORT |= {"soft_modes": 0}


def different(system, points, tolerance=1e-5):
    """How many of these points no symmetry operation maps on an earlier one."""
    kept = []
    for x in points:
        if not any(system.identity.are_same(x, other) for other in kept):
            kept.append(x)
    return len(kept)


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


class Rough:
    """A quadratic valley of curvature `soft` whose gradient is wrong by about `noise`."""

    n_samples = 1

    def __init__(self, soft, noise):
        self.hessian, self.noise = np.diag([1.0, soft]), noise

    def getEnergyGradient(self, x):
        bits = np.frombuffer(np.ascontiguousarray(x).tobytes(), dtype=np.uint32)
        error = self.noise * np.random.default_rng(bits).uniform(-1, 1, 2)
        return float(0.5 * x @ self.hessian @ x), self.hessian @ x + error

    def getEnergyGradientHessian(self, x):
        return *self.getEnergyGradient(x), self.hessian.copy()

    def getGradient(self, x):
        return self.getEnergyGradient(x)[1]

    def getHessian(self, x):
        return self.hessian.copy()

    def hessian_vector_product(self, x, v):
        return self.hessian @ v


def test_what_rounding_leaves_open_is_unresolved():
    rough = Rough(1e-8, 1e-12)  # coordinates open by 1e-4, the loss by 1e-16
    result = newton(np.array([0.3, 0.2]), rough, np.empty((2, 0)))
    assert not result.success
    assert result.message == UNRESOLVED
    fine = newton(np.array([0.3, 0.2]), Rough(1e-8, 1e-17), np.empty((2, 0)))
    assert fine.success


def test_verification_is_not_fooled_by_a_step_that_is_small_by_accident():
    class System:
        potential, scales = Rough(1e-8, 1e-12), Scales()
        identity = type("None", (), {"zero_modes": staticmethod(lambda x: np.empty((2, 0)))})

    # of many points in the noise pick the one whose Newton step happens to vanish
    rng = np.random.default_rng(0)
    points = np.column_stack([np.zeros(2000), 1e-4 * rng.uniform(-1, 1, 2000)])
    steps = [np.abs(System.potential.getGradient(x) / [1.0, 1e-8]).max() for x in points]
    x = points[int(np.argmin(steps))]
    assert min(steps) < 1e-6
    point = Minimum(System.potential.getEnergyGradient(x)[0], x)
    assert verify_point(System, point, index=0) == "unresolved"


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


# Orders of point groups


@pytest.mark.parametrize("n_dead", [15, 16, 40])
def test_orders_of_point_groups_beyond_64_bits(iris, n_dead):
    system = nnp.NNSystem(nnp.MLP([4, n_dead + 1, 3]), iris, regularization=1e-3)
    x = np.zeros(system.net.n_parameters)
    W, b = system.net.split(x)[0]
    W[0], b[0] = [0.3, 0.2, 0.1, 0.4], 0.5
    exact = 1
    for k in range(1, n_dead + 1):
        exact *= 2 * k
    order = system.identity.n_self_images(x)
    assert order == exact and isinstance(order, int)
    assert system.get_pgorder(x) == pytest.approx(exact, rel=1e-15)
    database = system.create_database()
    minimum = database.addMinimum(1.0, x)
    minimum.pgorder = system.get_pgorder(x)
    database.session.commit()
    database.session.expire_all()
    assert np.log(minimum.pgorder) == pytest.approx(
        float(sum(np.log(2.0 * np.arange(1, n_dead + 1))))
    )


def test_an_order_beyond_all_floats_says_what_to_do(iris):
    system = nnp.NNSystem(nnp.MLP([4, 200, 3]), iris, regularization=1e-3)
    with pytest.raises(nnp.InputError, match=r"order 10\^435\.\d, more than a float holds"):
        system.get_pgorder(np.zeros(system.net.n_parameters))


# Points from outside


@pytest.fixture
def land(tmp_path, ljat):
    net = nnp.MLP([3, 4, 4])
    land = nnp.Landscape.create(tmp_path / "a", net, ljat, regularization=1e-3, seed=1, **FEW)
    land.explore()
    return land


def image(land, x, seed):
    symmetry = land.system.identity
    return symmetry.apply(symmetry.random_operation(np.random.default_rng(seed)), x)


def test_points_that_plain_pele_added_are_polished_verified_and_merged(land):
    known = land.summary()
    assert known["n_from_outside"] == 0 and known["remarks"] == []
    database, pot = land.database, land.system.potential
    land.system.get_basinhopping(database=database, outstream=None).run(20)
    lowest = land.database.minima()[0]
    # an image of a known minimum and a poor one, as a program with loose convergence leaves it
    copy = image(land, lowest.coords, 0)
    loose = image(land, lowest.coords, 1) + 1e-5
    for x in (copy, loose):
        new = Minimum(pot.getEnergy(x), x)
        database.session.add(new)
    database.session.commit()
    ids = {m.id() for m in database.minima()}
    between = land.summary()
    assert between["n_minima"] == known["n_minima"]
    assert between["n_from_outside"] == between["verified"]["unverified"] >= 2
    [said] = between["remarks"]
    assert f"{between['n_from_outside']} points come from outside" in said
    assert {outcome for *_, outcome in land.verify()} == {"ok", "unverified"}
    figures = land.explore()
    assert figures["n_from_outside"] == 0 and figures["remarks"] == []
    assert set(figures["verified"]) == {"ok"}
    minima = database.minima()
    assert {m.id() for m in minima} < ids
    assert different(land.system, [m.coords for m in minima]) == len(minima) == figures["n_minima"]
    assert notes(lowest)[OUTSIDE] >= 2
    assert figures["coverage"]["n_quenches"] == known["coverage"]["n_quenches"]
    assert all(outcome == "ok" for *_, outcome in land.verify())


def test_transition_states_from_outside_get_the_minima_that_they_lead_to(land):
    database = land.database
    ts = next(t for t in database.transition_states() if t.minimum1 != t.minimum2)
    ends = {ts.minimum1.id(), ts.minimum2.id()}
    wrong = next(m for m in database.minima() if m.id() not in ends)
    number, x = ts.id(), ts.coords + 1e-4
    # as another program left it, and once more as an image
    for coords in (x, image(land, ts.coords, 0)):
        new = TransitionState(land.system.potential.getEnergy(coords), coords, wrong, ts.minimum1)
        new.eigenval, new.eigenvec = ts.eigenval, ts.eigenvec
        database.session.add(new)
    database.session.flush()
    database.remove_transition_state(ts)
    figures = land.explore()
    assert set(figures["verified"]) == {"ok"}
    [found] = [
        t for t in database.transition_states() if land.system.identity.are_same(t.coords, x - 1e-4)
    ]
    assert found.id() != number
    assert {found.minimum1.id(), found.minimum2.id()} == ends


def test_what_is_no_stationary_point_is_left_out(land):
    database, rng = land.database, np.random.default_rng(0)
    known = land.summary()
    x = rng.normal(size=land.system.net.n_parameters)
    lost = Minimum(land.system.potential.getEnergy(x), x)
    lost.user_data = "a note of another program"
    malformed = [
        Minimum(0.0, coords) for coords in (np.zeros(3), x[:, np.newaxis], np.full_like(x, np.nan))
    ]
    malformed.append(TransitionState(0.0, np.zeros(3), *database.minima()[:2]))
    database.session.add_all([lost, *malformed])
    database.session.commit()
    figures = land.explore()
    # the first leads to some minimum; the others are none of this network's
    assert figures["n_minima"] - known["n_minima"] in (0, 1)
    assert figures["verified"]["malformed"] == 4
    assert figures["n_from_outside"] == 0
    assert figures["jobs_set_aside"] == []
    for repair in (False, True, False):
        outcomes = [outcome for *_, outcome in land.verify(repair=repair)]
        assert outcomes.count("malformed") == 4 and set(outcomes) == {"ok", "malformed"}


def test_repair_mends_what_verification_finds(land):
    before = land.summary()
    minimum = land.database.minima()[1]
    minimum.coords = minimum.coords + 1e-4
    land.database.session.commit()
    assert ("minimum", minimum.id(), "not converged") not in land.verify(repair=True)
    after = land.summary()
    for name in ("n_minima", "n_transition_states", "n_components", "verified", "coverage"):
        assert after[name] == before[name]
    assert after["barriers"] == pytest.approx(before["barriers"], abs=1e-12)


def test_points_of_an_older_definition_are_verified_anew(land):
    from nnpotential.search.journal import Journal

    before = contents(land)
    journal = Journal(land.database)
    assert not journal.outdated
    journal.tally["definition"] = 1
    journal.save()
    journal.add("check_minimum", (1,))  # it was stopped before this
    land.database.session.commit()
    figures = land.summary()
    assert figures["verified_by_older_definition"]
    assert "may be stored twice" in figures["remarks"][0]
    figures = land.explore()
    assert not figures["verified_by_older_definition"]
    after = contents(land)
    assert [m[:2] for m in after[0]] == [m[:2] for m in before[0]]
    assert {m[3]["verified"] for m in after[0]} == {"ok"}
