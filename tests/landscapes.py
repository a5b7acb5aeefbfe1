"""What the tests of landscapes share."""

import shutil
from itertools import count

import numpy as np
from pele.storage import Minimum

import nnpotential as nnp
from nnpotential.search.journal import Journal

SEARCH = {
    "quenches": 8,
    "basin_hopping_runs": 2,
    "basin_hopping_steps": 4,
    "untrap_attempts": 2,
    "audit_sample": 0,
    "soft_modes": 1,
}
FEW = {**SEARCH, "soft_modes": 0}
TINY = {
    "quenches": 2,
    "basin_hopping_runs": 0,
    "untrap_attempts": 0,
    "audit_sample": 0,
    "soft_modes": 0,
}
NET = nnp.MLP([3, 3, 4])


def contents(land):
    """All that a search decides, without times: minima, transition states, work done."""
    minima = [(m.id(), m.energy, m.coords.tobytes(), m.user_data) for m in land.database.minima()]
    states = [
        (t.id(), t.energy, t.coords.tobytes(), t.minimum1.id(), t.minimum2.id(), t.user_data)
        for t in land.database.transition_states()
    ]
    journal = Journal(land.database)
    del journal.tally["seconds"]
    return minima, states, journal.tally, journal.all_jobs()


def interrupt_at(call):
    """A report of progress that presses Ctrl-C when it is called for so many a time."""
    calls = count(1)

    def interrupt(*_):
        if next(calls) == call:
            raise KeyboardInterrupt

    return interrupt


def copy_of(land, tmp_path):
    """The directory of a landscape once more, to be changed."""
    return shutil.copytree(land.path, tmp_path / "copy")


def xor_landscape(path, **options):
    """Six minima, whose barriers are lowered and audited in seconds."""
    few = {"quenches": 6, "basin_hopping_runs": 0, "soft_modes": 0, "audit_sample": 1}
    data = nnp.load_dataset("xor", n_train=10, n_test=4)
    net = nnp.MLP([2, 2, 2])
    return nnp.Landscape.create(path, net, data, regularization=0.01, **{**few, **options})


def different(system, points):
    """How many of these points no symmetry operation maps on an earlier one."""
    kept = []
    for x in points:
        if not any(system.identity.are_same(x, other) for other in kept):
            kept.append(x)
    return len(kept)


def image(land, x, seed):
    """`x` under a random symmetry operation."""
    symmetry = land.system.identity
    return symmetry.apply(symmetry.random_operation(np.random.default_rng(seed)), x)


def replace(land, point, coords):
    """Move a stored point."""
    point.coords = np.array(coords)
    point.energy = land.system.potential.getEnergy(point.coords)


def twin(land, minimum):
    """Store an image of a minimum once more, as if it had been verified."""
    x = image(land, minimum.coords, 0)
    other = Minimum(land.system.potential.getEnergy(x), x)
    other.user_data = {"verified": "ok"}
    land.database.session.add(other)


def tree(path):
    """What stands in all files below a directory."""
    return {p: p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}
