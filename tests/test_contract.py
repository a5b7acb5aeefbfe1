"""What a system must give, and that the engine asks for nothing else."""

import numpy as np
import pytest
from pele.potentials import LJ, BasePotential

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.contract import Adapted, Identity, LandscapeSystem, Scales, adapt, check_system
from nnpotential.systems.clusters import LennardJonesCluster
from nnpotential.systems.registry import register


@pytest.fixture
def cluster():
    return LennardJonesCluster(5)


@pytest.mark.parametrize("part", ["potential", "identity", "scales", "starts", "n_dof"])
def test_a_system_that_lacks_a_part_is_refused_by_its_name(tmp_path, cluster, part):
    delattr(cluster, part)
    with pytest.raises(InputError, match=f"LennardJonesCluster is no system .* lacks {part}"):
        Landscape.create(tmp_path / "a", cluster)
    assert not (tmp_path / "a").exists()


def test_members_that_are_missing_are_named(tmp_path, cluster):
    class Half:
        tolerance = 1e-5

        def are_same(self, x1, x2):
            return False

    cluster.identity = Half()
    with pytest.raises(InputError, match=r"lacks identity\.align, identity\.distances, "):
        check_system(cluster)
    for member in ("align_second", "distances", "free_modes"):
        assert member not in vars(Half)
        with pytest.raises(InputError, match=rf"identity\.{member}\b"):
            check_system(cluster)
    with pytest.raises(InputError, match="object is no system"):
        Landscape.create(tmp_path / "a", object())
    with pytest.raises(TypeError, match="abstract"):
        LandscapeSystem()
    with pytest.raises(TypeError, match="abstract"):
        Identity()


class MuellerBrown(LandscapeSystem):
    """With no more than the contract asks for (Theor. Chim. Acta 53, 75 (1979))."""

    kind = "mueller_brown"

    def __init__(self, seed=0):
        super().__init__(seed)
        self.potential, self.identity = adapt(MuellerBrownEnergy()), Equality()
        self.scales, self.n_dof = Scales(10.0), 2
        self.starts = {"box": box}

    def describe(self):
        return {}

    @classmethod
    def load(cls, directory, settings):
        return cls(settings["seed"])


def box(rng):
    return rng.uniform([-1.5, -0.2], [1.0, 1.8])


class Equality(Identity):
    tolerance = 1e-5

    def are_same(self, x1, x2):
        return np.abs(x1 - x2).max() <= self.tolerance

    def align(self, x1, x2, quick=False):
        return float(np.linalg.norm(x1 - x2)), x2

    def zero_modes(self, x):
        return np.empty((2, 0))

    def n_self_images(self, x):
        return 1


class MuellerBrownEnergy(BasePotential):
    A, a, b, c, x0, y0 = np.array(
        [
            [-200, -1, 0, -10, 1, 0],
            [-100, -1, 0, -10, 0, 0.5],
            [-170, -6.5, 11, -6.5, -0.5, 1.5],
            [15, 0.7, 0.6, 0.7, -1, 1],
        ]
    ).T

    def getEnergy(self, x):
        return self.getEnergyGradientHessian(x)[0]

    def getEnergyGradient(self, x):
        return self.getEnergyGradientHessian(x)[:2]

    def getEnergyGradientHessian(self, x):
        u, v = x[0] - self.x0, x[1] - self.y0
        e = self.A * np.exp(np.minimum(self.a * u * u + self.b * u * v + self.c * v * v, 50))
        p, q = 2 * self.a * u + self.b * v, self.b * u + 2 * self.c * v
        H = np.array(
            [
                [(e * (p * p + 2 * self.a)).sum(), (e * (p * q + self.b)).sum()],
                [(e * (p * q + self.b)).sum(), (e * (q * q + 2 * self.c)).sum()],
            ]
        )
        return float(e.sum()), np.array([(e * p).sum(), (e * q).sum()]), H


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr("nnpotential.systems.registry._registered", {})
    return register(MuellerBrown)


def test_a_system_with_no_more_than_the_contract_asks(tmp_path, registered):
    land = Landscape.create(tmp_path / "a", registered(), quenches=20)
    figures = land.explore()
    assert set(figures["verified"]) == {"ok"}
    minima = [m.energy for m in land.database.minima()]
    assert minima == pytest.approx([-146.6995, -108.1667, -80.7678], abs=1e-4)
    states = sorted(t.energy for t in land.database.transition_states())
    assert states == pytest.approx([-72.2489, -40.6648], abs=1e-4)


def test_the_window_of_a_database_is_the_users_to_change(cluster):
    assert cluster.create_database().accuracy == cluster.scales.energy_window
    cluster.params.database.accuracy = 1e-3
    assert cluster.create_database().accuracy == 1e-3
    assert cluster.create_database(accuracy=1e-4).accuracy == 1e-4


def test_parameters_of_the_given_system_hold(tmp_path, cluster):
    cluster.params.takestep.stepsize = 0.123
    land = Landscape.create(tmp_path / "a", cluster)
    assert land.system is cluster


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_dof", 3, "must give 3 finite float64"),
        ("n_dof", "2", "n_dof must be an integer"),
        ("starts", {"box": lambda rng: np.zeros(3)}, "must give 2 finite float64"),
        ("starts", {"box": lambda rng: np.full(2, np.nan)}, "some of them not finite"),
        ("starts", {"box": 5}, "must be a function of a generator"),
        ("starts", {"other": box}, "unknown initialization 'other'"),
        ("describe", lambda: None, "describe must give sections"),
        ("kind", "network", "give it a kind of its own"),
        ("kind", "unheard", "unknown kind of system 'unheard'"),
    ],
)
def test_parts_that_are_wrong_leave_nothing(tmp_path, registered, name, value, message):
    system = registered()
    setattr(system, name, value)
    with pytest.raises(InputError, match=message):
        Landscape.create(tmp_path / "a", system)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("values", [{"energy": 0}, {"energy": -1.0}, {"tolerance": float("nan")}])
def test_scales_must_be_above_zero(values):
    with pytest.raises(InputError, match="must be above 0"):
        Scales(**values)


def test_a_class_is_no_system(tmp_path):
    with pytest.raises(InputError, match="LennardJonesCluster is a class: give an instance"):
        Landscape.create(tmp_path / "a", LennardJonesCluster)


def test_a_system_without_a_start_is_refused(cluster):
    cluster.starts = {}
    with pytest.raises(InputError, match="a source of random starts"):
        check_system(cluster)


def test_a_mistake_in_a_system_is_raised(tmp_path, cluster):
    """Not repeated three times and set aside."""

    class Mistaken(type(cluster.identity)):
        def are_same(self, x1, x2):
            return x1.no_such_attribute

    cluster.identity = Mistaken([range(5)])
    land = Landscape.create(tmp_path / "a", cluster, quenches=2)
    land.system = cluster
    with pytest.raises(AttributeError, match="no_such_attribute"):
        land.explore()


def test_data_go_with_networks_only(tmp_path, cluster, iris):
    with pytest.raises(InputError, match="data go with a network"):
        Landscape.create(tmp_path / "a", cluster, iris)
    with pytest.raises(InputError, match="a network needs a Dataset, not None"):
        Landscape.create(tmp_path / "a", nnp.MLP([4, 3, 3]))
    with pytest.raises(InputError, match="unknown search setting 'regularization'"):
        Landscape.create(tmp_path / "a", cluster, regularization=1e-3)
    with pytest.raises(InputError, match=r"unknown initialization 'he_normal'.*sphere"):
        Landscape.create(tmp_path / "a", cluster, initializations=["he_normal"])
    assert not (tmp_path / "a").exists()


def test_adapted_potentials():
    native, rng = LJ(), np.random.default_rng(0)
    pot = adapt(native)
    assert isinstance(pot, Adapted) and pot.native is native and adapt(pot) is pot
    X = rng.uniform(-1, 1, (3, 12))
    energies, gradients = pot.energies_gradients(X)
    for x, energy, gradient in zip(X, energies, gradients, strict=True):
        assert energy == pot.getEnergy(x) == native.getEnergy(x)
        assert np.array_equal(gradient, pot.getGradient(x))
    x, v = X[0], rng.normal(size=(2, 12))
    H = pot.getHessian(x)
    assert np.allclose(pot.hessian_vector_product(x, v), v @ H)
    assert np.allclose(pot.hessian_vector_product(x, v[0]), H @ v[0])


def test_scales_are_in_units_of_the_system():
    wide, narrow = Scales(1e3), Scales(1e-3, tolerance=1e-4)
    assert wide.rms / narrow.rms == pytest.approx(1e6)
    assert narrow.step == pytest.approx(1e-5)


# Landscapes of other systems


def test_a_cluster_goes_all_the_way(tmp_path):
    """LJ7, by default: 4 minima and 12 transition states, as the literature has it.

    J. P. K. Doye and D. J. Wales, J. Chem. Phys. 116, 3777 (2002).
    """
    path = tmp_path / "lj7"
    land = Landscape.create(path, LennardJonesCluster(7), seed=1)
    figures = land.explore(workers=2)
    assert set(figures["verified"]) == {"ok"}
    energies = [m.energy for m in land.database.minima()]
    assert energies == pytest.approx([-16.50538, -15.93504, -15.59321, -15.53306], abs=1e-5)
    states = land.database.transition_states()
    assert len(states) == 12 and figures["n_degenerate_rearrangements"] == 6
    assert (np.diff(sorted(t.energy for t in states)) > 1e-6).all()
    for state in states:
        values = np.linalg.eigvalsh(land.system.potential.getHessian(state.coords))
        assert (values < -1e-6).sum() == 1 and figures["n_unconnected"] == 0
    assert figures["energy_label"] == "energy (epsilon)"
    land.draw(colour="gyration")
    land.close()
    again = Landscape.open(path)
    assert isinstance(again.system, LennardJonesCluster)
    assert again.explore()["n_minima"] == 4
    assert again.settings["system"] == {"kind": "lennard_jones"}
    assert again.settings["lennard_jones"] == {"n_atoms": 7}
    assert all(outcome == "ok" for *_, outcome in again.verify())
