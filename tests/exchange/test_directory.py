"""A network without coordinates in a directory of its own."""

import json

import numpy as np
import pytest

from nnpotential import InputError, Landscape, TransitionNetwork
from nnpotential.analysis.transition_network import StationaryPoints
from nnpotential.exchange.directory import NetworkDirectory


@pytest.fixture
def network():
    """Two funnels, a rearrangement, and a minimum that is alone."""
    minima = StationaryPoints.of([0.0, 1.0, 0.5, 2.0], [1.0, np.nan, 3.0, 0.1], [1, 2, 24, 1])
    states = StationaryPoints.of([4.0, 3.0, 5.0, 1.5], moments=np.arange(12.0).reshape(4, 3))
    return TransitionNetwork(
        minima,
        states,
        [[0, 1], [1, 0], [1, 2], [2, 2]],
        n_vibrations=7,
        kinetic=False,
        energy_label="energy (eV)",
        hits=np.array([3, 0, 1, 1]),
        audit={"fall": 0.1, "interval": [0.0, 0.2]},
    )


def same(one, other):
    for kind in ("minima", "states"):
        for name, values in vars(getattr(one, kind)).items():
            found = getattr(getattr(other, kind), name)
            if values is None:
                assert found is None
            else:
                assert np.array_equal(values, found, equal_nan=True), name
    assert np.array_equal(one.ends, other.ends)
    assert np.array_equal(one.hits, other.hits)
    for name in ("n_vibrations", "kinetic", "energy_label", "audit"):
        assert getattr(one, name) == getattr(other, name)


def test_a_network_is_kept_whole(tmp_path, network):
    NetworkDirectory.create(tmp_path / "a", network, "here")
    same(network, NetworkDirectory.open(tmp_path / "a").network())
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["network.npz", "settings.toml"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_what_is_not_known_stays_unknown(tmp_path):
    bare = TransitionNetwork(StationaryPoints.of([0.0]), StationaryPoints.of([]), [])
    again = NetworkDirectory.create(tmp_path / "a", bare).network()
    assert (again.n_vibrations, again.hits, len(again.states)) == (None, None, 0)


def test_nothing_is_written_over(tmp_path, network):
    NetworkDirectory.create(tmp_path / "a", network)
    with pytest.raises(InputError, match="choose a new or empty directory"):
        NetworkDirectory.create(tmp_path / "a", network)


def test_the_summary(tmp_path, network):
    figures = NetworkDirectory.create(tmp_path / "a", network).summary()
    assert figures["n_minima"] == 4
    assert figures["n_transition_states"] == 3
    assert figures["n_degenerate_rearrangements"] == 1
    assert (figures["n_components"], figures["largest_component"]) == (2, 3)
    assert (figures["n_unconnected"], figures["share_connected"]) == (1, 0.75)
    assert figures["lowest_loss"] == 0.0
    assert figures["barriers"] == {"0": 2.0, "0.25": 2.625, "0.5": 3.25, "0.75": 3.875, "1": 4.5}
    json.dumps(figures)


def test_the_drawing(tmp_path, network):
    place = NetworkDirectory.create(tmp_path / "a", network)
    assert place.draw(levels=10) == (3, 4)
    svg = (place.path / "disconnectivity.svg").read_text()
    assert "energy (eV)" in svg
    assert "3 of 4 minima" in svg
    with pytest.raises(InputError, match="no coordinates, by which minima could be coloured"):
        place.draw(colour="test-auc")


def test_it_is_no_landscape(tmp_path, network):
    NetworkDirectory.create(tmp_path / "a", network)
    with pytest.raises(InputError, match="is a network of stationary points without coordinates"):
        Landscape.open(tmp_path / "a")


def test_a_landscape_is_no_such_directory(land):
    with pytest.raises(InputError, match="lacks 'transition_network'"):
        NetworkDirectory.open(land.path)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no more"])
def test_a_damaged_file(tmp_path, network, content):
    place = NetworkDirectory.create(tmp_path / "a", network)
    file = place.path / "network.npz"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"network\.npz is missing or damaged: ."):
        NetworkDirectory.open(place.path)


def test_a_pickle_is_not_read(tmp_path, network):
    place = NetworkDirectory.create(tmp_path / "a", network)
    with np.load(place.path / "network.npz") as file:
        arrays = dict(file)
    np.savez(place.path / "network.npz", **arrays | {"minima_energies": np.array([{}, {}])})
    with pytest.raises(InputError, match=r"damaged: .*allow_pickle"):
        NetworkDirectory.open(place.path)
