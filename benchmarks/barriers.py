"""How fast barriers fall: each way of lowering them alone, all together, and an earlier version.

    python benchmarks/barriers.py [--hidden 10] [--n-train 100] [--regularization 1e-3]
        [--seconds 120] [--seeds 2] [--before DIR]

Every contestant begins with the same quenches (the same seed), joins what they found, and then
lowers the barriers from these minima to the lowest for as long as it is given. What is compared,
against CPU seconds of one thread, is the mean barrier of the common list: the minima that
all of them know, each contestant's barriers being those of its own verified graph. Contestants
are `default`; `across`, `uphill` and `neighbours`, each the only way; `modes`, the two softest
modes of every minimum in place of all that; and with `--before` another checkout of this
project (with its compiled kernel in place), by its default search with 500 untrap attempts.
The time in which the figures are taken does not count.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from common import label, machine, pin_to_one_core

# isort: split
import numpy as np

import nnpotential as nnp
from nnpotential.analysis.figures import barriers_to_lowest, landscape_graph

WAYS = ("across", "uphill", "neighbours")
EVERY = 4.0  # CPU seconds between two looks


def run_one(options):
    """One contestant, in a process of its own: the curve, and the minima that it goes by."""
    pin_to_one_core()
    data = nnp.load_dataset("ljat", n_train=options.n_train, n_test=1000, seed=0)
    net = nnp.MLP([3, *options.hidden, 4])
    search = {"quenches": 60, "basin_hopping_runs": 0, "soft_modes": 0}
    if options.one == "before":
        search |= {"untrap_attempts": 500}
    else:
        search |= {"untrap_attempts": 1_000_000, "audit_sample": 0}
        if options.one == "modes":
            search |= {"untrap_attempts": 0, "soft_modes": 2}
        if options.one in WAYS:
            from nnpotential.search import lowering

            for way in set(lowering.WAYS) - {options.one}:
                del lowering.WAYS[way]
    land = nnp.Landscape.create(
        options.output / "landscape",
        nnp.NNSystem(net, data, regularization=options.regularization),
        seed=options.seed,
        **search,
    )
    curve, spent, last = [], 0.0, 0.0
    began = time.process_time()

    class Enough(Exception):
        pass

    def look():
        nonlocal spent
        now = time.process_time()
        graph = landscape_graph(land.database)
        barriers = barriers_to_lowest(graph)
        kept = {m.id(): barrier for m, barrier in barriers.items() if m.id() <= 60}
        curve.append([now - began - spent, len(graph), graph.number_of_edges(), kept])
        spent += time.process_time() - now

    def on_progress(*_):
        nonlocal last
        if time.process_time() - began - spent - last > EVERY:
            last = time.process_time() - began - spent
            look()
            if last > options.seconds:
                raise Enough

    with suppress(Enough):
        land.explore(on_progress, draw=False)
    look()
    minima = {m.id(): m for m in land.database.minima() if m.id() <= 60}
    np.savez(
        options.output / "found.npz",
        curve=json.dumps(curve),
        ids=list(minima),
        energies=[m.energy for m in minima.values()],
        coords=[m.coords for m in minima.values()],
    )


def contest(options, contestant, seed):
    """Run a contestant; its curve by place in the common list is made of this."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--one", contestant, "--seed", str(seed)]
        command += ["--output", folder, "--seconds", str(options.seconds)]
        command += ["--n-train", str(options.n_train)]
        command += ["--regularization", str(options.regularization)]
        command += ["--hidden", ",".join(map(str, options.hidden))]
        path = options.before if contestant == "before" else Path(__file__).parent.parent
        subprocess.run(command, check=True, env={"PYTHONPATH": str(path), "PATH": "/usr/bin:/bin"})
        with np.load(Path(folder) / "found.npz") as found:
            return {name: found[name] for name in found.files}


def curves(system, found):
    """Mean barrier of the minima that all contestants connected, against time."""
    first = next(iter(found.values()))
    places = {}  # contestant -> id -> place in the first one's list
    for name, its in found.items():
        places[name] = {}
        for i, energy, x in zip(its["ids"], its["energies"], its["coords"], strict=True):
            for place, (other, y) in enumerate(
                zip(first["energies"], first["coords"], strict=True)
            ):
                if abs(energy - other) < 1e-9 and system.identity.are_same(x, y):
                    places[name][int(i)] = place
    looks = {name: json.loads(str(its["curve"])) for name, its in found.items()}
    common = None
    for name, its in looks.items():
        joined = {places[name][int(i)] for i in its[-1][3] if int(i) in places[name]}
        common = joined if common is None else common & joined
    for name, its in looks.items():
        rows = []
        for seconds, n_minima, n_pairs, barriers in its:
            by_place = {places[name].get(int(i)): b for i, b in barriers.items()}
            known = [by_place[p] for p in common if p in by_place]
            mean = float(np.mean(known)) if len(known) == len(common) else None
            rows.append([seconds, n_minima, n_pairs, mean])
        yield name, len(common), rows


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=numbers, default=[10])
    parser.add_argument("--n-train", type=int, default=100)
    parser.add_argument("--regularization", type=float, default=1e-3)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return run_one(options)
    contestants = ["default", *WAYS, "modes"] + ["before"] * bool(options.before)
    data = nnp.load_dataset("ljat", n_train=options.n_train, n_test=1000, seed=0)
    sizes = [3, *options.hidden, 4]
    system = nnp.NNSystem(nnp.MLP(sizes), data, regularization=options.regularization)
    marks = [options.seconds * share for share in (0.125, 0.25, 0.5, 1.0)]
    lines = [
        f"## {label(sizes, options.n_train)}, regularization {options.regularization:g}",
        "",
        "| seed | contestant | minima compared | "
        + " | ".join(f"after {mark:.0f} s" for mark in marks)
        + " | minima | pairs |",
        "| ---: | --- | ---: |" + " ---: |" * (len(marks) + 2),
    ]
    for seed in range(options.seeds):
        found = {name: contest(options, name, seed) for name in contestants}
        for name, n_common, rows in curves(system, found):
            means = []
            for mark in marks:
                past = [mean for seconds, *_, mean in rows if seconds <= mark + EVERY]
                means.append(f"{1e3 * past[-1]:.4f}" if past and past[-1] is not None else "-")
            lines.append(
                f"| {seed} | {name} | {n_common} | {' | '.join(means)} | {rows[-1][1]} | "
                f"{rows[-1][2]} |"
            )
            print(lines[-1], flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "barriers.md"
    head = [
        "# Mean barrier to the lowest minimum against CPU time",
        "",
        "In 1e-3 nats per sample, of the minima that all contestants of a seed have connected; - "
        f"where they are not all connected yet. {machine()}, one thread. "
        "`benchmarks/barriers.py` says what the contestants are.",
        "",
    ]
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else head
    path.write_text("\n".join([*before, *lines, ""]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
