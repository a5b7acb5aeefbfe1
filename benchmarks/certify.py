"""Which share of stored points can be certified, why the others cannot, and what it costs.

    python benchmarks/certify.py [--output DIR] LANDSCAPE...

The landscapes are left as they are. Those of the table were made by

    nnpotential explore ljat --n-train N --n-test 100 --hidden SIZES --regularization R \
        --quenches 30 --soft-modes 0 --untrap-attempts 0 --max-seconds 40

with 12 quenches and 30 s for N=1000; the first is that of the README.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from common import label, machine, pin_to_one_core

# isort: split
import flint
import numpy as np

import nnpotential as nnp
from nnpotential.storage import is_verified
from nnpotential.verification.certificate import certify_point

HEADER = """\
# Certificates

{machine}, python-flint {version}, one thread. Of all verified points: proofs of
existence and index, by outcome; that no two are images of each other is the last step of
`nnpotential certify`. Then medians, and in brackets the worst.

| network | penalty | minima | states | certified | ms a point | beta | L | eta | beta L eta |
| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |"""


def row(path):
    land = nnp.Landscape.open(path)
    system, database = land.system, land.database
    stored = [
        [p for p in points if is_verified(p)]
        for points in (database.minima(), database.transition_states())
    ]
    enclosure, found = system.enclosure(), []
    started = time.process_time()
    for index, points in enumerate(stored):
        for point in points:
            x = np.asarray(point.coords)
            found.append(certify_point(enclosure, x, index, system.scales.step))
    cost = 1e3 * (time.process_time() - started) / len(found)
    share = ", ".join(
        f"{100 * n / len(found):.1f} % {outcome}"
        for outcome, n in Counter(c.outcome for c in found).most_common()
    )
    numbers = (
        [getattr(c, name) for c in found] for name in ("beta", "lipschitz", "eta", "kantorovich")
    )
    spread = " | ".join(f"{np.median(v):.1e} ({max(v):.1e})" for v in numbers)
    network = label(system.net.layer_sizes, len(system.data.X_train))
    weight = f"{system.settings.regularization:g}"
    counts = " | ".join(str(len(points)) for points in stored)
    return f"| {network} | {weight} | {counts} | {share} | {cost:.0f} | {spread} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("landscapes", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    pin_to_one_core()
    lines = [HEADER.format(machine=machine(), version=flint.__version__)]
    print(*lines)
    for path in options.landscapes:
        lines.append(row(path))
        print(lines[-1], flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "certify.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
