"""A search in one thread, and readers in others."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
from landscapes import NET, contents
from pele.storage import Minimum, TransitionState

from nnpotential import Landscape
from nnpotential.sessions import snapshot


def test_reading_while_another_thread_searches(land, alone, searching):
    land.database.minima()
    thread, failures = searching()
    seen = []
    while thread.is_alive():
        figures = land.summary()
        seen.append(figures["n_minima"])
        # of one moment: all that is stored is counted, and every end of an edge is a node
        assert all(m.coords.size == NET.n_parameters for m in land.graph())
        assert sum(figures["verified"].values()) >= figures["n_minima"]
        for ts in land.database.transition_states():
            assert ts.energy >= ts.minimum1.energy
        time.sleep(0.01)
    assert not failures
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert contents(land) == contents(alone)
    assert land.summary() == json.loads((land.path / "summary.json").read_text())


def test_the_database_opened_in_a_thread_that_ended(land, alone):
    with ThreadPoolExecutor(1) as executor:
        copy = executor.submit(Landscape.open, land.path).result()
    copy.explore()
    assert contents(copy) == contents(alone)
    with ThreadPoolExecutor(1) as executor:
        minima = executor.submit(copy.database.minima).result()
    assert [m.coords.size for m in minima] == [NET.n_parameters] * len(minima)
    with ThreadPoolExecutor(1) as executor:
        executor.submit(copy.close).result()


def test_what_was_read_before_is_read_anew(land):
    database = land.database
    land.explore(quenches=2, basin_hopping_runs=0, stages=["minima"])
    held = database.minima()[0]
    assert held.user_data["verified"] == "ok"

    def change():
        database.minima()[0].user_data = {"verified": "changed"}
        database.session.commit()

    thread = threading.Thread(target=change)
    thread.start()
    thread.join()
    assert database.minima()[0] is held
    assert held.user_data == {"verified": "changed"}


def test_what_another_process_commits_is_seen(land):
    assert land.summary()["n_minima"] == 0
    command = [sys.executable, "-m", "nnpotential", "explore", "ljat", "-o", str(land.path)]
    subprocess.run([*command, "--quenches", "3"], check=True, capture_output=True)
    assert land.summary()["n_minima"] > 0


def test_own_changes_outlive_the_commits_of_others(land):
    land.explore(quenches=2, basin_hopping_runs=0, stages=["minima"])
    mine, other = land.database.minima()[:2]
    number = other.id()

    def change():
        land.database.session.get(Minimum, number).invalid = 1
        land.database.session.commit()

    session = land.database.session
    with session.no_autoflush:
        mine.pgorder = 7
        thread = threading.Thread(target=change)
        thread.start()
        thread.join()
        land.database.minima()
        assert mine.pgorder == 7
    session.commit()
    assert (mine.pgorder, other.invalid) == (7, 1)


def test_a_snapshot_is_of_one_moment(land):
    land.explore(quenches=2, basin_hopping_runs=0, stages=["minima"])
    database = land.database
    done = threading.Event()

    def add():
        database.session.add(Minimum(1.0, database.minima()[0].coords))
        database.session.commit()
        done.set()

    n = database.number_of_minima()
    thread = threading.Thread(target=add)
    with snapshot(database):
        assert database.number_of_minima() == n
        thread.start()
        assert not done.wait(0.3)  # it waits for the end
        assert database.number_of_minima() == n
        assert database.session.query(TransitionState).count() == 0
    thread.join()
    assert database.number_of_minima() == n + 1


def test_a_large_merge_does_not_shut_readers_out(land):
    """SQLite's cache holds 2 MB; then it would write, under a lock, before the commit."""
    session = land.database.session
    for energy in range(8):
        session.add(Minimum(float(energy), np.zeros(10**5)))
        session.flush()
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(land.database.number_of_minima).result(timeout=5) == 0
    session.commit()
    assert land.database.number_of_minima() == 8


def test_an_exception_of_on_progress_ends_a_search_in_a_thread(land, alone, searching):
    def stop(*_):
        if land.database.number_of_minima() > 2:
            raise KeyboardInterrupt

    thread, failures = searching(on_progress=stop)
    thread.join()
    assert [type(error) for error in failures] == [KeyboardInterrupt]
    assert land.database.number_of_minima() > 2
    assert land.summary()["jobs_pending"] > 0
    land.explore()
    assert contents(land) == contents(alone)


def test_a_search_with_workers_in_a_thread(land, alone, searching):
    thread, failures = searching(workers=2)
    while thread.is_alive():
        land.summary()
        time.sleep(0.05)
    assert not failures
    assert contents(land) == contents(alone)


def test_forked_workers_do_not_hold_the_landscape(land, alone):
    """Neither its lock nor its connections."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as executor:
        land.explore(executor=executor, stages=["minima"])
        assert land.database.number_of_minima() > 0
        land.explore()
    assert contents(land) == contents(alone)


def test_a_forked_process_reads_on_connections_of_its_own(land):
    land.explore(quenches=2, basin_hopping_runs=0, stages=["minima"])
    n = land.database.number_of_minima()
    held = land.database.session.connection()
    child = os.fork()
    if child == 0:
        mine = land.database.session.connection()
        good = mine is not held and land.database.number_of_minima() == n
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert land.database.number_of_minima() == n


def test_closing_in_a_thread_that_never_read_opens_nothing(land):
    def opened():
        files = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
        return sum(os.path.realpath(file) == str(land.path / "landscape.sqlite") for file in files)

    assert land.database.number_of_minima() == 0 and opened()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(land.close).result()
    assert not opened()
