"""A sweep of four small landscapes."""

import subprocess
import sys

from landscapes import contents

SEARCH = {
    "quenches": 4,
    "basin_hopping_runs": 1,
    "basin_hopping_steps": 2,
    "untrap_attempts": 1,
    "audit_sample": 0,
    "soft_modes": 0,
}
DEFINITION = {
    "seed": [0, 1],
    "dataset": {"name": "xor", "n_train": 10, "n_test": 4},
    "network": {"hidden": [[2], [3]]},
    "potential": {"regularization": 0.01},
    "search": SEARCH,
}
NAMES = [f"hidden-{n}_seed-{seed}" for n in (2, 3) for seed in (0, 1)]


def found(sweep, names=NAMES):
    """All that a sweep decides."""
    result = {}
    for name in names:
        land = sweep.landscape(name)
        result[name] = contents(land)
        land.close()
    return result


def command(*arguments, **how):
    """A process of nnpotential sweep."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "nnpotential", "sweep", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


def ended(*arguments, **how):
    """Exit code, standard output and standard error of nnpotential sweep."""
    process = command(*arguments, **how)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err
