"""Whole Hessian or products with vectors: the size of the system decides, and nothing else."""

import numpy as np
import pytest

import nnpotential.contract
import nnpotential.points.krylov
from nnpotential.points.connect import single_ended
from nnpotential.points.curvature import _has_index_one as has_index_one
from nnpotential.points.curvature import _lowest_near as lowest_near
from nnpotential.points.quench import quench
from nnpotential.points.saddle import find_transition_state


@pytest.mark.parametrize("above", [True, False])
def test_the_size_decides(system, monkeypatch, above):
    """Above the threshold the search never asks for a Hessian, below it never for products."""
    n = system.net.n_parameters
    limit = n - 1 if above else n
    monkeypatch.setattr(nnpotential.contract, "KRYLOV_LIMIT", limit)
    monkeypatch.setattr(nnpotential.points.krylov, "EXACT_LIMIT", 0)
    asked = set()

    class Watched(type(system.potential)):
        def getEnergyGradientHessian(self, x):
            asked.add("matrix")
            return super().getEnergyGradientHessian(x)

        def hessian_vector_product(self, x, v):
            asked.add("products")
            return super().hessian_vector_product(x, v)

    data = system.data
    pot = Watched(system.net, data.X_train, data.y_train, regularization=1e-3)
    x = system.net.random_parameters(np.random.default_rng(0))
    quench(x, pot, system.identity.zero_modes())
    find_transition_state(x, pot, system.identity.zero_modes(), nsteps=3)
    assert asked == {"products" if above else "matrix"}


def test_the_transition_state_nearby_does_not_depend_on_the_method(system, quenched, request):
    rng = np.random.default_rng(0)
    found = [single_ended(system, minimum.coords, 0, 1) for minimum in quenched[:6]]
    known = [connection for walk in found for connection in walk]
    assert len(known) >= 4
    aside = [c.coords + 0.1 * rng.normal(size=c.coords.size) / c.coords.size**0.5 for c in known]
    request.getfixturevalue("matrix_free")
    for c, start in zip(known, aside, strict=True):
        zero_modes = system.identity.zero_modes
        again = find_transition_state(start, system.potential, zero_modes, lowest=True)
        assert again.energy == pytest.approx(c.energy, abs=1e-10)
        assert system.identity.are_same(again.coords, c.coords)


@pytest.mark.parametrize("seed", range(20))
def test_a_turned_guess_is_the_lowest_mode_or_nothing(seed):
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    values = np.concatenate([[-0.02, rng.choice([-0.01, 0.002])], 10.0 ** rng.uniform(-3, 0, 28)])
    hessian = (vectors * values) @ vectors.T
    noise = rng.normal(size=30) / 30**0.5
    value, mode = lowest_near(hessian, vectors[:, 0] + 0.03 * noise, 1e-5)
    assert value == pytest.approx(-0.02, rel=1e-8)
    assert abs(mode @ vectors[:, 0]) == pytest.approx(1, abs=1e-8)
    image = hessian - 2 * value * np.outer(mode, mode)
    assert has_index_one(image, value) == (values[1] > 0)
    for guess in (vectors[:, 0] + noise, vectors[:, 1], vectors[:, 1] + 0.01 * noise):
        value, mode = lowest_near(hessian, guess, 1e-3)
        assert mode is None or value == pytest.approx(-0.02, rel=1e-3)


@pytest.mark.parametrize("size", [0.0, np.inf, np.nan])
def test_where_there_is_no_curvature_to_go_by_no_mode_is_turned(size):
    with np.errstate(invalid="ignore"):
        hessian = size * np.eye(3)
    assert lowest_near(hessian, np.ones(3), 0.03)[1] is None
    assert lowest_near(-np.eye(3), np.zeros(3), 0.03)[1] is None
