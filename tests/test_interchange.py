"""Files of other programs into a directory and out of it, in Python and on the command line."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from landscapes import TINY, contents, copy_of, tree

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.exchange import points as module
from nnpotential.exchange.directory import NetworkDirectory
from nnpotential.interchange import (
    export_pathsample,
    export_topsearch,
    import_pathsample,
    open_directory,
    open_network,
)
from nnpotential.lock import held
from nnpotential.sharing import export_csv, export_graphml
from nnpotential.storage import record_outcome

ORACLE = Path(__file__).parents[2] / "shared" / "oracle"
MINIMA = """\
  -173.928426590627964 538.668902793976144 48 61.09 61.10 61.11
  -173.2 512.433786480948584 1 56.5 62.7 69.2
  -170.0 500.25 2 1.0 1.0 1.0
"""
STATES = """\
  -168.759107759549806 512.074885626003038 1 1 2 58.1 60.7 70.0
  -168.5 500.0 1 3 3 1.0 1.0 1.0
"""
KEYWORDS = "MLPVB3 3 1 4 4 50 1.0D-3\n"


def numbers(path):
    return [[float(word) for word in line.split()] for line in path.read_text().splitlines()]


@pytest.fixture
def bare(tmp_path):
    """A folder with points of which no coordinates are known."""
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "min.data").write_text(MINIMA)
    (folder / "ts.data").write_text(STATES)
    return folder


@pytest.fixture(scope="session")
def exported(tmp_path_factory, small):
    """What export writes of a landscape."""
    return export_pathsample(small.path, tmp_path_factory.mktemp("exported") / "a").place


def test_points_without_coordinates_come_in_and_out(tmp_path, bare):
    done = import_pathsample(tmp_path / "a", [bare], n_vibrations=108, kinetic=False)
    assert isinstance(done.place, NetworkDirectory)
    network = open_network(tmp_path / "a")
    assert network.minima.energies[0] == -173.928426590627964
    assert (network.n_vibrations, network.kinetic) == (108, False)
    out = export_pathsample(tmp_path / "a").place
    assert out == tmp_path / "a" / "pathsample"
    assert sorted(path.name for path in out.iterdir()) == ["min.data", "ts.data"]
    for name in ("min.data", "ts.data"):
        assert numbers(out / name) == numbers(bare / name)


@pytest.mark.parametrize("name", ["lj38", "9comm"])
def test_published_networks(tmp_path, name):
    if not ORACLE.is_dir():
        pytest.skip("the published networks are not here")
    import_pathsample(tmp_path / "a", [ORACLE / name])
    out = export_pathsample(tmp_path / "a", tmp_path / "out").place
    for file in ("min.data", "ts.data"):
        assert numbers(out / file) == numbers(ORACLE / name / file)
    if name == "lj38":  # minimax barriers between its two funnels, as published
        network = open_network(tmp_path / "a")
        [second] = np.flatnonzero(np.isclose(network.minima.energies, -173.252378, atol=1e-6))
        assert network.barriers()[second] == pytest.approx(4.4510, abs=1e-4)


def test_a_network_of_a_landscape(small):
    network = open_network(small.path)
    assert np.array_equal(network.minima.energies, small.network().minima.energies)
    assert isinstance(open_directory(small.path), Landscape)


def test_a_folder_of_inputs_and_points_becomes_a_landscape(tmp_path, small, exported):
    done = import_pathsample(tmp_path / "a", [exported], seed=7)
    land, before = done.place, small.summary()
    assert done.new == done.read
    assert done.new[0] == before["n_minima"] > 1
    assert land.settings["seed"] == 7
    assert land.system.describe()["network"] == small.system.describe()["network"]
    assert land.system.settings == small.system.settings
    assert np.array_equal(land.system.data.X_train, small.system.data.X_train)
    assert land.summary()["n_from_outside"] == sum(done.new)
    land.verify(repair=True)
    after = land.summary()
    assert after["n_minima"] == before["n_minima"]
    assert after["lowest_loss"] == pytest.approx(before["lowest_loss"], abs=1e-12)


def test_inputs_alone_become_a_landscape(tmp_path, exported):
    done = import_pathsample(tmp_path / "a", [exported / "MLPdata", exported / "data"])
    assert (done.read, done.new) == (None, None)
    assert done.place.summary()["n_minima"] == 0


def test_points_into_the_landscape_that_they_are_of(mapped, exported):
    before = contents(mapped)
    assert import_pathsample(mapped.path, [exported]).new == (0, 0)
    assert contents(mapped) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "NOREGBIAS\n" + KEYWORDS}, "odata has other lines"),
        ({"MLPdata": None}, None),
    ],
)
def test_another_network_is_refused(tmp_path, mapped, exported, change, message):
    folder = copy_tree(exported, tmp_path / "there")
    for name, text in change.items():
        (folder / name).unlink()
        if text is not None:
            (folder / name).write_text(text)
    if message is None:  # the points are those of the landscape all the same
        assert import_pathsample(mapped.path, [folder]).new == (0, 0)
        return
    with pytest.raises(InputError, match=message):
        import_pathsample(mapped.path, [folder])


def copy_tree(source, target):
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("data", lambda text: text.replace("0.001", "0.002"), r"potential.regularization = 0\.001"),
        ("MLPdata", lambda text: text.replace("1.", "2."), "another data set than MLPdata"),
    ],
)
def test_inputs_of_another_network_than_the_landscape(
    tmp_path, mapped, exported, name, edit, message
):
    for file in ("data", "MLPdata", "min.data", "points.min"):
        (tmp_path / file).write_bytes((exported / file).read_bytes())
    (tmp_path / name).write_text(edit((tmp_path / name).read_text()))
    files = [tmp_path / file for file in ("data", "MLPdata", "min.data", "points.min")]
    before = contents(mapped)
    with pytest.raises(InputError, match=message):
        import_pathsample(mapped.path, files)
    assert contents(mapped) == before


def test_a_data_set_written_with_fewer_digits_is_the_same(tmp_path, mapped, exported):
    folder = copy_tree(exported, tmp_path / "there")
    rows = [[f"{value:.12g}" for value in row] for row in numbers(exported / "MLPdata")]
    (folder / "MLPdata").write_text("\n".join(map(" ".join, rows)))
    assert import_pathsample(mapped.path, [folder]).new == (0, 0)


def test_inputs_into_a_cluster(tmp_path, exported):
    land = Landscape.create(tmp_path / "a", nnp.LennardJonesCluster(3), **TINY)
    with pytest.raises(InputError, match="is no landscape of a network"):
        import_pathsample(land.path, [exported])


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "give the files to import"),
        (["there"], {}, "there is no file there"),
        (["coords"], {}, "coords is not known by its name"),
        (["min.data", "min.data"], {}, "two files min.data are given"),
        (["min.data", "ts.data", "points.min", "points.ts"], {}, "of which system is not known"),
        (["data"], {}, "data needs the data set MLPdata"),
        (["ts.data"], {}, "ts.data says nothing without min.data"),
        (["MLPdata", "data", "min.data"], {}, "needs the coordinates of its points"),
        (["MLPdata", "data"], {"n_vibrations": 3}, "are told of points without coordinates"),
        (["min.data"], {"seed": 1}, "a seed goes with a landscape"),
        (["min.data"], {"n_vibrations": 0}, "the number of vibrations must be at least 1"),
        (["MLPdata", "data"], {"seed": -1}, "the seed must be at least 0"),
    ],
)
def test_what_does_not_go_together_leaves_nothing(tmp_path, exported, names, options, message):
    files = [name if name == "there" else exported / name for name in names]
    with pytest.raises(InputError, match=message):
        import_pathsample(tmp_path / "a", files, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_files_of_theirs(tmp_path):
    with pytest.raises(InputError, match=r"holds none of min\.data, ts\.data"):
        import_pathsample(tmp_path / "a", [tmp_path])


def test_points_without_coordinates_do_not_go_into_a_landscape(mapped, bare):
    with pytest.raises(InputError, match=r"give points\.min and points\.ts, or choose a"):
        import_pathsample(mapped.path, [bare])


def test_an_import_that_is_refused_leaves_no_landscape_open(mapped, bare, monkeypatch):
    closed = []
    monkeypatch.setattr(nnp.Landscape, "close", lambda land: closed.append(land.path))
    with pytest.raises(InputError, match=r"give points\.min"):
        import_pathsample(mapped.path, [bare])
    assert closed == [mapped.path]


def test_a_place_that_is_taken(tmp_path, bare, exported):
    import_pathsample(tmp_path / "a", [bare])
    before = tree(tmp_path)
    with pytest.raises(InputError, match="holds a network without coordinates already"):
        import_pathsample(tmp_path / "a", [bare])
    with pytest.raises(InputError, match="a directory with other things in it"):
        import_pathsample(bare, [exported])
    with pytest.raises(InputError, match="a directory with other things in it"):
        export_pathsample(tmp_path / "a", bare)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_import_makes_no_landscape(tmp_path, exported, monkeypatch, error):
    def interrupted(*args, **kwargs):
        raise error

    monkeypatch.setattr(module, "store_transition_state", interrupted)
    with pytest.raises(error):
        import_pathsample(tmp_path / "a", [exported])
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert import_pathsample(tmp_path / "a", [exported]).new[0] > 0


def test_an_import_waits_for_nobody(mapped, exported):
    with held(mapped.path), pytest.raises(InputError, match="is being worked on by process"):
        import_pathsample(mapped.path, [exported])


def test_an_export_that_fails_leaves_nothing(tmp_path, small, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("nnpotential.interchange.write_inputs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_pathsample(small.path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_landscape_without_minima_is_not_exported(land):
    with pytest.raises(InputError, match="has no verified minimum to export"):
        export_pathsample(land.path)


def test_a_network_that_the_programs_lack_keeps_our_order(tmp_path, ljat):
    net = nnp.MLP([3, 2, 4], activation="sigmoid")
    land = Landscape.create(tmp_path / "a", net, ljat, regularization=1e-2, **TINY)
    land.explore()
    done = export_pathsample(land.path)
    assert done.names == ["min.data", "ts.data", "points.min", "points.ts"]
    assert "they have tanh, not sigmoid" in done.notes[0]
    coords = np.fromfile(done.place / "points.min").reshape(len(done.network), -1)
    minima = sorted(land.database.minima(), key=lambda m: m.id())
    assert np.array_equal(coords, [m.coords for m in minima])
    assert import_pathsample(land.path, [done.place]).new == (0, 0)


def test_the_command_line_without_coordinates(run, tmp_path, bare):
    place = tmp_path / "a"
    code, out, err = run(
        "import", place, "--from", "pathsample", bare, "--vibrations", 108, "--label", "E (eps)"
    )
    assert code == 0
    assert "3" in out
    assert f"nnpotential graph {place}" in err
    code, out, _ = run("summary", place)
    assert code == 0
    assert "lowest E (eps)" in out
    assert "-173.928426591" in out
    code, out, _ = run("summary", place, "--json")
    assert json.loads(out)["n_components"] == 2
    code, out, _ = run("graph", place)
    assert code == 0 and re.search(r"│ +3 │ +2 │\n", out)
    code, out, _ = run("measures", place, "--temperature", "0.5", "--json")
    assert (code, json.loads(out)["n_minima"]) == (0, 3)
    for command in ("verify", "connect", "audit", "certify", "gui"):
        code, _, err = run(command, place)
        assert code == 2
        assert "is a network of stationary points without coordinates" in err
        assert err.count("\n") == 1
    code, _, err = run("explore", "--output", place)
    assert (code, "without coordinates" in err) == (2, True)
    code, out, err = run("export", place, "--to", "pathsample", "-o", tmp_path / "out")
    assert (code, "min.data, ts.data" in out) == (0, True)


def test_the_command_line_with_a_network(run, tmp_path, exported, small):
    place = tmp_path / "a"
    code, out, err = run("import", place, "--from", "pathsample", exported)
    assert code == 0
    assert "new, from outside" in out
    assert f"'verify {place} --repair' only it" in err
    code, _, err = run("import", place, "--from", "pathsample", exported)
    assert (code, "searches it" in err) == (0, True)
    code, _, _ = run("verify", place, "--repair")
    code, out, err = run("export", place, "--to", "pathsample")
    assert (code, "MLPdata" in out, "written: " in err) == (0, True, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "a", "--from", "pathsampel", "f"], "did you mean 'pathsample'?"),
        (["export", "a", "--to", "gmin"], "unknown format 'gmin': choose from pathsample"),
        (["import", "a", "f"], "Missing option '--from'"),
        (["import", "a", "--from", "pathsample"], "Missing argument 'FILES...'"),
        (["export", "nowhere", "--to", "pathsample"], "there is no landscape at"),
    ],
)
def test_what_the_command_line_refuses(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_copy_is_exported_the_same(tmp_path, small, exported):
    again = export_pathsample(copy_of(small, tmp_path)).place
    assert [p.read_bytes() for p in sorted(again.iterdir())] == [
        p.read_bytes() for p in sorted(exported.iterdir())
    ]


@pytest.mark.parametrize("write", [export_pathsample, export_topsearch, export_graphml, export_csv])
def test_an_export_says_what_it_leaves_out(tmp_path, mapped, write):
    """States whose minimum has failed, too."""
    states = mapped.database.transition_states()
    minimum = next(ts.minimum1 for ts in states if ts.minimum1 is not ts.minimum2)
    record_outcome(minimum, "wrong index")
    mapped.database.session.commit()
    network = mapped.network()
    n_left_out = mapped.database.number_of_minima() + len(states)
    n_left_out -= len(network) + len(network.states)
    assert n_left_out > 1
    notes = write(mapped.path, tmp_path / "out").notes
    assert f"have not passed verification: {n_left_out} of all points" in notes[0]


def test_points_from_outside_count_in_no_figure(tmp_path, exported, run):
    import_pathsample(tmp_path / "a", [exported])
    for command, message in (
        (["measures"], "there is no minimum"),
        (["minima"], "no verified minimum"),
        (["estimates"], "no two minima are connected"),
        (["reach", "--method", "lbfgs", "--runs", "1"], "no verified minimum"),
    ):
        code, _, err = run(command[0], tmp_path / "a", *command[1:])
        assert code == 2 and message in err and err.count("\n") == 1
