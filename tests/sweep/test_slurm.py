"""A real Slurm, where there is one with a free node; its jobs see this directory."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tomli_w
from small_sweep import DEFINITION, command, ended, found

import nnpotential as nnp

SCRIPT = Path(__file__).parents[2] / "scripts" / "slurm_array.sh"


def asked(*line):
    return subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout


def is_there():
    return (
        shutil.which("sbatch") is not None
        and "idle"
        in subprocess.run(
            ["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, timeout=60
        ).stdout
    )


pytestmark = pytest.mark.skipif(not is_there(), reason="no Slurm with a free node")


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The definition, where jobs find this package and the command."""
    paths = [Path(nnp.__file__).parents[1], Path(__file__).parents[1]]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    binary = tmp_path / "bin" / "nnpotential"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m nnpotential "$@"\n')
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "SWEEP.toml"
    slurm = {"memory": "500MB", "log_directory": str(tmp_path)}
    file.write_text(tomli_w.dumps({**DEFINITION, "slurm": slurm}))
    return file


def test_an_array_gives_the_same_and_can_be_asked(file, tmp_path, serial):
    job = asked("sbatch", "--parsable", "--array=0-3", "--mem=500M", SCRIPT, file, "s").strip()
    while asked("squeue", "-h", "-j", job):
        time.sleep(0.5)
    code, out, _ = ended("s", "--status")
    logs = "".join(log.read_text() for log in tmp_path.glob("sweep-*.log"))
    assert code == 0 and out.splitlines()[3].split()[1::2] == ["4", "4", "0", "0"], logs
    assert found(nnp.Sweep(tmp_path / "s")) == serial


def test_workers_in_jobs_give_the_same_though_one_is_cancelled(file, tmp_path, serial):
    pytest.importorskip("dask_jobqueue")
    process = command(file, "-o", "s", "--slurm", "--workers", 2)
    jobs = []
    while process.poll() is None and not jobs:
        time.sleep(0.5)
        jobs = asked("squeue", "-h", "-t", "R", "-n", "dask-worker", "-o", "%i").split()
    asked("scancel", jobs[0])
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert found(nnp.Sweep(tmp_path / "s")) == serial
    until = time.monotonic() + 60
    while asked("squeue", "-h", "-n", "dask-worker") and time.monotonic() < until:
        time.sleep(0.5)
    assert not asked("squeue", "-h", "-n", "dask-worker")


@pytest.mark.parametrize(
    ("slurm", "message"),
    [
        ({"queue": "nosuch"}, "Slurm refuses the jobs of [slurm]: sbatch: error: invalid part"),
        ({"queu": "main"}, "unknown setting of [slurm] 'queu': did you mean 'queue'?"),
        ({"memory": "much"}, "[slurm] does not describe a cluster: "),
    ],
)
def test_what_slurm_does_not_take_is_one_line(file, slurm, message):
    pytest.importorskip("dask_jobqueue")
    file.write_text(tomli_w.dumps({**DEFINITION, "slurm": slurm}))
    code, _, err = ended(file, "-o", "s", "--slurm")
    assert code == 2 and message in err.splitlines()[-1]
    assert len(err.splitlines()) == 2 and not Path("s").exists()
