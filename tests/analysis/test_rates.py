"""Rates: formulas for two and three minima, linear algebra for more, and PATHSAMPLE's answers."""

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from pele.rates._ngt_cpp import NGT
from transition_networks import ORACLE, by_hand, changed, pathsample, scattered

from nnpotential import InputError, TransitionNetwork
from nnpotential.analysis.rates import log_rate_constants, rates
from nnpotential.analysis.thermodynamics import log_occupations

oracle = pytest.mark.skipif(not ORACLE.exists(), reason="the oracle is not here")


def test_rate_constants_by_hand():
    t = 0.5
    k = {pair: np.exp(log) for pair, log in log_rate_constants(by_hand(), t).items()}
    assert set(k) == {(0, 1), (1, 0), (1, 2), (2, 1)}  # no degenerate rearrangement
    assert k[0, 1] == pytest.approx(np.exp(-8) / 3 / (2 * np.pi))
    assert k[1, 0] == pytest.approx(2 * np.exp(-6) / 3 / (2 * np.pi))
    both = [2 * np.exp(-8), 2 / 2 * np.exp(-4)]  # the second state has the order 2
    assert k[1, 2] == pytest.approx(sum(both) / (2 * np.pi))
    both = [2 * np.exp(-6), 2 / 2 * np.exp(-2)]  # as has the minimum
    assert k[2, 1] == pytest.approx(sum(both) / (2 * np.pi))


def test_rate_constants_obey_detailed_balance():
    network = scattered()
    p = log_occupations(network, 0.3)
    k = log_rate_constants(network, 0.3)
    for one, two in k:
        assert p[one] + k[one, two] == pytest.approx(p[two] + k[two, one])


def test_three_in_a_row():
    network, t = by_hand(), 0.5
    k = {pair: np.exp(log) for pair, log in log_rate_constants(network, t).items()}
    there = 1 / k[0, 1] * (1 + k[1, 0] / k[1, 2]) + 1 / k[1, 2]
    back = 1 / k[2, 1] * (1 + k[1, 2] / k[1, 0]) + 1 / k[1, 0]
    found = rates(network, [0], [2], t)
    assert found.time_b_from_a == pytest.approx(there)
    assert found.time_a_from_b == pytest.approx(back)
    assert found.b_from_a == pytest.approx(1 / there)
    assert found.a_from_b == pytest.approx(1 / back)


@pytest.mark.parametrize("t", [0.2, 1.0])
def test_sets_against_linear_algebra(t):
    network = scattered(20)
    a, b = [0, 3, 5], [7, 8]
    K = np.zeros((20, 20))
    for pair, log in log_rate_constants(network, t).items():
        K[pair] = np.exp(log)
    K -= np.diag(K.sum(axis=1))
    p = np.exp(log_occupations(network, t))
    found = rates(network, a, b, t)
    for goal, start, rate, time in (
        (a, b, found.a_from_b, found.time_a_from_b),
        (b, a, found.b_from_a, found.time_b_from_a),
    ):
        rest = np.setdiff1d(np.arange(20), goal)
        times = np.zeros(20)
        times[rest] = np.linalg.solve(K[np.ix_(rest, rest)], -np.ones(rest.size))
        weights = p[start] / p[start].sum()
        assert time == pytest.approx(weights @ times[start], rel=1e-8)
        assert rate == pytest.approx(weights @ (1 / times[start]), rel=1e-8)


@pytest.mark.parametrize("t", [0.3, 2.0])
def test_many_against_pele(t):
    """A network that leaves a dense core when minima with few neighbours are gone."""
    network, a, b = scattered(200, 3), [0, 3, 5], [7, 8]
    steps = {pair: np.exp(log) for pair, log in log_rate_constants(network, t).items()}
    pele = NGT(steps, a, b, weights=dict(enumerate(np.exp(log_occupations(network, t)))))
    pele.compute_rates()
    found = rates(network, a, b, t)
    assert found.b_from_a == pytest.approx(pele.get_rate_AB(), rel=1e-6)
    assert found.a_from_b == pytest.approx(pele.get_rate_BA(), rel=1e-6)


@pytest.mark.parametrize("n", [3, 40])
def test_no_digit_is_lost_where_return_is_all_but_certain(n):
    """Down a staircase from its highest step, in exact arithmetic."""
    t = 0.02  # a step up is exp(-50)
    graph = nx.path_graph(n)
    for k in graph:
        graph.nodes[k]["energy"] = float(k % 2)
    for one, two in graph.edges:
        graph.edges[one, two]["energy"] = 1.5
    network = TransitionNetwork.of_graph(graph)
    k = {pair: Fraction(np.exp(log)) for pair, log in log_rate_constants(network, t).items()}
    time = step = Fraction(0)
    for j in range(n - 1):  # mean time from j to j + 1 of a birth and death process
        back = k[j, j - 1] if j else 0
        step = (1 + back * step) / k[j, j + 1]
        time += step
    assert rates(network, [n - 1], [0], t).time_a_from_b == pytest.approx(float(time), rel=1e-13)


def test_what_changes_nothing():
    network, a, b, t = scattered(), [0, 1], [4], 0.4
    found = vars(rates(network, a, b, t))
    for other, at in (
        (changed(network, energy=lambda e: e + 50), t),
        (changed(network, energy=lambda e: 3 * e), 3 * t),
        (changed(network, order=2), t),
        (changed(network, log_determinant=lambda x: x + 900), t),
    ):
        assert vars(rates(other, a, b, at)) == pytest.approx(found, rel=1e-8)


def test_minima_that_are_not_connected_are_left_out():
    network = by_hand()
    assert rates(network, [0], [2], 0.5).a_from_b > 0
    with pytest.raises(InputError, match="no known path joins the minima 1 and 4"):
        rates(network, [0], [3], 0.5)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([], [1], "the set A is empty"),
        ([0], [0, 1], "the minimum 1 is in both sets"),
        ([0], [9], "the set B names the minimum at position 9"),
        ([0], [-1], "must be at least 0"),
    ],
)
def test_sets_that_cannot_be_are_refused(a, b, message):
    with pytest.raises(InputError, match=message):
        rates(by_hand(), a, b, 0.5)


def test_without_a_step_there_is_no_rate():
    graph = nx.Graph()
    graph.add_nodes_from([(0, {"energy": 0.0}), (1, {"energy": 1.0})])
    with pytest.raises(InputError, match="no known path joins"):
        rates(TransitionNetwork.of_graph(graph), [0], [1], 1.0)


def test_slow_rates_are_right_and_those_that_underflow_refused():
    network = by_hand()
    t = 5.0 / 600  # the barriers are hundreds of temperatures
    k = log_rate_constants(network, t)
    expected = k[0, 1] + k[1, 2] - np.logaddexp(k[1, 0], k[1, 2])
    found = rates(network, [0], [2], t)
    assert np.log(found.b_from_a) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(InputError, match="too small for double precision"):
        rates(network, [0], [2], 0.001)


def test_unknown_determinants_are_left_out_of_both_sides():
    network = by_hand()
    unknown = type(network.states).of(network.states.energies, None, network.states.orders)
    without = TransitionNetwork(network.minima, unknown, network.ends)
    k = log_rate_constants(without, 0.5)
    assert np.exp(k[0, 1]) == pytest.approx(np.exp(-8) / (2 * np.pi))
    found = rates(without, [0, 1], [2], 0.5)
    weights = np.array([1.0, np.exp(-2)])
    times = [rates(without, [i], [2], 0.5).time_b_from_a for i in (0, 1)]
    assert found.time_b_from_a == pytest.approx(weights @ times / weights.sum())


# PATHSAMPLE (June 2021), NGT without a steady state
ANSWERS = [
    # name, A, B, temperature, k(A<-B), k(B<-A), times
    ("9comm", [144], [4], 1.0, (1.329748539e-12, 3.229297774e-12, 7.520218829e11, 3.096648467e11)),
    ("9comm", [144], [4], 0.5, (5.355237520e-23, 2.912927228e-22, 1.867330807e22, 3.432972820e21)),
    ("9comm", [144], [4], 0.2, (1.556242567e-54, 5.708389143e-53, 6.425733503e53, 1.751807690e52)),
    (
        "9comm",
        [144, 933, 10],
        [4, 5, 6, 7],
        1.0,
        (1.409913669e-11, 1.120200831e-12, 2.320474835e11, 1.196222879e12),
    ),
    (
        "9comm",
        [144, 933, 10],
        [4, 5, 6, 7],
        0.3,
        (2.317146042e-35, 3.959409649e-37, 6.711276712e34, 2.545635688e36),
    ),
    ("lj38", [1], [2], 0.1, (2.125058656e-15, 9.572878607e-15, 4.705752462e14, 1.044617864e14)),
    ("lj38", [1], [2], 0.2, (4.205851670e-06, 1.023478264e-06, 2.377639723e5, 9.770603200e5)),
]


@oracle
@pytest.mark.parametrize(("name", "a", "b", "t", "expected"), ANSWERS)
def test_to_every_digit_that_pathsample_prints(name, a, b, t, expected):
    network = pathsample(ORACLE / name, 108)
    found = rates(network, [i - 1 for i in a], [i - 1 for i in b], t)
    numbers = (found.a_from_b, found.b_from_a, found.time_a_from_b, found.time_b_from_a)
    # of ten digits its last is off by up to two, as the exact times below show
    for number, answer in zip(numbers, expected, strict=True):
        assert abs(number - answer) < 2 * 10 ** (np.floor(np.log10(answer)) - 9)


@oracle
@pytest.mark.parametrize(
    ("name", "a", "b", "t", "expected"),
    [  # by linear algebra in 200-bit arithmetic (python-flint)
        ("lj38", 1, 2, 0.1, (4.7057524611469e14, 1.0446178636119e14)),
        ("lj38", 1, 2, 0.2, (237763.97226990, 977060.31983143)),
        ("9comm", 144, 4, 1.0, (752021882848.46, 309664846630.98)),
    ],
)
def test_exact_times(name, a, b, t, expected):
    found = rates(pathsample(ORACLE / name, 108), [a - 1], [b - 1], t)
    assert (found.time_a_from_b, found.time_b_from_a) == pytest.approx(expected, rel=2e-14 * 5)
