"""The figure of the heat capacity: what it shows, and of whom."""

import matplotlib.image
import networkx as nx
import pytest
from transition_networks import scattered, with_hits

from nnpotential import TransitionNetwork
from nnpotential.analysis.measures import measures
from nnpotential.analysis.thermodynamics import heat_capacity_peaks
from nnpotential.view.heat_capacity import _shown, draw_heat_capacity


def test_band_curve_and_the_minima_behind_the_peaks(tmp_path):
    path = tmp_path / "c.svg"
    network = with_hits(scattered(), [1] * 10 + [3] * 20)
    draw_heat_capacity(network, measures(network), path)
    drawn = path.read_text(encoding="utf-8")
    assert "FillBetweenPolyCollection" in drawn or "PolyCollection" in drawn
    draw_heat_capacity(scattered(), measures(scattered()), path)
    assert "PolyCollection" not in path.read_text(encoding="utf-8")


def test_as_a_picture(tmp_path):
    path = tmp_path / "c.png"
    draw_heat_capacity(scattered(), measures(scattered()), path)
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > picture.shape[1] > 900


@pytest.mark.parametrize("energies", [[1.0], [0.0, 1.0]])
def test_few_minima_can_be_drawn(tmp_path, energies):
    graph = nx.Graph()
    graph.add_nodes_from((k, {"energy": e}) for k, e in enumerate(energies))
    network = TransitionNetwork.of_graph(graph)
    draw_heat_capacity(network, measures(network), tmp_path / "c.png")
    assert (tmp_path / "c.png").exists()


def test_minima_are_named_by_their_peaks_the_highest_first():
    network = scattered()
    peaks = heat_capacity_peaks(network)
    assert peaks
    highest = max(peaks, key=lambda peak: peak.heat_capacity)
    shown = _shown(network, measures(network)["heat_capacity_peaks"])
    assert shown[0] == highest.losing[0][0] and highest.gaining[0][0] in shown[:4]
    assert len(shown) == len(set(shown))
