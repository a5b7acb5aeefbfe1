"""The command line as a user meets it: results, one-line errors, Ctrl-C."""

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy.exc
from landscapes import NET, TINY

import nnpotential as nnp
from nnpotential import Landscape
from nnpotential.cli import shared
from nnpotential.networks.losses import LOSSES
from nnpotential.storage import record_outcome

COMMAND = [sys.executable, "-P", "-m", "nnpotential"]
SMALL = ["--n-train", "50", "--n-test", "50", "--hidden", "3", "--regularization", "1e-3"]
LIMITS = ["--quenches", "6", "--basin-hopping-runs", "1", "--basin-hopping-steps", "3"]
LIMITS += ["--untrap-attempts", "1", "--audit-sample", "0", "--soft-modes", "0"]
FEWEST = ["--quenches", "3", "--basin-hopping-runs", "0", "--connection-attempts", "0"]
FEWEST += ["--untrap-attempts", "0", "--audit-sample", "0", "--soft-modes", "0"]


@pytest.fixture(scope="module")
def landscape(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "land"
    command = [*COMMAND, "explore", "ljat", "-o", str(path), *SMALL, *LIMITS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "minima" in done.stdout
    assert "disconnectivity graph" in done.stderr
    return path


def rows_of(out):
    """A table of two columns."""
    rows = (line.split("│")[1:3] for line in out.splitlines() if line.startswith("│"))
    return {label.strip(): value.strip() for label, value in rows}


def test_stages(run, landscape):
    code, out, _ = run("summary", landscape)
    assert code == 0
    assert "transition states" in out
    code, out, _ = run("summary", landscape, "--json")
    figures = json.loads(out)
    assert figures == json.loads((landscape / "summary.json").read_text())
    code, out, _ = run("verify", landscape)
    assert code == 0
    assert "ok" in out
    code, out, err = run("graph", landscape, "--colour", "test-auc", "--title", "ljat")
    assert code == 0
    n = figures["n_minima"]
    assert re.search(rf"│ +{n} │ +{n} │\n", out) and "drawn: " in err
    assert run("connect", landscape)[0] == 0


def test_audit(run, mapped):
    """Each asks for a sample of its own; what it finds is kept."""
    n_states = mapped.summary()["n_transition_states"]
    assert mapped.summary()["barrier_audit"] is None
    code, out, err = run("audit", mapped.path, "--sample", "2")
    assert code == 0 and "may fall by" in out and rows_of(out)["bottlenecks"] == "2"
    assert "report.html" not in err  # there is none
    figures = json.loads((mapped.path / "summary.json").read_text())
    audit = figures["barrier_audit"]
    assert audit["n_sampled"] == 2
    assert audit["interval"][0] <= audit["fall"] <= audit["interval"][1]
    assert figures["n_transition_states"] >= n_states
    assert figures["settings"]["search"]["audit_sample"] == 2
    mapped.report(quick=True)
    code, out, err = run("audit", mapped.path, "--sample", "1")
    assert code == 0 and rows_of(out)["bottlenecks"] == "1"
    assert f"'nnpotential report {mapped.path}' renews it" in err.splitlines()[-1]


def test_an_audit_needs_barriers(run, ljat, tmp_path):
    land = nnp.Landscape.create(tmp_path / "a", NET, ljat, **TINY)
    code, _, err = run("audit", land.path)
    assert code == 2
    assert "there is nothing to audit: no barrier is known" in err.splitlines()[-1]


def test_an_audit_that_is_stopped_leaves_the_one_before(run, mapped):
    code, _, _ = run("audit", mapped.path, "--sample", "2")
    assert code == 0
    before = mapped.summary()["barrier_audit"]
    drawn = (mapped.path / "disconnectivity.png").stat().st_mtime_ns
    code, _, err = run("audit", mapped.path, "--sample", "3", "--max-seconds", "0.001")
    assert code == 0 and "stopped before its end; what it found is kept" in err
    assert mapped.summary()["barrier_audit"] == before
    # as it was asked for last, not as the one that was stopped
    code, out, _ = run("audit", mapped.path, "--sample", "1")
    assert code == 0 and rows_of(out)["bottlenecks"] == "1"
    assert mapped.summary()["barrier_audit"]["n_sampled"] == 1
    assert (mapped.path / "disconnectivity.png").stat().st_mtime_ns > drawn


@pytest.mark.parametrize(
    ("command", "method", "said"),
    [
        (["audit"], "audit", "minima are kept, the same command continues"),
        (["connect"], "explore", "minima are kept, the same command continues"),
        (["verify"], "verify", "the same command begins anew"),
        (["reach"], "reach", "finished runs are kept in reach.json, the same command continues"),
        (["estimates"], "estimates", "finished pairs are kept in estimates.json, the same command"),
        (["minima"], "generalisation", "nothing was written"),
    ],
)
def test_ctrl_c_says_what_is_kept(run, mapped, monkeypatch, command, method, said):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(nnp.Landscape, method, interrupted)
    code, _, err = run(*command, mapped.path)
    assert code == 130 and said in err.splitlines()[-1]


def test_continue_and_refuse(run, landscape):
    code, _, _ = run("explore", "ljat", "-o", landscape)
    assert code == 0
    before = (landscape / "settings.toml").read_bytes()
    for options, difference in (
        (["--n-train", "60"], "dataset.n_train = 50, asked for 60"),
        (["--hidden", "5,5"], "network.layer_sizes = [3, 3, 4], asked for [3, 5, 5, 4]"),
        (["--regularization", "1e-4"], "potential.regularization = 0.001, asked for 0.0001"),
        (["--seed", "1"], "seed = 0, asked for 1"),
        (["--no-bias"], "network.bias = True, asked for False"),
    ):
        code, _, err = run("explore", "ljat", "-o", landscape, *options)
        assert code == 2
        assert difference in err
        assert "\n" not in err.strip()
    code, _, err = run("explore", "iris", "-o", landscape)
    assert code == 2
    assert "dataset.name = 'ljat', asked for 'iris'" in err
    assert (landscape / "settings.toml").read_bytes() == before


def test_default_output(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("explore", "iris", "--hidden", "none", *LIMITS)
    assert code == 0
    assert "runs/iris-none-120" in err
    assert (tmp_path / "runs" / "iris-none-120" / "summary.json").exists()
    assert run("explore", "iris", "--hidden", "none")[0] == 0  # and again: continues


def test_dataset(run, tmp_path):
    code, out, _ = run("dataset", "iris", "-o", tmp_path / "iris.npz")
    assert code == 0
    assert "class 2" in out
    assert set(np.load(tmp_path / "iris.npz")) == {"X_train", "y_train", "X_test", "y_test"}
    code, _, err = run("dataset", "iris", "-o", tmp_path / "iris.txt")
    assert code == 2
    assert "npz" in err


def test_classes_of_a_csv_file_are_said_once_and_recorded(run, tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{i},{a:.3f},{('ja', 'nein')[i % 2]}" for i, a in enumerate(rng.normal(size=20))]
    path, out = tmp_path / "[mine].csv", tmp_path / "land"
    path.write_text("\n".join([",a,answer", *rows]))
    options = ["-o", out, "--hidden", "2", *FEWEST]
    code, _, err = run("explore", path, *options)
    assert code == 0
    assert err.count("note: ") == 2
    assert "the first column has no name" in err
    assert "the classes ja, nein are numbered 0 to 1" in err
    assert tomllib.loads((out / "settings.toml").read_text())["dataset"]["classes"] == [
        "ja",
        "nein",
    ]
    code, _, err = run("explore", path, *options)
    assert code == 0
    assert "note: " not in err
    code, printed, err = run("dataset", path)
    assert code == 0
    assert "class 1: nein" in printed
    assert err.count("note: ") == 2


def test_a_csv_landscape_notices_that_its_file_changed(run, tmp_path):
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.normal(size=(30, 2)), np.arange(30) % 2])
    path = tmp_path / "mine.csv"
    np.savetxt(path, table, delimiter=",", fmt="%.6g")
    out = tmp_path / "land"
    options = ["-o", out, "--hidden", "2", *FEWEST]
    assert run("explore", path, *options)[0] == 0
    assert run("explore", path, *options)[0] == 0
    table[0, 0] += 1
    np.savetxt(path, table, delimiter=",", fmt="%.6g")
    code, _, err = run("explore", path, *options)
    assert code == 2
    assert "dataset.sha256" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explore", "lajt"], "did you mean 'ljat'"),
        (["explore", "iris", "--activation", "tahn"], "did you mean 'tanh'"),
        (["explore", "iris", "--loss", "cross-entropy"], "did you mean 'cross_entropy'"),
        (["explore", "iris", "--activation", "relu"], "no second derivative"),
        (["explore", "iris", "--hidden", "0"], "at least 1, not 0"),
        (["explore", "iris", "--hidden", "-3"], "at least 1, not -3"),
        (["explore", "iris", "--hidden", "five"], "sizes such as 10 or 5,5,5"),
        (["explore", "iris", "--regularization", "-1"], "not below 0"),
        (["explore", "iris", "--n-train", "1000"], "150 samples"),
        (["explore", "iris", "--seed", "-1"], "at least 0"),
        (["explore", "missing.csv"], "there is no file"),
        (["summary", "nowhere"], "there is no landscape at "),
        (["verify", "nowhere"], "no landscape"),
        (["graph", "nowhere"], "no landscape"),
        (["connect", "nowhere"], "no landscape"),
        (["explore", "iris", "-o", "/proc/nothing"], "cannot be made"),
        (["explore", "iris", "--colour", "red"], "unknown colour 'red'"),
        (["explore", "iris", "--regularization", "abc"], "valid number"),
        (["explore"], "DATASET is missing"),
        (["explore", "-o", "nowhere"], "nowhere is no landscape to continue: name a DATASET"),
        (["explor"], "No such command"),
        (["dataset", "iris", "-o", "iris.txt"], "npz"),
        (["dataset", "iris", "-o", "nowhere/iris.npz"], "nowhere/iris.npz cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(tmp_path):
    command = [*COMMAND, "summary", str(tmp_path / "nowhere"), "--debug"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "command", ["", "explore", "connect", "verify", "graph", "summary", "dataset"]
)
def test_help(run, command):
    code, out, _ = run(*filter(None, [command]), "--help")
    assert code == 0
    assert "Usage" in out


def test_verify_exits_with_1_where_a_point_fails(run, landscape, tmp_path):
    copy = shutil.copytree(landscape, tmp_path / "copy")
    connection = sqlite3.connect(copy / "landscape.sqlite")
    connection.execute("UPDATE tbl_minima SET energy = energy + 1e-6 WHERE _id = 1")
    connection.commit()
    connection.close()
    code, out, err = run("verify", copy)
    assert code == 1
    assert "loss differs" in out
    assert "minimum 1: loss differs" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_keeps_what_was_found_and_leaves_nothing(tmp_path, workers, number):
    path = tmp_path / "land"
    temporary = Path(tempfile.mkdtemp())  # short, as there are sockets in it
    limits = ["--quenches", "100000", "--workers", str(workers)]
    command = [*COMMAND, "explore", "ljat", "-o", str(path), *SMALL, *limits]
    # a shell that runs the tests in the background has them ignore the signal
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (path / "summary.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
        if (path / "landscape.sqlite").exists() and os.path.getsize(
            path / "landscape.sqlite"
        ) > 5e4:
            break
    time.sleep(0.5)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        os.kill(process.pid, number)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in err
    assert "are kept" in err
    assert process.returncode == 130
    figures = json.loads((path / "summary.json").read_text())
    assert figures["n_minima"] >= 1
    assert 0 < figures["coverage"]["n_quenches"] < 100000
    temporary.rmdir()  # it is empty


def in_database(statement, *values):
    def tamper(path):
        with sqlite3.connect(path / "landscape.sqlite") as connection:
            assert connection.execute(statement, values).rowcount
        connection.close()

    return tamper


def in_progress(text):
    return in_database(
        "UPDATE tbl_system_property SET string_value = ? WHERE property_name = 'progress'", text
    )


@pytest.mark.parametrize("command", ["summary", "connect", "verify"])
@pytest.mark.parametrize("text", ["", "{", "[]", "9" * 5000, "[" * 10**5, b"\xff\x00", None])
def test_a_journal_that_is_damaged_is_named(run, landscape, tmp_path, text, command):
    copy = shutil.copytree(landscape, tmp_path / "copy")
    in_progress(text)(copy)
    code, _, err = run(command, copy)
    assert code == 2
    [line] = err.splitlines()
    assert line.startswith("error: ") and "landscape.sqlite: property progress is damaged" in line


@pytest.mark.parametrize("arguments", ["{", "null", b"\xff"])
def test_a_job_that_is_damaged_is_named(run, landscape, tmp_path, arguments):
    copy = shutil.copytree(landscape, tmp_path / "copy")
    last = "(SELECT MAX(id) FROM tbl_jobs WHERE kind = 'connect')"
    in_database(f"UPDATE tbl_jobs SET args = ? WHERE id = {last}", arguments)(copy)
    code, _, err = run("connect", copy)
    assert code == 2
    assert "landscape.sqlite: job" in err and "is damaged" in err


def write_csv(path, n=30):
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.normal(size=(n, 2)), np.arange(n) % 2])
    np.savetxt(path, table, delimiter=",", fmt="%.6g")
    return path


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(run, tmp_path, loss):
    """The output layer is as large as the loss needs; a landscape of it continues."""
    command = ["explore", write_csv(tmp_path / "two.csv"), "--loss", loss, "--hidden", "2"]
    command += ["--regularization", "1e-2", *FEWEST, "-o", tmp_path / "a"]
    assert run(*command)[0] == 0
    settings = tomllib.loads((tmp_path / "a" / "settings.toml").read_text())
    n_outputs = {"cross_entropy": 2}.get(loss, 1)
    assert settings["network"]["layer_sizes"] == [2, 2, n_outputs]
    assert json.loads((tmp_path / "a" / "summary.json").read_text())["n_minima"] >= 1
    assert run(*command)[0] == 0
    assert run("verify", tmp_path / "a")[0] == 0


def test_a_landscape_from_arrays_continues_by_its_directory_alone(run, tmp_path):
    rng = np.random.default_rng(0)
    data = nnp.load_dataset((rng.normal(size=(40, 2)), np.arange(40) % 2), seed=3)
    net = nnp.MLP([2, 2, 2], activation="sigmoid")
    few = {
        "quenches": 4,
        "basin_hopping_runs": 0,
        "untrap_attempts": 0,
        "audit_sample": 0,
        "soft_modes": 0,
    }
    land = Landscape.create(tmp_path / "a", net, data, regularization=1e-3, seed=7, **few)
    land.close()
    code, out, err = run("explore", "--output", tmp_path / "a", "--quenches", "6")
    assert code == 0
    assert "arrays N=32, 2-2-2 sigmoid, cross_entropy, regularization 0.001, seed 7" in err
    assert "minima" in out
    figures = Landscape.open(tmp_path / "a").summary()
    assert figures["coverage"]["n_quenches"] == 6
    before = (tmp_path / "a" / "settings.toml").read_bytes()
    for options, difference in (
        (["--hidden", "3"], "network.layer_sizes = [2, 2, 2], asked for [2, 3, 2]"),
        (["--activation", "tanh"], "network.activation = 'sigmoid', asked for 'tanh'"),
        (["--n-train", "30"], "dataset.n_train = 32, asked for 30"),
        (["--seed", "0"], "seed = 7, asked for 0"),
    ):
        code, _, err = run("explore", "--output", tmp_path / "a", *options)
        assert code == 2
        assert difference in err
    assert (tmp_path / "a" / "settings.toml").read_bytes() == before


def test_a_landscape_continues_without_the_file_of_its_data(run, tmp_path):
    path = write_csv(tmp_path / "mine.csv")
    land = tmp_path / "land"
    assert run("explore", path, "-o", land, "--hidden", "2", *FEWEST)[0] == 0
    other = write_csv(tmp_path / "other.csv", 9)
    code, _, err = run("explore", other, "-o", land)
    assert code == 2
    assert "dataset.name = 'mine.csv', asked for 'other.csv'" in err
    path.unlink()
    assert run("explore", "-o", land)[0] == 0
    assert run("explore", path, "-o", land)[0] == 0


def test_a_file_is_compared_as_it_was_read(run, tmp_path):
    path = write_csv(tmp_path / "mine.csv")
    data = nnp.load_dataset(path, seed=5, standardize=False)
    Landscape.create(tmp_path / "a", nnp.MLP([2, 2, 2]), data, seed=6, **TINY).close()
    assert run("explore", path, "-o", tmp_path / "a")[0] == 0


def test_version(run):
    assert run("--version") == (0, f"nnpotential {nnp.__version__}\n", "")


@pytest.mark.parametrize(
    "module", ["nnpotential.cli", "numpy", "scipy.linalg", "pele.storage", "nnpotential._kernel"]
)
def test_ctrl_c_while_importing(module):
    script = f"""
import os, signal, sys

class Presser:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Presser())
sys.argv = ["nnpotential", "--version"]
from nnpotential.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_library_of_another_version_is_one_line(tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('typer is too old')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [*COMMAND, "--version"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "error: typer is too old\n")


def test_a_coloured_graph_is_drawn_once(run, landscape, monkeypatch):
    colours, draw = [], Landscape.draw

    def counted(self, *, colour=None, **options):
        colours.append(colour)
        return draw(self, colour=colour, **options)

    monkeypatch.setattr(Landscape, "draw", counted)
    code, _, err = run("explore", "-o", landscape, "--colour", "test-auc")
    assert code == 0
    assert "disconnectivity graph: " in err
    assert colours == ["test-auc"]
    colours.clear()
    assert run("connect", landscape)[0] == 0
    assert colours == [None]


def test_a_page_is_old_only_where_verification_found_something_else(run, mapped):
    mapped.report(quick=True)
    _, _, err = run("verify", mapped.path)
    assert "renews it" not in err
    minimum, *_ = mapped.database.minima()
    record_outcome(minimum, "wrong index")
    mapped.database.session.commit()
    _, _, err = run("verify", mapped.path)
    assert "renews it" in err


@pytest.mark.parametrize(
    ("estimate", "reach"),
    [
        (None, None),
        (188.6, "at least the 264 found; 189 by the"),
        (264.0, "found"),
        (311.7, "at least 312 (Chao1)"),
    ],
)
def test_the_minima_in_reach_are_no_fewer_than_found(run, landscape, monkeypatch, estimate, reach):
    figures = Landscape.open(landscape).summary()
    figures["n_minima"] = 264
    figures["coverage"]["chao1"] = estimate
    monkeypatch.setattr(Landscape, "summary", lambda _: figures)
    _, out, _ = run("summary", landscape)
    lines = [line for line in out.splitlines() if "can reach" in line]
    assert len(lines) == (reach is not None)
    assert all(reach in line for line in lines)


@pytest.mark.parametrize("name", [b"data[bold].csv", b"[red]:smile:.csv", b"d\xff.csv"])
def test_odd_names_of_files(run, tmp_path, monkeypatch, name):
    name, shown = os.fsdecode(name), name.decode(errors="backslashreplace")
    monkeypatch.chdir(tmp_path)
    write_csv(name)
    code, out, _ = run("dataset", name)
    assert code == 0
    assert shown in out
    land = f"land-{name}"
    for _ in range(2):
        code, _, err = run("explore", name, "-o", land, "--hidden", "2", *FEWEST)
        assert code == 0
        assert f"({shown} N=24" in err
    recorded = Landscape.open(land).settings["dataset"]["name"]
    assert recorded == shown


def test_a_locked_database_is_said_to_be_that(run, landscape, tmp_path):
    copy = shutil.copytree(landscape, tmp_path / "copy")
    other = sqlite3.connect(copy / "landscape.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        code, _, err = run("summary", copy)
    finally:
        other.close()
    assert code == 2
    assert "landscape.sqlite is held by another program (database is locked)" in err
    assert "intact" not in err
    assert run("summary", copy)[0] == 0


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SQLITE_BUSY_SNAPSHOT", "is held by another program"),
        ("SQLITE_CANTOPEN", "cannot be opened"),
        ("SQLITE_IOERR_WRITE", "cannot be written"),
        ("SQLITE_FULL", "cannot be written"),
        ("SQLITE_IOERR_LOCK", "its file system lacks the locks"),
        ("SQLITE_CORRUPT", "is no intact database"),
    ],
)
def test_what_is_wrong_with_a_database(run, landscape, monkeypatch, code, message):
    def fail(_):
        error = sqlite3.OperationalError("so it is")
        error.sqlite_errorcode = getattr(sqlite3, code)
        raise sqlalchemy.exc.OperationalError("SELECT\n*", {}, error)

    monkeypatch.setattr(Landscape, "summary", fail)
    status, _, err = run("summary", landscape)
    assert status == 2
    assert message in err
    assert "so it is" in err
    assert "SELECT" not in err


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks(run, landscape, monkeypatch, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    status, _, err = run("explore", "-o", landscape, "--quenches", "7")
    assert status == 2
    assert f"cannot be locked ({os.strerror(code)}): its file system lacks flock" in err
    assert "quenches = 6" in (landscape / "settings.toml").read_text()


def shell(landscape, tail, **environment):
    """Exit code, output and errors of a command line as a shell runs it."""
    command = tail.replace("NN", " ".join(COMMAND)).replace("DIR", str(landscape))
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["NN summary DIR", "NN summary --json DIR"])
def test_a_reader_that_has_seen_enough(landscape, command):
    done = shell(landscape, f"{command} | true")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["NN summary DIR", "NN summary --json DIR"])
def test_output_to_a_full_disk(landscape, command):
    done = shell(landscape, f"{command} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    "where", ["2> /dev/full", "2>&-", "2>&1 >/dev/null | true", "0<&- 2>&- >&-"]
)
def test_messages_that_nobody_can_read_cost_nothing(landscape, tmp_path, where):
    copy = shutil.copytree(landscape, tmp_path / "copy")
    for name in ("summary.json", "disconnectivity.png"):
        (copy / name).unlink()
    done = shell(copy, f"NN explore -o DIR --quenches 8 {where}")
    assert done.returncode == 0
    assert json.loads((copy / "summary.json").read_text())["coverage"]["n_quenches"] == 8
    assert (copy / "disconnectivity.png").exists()


def test_a_plain_terminal(landscape):
    done = shell(landscape, "NN summary DIR", PYTHONIOENCODING="ascii", COLUMNS="40", NO_COLOR="1")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert {len(line) for line in done.stdout.splitlines()} == {40}


def test_measures_of_a_landscape(run, explored):
    code, out, err = run("measures", explored.path, "--temperature", "0.001", "0.010", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["temperatures"] == [0.001, 0.01]
    assert list(found["shannon_entropy"]) == ["0.001", "0.010"]
    expected = explored.measures([0.001])
    assert found["frustration"]["0.001"] == expected["frustration"]["0.001"]
    code, out, err = run("measures", explored.path)
    assert code == 0, err
    for text in ("monotonic sequence basins", "Shannon entropy", "C_v / k", "frustration"):
        assert text in out
    assert f"{found['n_minima']}" in out
    assert "no kinetic half" in err and "--temperature gives others" in err


def test_measures_side_by_side(run, explored, small):
    ways = (
        ("--compare", small.path, "--compare", explored.path),
        ("--compare", small.path, explored.path),
    )
    outputs = []
    for way in ways:
        code, out, err = run("measures", explored.path, "--temperature", 0.01, *way, "--json")
        assert code == 0, err
        outputs.append(json.loads(out))
    assert outputs[0] == outputs[1]
    first, second, third = outputs[0]
    assert first == third
    assert second["n_minima"] == small.summary()["n_minima"]
    code, out, err = run("measures", explored.path, "--compare", small.path)
    assert code == 0, err
    assert "T = spread" in " ".join(out.replace("│", " ").split())


def test_measures_with_rates(run, explored):
    network = explored.network()
    graph = network.graph()
    one, two = next(iter(graph.edges))
    a, b = network.minima.ids[[one, two]]
    given = ("--temperature", 0.01, "--a", a, "--b", b)
    code, out, err = run("measures", explored.path, *given, "--json")
    assert code == 0, err
    rates = json.loads(out)["rates"]["0.01"]
    assert rates["time_a_from_b"] * rates["a_from_b"] == pytest.approx(1)
    code, out, err = run("measures", explored.path, *given)
    assert "k(A<-B)" in out and "MFPT(B<-A)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--temperature", "0"), "temperature must be above 0"),
        (("--temperature", "warm"), "temperature must be a number above 0, not 'warm'"),
        (("--a", "1"), "give both"),
        (("--a", "first", "--b", "2"), "--a takes ids of minima such as 144 or 3,7"),
        (("--compare", "nowhere"), "nowhere"),
        (("--compare", "elsewhere", "--a", "1", "--b", "2"), "leave out --compare"),
        (("--figure", "a.txt"), "must be a png, svg or pdf file"),
    ],
)
def test_measures_refuses_in_one_line(run, explored, arguments, message):
    code, _, err = run("measures", explored.path, *arguments)
    assert code == 2
    assert message in err and len(err.strip().splitlines()) == 1


def test_json_knows_neither_nan_nor_infinity(capsys):
    shared.show_json({"a": [np.nan, (1.5, -np.inf)], "b": {"c": np.float64(np.inf), "d": None}})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == {"a": [None, [1.5, None]], "b": {"c": None, "d": None}}
