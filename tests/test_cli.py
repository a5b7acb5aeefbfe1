"""The command line as a user meets it: results, one-line errors, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from nnpotential.cli import main

COMMAND = [sys.executable, "-P", "-m", "nnpotential"]
SMALL = ["--n-train", "50", "--n-test", "50", "--hidden", "5", "--regularization", "1e-3"]
LIMITS = ["--quenches", "6", "--basin-hopping-runs", "1", "--basin-hopping-steps", "3"]
LIMITS += ["--untrap-attempts", "1"]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process; returns (exit code, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nnpotential", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def landscape(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "land"
    command = [*COMMAND, "explore", "ljat", "-o", str(path), *SMALL, *LIMITS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "minima" in done.stdout
    assert "disconnectivity graph" in done.stderr
    return path


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
    code, _, err = run("graph", landscape, "--colour", "test-auc", "--title", "ljat")
    assert code == 0
    assert f"{figures['n_minima']} of {figures['n_minima']} minima drawn" in err
    assert run("connect", landscape)[0] == 0


def test_continue_and_refuse(run, landscape):
    code, _, _ = run("explore", "ljat", "-o", landscape)
    assert code == 0
    before = (landscape / "settings.toml").read_bytes()
    for options, difference in (
        (["--n-train", "60"], "dataset.n_train = 50, asked for 60"),
        (["--hidden", "5,5"], "network.layer_sizes = [3, 5, 4], asked for [3, 5, 5, 4]"),
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


def test_a_csv_landscape_notices_that_its_file_changed(run, tmp_path):
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.normal(size=(30, 2)), np.arange(30) % 2])
    path = tmp_path / "mine.csv"
    np.savetxt(path, table, delimiter=",", fmt="%.6g")
    out = tmp_path / "land"
    options = ["-o", out, "--hidden", "2", *LIMITS]
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
        (["explore"], "Missing"),
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
    import shutil
    import sqlite3

    copy = shutil.copytree(landscape, tmp_path / "copy")
    connection = sqlite3.connect(copy / "landscape.sqlite")
    connection.execute("UPDATE tbl_minima SET energy = energy + 1e-6 WHERE _id = 1")
    connection.commit()
    connection.close()
    code, out, err = run("verify", copy)
    assert code == 1
    assert "loss differs" in out
    assert "minimum 1: loss differs" in err


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_what_was_found(tmp_path, workers):
    path = tmp_path / "land"
    limits = ["--quenches", "100000", "--workers", str(workers)]
    command = [*COMMAND, "explore", "ljat", "-o", str(path), *SMALL, *limits]
    # a shell that runs the tests in the background has them ignore the signal
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
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
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
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
