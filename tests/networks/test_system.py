"""A user's pele script works unchanged on the system."""

import numpy as np
import pytest
from pele.landscape import ConnectManager, DoubleEndedConnect, TSGraph
from pele.storage import Database
from pele.utils.disconnectivity_graph import DisconnectivityGraph, database2graph

from nnpotential import MLP, InputError, NNSystem, load_dataset


@pytest.fixture(scope="module")
def script(ljat):
    """Basin-hopping and connections as any pele script does them."""
    system = NNSystem(MLP([3, 6, 4]), ljat, regularization=1e-3, seed=1)
    database = system.create_database()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    system.get_basinhopping(database=database, outstream=None).run(30)
    # NumPy's global state is untouched
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    manager = ConnectManager(database, strategy="gmin", verbosity=0)
    for _ in range(20):
        try:
            minima = manager.get_connect_job("gmin")
        except ConnectManager.NoMoreConnectionsError:
            break
        connect = system.get_double_ended_connect(*minima, database, verbosity=0)
        assert isinstance(connect, DoubleEndedConnect)
        connect.connect()
    return system, database


def test_minima_are_connected(script):
    _, database = script
    minima = database.minima()
    assert len(minima) >= 4
    graph = TSGraph(database)
    assert all(graph.areConnected(minima[0], m) for m in minima[1:])
    for ts in database.transition_states():
        assert ts.energy > max(ts.minimum1.energy, ts.minimum2.energy)


def test_no_minimum_is_stored_twice(script):
    system, database = script
    minima = database.minima()
    for i, a in enumerate(minima):
        for b in minima[:i]:
            assert not system.identity.are_same(a.coords, b.coords)


def test_disconnectivity_graph_of_a_plain_script(script):
    import matplotlib

    matplotlib.use("Agg")
    graph = DisconnectivityGraph(database2graph(script[1]))
    graph.calculate()
    graph.plot()


def test_same_seed_same_walk(ljat):
    def walk():
        system = NNSystem(MLP([3, 4, 4]), ljat, regularization=1e-3, seed=5)
        energies = []
        system.get_basinhopping(add_minimum=lambda e, x: energies.append(e), outstream=None).run(10)
        return energies

    assert walk() == walk()


def test_paths_and_distances(script):
    system, database = script
    ts = database.transition_states()[0]
    path = system.smooth_path([ts.minimum1.coords, ts.coords, ts.minimum2.coords])
    energies = [system.potential.getEnergy(x) for x in path]
    assert np.isfinite(energies).all()
    assert max(energies) < ts.energy + 0.05
    jumps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert jumps.max() < 1.0
    mindist = system.get_mindist()
    distance, x1, x2 = mindist(ts.minimum1.coords, ts.minimum2.coords)
    assert np.array_equal(x1, ts.minimum1.coords)
    assert distance == pytest.approx(np.linalg.norm(x1 - x2))


def test_thermodynamic_properties(script):
    system, database = script
    minimum = database.minima()[0]
    logproduct = system.get_log_product_normalmode_freq(minimum.coords)
    values = np.linalg.eigvalsh(system.potential.getHessian(minimum.coords))
    assert logproduct == pytest.approx(np.log(values).sum())
    ts = database.transition_states()[0]
    assert np.isfinite(system.get_log_product_normalmode_freq(ts.coords, nnegative=1))
    with pytest.raises(InputError, match="index 1, not 0"):
        system.get_log_product_normalmode_freq(ts.coords)
    assert system.get_pgorder(minimum.coords) == 1
    assert system.get_nzero_modes() == 0
    assert system.get_ndof() == system.net.n_parameters
    assert system.get_orthogonalize_to_zero_eigenvectors() is None
    assert system.get_metric_tensor(minimum.coords) is None


def test_zero_modes_are_projected_out(ljat):
    system = NNSystem(MLP([3, 4, 4]), ljat, regularize_bias=False)
    project = system.get_orthogonalize_to_zero_eigenvectors()
    v = project(np.random.default_rng(0).normal(size=system.net.n_parameters), None)
    assert np.abs(system.identity.zero_modes().T @ v).max() < 1e-12
    assert system.get_nzero_modes() == 1


def test_degenerate_rearrangements_are_stored_but_connect_nothing(script):
    from pele.optimize import Result

    system, database = script
    ts = database.transition_states()[0]
    twin = system.create_database()
    m1, m2 = (twin.addMinimum(m.energy, m.coords) for m in (ts.minimum1, ts.minimum2))
    connect = system.get_double_ended_connect(m1, m2, twin, verbosity=0)
    found = Result(coords=ts.coords, energy=ts.energy, eigenval=ts.eigenval, eigenvec=ts.eigenvec)
    side = Result(coords=m1.coords, energy=m1.energy)
    assert connect._addTransitionState(found, side, side) is False
    assert twin.number_of_transition_states() == 1
    stored = twin.transition_states()[0]
    assert stored.minimum1 == stored.minimum2 == m1
    assert not connect.graph.areConnected(m1, m2)


def test_properties_tell_databases_apart(script, tmp_path):
    system, _ = script
    path = str(tmp_path / "a.sqlite")
    system.create_database(path)
    properties = Database(path).properties(as_dict=True)
    assert properties["layer_sizes"] == "3-6-4"
    assert properties["dataset_sha256"] == system.data.sha256
    assert properties["regularization"] == 1e-3


def test_squared_error_and_regression():
    X = np.linspace(-1, 1, 40)[:, None]
    data = load_dataset((X, np.sin(3 * X)), regression=True)
    system = NNSystem(MLP([1, 3, 1]), data, regularization=1e-3)
    assert system.settings.loss == "squared_error"
    result = system.get_random_minimized_configuration()
    assert result.success
    with pytest.raises(InputError, match="these data have real targets: use squared_error"):
        NNSystem(MLP([1, 3, 1]), data, loss="cross_entropy")


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ([3, 4, 4], {"regularization": -1}, "not below 0"),
        ([2, 4, 4], {}, "3 inputs and 4 outputs, not 2 and 4"),
        ([3, 4, 5], {}, "3 inputs and 4 outputs, not 3 and 5"),
        ([3, 4, 4], {"loss": "squared"}, "did you mean 'squared_error'"),
    ],
)
def test_bad_input(ljat, sizes, options, message):
    with pytest.raises(InputError, match=message):
        NNSystem(MLP(sizes), ljat, **options)


@pytest.mark.parametrize(
    ("sizes", "activation", "message"),
    [
        ([3, 0, 4], "tanh", "at least 1, not 0"),
        ([3, -2, 4], "tanh", "at least 1, not -2"),
        ([3, 2.5, 4], "tanh", "must be an integer"),
        ([3], "tanh", "at least an input and an output"),
        (3, "tanh", "must be a list"),
        ([3, 4], "tahn", "did you mean 'tanh'"),
    ],
)
def test_bad_networks(sizes, activation, message):
    with pytest.raises(InputError, match=message):
        MLP(sizes, activation)


def test_relu_is_refused_where_curvature_is_needed(ljat):
    with pytest.raises(InputError, match="relu has no second derivative"):
        NNSystem(MLP([3, 4, 4], "relu"), ljat)


def test_flags_of_numpy_become_plain():
    assert MLP([3, 2], bias=np.True_).bias is True


def test_split_and_join():
    net = MLP([3, 5, 2])
    x = np.arange(net.n_parameters, dtype=float)
    assert np.array_equal(net.join(net.split(x)), x)
    (W1, b1), (W2, b2) = net.split(x)
    assert W1.shape == (5, 3) and b1.shape == (5,) and W2.shape == (2, 5) and b2.shape == (2,)
    assert W1[0, 1] == 1 and b1[0] == 15


def test_pele_version_mismatch_is_one_clear_line():
    from nnpotential.networks.potential import check_pele_version

    check_pele_version("0.1.2", "0.1.2")
    with pytest.raises(ImportError, match=r"against pele 0\.1\.2, but pele 0\.2\.0 is installed"):
        check_pele_version("0.1.2", "0.2.0")
