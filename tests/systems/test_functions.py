"""The formulas against the functions: by finite differences, and by Newton from everywhere."""

import pickle
from itertools import permutations, product

import numpy as np
import pytest
from scipy.optimize import approx_fprime, root

from nnpotential.contract import check_system
from nnpotential.errors import InputError
from nnpotential.points.saddle import find_transition_state
from nnpotential.systems.functions import EggBox, LinearAutoencoder

SYSTEMS = [
    LinearAutoencoder(),
    LinearAutoencoder((4.0, 1.0, 0.5, 0.1), 0.2),
    LinearAutoencoder((1.0, 0.1), 0.3),  # the origin is the transition state
    EggBox(),
    EggBox((1.0, 1.0), (0.5, 3.9)),
]
every = pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: f"{s.kind}-{s.n_dof}")


def points_of(system, n, seed=0):
    rng = np.random.default_rng(seed)
    (start,) = system.starts.values()
    return [start(rng) for _ in range(n)]


def of_index(system, index):
    return [p for p in system.stationary_points() if p.index == index]


@every
def test_the_derivatives_are_those_of_the_energy(system):
    potential = system.potential
    for x in points_of(system, 5):
        energy, gradient, hessian = potential.getEnergyGradientHessian(x)
        assert energy == potential.getEnergy(x) == potential.getEnergyGradient(x)[0]
        np.testing.assert_array_equal(gradient, potential.getGradient(x))
        np.testing.assert_allclose(
            gradient, approx_fprime(x, potential.getEnergy, 1e-7), atol=1e-5 * system.scales.energy
        )
        np.testing.assert_allclose(
            hessian, approx_fprime(x, potential.getGradient, 1e-7), atol=1e-5 * system.scales.energy
        )
        np.testing.assert_array_equal(hessian, hessian.T)


def test_the_loss_of_the_autoencoder_is_its_mean_over_data():
    system = LinearAutoencoder()
    rng = np.random.default_rng(0)
    # whitened, so that the covariance is exact
    z = rng.normal(size=(50, 3))
    z -= z.mean(axis=0)
    whitening = np.linalg.inv(np.linalg.cholesky(z.T @ z / len(z)))
    data = z @ whitening.T * np.sqrt(system.variances)
    for x in points_of(system, 3):
        a, b = x[:3], x[3:]
        loss = ((data - np.outer(data @ a, b)) ** 2).sum(axis=1).mean() + 0.3 * x @ x
        assert system.potential.getEnergy(x) == pytest.approx(loss, abs=1e-12)


@every
def test_stationary_points_are_what_they_say(system):
    for point in system.stationary_points():
        energy, gradient, hessian = system.potential.getEnergyGradientHessian(point.x)
        assert energy == pytest.approx(point.energy, abs=1e-14 * max(1, energy))
        assert np.abs(gradient).max() < 1e-14
        values = np.linalg.eigvalsh(hessian)
        assert (values < 0).sum() == point.index
        assert np.abs(values).min() > 1e-3  # none is degenerate
    energies = [point.energy for point in system.stationary_points()]
    assert energies == sorted(energies)


@every
def test_newton_from_everywhere_finds_these_points_and_no_others(system):
    points, same = system.stationary_points(), system.identity.are_same
    found = set()
    for start in points_of(system, 400 * len(points) // system.n_dof):
        end = root(system.potential.getGradient, start, jac=system.potential.getHessian, tol=1e-12)
        if end.success and np.abs(end.fun).max() < 1e-10:
            images = [i for i, point in enumerate(points) if same(point.x, end.x)]
            assert len(images) == 1, f"{end.x} is image of {images}"
            found.add(images[0])
    assert found == set(range(len(points)))


@every
def test_transition_states_lead_down_to_the_minima_they_join(system):
    points, same = system.stationary_points(), system.identity.are_same
    connections = system.connections()
    assert [ts for ts, *_ in connections] == [i for i, p in enumerate(points) if p.index == 1]
    for ts, *ends in connections:
        _, vectors = np.linalg.eigh(system.potential.getHessian(points[ts].x))
        reached = []
        for side in (1, -1):
            x = points[ts].x + side * 1e-3 * vectors[:, 0]
            for _ in range(5000):  # steepest descent, in steps too short to leave the valley
                step = 0.1 / system.scales.energy * system.potential.getGradient(x)
                x = x - step
                if np.abs(step).max() < 1e-9:
                    break
            reached += [i for i, p in enumerate(points) if p.index == 0 and same(p.x, x)]
        assert sorted(reached) == sorted(ends)


def test_the_numbers_of_the_autoencoder():
    points = LinearAutoencoder().stationary_points()
    assert [p.energy for p in points] == pytest.approx([3.27, 4.255, 5.7 - 0.16 / 0.7, 5.7])
    assert [p.index for p in points] == [0, 1, 2, 3]
    assert LinearAutoencoder().connections() == [(1, 0, 0)]
    assert LinearAutoencoder().barriers() == {}


def test_the_numbers_of_the_egg_box():
    system = EggBox()
    minima = [p.energy for p in of_index(system, 0)]
    assert minima == pytest.approx([0, 0.5, 0.9, 1.4, 1.6, 2.1, 2.5, 3])
    a, b, c = 1.265625, 1.98375, 2.88  # the maxima of the three axes
    expected = [a, b, a + 0.9, b + 0.5, a + 1.6, c, c + 0.5, b + 1.6]
    expected += [a + 2.5, c + 0.9, b + 2.1, c + 1.4]
    assert [p.energy for p in of_index(system, 1)] == pytest.approx(sorted(expected))
    assert [len(of_index(system, k)) for k in range(4)] == [8, 12, 6, 1]


def test_the_barriers_of_the_egg_box():
    """A corner goes down one axis after the other, in the order that costs least."""
    system = EggBox()
    points, barriers = system.stationary_points(), system.barriers()
    up = [d * (1 - t / (4 * d)) ** 2 for d, t in zip(system.depths, system.tilts, strict=True)]
    for i, barrier in barriers.items():
        raised = np.flatnonzero(points[i].x > 1)
        heights = []
        for order in permutations(raised):
            fallen = np.concatenate([[0], np.cumsum([system.tilts[k] for k in order])])
            heights.append(max(up[k] - f for k, f in zip(order, fallen, strict=False)))
        assert barrier == pytest.approx(min(heights))
    values = [0.765625, 1.08375, 0.765625, 1.28, 0.78, 1.08375, 0.765625]
    assert list(barriers.values()) == pytest.approx(values)


# Identity


def images(system, x):
    """All images of `x`; on the torus those up to two cells away."""
    if isinstance(system, LinearAutoencoder):
        return [x * np.tile(signs, 2) for signs in product((1, -1), repeat=x.size // 2)]
    return [
        signs * x + 2 * np.pi * np.array(cells)
        for signs in product((1, -1), repeat=x.size)
        for cells in product((-1, 0, 1), repeat=x.size)
    ]


@every
def test_images_are_the_same_and_have_the_same_energy(system):
    rng, same = np.random.default_rng(1), system.identity.are_same
    for x in points_of(system, 20) + [p.x for p in system.stationary_points()]:
        image = images(system, x)[rng.integers(len(images(system, x)))]
        assert system.potential.getEnergy(image) == pytest.approx(system.potential.getEnergy(x))
        assert same(x, image) and same(image, x)
        distance, nearest = system.identity.align(x, image)
        assert distance < 1e-13 and np.abs(nearest - x).max() < 1e-13
        shift = np.zeros_like(x)
        shift[rng.integers(x.size)] = 3 * system.identity.tolerance
        assert not same(x, image + shift) and not same(image + shift, x)
    for i, one in enumerate(system.stationary_points()):
        for j, two in enumerate(system.stationary_points()):
            assert same(one.x, two.x) == (i == j)


@every
def test_alignment_finds_the_nearest_of_all_images(system):
    identity = system.identity
    for x1, x2 in zip(points_of(system, 10, 3), points_of(system, 10, 4), strict=True):
        distance, image = identity.align(x1, x2)
        assert distance == pytest.approx(np.linalg.norm(x1 - image))
        assert identity.are_same(image, x2)
        others = [y for y in images(system, x2) if np.abs(y - image).max() > 1e-9]
        assert distance <= min(np.linalg.norm(x1 - y) for y in others)
        second, other = identity.align_second(x1, x2)
        assert second == pytest.approx(np.linalg.norm(x1 - other))
        assert identity.are_same(other, x2) and np.abs(other - image).max() > 1e-3
        assert second == pytest.approx(min(np.linalg.norm(x1 - y) for y in others))


def test_two_ways_round_the_torus():
    identity = EggBox().identity
    x1, x2 = np.zeros(3), np.array([np.pi, 0, 0])
    _, image = identity.align(x1, x2)
    _, other = identity.align_second(x1, x2)
    np.testing.assert_allclose(other, -image, atol=1e-12)
    assert np.linalg.norm(other) == pytest.approx(np.pi)


def test_a_point_without_other_images_has_no_second_alignment():
    system = LinearAutoencoder()
    assert system.identity.align_second(np.ones(6), np.zeros(6)) is None


@every
def test_images_and_self_images_make_up_the_group(system):
    """Up to translations the group has 2^n operations."""
    n = system.n_dof if isinstance(system, EggBox) else system.n_dof // 2
    for point in system.stationary_points():
        found = images(system, point.x)
        if isinstance(system, EggBox):  # into one cell, whose edge no point is near
            found = [(image + 0.1) % (2 * np.pi) for image in found]
        different = {tuple(np.round(image, 4) + 0.0) for image in found}
        assert len(different) * system.identity.n_self_images(point.x) == 2**n


@every
def test_morse_counts_of_all_images(system):
    """Minima less transition states and so on: 1 in a plane that rises everywhere, 0 on a torus."""
    n = system.n_dof if isinstance(system, EggBox) else system.n_dof // 2
    images_of = [2**n // system.identity.n_self_images(p.x) for p in system.stationary_points()]
    signs = [(-1) ** p.index for p in system.stationary_points()]
    assert np.dot(images_of, signs) == (0 if isinstance(system, EggBox) else 1)


# The contract


@every
def test_it_meets_the_contract_and_is_made_again_from_its_settings(system):
    check_system(system)
    assert all(system.identity.zero_modes(x).shape == (x.size, 0) for x in points_of(system, 2))
    assert list(system.describe()) == [system.kind]
    twin = type(system).load(None, {"seed": 3, **system.describe()})
    assert twin.get_system_properties() == system.get_system_properties()
    assert all(type(v) in (str, float, int) for v in twin.get_system_properties().values())
    copied = pickle.loads(pickle.dumps(system))  # workers are given it so
    (x,) = points_of(system, 1)
    for other in (twin, copied):
        assert other.potential.getEnergy(x) == system.potential.getEnergy(x)
        np.testing.assert_array_equal(points_of(other, 1)[0], x)


@every
def test_quenches_end_in_known_minima(system):
    minimize, same = system.get_minimizer(), system.identity.are_same
    reached = set()
    for x in points_of(system, 100):
        end = minimize(x)
        assert end.success
        reached |= {i for i, p in enumerate(of_index(system, 0)) if same(p.x, end.coords)}
    assert len(reached) == len(of_index(system, 0))


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: LinearAutoencoder((2, 3)), "fall"),
        (lambda: LinearAutoencoder((2, 2)), "fall"),
        (lambda: LinearAutoencoder((2, -1)), "variances"),
        (lambda: LinearAutoencoder(()), "variances"),
        (lambda: LinearAutoencoder(3.0), "variances"),
        (lambda: LinearAutoencoder("32"), "variances"),
        (lambda: LinearAutoencoder((3, 2), 2), "regularization"),
        (lambda: LinearAutoencoder((3, 2), 4), "regularization"),
        (lambda: LinearAutoencoder((3, 2), 0), "regularization"),
        (lambda: LinearAutoencoder((3, np.inf), 1), "variances"),
        (lambda: EggBox((1, 2), (1,)), "as many"),
        (lambda: EggBox((1, 2), (1, 8)), "tilt"),
        (lambda: EggBox((1, 2), (1, 0)), "tilts"),
        (lambda: EggBox((1, 1), (0.5, 0.5)), "different"),
    ],
)
def test_bad_input_is_named(make, named):
    with pytest.raises(InputError, match=named) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_a_gradient_of_exactly_zero_ends_a_search():
    """No Newton step halves it, and none is needed."""
    system = EggBox()  # the origin is a minimum
    for far, most in ((0.0, 0.0), (0.1, 1e-12)):
        end = system.get_minimizer()(np.full(3, far))
        assert end.success and end.rms <= most
        assert end.nfev < 100
    system = LinearAutoencoder((1.0, 0.1), 0.3)  # here it is the transition state
    for far, most in ((0.0, 0.0), (1.0, 1e-12)):
        start = far * np.array([0.1, 0.02, 0.05, 0.03])
        ts = find_transition_state(start, system.potential, system.identity.zero_modes)
        assert ts.success and ts.rms <= most
    assert ts.nfev < 50
