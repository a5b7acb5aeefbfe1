"""The scripts that users copy run as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nnpotential as nnp

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_plain_pele(tmp_path):
    command = [sys.executable, SCRIPTS / "plain_pele.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    minima, states, failed = done.stdout.splitlines()
    assert int(minima.split()[0]) > 3 and int(states.split()[0]) > 3
    assert failed == "0 points failed"
    assert (tmp_path / "plain_pele.png").stat().st_size > 10_000


def test_a_system_of_ones_own(tmp_path):
    command = [sys.executable, SCRIPTS / "morse_cluster.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    counts, lowest = done.stdout.splitlines()
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
    command = [sys.executable, SCRIPTS / "own_measure.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, *rows = done.stdout.splitlines()
    assert int(first.split()[0]) > 3 and len(rows) == 5
    losses = [float(row.split()[3].rstrip(",")) for row in rows]
    assert losses == sorted(losses)
    picture = tmp_path / "runs" / "own-measure" / "disconnectivity.svg"
    assert "saturated hidden units (share)" in picture.read_text(encoding="utf-8")
    assert len((SCRIPTS / "own_measure.py").read_text(encoding="utf-8").splitlines()) < 60


def test_a_sweep(tmp_path):
    command = [sys.executable, SCRIPTS / "sweep_in_python.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "{'finished': 8, 'failed': 0, 'left': 0}" in done.stdout
    assert len(list(tmp_path.glob("runs/sweep/*/landscape.sqlite"))) == 8
    assert (tmp_path / "runs" / "sweep" / "sweep.html").stat().st_size > 10_000


def test_a_sweep_as_an_array_of_jobs(tmp_path):
    """Not under Slurm, but under a stand-in that sets what Slurm sets."""
    (tmp_path / "SWEEP.toml").write_text(
        'seed = [0, 1]\n[system]\nname = ["egg_box", "lj5"]\n'
        "[search]\nquenches = 3\nsoft_modes = 0\n"
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
