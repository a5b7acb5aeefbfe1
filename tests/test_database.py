"""The database of a landscape: intact, its own, and what is wrong where it is neither."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from landscapes import contents, copy_of
from pele.storage import Database

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.database import database_fault, open_database
from nnpotential.sessions import close_sessions


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


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("SQLITE_BUSY", "is held by another program (so): wait until that is done, or close it"),
        ("SQLITE_LOCKED_SHAREDCACHE", "is held by another program (so): wait until"),
        ("SQLITE_PERM", "cannot be opened: so"),
        ("SQLITE_AUTH_USER", "cannot be opened: so"),
        ("SQLITE_READONLY_DIRECTORY", "cannot be written: so"),
        ("SQLITE_IOERR_FSYNC", "cannot be written: so"),
        ("SQLITE_IOERR_RDLOCK", "cannot be locked (so): its file system lacks the locks"),
        ("SQLITE_IOERR_CHECKRESERVEDLOCK", "cannot be locked (so): its file system lacks"),
        ("SQLITE_PROTOCOL", "cannot be locked (so): its file system lacks the locks"),
        ("SQLITE_NOTADB", "is no intact database: so"),
        ("SQLITE_CORRUPT_INDEX", "is no intact database: so"),
        (None, "is no intact database: so"),  # as SQLAlchemy's own errors
    ],
)
def test_each_fault_of_a_database_is_named(code, what):
    error = sqlite3.OperationalError("so")
    if code is not None:
        error.sqlite_errorcode = getattr(sqlite3, code)
    assert database_fault(error).startswith(what)


def test_it_is_opened_as_it_is_and_for_many_threads(tmp_path):
    system, path = nnp.EggBox(), tmp_path / "a.sqlite"
    made = system.create_database(str(path))
    made.addMinimum(0.5, np.zeros(3))
    made.session.close()
    before = path.read_bytes()
    database = open_database(path, system, lambda: None)
    assert database.accuracy == system.scales.energy_window
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(database.number_of_minima).result() == 1
    close_sessions(database)
    assert path.read_bytes() == before


def test_one_of_another_system_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    nnp.EggBox().create_database(str(path)).session.close()
    with pytest.raises(InputError, match=r"a\.sqlite was made with other settings: .* there, .* h"):
        open_database(path, nnp.EggBox(depths=(1.0, 1.5, 3.0)), lambda: None)


def test_the_place_is_looked_at_before_each_transaction(tmp_path):
    path, looked = tmp_path / "a.sqlite", []
    system = nnp.EggBox()
    system.create_database(str(path)).session.close()
    database = open_database(path, system, lambda: looked.append(1))
    n = len(looked)
    for _ in range(2):
        database.number_of_minima()
        database.session.rollback()
    assert len(looked) >= n + 1

    def gone():
        raise InputError("gone")

    close_sessions(database)
    with pytest.raises(InputError, match="gone"):
        open_database(path, system, gone).number_of_minima()
