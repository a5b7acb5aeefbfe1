"""Landscapes that are grown by one protocol, on two that take seconds."""

import numpy as np
import pytest

import nnpotential as nnp
from nnpotential.study import grown
from nnpotential.study.report import report
from nnpotential.study.rows import row_of
from nnpotential.systems.clusters import LennardJonesCluster


def test_landscapes_are_grown_and_reported(tmp_path, monkeypatch):
    """One from a random start, one from two minima that are given; stopped, then to the end."""
    few = {"grow": 6, "untrap_attempts": 2, "audit_sample": 1}
    net = grown.Seedling("net", "a network", (2,), 1e-2, 100)
    eight = grown.Seedling("lj8", "eight atoms", begin=eight_from_two)
    monkeypatch.setattr(grown, "SEARCH", grown.SEARCH | few)
    monkeypatch.setattr(grown, "ATOMS", [eight])
    monkeypatch.setattr(grown, "NETWORKS", [net])
    monkeypatch.setattr(grown, "SEEDS", range(2))
    grown.grow(tmp_path, workers=1, max_seconds=0.3)
    assert len(list(grown.grown(tmp_path))) < 3
    grown.grow(tmp_path, workers=1)
    places = {seedling.folder: place for seedling, place in grown.grown(tmp_path)}
    assert list(places) == ["lj8_seed-0", "net_seed-0", "net_seed-1"]
    land = nnp.Landscape.open(places["lj8_seed-0"])
    assert [m.user_data["outside"] for m in land.database.minima()[:2]] == [1, 1]
    row = row_of(places["lj8_seed-0"], 0)
    assert row["n_different"] == land.summary()["n_grown"] and row["coverage"] is None
    low, middle, high = row["quartiles"]
    assert 0 < low <= middle <= high
    assert report(tmp_path, tmp_path / "report") == 3
    assert (tmp_path / "report" / "grown.png").stat().st_size > 10_000
    lines = (tmp_path / "report" / "results.md").read_text().splitlines()
    assert [line.split(" | ")[:2] for line in lines[-2:]] == [
        ["| eight atoms", "1"],
        ["| a network", "2"],
    ]


def eight_from_two():
    """Coordinates that lead to the two lowest minima of eight atoms."""
    minimize, starts = LennardJonesCluster(8).get_minimizer(), np.random.default_rng(0)
    ends = (minimize(starts.normal(size=24)) for _ in range(100))
    found = {round(end.energy, 6): end.coords for end in ends if end.success}
    return [found[energy] for energy in sorted(found)[:2]]


def test_the_two_funnels_of_38_atoms():
    minimize = LennardJonesCluster(38).get_minimizer()
    octahedron, icosahedron = (minimize(x).energy for x in grown.two_funnels())
    assert octahedron == pytest.approx(-173.928427, abs=1e-6)  # the lowest that is known
    assert icosahedron == pytest.approx(-172.958634, abs=1e-6)
