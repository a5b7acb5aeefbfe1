"""The periodic glass: invariants of its symmetry group, potential and derivatives."""

import pickle

import numpy as np
import pytest
from pele.optimize import lbfgs_cpp

from nnpotential.contract import check_system
from nnpotential.errors import InputError
from nnpotential.systems.glass import BinaryLennardJones, PeriodicSymmetry


def moved(x, symmetry, rng):
    """A random image: translated, permuted within species, atoms in any periodic cell."""
    X = x.reshape(-1, 3) + rng.uniform(-9, 9, 3)
    X = X + symmetry.length * rng.integers(-2, 3, X.shape)
    order = np.arange(len(X))
    for atoms in symmetry.species:
        order[atoms] = rng.permutation(atoms)
    return X[order].ravel()


def quenched(system, x):
    result = lbfgs_cpp(x, system.potential.native, tol=1e-10, nsteps=20000)
    assert result.rms < 1e-9
    return result.coords


@pytest.fixture(scope="module", params=[35, 60])
def glass(request):
    system = BinaryLennardJones(request.param)
    return system, [quenched(system, system.starts["box"](system.rng)) for _ in range(3)]


def test_images_have_equal_energy_and_are_recognised(glass):
    system, found = glass
    rng = np.random.default_rng(0)
    for x in (*found, system.starts["box"](rng)):
        image = moved(x, system.identity, rng)
        energy = system.potential.getEnergy(x)
        assert system.potential.getEnergy(image) == pytest.approx(energy, rel=1e-11)
        assert system.identity.are_same(x, image)
        assert system.identity.are_same(image, x)
        distance, back = system.identity.align(x, image)
        assert distance < 1e-9
        np.testing.assert_allclose(back, x, atol=1e-9)
        assert system.identity.n_self_images(x) == 1


@pytest.mark.parametrize("size", [1e-3, 1e-4, 3e-5])
def test_a_displaced_atom_is_another_point(glass, size):
    system, found = glass
    rng = np.random.default_rng(0)
    for atom in (0, system.n_large, system.n_atoms - 1):
        other = found[0].reshape(-1, 3).copy()
        other[atom, rng.integers(3)] += size
        assert not system.identity.are_same(found[0], moved(other.ravel(), system.identity, rng))
        assert not system.identity.are_same(other.ravel(), found[0])


def test_what_a_quench_leaves_open_does_not_make_another_point(glass):
    system, found = glass
    rng = np.random.default_rng(0)
    for x in found:
        other = x + 1e-6 * rng.uniform(-1, 1, x.size)
        assert system.identity.are_same(x, moved(other, system.identity, rng))


def test_different_minima_and_swapped_species_are_two(glass):
    system, found = glass
    rng = np.random.default_rng(0)
    for i in range(3):
        for j in range(i):
            assert not system.identity.are_same(found[i], moved(found[j], system.identity, rng))
    swapped = found[0].reshape(-1, 3).copy()
    swapped[[0, -1]] = swapped[[-1, 0]]
    assert not system.identity.are_same(found[0], swapped.ravel())


def test_a_crystal_maps_onto_itself():
    """Two simple cubic sublattices of caesium chloride, two cells along each edge."""
    sites = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3)
    x = np.vstack([sites, sites + 0.5]).ravel().astype(float)
    assert PeriodicSymmetry([range(8), range(8, 16)], 2.0).n_self_images(x) == 8
    assert PeriodicSymmetry([range(16)], 2.0).n_self_images(x) == 16
    assert PeriodicSymmetry([range(8), range(8, 16)], 2.5).n_self_images(x) == 1


def test_the_three_zero_modes(glass):
    system, found = glass
    for x in found:
        modes = system.identity.zero_modes(x)
        assert modes.shape == (x.size, 3)
        np.testing.assert_allclose(modes.T @ modes, np.eye(3), atol=1e-12)
        hessian = system.potential.getHessian(x)
        assert np.abs(hessian @ modes).max() < 1e-6
        eigenvalues = np.linalg.eigvalsh(hessian)
        assert (np.abs(eigenvalues) < 1e-6).sum() == 3
        assert eigenvalues[0] > -1e-6


def test_energy_is_that_of_kob_and_andersen(glass):
    system, _ = glass
    X = system.starts["box"](np.random.default_rng(1)).reshape(-1, 3)
    i, j = np.triu_indices(system.n_atoms, 1)
    gaps = X[i] - X[j]
    gaps -= system.length * np.round(gaps / system.length)
    r = np.linalg.norm(gaps, axis=1)
    n_large = (i < system.n_large).astype(int) + (j < system.n_large)
    epsilon, sigma = np.array([0.5, 1.5, 1.0])[n_large], np.array([0.88, 0.8, 1.0])[n_large]
    far = system.cutoff * sigma

    def bare(r):
        return 4 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6)

    slope = 4 * epsilon * (6 * (sigma / far) ** 6 - 12 * (sigma / far) ** 12) / far
    shift = -bare(far) - slope * (r**2 - far**2) / (2 * far)
    energy = (bare(r) + shift)[r < far].sum()
    assert system.potential.getEnergy(X.ravel()) == pytest.approx(energy, rel=1e-10)


def test_density_composition_and_cutoff(glass):
    system, _ = glass
    assert system.n_atoms / system.length**3 == pytest.approx(1.2)
    assert system.n_large * 5 == system.n_atoms * 4
    assert system.cutoff <= system.length / 2
    assert BinaryLennardJones(151).cutoff == 2.5
    assert BinaryLennardJones(60).cutoff == pytest.approx(1.842, abs=1e-4)
    assert BinaryLennardJones(256).n_large == 205


def test_derivatives(glass):
    system, _ = glass
    rng = np.random.default_rng(0)
    x, h = system.starts["box"](rng), 1e-6
    pot = system.potential
    _, gradient, hessian = pot.getEnergyGradientHessian(x)
    steps = h * np.eye(x.size)
    slopes = [(pot.getEnergy(x + d) - pot.getEnergy(x - d)) / (2 * h) for d in steps]
    curves = [(pot.getGradient(x + d) - pot.getGradient(x - d)) / (2 * h) for d in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(hessian, curves, rtol=1e-5, atol=1e-6 * np.abs(hessian).max())


def test_energy_and_force_are_continuous_at_the_cutoff(glass):
    system, found = glass
    X = found[0].reshape(-1, 3)
    pairs = system.identity.minimum_image(X[0] - X[1 : system.n_large])
    lengths = np.linalg.norm(pairs, axis=1)
    nearest = np.abs(lengths - system.cutoff).argmin()
    direction = pairs[nearest] / lengths[nearest]
    inside, outside = X.copy(), X.copy()
    for side, far in ((inside, system.cutoff - 1e-8), (outside, system.cutoff + 1e-8)):
        side[0] += (far - lengths[nearest]) * direction
    (e1, g1, h1), (e2, g2, h2) = (
        system.potential.getEnergyGradientHessian(side.ravel()) for side in (inside, outside)
    )
    assert abs(e2 - e1) < 1e-6
    assert np.abs(g2 - g1).max() < 1e-4
    assert np.abs(h2 - h1).max() > 0.1  # as the docstring says


@pytest.mark.parametrize("quick", [False, True])
def test_alignment(glass, quick):
    system, found = glass
    seconds = 0
    identity = system.identity
    rng = np.random.default_rng(0)
    for i in range(3):
        for j in range(3):
            x1, x2 = found[i], moved(found[j], identity, rng)
            distance, image = identity.align(x1, x2, quick)
            assert distance == pytest.approx(np.linalg.norm(x1 - image), abs=1e-10)
            assert distance <= np.linalg.norm(identity.minimum_image(x1 - x2)) + 1e-10
            assert np.abs(image - x1).max() <= system.length / 2
            energy = system.potential.getEnergy(x2)
            assert system.potential.getEnergy(image) == pytest.approx(energy, rel=1e-10)
            assert identity.are_same(x2, image)
            again = identity.align(x1, x2, quick)
            assert again[0] == distance
            assert (again[1] == image).all()
            second = identity.align_second(x1, x2)
            if second is not None:
                seconds += 1
                assert second[0] > identity.align(x1, x2)[0]
                assert identity.are_same(x2, second[1])
    assert seconds


def test_neighbours_that_differ_by_one_hop_are_aligned_atom_by_atom(glass):
    system, found = glass
    rng = np.random.default_rng(0)
    for x in found:
        hopped = x.reshape(-1, 3).copy()
        hopped[3] += 0.4
        image = moved(hopped.ravel(), system.identity, rng)
        for quick in (False, True):
            distance, _ = system.identity.align(x, image, quick)
            assert distance <= np.linalg.norm(hopped.ravel() - x) + 1e-9


def test_starts_follow_the_seed(glass):
    system, _ = glass
    check_system(system)
    draw = system.starts["box"]
    x = draw(np.random.default_rng(3))
    assert x.shape == (system.n_dof,)
    assert (x == draw(np.random.default_rng(3))).all()
    X = x.reshape(-1, 3)
    lengths = np.linalg.norm(system.identity.minimum_image(X[:, None] - X), axis=2)
    assert lengths[np.triu_indices(len(X), 1)].min() >= 0.7


def test_settings_and_pickles_make_the_system_again(tmp_path):
    system = BinaryLennardJones(60, seed=5)
    settings = {"seed": 5, **system.describe()}
    section = settings["binary_lennard_jones"]
    assert section["n_atoms"] == 60
    assert section["cutoff"] == system.cutoff
    x = system.starts["box"](np.random.default_rng(5))
    for other in (BinaryLennardJones.load(tmp_path, settings), pickle.loads(pickle.dumps(system))):
        assert (other.starts["box"](other.rng) == x).all()
        assert other.potential.getEnergy(x) == system.potential.getEnergy(x)
    section["cutoff"] = 2.5
    with pytest.raises(InputError, match=r"cutoff = 2.5; with 60 atoms it is 1.842"):
        BinaryLennardJones.load(tmp_path, settings)


@pytest.mark.parametrize("n_atoms", [0, 1, 4, 5, 32])
def test_too_few_atoms(n_atoms):
    with pytest.raises(InputError) as error:
        BinaryLennardJones(n_atoms)
    assert str(error.value) == (
        f"a binary Lennard-Jones glass needs at least 33 atoms, not {n_atoms}: at density 1.2 "
        "half the box would be shorter than a cut-off of 1.5"
    )


def test_no_number_of_atoms():
    with pytest.raises(InputError, match=r"n_atoms must be an integer, not 60.0"):
        BinaryLennardJones(60.0)
    assert BinaryLennardJones(33).cutoff >= 1.5
