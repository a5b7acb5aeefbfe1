"""A landscape is worked on by one process at a time."""

import os
import subprocess
import sys
import threading

import pytest
from landscapes import copy_of

from nnpotential import InputError, Landscape


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
