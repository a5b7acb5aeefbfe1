"""Kill a search at random moments, again and again, and see that nothing is lost.

    python benchmarks/kills.py --kills 100 --workers 2

A landscape is explored in a process of its own, which is killed with SIGKILL at a
random moment and started again until it ends by itself. After each kill the
database must open, and hold only what the uninterrupted search holds; at the end
it must be identical to that, bit by bit. Then the next landscape begins, until
enough kills have been made.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nnpotential as nnp
from nnpotential.search.journal import Journal

SEARCH = {"quenches": 20, "basin_hopping_runs": 4, "basin_hopping_steps": 10, "untrap_attempts": 4}


def create(path):
    data = nnp.load_dataset("ljat", n_train=100, n_test=0, seed=0)
    net = nnp.MLP([3, 5, 4])
    nnp.Landscape.create(path, net, data, regularization=1e-3, seed=1, **SEARCH).close()


def explore(path, workers):
    nnp.Landscape.open(path).explore(workers=workers)


def contents(path):
    """All that the search decides: points with their hits and outcomes, finished jobs."""
    land = nnp.Landscape.open(path)
    database = land.database
    points = {("minimum", m.id()): (m.energy, m.coords.tobytes()) for m in database.minima()}
    marks = [(m.id(), m.user_data) for m in database.minima()]
    for ts in database.transition_states():
        points["transition state", ts.id()] = (ts.energy, ts.coords.tobytes())
        marks.append((ts.id(), ts.minimum1.id(), ts.minimum2.id(), ts.user_data))
    journal = Journal(database)
    jobs = journal.all_jobs()
    land.close()
    return points, (marks, jobs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--explore", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.explore:
        explore(options.explore, options.workers)
        return
    moments = random.Random(options.seed)
    command = [sys.executable, __file__, "--workers", str(options.workers), "--explore"]
    kills = finished = within = 0
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference"
        create(reference)
        began = time.monotonic()
        subprocess.run([*command, reference], check=True)
        whole = time.monotonic() - began
        points, rest = contents(reference)
        print(f"uninterrupted: {len(points)} points, {whole:.1f} s", flush=True)
        while kills < options.kills:
            path = Path(folder) / f"landscape-{finished}"
            create(path)
            done = 0
            while True:
                process = subprocess.Popen([*command, path], start_new_session=True)
                try:
                    process.wait(moments.uniform(0, whole))
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    kills += 1
                ended = process.returncode == 0
                found, _ = contents(path)
                if any(points.get(key) != value for key, value in found.items()):
                    sys.exit(f"kill {kills}: a point that the uninterrupted search has not")
                if len(found) < done:
                    sys.exit(f"kill {kills}: {done} points were there, {len(found)} are left")
                within += 0 < len(found) < len(points)
                done = len(found)
                if ended:
                    break
            if contents(path) != (points, rest):
                sys.exit(f"after {kills} kills: not the landscape of the uninterrupted search")
            finished += 1
            print(f"{kills} kills, {finished} landscapes identical", flush=True)
    print(f"{kills} kills, {within} with some but not all points stored; nothing was lost, ")
    print(f"all {finished} landscapes are identical to the uninterrupted one")


if __name__ == "__main__":
    main()
