import numpy as np
import pytest

import nnpotential as nnp


class Box(nnp.EggBox):
    """An egg box with methods of training that are known exactly; workers import it by name."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.trainers = {"low": near_lowest, "wide": anywhere, "wild": nowhere}


def near_lowest(rng):
    return rng.uniform(-0.3, 0.3, 3)


def anywhere(rng):
    """Near each of the eight minima, one as likely as another."""
    return np.pi * rng.integers(2, size=3) + rng.uniform(-0.3, 0.3, 3)


def nowhere(rng):
    return np.full(3, np.inf)


@pytest.fixture
def box_land(tmp_path):
    """All of an egg box: 8 minima and 12 transition states."""
    land = nnp.Landscape.create(tmp_path / "box", Box(), quenches=40, audit_sample=0)
    land.explore(draw=False)
    assert land.summary()["n_minima"] == 8 and land.summary()["n_transition_states"] == 12
    return land
