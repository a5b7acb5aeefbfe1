"""Workers: the same landscape whoever does the work, and whatever happens to them."""

import builtins
import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, get_context
from pathlib import Path

import numpy as np
import pytest
from faulty import FaultySystem
from landscapes import FEW, contents
from pebble import ProcessPool

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.search.exploration import Exploration
from nnpotential.search.kinds import Quench
from nnpotential.search.settings import SearchSettings
from nnpotential.search.workers import Crew, JobFailed
from nnpotential.verification.kinds import CHECKS, CheckMinimum

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
        land.explore(max_seconds=0.02)
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
    exploration = Exploration(system, database, search, 0, CHECKS)
    exploration.run(crew, stages=("minima",))
    return [(m.energy, m.coords.tobytes()) for m in database.minima()], exploration.known.journal


@pytest.mark.parametrize(
    ("how", "crew"),
    [
        ("raise", {}),
        ("raise", {"workers": 2}),
        ("die", {"workers": 2}),
        pytest.param("hang", {"workers": 2, "timeout": 4.0}, marks=pytest.mark.undisturbed),
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

    monkeypatch.setattr(CheckMinimum, "run", broken)
    few = {"quenches": 4, "basin_hopping_runs": 0, "soft_modes": 0}
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


def test_an_executor_that_was_shut_down(tmp_path, ljat, alone):
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    executor = ThreadPoolExecutor(1)

    def shut_down(*_):
        if land.database.number_of_minima() > 2:
            executor.shutdown(wait=False)

    with pytest.raises(InputError, match="RuntimeError: cannot schedule new futures after shut"):
        land.explore(shut_down, executor=executor)
    assert land.database.number_of_minima() > 2
    with pytest.raises(InputError, match="take a new one; what was merged is kept"):
        land.explore(executor=executor)
    assert not land.summary()["jobs_set_aside"]
    land.explore()
    assert contents(land) == contents(alone)


def test_an_executor_without_workers(ljat):
    class Nobody(Executor):
        def submit(self, *_):
            return Future()

    system = nnp.NNSystem(NET, ljat)
    with Crew(system, executor=Nobody(), timeout=0.1) as crew:
        crew.submit(0, Quench(), (0, 0, "gaussian"))
        crew.submit(1, Quench(), (0, 1, "gaussian"))
        with pytest.raises(
            InputError, match=r"no worker .* answered within 3 times 0\.1 s: see that"
        ):
            crew.result(0)


def test_an_executor_whose_workers_lack_the_package(ljat):
    class Elsewhere(Executor):
        def submit(self, *_):
            future = Future()
            error = ModuleNotFoundError("No module named 'nnpotential'", name="nnpotential")
            future.set_exception(error)
            return future

    with Crew(nnp.NNSystem(NET, ljat), executor=Elsewhere()) as crew:
        crew.submit(0, Quench(), (0, 0, "gaussian"))
        with pytest.raises(InputError, match=r"cannot import nnpotential .* install it where the"):
            crew.result(0)


def test_two_systems_on_one_executor(ljat, caplog):
    """Threads share the place where a worker keeps its system."""
    systems = [nnp.NNSystem(NET, ljat, regularization=r) for r in (1e-2, 1e-3)]
    x = np.zeros(NET.n_parameters)
    x[0] = 1.0  # where the two differ
    energy = systems[0].potential.getEnergy(x)
    with ThreadPoolExecutor(4) as executor:
        crews = [Crew(system, executor=executor) for system in systems]
        for i in range(50):
            for crew in crews:
                crew.submit(i, CheckMinimum(), (energy, x))
        for i in range(50):
            found = [crew.result(i)[0][0] for crew in crews]
            assert found == ["not converged", "loss differs"]
    assert "failed" not in caplog.text


# Workers that cannot start. Only a script can show it: its own main module is what they import.

SCRIPT = """
import os, signal, sys
import nnpotential as nnp
from nnpotential import InputError, Landscape
{top}
def main():
    path = sys.argv[1]
    try:
        land = Landscape.open(path)
        print(land.explore(workers=2, stages=["minima"])["n_minima"], "minima")
    except InputError as error:
        print("error:", error)
{call}
"""
GUARDED = 'if __name__ == "__main__":\n    main()'
KILL = """
if __name__ == "__mp_main__":
    with open(sys.argv[1] + ".count", "a") as file:
        file.write("x")
        file.flush()
        if file.tell() <= {times}:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def run_script(path, top="", call=GUARDED, **options):
    script = path.with_suffix(".py")
    script.write_text(SCRIPT.format(top=top, call=call))
    done = subprocess.run(
        [sys.executable, script, path], capture_output=True, text=True, timeout=120, **options
    )
    return done.stdout.splitlines()[-1]


@pytest.fixture
def path(tmp_path, ljat):
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    land.close()
    return land.path


@pytest.mark.parametrize(
    "call", ["main(); sys.exit(3)", "main(); sys.exit(0)", "main(); os._exit(0)"]
)
def test_a_script_without_the_guard(path, call):
    line = run_script(path, call=call if "_exit" not in call else f"{GUARDED}\nelse: os._exit(0)")
    assert line.startswith("error: a worker process ended while it started (exit code ")
    assert "must stand below 'if __name__ == \"__main__\":'" in line


def test_workers_killed_while_they_start(path):
    n = run_script(path, KILL.format(times=2))
    assert n.endswith(" minima") and not n.startswith("0")
    line = run_script(path, KILL.format(times=10**6))
    assert line.startswith("error: worker processes die while they start (killed by SIGKILL")
    assert "take fewer workers; what was merged is kept, the same call continues" in line
    assert Path(f"{path}.count").stat().st_size < 20


def test_workers_that_never_start(path):
    top = "import nnpotential.search.workers as w; w.START_TIMEOUT = 3.0\nimport time\n"
    top += 'if __name__ == "__mp_main__": time.sleep(1000)'
    line = run_script(path, top)
    assert line.startswith("error: a worker process has not started within 3 s")


def test_workers_that_cannot_import_the_script(path):
    top = 'if __name__ == "__mp_main__": import nowhere'
    line = run_script(path, top)
    assert "a worker process ended while it started (exit code 1, its own message" in line


@pytest.mark.parametrize(
    ("arguments", "ready"),
    [
        (["explore", "nowhere.csv"], "False"),
        (["explore", "nowhere.csv", "--workers", "1"], "False"),
        (["explore", "nowhere.csv", "--workers", "2"], "True"),
        (["explore", "--workers=2", "nowhere.csv"], "True"),
        # what these need depends on the landscape
        (["verify", "nowhere", "--workers", "2"], "False"),
    ],
)
def test_workers_start_with_what_jobs_need(arguments, ready):
    """It is the server that forks them which has imported it: they do nothing but look."""
    script = f"""
import sys
from nnpotential.__main__ import main
from nnpotential.interrupts import worker_context
if __name__ == "__main__":
    sys.argv[1:] = {arguments}
    try:
        main()
    except SystemExit:
        pass
    needed = {{"nnpotential.search.kinds", "nnpotential.verification.kinds"}}
    with worker_context().Pool(1) as pool:
        print(pool.apply(eval, (f"{{needed}} <= set(__import__('sys').modules)",)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == [ready], done.stderr


def test_a_pool_that_dies_is_replaced(tmp_path, ljat, alone, caplog):
    """All processes at once, also the one that forks them."""
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    calls = 0

    def kill(*_):
        nonlocal calls
        calls += 1
        if calls in (3, 12):
            pids = [child.pid for child in multiprocessing.active_children()]
            for pid in [*pids, forkserver._forkserver._forkserver_pid][:: 1 if calls == 3 else -1]:
                os.kill(pid, signal.SIGKILL)

    land.explore(kill, workers=2)
    assert calls > 12
    assert contents(land) == contents(alone)


def test_a_pool_that_dies_again_and_again(tmp_path, ljat, alone, monkeypatch, caplog):
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    true_schedule = ProcessPool.schedule

    def schedule(pool, *args, **kwargs):
        future = true_schedule(pool, *args, **kwargs)
        if land.database.number_of_minima() > 2:
            future.cancel()
            future = Future()
            future.set_exception(BrokenProcessPool("All workers expired"))
        return future

    with monkeypatch.context() as patch:
        patch.setattr(ProcessPool, "schedule", schedule)
        with pytest.raises(InputError, match=r"died 4 times \(All workers expired\).*take fewer"):
            land.explore(workers=2)
    assert caplog.text.count("a new one starts") == 3
    assert land.database.number_of_minima() > 2
    assert not land.summary()["jobs_set_aside"]
    land.explore(workers=2)
    assert contents(land) == contents(alone)


def test_workers_that_die_in_every_job(tmp_path, ljat):
    """For want of memory, for instance: it is not for the jobs to be given up one by one."""
    system = faulty(tmp_path, ljat, "die", times=10**6)
    system.bound = -np.inf
    with pytest.raises(InputError, match="died in 3 jobs in a row: make sure of memory for 2"):
        explored(system, Crew(system, 2))


@pytest.mark.undisturbed
def test_a_manager_that_ends_and_a_pool_that_is_stuck(ljat, monkeypatch, caplog):
    system = nnp.NNSystem(NET, ljat, regularization=1e-2)
    monkeypatch.setattr("nnpotential.search.workers._GRACE", 1.0)
    true_schedule, lost = ProcessPool.schedule, []

    def lose(pool, *args, **kwargs):
        if len(lost) == 2:
            return true_schedule(pool, *args, **kwargs)
        if lost:
            pool.stop()
        lost.append(Future())
        return lost[-1]

    monkeypatch.setattr(ProcessPool, "schedule", lose)
    with Crew(system, 2, timeout=1.0) as crew:
        crew.submit(0, CheckMinimum(), (0.0, np.zeros(NET.n_parameters)))
        assert crew.result(0)[0][0] == "loss differs"
    assert "no job ended within 2 s" in caplog.text
    assert "its manager ended" in caplog.text


class NotPlain(nnp.NNSystem):
    """Can be sent, but not read: not under this name."""

    def __reduce__(self):
        return _from_nowhere, ()


def _from_nowhere():
    raise ValueError("no such thing here")


@pytest.mark.parametrize("how", ["workers", "executor"])
def test_systems_that_cannot_travel(ljat, how):
    system = nnp.NNSystem(NET, ljat)
    system.extra = lambda: None
    with ThreadPoolExecutor(1) as executor:
        crew = {"workers": 2} if how == "workers" else {"executor": executor}
        with pytest.raises(InputError, match=r"cannot be sent to a worker .*lambda.*in a module"):
            Crew(system, **crew)
        system = NotPlain(NET, ljat)
        with (
            pytest.raises(InputError, match=r"cannot be sent to a worker .*define what it is made"),
            Crew(system, **crew) as crew,
        ):
            crew.submit(0, Quench(), (0, 0, "gaussian"))
            crew.result(0)


@pytest.mark.parametrize("crew", [{}, {"workers": 2}])
@pytest.mark.parametrize("error", ["AttributeError", "TypeError", "NotImplementedError"])
def test_mistakes_in_a_program_are_raised_at_once(tmp_path, ljat, caplog, crew, error):
    system = faulty(tmp_path, ljat, error, times=10**6)
    database = system.create_database()
    search = SearchSettings(quenches=8, basin_hopping_runs=0, initializations=["gaussian"])
    exploration = Exploration(system, database, search, 0, CHECKS)
    with pytest.raises(getattr(builtins, error), match="a mistake"):
        exploration.run(Crew(system, **crew), stages=("minima",))
    assert "failed" not in caplog.text
    assert not exploration.known.journal.set_aside()
    assert exploration.known.journal.pending()


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
            crew.submit(i, CheckMinimum(), (0.0, x))
            assert crew.result(i)[0][0] == "loss differs"
    assert sum(sent) == 1


def test_results_do_not_depend_on_the_order_of_asking(ljat):
    system = nnp.NNSystem(NET, ljat, regularization=1e-3)
    results = []
    for order in ((0, 1), (1, 0)):
        with Crew(system, 2) as crew:
            for i in (0, 1):
                crew.submit(i, Quench(), (0, i, "he_normal"))
            found = {i: crew.result(i)[0] for i in order}
        results.append([found[i].found[0].coords.tobytes() for i in (0, 1)])
    assert results[0] == results[1]


def test_a_job_that_always_raises_fails(ljat, monkeypatch):
    system = nnp.NNSystem(NET, ljat)
    monkeypatch.setattr(Quench, "run", lambda *_: {}["missing"])
    with Crew(system) as crew, pytest.raises(JobFailed, match="KeyError"):
        crew.submit(0, Quench(), ())
        crew.result(0)
