"""Thermodynamics: by hand, on landscapes that factorise, and what must not change it."""

from itertools import product

import networkx as nx
import numpy as np
import pytest
from pele.thermodynamics import minima_to_cv
from transition_networks import by_hand, changed, scattered

import nnpotential as nnp
from nnpotential import InputError, TransitionNetwork
from nnpotential.analysis.thermodynamics import (
    default_temperatures,
    frustration,
    heat_capacity,
    heat_capacity_peaks,
    log_occupations,
    mean_energy,
    occupation_derivatives,
    occupation_lowest,
    shannon_entropy,
    share_without_barrier,
    temperature_range,
)

MEASURES = [
    shannon_entropy,
    heat_capacity,
    occupation_lowest,
    frustration,
    lambda *args: frustration(*args, normalised=True),
]


def of_energies(energies, tops=(), **options):
    """Minima in a row, each joined to the next by a transition state."""
    graph = nx.Graph()
    graph.add_nodes_from((k, {"energy": e}) for k, e in enumerate(energies))
    graph.add_edges_from((k, k + 1, {"energy": e}) for k, e in enumerate(tops))
    return TransitionNetwork.of_graph(graph, **options)


def test_by_hand():
    network, t = by_hand(), 0.5
    weights = np.array([1.0, np.exp(-2.0) / 2, np.exp(-4.0) / 2, np.exp(-6.0)])
    p = weights / weights.sum()
    assert np.exp(log_occupations(network, t)) == pytest.approx(p, rel=1e-14)
    energies = np.arange(4.0)
    mean = p @ energies
    assert mean_energy(network, t) == pytest.approx(mean + 3 * t)
    assert heat_capacity(network, t) == pytest.approx(3 + (p @ energies**2 - mean**2) / t**2)
    assert shannon_entropy(network, t) == pytest.approx(-p @ np.log(p))
    assert occupation_lowest(network, t) == pytest.approx(p[0])
    f = p[1] * (4.0 - 1.0) / 1.0 + p[2] * (4.0 - 2.0) / 2.0  # the last is not connected
    assert frustration(network, t) == pytest.approx(f)
    assert frustration(network, t, normalised=True) == pytest.approx(f / (1 - p[0]))
    assert share_without_barrier(network, t) == pytest.approx(p[3])
    assert occupation_derivatives(network, t) == pytest.approx(p * (energies - mean) / t**2)


def test_what_does_not_move_has_no_kinetic_half():
    t = 0.7
    moving, still, unknown = (
        by_hand(n_vibrations=kappa, kinetic=kinetic)
        for kappa, kinetic in ((3, True), (3, False), (None, True))
    )
    assert heat_capacity(moving, t) - heat_capacity(still, t) == pytest.approx(1.5)
    assert heat_capacity(still, t) - heat_capacity(unknown, t) == pytest.approx(1.5)
    assert mean_energy(moving, t) - mean_energy(still, t) == pytest.approx(1.5 * t)


@pytest.mark.parametrize("t", [0.05, 0.3, 2.0])
def test_derivatives_by_temperature(t):
    network, h = scattered(), 1e-5 * t
    slope = (mean_energy(network, t + h) - mean_energy(network, t - h)) / (2 * h)
    assert heat_capacity(network, t) == pytest.approx(slope, rel=1e-6)
    ends = [np.exp(log_occupations(network, t + s)) for s in (h, -h)]
    expected = (ends[0] - ends[1]) / (2 * h)
    assert occupation_derivatives(network, t) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("measure", MEASURES)
def test_what_changes_nothing(measure):
    network, t = scattered(), 0.4
    value = measure(network, t)
    assert measure(changed(network, energy=lambda e: e - 100), t) == pytest.approx(value, rel=1e-10)
    assert measure(changed(network, energy=lambda e: 8 * e), 8 * t) == pytest.approx(
        value, rel=1e-13
    )
    assert measure(changed(network, order=2), t) == pytest.approx(value, rel=1e-13)
    assert measure(changed(network, log_determinant=lambda x: x + 700), t) == pytest.approx(
        value, rel=1e-12
    )
    order = np.random.default_rng(1).permutation(len(network))
    place = np.argsort(order)
    minima = network.minima
    shuffled = TransitionNetwork(
        type(minima).of(
            minima.energies[order], minima.log_determinants[order], minima.orders[order]
        ),
        network.states,
        place[network.ends],
        n_vibrations=7,
    )
    assert measure(shuffled, t) == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize("measure", [heat_capacity, occupation_lowest, *MEASURES[3:]])
def test_one_minimum_is_as_two_of_twice_the_order(measure):
    """Where point groups are lost, images are minima of their own."""
    network, t, split = scattered(), 0.4, 3
    graph = nx.MultiGraph()
    for k, (e, log, order) in enumerate(
        zip(
            network.minima.energies,
            network.minima.log_determinants,
            network.minima.orders,
            strict=True,
        )
    ):
        for name in (k, -k - 1) if k == split else (k,):
            factor = 2 if k == split else 1
            graph.add_node(name, energy=e, log_determinant=log, order=factor * order)
    for (one, two), e in zip(network.ends.tolist(), network.states.energies, strict=True):
        graph.add_edge(one, two, energy=e)
        if split in (one, two):
            graph.add_edge(*(-k - 1 if k == split else k for k in (one, two)), energy=e)
    two = TransitionNetwork.of_graph(graph, n_vibrations=7)
    assert measure(two, t) == pytest.approx(measure(network, t), rel=1e-12)
    p = np.exp(log_occupations(network, t))[split]
    assert shannon_entropy(two, t) - shannon_entropy(network, t) == pytest.approx(p * np.log(2))


@pytest.mark.parametrize("measure", MEASURES)
def test_copies_are_minima(measure):
    """What stands for three minima is as good as three."""
    network, t = scattered(n=6), 0.5
    copies = np.array([[1.0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    highest = int(np.argmax(network.minima.energies))
    copies[1, highest] = 3
    minima, states = network.minima, network.states
    tripled = TransitionNetwork(
        type(minima).of(
            *(
                np.append(values, [values[highest]] * 2)
                for values in (minima.energies, minima.log_determinants, minima.orders)
            )
        ),
        type(states).of(np.append(states.energies, [states.energies.min()] * 2)),
        # the copies reach the lowest across no more than the original does
        [*network.ends.tolist(), [highest, 6], [highest, 7]],
        n_vibrations=7,
    )
    assert np.isfinite(tripled.barriers()).all()
    expected = [measure(network, t), measure(tripled, t), measure(network, t)]
    assert measure(network, t, copies) == pytest.approx(expected, rel=1e-12)


def test_nothing_overflows_near_zero_and_far_above():
    network = by_hand()
    for t in (1e-300, 1e-12, 1e-3):
        assert shannon_entropy(network, t) == 0
        assert heat_capacity(network, t) == 3
        assert occupation_lowest(network, t) == 1
        assert frustration(network, t) == 0
        assert frustration(network, t, normalised=True) == pytest.approx(3.0)  # that of b
        assert (occupation_derivatives(network, t) == 0).all()
    g = np.array([1, 0.5, 0.5, 1])
    p = g / g.sum()
    assert shannon_entropy(network, 1e300) == pytest.approx(-p @ np.log(p))
    assert heat_capacity(network, 1e300) == 3


@pytest.mark.parametrize("t", [0.0, -1.0, np.nan, np.inf, "warm"])
def test_a_temperature_is_above_zero(t):
    with pytest.raises(InputError, match="temperature must be above 0 and finite"):
        shannon_entropy(by_hand(), t)


def test_one_minimum_is_all_there_is():
    network = of_energies([-3.0], n_vibrations=4)
    assert shannon_entropy(network, 1.0) == 0
    assert heat_capacity(network, 1.0) == 4
    assert frustration(network, 1.0) == 0
    assert np.isnan(frustration(network, 1.0, normalised=True))
    assert heat_capacity_peaks(network) == []
    assert default_temperatures(network) == [1.0]


def test_none_is_refused():
    with pytest.raises(InputError, match="there is no minimum"):
        shannon_entropy(of_energies([]), 1.0)


def test_without_a_transition_state_frustration_is_unknown():
    network = of_energies([0.0, 1.0])
    assert np.isnan(frustration(network, 1.0))
    assert np.isnan(frustration(network, 1.0, normalised=True))
    assert np.isnan(frustration(network, 1.0, np.ones((5, 2)))).tolist() == [True] * 5


def test_minima_as_low_as_the_lowest_count_with_it():
    """As PATHSAMPLE has it, whose answers these are, with bins of 1e-6."""
    graph = nx.Graph()
    for k, (e, log, order) in enumerate(
        [(0.0, 1, 1), (0.0, 1.5, 2), (1.0, 0.5, 1), (2.0, 0.2, 1), (1.7, 0.2, 1)]
    ):
        graph.add_node(k, energy=e, log_determinant=log, order=order)
    for one, two, e in ((0, 1, 3.0), (1, 2, 2.5), (0, 3, 4.0), (2, 3, 3.5)):
        graph.add_edge(one, two, energy=e)
    network = TransitionNetwork.of_graph(graph)
    for t, *expected in (
        (0.5, "1.0552", "0.22438", "1.467", "0.84705"),
        (1.0, "1.4473", "0.46921", "1.1578", "0.59473"),
        (1.5, "1.5381", "0.55212", "1.0526", "0.47547"),
    ):
        found = [
            shannon_entropy(network, t),
            frustration(network, t),
            frustration(network, t, normalised=True),
            occupation_lowest(network, t),
        ]
        assert [f"{x:.5g}" for x in found] == expected


def test_unknown_determinants_are_all_left_out():
    known = by_hand()
    logs = known.minima.log_determinants.copy()
    logs[2] = np.nan
    points = type(known.minima).of(known.minima.energies, logs, known.minima.orders)
    network = TransitionNetwork(points, known.states, known.ends)
    weights = np.exp(-np.arange(4.0) / 0.5) / known.minima.orders
    assert np.exp(log_occupations(network, 0.5)) == pytest.approx(weights / weights.sum())


def test_two_minima_have_a_schottky_peak():
    [peak] = heat_capacity_peaks(of_energies([0.0, 1.0]))
    assert peak.temperature == pytest.approx(0.416778, abs=1e-4)
    assert peak.heat_capacity == pytest.approx(0.439229, abs=1e-6)
    assert peak.gaining == [(1, pytest.approx(1.0))] and peak.losing == [(0, pytest.approx(1.0))]
    assert default_temperatures(of_energies([0.0, 1.0])) == [0.4168, 0.5]


@pytest.mark.parametrize("logs", [20.0, 80.0, 300.0])
def test_a_sharp_peak_is_found_where_weights_are_equal(logs):
    """Where the upper minimum has more room, it takes over at the gap over the logarithm."""
    graph = nx.Graph()
    graph.add_node(0, energy=0.0, log_determinant=2 * logs)
    graph.add_node(1, energy=1.0, log_determinant=0.0)
    [peak] = heat_capacity_peaks(TransitionNetwork.of_graph(graph))
    assert peak.temperature == pytest.approx(1 / logs, rel=0.01)
    assert peak.heat_capacity == pytest.approx(logs**2 / 4, rel=0.05)


def test_each_peak_names_its_minima():
    low, high = heat_capacity_peaks(of_energies([0.0, 0.001, *np.linspace(1, 1.01, 40)]))
    assert [k for k, _ in low.losing] == [0] and low.gaining[0][0] == 1
    assert {k for k, _ in high.losing} == {0, 1}
    assert {k for k, _ in high.gaining} == set(range(2, 42))
    assert sum(share for _, share in high.gaining) == pytest.approx(1)


def test_peaks_lie_within_the_default_range():
    for seed in range(5):
        network = scattered(seed=seed)
        low, high = temperature_range(network)
        wide = [p.temperature for p in heat_capacity_peaks(network, (low / 30, 30 * high))]
        assert [p.temperature for p in heat_capacity_peaks(network)] == pytest.approx(
            wide, rel=1e-4
        )


def exact(system):
    """The network of an exact system from its formulas, by pele's database."""
    database = system.create_database()
    points = system.stationary_points()
    stored = {
        k: database.addMinimum(point.energy, point.x)
        for k, point in enumerate(points)
        if point.index == 0
    }
    for k, one, two in system.connections():
        database.addTransitionState(points[k].energy, points[k].x, stored[one], stored[two])
    return TransitionNetwork.of_database(database, system), list(stored)


@pytest.mark.parametrize("t", [0.1, 0.6, 3.0])
def test_an_egg_box_factorises(box, t):
    network, positions = exact(box)
    entropy, variance, of_each = 0.0, 0.0, {}
    for axis, (depth, tilt) in enumerate(zip(box.depths, box.tilts, strict=True)):
        ratio = tilt / (4 * depth)
        weights = np.exp([0, -tilt / t]) / np.sqrt([1 + ratio, 1 - ratio])
        p = weights / weights.sum()
        entropy -= p @ np.log(p)
        variance += tilt**2 * p[0] * p[1]
        of_each[axis] = p
    assert shannon_entropy(network, t) == pytest.approx(entropy, rel=1e-10)
    assert heat_capacity(network, t) == pytest.approx(3 / 2 + variance / t**2, rel=1e-10)
    lowest = np.prod([p[0] for p in of_each.values()])
    assert occupation_lowest(network, t) == pytest.approx(lowest, rel=1e-10)
    # minima by their corners, barriers by the system's own search
    by_energy = {
        sum(tilt for tilt, up in zip(box.tilts, corner, strict=True) if up): np.prod(
            [of_each[axis][up] for axis, up in enumerate(corner)]
        )
        for corner in product((0, 1), repeat=3)
    }
    barriers, points = box.barriers(), box.stationary_points()
    f = 0.0
    for k in positions[1:]:
        [p] = [p for e, p in by_energy.items() if abs(e - points[k].energy) < 1e-12]
        f += p * barriers[k] / points[k].energy
    assert frustration(network, t) == pytest.approx(f, rel=1e-10)


def test_a_linear_autoencoder_is_one_minimum():
    network, _ = exact(nnp.LinearAutoencoder())
    assert (len(network), len(network.states)) == (1, 1)
    assert heat_capacity(network, 0.3) == pytest.approx(6 / 2)
    assert shannon_entropy(network, 0.3) == 0


def test_soft_modes_are_real_modes():
    """pele takes eigenvalues below 1e-4 for zero; with weak penalties these are real."""
    box = nnp.EggBox(depths=(1.0, 1e-5), tilts=(0.5, 1e-6))
    network, _ = exact(box)
    at_origin = np.argmin(network.minima.energies)
    curvatures = [2 * d + t / 2 for d, t in zip(box.depths, box.tilts, strict=True)]
    assert curvatures[1] < 1e-4
    assert network.minima.log_determinants[at_origin] == pytest.approx(
        np.log(curvatures).sum(), rel=1e-9
    )


def test_eigenvalues_as_small_as_twice_the_penalty_are_real_modes(ljat):
    system = nnp.NNSystem(nnp.MLP([3, 2, 4]), ljat, regularization=1e-5)
    found = system.get_minimizer()(system.net.random_parameters(np.random.default_rng(0)))
    eigenvalues = np.linalg.eigvalsh(system.potential.getHessian(found.coords))
    assert 1.9e-5 < eigenvalues.min() < 2.1e-5
    database = system.create_database()
    database.addMinimum(found.energy, found.coords)
    network = TransitionNetwork.of_database(database, system)
    assert network.n_vibrations == system.n_dof
    expected = np.log(eigenvalues).sum()
    assert network.minima.log_determinants[0] == pytest.approx(expected, rel=1e-8)


def test_a_cluster_against_pele():
    """The four minima of LJ7, and pele's own heat capacity, which has kappa / 2 for each half."""
    system = nnp.LennardJonesCluster(7)
    database, draw = system.create_database(), np.random.default_rng(0)
    minimize = system.get_minimizer()
    known = []
    while len(known) < 4:
        found = minimize(system.starts["sphere"](draw))
        if found.success and not any(system.identity.are_same(found.coords, x) for x in known):
            known.append(found.coords)
            database.addMinimum(found.energy, found.coords)
    network = TransitionNetwork.of_database(database, system)
    expected = [-16.50538, -15.93504, -15.59321, -15.53306]
    assert np.sort(network.minima.energies) == pytest.approx(expected, abs=1e-5)
    place = {i: k for k, i in enumerate(network.minima.ids)}
    for m in database.minima():
        m.fvib = network.minima.log_determinants[place[m.id()]]
        m.pgorder = network.minima.orders[place[m.id()]]
    temperatures = np.array([0.05, 0.1, 0.2, 0.4])
    answers = minima_to_cv(database.minima(), temperatures, 15)
    found = [heat_capacity(network, t) for t in temperatures]
    assert found == pytest.approx(answers.Cv, rel=1e-9)
    plain = TransitionNetwork.of_database(database, n_vibrations=15)
    assert [heat_capacity(plain, t) for t in temperatures] == pytest.approx(found)
