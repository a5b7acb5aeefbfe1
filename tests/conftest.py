import numpy as np
import pytest
from landscapes import FEW

import nnpotential as nnp


@pytest.fixture(scope="session")
def iris():
    return nnp.load_dataset("iris", n_train=60, n_test=60, seed=0)


@pytest.fixture(scope="session")
def ljat():
    return nnp.load_dataset("ljat", n_train=50, n_test=50, seed=0)


@pytest.fixture(scope="session")
def system(ljat):
    """A small landscape with some ten minima."""
    return nnp.NNSystem(nnp.MLP([3, 4, 4]), ljat, regularization=1e-3)


@pytest.fixture(scope="session")
def quenched(system):
    """Ten quenched minima of `system`."""
    minimize = system.get_minimizer()
    rng = np.random.default_rng(0)
    return [minimize(system.net.random_parameters(rng)) for _ in range(10)]


@pytest.fixture(scope="session")
def alone(tmp_path_factory, ljat):
    """A landscape that one process explored without interruption."""
    path = tmp_path_factory.mktemp("alone") / "a"
    net = nnp.MLP([3, 5, 4])
    land = nnp.Landscape.create(path, net, ljat, regularization=1e-3, seed=5, **FEW)
    land.explore()
    return land
