import pytest

import nnpotential.contract
import nnpotential.points.krylov


@pytest.fixture(scope="session")
def pair(system, quenched):
    """The two minima of lowest and of highest loss, aligned."""
    low, *_, high = sorted(quenched, key=lambda r: r.energy)
    return low.coords, system.identity.align(low.coords, high.coords)[1]


@pytest.fixture
def matrix_free(monkeypatch):
    """Everything in the search from products with vectors."""
    monkeypatch.setattr(nnpotential.contract, "KRYLOV_LIMIT", 0)
    monkeypatch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 0)
