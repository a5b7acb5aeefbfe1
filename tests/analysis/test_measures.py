"""All measures at once; and PATHSAMPLE's answers, to every digit that it prints."""

import json

import networkx as nx
import numpy as np
import pytest
from transition_networks import ORACLE, by_hand, changed, pathsample, scattered, with_hits

from nnpotential import InputError, TransitionNetwork
from nnpotential.analysis.measures import measures, with_labels
from nnpotential.analysis.thermodynamics import log_occupations

oracle = pytest.mark.skipif(not ORACLE.exists(), reason="the oracle is not here")

# PATHSAMPLE (June 2021), SHANNON with the bin given: S, f, f normalised, p of the lowest
ANSWERS = [
    ("lj38", "0.1", 1e-4, "0.65179 1.0554 5.6904 0.81454"),
    ("lj38", "0.15", 1e-4, "1.4869 3.8896 4.7983 0.18939"),
    ("lj38", "0.2", 1e-4, "1.4152 3.546 3.6727 0.034501"),
    ("lj38", "0.25", 1e-4, "1.611 2.615 2.636 0.0079727"),
    ("lj38", "0.3", 1e-4, "2.1339 1.6106 1.6137 0.0019346"),
    ("lj38", "0.35", 1e-4, "2.5197 0.91536 0.91581 0.00048602"),
    ("lj38", "0.1", 1e-2, "0.65179 1.0563 5.6956 0.81454"),
    ("lj38", "0.1", 0.5, "0.65179 1.0957 5.9077 0.81454"),
    ("lj38", "0.3", 0.5, "2.1339 1.762 1.7654 0.0019346"),
    ("9comm", "1", 1e-2, "3.8184 9.8537 10.977 0.10231"),
]
EXACT = [  # without bins
    ("lj38", "0.1", "1.0553 5.6903"),
    ("lj38", "0.15", "3.8895 4.7982"),
    ("9comm", "1", "9.8491 10.972"),
]
HEAT_CAPACITY = [("0.1", 118.39937), ("0.15", 119.02543)]


def binned(network, width):
    """With transition states raised to levels from the lowest minimum up, as PATHSAMPLE sees them.

    It raises a level from the lowest minimum by EINC at a time, and calls the first at which a
    minimum reaches the lowest the height of its barrier.
    """
    lowest = network.minima.energies.min()
    steps = np.floor((network.states.energies - lowest) / width) + 1
    states = type(network.states).of(
        lowest + steps * width, network.states.log_determinants, network.states.orders
    )
    return TransitionNetwork(network.minima, states, network.ends, network.n_vibrations)


@oracle
@pytest.mark.parametrize(("name", "t", "width", "expected"), ANSWERS)
def test_to_every_digit_that_pathsample_prints(name, t, width, expected):
    found = measures(binned(pathsample(ORACLE / name, 108), width), [t])
    names = ("shannon_entropy", "frustration", "frustration_normalised", "occupation_lowest")
    assert " ".join(f"{found[name][t]:.5g}" for name in names) == expected


@oracle
@pytest.mark.parametrize(("name", "t", "expected"), EXACT)
def test_frustration_without_bins(name, t, expected):
    found = measures(pathsample(ORACLE / name, 108), [t])
    names = ("frustration", "frustration_normalised")
    assert " ".join(f"{found[name][t]:.5g}" for name in names) == expected


@oracle
@pytest.mark.parametrize(("t", "expected"), HEAT_CAPACITY)
def test_heat_capacity_of_the_cluster(t, expected):
    found = measures(pathsample(ORACLE / "lj38", 108), [t])
    assert found["heat_capacity"][t] == pytest.approx(expected, abs=5.1e-6)


@oracle
def test_the_two_funnels_of_the_cluster():
    network = pathsample(ORACLE / "lj38", 108)
    found = measures(network)
    second = np.argmin(np.abs(network.minima.energies + 173.252378))
    assert network.barriers()[second] == pytest.approx(4.4510, abs=5e-5)
    # weight moves from the truncated octahedron to the icosahedral funnel, then to the liquid
    [solid, melting] = found["heat_capacity_peaks"]
    assert solid["losing"][0]["minimum"] == network.minima.ids[network.lowest]
    assert solid["temperature"] == pytest.approx(0.12, abs=0.005)
    assert melting["gaining"][0]["energy"] > -170.5
    assert found["n_unconnected"] == 17
    assert [remark for remark in found["remarks"] if "17 minima are not connected" in remark]


def test_numbers_by_temperature_as_given():
    network = by_hand()
    found = measures(network, [0.5, "0.50", 2])
    assert found["temperatures"] == [0.5, 0.5, 2.0]
    assert not found["temperatures_chosen"]
    for name in (
        "shannon_entropy",
        "frustration",
        "frustration_normalised",
        "occupation_lowest",
        "heat_capacity",
        "mean_energy",
    ):
        assert list(found[name]) == ["0.5", "0.50", "2"]
    p = np.exp(log_occupations(network, 0.5))
    assert found["shannon_entropy"]["0.50"] == pytest.approx(-p @ np.log(p))
    assert found["occupation_lowest"]["0.5"] == pytest.approx(p[0])


def test_all_of_it_is_plain():
    network = with_hits(scattered(), [1] * 10 + [3] * 20, audit={"fall": 0.1, "interval": [0, 0.2]})
    found = measures(network, a=[1], b=[2, 3])
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert found["temperatures_chosen"]
    labels = list(found["shannon_entropy"])
    assert found["temperatures"] == [float(label) for label in labels]
    assert list(found["rates"]) == labels
    assert set(found["bands"]) == {
        "level",
        "shannon_entropy",
        "heat_capacity",
        "frustration",
        "frustration_normalised",
    }
    curve = found["heat_capacity_curve"]
    assert len({len(curve[name]) for name in ("temperatures", "heat_capacity", "low", "high")}) == 1
    assert all(
        low <= c <= high
        for low, c, high in zip(curve["low"], curve["heat_capacity"], curve["high"], strict=True)
    )
    assert sum(found["monotonic_sequence_basin_sizes"]) == 30
    assert found["superbasins"]["numbers"][-1] == 1
    ratio = found["downhill_barriers"]["0.5"] / found["spread"]
    assert found["downhill_barriers_over_spread"]["0.5"] == pytest.approx(ratio)


def test_counts():
    found = measures(by_hand())
    expected = {
        "n_minima": 4,
        "n_minima_by_energy": 4,
        "n_transition_states": 3,
        "n_degenerate_rearrangements": 1,
        "n_unconnected": 1,
        "lowest_minimum": 1,
        "monotonic_sequence_basins": 2,
    }
    assert {name: found[name] for name in expected} == expected


def remarks(network):
    return " | ".join(measures(network, [0.5])["remarks"])


def test_remarks_say_what_a_reader_has_to_know():
    network = by_hand()
    said = remarks(network)
    assert "1 minimum is not connected to the lowest" in said
    assert "no independent quenches are known" in said
    assert "barriers are not audited" in said
    assert "determinant" not in said and "not unique" not in said
    graph = nx.Graph()
    graph.add_nodes_from([(0, {"energy": 1.0}), (1, {"energy": 1.0})])
    graph.add_edge(0, 1, energy=0.5)
    said = remarks(TransitionNetwork.of_graph(graph))
    assert "the lowest minimum is not unique: 2 are equally low" in said
    assert "not known for 2 of 2 minima and 1 of 1 transition states" in said
    assert "number of vibrations is not known" in said
    assert "1 transition states lie below a minimum" in said
    said = remarks(with_hits(changed(network), [1, 1, 2, 2], kinetic=False))
    assert "no kinetic half" in said
    assert "33 % of further quenches would end in minima that none has found" in said


@pytest.mark.parametrize("tops", [[], [3.0]])
def test_one_minimum(tops):
    graph = nx.MultiGraph()
    graph.add_node("a", energy=1.0)
    for top in tops:
        graph.add_edge("a", "a", energy=top)
    found = measures(TransitionNetwork.of_graph(graph), ["0.2"])
    assert found["shannon_entropy"] == {"0.2": 0.0}
    assert found["occupation_lowest"] == {"0.2": 1.0}
    assert found["frustration"] == {"0.2": 0.0}
    assert found["frustration_normalised"] == {"0.2": None}
    assert found["monotonic_sequence_basins"] == 1
    assert found["barrier_ratios"] == found["downhill_barriers_over_spread"] == {}
    assert found["n_degenerate_rearrangements"] == len(tops)
    json.dumps(found, allow_nan=False)


def test_no_transition_state():
    graph = nx.Graph()
    graph.add_nodes_from([(0, {"energy": 0.0}), (1, {"energy": 1.0})])
    found = measures(TransitionNetwork.of_graph(graph), [0.5])
    assert found["frustration"] == {"0.5": None}
    assert found["monotonic_sequence_basins"] == 2
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["warm"], "temperature must be a number above 0, not 'warm'"),
        ([0.0], "temperature must be above 0"),
        ([-1], "temperature must be above 0"),
        (["nan"], "temperature must be above 0"),
    ],
)
def test_wrong_temperatures_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        with_labels(given)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"a": [1]}, "give both"),
        ({"a": [1], "b": [99]}, "there is no minimum 99"),
    ],
)
def test_wrong_sets_are_refused(sets, message):
    with pytest.raises(InputError, match=message):
        measures(by_hand(), [0.5], **sets)


def test_no_minimum_is_refused():
    with pytest.raises(InputError, match="there is no minimum"):
        measures(TransitionNetwork.of_graph(nx.Graph()))


def test_of_a_landscape(explored):
    found = explored.measures([0.01])
    network = explored.network()
    assert found["n_minima"] == explored.summary()["n_minima"]
    assert found["n_transition_states"] == explored.summary()["n_transition_states"]
    p = np.exp(log_occupations(network, 0.01))
    assert found["occupation_lowest"]["0.01"] == pytest.approx(p[network.lowest])
    assert found["heat_capacity"]["0.01"] >= explored.system.n_dof / 2
    assert found["missing_minima"] is not None
    assert "loss" in found["units"]["energy"]
