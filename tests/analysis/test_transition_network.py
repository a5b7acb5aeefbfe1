"""Networks of stationary points, from graphs, databases and landscapes."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from pele.storage import Database

import nnpotential as nnp
from nnpotential import InputError, TransitionNetwork
from nnpotential.analysis.figures import barriers_to_lowest
from nnpotential.analysis.transition_network import StationaryPoints


@pytest.fixture
def chain():
    """Three minima in a row, two ways between the first two, and one that is alone."""
    graph = nx.MultiGraph()
    for name, energy in (("a", 0.0), ("b", 1.0), ("c", 0.5), ("alone", 2.0)):
        graph.add_node(name, energy=energy)
    for one, two, energy in (("a", "b", 4.0), ("a", "b", 3.0), ("b", "c", 5.0), ("c", "c", 1.5)):
        graph.add_edge(one, two, energy=energy)
    return graph


def test_the_barrier_is_the_lowest_of_the_highest(chain):
    network = TransitionNetwork.of_graph(chain)
    assert network.lowest == 0
    assert network.barriers() == pytest.approx([0.0, 2.0, 4.5, np.nan], nan_ok=True)
    graph = network.graph()
    assert graph.edges[0, 1]["energy"] == 3.0
    assert graph.edges[0, 1]["state"] == 1
    assert set(graph.edges) == {(0, 1), (1, 2)}
    assert len(network.states) == 4  # the degenerate one is kept


def test_some_minima_alone_keep_the_barriers_between_them():
    rng = np.random.default_rng(0)
    graph = nx.gnm_random_graph(40, 60, seed=1)
    for node in graph:
        graph.nodes[node]["energy"] = rng.uniform(0, 1)
    for edge in graph.edges:
        graph.edges[edge]["energy"] = rng.uniform(1, 2)
    network = TransitionNetwork.of_graph(graph)
    kept = rng.choice(40, 12, replace=False)
    part = network.among(kept)
    assert part.minima.ids.tolist() == sorted(network.minima.ids[kept].tolist())

    def heights(graph):
        """Of the highest transition state on the lowest path, for all pairs of minima."""
        tree = nx.minimum_spanning_tree(graph, weight="energy")
        return {
            (i, j): max(tree.edges[pair]["energy"] for pair in pairwise(path))
            for i, paths in nx.all_pairs_shortest_path(tree)
            for j, path in paths.items()
            if i < j
        }

    whole, place = heights(network.graph()), dict(enumerate(np.unique(kept).tolist()))
    of_part = {(place[i], place[j]): e for (i, j), e in heights(part.graph()).items()}
    expected = {pair: e for pair, e in whole.items() if {*pair} <= {*kept.tolist()}}
    assert of_part == expected and len(expected) > 30


def test_what_a_graph_says_of_its_points_is_taken_over(chain):
    chain.nodes["a"].update(log_determinant=2.5, order=6)
    network = TransitionNetwork.of_graph(chain, n_vibrations=3, kinetic=False)
    assert network.minima.log_determinants[0] == 2.5
    assert np.isnan(network.minima.log_determinants[1:]).all()
    assert network.minima.orders.tolist() == [6, 1, 1, 1]
    assert network.n_vibrations == 3


def test_a_graph_without_energies_is_refused(chain):
    del chain.nodes["b"]["energy"]
    with pytest.raises(
        InputError, match="node 'b' of the graph must have a number as energy, not None"
    ):
        TransitionNetwork.of_graph(chain)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"energy": np.nan}, "energies must be finite"), ({"order": 0}, "must be at least 1")],
)
def test_wrong_numbers_are_refused(chain, change, message):
    chain.nodes["b"].update(change)
    with pytest.raises(InputError, match=message):
        TransitionNetwork.of_graph(chain)


def test_a_landscape_is_a_network_of_its_verified_points(explored):
    network, graph = explored.network(), explored.graph()
    assert network.minima.ids.tolist() == [m.id() for m in graph]
    expected = {m.id(): barrier for m, barrier in barriers_to_lowest(graph).items()}
    found = dict(zip(network.minima.ids.tolist(), network.barriers(), strict=True))
    lowest = network.minima.ids[network.lowest]
    assert found.pop(lowest) == 0.0
    assert {i: barrier for i, barrier in found.items() if not np.isnan(barrier)} == expected
    assert network.n_vibrations == explored.system.n_dof
    assert not network.kinetic
    x = explored.database.getMinimum(int(network.minima.ids[0])).coords
    hessian = explored.system.potential.getHessian(x)
    assert network.minima.log_determinants[0] == pytest.approx(np.linalg.slogdet(hessian)[1])


def test_moments_of_inertia_are_those_of_all_points():
    with pytest.raises(InputError, match="2 energies but 1 moments of inertia"):
        StationaryPoints.of([0.0, 1.0], moments=[[1.0, 2.0, 3.0]])


def test_a_database_of_plain_pele_is_a_network():
    database = Database()
    one, two = (database.addMinimum(energy, [energy]) for energy in (0.0, 1.0))
    one.fvib, one.pgorder = 1.5, 4
    database.addTransitionState(3.0, [2.0], one, two)
    network = TransitionNetwork.of_database(database)
    assert network.barriers().tolist() == [0.0, 2.0]
    assert network.minima.log_determinants == pytest.approx([1.5, np.nan], nan_ok=True)
    assert network.minima.orders.tolist() == [4, 1]


def test_clusters_vibrate_in_all_directions_but_six():
    system = nnp.LennardJonesCluster(7)
    database = system.create_database()
    found = system.get_minimizer()(system.get_random_configuration())
    database.addMinimum(found.energy, found.coords)
    network = TransitionNetwork.of_database(database, system)
    assert (network.n_vibrations, network.kinetic) == (15, True)
    assert network.minima.orders[0] == system.get_pgorder(found.coords)
