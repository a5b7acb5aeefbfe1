"""What pele asks of a system."""

import numpy as np
import pytest

import nnpotential as nnp


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


@pytest.fixture(params=["egg box", "autoencoder", "lj"])
def any_system(request):
    return {
        "egg box": nnp.EggBox,
        "autoencoder": nnp.LinearAutoencoder,
        "lj": lambda: nnp.LennardJonesCluster(6),
    }[request.param]()


def start(system, seed=0):
    return next(iter(system.starts.values()))(np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_walk(any_system):
    """From the system's own generator: NumPy's global state is untouched."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002

    def walk(system):
        energies = []
        run = system.get_basinhopping(add_minimum=lambda e, x: energies.append(e), outstream=None)
        run.run(5)
        return energies

    one, two, other = (walk(any_system.with_seed(seed)) for seed in (3, 3, 4))
    assert one == two != other
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_twin_is_the_same_but_for_the_generator(any_system):
    any_system.params.takestep.stepsize = 0.123
    twin = any_system.with_seed(5)
    assert type(twin) is type(any_system) and twin.params == any_system.params
    x = start(any_system)
    assert twin.potential.getEnergy(x) == any_system.potential.getEnergy(x)
    mine = any_system.rng.bit_generator.state
    twin.get_random_configuration()
    assert any_system.rng.bit_generator.state == mine


def test_steps_are_uniform_and_bounded(any_system):
    take = any_system.get_takestep(stepsize=0.2)
    steps = []
    for _ in range(200):
        x = np.zeros(any_system.n_dof)
        take.takeStep(x)
        steps.append(x)
    steps = np.array(steps)
    assert np.abs(steps).max() <= 0.2
    assert np.abs(steps).max() > 0.19
    assert abs(steps.std() - 0.2 / np.sqrt(3)) < 0.01
    assert any_system.get_takestep().stepsize == any_system.params.takestep.stepsize


def test_quenches_follow_the_parameters(any_system):
    """Arguments come before `params`; pele's tolerance is taken and ignored."""
    x = start(any_system)
    result = any_system.get_minimizer(tol=1e9)(x)
    assert result.success and result.rms <= any_system.scales.rms
    assert not any_system.get_minimizer(lbfgs_steps=1, newton_steps=0)(x).success
    any_system.params.structural_quench_params.newton_steps = 0
    assert not any_system.get_minimizer(lbfgs_steps=1)(x).success


def test_zero_modes_are_taken_out_where_the_point_is(any_system):
    x, v = start(any_system), np.random.default_rng(1).normal(size=any_system.n_dof)
    n = any_system.get_nzero_modes()
    project = any_system.get_orthogonalize_to_zero_eigenvectors()
    assert n == (6 if any_system.kind == "lennard_jones" else 0)
    if n == 0:
        assert project is None
        return
    rest = project(v, x)
    assert np.abs(any_system.identity.zero_modes(x).T @ rest).max() < 1e-12
    assert np.linalg.norm(v - rest) > 0.1
    assert np.allclose(project(rest, x), rest)


def test_frequencies_are_those_of_all_modes_but_the_zero_ones(any_system):
    x = any_system.get_minimizer()(start(any_system)).coords
    n = any_system.get_nzero_modes()
    values = np.linalg.eigvalsh(any_system.potential.getHessian(x))
    physical = np.sort(np.abs(values))[n:]
    assert any_system.get_log_product_normalmode_freq(x) == pytest.approx(np.log(physical).sum())
    with pytest.raises(nnp.InputError, match="the point has index 0, not 1"):
        any_system.get_log_product_normalmode_freq(x, nnegative=1)


def test_frequencies_of_a_transition_state_are_without_the_direction_down():
    """PATHSAMPLE's and pele's convention, on which the prefactors of rates rest."""
    system = nnp.EggBox()
    point = next(p for p in system.stationary_points() if p.index == 1)
    values = np.linalg.eigvalsh(system.potential.getHessian(point.x))
    expected = np.log(values[1:]).sum()
    found = system.get_log_product_normalmode_freq(point.x, nnegative=1)
    assert values[0] < 0 < values[1] and found == pytest.approx(expected)


def test_distances_are_to_the_nearest_image(any_system):
    x1, x2 = start(any_system, 1), start(any_system, 2)
    distance, same, image = any_system.get_mindist()(x1, x2)
    assert same is x1
    assert distance == pytest.approx(np.linalg.norm(x1 - image))
    assert distance <= np.linalg.norm(x1 - x2) + 1e-12
    assert any_system.get_compare_exact()(x2, image)
    assert any_system.potential.getEnergy(image) == pytest.approx(
        any_system.potential.getEnergy(x2), rel=1e-9
    )


def test_pele_connects_two_minima():
    system = nnp.EggBox()
    database = system.create_database()
    points = [p for p in system.stationary_points() if p.index == 0][:2]
    minima = [database.addMinimum(p.energy, p.x) for p in points]
    connect = system.get_double_ended_connect(*minima, database, verbosity=0)
    connect.connect()
    assert connect.success()
    lowest = min(ts.energy for ts in database.transition_states())
    exact = [system.stationary_points()[ts].energy for ts, i, j in system.connections()]
    assert min(abs(lowest - e) for e in exact) < 1e-9
