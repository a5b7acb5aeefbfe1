"""The kernel against its bound and against JAX, PyTorch, scikit-learn and NumPy, in one run.

    python benchmarks/kernel.py [--output DIR] [--repeats N] [--quick]

The bound is the time of the method's products of matrices at the rate of DGEMM, and of
its tanh, exp and log at that of the fastest vector library here, all measured in the
same run; "BLAS at its sizes" is that time with each product made by BLAS as one call.
A Hessian counts its gradient, each second derivative once (half of a layer's with itself,
by symmetry in the units and in the inputs), and the matrices these are made of, with all
outputs, of which the kernel leaves out the last: its second derivatives follow from the others'.
Making the columns of those products, moving their results into place, the lower triangle, and
for products of matrices as small as these the rate that DGEMM has on large ones, count nothing,
which is most of what networks of few units leave above the bound. By a profile on an AMD EPYC
(AVX-512), a Hessian of 3-5-5-5-4 with N=1000 spends 62 % of its time in the sums over samples and
in making their columns, and 17 % on second derivatives from layer to layer, in products with a
depth of 5; that of 3-10-4 with N=100 spends 19 % on placing the results and the lower triangle,
with the check that all is finite. Of a block of 8 products (3-10-4, N=1000) 52 % are products of
matrices with a depth of 3 to 10, and 23 % sums over samples. The former load and store as long as
they multiply: there a store of 8 doubles takes two cycles and a fused multiplication and addition
of them one, and a loop over 128 samples in the nearest cache that does nothing else, in blocks of
5 rows with two results a value, takes 2.2 times its multiplications at a depth of 3 and 1.5 times
at one of 8.

Every peer computes the same loss and gradient, in float64 beside the kernel in double
precision and in float32 beside the kernel in single precision; these are checked against
the kernel in double precision before they are timed. All else is in double precision. The
process is pinned to one core, but for the figures of two threads, and its own time on it is
counted, so that other processes do not. Contestants take turns, and so do the kernel and the rates
of its bound, so that a machine whose speed drifts is fair to all; a ratio is the median over
neighbouring turns. Peers that are not
installed are named in the table.
"""

import argparse
import inspect
import json
import math
import os
import statistics
import sys
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from functools import cache, partial
from itertools import pairwise, product
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


# Peers: each takes (net, X, y), X in the precision wanted, and returns {what: function of x}


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
        layers += [torch.nn.Linear(n_in, n_out, dtype=Xt.dtype), torch.nn.Tanh()]
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
    onehot = np.eye(net.layer_sizes[-1], dtype=X.dtype)[y]
    sizes = net.layer_sizes
    activations = [X] + [np.empty((n, size), X.dtype) for size in sizes[1:]]
    deltas = [np.empty_like(a) for a in activations[1:]]
    coefs = [np.empty((a, b), X.dtype) for a, b in pairwise(sizes)]
    intercepts = [np.empty(size, X.dtype) for size in sizes[1:]]
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


def seconds(function, *arguments, least=0.005, clock=time.process_time):
    """Seconds a call, from as many calls as fill `least` seconds."""
    calls = 1
    while True:
        start = clock()
        for _ in range(calls):
            function(*arguments)
        took = clock() - start
        if took >= least:
            return took / calls
        calls = max(2 * calls, int(1.2 * calls * least / max(took, 1e-9)))


def best(function, *arguments, turns=5):
    function(*arguments)
    return min(seconds(function, *arguments) for _ in range(turns))


def duel(ours, theirs, turns, **how):
    """Median seconds of both and the ratios theirs / ours of neighbouring turns."""
    ours(), theirs()
    a, b = [], []
    for _ in range(turns):
        a.append(seconds(ours, **how))
        b.append(seconds(theirs, **how))
    ratios = sorted(q / p for p, q in zip(a, b, strict=True))
    return {
        "ours_us": 1e6 * statistics.median(a),
        "theirs_us": 1e6 * statistics.median(b),
        "ratio": statistics.median(ratios),
        "spread": [ratios[0], ratios[-1]],
    }


def methods(pot, x):
    """What is timed: {name: function without arguments}."""
    block = np.random.default_rng(1).normal(size=(8, len(x)))
    calls = {
        "gradient": lambda: pot.getEnergyGradient(x),
        "product": lambda: pot.hessian_vector_product(x, x),
        "product of 8": lambda: pot.hessian_vector_product(x, block),
    }
    if len(x) <= 3000:
        calls["hessian"] = lambda: pot.getHessian(x)
    return calls


def against_peers(shapes, repeats, absent):
    rows = []
    for sizes, n in shapes:
        net, X, y, pot, x = problem(sizes, n)
        exact, single = methods(pot, x), methods(pot.single(), x)
        for name, precision in product(PEERS, (np.float64, np.float32)):
            try:
                peer = PEERS[name](net, X.astype(precision), y)
            except ImportError:
                absent.add(name)
                continue
            calls = exact
            if precision is np.float32:
                name, calls = name + " float32", single
            x_there = x.astype(precision)
            for what, function in peer.items():
                if what == "hessian" and (net.n_parameters > 1000 or precision is np.float32):
                    continue
                theirs = partial(function, x_there)
                for found in (calls[what](), theirs()):
                    same(exact[what](), found, precision, f"{name} {what} {label(sizes, n)}")
                turns = max(3, repeats // 3) if what == "hessian" else repeats
                row = duel(calls[what], theirs, turns)
                rows.append({"shape": label(sizes, n), "peer": name, "what": what} | row)
                print(f"{label(sizes, n)}: {what} {row['ratio']:.2f} x {name}", file=sys.stderr)
    return rows


def same(ours, theirs, precision, where):
    """Refuse to time something else than what the kernel computes in double precision."""
    tolerance = 1e-6 if precision is np.float64 else 1e-3
    a, b = np.asarray(ours[-1]), np.asarray(theirs[-1])
    if not np.allclose(a, b, rtol=tolerance, atol=1e-3 * tolerance + tolerance * np.abs(a).max()):
        raise SystemExit(f"{where} computes something else")


# The bound


class Rates:
    """The fastest DGEMM and the fastest tanh, exp and log1p of the libraries here."""

    def __init__(self):
        rng = np.random.default_rng(0)
        products = []
        for n in (128, 256, 384, 512):
            a, out = rng.normal(size=(n, n)), np.empty((n, n))
            products.append((partial(np.matmul, a, a, out=out), 2 * n**3))
        self._calls = {"dgemm": products}
        z = rng.normal(size=4096)
        for name, values in {"tanh": z, "exp": -abs(z), "log1p": abs(z)}.items():
            out = np.empty_like(values)
            self._calls[name] = [(partial(getattr(np, name), values, out=out), len(z))]
            try:
                import torch
            except ImportError:
                continue
            torch.set_num_threads(1)
            function = partial(getattr(torch, name), torch.as_tensor(values))
            self._calls[name].append((partial(function, out=torch.as_tensor(out)), len(z)))
        self._calls = {
            name: min(calls, key=lambda call: best(call[0]) / call[1])
            for name, calls in self._calls.items()
        }

    def now(self):
        """Seconds of a flop of DGEMM, and of a value of each function."""
        return {name: seconds(call) / work for name, (call, work) in self._calls.items()}


def matrix_products(sizes, n, what):
    """The method's products of matrices, as (rows, inner, columns): how often."""
    layers = list(pairwise(sizes))
    forward = [(n_out, n_in, n) for n_in, n_out in layers]
    back = [(n_in, n_out, n) for n_in, n_out in layers[1:]]
    weights = [(n_out, n, n_in) for n_in, n_out in layers]
    if what.startswith("product"):
        one = 2 * (forward + back + weights)
        one.remove(forward[0]), one.remove(weights[0])
        return Counter(forward + back + one * (8 if what == "product of 8" else 1))
    counts = Counter(forward + back + weights)
    if what == "gradient":
        return counts
    for below, (n_j, n_i) in enumerate(layers):
        # a layer with itself, by symmetry in the units and in the inputs
        counts[n_i * (n_i + 1) // 2, n, (n_j + 1) * (n_j + 2) // 2] += 1
        if below + 1 < len(layers):
            n_above = layers[below + 1][1]
            counts[n_i, n_above, n * (n_i + 1) // 2] += 1
            counts[n_above, n, n_i * (n_j + 1)] += 1
        for above, (n_q, n_k) in enumerate(layers[below + 1 :], below + 1):
            counts[n_i, n_above, n * n_k] += 1
            if above == below + 1:
                counts[n_i * n_k, n, (n_j + 1) * (n_q + 1)] += 1
            else:
                counts[n_j + 1, n, n_k * (n_q + 1)] += n_i
    return counts


@cache
def blas_seconds(rows, inner, columns):
    """Seconds of one product of matrices of these sizes."""
    a, b = np.ones((rows, inner)), np.ones((inner, columns))
    return best(partial(np.matmul, a, b, out=np.empty((rows, columns))), turns=3)


def bound(sizes, n, what, rate):
    """Seconds by the rates, and with the products by BLAS at their sizes."""
    functions = n * (sum(sizes[1:-1]) * rate["tanh"] + sizes[-1] * rate["exp"] + rate["log1p"])
    counts = matrix_products(sizes, n, what)
    flops = sum(2 * math.prod(shape) * times for shape, times in counts.items())
    blas = sum(blas_seconds(*shape) * times for shape, times in counts.items())
    return flops * rate["dgemm"] + functions, blas + functions


def beside_bound(call, sizes, n, what, rates, turns):
    """Median seconds of a call, of its bound and of BLAS, and the ratio to the bound, by turns."""
    call()
    took, least, blas = [], [], []
    for _ in range(turns):
        took.append(seconds(call))
        both = bound(sizes, n, what, rates.now())
        least.append(both[0]), blas.append(both[1])
    ratios = sorted(t / b for t, b in zip(took, least, strict=True))
    middle = [statistics.median(values) for values in (took, least, blas)]
    return *middle, statistics.median(ratios), [ratios[0], ratios[-1]]


def against_bound(shapes, repeats, rates):
    rows = []
    for sizes, n in shapes:
        _, _, _, pot, x = problem(sizes, n)
        for what, call in methods(pot, x).items():
            took, least, blas, ratio, spread = beside_bound(call, sizes, n, what, rates, repeats)
            row = {"shape": label(sizes, n), "what": what, "us": 1e6 * took}
            row |= {"bound_us": 1e6 * least, "ratio": ratio, "spread": spread}
            row |= {"blas_us": 1e6 * blas, "blas_ratio": took / blas}
            rows.append(row)
            print(row, file=sys.stderr)
    return rows


def together(shapes, repeats):
    """A gradient in a batch of 8, in gradients, and the gain from two threads."""
    rows = []
    for sizes, n in shapes:
        _, _, _, pot, x = problem(sizes, n)
        batch = np.tile(x, (8, 1))
        two = problem(sizes, n, threads=2)[3]
        one = partial(pot.getEnergyGradient, x)
        each = 1 / duel(partial(pot.energies_gradients, batch), one, repeats)["ratio"] / 8
        with all_cores():
            gain = duel(partial(two.getEnergyGradient, x), one, repeats, clock=time.perf_counter)[
                "ratio"
            ]
        rows.append({"shape": label(sizes, n), "each_of_8": each, "two_threads": gain})
    return rows


def growth(quick, rates):
    """The gradient's cost in N, width and depth: beside the bound, and the fitted exponent."""
    top = 5 if not quick else 4
    series = {
        "N, 3-10-4": {10**k: ((3, 10, 4), 10**k) for k in range(2, top + 1)},
        "width w, 64-w-10, N=1000": {
            w: ((64, w, 10), 1000) for w in (10, 16, 32, 64, 128, 256, 512)
        },
        "depth d, 3-(10 d times)-4, N=1000": {d: ((3, *[10] * d, 4), 1000) for d in range(1, 7)},
    }
    rows = []
    for name, shapes in series.items():
        cost, ratios = [], []
        for s, n in shapes.values():
            _, _, _, pot, x = problem(s, n)
            call = partial(pot.getEnergyGradient, x)
            took, _, _, ratio, _ = beside_bound(call, s, n, "gradient", rates, 5)
            cost.append(took), ratios.append(ratio)
        exponent = float(np.polyfit(np.log(list(shapes)), np.log(cost), 1)[0])
        us = [1e6 * c for c in cost]
        rows.append(
            {"of": name, "values": list(shapes), "us": us, "ratio": ratios, "exponent": exponent}
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
    load = ", ".join(f"{value:.1f}" for value in result["load"])
    lines = ["# Kernel benchmark", ""]
    lines += [f"Machine: {result['machine']}; load at start and end {load}", ""]
    lines += [f"`{result['command']}`", "", f"Engine: {result['engine']}", ""]
    if result["absent"]:
        lines += [f"Not installed: {', '.join(result['absent'])}", ""]
    lines += ["## Against peers, one thread", ""]
    lines += ["The kernel in single precision beside peers in float32, else in double.", ""]
    lines += ["| what | shape | peer | kernel us | peer us | ratio | lowest to highest |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    for r in result["peers"]:
        low, high = r["spread"]
        lines.append(
            f"| {r['what']} | {r['shape']} | {r['peer']} | {r['ours_us']:.1f} "
            f"| {r['theirs_us']:.1f} | {r['ratio']:.2f} | {low:.2f} to {high:.2f} |"
        )
    lines += ["", "Geometric means of the ratios: " + "; ".join(result["means"]), ""]
    rate = result["rates"]
    lines += ["## Against the bound, one thread", ""]
    lines += [
        f"DGEMM {1e-9 / rate['dgemm']:.1f} Gflop/s; a tanh {1e9 * rate['tanh']:.2f}, exp "
        f"{1e9 * rate['exp']:.2f}, log1p {1e9 * rate['log1p']:.2f} ns. A call on a network of "
        f"4 parameters with two samples takes {result['call_us']:.1f} us, which no bound contains.",
        "",
        "| what | shape | kernel us | bound us | ratio | lowest to highest "
        "| BLAS at its sizes us | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in result["bound"]:
        low, high = r["spread"]
        lines.append(
            f"| {r['what']} | {r['shape']} | {r['us']:.1f} | {r['bound_us']:.1f} "
            f"| {r['ratio']:.2f} | {low:.2f} to {high:.2f} "
            f"| {r['blas_us']:.1f} | {r['blas_ratio']:.2f} |"
        )
    lines += ["", "## Together", ""]
    lines += ["| shape | each of a batch of 8, in gradients | two threads, times as fast |"]
    lines += ["| --- | --- | --- |"]
    for r in result["together"]:
        lines.append(f"| {r['shape']} | {r['each_of_8']:.2f} | {r['two_threads']:.2f} |")
    lines += ["", "## Growth of the gradient", ""]
    lines += ["| of | us (over the bound) | exponent |", "| --- | --- | --- |"]
    for r in result["growth"]:
        us = ", ".join(
            f"{v}: {t:.0f} ({q:.2f})"
            for v, t, q in zip(r["values"], r["us"], r["ratio"], strict=True)
        )
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
    load = [os.getloadavg()[0]]
    peers = against_peers(shapes, options.repeats, absent)
    means = []
    for what in ("gradient", "hessian", "product"):
        for name in sorted({r["peer"] for r in peers}):
            ratios = [r["ratio"] for r in peers if r["peer"] == name and r["what"] == what]
            if ratios:
                means.append(f"{what} {geometric_mean(ratios):.2f} x {name}")
    rates = Rates()
    _, _, _, tiny, x = problem((1, 2), 2)
    result = {
        "machine": machine(),
        "command": "python " + " ".join(sys.argv),
        "engine": problem(*SHAPES[0])[3].engine,
        "absent": sorted(absent),
        "peers": peers,
        "means": means,
        "rates": rates.now(),
        "call_us": 1e6 * best(tiny.getEnergyGradient, x),
        "bound": against_bound(shapes, options.repeats, rates),
        "together": together(shapes, options.repeats),
        "growth": growth(options.quick, rates),
        "load": [*load, os.getloadavg()[0]],
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "kernel.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "kernel.md").write_text(markdown(result))
    print(markdown(result))


if __name__ == "__main__":
    main()
