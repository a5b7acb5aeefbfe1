import pytest
from landscapes import contents
from small_sweep import SEARCH

import nnpotential as nnp


@pytest.fixture(scope="session")
def serial(tmp_path_factory):
    """The points mapped one by one, without a sweep."""
    folder = tmp_path_factory.mktemp("serial")
    result = {}
    for n in (2, 3):
        for seed in (0, 1):
            data = nnp.load_dataset("xor", n_train=10, n_test=4, seed=seed)
            net = nnp.MLP([2, n, 2])
            name = f"hidden-{n}_seed-{seed}"
            land = nnp.Landscape.create(
                folder / name, net, data, regularization=0.01, seed=seed, **SEARCH
            )
            land.explore(draw=False)
            result[name] = contents(land)
            land.close()
    assert all(minima for minima, *_ in result.values())
    return result
