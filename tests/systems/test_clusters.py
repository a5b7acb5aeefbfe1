"""Clusters: invariants of the symmetry group, known energies and point groups, derivatives."""

import pickle
from itertools import pairwise, product

import numpy as np
import pytest
from pele.mindist import ExactMatchAtomicCluster, PointGroupOrderCluster
from pele.optimize import lbfgs_cpp
from scipy.spatial.transform import Rotation

from nnpotential.contract import check_system
from nnpotential.errors import InputError
from nnpotential.systems.clusters import ClusterSymmetry, LennardJonesCluster, radius_of_gyration


def moved(x, rng, species=None, reflect=False):
    """A random image: every kind of operation of the group."""
    X = x.reshape(-1, 3) @ Rotation.from_quat(rng.normal(size=4)).as_matrix()
    if reflect:
        X = -X
    order = np.arange(len(X))
    for atoms in species or [order]:
        order[atoms] = rng.permutation(atoms)
    return (X[order] + rng.normal(size=3)).ravel()


def quenched(system, x):
    result = lbfgs_cpp(x, system.potential.native, tol=1e-11, nsteps=20000)
    assert result.rms < 1e-9
    return result.coords


def minima(n_atoms, n_quenches):
    """Different minima of a cluster, the lowest first."""
    system, found = LennardJonesCluster(n_atoms), []
    for _ in range(n_quenches):
        x = quenched(system, system.starts["sphere"](system.rng))
        if not any(system.identity.are_same(x, y) for y in found):
            found.append(x)
    return system, sorted(found, key=system.potential.getEnergy)


@pytest.fixture(scope="module")
def lj7():
    return minima(7, 60)


@pytest.fixture(scope="module")
def lj13():
    system = LennardJonesCluster(13)
    golden = (1 + 5**0.5) / 2
    corners = [np.roll([0, a, b * golden], k) for k in range(3) for a in (1, -1) for b in (1, -1)]
    return system, quenched(system, 0.55 * np.vstack([corners, np.zeros(3)]).ravel())


@pytest.fixture(scope="module")
def lj38():
    """The truncated octahedron: 38 sites of a face-centred cubic lattice."""
    sites = np.array([p for p in product(range(-3, 4), repeat=3) if sum(p) % 2])
    nearest = sites[np.argsort((sites**2).sum(1), kind="stable")[:38]]  # to an octahedral hole
    system = LennardJonesCluster(38)
    return system, quenched(system, nearest.ravel() * 1.1 / 2**0.5)


@pytest.mark.parametrize("n_atoms", [2, 3, 4, 7, 13, 20])
@pytest.mark.parametrize("reflect", [False, True])
def test_images_have_equal_energy_and_are_recognised(n_atoms, reflect):
    system = LennardJonesCluster(n_atoms)
    rng = np.random.default_rng(n_atoms)
    for relax in (False, True):
        x = system.starts["sphere"](rng)
        x = quenched(system, x) if relax else x
        image = moved(x, rng, reflect=reflect)
        energy = system.potential.getEnergy(x)
        assert system.potential.getEnergy(image) == pytest.approx(energy, rel=1e-11)
        assert system.identity.are_same(x, image)
        assert system.identity.are_same(image, x)
        distance, back = system.identity.align(x, image)
        assert distance < 1e-9
        np.testing.assert_allclose(back, x, atol=1e-9)


def test_enantiomers_are_the_same():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 3))
    X -= X.mean(0)
    symmetry = ClusterSymmetry([[atom] for atom in range(6)])  # no permutation may help
    _, apart = Rotation.align_vectors(X, -X)
    assert apart > 0.1  # no rotation does
    assert symmetry.are_same(X.ravel(), moved(-X.ravel(), rng, [[atom] for atom in range(6)]))
    system, found = minima(8, 60)
    for x in found:
        assert system.identity.are_same(x, moved(x, rng, reflect=True))


@pytest.mark.parametrize("size", [1e-3, 1e-4, 3e-5])
def test_a_displaced_atom_is_another_point(lj7, lj13, lj38, size):
    rng = np.random.default_rng(0)
    for system, x in ((lj7[0], lj7[1][0]), lj13, lj38):
        for _ in range(10):
            other = x.reshape(-1, 3).copy()
            direction = rng.normal(size=3)
            other[rng.integers(len(other))] += size * direction / np.linalg.norm(direction)
            assert not system.identity.are_same(x, moved(other.ravel(), rng))
            assert not system.identity.are_same(other.ravel(), x)


def test_what_a_quench_leaves_open_does_not_make_another_point(lj7, lj13, lj38):
    rng = np.random.default_rng(0)
    for system, x in ((lj7[0], lj7[1][0]), lj13, lj38):
        for _ in range(10):
            other = x + 1e-6 * rng.uniform(-1, 1, x.size)
            assert system.identity.are_same(x, moved(other, rng, reflect=True))
            assert system.identity.n_self_images(other) == system.identity.n_self_images(x)


@pytest.mark.parametrize("width", [1e-6, 3e-5, 1e-4, 1e-3, 1e-2, 1.0])
def test_nearly_linear_points_are_recognised(width):
    """Where the frame of two atoms says little about the rotation around the axis."""
    rng = np.random.default_rng(0)
    symmetry = ClusterSymmetry([range(6)])
    for _ in range(50):
        X = np.stack([np.arange(6), *(width * rng.normal(size=(2, 6)))], axis=1)
        error = rng.normal(size=X.shape)
        error *= 0.5 * symmetry.tolerance / np.linalg.norm(error, axis=1).max()
        image = moved((X + error).ravel(), rng, reflect=True)
        assert symmetry.are_same(X.ravel(), image)
        assert symmetry.are_same(image, X.ravel())


def test_equal_radii_do_not_make_two_clusters_the_same():
    """A prism and an antiprism: radii agree, distances do not."""
    corners = np.exp(2j * np.pi * np.arange(4) / 4)
    ring = np.stack([corners.real, corners.imag, np.ones(4)], axis=1)
    turned = ring @ Rotation.from_euler("z", 45, degrees=True).as_matrix()
    down = np.array([1, 1, -1])
    cube = np.vstack([ring, ring * down]).ravel()
    antiprism = np.vstack([ring, turned * down]).ravel()
    symmetry = ClusterSymmetry([range(8)])
    assert not symmetry.are_same(cube, antiprism)
    assert symmetry.n_self_images(cube) == 16  # as high as wide it is not: D4h
    assert symmetry.n_self_images(antiprism) == 16  # D4d


def test_two_minima_are_two(lj7, lj38):
    system, found = lj7
    energies = [system.potential.getEnergy(x) for x in found]
    np.testing.assert_allclose(energies, [-16.50538, -15.93504, -15.59321, -15.53306], atol=1e-5)
    assert [system.identity.n_self_images(x) for x in found] == [20, 6, 6, 2]
    system, x = lj38
    rng = np.random.default_rng(1)
    vacancy = x.reshape(-1, 3).copy()
    vacancy[0] = -1.3 * vacancy[0]  # an atom taken from one corner, put on the opposite one
    other = quenched(system, vacancy.ravel())
    assert not system.identity.are_same(x, moved(other, rng))


def test_eight_minima_of_eight_atoms():
    system, found = minima(8, 250)
    assert len(found) == 8
    assert system.potential.getEnergy(found[0]) == pytest.approx(-19.82149, abs=1e-5)


def test_point_groups(lj13, lj38):
    system, x = lj13
    assert system.potential.getEnergy(x) == pytest.approx(-44.326801, abs=1e-6)
    assert system.identity.n_self_images(x) == 120
    system, x = lj38
    assert system.potential.getEnergy(x) == pytest.approx(-173.928427, abs=1e-6)
    assert system.identity.n_self_images(x) == 48
    for n_atoms, order in ((3, 12), (4, 24), (5, 12), (6, 48)):
        system, found = minima(n_atoms, 5)
        assert system.identity.n_self_images(found[0]) == order


def test_point_groups_are_those_of_pele(lj7):
    for system, found in (lj7, minima(8, 60)):
        pele = PointGroupOrderCluster(
            ExactMatchAtomicCluster(permlist=[range(system.n_atoms)], tol=1e-4, accuracy=1e-4)
        )
        for x in found:
            assert system.identity.n_self_images(x) == pele(x)


def test_linear_clusters_count_modulo_rotation_about_the_axis():
    dimer = np.array([0.0, 0, 0, 0, 0, 1])
    line = np.array([0.0, 0, 0, 0, 0, 1, 0, 0, 2])
    uneven = np.array([0.0, 0, 0, 0, 0, 1, 0, 0, 2.5])
    assert ClusterSymmetry([[0, 1]]).n_self_images(dimer) == 4
    assert ClusterSymmetry([[0], [1]]).n_self_images(dimer) == 2
    three = ClusterSymmetry([range(3)])
    assert three.n_self_images(line) == 4
    assert three.n_self_images(uneven) == 2
    assert not three.are_same(line, uneven)


def test_species_do_not_mix():
    rng = np.random.default_rng(0)
    species = [[0, 2, 4], [1, 3, 5, 6]]
    symmetry = ClusterSymmetry(species)
    for _ in range(10):
        x = rng.normal(size=21)
        image = moved(x, rng, [np.array(atoms) for atoms in species], reflect=True)
        assert symmetry.are_same(x, image)
        swapped = x.reshape(-1, 3).copy()
        swapped[[0, 1]] = swapped[[1, 0]]
        assert not symmetry.are_same(x, swapped.ravel())
        assert symmetry.align(x, swapped.ravel())[0] > 1e-3


@pytest.mark.parametrize(
    ("x", "n_modes"),
    [
        (np.array([0.0, 0, 0, 0.3, 0.4, 0]), 5),
        (np.outer(np.arange(5.0), [1, 2, 3]).ravel(), 5),
        (np.array([0.0, 0, 0, 1, 0, 0, 2, 1e-3, 0]), 6),
        (np.zeros(12), 3),
        (np.array([0.0, 0, 0, 0, 0, 0, 1, 0, 0]), 5),
        (np.array([1.0, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 0]), 6),
    ],
)
def test_collinear_planar_and_coincident_atoms(x, n_modes):
    symmetry = ClusterSymmetry([range(x.size // 3)])
    rng = np.random.default_rng(0)
    image = moved(x, rng)
    assert symmetry.are_same(x, image)
    assert symmetry.align(x, image)[0] < 1e-7
    modes = symmetry.zero_modes(x)
    assert modes.shape == (x.size, n_modes)
    np.testing.assert_allclose(modes.T @ modes, np.eye(n_modes), atol=1e-12)
    assert symmetry.n_self_images(x) >= 2
    other = rng.normal(size=x.size)
    for a, b in ((x, other), (other, x)):
        assert not symmetry.are_same(a, b)
        assert np.isfinite(symmetry.align(a, b, quick=True)[1]).all()
        second = symmetry.align_second(a, b)
        assert second is None or np.isfinite(second[1]).all()


def test_energy_never_changes_along_the_zero_modes(lj7, lj13, lj38):
    dimer = LennardJonesCluster(2)
    x = quenched(dimer, dimer.starts["sphere"](dimer.rng))
    cases = (dimer, x, 5), (*lj13, 6), (*lj38, 6), (lj7[0], lj7[1][1], 6)
    for system, x, n_modes in cases:
        modes = system.identity.zero_modes(x)
        assert modes.shape == (x.size, n_modes)
        np.testing.assert_allclose(modes.T @ modes, np.eye(n_modes), atol=1e-12)
        hessian = system.potential.getHessian(x)
        assert np.abs(hessian @ modes).max() < 1e-6
        eigenvalues = np.linalg.eigvalsh(hessian)
        assert (np.abs(eigenvalues) < 1e-6).sum() == n_modes


def test_derivatives():
    system = LennardJonesCluster(9)
    rng = np.random.default_rng(0)
    x, h = system.starts["sphere"](rng), 1e-6
    pot = system.potential
    energy, gradient, hessian = pot.getEnergyGradientHessian(x)
    assert energy == pot.getEnergy(x)
    steps = h * np.eye(x.size)
    slopes = [(pot.getEnergy(x + d) - pot.getEnergy(x - d)) / (2 * h) for d in steps]
    curves = [(pot.getGradient(x + d) - pot.getGradient(x - d)) / (2 * h) for d in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(hessian, curves, rtol=1e-6, atol=1e-6 * np.abs(hessian).max())
    v = rng.normal(size=(2, x.size))
    np.testing.assert_allclose(pot.hessian_vector_product(x, v), v @ hessian)
    lengths = np.linalg.norm(x.reshape(-1, 1, 3) - x.reshape(-1, 3), axis=2)[np.triu_indices(9, 1)]
    assert energy == pytest.approx((4 * (lengths**-12 - lengths**-6)).sum(), rel=1e-12)


@pytest.mark.parametrize("n_atoms", [7, 13, 38])
def test_alignment(n_atoms):
    system = LennardJonesCluster(n_atoms)
    align = system.identity.align
    seconds = 0
    for _ in range(4):
        x1, x2 = (quenched(system, system.starts["sphere"](system.rng)) for _ in range(2))
        x2 += 0.1
        energy = system.potential.getEnergy(x2)
        state = np.random.get_state()[1].copy()  # noqa: NPY002 (pele's alignment draws from it)
        quick = align(x1, x2, quick=True)
        full = align(x1, x2)
        for distance, image in (quick, full):
            assert distance == pytest.approx(np.linalg.norm(x1 - image), abs=1e-12)
            assert distance <= np.linalg.norm(x1 - x2)
            assert system.potential.getEnergy(image) == pytest.approx(energy, rel=1e-10)
            assert system.identity.are_same(x2, image)
        assert full[0] <= quick[0]
        again = align(x1, x2)
        assert again[0] == full[0]
        assert (again[1] == full[1]).all()
        second = system.identity.align_second(x1, x2)
        if second is not None:
            seconds += 1
            assert second[0] > full[0]
            assert second[0] == pytest.approx(np.linalg.norm(x1 - second[1]), abs=1e-12)
            assert system.identity.are_same(x2, second[1])
        assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert seconds


def test_starts_cohere_and_follow_the_seed():
    system = LennardJonesCluster(13, seed=3)
    check_system(system)
    draw = system.starts["sphere"]
    x = draw(np.random.default_rng(3))
    assert x.shape == (system.n_dof,)
    assert (x == draw(np.random.default_rng(3))).all()
    lengths = np.linalg.norm(x.reshape(-1, 1, 3) - x.reshape(-1, 3), axis=2)
    assert lengths[np.triu_indices(13, 1)].min() >= 0.8
    for _ in range(20):
        assert radius_of_gyration(quenched(system, draw(system.rng))) < 1.5


def test_settings_and_pickles_make_the_system_again(tmp_path):
    system = LennardJonesCluster(7, seed=5)
    assert system.describe() == {"lennard_jones": {"n_atoms": 7}}
    system.params.takestep.stepsize = 0.7
    loaded = LennardJonesCluster.load(tmp_path, {"seed": 5, **system.describe()})
    opened = pickle.loads(pickle.dumps(system))
    assert opened.params.takestep.stepsize == 0.7
    x = system.starts["sphere"](system.rng)
    for other in (loaded, opened):
        assert (other.starts["sphere"](other.rng) == x).all()
        assert other.potential.getEnergy(x) == system.potential.getEnergy(x)
    with pytest.raises(InputError, match="n_atoms must be an integer, not None"):
        LennardJonesCluster.load(tmp_path, {"lennard_jones": {}})


def test_a_smooth_path_stays_on_its_way(lj7):
    system, found = lj7
    x2 = system.identity.align(found[0], found[1])[1]
    path = [found[0], moved(x2, np.random.default_rng(0))]
    smooth = [found[0], *system.smooth_path(path)]
    assert system.identity.are_same(smooth[-1], found[1])
    steps = [np.linalg.norm(b - a) for a, b in pairwise(smooth)]
    assert max(steps) < 0.5


@pytest.mark.parametrize(
    ("n_atoms", "message"),
    [
        (1, "a Lennard-Jones cluster needs at least 2 atoms, not 1"),
        (0, "a Lennard-Jones cluster needs at least 2 atoms, not 0"),
        (-3, "a Lennard-Jones cluster needs at least 2 atoms, not -3"),
        (2.5, "n_atoms must be an integer, not 2.5"),
        ("13", "n_atoms must be an integer, not '13'"),
        (True, "n_atoms must be an integer, not True"),
    ],
)
def test_bad_numbers_of_atoms(n_atoms, message):
    with pytest.raises(InputError) as error:
        LennardJonesCluster(n_atoms)
    assert str(error.value) == message


@pytest.mark.parametrize("species", [[[0, 1], [1, 2]], [[1, 2]], [[0, 2]]])
def test_species_list_every_atom_once(species):
    with pytest.raises(InputError, match="every atom"):
        ClusterSymmetry(species)
