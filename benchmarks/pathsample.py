"""PATHSAMPLE and OPTIM as contestants: their input, their runs, and what they leave behind.

They come with PyPI's pylfl 0.3.5 (extra `[peers]`), binaries of June 2021. Linux only: their
CPU time is read from /proc, since PATHSAMPLE leaves all work to OPTIM's processes.
"""

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np

from nnpotential.exchange.programs import (
    optim_input,
    parameter_order,
    pathsample_input,
    write_loss,
)

# What the programs count as one minimum, the band (images, iterations, rms force), and whether
# minima are handed over as the images nearest to the lowest
SETTINGS = {
    "PATHSAMPLE, short band": {"window": "1.0D-9", "band": "15 60 0.001", "near": True},
    "PATHSAMPLE, group's": {"window": "1.0D-4", "band": "100 350 0.0001", "near": False},
}
JOINING = "CONNECTUNC LOWEST"
_TO_JOIN = 0.75  # of the time, at most
# SHORTCUT and FREEPAIRS stop in these binaries when they read the points of a network
LOWERING = "UNTRAP 0.0001 1.0"
_POLL = 0.05  # seconds between two looks at what a program has found


def programs():
    """The folder of the binaries, None where pylfl is not installed."""
    spec = find_spec("pylfl")
    return spec and Path(spec.submodule_search_locations[0]) / "bin" / "linux"


def aligned(system, minima):
    """The images of minima that are nearest to the first."""
    first, *others = minima
    return np.array([first, *(system.identity.align(first, x)[1] for x in others)])


def write_minima(folder, system, task, near):
    """A database of minima, if `near` the images nearest to the lowest, the first.

    With several hidden layers the programs round lambda to single precision, which changes
    losses by more than the window in which minima are one.
    """
    sizes, penalty = task["sizes"], float(task["regularization"])
    rounding = float(np.float32(penalty)) - penalty if len(sizes) > 3 else 0.0
    minima = task["minima"]
    if near:
        minima = aligned(system, minima)
    with open(folder / "min.data", "w") as file:
        for x in minima:
            energy, _, hessian = system.potential.getEnergyGradientHessian(x)
            determinant = np.linalg.slogdet(hessian)[1]
            energy += rounding * float(x @ x)
            file.write(f"{energy:25.15f} {determinant:25.15f} 1 1.0 1.0 1.0\n")
    minima[:, parameter_order(sizes)].tofile(folder / "points.min")
    for name in ("ts.data", "points.ts"):
        (folder / name).touch()
    for name, number in (("min.A", 1), ("min.B", 2)):
        (folder / name).write_text(f"1\n{number}\n")


def read_triples(folder, sizes):
    """Transition states and the two minima that the program names for each, in our order.

    It may have been stopped while it wrote: what is not whole is left out.
    """
    minima, states = (_read_points(folder / name, sizes) for name in ("points.min", "points.ts"))
    rows = (folder / "ts.data").read_text().rpartition("\n")[0].splitlines()[: len(states)]
    ends = np.array([row.split()[3:5] for row in rows], dtype=int).reshape(-1, 2) - 1
    return states[: len(rows)], minima[ends]


def _read_points(path, sizes):
    places = parameter_order(sizes)
    numbers = np.fromfile(path)
    whole = numbers[: numbers.size // places.size * places.size]
    return whole.reshape(-1, places.size)[:, np.argsort(places)]


def search(system, task, settings):
    """A whole search within a budget of CPU seconds, as `common.Triples` are saved."""
    budget = float(task["seconds"])
    # the path of a program must be short
    with tempfile.TemporaryDirectory(prefix="ps", dir="/tmp") as folder:
        search = _Search(Path(folder), system, task, **SETTINGS[settings])
        for seed in count(int(task["seed"]) + 1):
            before = search.spent
            for mode, until in ((JOINING, budget * _TO_JOIN), (LOWERING, budget)):
                search.run(mode, seed, until)
            if search.spent >= budget or search.spent < before + 1:
                break  # in the second case nothing is left that it would try
        states, ends = read_triples(search.folder, task["sizes"])
    seconds = (search.seconds + [search.spent] * len(states))[: len(states)]
    return {"seconds": seconds, "states": states, "ends": ends, "spent": search.spent}


class _Search:
    """One database, to which one run after another adds.

    ``seconds`` of CPU time had passed when each transition state was seen, and ``spent``
    by now.
    """

    def __init__(self, folder, system, task, near, band, window):
        self.folder, self.seconds, self.spent = folder, [], 0.0
        for name in ("OPTIM", "PATHSAMPLE"):
            shutil.copy(programs() / name, folder / name)
            (folder / name).chmod(0o755)
        penalty = float(task["regularization"])
        self._loss, self._files = write_loss(folder, task["sizes"], task["X"], task["y"], penalty)
        write_minima(folder, system, task, near)
        self._window = window
        (folder / "odata.connect").write_text(optim_input(self._loss, band, window))

    def run(self, mode, seed, until):
        """Let PATHSAMPLE work until it ends by itself or so much is spent."""
        if self.spent >= until:
            return
        pathdata = pathsample_input(
            self._loss,
            self._files,
            window=self._window,
            optim=str(self.folder / "OPTIM"),
            mode=f"CYCLES 5000\n{mode}",
            seed=seed,
        )
        (self.folder / "pathdata").write_text(pathdata)
        before, waited = self.spent, _waited_for()
        with open(self.folder / "out", "a") as out:
            process = subprocess.Popen(
                [self.folder / "PATHSAMPLE"],
                cwd=self.folder,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        while process.poll() is None and self.spent < until:
            time.sleep(_POLL)
            self.spent = max(self.spent, before + cpu_seconds(process.pid))
            n = (self.folder / "ts.data").read_bytes().count(b"\n")
            self.seconds += [self.spent] * (n - len(self.seconds))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and its OPTIM
        process.wait()
        self.spent = max(self.spent, before + _waited_for() - waited)


def _waited_for():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def cpu_seconds(session):
    """CPU time of all processes of a session, and of those that they waited for."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
