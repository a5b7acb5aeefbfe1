"""Whether minima are counted once, and each of them, however weak the penalty.

    python benchmarks/weak_penalties.py [--baseline DIR] [--output DIR]
        [--quenches N] [--regularizations R ...] [--seed N]

It takes some twenty minutes, most of them in one case with connections.

Under a weak penalty the loss converges long before the coordinates, which decide
identity. So the minima that a search stores are compared with the truth: every
end of its quenches, and every point that it stores, goes on by Newton's method
with the gradient in 50-digit arithmetic (`tests/exact.py`, which shares nothing
with the kernel), and the solutions are compared under the network's symmetry.
More stored than are different are copies of one minimum, fewer are minima taken
for one. `--baseline` is another version of the package, a directory that holds
`nnpotential`, built: what it stores becomes the column "before".
"""

import argparse
import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

from common import label, machine

# isort: split
import numpy as np

import nnpotential as nnp
from nnpotential.points.stationary import spectrum
from nnpotential.search.kinds import Quench

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))  # for `exact`

DATA = {"iris": {"n_train": 120}, "wine": {}}
REGULARIZATIONS = [float(f"1e-{k}") for k in range(3, 11)]
ALONE = {"basin_hopping_runs": 0, "connection_attempts": 0, "untrap_attempts": 0}
CONNECTED = [("iris", 1e-9, True), ("wine", 5e-8, True), ("wine", 1e-6, False)]
CLOSE, IDENTITY = 1e-9, 1e-5  # two exact solutions are one within this; and the search's own
PATIENCE = 120  # seconds for the baseline: to connect a thousand copies takes it hours
ROUNDING = 1e-13  # of an eigenvalue, relative to the largest
GOAL = 0.05, 1e-8  # at most this share of quenches fails, down to this regularization

COLUMNS = """\
- stored: `n_minima` of the summary, which have passed verification; before: the same of the version
  given by `--baseline`{baseline}, stopped where a search takes more than {patience} s.
- different: exact solutions that no symmetry operation maps on each other within {close:g}, from
  all minima stored and all ends of quenches but flat and failed ones. Within {identity:g} they are
  as many {agree}. "spread" is the largest difference of a parameter between solutions
  that are one, rounded to float64 (0: they are one to the last bit), "gap" the smallest of the
  largest differences between two that are not, aligned.
- flat: minima stored as degenerate, which count nowhere, and in how many valleys they lie: the bias
  of a unit without effect is free, and every value of it another stored point. "curved" are those
  whose exact solution has no eigenvalue that rounding could explain: single points, but with
  eigenvalues below 1e-9 of the largest.
- unresolved: quenches whose end counts nowhere because its coordinates are open; otherwise failed:
  those that ended for another reason. Both count the independent quenches, and are together to be
  less than {share:.0%} of these down to {down_to:g}; the JSON file has the end of each.
- error: the largest distance in any parameter of a stored minimum from its exact solution.
- seconds: of quenches, merging and verification (and connections below), by the clock.
"""


class Case:
    """A network, its data and a penalty."""

    def __init__(self, name, regularization, regularize_bias):
        self.name, self.regularization, self.regularize_bias = name, regularization, regularize_bias
        self.data = nnp.load_dataset(name, seed=0, **DATA[name])
        self.net = nnp.MLP([self.data.n_inputs, 3, self.data.n_outputs])

    def row(self):
        sizes = label(self.net.layer_sizes, len(self.data.y_train))
        return {
            "case": f"{self.name} {sizes}",
            "biases": "regularized" if self.regularize_bias else "free",
            "regularization": self.regularization,
        }

    def explored(self, path, options, search, **limits):
        """The landscape, and what a user reads in its summary."""
        land = nnp.Landscape.create(
            path,
            self.net,
            self.data,
            regularization=self.regularization,
            regularize_bias=self.regularize_bias,
            seed=options.seed,
            quenches=options.quenches,
            **search,
        )
        # drawing is no part of it; the first release did it always
        draws = "draw" in inspect.signature(land.explore).parameters
        return land, land.explore(**limits, **({"draw": False} if draws else {}))


def searches(options):
    """Every case and how it is searched."""
    for name in DATA:
        for regularize_bias in (True, False):
            for regularization in options.regularizations:
                yield Case(name, regularization, regularize_bias), ALONE
    for case in CONNECTED:
        yield Case(*case), {}


def counts(figures):
    """What is counted for `before`."""
    return {
        "stored": figures["n_minima"],
        "transition_states": figures["n_transition_states"]
        + figures["n_degenerate_rearrangements"],
        "failed": figures["failed_quenches"],
        "verified": figures["verified"],
        "seconds": sum(figures["seconds"].values()),
    }


def count_only(options):
    rows = []
    for case, search in searches(options):
        with tempfile.TemporaryDirectory() as scratch:
            land, figures = case.explored(
                Path(scratch, "land"), options, search, max_seconds=PATIENCE
            )
            land.close()
        rows.append({**counts(figures), "complete": figures["jobs_pending"] == 0})
    return rows


def counted_by(directory, options):
    """`count_only` by the package in another directory."""
    command = [sys.executable, __file__, "--count-only", "--quenches", str(options.quenches)]
    command += ["--seed", str(options.seed)]
    command += ["--regularizations", *map(str, options.regularizations)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(directory.resolve()), "MPLBACKEND": "Agg"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout)
    if Path(found["package"]).resolve().parents[1] != directory.resolve():
        sys.exit(f"{directory} holds no nnpotential: {found['package']} was imported")
    return found["rows"]


# The truth


class Witness:
    """Looks on as a quench is done: stands for the system and keeps the result."""

    def __init__(self, system):
        self.starts, self._minimize = system.starts, system.get_minimizer()

    def get_minimizer(self):
        return self._keep

    def _keep(self, start):
        self.result = self._minimize(start)
        return self.result


class Truth:
    """Exact solutions next to points of one landscape."""

    def __init__(self, system):
        self.system = system
        self._solved = {}
        self.at = {
            tolerance: nnp.Symmetry(
                system.net,
                system.settings.loss,
                system.settings.regularization,
                system.settings.regularize_bias,
                tolerance,
            )
            for tolerance in (CLOSE, IDENTITY)
        }

    def solve(self, x):
        """The exact solution, or None where Newton's method does not get there."""
        from exact import converge

        key = x.tobytes()
        if key not in self._solved:
            try:
                self._solved[key] = converge(self.system, x)
            except ArithmeticError:
                self._solved[key] = None
        return self._solved[key]

    def solutions(self, points):
        return [y for y in map(self.solve, points) if y is not None]

    def solved(self):
        """How many different points have been solved, and how many could not be."""
        found = sum(y is not None for y in self._solved.values())
        return {"solved": found, "unsolved": len(self._solved) - found}

    def different(self, solutions, tolerance=CLOSE):
        """One of each, and the largest residual between any two that are one."""
        kept, spread = [], 0.0
        symmetry = self.at[tolerance]
        for x in solutions:
            for other in kept:
                operation = symmetry.match(other, x)
                if operation is not None:
                    spread = max(spread, self._residual(other, symmetry.apply(operation, x)))
                    break
            else:
                kept.append(x)
        return kept, spread

    def _residual(self, x, image):
        zero = self.system.identity.zero_modes()
        gap = x - image
        return float(np.abs(gap - zero @ (zero.T @ gap)).max())

    def gap(self, kept):
        """The least by which two different solutions, aligned, differ in a parameter."""
        align = self.system.identity.align
        gaps = [self._residual(x, align(x, other)[1]) for x, other in combinations(kept, 2)]
        return min(gaps, default=None)

    def valley(self, x):
        """`x` without the free bias of units without effect."""
        for modes in self.system.identity.free_modes(x).values():
            x = x - modes @ (modes.T @ x)
        return x

    def error(self, points):
        """The largest distance of any of them from its exact solution, in a parameter."""
        pairs = [(x, self.solve(x)) for x in points]
        gaps = [float(np.abs(x - y).max()) for x, y in pairs if y is not None]
        return max(gaps, default=None)

    def is_curved(self, x):
        """Whether no eigenvalue is so small that rounding could have made it."""
        here = spectrum(self.system.potential, x, self.system.identity.zero_modes())
        sizes = np.abs(here.physical)
        return bool(sizes.min() > ROUNDING * sizes.max())

    def index(self, x):
        return spectrum(self.system.potential, x, self.system.identity.zero_modes()).index


def ends_of_quenches(land, options):
    """Of every quench of the search, done again: why it failed or None, loss, coordinates."""
    starts = land.settings["search"]["initializations"]
    for i in range(options.quenches):
        witness = Witness(land.system)
        failures = Quench.run(witness, options.seed, i, starts[i % len(starts)]).failures
        reason = failures[0][0] if failures else None
        yield reason, witness.result.energy, witness.result.coords


def judged(case, search, options):
    """One row: what is stored, and what is true."""
    with tempfile.TemporaryDirectory() as scratch:
        land, figures = case.explored(Path(scratch, "land"), options, search)
        row = {**case.row(), "quenches": options.quenches, **counts(figures)}
        row |= compared(land, figures, options, alone=search is ALONE)
        land.close()
    print("row", row, file=sys.stderr, flush=True)
    return row


def compared(land, figures, options, alone):
    truth, system = Truth(land.system), land.system
    stored = [(m.user_data["verified"], m.energy, m.coords) for m in land.database.minima()]
    ends = list(ends_of_quenches(land, options))
    if alone:  # else other minima are stored as well
        known = {x.tobytes() for reason, _, x in ends if reason is None}
        if not all(x.tobytes() in known for *_, x in stored):
            sys.exit("the quenches done again are not those of the search")

    groups = {"ok": [], "degenerate": [], "failed": []}
    fates = Counter()
    for number, (reason, energy, x) in enumerate(ends):
        fate = reason or next(
            (
                outcome
                for outcome, e, other in stored
                if abs(e - energy) <= land.database.accuracy and system.identity.are_same(other, x)
            ),
            "not stored",
        )
        fates[fate] += 1
        groups[fate if fate in groups else "failed"].append((number, x))
    minima = [x for outcome, _, x in stored if outcome == "ok"]
    flat = [x for outcome, _, x in stored if outcome == "degenerate"]

    every = truth.solutions(minima + [x for _, x in groups["ok"]])
    kept, spread = truth.different(every)
    kept_loosely, spread_loosely = truth.different(every, IDENTITY)
    flat = truth.solutions(flat + [x for _, x in groups["degenerate"]])
    valleys, _ = truth.different([truth.valley(x) for x in flat], IDENTITY)
    row = {
        "different": len(kept),
        "different_loosely": len(kept_loosely),
        "spread": max(spread, spread_loosely),
        "gap": truth.gap(kept),
        "of_wrong_index": sum(truth.index(x) != 0 for x in kept),
        "error": truth.error(minima),
        "degenerate": figures["degenerate_minima"]["n"],
        "causes_of_degeneracy": figures["degenerate_minima"]["causes"],
        "valleys": len(valleys),
        "curved": sum(truth.is_curved(x) for x in valleys),
        "valleys_also_counted": len(kept) + len(valleys) - len(truth.different(kept + valleys)[0]),
        "fates": dict(fates),
        "unresolved": fates["unresolved"],
        "otherwise_failed": len(groups["failed"]) - fates["unresolved"],
    }
    row["share_failed"] = len(groups["failed"]) / len(ends)
    row["failures"] = {
        kind: {reason: entry["n"] for reason, entry in reasons.items()}
        for kind, reasons in figures["failures"].items()
    }
    if not alone:
        states = [t.coords for t in land.database.transition_states() if not t.invalid]
        kept_states, _ = truth.different(truth.solutions(states))
        row["different_transition_states"] = len(kept_states)
        row["of_wrong_index"] += sum(truth.index(x) != 1 for x in kept_states)
        row["error_of_transition_states"] = truth.error(states)
    row |= truth.solved()  # those that failed may lead anywhere
    row["failed_ends"] = [failed(truth, kept, number, x) for number, x in groups["failed"]]
    row["verdict"] = verdict(row, counts(figures), system.settings.regularization)
    return row


def failed(truth, kept, number, x):
    """Where the end of a quench that failed would have led."""
    here = spectrum(truth.system.potential, x, truth.system.identity.zero_modes())
    energy_error, step = here.errors()
    solution = truth.solve(x)
    end = {
        "quench": number,
        "loss": here.energy,
        "rms": here.rms,
        "energy_error": energy_error,
        "newton_step": step,
        "lowest_eigenvalues": here.physical[:3].tolist(),
        "largest_eigenvalue": float(here.physical[-1]),
        "largest_parameter": float(np.abs(x).max()),
        "exact_solution_at": None,
    }
    if solution is not None:
        end["exact_solution_at"] = float(np.abs(solution - x).max())
        end["its_index"] = truth.index(solution)
        end["is_among_the_different"] = any(truth.at[CLOSE].are_same(k, solution) for k in kept)
    return end


def verdict(row, counted, regularization):
    said = []
    if row["different"] != counted["stored"]:
        said.append("copies" if row["different"] < counted["stored"] else "minima merged")
    states = row.get("different_transition_states", counted["transition_states"])
    if states != counted["transition_states"]:
        said.append("transition states differ")
    if row["different"] != row["different_loosely"]:
        said.append("the tolerance decides")
    if row["of_wrong_index"]:
        said.append("no minima")
    if row["unsolved"]:
        said.append("unsolved")
    share, down_to = GOAL
    if regularization >= down_to and row["share_failed"] >= share:
        said.append("too many failed")
    return ", ".join(said) or "equal"


# The report


def table(rows, columns):
    """A Markdown table; `columns` maps headings to (key, format)."""
    lines = ["| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
    for row in rows:
        cells = [
            "-" if row.get(key) is None else format(row[key], form)
            for key, form in columns.values()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def before_cells(row):
    if "baseline" not in row:
        return {}
    before = row["baseline"]
    more = "" if before["complete"] else ", stopped"
    return {
        "before": f"{before['stored']}{more}",
        "transition_states_before": f"{before['transition_states']}{more}",
        "seconds_before": f"{before['seconds']:.1f}{more}",
    }


def flat_cell(row):
    if not row["degenerate"]:
        return "0"
    curved = f", {row['curved']} curved" if row["curved"] else ""
    return f"{row['degenerate']} in {row['valleys']}{curved}"


def failed_cell(row):
    others = {k: n for k, n in row["fates"].items() if k not in ("ok", "degenerate", "unresolved")}
    return ", ".join(f"{n} {reason}" for reason, n in others.items()) or "0"


def markdown(result):
    rows = [
        {**row, **before_cells(row), "flat": flat_cell(row), "otherwise": failed_cell(row)}
        for row in result["rows"]
    ]
    columns = {
        "case": ("case", ""),
        "biases": ("biases", ""),
        "regularization": ("regularization", "g"),
        "quenches": ("quenches", "d"),
        "before": ("before", ""),
        "stored": ("stored", "d"),
        "different": ("different", "d"),
        "verdict": ("verdict", ""),
        "unresolved": ("unresolved", "d"),
        "otherwise failed": ("otherwise", ""),
        "flat": ("flat", ""),
        "error": ("error", ".1e"),
        "spread": ("spread", ".1e"),
        "gap": ("gap", ".1e"),
        "seconds": ("seconds", ".1f"),
        "before, seconds": ("seconds_before", ""),
    }
    states = {
        "transition states, before": ("transition_states_before", ""),
        "stored ": ("transition_states", "d"),
        "different ": ("different_transition_states", "d"),
        "error ": ("error_of_transition_states", ".1e"),
    }
    alone = [row for row in rows if "different_transition_states" not in row]
    connected = [row for row in rows if "different_transition_states" in row]
    apart = [row for row in rows if row["different"] != row["different_loosely"]]
    share, down_to = GOAL
    legend = COLUMNS.format(
        close=CLOSE,
        identity=IDENTITY,
        agree="in every row" if not apart else f"but for {len(apart)} rows",
        share=share,
        down_to=down_to,
        patience=PATIENCE,
        baseline=f" (commit {result['baseline']})" if result["baseline"] else " (not given)",
    )
    solved = sum(row["solved"] for row in rows)
    unsolved = sum(row["unsolved"] for row in rows)
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    parts = [
        "# Minima under weak penalties\n",
        f"Machine: {result['machine']}; {versions}\n",
        f"`{result['command']}`\n",
        "## Quenches alone\n",
        table(alone, columns),
        "## With basin-hopping and connections, all settings as `explore` has them\n",
        table(connected, {**columns, **states}),
        f"{solved} points that converged were solved in 50-digit arithmetic; {unsolved} could not "
        "be.\n",
        "## Columns\n",
        legend,
    ]
    return "\n".join(parts)


def commit_of(directory):
    done = subprocess.run(
        ["git", "-C", directory, "rev-parse", "--short", "HEAD"], capture_output=True, check=False
    )
    return done.stdout.decode().strip() or "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--baseline", type=Path, help="a directory with another nnpotential")
    parser.add_argument("--quenches", type=int, default=100)
    parser.add_argument("--regularizations", type=float, nargs="+", default=REGULARIZATIONS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count_only:
        json.dump({"package": nnp.__file__, "rows": count_only(options)}, sys.stdout)
        return
    given = [a if a != str(options.baseline) else "DIR" for a in sys.argv]
    result = {
        "machine": machine(),
        "versions": {name: version(name) for name in ("nnpotential", "pele", "numpy", "mpmath")},
        "command": "python " + " ".join(given),
        "baseline": options.baseline and commit_of(options.baseline),
        "rows": [judged(case, search, options) for case, search in searches(options)],
    }
    if options.baseline:
        for row, before in zip(result["rows"], counted_by(options.baseline, options), strict=True):
            row["baseline"] = before
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "weak_penalties.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "weak_penalties.md").write_text(markdown(result))
    print(markdown(result))


if __name__ == "__main__":
    main()
