"""The study of many landscapes, on a few that are mapped in seconds."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnpotential as nnp
from nnpotential import TransitionNetwork
from nnpotential.analysis.figures import barriers_to_lowest
from nnpotential.analysis.transition_network import StationaryPoints
from nnpotential.storage import quench_hits
from nnpotential.study import rows
from nnpotential.study.archetypes import ATOMS, NETWORKS, parts
from nnpotential.study.report import collect, report
from nnpotential.study.rows import FIGURES, figures_of, means, row_of

SCRIPT = Path(__file__).parents[2] / "scripts" / "archetypes.py"
FEW = {"quenches": 6, "basin_hopping_runs": 0, "soft_modes": 0, "untrap_attempts": 2}
FEW |= {"audit_sample": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two seeds of one network and another of two layers, and a cluster."""
    place = tmp_path_factory.mktemp("study")
    networks = {
        "seed": [0, 1],
        "dataset": {"name": "ljat", "n_train": [40], "n_test": 20},
        "network": {"hidden": [[3], [2, 2]]},
        "potential": {"regularization": [1e-2]},
        "search": FEW,
    }
    nnp.Sweep(place / NETWORKS, networks).run(workers=1)
    nnp.Sweep(place / ATOMS, {"system": {"name": ["lj7"]}, "search": FEW}).run(workers=1)
    return place


def test_the_figures_of_a_landscape_are_those_of_its_quenches(folder):
    [path] = (folder / ATOMS).glob("*lj7*")
    land, row = nnp.Landscape.open(path), row_of(path)
    barriers = {m: b for m, b in barriers_to_lowest(land.graph()).items() if quench_hits(m)}
    minima = [m for m in land.graph() if quench_hits(m)]
    assert row["n_different"] == len(minima)
    assert row["spread"] == pytest.approx(np.std([m.energy for m in minima]))
    assert row["mean_barrier"] == pytest.approx(np.mean(list(barriers.values())))
    assert row["joined"] == 1.0
    assert row == row_of(path)  # kept, and the same


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """A landscape that can be trained, and of which little is known."""
    place, data = tmp_path_factory.mktemp("sparse"), nnp.load_dataset("ljat", n_train=40, n_test=20)
    options = FEW | {"quenches": 2, "regularization": 1e-3}
    land = nnp.Landscape.create(place / "a", nnp.MLP([3, 3, 4]), data, **options)
    land.explore(draw=False)
    land.close()
    return land.path


@pytest.fixture
def network(sparse, tmp_path):
    """A copy, to be changed."""
    return shutil.copytree(sparse, tmp_path / "network")


def explore_more(path):
    land = nnp.Landscape.open(path)
    land.explore(quenches=4, draw=False)
    land.close()


@pytest.fixture
def opened(monkeypatch):
    """How many landscapes were opened less those that were closed, each time."""
    numbers, by_path, close = [0], nnp.Landscape.__init__, nnp.Landscape.close

    def begin(land, path):
        by_path(land, path)
        numbers.append(numbers[-1] + 1)

    def end(land):
        close(land)
        numbers.append(numbers[-1] - 1)

    monkeypatch.setattr(nnp.Landscape, "__init__", begin)
    monkeypatch.setattr(nnp.Landscape, "close", end)
    return numbers


def test_a_row_is_kept_until_more_is_found(network, opened):
    row = row_of(network, 2)
    assert row["reach lbfgs"] is not None
    assert row_of(network, 2) == row and opened == [0, 1, 0]
    row_of(network, 3)  # of more runs
    assert opened == [0, 1, 0, 1, 0]
    explore_more(network)
    assert row_of(network, 3)["energies"] != row["energies"]


def test_what_is_found_while_a_row_is_made_makes_it_old(network, monkeypatch):
    def meanwhile(found):
        figures = figures_of(found)
        explore_more(network)
        return figures

    monkeypatch.setattr(rows, "figures_of", meanwhile)
    before = row_of(network, 0)
    monkeypatch.undo()
    after = row_of(network, 0)
    (network / "study.json").unlink()
    assert row_of(network, 0) == after != before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_row_that_fails_leaves_nothing_open(network, opened, monkeypatch, error):
    def fails(_):
        raise error

    monkeypatch.setattr(rows, "figures_of", fails)
    with pytest.raises(error):
        row_of(network)
    assert opened == [0, 1, 0]


def test_nothing_is_said_of_barriers_where_few_are_joined():
    """Those that are joined are the near ones, whose barriers are the lowest."""
    points = StationaryPoints.of([0.0, 1.0, 2.0, 3.0])
    states, hits = StationaryPoints.of([1.5]), np.ones(4, int)
    row = figures_of(TransitionNetwork(points, states, [[0, 1]], hits=hits))
    assert row["joined"] == 0.5 and row["mean_barrier"] == 0.5
    lonely = StationaryPoints.of([0.0, 1.0, 2.0, 3.0, 4.0])
    hits = np.ones(5, int)
    row = figures_of(TransitionNetwork(lonely, states, [[0, 1]], hits=hits, audit={"fall": 0.0}))
    assert row["joined"] == 0.4 and row["spread"] == pytest.approx(np.sqrt(2))
    assert row["mean_barrier"] is None and row["frustration"] is None and not row["audit"]


def test_the_report_has_a_line_for_each_group(folder, tmp_path):
    assert report(folder, tmp_path, runs=2) == 5
    lines = (tmp_path / "results.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) == 2 + 2 + 1  # a header and its rule, two depths, the cluster
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in ("graphs", "trends"))
    networks, atoms = collect(folder, runs=2)
    assert [row["hidden"] for row in networks].count(2) == 2 and len(atoms) == 1


def test_intervals_are_students():
    rows = [{"n": 1, **dict.fromkeys(FIGURES, value)} for value in (1.0, 2.0, 3.0)]
    rows += [{"n": 2, **dict.fromkeys(FIGURES, 5.0)}, {"n": 3, **dict.fromkeys(FIGURES)}]
    found = means(rows, ("n",))
    mean, half, number = found[1,]["spread"]
    assert (mean, number) == (2.0, 3) and half == pytest.approx(4.302652729911275 / 3**0.5)
    assert found[2,]["spread"] == (5.0, None, 1)
    assert found[3,]["spread"] == (None, None, 0)


def test_the_whole_study_is_a_sweep_that_can_be_made(tmp_path):
    """Every part, without running it; the diagonal of the grid is there."""
    points = []
    for quick in (True, False):
        for part in parts(quick):
            points += [row["point"] for row in nnp.Sweep(tmp_path / "a", part.definition).plan()]
    assert len(set(points)) >= 5 * 3 * 9
    for n, penalty in ((100, "0.001"), (1000, "0.0001"), (10000, "1e-05")):
        assert any(f"n_train-{n}_" in p and f"regularization-{penalty}_" in p for p in points)


def test_the_script_stops_in_time_and_says_what_is_missing(tmp_path):
    command = [sys.executable, SCRIPT, "--quick", "--output", tmp_path, "--max-seconds", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("holds no finished landscape of a network yet")
