"""The search against TopSearch and pele's own, side by side in one run.

    python benchmarks/search.py --topsearch-python DIR/bin/python [--budget SECONDS]
        [--measures minima transition_states pairs quenches workers memory] [--output DIR]

Three contestants have the same CPU time, of one thread, for the same loss and data:

- `ours`: `NNSystem` and `connect_pair`.
- `pele`: a plain `BaseSystem` on this project's compiled loss, with everything
  else pele's own. pele comes with this project.
- `TopSearch` 0.0.3, with the loss written in NumPy. It wants an older NumPy and
  so a virtual environment of its own (Python 3.10 to 3.12); without the option it
  is named as absent:
  `python3.11 -m venv DIR && DIR/bin/pip install topsearch==0.0.3`

What they find is verified afterwards, outside their time and by the same rule for
all, that of `judge.Points`. A small
landscape runs out of minima, so the table also has the seconds after which each
contestant had as many as the least successful has at the end.
"""

import argparse
import inspect
import json
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from functools import cached_property
from itertools import combinations
from pathlib import Path
from statistics import median

from common import Finds, label, machine, pin_to_one_core
from judge import Points

# isort: split
import networkx as nx
import numpy as np
from pele.optimize import lbfgs_cpp
from pele.storage import Minimum
from pele.systems import BaseSystem
from pele.takestep import RandomDisplacement

import nnpotential as nnp
from nnpotential.points.connect import connect_band, connect_pair
from nnpotential.storage import record_outcome

CASES = [
    ((3, 10, 4), 100),
    ((3, 10, 4), 1000),
    ((3, 5, 5, 5, 4), 100),
    ((3, 5, 5, 5, 4), 1000),
]
REGULARIZATION = 1e-3
DISPLACEMENT, TEMPERATURE = 4.0, 0.01  # of basin-hopping, for all
N_ENDS = 60  # minima between which transition states are searched
N_PAIRS = 60  # of these the nearest, and as many drawn by chance, are timed one by one

SETTINGS = """\
Minima are found by each contestant's basin-hopping from the same start: uniform displacements of
up to 4.0, temperature 0.01 (of 0.5, 2 and 4 the displacement that suits TopSearch best), all that
is found kept. Transition states are searched between the same 60 minima, nearest pairs first.

- ours: as it is, but for the displacement.
- pele: L-BFGS (`lbfgs_cpp`) to rms 1e-7, memory 30, maxstep 1.0; this project's symmetry for
  alignment and identity; bands as this project sets them (k=0.01, 3 images a unit, tol 1e-5; with
  pele's own they stop after two steps); transition states to rms 1e-8, eigenvectors to 1e-4 in at
  most 500 steps (with its own tolerance hardly one on 3-5-5-5-4 passes its screen for a
  second unstable mode); as many bands a pair as ours. It drops degenerate rearrangements.
- TopSearch: minimisations of the loss get 20000 steps instead of 200, and L-BFGS a memory of 30
  instead of 5; minima to a largest gradient of 1e-7; bounds +-10; two points are one within 1e-3
  and 1e-8 in loss; pairs are handed over aligned, at no cost; bands with force constant 0.01,
  3 images a unit, at most 30, to 1e-5; transition states to 1e-7, eigenvectors to 1e-3, 75 steps of
  at most 0.3; pushoff 1.0.
"""


class Case:
    """One loss, and what all contestants share."""

    def __init__(self, sizes, n, regularization=REGULARIZATION):
        self.sizes, self.label = sizes, label(sizes, n)
        self.regularization = regularization
        self.net = nnp.MLP(sizes)
        self.data = nnp.load_dataset("ljat", n_train=n, n_test=10, seed=0)
        self.start = self.net.random_parameters(np.random.default_rng(0))

    def system(self):
        system = nnp.NNSystem(self.net, self.data, regularization=self.regularization, seed=0)
        system.params.takestep.stepsize = DISPLACEMENT
        system.params.basinhopping.temperature = TEMPERATURE
        return system

    @cached_property
    def pairs(self):
        """Pairs of minima, nearest first, shape (n, 2, n_parameters), the second aligned."""
        system = self.system()
        ends = Points(system, index=0)
        minimize = system.get_minimizer()
        while len(ends.distinct) < N_ENDS:
            ends.add(minimize(system.get_random_configuration()).coords)
        pairs = []
        for (_, x1), (_, x2) in combinations(ends.distinct, 2):
            distance, image = system.identity.align(x1, x2)
            pairs.append((distance, x1, image))
        pairs.sort(key=lambda pair: pair[0])
        return np.array([pair[1:] for pair in pairs])


# Contestants. Each takes a case and a budget in seconds and gives its `Finds`.


class PlainSystem(BaseSystem):
    """The loss as a user of pele alone would set it up."""

    def __init__(self, case):
        with redirect_stdout(None):
            super().__init__()
        theirs = case.system()
        self.potential, self.symmetry = theirs.potential, theirs.identity
        self.start = case.start
        p = self.params
        p.database.accuracy = 1e-8
        p.basinhopping.temperature = TEMPERATURE
        p.structural_quench_params.update(tol=1e-7, M=30, maxstep=1.0, nsteps=100_000)
        p.double_ended_connect.niter = theirs.params.double_ended_connect.niter
        local = p.double_ended_connect.local_connect_params
        local.NEBparams.update(theirs.params.double_ended_connect.local_connect_params.NEBparams)
        local.tsSearchParams.update(
            tol=1e-8, verbosity=0, lowestEigenvectorQuenchParams={"tol": 1e-4, "nsteps": 500}
        )
        local.pushoff_params.stepmin = 0.02

    def get_potential(self):
        return self.potential

    def get_random_configuration(self):
        return self.start.copy()

    def get_takestep(self, **kwargs):
        return RandomDisplacement(stepsize=DISPLACEMENT)

    def get_mindist(self):
        def mindist(x1, x2):
            distance, image = self.symmetry.align(x1, x2)
            return distance, x1, image

        return mindist

    def get_compare_exact(self):
        return self.symmetry.are_same

    def get_orthogonalize_to_zero_eigenvectors(self):
        return None


def minima_by(system, case, budget):
    np.random.seed(0)  # noqa: NPY002 (pele draws from the global state)
    finds, database = Finds(), system.create_database()

    def note(point):
        finds.add(point.coords)

    database.on_minimum_added.connect(note)
    with finds.within(budget):
        system.get_basinhopping(
            database=database, coords=case.start.copy(), outstream=None, insert_rejected=True
        ).run(10**9)
    return finds


def minima_ours(case, budget):
    return minima_by(case.system(), case, budget)


def minima_pele(case, budget):
    return minima_by(PlainSystem(case), case, budget)


def transition_states_ours(case, budget):
    system, pairs, finds = case.system(), case.pairs, Finds()
    case.attempts = []  # (pair, what came of it), for `connection_success`
    with finds.within(budget):
        for pair in pairs:
            found = connect_pair(system, *pair)
            for connection in found:
                finds.add(connection.coords)
            case.attempts.append((pair, found))
            finds.pairs += 1
    return finds


def transition_states_pele(case, budget):
    np.random.seed(0)  # noqa: NPY002
    system, pairs, finds = PlainSystem(case), case.pairs, Finds()

    def note(point):
        finds.add(point.coords)

    with finds.within(budget), redirect_stdout(None):
        for pair in pairs:
            database = system.create_database()
            database.on_ts_added.connect(note)
            ends = [database.addMinimum(system.potential.getEnergy(x), x) for x in pair]
            system.get_double_ended_connect(*ends, database, verbosity=0).connect()
            finds.pairs += 1
    return finds


def topsearch(what, case, budget, python):
    with tempfile.TemporaryDirectory() as scratch:
        task, found = Path(scratch, "task.npz"), Path(scratch, "found.npz")
        np.savez(
            task,
            sizes=case.sizes,
            X=case.data.X_train,
            y=case.data.y_train,
            regularization=case.regularization,
            start=case.start,
            displacement=DISPLACEMENT,
            temperature=TEMPERATURE,
            pairs=case.pairs if what == "transition_states" else [],
        )
        script = Path(__file__).resolve().with_name("search_topsearch.py")
        command = [python, "-W", "ignore", script, what, str(budget), task, found]
        subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        finds = Finds()
        with np.load(found) as result:
            finds.points, finds.seconds = list(result["points"]), list(result["seconds"])
            finds.took, finds.pairs = float(result["took"]), int(result["pairs"])
        return finds


# Measures


def points_per_second(what, cases, options):
    """Distinct verified points a second, of every contestant on every case."""
    contestants = {
        "minima": {"ours": minima_ours, "pele": minima_pele},
        "transition_states": {"ours": transition_states_ours, "pele": transition_states_pele},
    }[what]
    if options.topsearch_python:
        contestants["TopSearch"] = lambda case, budget: topsearch(
            what, case, budget, options.topsearch_python
        )
    rows = []
    for case in cases:
        runs = []
        for name, contestant in contestants.items():
            finds = contestant(case, options.budget)
            points = Points(case.system(), index=int(what == "transition_states"))
            for x, seconds in zip(finds.points, finds.seconds, strict=True):
                points.add(x, seconds)
            row = {
                "case": case.label,
                "contestant": name,
                "seconds": finds.took,
                "pairs": finds.pairs,
                "found": len(finds.points),
                "verified": points.n_verified,
                "distinct": len(points.distinct),
                "per_second": len(points.distinct) / finds.took,
            }
            runs.append((row, points.seconds))
            print(what, row, file=sys.stderr)
        compare(runs)
        rows += [row for row, _ in runs]
    return rows


def compare(runs):
    """Add the ratios to ours, which is the first.

    A small landscape runs out of new points, which hides how fast they were found;
    so also the time that each took for as many as the least successful has.
    """
    n = min((len(seconds) for _, seconds in runs if seconds), default=0)
    for row, seconds in runs:
        ours, our_seconds = runs[0]
        both = row["distinct"] and ours["distinct"]
        row["rate_ratio"] = ours["per_second"] / row["per_second"] if both else None
        row["first"] = n
        row["seconds_to_first"] = seconds[n - 1] if both else None
        row["time_ratio"] = seconds[n - 1] / our_seconds[n - 1] if both else None


def connection_success(cases):
    """Of the attempts of ours: what share finds a transition state, and joins the pair."""
    rows = []
    for case in cases:
        done = case.attempts
        symmetry = case.system().identity
        row = {"case": case.label, "attempts": len(done)}
        row["found_a_transition_state"] = sum(bool(found) for _, found in done)
        row["joined"] = sum(is_joined(symmetry, pair, found) for pair, found in done)
        rows.append(row)
    return rows


def is_joined(symmetry, pair, found):
    """Whether transition states lead from one end of the pair to the other."""
    minima = list(pair)

    def number(x):
        for i, known in enumerate(minima):
            if symmetry.are_same(known, x):
                return i
        minima.append(x)
        return len(minima) - 1

    graph = nx.Graph([(number(c.minimum1.coords), number(c.minimum2.coords)) for c in found])
    return graph.has_node(0) and graph.has_node(1) and nx.has_path(graph, 0, 1)


def pair_cost(cases):
    """CPU milliseconds of one band between two minima, its climbs and descents: ours."""
    rows = []
    for case in cases:
        system, rng = case.system(), np.random.default_rng(0)
        some = rng.choice(len(case.pairs), N_PAIRS, replace=False)
        for which, pairs in {"nearest": case.pairs[:N_PAIRS], "any": case.pairs[some]}.items():
            took, found, joined = [], 0, 0
            for pair in pairs:
                began = time.process_time()
                states = connect_band(system, *pair)
                took.append(1e3 * (time.process_time() - began))
                found += len(states)
                joined += is_joined(system.identity, pair, states)
            row = {"case": case.label, "pairs": which, "states": found, "joined": joined}
            row |= {"mean": np.mean(took), "median": np.median(took)}
            rows.append(row | {"a_state": sum(took) / found if found else None})
            print("pairs", rows[-1], file=sys.stderr)
    return rows


def quench_cost(options):
    """Seconds per converged quench, ours against `lbfgs_cpp` to rms 1e-9, same starts."""
    case = Case((3, 5, 5, 5, 4), 1000, regularization=1e-4)
    system = case.system()
    pot = system.potential
    to_the_end = {"tol": 1e-9, "nsteps": 200_000}
    contestants = {
        "ours": system.get_minimizer(),
        "lbfgs_cpp, memory 30, maxstep 1": lambda x: lbfgs_cpp(
            x, pot, M=30, maxstep=1.0, **to_the_end
        ),
        "lbfgs_cpp, as pele sets it": lambda x: lbfgs_cpp(x, pot, **to_the_end),
    }
    rows = [
        {"contestant": name, "seconds": 0.0, "gradients": 0, "converged": 0} for name in contestants
    ]
    rng = np.random.default_rng(0)
    for _ in range(options.quenches):
        start = case.net.random_parameters(rng)
        for row, quench in zip(rows, contestants.values(), strict=True):
            started = time.process_time()
            result = quench(start.copy())
            row["seconds"] += time.process_time() - started
            row["gradients"] += result.nfev
            row["converged"] += bool(result.success)
    for row in rows:
        row["quenches"] = options.quenches
        row["seconds_each"] = row["seconds"] / row["converged"] if row["converged"] else None
        both = row["seconds_each"] and rows[0]["seconds_each"]
        row["ratio"] = row["seconds_each"] / rows[0]["seconds_each"] if both else None
        print("quenches", row, file=sys.stderr)
    return rows


def worker_speed_up(options, turns=3):
    """Seconds of one and the same exploration with one worker and with two, in turns."""
    if "workers" not in inspect.signature(nnp.Landscape.explore).parameters:
        return []
    rows = []
    for case in (Case(*case) for case in CASES[:2]):
        took = {1: [], 2: []}
        for workers in (1, 2) * turns:
            with tempfile.TemporaryDirectory() as scratch:
                land = create_landscape(case, Path(scratch, "land"))
                started = time.perf_counter()
                summary = land.explore(workers=workers)
                took[workers].append(time.perf_counter() - started)
                land.close()
            print("workers", workers, took[workers][-1], file=sys.stderr)
        gains = sorted(one / two for one, two in zip(took[1], took[2], strict=True))
        row = {"case": case.label, "n_minima": summary["n_minima"]}
        row |= {f"seconds_{workers}": median(each) for workers, each in took.items()}
        rows.append(row | {"speed_up": median(gains), "least": gains[0], "most": gains[-1]})
    return rows


def memory_of_databases(options):
    """Peak memory of a process that opens a landscape and summarises it."""
    rows, case = [], Case((3, 10, 4), 100)
    rng = np.random.default_rng(0)
    for n in options.memory_minima:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch, "land")
            land = create_landscape(case, path)
            for loss in rng.uniform(0.2, 0.5, n):
                minimum = Minimum(float(loss), rng.normal(size=case.net.n_parameters))
                record_outcome(minimum, "ok")
                land.database.session.add(minimum)
            land.database.session.commit()
            land.close()
            megabytes = sum(f.stat().st_size for f in path.iterdir()) / 1024**2
            code = (
                "import sys, time; from common import peak_memory; import nnpotential as nnp; "
                "began = time.perf_counter(); nnp.Landscape.open(sys.argv[1]).summary(); "
                "print(peak_memory(), time.perf_counter() - began)"
            )
            done = subprocess.run(
                [sys.executable, "-c", code, path],
                cwd=Path(__file__).resolve().parent,
                check=True,
                capture_output=True,
                text=True,
            )
        peak, seconds = map(float, done.stdout.split()[-2:])
        rows.append({"minima": n, "peak_MiB": peak, "seconds": seconds, "on_disk_MiB": megabytes})
        print("memory", rows[-1], file=sys.stderr)
    return rows


def create_landscape(case, path):
    return nnp.Landscape.create(
        path, case.net, case.data, regularization=case.regularization, seed=0
    )


# The report


def table(rows, columns, headings=None):
    """A Markdown table; `columns` maps keys of the rows to formats."""
    lines = ["| " + " | ".join(headings or [k.replace("_", " ") for k in columns]) + " |"]
    lines.append("| --- " * len(columns) + "|")
    for row in rows:
        cells = ["-" if row[k] is None else format(row[k], f) for k, f in columns.items()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def markdown(result):
    parts = ["# Search benchmark\n", f"Machine: {result['machine']}\n", f"`{result['command']}`\n"]
    parts.append(
        f"CPU time of one thread, {result['budget']:g} s a contestant, case and measure; ljat, "
        f"regularization {REGULARIZATION:g}.\n"
    )
    if result["absent"]:
        parts.append(f"Not there: {', '.join(result['absent'])}\n")
    columns = {"case": "", "contestant": "", "found": "d", "verified": "d", "distinct": "d"}
    for what in ("minima", "transition_states"):
        if what in result:
            parts.append(f"## Distinct verified {what.replace('_', ' ')} a second\n")
            pairs = {"pairs": "d"} if what == "transition_states" else {}
            every = {**columns, **pairs, "per_second": ".3g", "rate_ratio": ".2f"}
            every |= {"first": "d", "seconds_to_first": ".2f", "time_ratio": ".2f"}
            headings = [*columns, *pairs, "per second", "ours / it"]
            headings += ["the first", "took seconds", "it / ours"]
            parts.append(table(result[what], every, headings))
    if "connections" in result:
        parts.append("## Connection attempts of ours\n")
        counts = ("attempts", "found_a_transition_state", "joined")
        parts.append(table(result["connections"], {"case": ""} | dict.fromkeys(counts, "d")))
    if "pairs" in result:
        parts.append("## Milliseconds of a pair: a band of ours, its climbs and descents\n")
        parts.append(
            f"The {N_PAIRS} nearest of all pairs of {N_ENDS} minima, and as many drawn by chance.\n"
        )
        columns = {"case": "", "pairs": "", "mean": ".1f", "median": ".1f", "a_state": ".1f"}
        columns |= {"states": "d", "joined": "d"}
        headings = ["case", "pairs", "mean", "median", "a transition state", "found", "joined"]
        parts.append(table(result["pairs"], columns, headings))
    if "quenches" in result:
        parts.append("## Quenches, 3-5-5-5-4, N=1000, regularization 1e-4, to rms 1e-9\n")
        columns = {"contestant": "", "quenches": "d", "converged": "d", "gradients": "d"}
        columns |= {"seconds": ".1f", "seconds_each": ".3f", "ratio": ".2f"}
        headings = ["contestant", "quenches", "converged", "gradients", "seconds"]
        headings += ["seconds a converged one", "it / ours"]
        parts.append(table(result["quenches"], columns, headings))
    if "workers" in result:
        parts.append("## Workers, exploring by default\n")
        columns = {"case": "", "n_minima": "d", "seconds_1": ".1f", "seconds_2": ".1f"}
        columns |= {"speed_up": ".2f", "least": ".2f", "most": ".2f"}
        absent = "This version explores with one worker only.\n"
        parts.append(table(result["workers"], columns) if result["workers"] else absent)
    if "memory" in result:
        parts.append("## Opening and summarising a landscape of 3-10-4\n")
        columns = {"minima": "d", "peak_MiB": ".0f", "seconds": ".2f", "on_disk_MiB": ".1f"}
        parts.append(table(result["memory"], columns))
    parts += ["## Settings\n", SETTINGS]
    return "\n".join(parts)


def main():
    measures = ("minima", "transition_states", "pairs", "quenches", "workers", "memory")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--topsearch-python", help="a Python that has TopSearch 0.0.3")
    parser.add_argument("--budget", type=float, default=60, help="seconds for each search")
    parser.add_argument("--measures", nargs="+", choices=measures, default=measures)
    parser.add_argument("--quenches", type=int, default=30, help="starts of the quench measure")
    parser.add_argument("--memory-minima", type=int, nargs="+", default=[0, 100, 1000, 10000])
    options = parser.parse_args()
    result = {
        "machine": machine(),
        "command": "python " + " ".join(sys.argv),
        "budget": options.budget,
        "absent": [] if options.topsearch_python else ["TopSearch"],
    }
    if "workers" in options.measures:  # before the pinning, which these may not have
        result["workers"] = worker_speed_up(options)
    pin_to_one_core()
    cases = [Case(*case) for case in CASES]
    for what in ("minima", "transition_states"):
        if what in options.measures:
            result[what] = points_per_second(what, cases, options)
    if "transition_states" in options.measures:
        result["connections"] = connection_success(cases)
    if "pairs" in options.measures:
        result["pairs"] = pair_cost(cases)
    if "quenches" in options.measures:
        result["quenches"] = quench_cost(options)
    if "memory" in options.measures:
        result["memory"] = memory_of_databases(options)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "search.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "search.md").write_text(markdown(result))
    print(markdown(result))


if __name__ == "__main__":
    main()
