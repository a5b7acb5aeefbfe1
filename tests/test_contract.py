"""What a system must give, and that the engine asks for nothing else."""

import re
from pathlib import Path

import numpy as np
import pytest
from pele.potentials import LJ

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.contract import Adapted, Identity, LandscapeSystem, Scales, adapt, check_system
from nnpotential.registry import named_system, register, system_class
from nnpotential.systems.clusters import LennardJonesCluster

PACKAGE = Path(nnp.__file__).parent


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
    with pytest.raises(InputError, match=r"lacks identity\.align, identity\.zero_modes"):
        check_system(cluster)
    with pytest.raises(InputError, match="object is no system"):
        Landscape.create(tmp_path / "a", object())
    with pytest.raises(TypeError, match="abstract"):
        LandscapeSystem()
    with pytest.raises(TypeError, match="abstract"):
        Identity()


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


# Kinds and names


def test_kinds_are_found_by_name(iris):
    assert system_class("network") is nnp.NNSystem
    assert system_class("lennard_jones") is LennardJonesCluster
    with pytest.raises(InputError, match="unknown kind of system 'quantum'"):
        system_class("quantum")


def test_a_kind_cannot_be_taken_twice():
    class Other(LennardJonesCluster):
        kind = "network"

    with pytest.raises(InputError, match="'network' is taken"):
        register(Other)
    Other.kind = ""
    with pytest.raises(InputError, match="Other needs a kind"):
        register(Other)


@pytest.mark.parametrize("name", ["ljat", "iris", "lj13.csv", "ljoint.npz", "blj"])
def test_names_of_data_are_no_clusters(name):
    assert named_system(name) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lj0", "at least 2 atoms, not 0"),
        ("lj1", "at least 2 atoms, not 1"),
        ("ljx", "give the number of atoms, as in lj13"),
        ("blj4", "at least"),
    ],
)
def test_clusters_that_cannot_be(name, message):
    with pytest.raises(InputError, match=message):
        named_system(name)


# Landscapes of other systems


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cluster_goes_all_the_way(tmp_path, workers):
    """LJ7: four minima (J. P. K. Doye and D. J. Wales, J. Chem. Phys. 116, 3777 (2002))."""
    path = tmp_path / "lj7"
    limits = {"quenches": 30, "basin_hopping_runs": 1, "soft_modes": 3}
    land = Landscape.create(path, LennardJonesCluster(7), seed=1, **limits)
    figures = land.explore(workers=workers)
    assert set(figures["verified"]) == {"ok"}
    energies = [m.energy for m in land.database.minima()]
    assert energies == pytest.approx([-16.50538, -15.93504, -15.59321, -15.53306], abs=1e-5)
    assert figures["n_transition_states"] >= 4 and figures["n_unconnected"] == 0
    assert figures["energy_label"] == "energy (epsilon)"
    land.draw(colour="gyration")
    land.close()
    again = Landscape.open(path)
    assert isinstance(again.system, LennardJonesCluster)
    assert again.explore()["n_minima"] == 4
    assert again.settings["system"] == {"kind": "lennard_jones"}
    assert again.settings["lennard_jones"] == {"n_atoms": 7}
    assert all(outcome == "ok" for *_, outcome in again.verify())


def test_the_engine_knows_no_network():
    """What searches, verifies, stores and draws imports nothing of networks."""
    network = {
        "datasets",
        "generalisation",
        "network",
        "potential",
        "symmetry",
        "system",
        "tables",
    }
    # who makes networks, or asks for them on the command line
    free = network | {"__init__", "__main__", "cli", "landscape", "registry", "selftest"}
    for path in PACKAGE.glob("*.py"):
        if path.stem not in free:
            imported = set(re.findall(r"^\s*from \.(\w+) import", path.read_text(), re.MULTILINE))
            assert not imported & network, path.name
