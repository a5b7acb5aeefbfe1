"""What long work says of itself, and that it can be stopped at any time."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from landscapes import FEW, NET, contents
from slow import SlowSystem

import nnpotential as nnp
from nnpotential import pulse
from nnpotential.search.kinds import Quench
from nnpotential.search.workers import Crew


@pytest.fixture
def slow(ljat):
    return SlowSystem(nnp.MLP([3, 2, 4]), ljat, regularization=1e-2)


def test_a_listener_hears_now_and_then():
    heard = []
    pulse.tell("nobody listens", 1)
    with pulse.listening(heard.append):
        until = time.monotonic() + 1.0
        n = 0
        while time.monotonic() < until:
            n += 1
            pulse.tell("counting", n, 1e-3, of="force")
    pulse.tell("nobody listens any more", 1)
    assert 2 <= len(heard) <= 4
    assert heard[0].startswith("counting, rms force 1.0e-03, ")
    assert heard[-1].endswith(" evaluations")


def test_listeners_are_of_their_thread():
    heard = []
    with pulse.listening(heard.append):
        time.sleep(0.5)
        other = threading.Thread(target=pulse.tell, args=("elsewhere", 1))
        other.start()
        other.join()
    assert heard == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_long_job_does_reaches_whoever_waits(slow, workers):
    heard = []
    with Crew(slow, workers) as crew:
        crew.submit(1, Quench(), (0, 0, "gaussian"))
        quenched, _ = crew.result(1, lambda seconds, told: heard.append((seconds, told)))
    assert len(quenched.found) == 1
    seconds, texts = zip(*heard, strict=True)
    assert list(seconds) == sorted(seconds) and seconds[-1] > 2
    assert "walking, rms gradient 5.0e-01, " in texts[-1]


class Enough(Exception):
    """What a report of progress may raise."""


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_listener_raises_is_not_the_failure_of_the_job(slow, workers, caplog):
    def enough(seconds, told):
        raise Enough

    with Crew(slow, workers) as crew:
        crew.submit(1, Quench(), (0, 0, "gaussian"))
        with pytest.raises(Enough):
            crew.result(1, enough)
        assert "failed" not in caplog.text
        quenched, _ = crew.result(1)
    assert len(quenched.found) == 1


def test_progress_says_what_a_long_job_does(tmp_path, slow):
    land = nnp.Landscape.create(tmp_path / "a", slow, quenches=1, basin_hopping_runs=0)
    heard = []
    land.explore(lambda *progress: heard.append(progress))
    assert any(
        stage == "quenches" and text.startswith("walking, rms gradient 5.0e-01, ")
        for stage, _, _, text in heard
    )


def test_the_search_does_not_depend_on_who_listens(tmp_path, alone, ljat):
    land = nnp.Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    land.explore(lambda *_: None)
    assert contents(land) == contents(alone)


LONG = """
import time
import nnpotential as nnp
data = nnp.load_dataset("digits", n_train=1000, seed=0)
net = nnp.MLP([64, 300, 100, 10])
few = {"quenches": 1, "basin_hopping_runs": 0, "soft_modes": 0}
land = nnp.Landscape.create(%r, net, data, regularization=1e-5, **few)
print("begun", flush=True)
try:
    land.explore(workers=%d)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""


@pytest.mark.undisturbed
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_does_not_wait_for_compiled_code(tmp_path, workers):
    script = f"if __name__ == '__main__':\n{'    '.join(['', *LONG.splitlines(keepends=True)])}"
    path = tmp_path / "long.py"
    path.write_text(script % (str(tmp_path / "a"), workers))
    with subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            time.sleep(6)
            pressed = time.monotonic()
            process.send_signal(signal.SIGINT)
            caught = float(process.stdout.readline())
            assert process.wait(timeout=20) == 0
            ended = time.monotonic()
        finally:
            process.kill()
    assert caught - pressed < 1.0
    assert ended - pressed < 3.0  # and the interpreter has ended as well
