"""The database of a landscape: intact, its own, and what is wrong where it is neither."""

import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
from landscapes import contents, copy_of
from pele.storage import Database

import nnpotential as nnp
from nnpotential import InputError, Landscape


def test_truncated_database(tmp_path, explored):
    path = copy_of(explored, tmp_path)
    database = path / "landscape.sqlite"
    whole = database.read_bytes()
    database.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="no intact database"):
        Landscape.open(path)
    assert len(database.read_bytes()) == len(whole) // 2
    database.write_bytes(b"not a database at all, but long enough to look at" * 100)
    with pytest.raises(InputError, match="no intact database"):
        Landscape.open(path)
    database.unlink()
    with pytest.raises(InputError, match="there is no database"):
        Landscape.open(path)
    sqlite3.connect(database).execute("CREATE TABLE other (x)").connection.close()
    with pytest.raises(InputError, match="no pele database"):
        Landscape.open(path)


def test_database_of_other_data(tmp_path, explored, net, iris):
    path = copy_of(explored, tmp_path)
    other = Landscape.create(tmp_path / "iris", nnp.MLP([4, 5, 3]), iris)
    shutil.copy(other.path / "landscape.sqlite", path)
    with pytest.raises(InputError, match="made with other settings: layer_sizes is '4-5-3'"):
        Landscape.open(path)
    shutil.copy(other.path / "dataset.npz", path)
    with pytest.raises(InputError, match=r"not the data set that settings\.toml describes"):
        Landscape.open(path)


def test_a_hot_journal_is_rolled_back(tmp_path, explored):
    """Killed in the middle of a write, a database must open again, as it was before."""
    path = copy_of(explored, tmp_path)
    script = (
        "import os, signal, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1])\n"
        "c.execute('PRAGMA cache_size = 2')\n"
        "c.execute('BEGIN')\n"
        "c.execute('UPDATE tbl_minima SET energy = 9')\n"
        "for i in range(300):\n"
        "    c.execute('INSERT INTO tbl_minima (energy, coords) VALUES (1, ?)', (bytes(3000),))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(path / "landscape.sqlite")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (path / "landscape.sqlite-journal").exists()
    land = Landscape.open(path)
    assert contents(land) == contents(explored)


def test_plain_pele_reads_the_database(explored):
    database = Database(str(explored.path / "landscape.sqlite"), createdb=False)
    assert database.number_of_minima() == explored.database.number_of_minima()
