import pytest
from landscapes import FEW

import nnpotential as nnp
from nnpotential import Landscape


@pytest.fixture(scope="session")
def alone(tmp_path_factory, ljat):
    """As above, but larger: workers and kills come in between more jobs."""
    path = tmp_path_factory.mktemp("alone") / "a"
    land = Landscape.create(path, nnp.MLP([3, 5, 4]), ljat, regularization=1e-3, seed=5, **FEW)
    land.explore()
    return land
