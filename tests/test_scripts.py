"""The scripts that users copy run as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nnpotential as nnp

SCRIPTS = Path(__file__).parents[1] / "scripts"


def printed(script, folder, *arguments):
    """What a script prints that is run in an empty folder."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_scripts_are_short():
    found = {file.name: len(file.read_text("utf-8").splitlines()) for file in SCRIPTS.glob("*.*")}
    assert len(found) >= 8 and max(found.values()) < 60, found


def test_one_landscape(tmp_path):
    text = (SCRIPTS / "map_landscape.py").read_text(encoding="utf-8")
    whole, small = "quenches=100", "quenches=6, soft_modes=0, untrap_attempts=0, audit_sample=0"
    assert text.count(whole) == 1
    script = tmp_path / "edited.py"  # as the script invites to
    script.write_text(text.replace(whole, small), encoding="utf-8")
    counts, *_ = printed(script, tmp_path).splitlines()
    assert int(counts.split()[0]) > 1
    assert (tmp_path / "runs/my-first-landscape/disconnectivity.png").stat().st_size > 10_000
    assert printed(script, tmp_path).splitlines()[0] == counts  # run again it goes on


def test_a_torch_module(tmp_path):
    pytest.importorskip("torch")
    for _ in range(2):  # run again it goes on
        lines = printed(SCRIPTS / "torch_digits.py", tmp_path, "15").splitlines()
    assert lines[0].endswith(": 610 parameters")
    assert int(lines[3].split()[0]) >= 1


def test_plain_pele(tmp_path):
    minima, *said, states, failed = printed(SCRIPTS / "plain_pele.py", tmp_path).splitlines()
    # pele's, of a small landscape that is soon connected
    assert set(said) <= {"warning: couldn't find any random minima pair to connect"}
    assert int(minima.split()[0]) > 3 and int(states.split()[0]) >= 3
    assert failed == "0 points failed"
    assert (tmp_path / "plain_pele.png").stat().st_size > 10_000


def test_a_system_of_ones_own(tmp_path):
    counts, lowest = printed(SCRIPTS / "morse_cluster.py", tmp_path).splitlines()
    assert int(counts.split()[0]) >= 3 and int(counts.split()[2]) >= 3
    # J. P. K. Doye and D. J. Wales, J. Chem. Soc., Faraday Trans. 93, 4233 (1997)
    assert abs(float(lowest.split()[-1]) + 16.207580) < 1e-6
    # the directory names a kind that this process has not met
    with pytest.raises(nnp.InputError, match="unknown kind of system 'morse'"):
        nnp.Landscape.open(tmp_path / "runs" / "morse-7")
    # but the command line can be told where to find it
    command = [sys.executable, "-P", "-m", "nnpotential", "--import", SCRIPTS / "morse_cluster.py"]
    rest = ["explore", "-o", "runs/morse-7", "--quenches", "32", "--workers", "2"]
    done = subprocess.run(
        [*command, *rest], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "16.2076" in done.stdout


def test_a_measure_of_ones_own(tmp_path):
    first, *rows = printed(SCRIPTS / "own_measure.py", tmp_path).splitlines()
    assert int(first.split()[0]) > 3 and len(rows) == 5
    losses = [float(row.split()[3].rstrip(",")) for row in rows]
    assert losses == sorted(losses)
    picture = tmp_path / "runs" / "own-measure" / "disconnectivity.svg"
    assert "saturated hidden units (share)" in picture.read_text(encoding="utf-8")


def test_a_sweep(tmp_path):
    out = printed(SCRIPTS / "sweep_in_python.py", tmp_path)
    assert "{'finished': 8, 'failed': 0, 'left': 0}" in out
    assert len(list(tmp_path.glob("runs/sweep/*/landscape.sqlite"))) == 8
    assert (tmp_path / "runs" / "sweep" / "sweep.html").stat().st_size > 10_000


def test_a_sweep_as_an_array_of_jobs(tmp_path):
    """Not under Slurm, but under a stand-in that sets what Slurm sets."""
    (tmp_path / "SWEEP.toml").write_text(
        'seed = [0, 1]\n[system]\nname = ["egg_box", "lj5"]\n'
        "[search]\nquenches = 3\nsoft_modes = 0\nuntrap_attempts = 0\naudit_sample = 0\n"
    )
    program = tmp_path / "bin" / "nnpotential"  # the one that is tested
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m nnpotential "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"

    def job(number, *more):
        return subprocess.run(
            ["bash", SCRIPTS / "slurm_array.sh", "SWEEP.toml", "runs/s", *more],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "SLURM_ARRAY_TASK_ID": str(number)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    for number, more in ((0, ()), (1, ("2",))):
        done = job(number, *more)
        assert done.returncode == 0, done.stderr
    found = {path.parent.name for path in tmp_path.glob("runs/s/*/landscape.sqlite")}
    assert found == {"egg_box_seed-0", "lj5_seed-1"}
    assert job(4).returncode == 2
    command = [program, "sweep", "SWEEP.toml", "-o", "runs/s", "--workers", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "runs" / "s" / "summaries.csv").read_text().splitlines()) == 5


def test_what_cannot_be_imported_is_one_line(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "json.py").write_text("", encoding="utf-8")
    before = list(sys.path)
    for name, why in (
        ("broken.py", "broken cannot be imported (ZeroDivisionError: division by zero)"),
        ("missing.py", "there is no file missing.py"),
        ("json.py", "json.py has the name of another module ("),
        ("no_such_module", "no_such_module cannot be imported (ModuleNotFoundError: "),
    ):
        code, _, err = run("--import", name, "summary", "x")
        assert code == 2
        assert err.startswith(f"error: {why}")
        assert err.count("\n") == 1
        assert sys.path == before  # workers would find json.py there in place of Python's
