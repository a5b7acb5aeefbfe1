"""The kernel against JAX, PyTorch, scikit-learn and NumPy, side by side in one run.

    python benchmarks/kernel.py [--output DIR] [--repeats N] [--quick]

Every peer computes the same loss and gradient in float64 and is checked against
the kernel before it is timed. The process is pinned to one core, but for the
figures of two threads. Contestants take turns, so that a machine whose
speed drifts is fair to all; a figure is the median of the ratios of neighbouring
turns. Peers that are not installed are named in the table.
"""

import argparse
import inspect
import json
import os
import statistics
import sys
import time
import warnings
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

from common import label, machine, numpy_loss, pin_to_one_core

# isort: split
import numpy as np

import nnpotential as nnp

SHAPES = [
    ((3, 10, 4), 100),
    ((3, 10, 4), 1000),
    ((3, 10, 4), 10000),
    ((3, 5, 5, 5, 4), 1000),
    ((64, 10, 10), 1000),
    ((64, 20, 20, 10), 1797),
    ((784, 100, 100, 10), 10000),
]
REGULARIZATION = 1e-4


def problem(sizes, n, threads=1):
    """Data, kernel potential and a point."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, sizes[0])), rng.integers(sizes[-1], size=n)
    y[: sizes[-1]] = np.arange(sizes[-1])
    net = nnp.MLP(sizes)
    pot = nnp.NNPotential(net, X, y, regularization=REGULARIZATION, threads=threads)
    return net, X, y, pot, net.random_parameters(rng)


# Peers: each takes (net, X, y) and returns {what: function of x}


def peer_numpy(net, X, y):
    return {"gradient": numpy_loss(net.layer_sizes, X, y, REGULARIZATION)}


def peer_jax(net, X, y):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    Xj, yj = jnp.asarray(X), jnp.asarray(y)
    shapes = list(pairwise(net.layer_sizes))

    def loss(x):
        a, at = Xj, 0
        for depth, (n_in, n_out) in enumerate(shapes):
            W = x[at : at + n_in * n_out].reshape(n_out, n_in)
            at += n_in * n_out
            a = a @ W.T + x[at : at + n_out]
            at += n_out
            if depth + 1 < len(shapes):
                a = jnp.tanh(a)
        picked = jnp.take_along_axis(a, yj[:, None], axis=1)[:, 0]
        data = jnp.mean(jax.scipy.special.logsumexp(a, axis=1) - picked)
        return data + REGULARIZATION * jnp.sum(x**2)

    gradient, hessian = jax.jit(jax.value_and_grad(loss)), jax.jit(jax.hessian(loss))
    product = jax.jit(lambda x, v: jax.jvp(jax.grad(loss), (x,), (v,))[1])
    return {
        "gradient": lambda x: [np.asarray(part) for part in gradient(x)],
        "hessian": lambda x: np.asarray(hessian(x)),
        "product": lambda x: np.asarray(product(x, x)),
    }


def peer_torch(net, X, y):
    import torch

    torch.set_num_threads(1)
    Xt, yt = torch.as_tensor(X), torch.as_tensor(y)
    layers = []
    for n_in, n_out in pairwise(net.layer_sizes):
        layers += [torch.nn.Linear(n_in, n_out, dtype=torch.float64), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    parameters = list(model.parameters())

    def gradient(x):
        vector = torch.as_tensor(x)
        torch.nn.utils.vector_to_parameters(vector, parameters)
        loss = torch.nn.functional.cross_entropy(model(Xt), yt)
        grads = torch.autograd.grad(loss, parameters)
        g = torch.cat([part.reshape(-1) for part in grads]) + 2 * REGULARIZATION * vector
        return loss.item() + REGULARIZATION * float(x @ x), g.numpy()

    return {"gradient": gradient}


def peer_sklearn(net, X, y):
    from sklearn.neural_network import MLPClassifier

    n = len(y)
    # its penalty is alpha / (2 n) times the squared weights, without the biases
    model = MLPClassifier(
        net.hidden_sizes, activation="tanh", alpha=2 * n * REGULARIZATION, max_iter=1, solver="sgd"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    onehot = np.eye(net.layer_sizes[-1])[y]
    sizes = net.layer_sizes
    activations = [X] + [np.empty((n, size)) for size in sizes[1:]]
    deltas = [np.empty_like(a) for a in activations[1:]]
    coefs = [np.empty((a, b)) for a, b in pairwise(sizes)]
    intercepts = [np.empty(size) for size in sizes[1:]]
    weighted = "sample_weight" in inspect.signature(model._backprop).parameters

    def gradient(x):
        layers = net.split(x)
        model.coefs_ = [W.T for W, _ in layers]
        model.intercepts_ = [b for _, b in layers]
        middle = (None,) if weighted else ()
        loss, dW, db = model._backprop(X, onehot, *middle, activations, deltas, coefs, intercepts)
        biases = sum(float(b @ b) for _, b in layers)
        parts = [
            (G.T, g + 2 * REGULARIZATION * b) for G, g, (_, b) in zip(dW, db, layers, strict=True)
        ]
        return loss + REGULARIZATION * biases, net.join(parts)

    return {"gradient": gradient}


PEERS = {
    "JAX": peer_jax,
    "PyTorch": peer_torch,
    "scikit-learn": peer_sklearn,
    "NumPy": peer_numpy,
}


def seconds(function, x, least=0.02):
    """Seconds a call, from as many calls as fill `least` seconds."""
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            function(x)
        took = time.perf_counter() - start
        if took >= least:
            return took / calls
        calls = max(2 * calls, int(1.2 * calls * least / max(took, 1e-9)))


def duel(ours, theirs, x, repeats):
    """Median seconds of both and the ratios theirs / ours of neighbouring turns."""
    ours(x), theirs(x)
    a, b = [], []
    for _ in range(repeats):
        a.append(seconds(ours, x))
        b.append(seconds(theirs, x))
    ratios = sorted(q / p for p, q in zip(a, b, strict=True))
    return {
        "ours_us": 1e6 * statistics.median(a),
        "theirs_us": 1e6 * statistics.median(b),
        "ratio": statistics.median(ratios),
        "spread": [ratios[0], ratios[-1]],
    }


def against_peers(shapes, repeats, absent):
    rows = []
    for sizes, n in shapes:
        net, X, y, pot, x = problem(sizes, n)
        calls = {
            "gradient": pot.getEnergyGradient,
            "hessian": pot.getHessian,
            "product": lambda x, pot=pot: pot.hessian_vector_product(x, x),
        }
        for name, make in PEERS.items():
            try:
                peer = make(net, X, y)
            except ImportError:
                absent.add(name)
                continue
            for what, theirs in peer.items():
                if what == "hessian" and net.n_parameters > 3000:
                    continue
                same(calls[what](x), theirs(x), f"{name} {what} {label(sizes, n)}")
                turns = max(3, repeats // 3) if what == "hessian" else repeats
                row = duel(calls[what], theirs, x, turns)
                rows.append({"shape": label(sizes, n), "peer": name, "what": what} | row)
                print(f"{label(sizes, n)}: {what} {row['ratio']:.1f} x {name}", file=sys.stderr)
    return rows


def same(ours, theirs, where):
    """Refuse to time something else than what the kernel computes."""
    for a, b in zip(np.atleast_1d(ours[-1]), np.atleast_1d(theirs[-1]), strict=True):
        if not np.allclose(a, b, rtol=1e-6, atol=1e-9):
            raise SystemExit(f"{where} computes something else")


def own_costs(shapes, repeats):
    """Hessian and products in gradients, two threads, share of DGEMM."""
    rows = []
    for sizes, n in shapes:
        net, _, _, pot, x = problem(sizes, n)
        block = np.tile(x, (8, 1))
        row = {"shape": label(sizes, n)}
        row["product_in_gradients"] = (
            1
            / duel(
                lambda x, pot=pot: pot.hessian_vector_product(x, x),
                pot.getEnergyGradient,
                x,
                repeats,
            )["ratio"]
        )
        row["product_of_8_in_gradients_each"] = (
            1
            / duel(
                lambda x, pot=pot, block=block: pot.hessian_vector_product(x, block),
                pot.getEnergyGradient,
                x,
                repeats,
            )["ratio"]
            / 8
        )
        row["batch_of_8_in_gradients_each"] = (
            1
            / duel(
                lambda x, pot=pot, block=block: pot.energies_gradients(block),
                pot.getEnergyGradient,
                x,
                repeats,
            )["ratio"]
            / 8
        )
        if net.n_parameters <= 3000:
            row["hessian_in_gradients"] = (
                1 / duel(pot.getHessian, pot.getEnergyGradient, x, max(3, repeats // 3))["ratio"]
            )
        two = problem(sizes, n, threads=2)[3]
        with all_cores():
            fight = duel(two.getEnergyGradient, pot.getEnergyGradient, x, repeats)
        row["speed_up_of_2_threads"] = fight["ratio"]
        weights = [a * b for a, b in pairwise(sizes)]
        # forward, weight gradient, and back through all layers but the first
        flops = 2 * n * (2 * sum(weights) + sum(weights[1:]))
        a = np.random.default_rng(0).normal(size=(1000, 1000))
        fight = duel(pot.getEnergyGradient, lambda x, a=a: a @ a, x, repeats)
        rate, dgemm = flops / fight["ours_us"], 2e9 / fight["theirs_us"]
        row |= {"gflops": rate / 1e3, "share_of_dgemm": rate / dgemm}
        rows.append(row)
        print(row, file=sys.stderr)
    return rows


def growth(quick):
    """Fitted exponents of the gradient's cost in N, width and depth."""
    top = 5 if quick else 6
    series = {
        "N, 3-10-4": [((3, 10, 4), 10**k) for k in range(2, top + 1)],
        "width, 64-w-10, N=1000": [((64, w, 10), 1000) for w in (16, 32, 64, 128, 256)],
        "depth, 3-(10 each)-4, N=1000": [((3, *[10] * d, 4), 1000) for d in (2, 4, 8, 16)],
    }
    sizes = {
        "N, 3-10-4": lambda s, n: n,
        "width, 64-w-10, N=1000": lambda s, n: s[1],
        "depth, 3-(10 each)-4, N=1000": lambda s, n: len(s) - 2,
    }
    rows = []
    for name, shapes in series.items():
        cost = []
        for s, n in shapes:
            _, _, _, pot, x = problem(s, n)
            pot.getEnergyGradient(x)
            cost.append(min(seconds(pot.getEnergyGradient, x) for _ in range(5)))
        variable = [sizes[name](s, n) for s, n in shapes]
        exponent = float(np.polyfit(np.log(variable), np.log(cost), 1)[0])
        rows.append(
            {"of": name, "values": variable, "us": [1e6 * c for c in cost], "exponent": exponent}
        )
    return rows


@contextmanager
def all_cores():
    """Lift the pinning to one core, for what runs on two threads."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count()))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(values)))) if values else float("nan")


def markdown(result):
    lines = ["# Kernel benchmark", "", f"Machine: {result['machine']}", ""]
    lines += [f"`{result['command']}`", "", f"Engine: {result['engine']}", ""]
    if result["absent"]:
        lines += [f"Not installed: {', '.join(result['absent'])}", ""]
    lines += ["## Against peers, one thread", ""]
    lines += ["| what | shape | peer | kernel us | peer us | ratio | lowest to highest |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    for r in result["peers"]:
        low, high = r["spread"]
        lines.append(
            f"| {r['what']} | {r['shape']} | {r['peer']} | {r['ours_us']:.1f} "
            f"| {r['theirs_us']:.1f} | {r['ratio']:.2f} | {low:.2f} to {high:.2f} |"
        )
    lines += ["", "Geometric means of the ratios: " + "; ".join(result["means"]), ""]
    lines += ["## Its own costs", ""]
    keys = [k for k in result["own"][0] if k != "shape"]
    lines += ["| shape | " + " | ".join(k.replace("_", " ") for k in keys) + " |"]
    lines += ["| --- " * (len(keys) + 1) + "|"]
    for r in result["own"]:
        cells = [f"{r[k]:.2f}" if k in r else "-" for k in keys]
        lines.append(f"| {r['shape']} | " + " | ".join(cells) + " |")
    lines += ["", "## Growth", "", "| of | us | exponent |", "| --- | --- | --- |"]
    for r in result["growth"]:
        us = ", ".join(f"{v}: {t:.0f}" for v, t in zip(r["values"], r["us"], strict=True))
        lines.append(f"| {r['of']} | {us} | {r['exponent']:.2f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--repeats", type=int, default=15, help="turns of each duel")
    parser.add_argument("--quick", action="store_true", help="without the largest shape")
    options = parser.parse_args()
    pin_to_one_core()
    shapes = SHAPES[:-1] if options.quick else SHAPES
    absent = set()
    peers = against_peers(shapes, options.repeats, absent)
    means = []
    for what in ("gradient", "hessian", "product"):
        for name in PEERS:
            ratios = [r["ratio"] for r in peers if r["peer"] == name and r["what"] == what]
            if ratios:
                means.append(f"{what} {geometric_mean(ratios):.2f} x {name}")
    result = {
        "machine": machine(),
        "command": "python " + " ".join(sys.argv),
        "engine": problem(*SHAPES[0])[3].engine,
        "absent": sorted(absent),
        "peers": peers,
        "means": means,
        "own": own_costs(shapes, options.repeats),
        "growth": growth(options.quick),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "kernel.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "kernel.md").write_text(markdown(result))
    print(markdown(result))


if __name__ == "__main__":
    main()
