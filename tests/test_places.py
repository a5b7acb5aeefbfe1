"""A landscape stays with its directory, whatever becomes of paths."""

import os
import shutil
import sqlite3
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from landscapes import FEW, contents

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.files import absolute
from nnpotential.search.settings import SearchSettings

NET = nnp.MLP([3, 5, 4])
TINY = {"quenches": 2, "basin_hopping_runs": 0, "untrap_attempts": 0, "soft_modes": 0}


class AnyPath:
    """Neither a string nor of pathlib."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def tree(path):
    return {p: p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "there"


@pytest.mark.parametrize("made", ["created", "opened"])
def test_changing_the_working_directory(tmp_path, elsewhere, ljat, alone, made):
    land = Landscape.create("a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    if made == "opened":
        land.close()
        land = Landscape.open("a")
    os.chdir(elsewhere)
    Landscape.create("a", NET, ljat, regularization=1e-2, seed=6).close()
    others = tree(elsewhere)
    assert land.path == tmp_path / "here" / "a"
    land.explore(quenches=FEW["quenches"])
    land.verify()
    land.draw(colour="test-loss")
    land.write_summary()
    assert tree(elsewhere) == others
    assert contents(land) == contents(alone)
    names = {p.name for p in land.path.iterdir()}
    assert names == {p.name for p in alone.path.iterdir()}
    settings = tomllib.loads((land.path / "settings.toml").read_text())
    assert (settings["seed"], settings["search"]["quenches"]) == (5, FEW["quenches"])


def test_a_working_directory_that_is_gone(elsewhere, ljat):
    land = Landscape.create("a", NET, ljat, **TINY)
    os.chdir(elsewhere)
    elsewhere.rmdir()
    with pytest.raises(InputError, match="working directory that no longer exists: give an abs"):
        Landscape.open("a")
    with pytest.raises(InputError, match="working directory that no longer exists: give an abs"):
        Landscape.create("b", NET, ljat)
    assert land.explore(stages=["minima"])["n_minima"] > 0
    assert Landscape.open(land.path).summary()["n_minima"] > 0


def test_a_symbolic_link_that_is_set_anew(tmp_path, ljat):
    for name, seed in (("a", 1), ("b", 2)):
        Landscape.create(tmp_path / name, NET, ljat, seed=seed, **TINY).close()
    link = tmp_path / "link"
    link.symlink_to("a")
    land = Landscape.open(link)
    link.unlink()
    link.symlink_to("b")
    others = tree(tmp_path / "b")
    land.explore(stages=["minima"])
    assert tree(tmp_path / "b") == others
    assert Landscape.open(tmp_path / "a").summary()["n_minima"] > 0


def committed(path):
    with closing(sqlite3.connect(path / "landscape.sqlite")) as connection:
        return connection.execute("SELECT COUNT(*) FROM tbl_minima").fetchone()[0]


def moved(path):
    path.rename(path.with_name("moved"))


def replaced(path):
    """A landscape deleted, and another one made in its place."""
    shutil.rmtree(path)
    data = nnp.load_dataset("iris", n_train=60, n_test=60, seed=0)
    Landscape.create(path, nnp.MLP([4, 3, 3]), data).close()


@pytest.mark.parametrize("what", [moved, shutil.rmtree, replaced])
def test_a_landscape_that_is_no_longer_there(tmp_path, ljat, what):
    path = tmp_path / "a"
    land = Landscape.create(path, NET, ljat, **TINY)
    what(path)
    before = tree(tmp_path)
    for method in (land.explore, land.verify, land.draw, land.write_summary):
        with pytest.raises(InputError, match="moved, deleted or replaced; open it where it is now"):
            method()
    with ThreadPoolExecutor(1) as executor, pytest.raises(InputError, match="no longer what was"):
        executor.submit(land.summary).result()
    assert tree(tmp_path) == before
    if what is moved:
        land = Landscape.open(tmp_path / "moved")
        assert land.explore(stages=["minima"])["n_minima"] > 0


@pytest.mark.parametrize("what", [moved, shutil.rmtree, replaced])
def test_a_landscape_that_goes_away_during_a_search(tmp_path, ljat, alone, what):
    path = tmp_path / "a"
    land = Landscape.create(path, NET, ljat, regularization=1e-3, seed=5, **FEW)
    before = None

    def move(*_):
        nonlocal before
        if before is None and committed(path) > 2:
            what(path)
            before = {p: data for p, data in tree(tmp_path).items() if "moved" not in p.parts}

    with pytest.raises(InputError, match=r"no longer what was opened|cannot be written"):
        land.explore(move)
    after = {p: data for p, data in tree(tmp_path).items() if "moved" not in p.parts}
    assert after == before
    if what is moved:
        copy = Landscape.open(tmp_path / "moved")
        assert copy.database.number_of_minima() > 2
        copy.explore()
        assert contents(copy) == contents(alone)


@pytest.mark.parametrize("kind", [str, Path, AnyPath])
def test_paths_of_every_kind(tmp_path, ljat, kind):
    file = tmp_path / "data.npz"
    ljat.save(kind(file))
    data = nnp.load_dataset(kind(file))
    land = Landscape.create(kind(tmp_path / "a"), NET, data, **TINY)
    assert Landscape.open(kind(tmp_path / "a")).path == land.path == tmp_path / "a"


def test_a_plain_pele_database(tmp_path, elsewhere, ljat):
    database = nnp.NNSystem(NET, ljat).create_database(AnyPath("plain.sqlite"))
    database.addMinimum(1.0, np.zeros(3))
    os.chdir(elsewhere)
    database.addMinimum(2.0, np.zeros(3))
    assert not list(elsewhere.iterdir())
    again = nnp.NNSystem(NET, ljat).create_database(db=tmp_path / "here" / "plain.sqlite")
    assert again.number_of_minima() == 2


@pytest.mark.parametrize("path", [5, None, b"a", "a\0b"])
def test_what_is_no_path(path):
    with pytest.raises(InputError, match="is no path"):
        absolute(path)
    with pytest.raises(InputError, match="is no path"):
        Landscape.open(path)


# Settings


def test_numpy_settings_are_plain_numbers(tmp_path, ljat):
    plain = {"quenches": 3, "basin_hopping_runs": 0, "until_coverage": 0.5}
    net = nnp.MLP(np.array([3, 5, 4]), np.str_("tanh"), np.bool_(True))
    data = nnp.load_dataset("ljat", np.int64(50), n_test=np.uint16(50), seed=np.int32(0))
    land = Landscape.create(
        tmp_path / "a",
        net,
        data,
        loss=np.str_("cross_entropy"),
        regularization=np.float64(1e-3),
        regularize_bias=np.bool_(True),
        seed=np.int64(5),
        quenches=np.int64(3),
        basin_hopping_runs=np.uint8(0),
        until_coverage=np.float32(0.5),
        initializations=np.array(["gaussian", "he_normal"]),
    )
    other = Landscape.create(
        tmp_path / "b",
        NET,
        ljat,
        regularization=1e-3,
        seed=5,
        initializations=("gaussian", "he_normal"),
        **plain,
    )
    files = [(one.path / "settings.toml").read_text() for one in (land, other)]
    assert files[0] == files[1]
    assert Landscape.open(tmp_path / "a").settings == other.settings
    assert type(land.system.net.activation) is type(land.system.settings.loss) is str

    options = {"max_seconds": np.float32(100), "job_timeout": np.int64(100)}
    land.explore(workers=np.int64(1), stages=np.array(["minima"]), lookahead=np.int64(8), **options)
    other.explore(stages=["minima"], lookahead=8)
    assert contents(land) == contents(other)
    assert land.settings == other.settings == Landscape.open(tmp_path / "a").settings
    land.draw(levels=np.int64(20))


def test_details_of_a_data_set_are_plain(tmp_path, ljat):
    details = {"a": np.float32(0.5), "b": np.arange(2), "c": Path("x"), "d": (np.bool_(True), [])}
    arrays = (ljat.X_train, ljat.y_train, ljat.X_test, ljat.y_test)
    data = nnp.Dataset(*arrays, seed=np.int64(3), details=details)
    Landscape.create(tmp_path / "a", NET, data)
    found = tomllib.loads((tmp_path / "a" / "settings.toml").read_text())["dataset"]
    assert found["seed"] == 3
    assert {k: found[k] for k in "abcd"} == {"a": 0.5, "b": [0, 1], "c": "x", "d": [True, []]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quenches": -1}, "quenches must be at least 0"),
        ({"quenches": np.float64(5)}, "quenches must be an integer"),
        ({"quenches": True}, "quenches must be an integer"),
        ({"until_coverage": True}, "until_coverage must be at least 0 and below 1, not True"),
        ({"until_coverage": float("nan")}, "until_coverage must be at least 0 and below 1"),
        ({"until_coverage": [0.5]}, "until_coverage must be at least 0 and below 1"),
        ({"initializations": 5}, "must be a list of names"),
        ({"initializations": [5]}, "unknown initialization 5"),
        ({"initializations": []}, "must be a list of names"),
        ({"lookahead": 1, "workers": 2}, "need a lookahead of at least as many"),
        ({"max_seconds": "5"}, "max_seconds must be at least 0, not '5'"),
        ({"max_seconds": float("nan")}, "max_seconds must be at least 0"),
        ({"job_timeout": "5"}, "must be above 0 seconds, not '5'"),
        ({"stages": "minima"}, "stages must be a list of minima, connections"),
        ({"stages": 5}, "stages must be a list of minima, connections"),
        ({"on_progress": 100}, "on_progress must be a function, not 100"),
        ({"quenchs": 5}, "unknown search setting 'quenchs'"),
    ],
)
def test_a_refused_setting_changes_nothing(tmp_path, ljat, options, message):
    land = Landscape.create(tmp_path / "a", NET, ljat, **TINY)
    before, settings = tree(land.path), land.settings
    with pytest.raises(InputError, match=message):
        land.explore(**{"soft_modes": 3, **options})
    assert tree(land.path) == before
    assert land.settings == settings
    assert land.explore(stages=["minima"])["n_minima"] > 0
    assert land.settings == settings


def test_settings_that_cannot_be_written_are_not_taken(tmp_path, ljat, monkeypatch):
    land = Landscape.create(tmp_path / "a", NET, ljat, **TINY)
    settings = land.settings
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(InputError, match="cannot be written: No space left"):
            land.explore(quenches=3)
    assert land.settings == settings == Landscape.open(land.path).settings


@pytest.mark.parametrize("value", [True, "1e-3", None, float("inf"), -1e-9, 1j, np.array([1.0])])
def test_what_is_no_regularization(ljat, tmp_path, value):
    with pytest.raises(InputError, match="regularization must be a number not below 0"):
        Landscape.create(tmp_path / "a", NET, ljat, regularization=value)
    assert not list(tmp_path.iterdir())


def test_search_settings_are_plain():
    search = SearchSettings(quenches=np.int8(3), until_coverage=np.float16(0.5), lookahead=True + 1)
    assert type(search.quenches) is int
    assert type(search.until_coverage) is float
