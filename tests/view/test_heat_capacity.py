"""The figure of the heat capacity: what it shows, and of whom."""

import matplotlib.image
import networkx as nx
import pytest
from transition_networks import scattered, with_hits

from nnpotential import InputError, TransitionNetwork
from nnpotential.view.heat_capacity import draw_heat_capacity


def test_band_curve_and_the_minima_behind_the_peaks(tmp_path):
    path = tmp_path / "c.svg"
    network = with_hits(scattered(), [1] * 10 + [3] * 20)
    draw_heat_capacity(network, path)
    drawn = path.read_text(encoding="utf-8")
    assert "FillBetweenPolyCollection" in drawn or "PolyCollection" in drawn
    draw_heat_capacity(scattered(), path)
    assert "PolyCollection" not in path.read_text(encoding="utf-8")


def test_as_a_picture(tmp_path):
    path = tmp_path / "c.png"
    draw_heat_capacity(scattered(), path)
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > picture.shape[1] > 900


@pytest.mark.parametrize("energies", [[1.0], [0.0, 1.0]])
def test_few_minima_can_be_drawn(tmp_path, energies):
    graph = nx.Graph()
    graph.add_nodes_from((k, {"energy": e}) for k, e in enumerate(energies))
    draw_heat_capacity(TransitionNetwork.of_graph(graph), tmp_path / "c.png")
    assert (tmp_path / "c.png").exists()


def test_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no minimum"):
        draw_heat_capacity(TransitionNetwork.of_graph(nx.Graph()), tmp_path / "c.png")
    assert not list(tmp_path.iterdir())
