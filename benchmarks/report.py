"""What the report page costs: seconds to write, its size, and how soon Chromium has drawn it.

    python benchmarks/report.py [--minima N ...] [--output DIR]

The landscapes are made up: minima and transition states at random places of the parameter
space of a network with a hundred parameters, three transition states for each minimum. The
page is written as at the end of a search (``quick``) and opened in a headless Chromium.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from common import machine, write_table

# isort: split
import numpy as np
from pele.storage import Minimum, TransitionState

import nnpotential as nnp

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import CHROMIUM, Browser

REPEATS = 3
EDGES = 3  # transition states for each minimum


def made_up(path, n):
    data = nnp.load_dataset("ljat", n_train=100, n_test=1000, seed=0)
    land = nnp.Landscape.create(path, nnp.MLP([3, 12, 4]), data, regularization=1e-3)
    rng, dim, session = np.random.default_rng(0), land.system.n_dof, land.database.session
    minima = [Minimum(0.28 + 0.04 * rng.beta(2, 4), rng.normal(size=dim)) for _ in range(n)]
    session.add_all(minima)
    session.flush()
    states = []
    for k in range(1, n):
        # to one before, near by: funnels of funnels; the others anywhere
        ends = [int(k * rng.beta(1, 3)), *rng.integers(0, n, EDGES - 1).tolist()]
        for one in ends:
            pair = minima[one], minima[k]
            energy = max(m.energy for m in pair) + rng.exponential(0.002)
            if one != k:
                x = rng.normal(size=dim)
                states.append(TransitionState(energy, x, *pair, -1.0, x))
    for point in minima + states:
        point.user_data, point.invalid = {"verified": "ok"}, 0
    session.add_all(states)
    session.commit()
    land.close()
    return nnp.Landscape.open(path)


def measured(land):
    summary = land.summary()
    began = time.process_time()
    page = land.report(quick=True, summary=summary)
    wrote = time.process_time() - began
    drawn, complete, shown, zoomed = [], [], [], []
    with Browser() as browser:
        for _ in range(REPEATS):
            browser.open(page)
            for name, times in (("drawn", drawn), ("complete", complete)):
                times.append(float(browser.evaluate(f"document.documentElement.dataset.{name}")))
            for action, times in (
                ("select(Math.floor(n / 2)); at('minimum').offsetHeight", shown),
                ("zoom(0.5); at('graph').offsetHeight", zoomed),
            ):
                timed = f"const t = performance.now(); {action}; return performance.now() - t;"
                times.append(browser.evaluate(f"(() => {{ {timed} }})()"))
        assert browser.said == [], browser.said
    return {
        "write CPU s": round(wrote, 2),
        "MB": round(page.stat().st_size / 1e6, 2),
        "drawn ms": round(median(drawn)),
        "complete ms": round(median(complete)),
        "select ms": round(median(shown)),
        "zoom ms": round(median(zoomed)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minima", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    rows = []
    for n in options.minima:
        with TemporaryDirectory() as folder:
            land = made_up(Path(folder) / "land", n)
            rows.append({"minima": n, **measured(land)})
            land.close()
        print(rows[-1], flush=True)
    lines = [f"{machine()}, {CHROMIUM}; medians of {REPEATS} openings", ""]
    lines += [f"| {' | '.join(rows[0])} |", "| --: " * len(rows[0]) + "|"]
    lines += [f"| {' | '.join(map(str, row.values()))} |" for row in rows]
    write_table(lines, options.output, "report.md")


if __name__ == "__main__":
    main()
