"""A landscape is worked on by one process at a time."""

import fcntl
import os
import platform
import signal
import subprocess
import sys
import threading

import pytest
from landscapes import copy_of

from nnpotential import InputError, Landscape
from nnpotential.lock import held


def test_a_second_process_is_refused(tmp_path, explored):
    path = copy_of(explored, tmp_path)
    first, second = Landscape.open(path), Landscape.open(path)

    def meanwhile(*_):
        with pytest.raises(InputError, match=f"being worked on by process {os.getpid()}"):
            second.explore()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.explore(meanwhile, quenches=20)
    second.explore(stages=["minima"])  # free again


def test_two_searches_at_once_are_refused(land, searching):
    begun, go = threading.Event(), threading.Event()

    def wait(*_):
        begun.set()
        go.wait()

    thread, failures = searching(on_progress=wait)
    begun.wait()
    try:
        with pytest.raises(
            InputError, match=rf"worked on by process {os.getpid()} on .* \(this one\)"
        ):
            land.explore()
    finally:
        go.set()
    thread.join()
    assert not failures


def test_a_lock_does_not_outlive_its_process(land):
    """Whoever it forked."""
    script = f"""
import os, time, nnpotential as nnp
land = nnp.Landscape.open({str(land.path)!r})
def fork(*_):
    child = os.fork()
    if child == 0:
        os.close(1)
        time.sleep(60)
    print(child, flush=True)
    os.kill(os.getpid(), 9)
land.explore(fork)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    process.communicate()
    try:
        land.explore(quenches=1, basin_hopping_runs=0, stages=["minima"])
    finally:
        os.kill(child, 9)


def test_it_is_held_once(tmp_path):
    """Also within a process, and free again however the block ends."""
    with held(tmp_path):
        said = (tmp_path / ".lock").read_text()
        assert said == f"{os.getpid()} on {platform.node()}\n"
        with (
            pytest.raises(InputError, match=f"by process {os.getpid()} on .* \\(this one\\)$"),
            held(tmp_path),
        ):
            pass
    with pytest.raises(KeyError), held(tmp_path):
        raise KeyError
    with held(tmp_path):
        pass


def test_the_holder_is_named(tmp_path):
    (tmp_path / ".lock").write_text("12345 on another.host, and more than that\n")
    with open(tmp_path / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (
            pytest.raises(InputError, match=r"by process 12345 on another\.host[^(]*$"),
            held(tmp_path),
        ):
            pass
    with held(tmp_path):  # what a dead process left is replaced
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()} on {platform.node()}\n"


def test_a_holder_that_has_not_said_who_it_is(tmp_path):
    with open(tmp_path / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="process that has just begun"), held(tmp_path):
            pass


def test_a_forked_process_does_not_hold_it(tmp_path):
    ready, begun = os.pipe()
    with held(tmp_path):
        child = os.fork()
        if child == 0:
            os.write(begun, b"x")
            signal.pause()
            os._exit(0)
        os.read(ready, 1)
    try:
        with held(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_place_that_cannot_be_written(tmp_path):
    message = "nowhere cannot be written: No such file"
    with pytest.raises(InputError, match=message), held(tmp_path / "nowhere"):
        pass
