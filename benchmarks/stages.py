"""Where the time of a whole search goes, by stage, and what it brings in an hour.

    python benchmarks/stages.py [CASE ...] [--before DIR] [--output DIR]

Each case is a search as a user starts it, `nnpotential explore` with one worker in a process
of its own, pinned to one core. With `--before` another checkout of this project (with its
compiled kernel in place) does the same right after. Seconds by stage are those of the
`summary.json` of each; the rest is what comes before the first job and after the last, graph
and report page among it. Points are counted in the database.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from common import machine, pin_to_one_core, write_table

# isort: split
from pele.storage import Database, Minimum, TransitionState

from nnpotential.sessions import close
from nnpotential.storage import is_verified

HERE = Path(__file__).parents[1]
# options of explore, and seconds after which it is stopped where it has not ended
CASES = {
    "main": ("ljat --n-train 100 --regularization 1e-3", 600),
    "deep": ("ljat --n-train 100 --regularization 1e-3 --hidden 5,5,5", 120),
    "digits": ("digits --hidden 32,32 --quenches 4 --basin-hopping-runs 0", 540),
    "large": ("digits --hidden 256,128 --quenches 1 --basin-hopping-runs 0", 540),
}


def explored(options, limit, checkout, path):
    """Seconds in all and by stage, and how many verified minima and transition states."""
    command = [sys.executable, "-m", "nnpotential", "explore", *options.split()]
    command += ["--max-seconds", str(limit), "--output", str(path)]
    began = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    took = time.perf_counter() - began
    stages = json.loads((path / "summary.json").read_text(encoding="utf-8"))["seconds"]
    database = Database(str(path / "landscape.sqlite"), createdb=False)
    counts = [
        sum(map(is_verified, database.session.query(kind))) for kind in (Minimum, TransitionState)
    ]
    close(database)
    return took, stages, counts


def row(case, version, took, stages, counts):
    rest = took - sum(stages.values())
    shares = ", ".join(
        f"{name} {100 * seconds / took:.0f}"
        for name, seconds in sorted(
            {**stages, "rest": rest}.items(), key=lambda item: item[1], reverse=True
        )
        if seconds >= 0.005 * took
    )
    minima, states = counts
    cells = case, version, f"{took:.0f}", shares, f"{minima}", f"{states}"
    return f"| {' | '.join(cells)} | {3600 * states / took:.0f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", metavar="CASE", nargs="*", help=", ".join(CASES))
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    unknown = sorted(set(args.cases) - set(CASES))
    if unknown:
        parser.error(f"there is no case {unknown[0]!r}, but {', '.join(CASES)}")
    pin_to_one_core()
    versions = {"ours": HERE} | ({"before": args.before.resolve()} if args.before else {})
    rows = []
    for case in args.cases or CASES:
        options, limit = CASES[case]
        for version, checkout in versions.items():
            with TemporaryDirectory() as directory:
                found = explored(options, limit, checkout, Path(directory) / "land")
            rows.append(row(case, version, *found))
            print(rows[-1], file=sys.stderr)
    lines = [
        "# Searches by stage",
        "",
        f"{machine()}, one worker on one core. Per cent of the seconds by the clock; minima and "
        "transition states that passed their verification.",
        "",
        *(f"- {case}: `explore {CASES[case][0]}`, at most {CASES[case][1]} s" for case in CASES),
        "",
        "| case | version | s | % by stage | minima | transition states | of these an hour |",
        "| --- | --- | ---: | --- | ---: | ---: | ---: |",
        *rows,
    ]
    write_table(lines, args.output, "stages.md")


if __name__ == "__main__":
    main()
