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
from landscapes import FEW, NET, TINY, contents, tree

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.files import absolute


class AnyPath:
    """Neither a string nor of pathlib."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


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
def test_a_landscape_that_goes_away_during_a_search(tmp_path, ljat, alone, monkeypatch, what):
    monkeypatch.setattr("nnpotential.search.exploration._COMMIT_INTERVAL", 0.0)
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
