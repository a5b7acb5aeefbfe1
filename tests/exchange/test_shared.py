"""A landscape's directory as plain values, whatever its origin."""

import os
import pickle
import sqlite3
import zipfile

import numpy as np
import pytest
from landscapes import TINY, contents, copy_of, tree

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.exchange.shared import Shared


class Calls:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.makedirs, (str(self.path), 0o777, True)


@pytest.fixture
def evil(tmp_path, small):
    """A landscape whose database makes the folder `made` when it is unpickled."""
    path = copy_of(small, tmp_path)
    with sqlite3.connect(path / "landscape.sqlite") as connection:
        pickled = pickle.dumps({"verified": "ok", "more": Calls(tmp_path / "made")})
        connection.execute("UPDATE tbl_minima SET user_data = ? WHERE _id = 1", [pickled])
    connection.close()
    return path


def test_an_untrusted_landscape_opens_as_a_copy(small):
    before = tree(small.path)
    land = Landscape.open(small.path, untrusted=True)
    assert contents(land) == contents(small)
    assert land.summary() == small.summary()
    assert land.path != small.path
    place = land.path
    assert place.is_dir()
    land.close()
    del land
    assert not place.exists()
    assert tree(small.path) == before


def test_what_an_untrusted_copy_lacks_is_said(mapped, run):
    with sqlite3.connect(mapped.path / "landscape.sqlite") as connection:
        connection.execute("UPDATE tbl_minima SET energy = 'low' WHERE _id = 1")
    connection.close()
    code, _, err = run("summary", mapped.path, "--open-untrusted")
    assert code == 0
    assert f"{mapped.path}: " in err and "malformed points were left out" in err


def test_one_that_would_run_something_is_refused(tmp_path, evil, run):
    for attempt in (
        lambda: Landscape.open(evil, untrusted=True),
        lambda: nnp.import_untrusted(tmp_path / "a", evil),
        lambda: nnp.export_archive(evil, tmp_path / "a.zip"),
    ):
        with pytest.raises(InputError, match=r"minimum 1 holds a pickle .*asks for os\.makedirs"):
            attempt()
    for command in (
        ("summary", evil, "--open-untrusted"),
        ("measures", evil, "--open-untrusted"),
        ("export", evil, "--to", "csv", "--open-untrusted"),
        ("import", tmp_path / "a", "--from", "untrusted", evil),
    ):
        code, _, err = run(*command)
        assert (code, err.count("\n")) == (2, 1)
        assert "holds a pickle that is more than plain numbers and text" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy"]
    # as trust would have it; without this the test could not fail
    Landscape.open(evil).summary()
    assert (tmp_path / "made").exists()


def test_a_data_set_of_objects_is_refused(tmp_path, mapped):
    evil = np.array([Calls(tmp_path / "made")], dtype=object)
    np.savez(mapped.path / "dataset.npz", X_train=evil, y_train=evil, X_test=evil, y_test=evil)
    with pytest.raises(InputError, match=r"dataset\.npz"):
        Landscape.open(mapped.path, untrusted=True)
    assert not (tmp_path / "made").exists()


def test_a_data_set_that_would_fill_the_memory(mapped):
    with zipfile.ZipFile(mapped.path / "dataset.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("X_train.npy", bytes(2**29))
    with pytest.raises(InputError, match=r"dataset\.npz has \d+ bytes and would take 536870912"):
        Landscape.open(mapped.path, untrusted=True)


def test_a_link_to_another_file_is_not_followed(tmp_path, mapped):
    (tmp_path / "secret.json").write_text("{}")
    (mapped.path / "summary.json").unlink()
    (mapped.path / "summary.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(InputError, match=r"summary\.json is no plain file"):
        Shared.read(mapped.path)


@pytest.mark.parametrize("kind", ["cluster", "torch"])
def test_other_systems(tmp_path, kind, ljat):
    if kind == "torch":
        torch = pytest.importorskip("torch")
        module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 4))
        system = nnp.TorchSystem(module, "cross_entropy", ljat, regularization=1e-2)
    else:
        system = nnp.LennardJonesCluster(5)
    land = Landscape.create(tmp_path / "a", system, **TINY)
    land.explore(draw=False)
    nnp.export_archive(land.path, tmp_path / "a.zip")
    there = nnp.import_archive(tmp_path / "b", tmp_path / "a.zip").place
    assert contents(there) == contents(land)
    assert there.summary() == land.summary()
