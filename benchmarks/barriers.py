"""How fast barriers fall: ours, each of its ways alone, an earlier version, and other programs.

    python benchmarks/barriers.py [--hidden 10] [--n-train 100] [--regularization 1e-3]
        [--seconds 60] [--seeds 2] [--contestants NAME ...] [--before DIR]
        [--topsearch-python DIR/bin/python] [--keep DIR]

All begin with the same minima, those of quenches, join them, and lower the barriers to the
lowest for as long as they are given: CPU seconds of one thread, children included, one
contestant after another. Contestants:

- `default`: the search as it is; where it ends by itself before the time is over, which is
  noted, it goes on.
- `across`, `uphill`, `neighbours`, `downhill`: each the only way of lowering barriers; ways that
  the search does not have: `hops` (basin-hopping from a minimum behind the bottleneck, bands from
  there), `mixtures` (up random mixtures of ten soft modes); `modes`: the two softest modes of
  every minimum in place of all that. `before`: another checkout of this project (with its
  compiled kernel in place), 500 untrap attempts.
- `pele ...`: pele's own search on our kernel (`search.PlainSystem`), pairs by its strategies.
- `TopSearch` 0.0.3, with the loss in NumPy (`search_topsearch.py`), in an environment of its own.
- `PATHSAMPLE ...` with OPTIM, where pylfl is installed (`pathsample.py`).

What they find is judged by `judge.py`, outside their time and the same for all: barriers are
those of graphs in which a transition state joins the minima that the gradient leads to.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from operator import itemgetter
from pathlib import Path

from common import label, machine, pin_to_one_core

# isort: split
import numpy as np
import pathsample
from barriers_report import measure, report
from contestants import OTHER_WAYS, PELE, WAYS
from judge import Judge, Points

import nnpotential as nnp

TOPSEARCH = "TopSearch"
N_MINIMA = 60


def task_of(options, system, seed):
    """What a contestant needs: the common list of minima, the lowest first, and the loss."""
    minima, minimize = Points(system, index=0), system.get_minimizer()
    rng = np.random.default_rng(seed)
    while len(minima.distinct) < N_MINIMA:
        minima.add(minimize(system.net.random_parameters(rng)).coords)
    return {
        "sizes": system.net.layer_sizes,
        "X": system.data.X_train,
        "y": system.data.y_train,
        "regularization": options.regularization,
        "minima": np.array([x for _, x in sorted(minima.distinct, key=itemgetter(0))]),
        "seconds": options.seconds,
        "seed": seed,
    }


def contest(options, contestant, system, task, folder):
    """What one contestant finds, or found before."""
    name = "-".join(re.findall(r"\w+", contestant))
    given, found = folder / f"{name}-task.npz", folder / f"{name}.npz"
    if not found.exists():
        if contestant in pathsample.SETTINGS:
            np.savez(found, **pathsample.search(system, task, contestant))
        else:
            run(options, contestant, system, task, given, found)
    with np.load(found) as result:
        return dict(result)


def run(options, contestant, system, task, given, found):
    """Let a contestant search in a process of its own."""
    here, path = Path(__file__).resolve().parent, os.environ.get("PYTHONPATH", "")
    if contestant == TOPSEARCH:
        task = task | {"minima": pathsample.aligned(system, task["minima"])}
        program = [options.topsearch_python, "-W", "ignore", here / "search_topsearch.py"]
        command = [*program, "search", str(options.seconds), given, found]
    else:
        command = [sys.executable, here / "contestants.py", contestant, given, found]
        path = options.before if contestant == "before" else here.parent
    np.savez(given, **task)
    env = {**os.environ, "PYTHONPATH": str(path)}
    subprocess.run(command, cwd=found.parent, check=True, env=env, stdout=subprocess.DEVNULL)


def contestants_of(options):
    """All that are at hand, or those asked for."""
    known = [
        "default",
        *WAYS,
        *OTHER_WAYS,
        "modes",
        "before",
        *PELE,
        TOPSEARCH,
        *pathsample.SETTINGS,
    ]
    if options.contestants:
        unknown = set(options.contestants) - set(known)
        if unknown:
            sys.exit(f"no such contestant: {', '.join(unknown)}; there are {', '.join(known)}")
        return options.contestants
    absent = {
        "before": not options.before,
        TOPSEARCH: not options.topsearch_python,
        **dict.fromkeys(pathsample.SETTINGS, not pathsample.programs()),
    }
    return [name for name in known if not absent.get(name)]


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=numbers, default=[10])
    parser.add_argument("--n-train", type=int, default=100)
    parser.add_argument("--regularization", type=float, default=1e-3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--contestants", nargs="+", help="by default all that are at hand")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version")
    parser.add_argument("--topsearch-python", help="a Python that has TopSearch 0.0.3")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument(
        "--keep", type=Path, help="what they find is left there, and not looked for again"
    )
    parser.add_argument("--note", default="", help="of this run, for the table")
    options = parser.parse_args()
    data = nnp.load_dataset("ljat", n_train=options.n_train, n_test=1000, seed=0)
    sizes = [3, *options.hidden, 4]
    system = nnp.NNSystem(nnp.MLP(sizes), data, regularization=options.regularization)
    pin_to_one_core()
    names, seeds = contestants_of(options), []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seeds):
            folder = (options.keep or Path(scratch)) / str(seed)
            folder.mkdir(parents=True, exist_ok=True)
            task = task_of(options, system, seed)
            judge, results = Judge(system, task["minima"]), {}
            for name in names:
                found = contest(options, name, system, task, folder.resolve())
                judged = judge.judge(found)
                results[name] = judged, float(found.get("ended", np.nan))
                joined = np.isfinite(judge.barriers(judged.rows)).sum()
                print(
                    f"seed {seed}, {name}: {joined} minima joined by "
                    f"{len(judged.rows)} transition states",
                    flush=True,
                )
            seeds.append(measure(judge, results, options.seconds))
    found = {"machine": machine(), "seconds": options.seconds, "note": options.note}
    found["seeds"] = seeds
    case = f"{label(sizes, options.n_train)}, regularization {options.regularization:g}"
    report(f"{case}, {options.seconds:g} s", found, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
