"""Do deep networks with few data have landscapes of their own? A study of many landscapes.

    python scripts/archetypes.py [--quick] [--output DIR] [--workers N] [--max-seconds S]

maps networks of one, two and three hidden layers on few and more data, with three
penalties and five data seeds, beside a Lennard-Jones cluster and a binary glass; grows
landscapes of a glass, of clusters and of networks from their lowest minimum by one
protocol; and writes graphs on one scale, trends and tables into DIR/report. --quick takes
some ten minutes, all of it days of a core (--only-grown an hour of it); Ctrl-C loses
nothing, and the same command goes on.
"""

import argparse
import sys
import time
from pathlib import Path

import nnpotential as nnp
from nnpotential.study.archetypes import parts
from nnpotential.study.grown import grow
from nnpotential.study.report import report
from nnpotential.study.rows import RUNS
from nnpotential.sweep.progress import SweepReporter
from nnpotential.view.terminal import Reporter


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few small landscapes")
    parser.add_argument("--output", type=Path, help="[default: runs/archetypes, or -quick]")
    parser.add_argument("--workers", type=int, help="processes [default: one for each core]")
    parser.add_argument("--max-seconds", type=float, default=1e9, help="stop after this time")
    parser.add_argument("--only-grown", action="store_true", help="landscapes that are grown")
    parser.add_argument("--only-report", action="store_true", help="of what is finished")
    options = parser.parse_args()
    output = options.output or Path("runs/archetypes" + "-quick" * options.quick)
    end = time.monotonic() + options.max_seconds
    if not options.only_report:  # first, as it is the shortest part
        seconds, workers = options.max_seconds, options.workers
        grow(output, options.quick, workers=workers, max_seconds=seconds, reporter=Reporter)
    for part in () if options.only_report or options.only_grown else parts(options.quick):
        left = end - time.monotonic()
        if left <= 0:
            break
        with SweepReporter() as reporter:
            nnp.Sweep(output / part.folder, part.definition).run(
                reporter, workers=options.workers, max_seconds=left
            )
    n = report(output, output / "report", 5 if options.quick else RUNS)
    print(f"{n} landscapes: {output / 'report' / 'results.md'}")


if __name__ == "__main__":
    try:
        main()
    except nnp.InputError as error:
        sys.exit(f"error: {error}")
