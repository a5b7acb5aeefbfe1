"""Funnels, basins and branches: by hand, on random graphs against their definitions, exact."""

import networkx as nx
import numpy as np
import pytest
from transition_networks import by_hand, changed, scattered

from nnpotential import TransitionNetwork
from nnpotential.analysis.funnel import (
    barrier_ratios,
    downhill_barriers,
    monotonic_sequence_basins,
    spread,
    superbasins,
)


def of(minima, edges):
    graph = nx.MultiGraph()
    graph.add_nodes_from((k, {"energy": e}) for k, e in enumerate(minima))
    graph.add_edges_from((i, j, {"energy": e}) for i, j, e in edges)
    return TransitionNetwork.of_graph(graph)


def test_sequences_end_where_no_neighbour_is_lower():
    #  0 - 2 - 4, 4 - 1 - 3, and 5 alone; 4 has lower neighbours on either side
    network = of(
        [0.0, 1.0, 2.0, 3.0, 4.0, 9.0],
        [(0, 2, 5.0), (2, 4, 5.0), (4, 1, 4.5), (1, 3, 6.0), (3, 3, 3.5)],
    )
    assert monotonic_sequence_basins(network).tolist() == [0, 1, 0, 1, 1, 5]


def test_a_funnel_is_one_basin():
    network = of(range(6), [(k, k + 1, 6.0 + k) for k in range(5)])
    assert monotonic_sequence_basins(network).tolist() == [0] * 6
    assert downhill_barriers(network)[1:] == pytest.approx([5.0] * 5)


def test_equal_minima_are_one_basin_and_no_circle():
    network = of([1.0, 1.0, 1.0], [(0, 1, 2.0), (1, 2, 2.0), (2, 0, 3.0)])
    assert monotonic_sequence_basins(network).tolist() == [0, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_the_bottoms_are_the_minima_without_a_lower_neighbour(seed):
    network = scattered(seed=seed)
    energies, graph = network.minima.energies, network.graph()
    expected = {k for k in graph if all(energies[j] > energies[k] for j in graph[k])}
    assert set(monotonic_sequence_basins(network)) == expected


@pytest.mark.parametrize("seed", range(5))
def test_superbasins_and_downhill_barriers_by_their_definition(seed):
    network = scattered(seed=seed)
    energies = network.minima.energies
    levels = np.linspace(energies.min() - 1, network.states.energies.max() + 1, 40)
    downhill = np.full(len(network), np.nan)
    for level, number in zip(levels, superbasins(network, levels), strict=True):
        graph = nx.Graph()
        graph.add_nodes_from(np.flatnonzero(energies <= level))
        graph.add_edges_from(network.ends[network.states.energies <= level])
        assert number == nx.number_connected_components(graph)
    for k in sorted(network.states.energies):  # at each the minima that first reach a lower one
        graph = nx.Graph()
        graph.add_nodes_from(range(len(network)))
        graph.add_edges_from(network.ends[network.states.energies <= k])
        for group in nx.connected_components(graph):
            for i in group:
                if np.isnan(downhill[i]) and energies[list(group)].min() < energies[i]:
                    downhill[i] = k - energies[i]
    assert downhill_barriers(network) == pytest.approx(downhill, nan_ok=True)
    assert np.isnan(downhill).sum() == 1


def test_by_hand():
    network = by_hand()
    assert spread(network) == pytest.approx(np.sqrt(1.25))
    assert barrier_ratios(network) == pytest.approx([np.nan, 3.0, 1.0, np.nan], nan_ok=True)
    assert downhill_barriers(network) == pytest.approx([np.nan, 3.0, 1.0, np.nan], nan_ok=True)
    assert superbasins(network, [-1.0, 0.0, 1.0, 2.5, 3.0, 4.0]).tolist() == [0, 1, 2, 3, 3, 2]


def test_ratios_change_neither_with_zero_nor_unit_of_energy():
    network = scattered()
    other = changed(network, energy=lambda e: 4 * e - 7)
    assert barrier_ratios(other) == pytest.approx(barrier_ratios(network), nan_ok=True)
    assert downhill_barriers(other) / spread(other) == pytest.approx(
        downhill_barriers(network) / spread(network), nan_ok=True
    )
    assert (monotonic_sequence_basins(other) == monotonic_sequence_basins(network)).all()


def test_an_egg_box_is_a_funnel(box):
    """Each minimum but the lowest has a lower one across one edge of the cube."""
    points = box.stationary_points()
    minima = [k for k, p in enumerate(points) if p.index == 0]
    place = {k: n for n, k in enumerate(minima)}
    network = of(
        [points[k].energy for k in minima],
        [(place[i], place[j], points[k].energy) for k, i, j in box.connections()],
    )
    assert (monotonic_sequence_basins(network) == network.lowest).all()
    along = [d * (1 + t / (4 * d)) ** 2 - t for d, t in zip(box.depths, box.tilts, strict=True)]
    highest = int(np.argmax(network.minima.energies))
    assert downhill_barriers(network)[highest] == pytest.approx(min(along))
