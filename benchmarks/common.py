"""What the benchmarks share. Import it before NumPy: it sets the number of threads.

It needs NumPy only, so that a peer can import it in an environment of its own.
"""

import os
import platform
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402


def label(sizes, n):
    return f"{'-'.join(map(str, sizes))}, N={n}"


def machine():
    model = platform.processor()
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
                break
    else:
        done = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, check=False
        )
        model = done.stdout.decode().strip()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def pin_to_one_core():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class TimeUp(BaseException):
    """Not an Exception, so that no contestant catches it."""


@contextmanager
def time_limit(seconds):
    """Cut off what runs inside after so many seconds of CPU time.

    On a machine shared with others it is fairer than time by the clock.
    """

    def stop(signum, frame):
        raise TimeUp

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except TimeUp:
        pass
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Finds:
    """Points, and after how many seconds of CPU time each was found."""

    def __init__(self):
        self.points, self.seconds = [], []
        self.pairs = 0  # gone through
        self.took = 0.0
        self._started = time.process_time()

    def add(self, x):
        self.points.append(np.array(x))
        self.seconds.append(self.now())

    def now(self):
        return time.process_time() - self._started

    @contextmanager
    def within(self, budget):
        """The time of the search; what it found before it was cut off stays."""
        self._started = time.process_time()
        with time_limit(budget):
            yield
        self.took = self.now()


class Triples(Finds):
    """Transition states and the two minima that a contestant names for each."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def add(self, x, *ends):
        super().add(x)
        self.ends.append([np.array(end) for end in ends])

    def save(self, path, **more):
        n = self.points[0].size if self.points else 0
        np.savez(
            path,
            seconds=self.seconds,
            states=np.reshape(self.points, (-1, n)),
            ends=np.reshape(self.ends, (-1, 2, n)),
            spent=self.took,
            **more,
        )


def write_table(lines, folder, name):
    """Print lines of Markdown, and keep them among the results."""
    print(*lines, sep="\n")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def peak_memory():
    """Largest resident size of this process so far, in MiB."""
    if sys.platform == "linux":  # where ru_maxrss begins with that of the parent
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def numpy_loss(sizes, X, y, regularization):
    """Loss and gradient of a tanh network with cross-entropy, in plain NumPy."""
    rows = np.arange(len(y))

    def split(x):
        at, layers = 0, []
        for n_in, n_out in pairwise(sizes):
            W = x[at : at + n_in * n_out].reshape(n_out, n_in)
            at += n_in * n_out
            layers.append((W, x[at : at + n_out]))
            at += n_out
        return layers

    def gradient(x):
        layers, activations = split(x), [X]
        for depth, (W, b) in enumerate(layers):
            z = activations[-1] @ W.T + b
            activations.append(np.tanh(z) if depth + 1 < len(layers) else z)
        f = activations[-1] - activations[-1].max(axis=1, keepdims=True)
        p = np.exp(f)
        total = p.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(total[:, 0]) - f[rows, y])) + regularization * float(x @ x)
        delta = p / total
        delta[rows, y] -= 1
        delta /= len(y)
        parts = []
        for (W, _), a in zip(layers[::-1], activations[-2::-1], strict=True):
            parts += [delta.sum(axis=0), (delta.T @ a).ravel()]
            delta = (delta @ W) * (1 - a * a)
        return loss, np.concatenate(parts[::-1]) + 2 * regularization * x

    return gradient
