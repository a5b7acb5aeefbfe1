"""pele's GUI in a real window, on a display of its own with OpenGL in software."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import pytest
from landscapes import FEW

import nnpotential as nnp
from nnpotential.lock import held
from nnpotential.storage import UNVERIFIED, is_verified, notes, points_from_outside
from nnpotential.view import gui

STEPS = Path(__file__).with_name("windows.py")
SCRIPT = Path(__file__).parents[2] / "scripts" / "open_gui.py"


def torch_module():
    nn = pytest.importorskip("torch").nn
    module = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 3, 3, stride=3),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(12, 10),
    )
    data = nnp.load_dataset("digits", n_train=40, n_test=40, seed=0)
    return nnp.TorchSystem(module, data=data, regularization=1e-2)


OTHERS = {
    "torch": torch_module,
    "lj7": lambda: nnp.LennardJonesCluster(7),
    "egg_box": nnp.EggBox,
    "linear_autoencoder": nnp.LinearAutoencoder,
}


@pytest.fixture(scope="session")
def display():
    """A display of Xvfb's, with OpenGL."""
    if not (find_spec("PyQt5") and find_spec("OpenGL")):
        pytest.skip("the extra [gui] is not installed")
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no Xvfb")
    ours, theirs = os.pipe()
    screen = ("-screen", "0", "1400x1000x24", "+extension", "GLX", "-nolisten", "tcp", "-noreset")
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(theirs), *screen],
        pass_fds=[theirs],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    with open(ours) as pipe:
        number = pipe.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait()


def environment(display):
    # no configuration of the user's, no other platform of Qt's
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QT_", "PYOPENGL", "MPL"))}
    path = os.pathsep.join(filter(None, [str(Path(nnp.__file__).parents[1]), *sys.path]))
    return {**kept, "DISPLAY": display, "PYTHONPATH": path, "LIBGL_ALWAYS_SOFTWARE": "1"}


@contextmanager
def process(display, *arguments):
    """A process with a window; whatever happens it does not stay."""
    started = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=environment(display),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def drive(display, steps, land, shots):
    with process(display, STEPS, steps, land.path, shots) as user:
        out, err = user.communicate(timeout=300)
    assert user.returncode == 0, err
    assert "Traceback" not in err
    assert out == ""


def command(display, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "nnpotential", *map(str, arguments)],
        env=environment(display),
        capture_output=True,
        text=True,
        timeout=120,
    )


def wait_for(condition, user=None, seconds=60):
    end = monotonic() + seconds
    while not condition():
        assert user is None or user.poll() is None, user.communicate()[1]
        assert monotonic() < end, "waited in vain"
        sleep(0.1)


@pytest.fixture
def land(alone, tmp_path):
    """An explored network of which a test may do what it likes."""
    shutil.copytree(alone.path, tmp_path / "land")
    return nnp.Landscape.open(tmp_path / "land")


@pytest.fixture(scope="session")
def little(ljat, tmp_path_factory):
    few = {**FEW, "quenches": 2, "basin_hopping_runs": 0, "untrap_attempts": 0, "audit_sample": 0}
    path = tmp_path_factory.mktemp("little") / "a"
    net = nnp.MLP([3, 4, 4])
    land = nnp.Landscape.create(path, net, ljat, regularization=1e-3, seed=1, **few)
    land.explore()
    land.close()
    return path


@pytest.fixture
def begun(little, tmp_path):
    """A landscape of which most is still to be found, by runs that are random."""
    shutil.copytree(little, tmp_path / "begun")
    return nnp.Landscape.open(tmp_path / "begun")


@pytest.mark.parametrize("steps", ["minima", "paths", "graphs"])
def test_a_network_is_browsed(display, land, tmp_path, steps):
    drive(display, steps, land, tmp_path / "shots")
    assert len(list((tmp_path / "shots").glob("*.png"))) >= 4


def test_runs_feed_the_landscape(display, begun, tmp_path):
    land = begun
    known = {m.id() for m in land.database.minima()}
    states = land.database.number_of_transition_states()
    drive(display, "runs", land, tmp_path / "shots")
    new, _ = points_from_outside(land.database, [])
    assert len(new) >= 2 and not known & set(new)
    assert land.database.number_of_transition_states() > states
    assert land.summary()["n_from_outside"] > 0
    assert UNVERIFIED not in {outcome for *_, outcome in land.verify(repair=True)}
    assert points_from_outside(land.database, []) == [[], []]
    assert {m.id() for m in land.database.minima()} >= known
    verified = [m for m in land.database.minima() if is_verified(m)]
    assert sum("outside" in notes(m) for m in verified) >= 2


def test_the_next_search_takes_them_up(display, begun, tmp_path):
    before = begun.summary()["n_minima"]
    drive(display, "runs", begun, tmp_path / "shots")
    figures = begun.explore()
    assert figures["n_from_outside"] == 0
    assert figures["n_minima"] > before


@pytest.mark.parametrize("name", OTHERS)
def test_any_system_is_drawn(display, tmp_path, name):
    land = nnp.Landscape.create(tmp_path / name, OTHERS[name](), seed=0, **FEW)
    land.explore(stages=("minima",), quenches=3, basin_hopping_runs=1)
    drive(display, "any_system", land, tmp_path / "shots")


def test_a_large_network_is_drawn(display, tmp_path):
    data = nnp.load_dataset("digits", n_train=60, n_test=60, seed=0)
    land = nnp.Landscape.create(
        tmp_path / "land", nnp.MLP([64, 20, 10]), data, regularization=1e-2, seed=0, **FEW
    )
    land.explore(stages=("minima",), quenches=2, basin_hopping_runs=0)
    drive(display, "any_system", land, tmp_path / "shots")


def test_a_landscape_that_another_process_explores_is_read(display, land, tmp_path):
    land.close()
    file = land.path / "landscape.sqlite"
    before = file.read_bytes()
    with held(land.path):
        drive(display, "reading", land, tmp_path / "shots")
    assert file.read_bytes() == before


def test_a_crash_costs_nothing(display, begun, tmp_path):
    land = begun
    before = land.database.number_of_minima()
    with process(display, STEPS, "waiting", land.path, tmp_path) as user:
        wait_for((tmp_path / "worker").exists, user)
        worker = int((tmp_path / "worker").read_text(encoding="utf-8"))
        user.kill()
        user.wait()
    wait_for(lambda: not is_running(worker))
    land = nnp.Landscape.open(land.path)
    assert land.database.number_of_minima() > before
    assert UNVERIFIED not in {outcome for *_, outcome in land.verify(repair=True)}
    assert any("outside" in notes(m) for m in land.database.minima() if is_verified(m))


def is_running(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


def is_held(path):
    try:
        with held(path):
            return False
    except nnp.InputError:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_terminal_ends_it(display, begun, tmp_path, number):
    land = begun
    with process(display, STEPS, "waiting", land.path, tmp_path) as user:
        wait_for((tmp_path / "worker").exists, user)
        os.killpg(user.pid, number)  # a terminal sends it to the runs as well
        out, err = user.communicate(timeout=20)
    assert (user.returncode, out) == (0, ""), err
    assert "Traceback" not in err
    assert not is_held(land.path)
    assert not is_running(int((tmp_path / "worker").read_text(encoding="utf-8")))


@pytest.mark.skipif(shutil.which("xdotool") is None, reason="there is no xdotool")
def test_the_command_opens_a_window_that_can_be_clicked(display, land, tmp_path):
    """The buttons of a real mouse; where the steps click by Qt's own."""
    with process(display, STEPS, "clicked", land.path, tmp_path) as user:
        assert len(named_windows(display, user, f"^{land.path.name}: ")) == 1
        for name in ("row", "button"):
            wait_for((tmp_path / name).exists, user)
            where = (tmp_path / name).read_text(encoding="utf-8").split()
            xdotool(display, "mousemove", *where, "click", "1")
        assert named_windows(display, user, "^Normal modes$")
        user.send_signal(signal.SIGINT)
        out, err = user.communicate(timeout=20)
    assert (user.returncode, out) == (0, ""), err
    assert "Traceback" not in err


def named_windows(display, user, name):
    found = []

    def search():
        found[:] = xdotool(display, "search", "--onlyvisible", "--name", name).split()
        return bool(found)

    wait_for(search, user)
    return found


def xdotool(display, *arguments):
    done = subprocess.run(
        ["xdotool", *arguments], env=environment(display), capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("xdotool") is None, reason="there is no xdotool")
def test_the_script_opens_it(display, land):
    with process(display, SCRIPT, land.path) as user:
        named_windows(display, user, f"^{land.path.name}: ")
        user.send_signal(signal.SIGINT)
        out, err = user.communicate(timeout=60)
    assert user.returncode == 0, err
    assert out.splitlines()[-1].endswith(" minima, all verified")


def test_bad_input_is_one_line(display, land, tmp_path):
    nobody = environment(display) | {"DISPLAY": ":98765"}
    nowhere = {k: v for k, v in nobody.items() if k != "DISPLAY"}
    for env, place, why in (
        (nowhere, land.path, "error: the GUI needs a display, and DISPLAY is not set"),
        (nobody, land.path, "error: the GUI cannot open a window: "),
        (environment(display), tmp_path / "none", f"error: there is no landscape at {tmp_path}"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "nnpotential", "gui", str(place)],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2
        assert done.stderr.startswith(why), done.stderr
        assert done.stderr.count("\n") == 1 and not done.stdout


def test_the_extra_is_asked_for(monkeypatch):
    monkeypatch.setattr(gui, "find_spec", lambda name: None)
    with pytest.raises(nnp.InputError, match=r"pip install 'nnpotential\[gui\]'"):
        gui.check_gui()


def test_help_names_the_extra():
    done = command("", "gui", "--help")
    assert done.returncode == 0 and "[gui]" in done.stdout
