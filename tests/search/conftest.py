import pytest
from landscapes import FEW, xor_landscape

import nnpotential as nnp
from nnpotential import Landscape


@pytest.fixture(scope="session")
def alone(tmp_path_factory, ljat):
    """As above, but larger: workers and kills come in between more jobs."""
    path = tmp_path_factory.mktemp("alone") / "a"
    land = Landscape.create(path, nnp.MLP([3, 5, 4]), ljat, regularization=1e-3, seed=5, **FEW)
    land.explore()
    return land


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A landscape whose barriers were lowered until they settled, and then audited."""
    land = xor_landscape(tmp_path_factory.mktemp("whole") / "a")
    land.explore(draw=False)
    return land
