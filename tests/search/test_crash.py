"""Kills, full disks and places that cannot be written: nothing is lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from landscapes import FEW, contents, xor_landscape

import nnpotential as nnp
from nnpotential import Landscape

NET = nnp.MLP([3, 5, 4])
SCRIPT = """
import resource, sys
import nnpotential as nnp
if __name__ == "__main__":
    path, workers, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    land = nnp.Landscape.open(path)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    print("begun", flush=True)
    land.explore(lambda *_: print(*_, flush=True), workers=workers)
"""


@pytest.fixture
def begun(tmp_path, ljat):
    """A landscape not explored yet, and a function that explores it in a process of its own."""
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    land.close()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def start(workers=1, limit=0):
        command = [sys.executable, script, land.path, str(workers), str(limit)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return land.path, start


@pytest.mark.parametrize("workers", [1, 2])
def test_kills_lose_nothing(begun, alone, workers):
    path, start = begun
    expected = contents(alone)
    points = {m[0]: m[1:3] for m in expected[0]}
    for lines in (3, 10, 30):
        process = start(workers)
        for _ in range(lines):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        land = Landscape.open(path)
        found = {m[0]: m[1:3] for m in contents(land)[0]}
        assert all(points[i] == point for i, point in found.items())
        land.close()
    assert len(found) > 0
    land = Landscape.open(path)
    land.explore()
    assert contents(land) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_kills_while_barriers_are_lowered_or_audited_lose_nothing(tmp_path, whole, workers):
    land = xor_landscape(tmp_path / "a")
    land.close()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    for stage, number in (("barriers", 3), ("barriers", 2), ("audit", 2)):
        command = [sys.executable, script, land.path, str(workers), "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(number):
            while not (line := process.stdout.readline()).startswith(stage):
                assert line
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    again = Landscape.open(land.path)
    again.explore(draw=False)
    assert contents(again) == contents(whole)


def test_workers_do_not_outlive_a_killed_search(begun):
    _, start = begun
    process = start(2)
    for _ in range(20):
        process.stdout.readline()
    group = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(group) as file:
        children = file.read().split()
    assert children
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    give_up = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in children):
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_a_full_disk_is_one_error_and_the_database_stays_whole(begun, alone):
    path, start = begun
    size = (path / "landscape.sqlite").stat().st_size
    process = start(limit=size + 40_000)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "InputError" in errors.splitlines()[-1]
    assert "cannot be written" in errors.splitlines()[-1]
    connection = sqlite3.connect(path / "landscape.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()
    land = Landscape.open(path)
    land.explore()
    assert contents(land) == contents(alone)
