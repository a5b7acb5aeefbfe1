"""Networks as GraphML and CSV, read back by networkx and as tables."""

import csv

import networkx as nx
import numpy as np
import pytest

from nnpotential import InputError, TransitionNetwork
from nnpotential.exchange.graphs import read_graphml
from nnpotential.sharing import export_csv, export_graphml, import_graphml


@pytest.fixture
def graphml(tmp_path, small):
    return export_graphml(small.path, tmp_path / "a.graphml").place


def test_networkx_reads_all_of_it(small, graphml):
    graph, network = nx.read_graphml(graphml, node_type=int, force_multigraph=True), small.network()
    measures = small.system.measures
    assert sorted(graph) == network.minima.ids.tolist()
    barriers = network.barriers()
    for k, number in enumerate(network.minima.ids.tolist()):
        node = graph.nodes[number]
        assert node["energy"] == network.minima.energies[k]
        assert node["log_determinant"] == network.minima.log_determinants[k]
        assert node["hits"] == network.hits[k]
        assert node.get("barrier", np.nan) == pytest.approx(barriers[k], abs=0, nan_ok=True)
        x = small.database.session.get(type(small.database.minima()[0]), number).coords
        for name in ("train-loss", "test-accuracy"):
            assert node[name] == measures[name].function(x)
    stored = {
        ts.id(): (ts.energy, {ts.minimum1.id(), ts.minimum2.id()})
        for ts in small.database.transition_states()
    }
    found = {
        data["transition_state"]: (data["energy"], {u, v}) for u, v, data in graph.edges(data=True)
    }
    assert found == {number: stored[number] for number in network.states.ids.tolist()}
    assert graph.graph["energy_label"] == small.system.energy_label
    assert graph.graph["n_vibrations"] == network.n_vibrations


def test_a_network_comes_back_as_it_was(tmp_path, small, graphml):
    done = import_graphml(tmp_path / "b", graphml)
    one, other = small.network(), done.place.network()
    for part in ("minima", "states"):
        for name in ("ids", "energies", "log_determinants", "orders"):
            a, b = (getattr(getattr(network, part), name) for network in (one, other))
            order = [np.argsort(getattr(network, part).ids) for network in (one, other)]
            assert np.array_equal(a[order[0]], b[order[1]]), name
    assert np.array_equal(one.hits, other.hits)
    for name in ("n_vibrations", "kinetic", "energy_label"):
        assert getattr(one, name) == getattr(other, name)
    assert np.array_equal(one.barriers(), other.barriers(), equal_nan=True)
    # and out again, from a directory without coordinates
    again = export_graphml(done.place.path, tmp_path / "c.graphml").place
    assert np.array_equal(read_graphml(again).barriers(), one.barriers(), equal_nan=True)


def test_a_graph_of_another_program(tmp_path):
    graph = nx.Graph()
    graph.add_nodes_from([("low", {"energy": -1.0}), ("high", {"energy": 0.0})])
    graph.add_edge("low", "high", energy=1)
    nx.write_graphml(graph, tmp_path / "a.graphml")
    network = read_graphml(tmp_path / "a.graphml", n_vibrations=3)
    assert network.barriers().tolist() == [0.0, 1.0]
    assert network.minima.ids.tolist() == [1, 2]
    assert (network.n_vibrations, network.energy_label) == (3, "energy")


def test_tables(mapped):
    done = export_csv(mapped.path)
    assert done.place == mapped.path / "csv"
    network = mapped.network()
    with open(done.place / "minima.csv") as file:
        minima = list(csv.DictReader(file))
    with open(done.place / "transition_states.csv") as file:
        states = list(csv.DictReader(file))
    assert [float(row["energy"]) for row in minima] == network.minima.energies.tolist()
    assert [int(row["hits"]) for row in minima] == network.hits.tolist()
    assert [float(row["energy"]) for row in states] == network.states.energies.tolist()
    ends = network.minima.ids[network.ends].tolist()
    assert [[int(row["minimum1"]), int(row["minimum2"])] for row in states] == ends
    assert {"test-loss", "weight-norm", "barrier"} <= set(minima[0])


def test_what_is_not_known_is_left_out(tmp_path):
    graph = nx.Graph()
    graph.add_nodes_from([(0, {"energy": 0.0}), (1, {"energy": 1.0})])
    nx.write_graphml(graph, tmp_path / "a.graphml")
    place = import_graphml(tmp_path / "a", tmp_path / "a.graphml").place
    assert TransitionNetwork.of_graph(graph).barriers()[1] != 0
    with open(export_csv(place.path).place / "minima.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["barrier"] for row in rows] == ["0.0", ""]
    assert [row["log_determinant"] for row in rows] == ["", ""]
    found = nx.read_graphml(export_graphml(place.path).place)
    assert all("log_determinant" not in data for _, data in found.nodes(data=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no GraphML"),
        ("<graphml", "is no GraphML"),
        ("<html></html>", "is no GraphML"),
        ("{}", "is no GraphML"),
    ],
)
def test_what_is_no_graphml(tmp_path, text, message):
    (tmp_path / "a.graphml").write_text(text)
    with pytest.raises(InputError, match=message):
        import_graphml(tmp_path / "b", tmp_path / "a.graphml")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({}, "a.graphml: node '1' of the graph must have a number"),
        ({"energy": "low"}, "a.graphml: "),
    ],
)
def test_a_graph_without_energies(tmp_path, node, message):
    graph = nx.Graph()
    graph.add_node(1, **node)
    nx.write_graphml(graph, tmp_path / "a.graphml")
    with pytest.raises(InputError, match=message):
        read_graphml(tmp_path / "a.graphml")
    with pytest.raises(InputError, match="holds no node"):
        nx.write_graphml(nx.Graph(), tmp_path / "b.graphml")
        read_graphml(tmp_path / "b.graphml")
    with pytest.raises(InputError, match="cannot be read"):
        read_graphml(tmp_path / "none.graphml")


def test_places_that_are_taken(tmp_path, small, graphml):
    with pytest.raises(InputError, match=r"a\.graphml is there already"):
        export_graphml(small.path, graphml)
    with pytest.raises(InputError, match="is taken: choose a new place"):
        import_graphml(small.path, graphml)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    with pytest.raises(InputError, match="a directory with other things in it"):
        export_csv(small.path, tmp_path / "full")


def test_an_interrupted_export_leaves_nothing(tmp_path, small, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("nnpotential.exchange.graphs.nx.write_graphml", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_graphml(small.path, tmp_path / "a.graphml")
    monkeypatch.setattr("nnpotential.sharing.write_tables", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_csv(small.path, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
