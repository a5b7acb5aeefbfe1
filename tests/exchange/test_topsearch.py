"""TopSearch's files go out and come back, by TopSearch itself where it is installed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from landscapes import contents

from nnpotential import InputError
from nnpotential.exchange.pathsample import PathsampleDatabase
from nnpotential.exchange.topsearch import TOPSEARCH_FILES, TopsearchNetwork
from nnpotential.interchange import export_topsearch, import_topsearch, open_network

MINIMA = "0 -1.50000\n1  0.25000\n2  0.50000\n"
STATES = "0 1  1.00000\n1 2  0.75000\n"
# reads our files and writes its own; prints what its graph holds
TOPSEARCH = """
import json, sys
from topsearch.data.kinetic_transition_network import KineticTransitionNetwork
network = KineticTransitionNetwork()
network.read_network(sys.argv[1] + "/")
network.dump_network()
nodes = [[i, network.get_minimum_energy(i), network.get_minimum_coords(i).tolist()]
         for i in range(network.n_minima)]
edges = [[i, j, d["energy"], d["coords"].tolist()] for i, j, d in network.G.edges(data=True)]
print(json.dumps([nodes, edges, network.n_ts, network.pairlist.tolist()]))
"""


@pytest.fixture
def python():
    """A Python that has TopSearch, which wants an older NumPy than we do."""
    named = os.environ.get("TOPSEARCH_PYTHON")
    if not named and find_spec("topsearch") is None:
        pytest.skip("TopSearch 0.0.3 is not installed: name a Python with it, TOPSEARCH_PYTHON")
    return named or sys.executable


@pytest.fixture
def theirs(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    (folder / "min.data").write_text(MINIMA)
    (folder / "ts.data").write_text(STATES)
    np.savetxt(folder / "min.coords", rng.normal(size=(3, 4)))
    np.savetxt(folder / "ts.coords", rng.normal(size=(2, 4)))
    (folder / "pairlist").write_text("")
    return folder


def files(folder):
    return {name: folder / name for name in TOPSEARCH_FILES if (folder / name).exists()}


def test_topsearch_reads_what_we_wrote_and_we_what_it_wrote(tmp_path, small, mapped, python):
    done = export_topsearch(small.path, tmp_path / "ours")
    (tmp_path / "w").mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    read = subprocess.run(
        [python, "-c", TOPSEARCH, str(done.place)],
        **{"cwd": tmp_path / "w", "env": environment, "text": True, "timeout": 300},
        capture_output=True,
        check=True,
    )
    nodes, edges, n_states, pairs = json.loads(read.stdout)
    ours = TopsearchNetwork.read(files(done.place))
    assert [node[1] for node in nodes] == ours.network.minima.energies.tolist()
    assert [node[2] for node in nodes] == ours.minima.tolist()
    found = {tuple(sorted((i, j))): (energy, x) for i, j, energy, x in edges}
    assert n_states == len(found) == len(ours.states) == len(pairs) > 1
    for ends, energy, x in zip(
        ours.network.ends.tolist(),
        ours.network.states.energies.tolist(),
        ours.states.tolist(),
        strict=True,
    ):
        assert found[tuple(sorted(ends))] == (energy, x)
    before = contents(mapped)
    again = import_topsearch(mapped.path, [tmp_path / "w"])  # its energies have five decimals
    assert (again.read, again.new) == (done.size, (0, 0))
    assert contents(mapped) == before


def test_what_we_wrote_comes_back_to_the_last_bit(tmp_path, small):
    done = export_topsearch(small.path, tmp_path / "ours")
    whole = small.points(TopsearchNetwork)
    held, read = whole.as_it_holds(), TopsearchNetwork.read(files(done.place), small.system.n_dof)
    for part in ("minima", "states"):
        assert np.array_equal(getattr(held, part), getattr(read, part))
        one, other = (getattr(found.network, part) for found in (held, read))
        assert np.array_equal(one.energies, other.energies)
    assert np.array_equal(held.network.ends, read.network.ends)
    for x, energy in zip(read.minima, read.network.minima.energies, strict=True):
        assert small.system.potential.getEnergy(x) == energy  # in our own order
    # of each pair the lowest state is kept: no barrier is another
    assert np.array_equal(whole.network.barriers(), held.network.barriers(), equal_nan=True)
    assert len(held.states) < len(whole.states)
    assert (
        f"{len(whole.states) - len(held.states)} transition states were left out" in done.notes[0]
    )


def test_points_go_into_a_landscape(tmp_path, mapped, small):
    there = export_topsearch(small.path, tmp_path / "ours").place
    assert import_topsearch(mapped.path, [there]).new == (0, 0)
    lines = (there / "min.data").read_text().splitlines()
    first = lines[0].split()
    lines[0] = f"{first[0]} {float(first[1]) + 1e-3}"
    (there / "min.data").write_text("\n".join(lines))
    with pytest.raises(InputError, match="points of another system"):
        import_topsearch(mapped.path, [there])


def test_without_coordinates(tmp_path, theirs):
    done = import_topsearch(tmp_path / "a", [theirs / "min.data", theirs / "ts.data"])
    network = open_network(tmp_path / "a")
    assert done.read == (3, 2)
    assert network.minima.energies.tolist() == [-1.5, 0.25, 0.5]
    assert network.barriers().tolist() == [0.0, 0.75, 0.5]


def test_with_coordinates_of_any_system(theirs):
    found = TopsearchNetwork.read(files(theirs))
    assert found.minima.shape == (3, 4) and found.states.shape == (2, 4)
    assert np.array_equal(found.minima, np.loadtxt(theirs / "min.coords"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("min.data", None, r"ts\.data says nothing without min\.data"),
        ("ts.coords", None, "those of the transition states are missing"),
        ("min.data", "", "holds no minimum"),
        ("min.data", "0 1 2\n", "line 1: 3 columns in place of 2"),
        ("min.data", "0 x\n", "'x' is no finite number"),
        ("min.data", "0 nan\n", "'nan' is no finite number"),
        ("min.data", "0.5 1.0\n", "'0.5' is no index of a minimum from 0"),
        ("min.data", "-1 1.0\n", "'-1' is no index"),
        ("min.data", MINIMA + "0 1.0\n", "two minima of one index"),
        ("min.data", MINIMA + "3 1.0\n", r"min\.coords has the coordinates of 3 points, min\.data"),
        ("min.data", "-1.0 2.0 1 1.0 1.0 1.0\n", "is PATHSAMPLE's, not TopSearch's"),
        ("ts.data", "1.0 2.0 1 1 2 1.0 1.0 1.0\n", "import it with '--from pathsample'"),
        ("ts.data", "0 7 1.0\n", "names the minimum 7, which min.data has not"),
        ("min.coords", "1 2 3 4\n1 2\n1 2 3 4\n", "line 2: 2 coordinates in place of 4"),
        ("ts.coords", "1 2 3 4\n", r"ts\.coords has the coordinates of 1 points, ts\.data has 2"),
    ],
)
def test_what_is_wrong_is_named(theirs, name, text, message):
    if text is None:
        (theirs / name).unlink()
    else:
        (theirs / name).write_text(text)
    with pytest.raises(InputError, match=message):
        TopsearchNetwork.read(files(theirs))


def test_pathsample_is_told_apart(theirs):
    with pytest.raises(InputError, match="import it with '--from topsearch'"):
        PathsampleDatabase.read({"min.data": theirs / "min.data"})


def test_what_does_not_go(tmp_path, theirs, land):
    with pytest.raises(InputError, match="of which system is not known"):
        import_topsearch(tmp_path / "b", [theirs])
    assert not (tmp_path / "b").exists()
    with pytest.raises(InputError, match="has no verified minimum to export"):
        export_topsearch(land.path, tmp_path / "out")
    import_topsearch(tmp_path / "c", [theirs / "min.data", theirs / "ts.data"])
    with pytest.raises(InputError, match="has no coordinates, without which TopSearch reads"):
        export_topsearch(tmp_path / "c")
    assert not (tmp_path / "out").exists()
