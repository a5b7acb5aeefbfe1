"""The scripts that users copy run as they are."""

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_plain_pele(tmp_path):
    command = [sys.executable, SCRIPTS / "plain_pele.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    minima, states, failed = done.stdout.splitlines()
    assert int(minima.split()[0]) > 3 and int(states.split()[0]) > 3
    assert failed == "0 points failed"
    assert (tmp_path / "plain_pele.png").stat().st_size > 10_000
