"""Workers: the same landscape whoever does the work, and whatever happens to them."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from faulty import FaultySystem
from landscapes import FEW, contents

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.explore import Exploration, SearchSettings
from nnpotential.jobs import JOBS
from nnpotential.workers import Crew, JobFailed

NET = nnp.MLP([3, 5, 4])


@pytest.mark.parametrize("workers", [2, 4])
def test_same_landscape_for_any_number_of_workers(tmp_path, ljat, alone, workers):
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    land.explore(workers=workers)
    assert contents(land) == contents(alone)
    assert {outcome for *_, outcome in land.verify(workers=workers)} == {"ok"}


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_same_landscape_on_any_executor(tmp_path, ljat, alone, kind):
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    if kind == "threads":
        executor = ThreadPoolExecutor(3)
    else:
        executor = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    with executor:
        land.explore(executor=executor)
        assert executor.submit(int, 1).result() == 1  # still in order
    assert contents(land) == contents(alone)


def test_begun_by_one_and_continued_by_two(tmp_path, ljat, alone):
    path = tmp_path / "a"
    land = Landscape.create(path, NET, ljat, regularization=1e-3, seed=5, **FEW)
    for _ in range(3):
        land.explore(max_seconds=0.3)
    assert land.summary()["jobs_pending"] > 0
    land.explore(workers=2)
    assert land.summary()["jobs_pending"] == 0
    assert contents(land) == contents(alone)


def faulty(tmp_path, data, how, times):
    system = FaultySystem(NET, data, regularization=1e-3)
    system.how, system.times, system.directory = how, times, tmp_path
    return system


def explored(system, crew):
    database = system.create_database()
    search = SearchSettings(quenches=8, basin_hopping_runs=0, initializations=["gaussian"])
    exploration = Exploration(system, database, search, seed=0)
    exploration.run(crew, stages=("minima",))
    return [(m.energy, m.coords.tobytes()) for m in database.minima()], exploration.journal


@pytest.mark.parametrize(
    ("how", "crew"),
    [
        ("raise", {}),
        ("raise", {"workers": 2}),
        ("die", {"workers": 2}),
        ("hang", {"workers": 2, "timeout": 4.0}),
    ],
)
def test_what_fails_is_repeated_and_then_set_aside(tmp_path, ljat, caplog, how, crew):
    well, journal = explored(nnp.NNSystem(NET, ljat, regularization=1e-3), None)
    assert not journal.set_aside()
    assert journal.tally["failed_quenches"] == 0
    once = faulty(tmp_path, ljat, how, times=1)
    minima, journal = explored(once, Crew(once, **crew))
    assert minima == well
    assert not journal.set_aside()
    assert "failed (1 of 3)" in caplog.text
    assert "failed (2 of 3)" not in caplog.text

    caplog.clear()
    (tmp_path / "again").mkdir()
    always = faulty(tmp_path / "again", ljat, how, times=10**6)
    minima, journal = explored(always, Crew(always, **crew))
    given_up = journal.set_aside()
    assert 0 < len(given_up) < 8
    assert 0 < len(minima) < len(well)
    assert set(minima) < set(well)
    assert journal.tally["failed_quenches"] == len(given_up)
    assert caplog.text.count("failed (3 of 3)") == len(given_up)
    reason = {"raise": "out of order", "die": "process died", "hang": "no result after 4 s"}[how]
    assert all(reason in why for _, why in given_up)
    assert not journal.pending()


def test_a_failing_check_is_reported(tmp_path, ljat, monkeypatch, caplog):
    def broken(*_):
        raise FloatingPointError("no check today")

    monkeypatch.setitem(JOBS, "check_minimum", broken)
    few = {"quenches": 4, "basin_hopping_runs": 0}
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, **few)
    figures = land.explore(connection_attempts=1, untrap_attempts=0)
    assert figures["n_minima"] == 0
    assert 0 < figures["verified"]["not checked"] <= len(figures["jobs_set_aside"])
    assert "no check today" in figures["jobs_set_aside"][0]
    assert not land.graph()
    monkeypatch.undo()
    # found again, they are checked again
    assert land.explore(quenches=40, stages=["minima"])["n_minima"] > 0


def test_a_broken_executor_is_one_clear_error(tmp_path, ljat, alone):
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    calls = 0

    def kill(*_):
        nonlocal calls
        calls += 1
        if calls == 5:
            for process in list(executor._processes.values()):
                process.kill()

    with pytest.raises(InputError, match="executor no longer works"):
        land.explore(kill, executor=executor)
    executor.shutdown()
    assert land.database.number_of_minima() > 0
    land.explore()
    assert contents(land) == contents(alone)


def test_bad_input(ljat, tmp_path):
    system = nnp.NNSystem(NET, ljat)
    for options, message in (
        ({"workers": 0}, "workers must be at least 1"),
        ({"workers": 1.5}, "workers must be an integer"),
        ({"executor": 3}, "executor must be a concurrent.futures.Executor, not int"),
        ({"timeout": 0}, "must be above 0 seconds"),
    ):
        with pytest.raises(InputError, match=message):
            Crew(system, **options)


def test_bad_input_to_explore(ljat, tmp_path):
    land = Landscape.create(tmp_path / "a", NET, ljat, quenches=2, basin_hopping_runs=0)
    for options, message in (
        ({"workers": 20}, "20 workers need a lookahead of at least as many, not 16"),
        ({"stages": ["minimum"]}, "unknown stage 'minimum': did you mean 'minima'"),
        ({"lookahead": 0}, "lookahead must be at least 1"),
        ({"until_coverage": 1.0}, "until_coverage must be at least 0 and below 1"),
        ({"until_coverage": "all"}, "until_coverage must be at least 0 and below 1"),
        ({"initializations": ["he"]}, "unknown initialization 'he'"),
        ({"initializations": "he_normal"}, "must be a list of names"),
        ({"soft_modes": -1}, "soft_modes must be at least 0"),
    ):
        with pytest.raises(InputError, match=message):
            land.explore(**options)
    assert land.summary()["n_minima"] == 0


def test_until_coverage(ljat, tmp_path):
    land = Landscape.create(
        tmp_path / "a", NET, ljat, regularization=1e-2, quenches=3, basin_hopping_runs=0
    )
    figures = land.explore(until_coverage=0.8, stages=["minima"])
    n = figures["coverage"]["n_quenches"]
    assert n > 3
    assert figures["coverage"]["good_turing"] >= 0.8
    hits = [m.user_data for m in land.database.minima()]
    sources = {name for hit in hits for name in hit if name != "verified"}
    assert sources == {"glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "gaussian"}
    assert sum(v for hit in hits for k, v in hit.items() if k != "verified") == n
    # no more was done than was already under way when it was reached
    again = land.explore(stages=["minima"])
    assert again["coverage"]["n_quenches"] == n


def test_the_system_travels_once(ljat):
    sent = []

    class Counting(ThreadPoolExecutor):
        def submit(self, function, *args):
            sent.append(args[1] is not None)
            return super().submit(function, *args)

    system = nnp.NNSystem(NET, ljat, regularization=1e-2)
    x = np.zeros(NET.n_parameters)
    with Counting(1) as executor, Crew(system, executor=executor) as crew:
        for i in range(10):
            crew.submit(i, "check_minimum", (0.0, x))
            assert crew.result(i)[0][0] == "loss differs"
    assert sum(sent) == 1


def test_results_do_not_depend_on_the_order_of_asking(ljat):
    system = nnp.NNSystem(NET, ljat, regularization=1e-3)
    results = []
    for order in ((0, 1), (1, 0)):
        with Crew(system, 2) as crew:
            for i in (0, 1):
                crew.submit(i, "quench", (0, i, "he_normal"))
            found = {i: crew.result(i)[0] for i in order}
        results.append([found[i][0][0][1].tobytes() for i in (0, 1)])
    assert results[0] == results[1]


def test_unknown_jobs_fail(ljat, caplog):
    system = nnp.NNSystem(NET, ljat)
    with Crew(system) as crew, pytest.raises(JobFailed, match="KeyError"):
        crew.submit(0, "nonsense", ())
        crew.result(0)
