"""What merging costs, and the choice of the next job, as a landscape grows.

    python benchmarks/merging.py [--minima N ...] [--jobs N] [--output DIR]

The landscapes are made up: minima and transition states at random places of a network's
parameter space, joined to one another, a hundred of the minima hit by quenches. To each
come attempts to lower barriers, of which a third bring a new transition state with a new
minimum, a third a new one between minima that are stored, and a third one that is stored.
Each new point is checked. No job takes any time: what is measured is the parent alone.
"""

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from common import machine, pin_to_one_core, write_table

# isort: split
import numpy as np
from pele.storage import Minimum, TransitionState

import nnpotential as nnp
from nnpotential.findings import Connection, Findings, Point, Verdict
from nnpotential.search.exploration import Exploration
from nnpotential.search.settings import SearchSettings
from nnpotential.verification.kinds import CHECKS

SAMPLED = 100
STATES_EACH = 2  # transition states for each minimum


class MadeUp:
    """The points that are stored."""

    def __init__(self, land, n, rng):
        self.rng, self.dim = rng, land.system.n_dof
        self.minima = [self.minimum() for _ in range(n)]
        self.joined = [(i, int(rng.integers(i))) for i in range(1, n)]
        self.joined += [tuple(map(int, rng.integers(n, size=2))) for _ in range(n)]
        self.states = [self.state(*map(self.minima.__getitem__, pair)) for pair in self.joined]
        session = land.database.session
        notes = (
            {"glorot_uniform" if i < SAMPLED else "connections": 1, "verified": "ok"}
            for i in range(n)
        )
        session.bulk_insert_mappings(
            Minimum,
            [
                {"energy": m.energy, "coords": m.coords, "invalid": 0, "user_data": noted}
                for m, noted in zip(self.minima, notes, strict=True)
            ],
        )
        session.bulk_insert_mappings(
            TransitionState,
            [
                {
                    "energy": ts.energy,
                    "coords": ts.coords,
                    "_minimum1_id": min(pair) + 1,
                    "_minimum2_id": max(pair) + 1,
                    "eigenval": ts.eigenval,
                    "eigenvec": ts.eigenvec,
                    "invalid": 0,
                    "user_data": {"verified": "ok"},
                }
                for ts, pair in zip(self.states, self.joined, strict=True)
            ],
        )
        session.commit()

    def minimum(self):
        return Point(0.28 + 0.02 * float(self.rng.random()), self.rng.normal(size=self.dim))

    def state(self, one, two):
        x, mode = self.rng.normal(size=(2, self.dim))
        above = max(one.energy, two.energy) + 2e-3 * float(self.rng.random())
        return Connection(above, x, -0.01, mode, one, two)

    def any(self, points):
        return points[int(self.rng.integers(len(points)))]

    def found(self, number):
        """What an attempt brings back."""
        if number % 3 == 2:
            return self.any(self.states)
        return self.state(
            self.any(self.minima), self.minimum() if number % 3 else self.any(self.minima)
        )


class Enough(Exception):
    """All that was asked for is merged."""


class NoTime:
    """A crew whose jobs are done at once."""

    def __init__(self, made_up, jobs):
        self.made_up, self.jobs, self.kinds, self.n = made_up, jobs, {}, 0
        self.began = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, number, kind, args):
        self.kinds[number] = kind.name

    def result(self, number, on_wait=None):
        self.began = self.began or time.process_time()
        if self.kinds[number] != "lower":
            return Verdict("ok"), 0.0
        if self.n == self.jobs:
            raise Enough
        self.n += 1
        return Findings([self.made_up.found(self.n)], [], 1000.0), 0.0


def measured(n, jobs, path):
    """CPU seconds to take the landscape up, and of each attempt that is merged."""
    data = nnp.load_dataset("ljat", n_train=100)
    land = nnp.Landscape.create(path, nnp.MLP([3, 10, 4]), data, regularization=1e-3)
    crew = NoTime(MadeUp(land, n, np.random.default_rng(0)), jobs)
    search = SearchSettings(untrap_attempts=10**6, quenches=0, basin_hopping_runs=0)
    began = time.process_time()
    exploration = Exploration(land.system, land.database, search, 0, CHECKS)
    with suppress(Enough):
        exploration.run(crew, ("connections",))
    done = time.process_time()
    land.close()
    return crew.began - began, (done - crew.began) / jobs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minima", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    pin_to_one_core()
    rows = []
    for n in args.minima:
        with TemporaryDirectory() as directory:
            begin, each = measured(n, args.jobs, Path(directory) / "land")
        rows.append([f"{n}", f"{STATES_EACH * n - 1}", f"{begin:.2f}", f"{1e3 * each:.2f}"])
        print("  ".join(rows[-1]), file=sys.stderr)
    lines = [
        "# Merging as a landscape grows",
        "",
        f"{machine()}, one thread. CPU time of the parent alone: to take the landscape up, and "
        f"for each of {args.jobs} attempts to lower barriers the merge of what it found and of "
        "its checks and the choice of what follows.",
        "",
        "| minima | transition states | taken up, s | each attempt, ms |",
        "| ---: | ---: | ---: | ---: |",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    write_table(lines, args.output, "merging.md")


if __name__ == "__main__":
    main()
