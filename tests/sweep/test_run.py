"""Sweeps that are interrupted, that fail in part, that grow; the same landscapes in any case."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import tomli_w
from pebble import ProcessExpired
from small_sweep import DEFINITION, NAMES, SEARCH, command, ended, found
from troubled import Troubled

import nnpotential as nnp
from nnpotential.sweep import run, work


def rows(sweep):
    with open(sweep.path / "summaries.csv", newline="") as file:
        return {row["point"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    """A sweep that two processes have finished."""
    sweep = nnp.Sweep(tmp_path_factory.mktemp("done") / "s", DEFINITION)
    assert sweep.run(workers=2) == {"finished": 4, "failed": 0, "left": 0}
    return sweep


def test_two_processes_give_what_one_by_one_gives(done, serial):
    assert found(done) == serial
    table = rows(done)
    assert list(table) == NAMES
    for name, row in table.items():
        figures = json.loads((done.path / name / "summary.json").read_text())
        assert row["state"] == "finished"
        assert int(row["n_minima"]) == figures["n_minima"] == len(serial[name][0])
        assert float(row["barriers.0.5"]) == figures["barriers"]["0.5"]
        assert row["network.hidden"] == name[7] and row["seed"] == name[-1]
        assert int(row["n_parameters"]) == {"2": 12, "3": 17}[name[7]]
        assert (done.path / name / "disconnectivity.png").stat().st_size > 1000


def test_any_executor_gives_the_same_and_needs_no_shared_disk(tmp_path, serial, monkeypatch):
    monkeypatch.setattr(run, "SLICE", 0.02)  # sent back again and again
    seen = []

    class Far(ThreadPoolExecutor):
        def submit(self, function, task):
            seen.append(task)
            assert task.place is None and function is work.run_point
            return super().submit(function, task)

    sweep = nnp.Sweep(tmp_path / "s", DEFINITION)
    with Far(1) as executor:
        assert sweep.run(executor=executor)["finished"] == 4
    assert found(sweep) == serial
    assert len(seen) > 6 and sum(task.archive is not None for task in seen) == len(seen) - 4


def test_jobs_of_each_landscape_may_be_spread(tmp_path, serial):
    sweep = nnp.Sweep(tmp_path / "s", {**DEFINITION, "seed": [0]})
    assert sweep.run(workers=2, spread=True)["finished"] == 2
    assert found(sweep, NAMES[::2]) == {name: serial[name] for name in NAMES[::2]}


def test_nothing_finished_is_repeated_or_touched(done):
    before = {file: file.stat().st_mtime_ns for file in done.path.glob("*/*")}
    again = nnp.Sweep(done.path)  # as its directory says

    class Idle(ThreadPoolExecutor):
        def submit(self, *args):
            raise AssertionError("nothing is left to do")

    with Idle() as executor:
        assert again.run(executor=executor) == {"finished": 4, "failed": 0, "left": 0}
    assert {file: file.stat().st_mtime_ns for file in done.path.glob("*/*")} == before


def copy_of(sweep, place, definition):
    shutil.copytree(sweep.path, place)
    return nnp.Sweep(place, definition)


def test_changed_settings_make_new_points(tmp_path, done, serial):
    changed = {**DEFINITION, "seed": 0, "potential": {"regularization": [0.01, 0.02]}}
    sweep = copy_of(done, tmp_path / "s", changed)
    assert sweep.run(workers=1)["finished"] == 4
    assert found(sweep) == serial
    new = [name for name in rows(sweep) if name not in NAMES]
    assert new == ["hidden-2_regularization-0.02", "hidden-3_regularization-0.02"]
    # another value of what does not vary: the names are taken
    sweep = copy_of(done, tmp_path / "t", {**DEFINITION, "potential": {"regularization": 0.05}})
    sweep.run(workers=1)
    assert found(sweep) == serial
    new = [name for name in rows(sweep) if name not in NAMES]
    assert [name.rpartition("_")[0] for name in new] == NAMES
    assert {rows(sweep)[name]["potential.regularization"] for name in new} == {"0.05"}


def test_extend_raises_the_effort_of_finished_points(tmp_path, done):
    more = {**DEFINITION, "search": {**SEARCH, "quenches": 8}}
    sweep = copy_of(done, tmp_path / "s", more)
    assert sweep.run(workers=1, extend=True)["finished"] == 4
    assert list(rows(sweep)) == NAMES
    for name, row in rows(sweep).items():
        assert json.loads(row["coverage.n_quenches"]) == 8
        land = sweep.landscape(name)
        assert land.settings["search"]["quenches"] == 8
        land.close()
    # it is finished as it is now, and cannot shrink
    assert not any(state for state in ("begun", "failed") if sweep.status()[state])
    less = nnp.Sweep(sweep.path, {**DEFINITION, "search": {**SEARCH, "quenches": 5}})
    with pytest.raises(nnp.InputError, match="cannot be extended: quenches was 8 and would be 5"):
        less.run(workers=1, extend=True)


def troubles(tmp_path, how, **more):
    system = {"name": "troubled", "how": how, "directory": str(tmp_path), **more}
    few = {"quenches": 3, "basin_hopping_runs": 0, "untrap_attempts": 0, "audit_sample": 0}
    return {"system": system, "search": {**few, "soft_modes": 0}}


@pytest.mark.parametrize(
    ("how", "why"),
    [("TypeError", "TypeError: a mistake"), ("die", "its process died (exit code -9)")],
)
def test_a_point_that_fails_three_times_stops_no_other(tmp_path, how, why):
    assert Troubled.kind == "troubled"
    sweep = nnp.Sweep(tmp_path / "s", troubles(tmp_path, ["well", how]))
    assert sweep.run(workers=2) == {"finished": 1, "failed": 1, "left": 0}
    assert (tmp_path / "count").stat().st_size == 3
    table = rows(sweep)
    assert table["how-well"]["state"] == "finished" and int(table["how-well"]["n_minima"]) > 1
    assert table[f"how-{how}"]["state"] == "failed" and table[f"how-{how}"]["error"] == why
    assert sweep.status()["errors"] == {f"how-{how}": why}


def test_a_point_that_fails_once_is_as_one_that_never_did(tmp_path):
    sweep = nnp.Sweep(tmp_path / "s", troubles(tmp_path, ["well", "die"], times=1))
    assert sweep.run(workers=1)["failed"] == 0
    well, died = found(sweep, ["how-well", "how-die"]).values()
    assert died == well


def test_workers_that_all_die_end_the_sweep(tmp_path):
    definition = {**troubles(tmp_path, "die"), "seed": [0, 1, 2, 3, 4]}
    with pytest.raises(nnp.InputError, match="the workers died in 3 points in a row"):
        nnp.Sweep(tmp_path / "s", definition).run(workers=1)


class Unlucky(ThreadPoolExecutor):
    """Each point ends in these errors, one after another."""

    def __init__(self, *errors):
        super().__init__(1)
        self.errors, self.tried = errors, Counter()

    def submit(self, function, task):
        future = Future()
        future.set_exception(self.errors[self.tried[task.name] % len(self.errors)])
        self.tried[task.name] += 1
        return future


def test_points_that_died_only_once_are_no_worker_s_fault(tmp_path):
    died, mistaken = ProcessExpired("gone", code=-9), TypeError("a mistake")
    for k, errors in enumerate([(died, mistaken, mistaken), (mistaken, died, died)]):
        sweep = nnp.Sweep(tmp_path / f"{k}", DEFINITION)
        with Unlucky(*errors) as executor:
            assert sweep.run(executor=executor) == {"finished": 0, "failed": 4, "left": 0}
    sweep = nnp.Sweep(tmp_path / "all", DEFINITION)
    with (
        Unlucky(died) as executor,
        pytest.raises(nnp.InputError, match="died in 3 points in a row"),
    ):
        sweep.run(executor=executor)


def test_an_engine_that_breaks_is_one_line(tmp_path):
    class Broken(ThreadPoolExecutor):
        def submit(self, *args):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with Broken() as executor, pytest.raises(nnp.InputError, match="the engine no longer works"):
        nnp.Sweep(tmp_path / "s", DEFINITION).run(executor=executor)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "SWEEP.toml"
    path.write_text(tomli_w.dumps(DEFINITION))
    return path


def test_killed_anywhere_it_continues(tmp_path, file, serial):
    path = tmp_path / "s"
    for seconds in (1.8, 3.0):
        process = command(file, "-o", path, "--workers", 2)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    code, _, err = ended(file, "-o", path, "--workers", 2)
    assert code == 0, err
    assert found(nnp.Sweep(path)) == serial
    assert not list(path.glob(".*.new")) and not list(path.glob(".*.old"))


def test_a_result_that_was_half_put_in_place(tmp_path, done, serial):
    sweep = copy_of(done, tmp_path / "s", DEFINITION)
    (sweep.path / NAMES[0]).rename(sweep.path / f".{NAMES[0]}.old")
    shutil.copytree(sweep.path / NAMES[1], sweep.path / f".{NAMES[1]}.old")
    (sweep.path / f".{NAMES[2]}.new").mkdir()
    sweep.run(workers=1)
    assert found(sweep) == serial
    assert not list(sweep.path.glob(".*.new")) and not list(sweep.path.glob(".*.old"))


def test_the_command_line(tmp_path, file):
    path = tmp_path / "s"
    code, out, err = ended(path, "--status")
    assert code == 2 and err.startswith(f"error: no sweep has begun at {path}, and it is no file")
    code, out, err = ended(file, "-o", path, "--status")
    assert code == 0 and out.splitlines()[3].split()[1::2] == ["4", "0", "0", "0"]
    assert err == f"no sweep has begun at {path}\n"
    code, out, err = ended(file, "-o", path, "--dry-run")
    assert code == 0 and "hidden-3_seed-1" in out and "17" in out and "4 points" in err
    assert not path.exists()
    code, out, err = ended(file, "-o", path, "--point", 3, "--workers", 1)
    assert code == 0, err
    names = [".points", "hidden-3_seed-1", "sweep.toml"]
    assert sorted(p.name for p in path.iterdir()) == names
    assert "of 4 points" not in err  # the others are no work of this run
    code, out, err = ended(path, "--status")
    assert code == 0 and out.splitlines()[3].split()[1::2] == ["4", "1", "0", "0"]
    code, out, err = ended(file, "-o", path, "--point", 4)
    assert code == 2 and err.endswith("error: there is no point 4: they are numbered 0 to 3\n")
    code, out, err = ended(file, "-o", path, "--max-seconds", 0)
    assert code == 0 and out.splitlines()[3].split()[1::2] == ["4", "1", "0", "3"]
    assert {p.name for p in path.glob("*")} >= {"sweep.toml", "summaries.csv", "sweep.html"}


def test_a_failed_point_shows_in_the_exit_code(tmp_path):
    file = tmp_path / "SWEEP.toml"
    file.write_text(tomli_w.dumps(troubles(tmp_path, ["well", "TypeError"])))
    module = Path(__file__).parents[1] / "troubled.py"
    line = [sys.executable, "-P", "-m", "nnpotential", "--import", module, "sweep", file]
    done = subprocess.run(
        [*line, "-o", tmp_path / "s", "--workers", "1"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1, done.stderr
    assert "how-TypeError failed: TypeError: a mistake" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--scheduler", "tcp://127.0.0.1:9"],
            ("no Dask scheduler answers at", "the extra [dask]"),
        ),
        (["--slurm"], ("sbatch is not here", "the extra [dask]")),
        (["--slurm", "--scheduler", "tcp://127.0.0.1:9"], ("choose one of",)),
    ],
)
def test_engines_that_are_not_there_are_one_line(tmp_path, file, arguments, message, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = ended(file, "-o", tmp_path / "s", *arguments)
    assert code == 2
    last = err.splitlines()[-1]
    assert last.startswith("error: ") and any(part in last for part in message)
    assert not (tmp_path / "s").exists()


def test_workers_of_another_version_are_refused():
    task = work.Task("a", {"system": {"name": "egg_box"}}, version="0.0.1")
    with pytest.raises(nnp.InputError, match=r"the sweep 0\.0\.1: install one version everywhere"):
        work.run_point(task)


def test_one_sweep_at_a_time(tmp_path):
    from nnpotential.lock import held

    sweep = nnp.Sweep(tmp_path, DEFINITION)
    with held(tmp_path), pytest.raises(nnp.InputError, match="is being worked on by process"):
        sweep.run(workers=1)


def test_the_table_as_a_frame(done):
    pandas = pytest.importorskip("pandas")
    frame = done.table()
    assert list(frame["point"]) == NAMES and frame["n_minima"].min() > 0
    pytest.importorskip("pyarrow")
    done.run(workers=1)
    saved = pandas.read_parquet(done.path / "summaries.parquet")
    assert list(saved["point"]) == NAMES


def test_a_script_without_a_guard_is_one_line(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import nnpotential as nnp\n"
        f"nnp.Sweep({str(tmp_path / 's')!r}, {DEFINITION!r}).run(workers=1)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "must stand below 'if __name__ ==" in done.stderr.splitlines()[-1]
