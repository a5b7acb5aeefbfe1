import fcntl
import os
import sys
import threading
from contextlib import ExitStack
from itertools import combinations

import numpy as np
import pytest
from landscapes import FEW, NET, SEARCH, copy_of

import nnpotential as nnp
from nnpotential import Landscape
from nnpotential.cli import main
from nnpotential.points.saddle import find_transition_state


def pytest_terminal_summary(terminalreporter):
    """How many blocks of code in the documentation ran, and why others did not."""
    said = [dict(report.user_properties) for report in terminalreporter.getreports("passed")]
    counts = [properties["blocks"] for properties in said if "blocks" in properties]
    if counts:
        skipped = [reason for _, reasons in counts for reason in reasons]
        why = f" ({', '.join(sorted(set(skipped)))})" if skipped else ""
        ran = sum(ran for ran, _ in counts)
        terminalreporter.write_line(
            f"blocks of code in the documentation: {ran} ran, {len(skipped)} did not{why}"
        )


@pytest.fixture(autouse=True)
def _undisturbed(request, tmp_path_factory):
    """Where tests run side by side, one that goes by the clock runs while no other does."""
    if "PYTEST_XDIST_TESTRUNUID" not in os.environ:
        yield
        return
    place = tmp_path_factory.getbasetemp().parent  # of all processes of this run
    sole = request.node.get_closest_marker("undisturbed") is not None
    with ExitStack() as locks:
        # who waits for the others keeps further ones from starting
        with open(place / "gate", "w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            running = locks.enter_context(open(place / "running", "w"))
            fcntl.flock(running, fcntl.LOCK_EX if sole else fcntl.LOCK_SH)
        yield


@pytest.fixture(scope="session")
def iris():
    return nnp.load_dataset("iris", n_train=60, n_test=60, seed=0)


@pytest.fixture(scope="session")
def ljat():
    return nnp.load_dataset("ljat", n_train=50, n_test=50, seed=0)


@pytest.fixture(scope="session")
def system(ljat):
    """A small landscape with some ten minima."""
    return nnp.NNSystem(nnp.MLP([3, 4, 4]), ljat, regularization=1e-3)


@pytest.fixture(scope="session")
def quenched(system):
    """Ten quenched minima of `system`."""
    minimize = system.get_minimizer()
    rng = np.random.default_rng(0)
    return [minimize(system.net.random_parameters(rng)) for _ in range(10)]


@pytest.fixture(scope="session")
def alone(tmp_path_factory, ljat):
    """A landscape that one process explored without interruption."""
    path = tmp_path_factory.mktemp("alone") / "a"
    land = Landscape.create(path, NET, ljat, regularization=1e-3, seed=5, **FEW)
    land.explore()
    return land


@pytest.fixture(scope="session")
def net():
    return NET


@pytest.fixture(scope="session")
def explored(tmp_path_factory, net, ljat):
    """Another one, with soft modes followed; not to be changed, see `copy_of`."""
    path = tmp_path_factory.mktemp("land") / "a"
    land = Landscape.create(path, net, ljat, regularization=1e-3, seed=3, **SEARCH)
    land.explore()
    return land


@pytest.fixture(scope="session")
def small(tmp_path_factory, system):
    """The landscape of `system`; not to be changed, see `mapped`."""
    path = tmp_path_factory.mktemp("small") / "a"
    land = Landscape.create(path, system.net, system.data, regularization=1e-3, seed=1, **FEW)
    land.explore()
    return land


@pytest.fixture
def mapped(tmp_path, small):
    """A copy of `small`, to be changed."""
    return Landscape.open(copy_of(small, tmp_path))


@pytest.fixture(scope="session")
def candidates(system, quenched):
    """Points between two minima, and the lines' directions."""
    minima = []
    for found in sorted(quenched, key=lambda r: r.energy):
        if not any(system.identity.are_same(found.coords, other) for other in minima):
            minima.append(found.coords)
    tops = []
    for first, second in list(combinations(minima[:4], 2)):
        _, image = system.identity.align(first, second)
        line = image - first
        points = first + np.linspace(0.05, 0.95, 19)[:, np.newaxis] * line
        top = int(np.argmax([system.potential.getEnergy(x) for x in points]))
        tops.append((points[top], line / np.linalg.norm(line)))
    return tops


@pytest.fixture(scope="session")
def saddle_point(system, candidates):
    """A transition state, from the dense search."""
    pot, zero = system.potential, system.identity.zero_modes()
    found = (find_transition_state(x, pot, zero, direction=d) for x, d in candidates)
    return next(result for result in found if result.success)


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


@pytest.fixture
def land(tmp_path, ljat):
    """Not explored yet; explored, it is as `alone`."""
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    yield land
    land.close()


@pytest.fixture
def searching(land):
    """Start a search in a thread of its own, which waits for `go` after some steps."""
    failures, threads = [], []

    def start(**options):
        def search():
            try:
                land.explore(**options)
            except BaseException as error:
                failures.append(error)

        threads.append(threading.Thread(target=search))
        threads[0].start()
        return threads[0], failures

    yield start
    for thread in threads:
        thread.join()


@pytest.fixture
def box():
    """A landscape that is known exactly."""
    return nnp.EggBox()


@pytest.fixture
def database(box):
    """An empty one for its points."""
    return box.create_database()
