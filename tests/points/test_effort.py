"""The cost of a job: evaluations, counted; what is found does not depend on it."""

from copy import copy

import numpy as np
import pytest
from surfaces import Quadratic

import nnpotential as nnp
from nnpotential.contract import LandscapePotential, single
from nnpotential.points.connect import connect_band, single_ended
from nnpotential.points.effort import _PARAMETERS_A_SWEEP, _PRODUCT, _SINGLE, Counted


@pytest.fixture
def counted(system):
    return Counted(system.potential)


@pytest.fixture
def x(system):
    return np.random.default_rng(1).normal(size=system.n_dof)


def test_each_evaluation_is_counted_and_is_the_potentials(system, counted, x):
    pot, n = system.potential, x.size
    rows = np.random.default_rng(2).normal(size=(3, n))
    hessian = 1 + n / _PARAMETERS_A_SWEEP
    for name, arguments, cost in (
        ("getEnergy", (x,), 1),
        ("getGradient", (x,), 1),
        ("getEnergyGradient", (x,), 1),
        ("energies_gradients", (rows,), 3),
        ("getHessian", (x,), hessian),
        ("getEnergyGradientHessian", (x,), hessian),
        ("hessian_vector_product", (x, x), _PRODUCT),
        ("hessian_vector_product", (x, rows), 3 * _PRODUCT),
    ):
        before = counted.cost
        found, expected = (getattr(of, name)(*arguments) for of in (counted, pot))
        np.testing.assert_equal(found, expected)
        assert counted.cost - before == pytest.approx(cost)


def test_single_precision_costs_half_and_is_counted_too(system, counted, x):
    single = counted.single()
    assert np.array_equal(single.getGradient(x), system.potential.single().getGradient(x))
    assert counted.cost == _SINGLE
    single.single().hessian_vector_product(x, x)
    assert counted.cost == _SINGLE * (1 + _PRODUCT)


@pytest.mark.parametrize("scale", [1e20, 1e39])
def test_data_too_large_for_single_precision_stay_in_double(scale):
    pot = nnp.NNPotential(nnp.MLP([1, 1, 1]), [[1.0]], [[scale]], loss="squared_error")
    assert (single(pot) is pot) == (scale > 1e38)


def test_a_potential_without_single_precision_stays_itself(x):
    counted = Counted(Quadratic(np.ones(2)))
    assert counted.single() is counted
    other = Quadratic(np.ones(2))
    other.single = False  # a name of its own for something else
    assert single(other) is other


def test_everything_that_a_potential_must_do_is_counted():
    """So that no evaluation goes by unseen."""
    asked = {name for name in vars(LandscapePotential) if not name.startswith("_")}
    assert asked and asked <= set(vars(Counted))


def test_what_else_it_has_is_the_potentials(system, counted):
    own = next(name for name in vars(system.potential) if not name.startswith("_"))
    assert getattr(counted, own) is getattr(system.potential, own)
    with pytest.raises(AttributeError):
        _ = counted.no_such_attribute
    assert counted.cost == 0.0


def test_searches_find_the_same_and_cost_the_same_every_time(system, quenched):
    x1, *others = (result.coords for result in quenched)
    x2 = next(x for x in others if not system.identity.are_same(x, x1))
    for search, arguments in ((connect_band, (x1, x2)), (single_ended, (x1, 0, 1))):
        plain, costs = search(system, *arguments), []
        for _ in range(2):
            watched = copy(system)
            watched.potential = Counted(system.potential)
            found = search(watched, *arguments)
            assert len(found) == len(plain)
            for one, other in zip(found, plain, strict=True):
                assert one.energy == other.energy
                np.testing.assert_array_equal(one.coords, other.coords)
                np.testing.assert_array_equal(one.minimum1.coords, other.minimum1.coords)
            costs.append(watched.potential.cost)
        assert costs[0] == costs[1] > 10
    assert not isinstance(system.potential, Counted)
