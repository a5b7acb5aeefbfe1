"""One search: the same landscape again, and after any interruption."""

import shutil

import pytest
from landscapes import SEARCH, contents

from nnpotential import Landscape
from nnpotential.search.kinds import Quench


def test_same_seed_same_landscape(tmp_path, explored, net, ljat):
    land = Landscape.create(tmp_path / "b", net, ljat, regularization=1e-3, seed=3, **SEARCH)
    land.explore()
    assert contents(land) == contents(explored)
    other = Landscape.create(tmp_path / "c", net, ljat, regularization=1e-3, seed=4, **SEARCH)
    other.explore(stages=["minima"])
    minima = contents(other)[0]
    assert minima != contents(explored)[0][: len(minima)]


@pytest.mark.parametrize("stop_after", [1, 12, 40])
def test_an_interrupted_search_continues_to_the_same_end(tmp_path, explored, net, ljat, stop_after):
    path = tmp_path / "b"
    land = Landscape.create(path, net, ljat, regularization=1e-3, seed=3, **SEARCH)
    calls = 0

    def interrupt(*_):
        nonlocal calls
        calls += 1
        if calls == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt)
    assert (path / "summary.json").exists()
    land.close()
    land = Landscape.open(path)
    land.explore()
    assert contents(land) == contents(explored)


def test_running_again_changes_nothing(tmp_path, explored):
    shutil.copytree(explored.path, tmp_path / "moved")
    land = Landscape.open(tmp_path / "moved")
    before = contents(land)
    land.explore()
    assert contents(land) == before
    land.explore(quenches=12)
    assert land.summary()["coverage"]["n_quenches"] == 12
    assert Landscape.open(tmp_path / "moved").settings["search"]["quenches"] == 12


def test_coverage_that_never_comes(tmp_path, net, ljat, monkeypatch):
    monkeypatch.setattr(Quench, "run", lambda *_: ([], [("too many steps", 1.0)]))
    land = Landscape.create(tmp_path / "a", net, ljat, quenches=2, basin_hopping_runs=0)
    figures = land.explore(until_coverage=0.5)
    assert figures["n_minima"] == 0
    assert 100 <= figures["coverage"]["n_quenches"] == figures["failed_quenches"] < 200
