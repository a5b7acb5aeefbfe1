"""`TorchSystem` against the kernel on the same network, side by side in one run.

    python benchmarks/torch_system.py [--output DIR] [--seconds S]

Both are in one process pinned to one core and take turns; a figure is the median
of the times, a ratio the median of the ratios of neighbouring turns. Products are at
one point again and again, as a search asks for them. Written as `torch_system.md`.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

from common import label, machine, pin_to_one_core

# isort: split
import numpy as np

import nnpotential as nnp

SIZES = (3, 10, 4)
SAMPLES = (1000, 10000)
REGULARIZATION = 1e-4
VECTORS = 8


def systems(n):
    from torch import nn

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, SIZES[0])), np.arange(n) % SIZES[-1]
    data = nnp.Dataset(X, y, X[:0], y[:0])
    module = nn.Sequential(nn.Linear(3, 10), nn.Tanh(), nn.Linear(10, 4))
    options = {"regularization": REGULARIZATION}
    kernel = nnp.NNSystem(nnp.MLP(SIZES), data, **options)
    return kernel.potential, nnp.TorchSystem(module, "cross_entropy", data, **options).potential


def tasks(x):
    """What is timed: name, and function of a potential."""
    V = np.random.default_rng(1).normal(size=(VECTORS, x.size))
    return {
        "gradient": lambda potential: potential.getEnergyGradient(x)[1],
        "Hessian": lambda potential: potential.getHessian(x),
        "product with a vector": lambda potential: potential.hessian_vector_product(x, V[0]),
        f"product with {VECTORS} vectors": lambda potential: potential.hessian_vector_product(x, V),
    }


def timed(function, potential):
    began = time.perf_counter()
    function(potential)
    return time.perf_counter() - began


def compare(seconds):
    """Rows: shape, task, agreement, median times, median ratio."""
    for n in SAMPLES:
        kernel, ours = systems(n)
        x = nnp.MLP(SIZES).random_parameters(np.random.default_rng(2))
        for name, task in tasks(x).items():
            a, b = task(kernel), task(ours)
            agreement = float(np.abs(a - b).max() / np.abs(a).max())
            turns, until = [], time.perf_counter() + seconds
            while len(turns) < 5 or time.perf_counter() < until:
                turns.append((timed(task, kernel), timed(task, ours)))
            times = [statistics.median(t) for t in zip(*turns, strict=True)]
            ratio = statistics.median(b / a for a, b in turns)
            yield label(SIZES, n), name, agreement, *times, ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    options = parser.parse_args()
    pin_to_one_core()
    import torch

    lines = [
        "# `TorchSystem` beside the kernel",
        "",
        f"{machine()}, torch {torch.__version__}, one thread, float64, tanh, cross-entropy; "
        "products at one point again and again.",
        "",
        "| network | what | largest difference, relative | kernel | TorchSystem | ratio |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    print(*lines, sep="\n")
    for shape, name, agreement, kernel, ours, ratio in compare(options.seconds):
        times = f"{1e3 * kernel:.3g} ms | {1e3 * ours:.3g} ms | {ratio:.1f}"
        lines.append(f"| {shape} | {name} | {agreement:.0e} | {times} |")
        print(lines[-1], flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "torch_system.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
