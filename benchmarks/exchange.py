"""What OPTIM and PATHSAMPLE say of the points of a landscape that `export` wrote for them.

    python benchmarks/exchange.py DIR ... [--points 60] [--temperatures 0.001 0.011 0.005]

DIR are landscapes of networks; needs pylfl 0.3.5 (extra `[peers]`, Linux). Prints a row for each:
how many of a random sample of minima and transition states OPTIM accepts as they are, at once and
with the right index (CHECKINDEX, which prints the ten lowest eigenvalues, to five decimals), the
largest differences of energies and ln det, and beside ours PATHSAMPLE's entropy, frustration and
occupation of the lowest. With several hidden layers the programs round lambda to float32: energies
are compared with and without what that changes.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pathsample

import nnpotential as nnp

MINIMUM = """\
SEARCH 0
ENDHESS
MAXBFGS 0.1 0.1
UPDATES 1000 1000
BFGSMIN 1.0D-9
STEPS 10000
"""
STATE = """\
CHECKINDEX
BFGSTS 5000 1 10 0.002
NOIT
ENDHESS
DUMPVECTOR
CONVERGE 1.0 1.0D-9
MAXSTEP 0.01
MAXMAX 0.2
TRAD 1.0
STEPS 100
BFGSSTEPS 500
UPDATES 10 10
MAXBFGS 0.1 0.1
"""
BINS = 5e-9  # of PATHSAMPLE's barriers


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("landscapes", nargs="+", metavar="DIR")
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--temperatures", type=float, nargs=3, default=[0.001, 0.011, 0.005])
    options = parser.parse_args()
    for path in options.landscapes:
        # the path of a program must be short
        with tempfile.TemporaryDirectory(prefix="ex", dir="/tmp") as folder:
            done = nnp.export_pathsample(path, Path(folder) / "a")
            settings = nnp.Landscape.open(path).system.settings
            print(path)
            ask_optim(done, settings.regularization, options.points)
            ask_pathsample(done, *options.temperatures)


def ask_optim(done, regularization, n_points):
    folder, rng = done.place, np.random.default_rng(0)
    loss = (folder / "odata").read_text().partition("SEARCH")[0]
    rounding = 0.0
    if loss.startswith("DL"):
        rounding = float(np.float32(regularization)) - regularization
    for what, name, keywords, points in (
        ("minima", "points.min", MINIMUM, done.network.minima),
        ("transition states", "points.ts", STATE, done.network.states),
    ):
        coords = np.fromfile(folder / name).reshape(len(points), -1)
        sample = rng.choice(len(points), min(n_points, len(points)), replace=False)
        accepted, differences = 0, np.zeros((len(sample), 3))
        for row, k in enumerate(sample):
            x = coords[k]
            text = run_optim(folder, loss + keywords, x)
            accepted += is_accepted(text, what == "transition states")
            energy = number(r"(?:Final energy is|Energy:)\s+(\S+)", text)
            change = energy - points.energies[k]
            determinant = number(r"Log product of.*=\s+(\S+)", text)
            differences[row] = (
                change,
                change - rounding * (x @ x),
                determinant - points.log_determinants[k],
            )
        largest = np.abs(differences).max(axis=0)
        print(
            f"  OPTIM accepts {accepted} of {len(sample)} {what}; energies differ by up to "
            f"{largest[0]:.1e} (beyond rounded lambda {largest[1]:.1e}), ln det {largest[2]:.1e}"
        )


def run_optim(folder, keywords, x):
    lines = "".join(f"{value:.17E}\n" for value in x)
    (folder / "odata").write_text(f"{keywords}VARIABLES\n{lines}")
    program = pathsample.programs() / "OPTIM"
    done = subprocess.run([program], cwd=folder, capture_output=True, timeout=600, check=False)
    return done.stdout.decode(errors="replace")


def is_accepted(text, is_state):
    """Whether OPTIM converged without a step, and for a state with one negative eigenvalue."""
    rms = number(r"Energy and RMS force=\s+\S+\s+(\S+)", text)
    if "**** CONVERGED ****" not in text or rms > 1e-9 or "after      0 steps" not in text:
        return False
    if not is_state:
        return True
    lowest = re.search(r"Lowest 10 non-zero Hessian eigenvalues:\s+(\S+)\s+(\S+)", text)
    once = re.search(r"Converged to TS \(number of iterations\):\s+1\s", text)
    first, second = map(float, lowest.groups())
    return once is not None and first <= 0 <= second


def number(pattern, text):
    return float(re.findall(pattern, text)[-1].replace("D", "E"))


def ask_pathsample(done, low, high, step):
    folder, network = done.place, done.network
    keywords = (folder / "pathdata").read_text()
    asked = f"SHANNON {low} {high} {step} {BINS:.10f}"
    (folder / "pathdata").write_text(keywords.replace("CYCLES 0", asked))
    program = pathsample.programs() / "PATHSAMPLE"
    subprocess.run([program], cwd=folder, capture_output=True, timeout=600, check=False)
    points, lowest, barriers = network.minima, network.lowest, network.barriers()
    others = np.arange(len(points)) != lowest
    joined = others & ~np.isnan(barriers)
    for temperature, *theirs in np.loadtxt(folder / "Shannon.out", ndmin=2):
        logs = -points.energies / temperature - points.log_determinants / 2 - np.log(points.orders)
        p = np.exp(logs - logs.max())
        p /= p.sum()
        entropy = -(p[p > 0] * np.log(p[p > 0])).sum()
        above = points.energies - points.energies[lowest]
        frustration = (p * barriers)[joined] @ (1 / above[joined])
        ours = entropy, frustration, frustration / p[others].sum(), p[lowest]
        for who, values in (("PATHSAMPLE", theirs), ("ours", ours)):
            figures = ", ".join(
                f"{name} {value:.5g}"
                for name, value in zip(("S", "f", "f / sum p", "p lowest"), values, strict=True)
            )
            print(f"  T {temperature:g}, {who}: {figures}")


if __name__ == "__main__":
    main()
