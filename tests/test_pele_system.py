"""What pele asks of a system."""

import numpy as np
import pytest

import nnpotential as nnp


@pytest.mark.parametrize("n_dead", [15, 16, 40])
def test_orders_of_point_groups_beyond_64_bits(iris, n_dead):
    system = nnp.NNSystem(nnp.MLP([4, n_dead + 1, 3]), iris, regularization=1e-3)
    x = np.zeros(system.net.n_parameters)
    W, b = system.net.split(x)[0]
    W[0], b[0] = [0.3, 0.2, 0.1, 0.4], 0.5
    exact = 1
    for k in range(1, n_dead + 1):
        exact *= 2 * k
    order = system.identity.n_self_images(x)
    assert order == exact and isinstance(order, int)
    assert system.get_pgorder(x) == pytest.approx(exact, rel=1e-15)
    database = system.create_database()
    minimum = database.addMinimum(1.0, x)
    minimum.pgorder = system.get_pgorder(x)
    database.session.commit()
    database.session.expire_all()
    assert np.log(minimum.pgorder) == pytest.approx(
        float(sum(np.log(2.0 * np.arange(1, n_dead + 1))))
    )


def test_an_order_beyond_all_floats_says_what_to_do(iris):
    system = nnp.NNSystem(nnp.MLP([4, 200, 3]), iris, regularization=1e-3)
    with pytest.raises(nnp.InputError, match=r"order 10\^435\.\d, more than a float holds"):
        system.get_pgorder(np.zeros(system.net.n_parameters))
