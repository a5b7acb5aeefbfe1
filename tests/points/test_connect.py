"""Connections: every strategy gives transition states, and nothing else."""

import copy
from itertools import chain, combinations, product

import networkx as nx
import numpy as np
import pytest

from nnpotential import MLP, InputError, NNSystem
from nnpotential.points import connect as connect_module
from nnpotential.points.connect import (
    STRATEGIES,
    ExactLocalConnect,
    connect_pair,
    rearrangements,
    single_ended,
)
from nnpotential.systems.clusters import LennardJonesCluster
from nnpotential.systems.functions import LinearAutoencoder


def assert_valid(system, connections):
    """Every connection meets the definitions, by dense linear algebra alone."""
    for energy, x, eigenval, eigenvec, *ends in connections:
        e, g, H = system.potential.getEnergyGradientHessian(x)
        assert energy == e
        assert np.sqrt(np.mean(g**2)) <= 1e-9
        values = np.linalg.eigvalsh(H)
        assert values[0] < 0 < values[1]
        assert eigenval == pytest.approx(values[0])
        assert np.linalg.norm(H @ eigenvec - values[0] * eigenvec) < 1e-9
        assert len(ends) == 2
        for end_energy, end in ends:
            e, g, H = system.potential.getEnergyGradientHessian(end)
            assert end_energy == pytest.approx(e, abs=1e-13)
            assert end_energy < energy
            assert np.sqrt(np.mean(g**2)) <= 1e-9
            assert np.linalg.eigvalsh(H)[0] > 0


def assert_same(ones, others):
    """The same to the last bit."""
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        parts = [(*c[:4], *c.minimum1, *c.minimum2) for c in (one, other)]
        assert all(np.array_equal(p, q) for p, q in zip(*parts, strict=True))


# Pairs


@pytest.fixture(scope="module")
def found(system, pair):
    return {strategy: connect_pair(system, *pair, strategy) for strategy in STRATEGIES}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_gives_transition_states_only(system, found, strategy):
    connections = found[strategy]
    assert connections
    assert_valid(system, connections)
    for i, (energy, x, *_) in enumerate(connections):
        for other, y, *_ in connections[:i]:
            assert abs(energy - other) > 1e-9 or not system.identity.are_same(x, y)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_repetition_gives_the_same_to_the_last_bit(system, pair, found, strategy):
    before = copy.deepcopy(system.params)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert_same(found[strategy], connect_pair(system.with_seed(7), *pair, strategy))
    assert system.params == before
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_strategies_are_different_ways(found):
    first = [connections[0].coords for connections in found.values()]
    for i, x in enumerate(first):
        assert not any(np.array_equal(x, other) for other in first[:i])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_images_of_one_minimum_need_no_connection(system, pair, strategy):
    operation = system.identity.random_operation(np.random.default_rng(0))
    assert connect_pair(system, pair[0], system.identity.apply(operation, pair[0]), strategy) == []


def test_unknown_strategy(system, pair):
    with pytest.raises(InputError, match=r"^unknown strategy 'midpoints': did you mean 'midpoint'"):
        connect_pair(system, *pair, "midpoints")


def test_a_way_that_became_no_shorter_is_astray(system, quenched, monkeypatch):
    """By the shortest way through all that was found, but where a band was tried."""
    local = system.params.double_ended_connect.local_connect_params
    few = {"local_connect_params": {**local, "nrefine_max": 1}}  # else next to none goes astray
    seen = set()
    pairs = combinations([r.coords for r in quenched[:5]], 2)
    for (x1, x2), n_bands in product(pairs, (1, 3)):
        if system.identity.are_same(x1, x2):
            continue
        database = system.create_database()
        minima = [database.addMinimum(system.potential.getEnergy(x), x) for x in (x1, x2)]
        how = {"verbosity": 0, "niter": n_bands, **few}
        search = system.get_double_ended_connect(*minima, database, **how)
        search.connect()
        monkeypatch.setattr(connect_module, "_MANY_BANDS", len(search.pairsNEB) // 2 + 1)
        assert not search.is_astray
        monkeypatch.setattr(connect_module, "_MANY_BANDS", 1)
        left = squared_way(system, database, search)
        assert search.is_astray == (left >= squared(system, x1, x2))
        seen.add(search.is_astray)
    assert seen == {True, False}


def squared(system, x1, x2):
    return system.identity.align(x1, x2, quick=True)[0] ** 2


def squared_way(system, database, search):
    """The least sum of squared jumps between the ends of a search, over pairs not tried."""
    jumps = nx.Graph()
    jumps.add_nodes_from(database.minima())
    for one, two in combinations(database.minima(), 2):
        if (one, two) not in search.pairsNEB:
            jumps.add_edge(one, two, squared=squared(system, one.coords, two.coords))
    for ts in database.transition_states():
        jumps.add_edge(ts.minimum1, ts.minimum2, squared=0.0)
    ends = search.minstart, search.minend
    if not nx.has_path(jumps, *ends):
        return np.inf
    return nx.shortest_path_length(jumps, *ends, weight="squared")


def test_bands_that_find_nothing_go_astray(system, pair, monkeypatch):
    astray = []
    assert connect_pair(system, *pair, astray=astray) and not astray
    monkeypatch.setattr(connect_module, "_MANY_BANDS", 1)
    monkeypatch.setattr(ExactLocalConnect, "connect", lambda search, *_: search.res)
    assert connect_pair(system, *pair, astray=astray) == []
    [ends] = astray
    assert [end.coords.tolist() for end in ends] == [x.tolist() for x in pair]


def test_known_transition_states_are_not_descended_from_again(system, pair, monkeypatch):
    descents = []

    def count(*args, **kwargs):
        descents.append(1)
        return original(*args, **kwargs)

    original = connect_module.descend
    monkeypatch.setattr(connect_module, "descend", count)
    database = system.create_database()
    minima = [database.addMinimum(system.potential.getEnergy(x), x) for x in pair]
    search = system.get_double_ended_connect(*minima, database, verbosity=0)
    one = search._getLocalConnectObject().connect(*minima).new_transition_states
    n = len(descents)
    assert one and n == 2 * len(one)
    two = search._getLocalConnectObject().connect(*minima).new_transition_states
    assert len(descents) == n
    assert [t[0].energy for t in two] == [t[0].energy for t in one]


# One minimum


def test_walks_uphill_give_transition_states_only(system, pair):
    found = []
    for mode in range(5):
        for side in (1, -1):
            connections = single_ended(system, pair[1], mode, side)
            assert len(connections) <= 1
            assert_same(connections, single_ended(system, pair[1], mode, side))
            found += connections
    assert len(found) >= 3
    assert_valid(system, found)
    energies = [c.energy for c in found]
    assert len(np.unique(np.round(energies, 9))) >= 2


def test_walks_leave_zero_modes_alone(ljat):
    system = NNSystem(MLP([3, 4, 4]), ljat, regularization=1e-3, regularize_bias=False)
    minimum = system.get_random_minimized_configuration()
    assert minimum.success
    found = [t for mode in range(9) for t in single_ended(system, minimum.coords, mode, 1)]
    assert found
    Z = system.identity.zero_modes()
    for _, x, _, eigenvec, *_ in found:
        values = np.linalg.eigvalsh(system.potential.getHessian(x) + 10 * Z @ Z.T)
        assert values[0] < 0 < values[1]
        assert np.abs(Z.T @ eigenvec).max() < 1e-8
    with pytest.raises(InputError, match=f"mode must be below {system.net.n_parameters - 5}"):
        single_ended(system, minimum.coords, system.net.n_parameters - 5, 1)


@pytest.mark.parametrize(
    ("mode", "side", "message"),
    [
        (-1, 1, "mode must be at least 0, not -1"),
        (31, 1, "mode must be below 31, not 31"),
        (0.5, 1, "mode must be an integer"),
        (0, 0, "side must be 1 or -1, not 0"),
    ],
)
def test_bad_walks(system, pair, mode, side, message):
    with pytest.raises(InputError, match=message):
        single_ended(system, pair[0], mode, side)


# Bands between images of one minimum


@pytest.fixture(scope="module")
def bipyramid():
    """Seven atoms, and their lowest minimum."""
    cluster = LennardJonesCluster(7)
    rng = np.random.default_rng(1)
    found = [cluster.get_minimizer()(cluster.starts["sphere"](rng)) for _ in range(8)]
    return cluster, min(found, key=lambda r: r.energy).coords


def test_bands_between_images_give_transition_states_only(bipyramid):
    cluster, x = bipyramid
    found = [rearrangements(cluster, x, seed) for seed in range(8)]
    degenerate = 0
    for energy, ts, *_, end1, end2 in chain(*found):
        values = np.linalg.eigvalsh(cluster.potential.getHessian(ts))
        assert energy == cluster.potential.getEnergy(ts) and (values < -1e-6).sum() == 1
        assert max(end1.energy, end2.energy) < energy
        degenerate += cluster.identity.are_same(end1.coords, end2.coords)
    assert degenerate > 0
    assert_same(found[2], rearrangements(cluster, x, 2))


def test_the_rearrangement_of_a_landscape_with_one_minimum():
    system = LinearAutoencoder()
    lowest, saddle, *_ = system.stationary_points()
    found = [rearrangements(system, lowest.x, seed) for seed in range(8)]
    assert [] in found  # where the image drawn is the minimum itself
    connections = list(chain(*found))
    assert connections
    for connection in connections:
        assert connection.energy == pytest.approx(saddle.energy, abs=1e-9)
        assert system.identity.are_same(connection.coords, saddle.x)
        assert system.identity.are_same(connection.minimum1.coords, lowest.x)


def test_an_image_that_is_only_turned_is_no_other(bipyramid, monkeypatch):
    cluster, x = bipyramid
    monkeypatch.setattr(connect_module, "_AWAY", 0.1)
    assert rearrangements(cluster, x, 0) == []


def test_walks_up_a_wall_end_early(bipyramid):
    """Up the stiffest mode two atoms are pushed into each other, for ever."""
    cluster, x = bipyramid
    failures = []
    for mode in range(10, 15):
        for side in (1, -1):
            single_ended(cluster, x, mode, side, failures)
    assert "climbed without end" in {reason for reason, _ in failures}
    assert all(energy < 1e6 for _, energy in failures)
