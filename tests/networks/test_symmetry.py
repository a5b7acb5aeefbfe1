"""Identity of points, alignment, zero modes: invariants of the symmetry group."""

from math import factorial, log

import numpy as np
import pytest

from nnpotential import MLP, NNPotential, NNSystem, Symmetry, load_dataset
from nnpotential.networks import symmetry as module
from nnpotential.networks.activations import ACTIVATIONS
from nnpotential.networks.symmetry import Operation

NETWORKS = [(3, 4), (3, 6, 4), (3, 4, 5, 4), (3, 3, 4, 3, 4)]


def data(n_out=4, n=20):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)), np.arange(n) % n_out


@pytest.mark.parametrize("sizes", NETWORKS)
@pytest.mark.parametrize("activation", [r.name for r in ACTIVATIONS.values() if r.smooth])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("regularization", "regularize_bias"), [(1e-3, True), (1e-3, False), (0.0, True)]
)
def test_images_have_equal_loss_and_are_recognised(
    sizes, activation, bias, regularization, regularize_bias
):
    net = MLP(sizes, activation=activation, bias=bias)
    pot = NNPotential(net, *data(), regularization=regularization, regularize_bias=regularize_bias)
    symmetry = Symmetry(net, "cross_entropy", regularization, regularize_bias)
    rng = np.random.default_rng(1)
    for _ in range(5):
        x = rng.normal(size=net.n_parameters)
        operation = symmetry.random_operation(rng)
        image = symmetry.apply(operation, x)
        assert pot.getEnergy(image) == pytest.approx(pot.getEnergy(x), rel=1e-13)
        assert symmetry.are_same(x, image)
        found = symmetry.match(x, image)
        gap = symmetry.apply(found, image) - x
        gap -= symmetry.zero_modes() @ (symmetry.zero_modes().T @ gap)
        assert np.abs(gap).max() < 1e-12
        other = image.copy()
        other[rng.integers(x.size)] += 1e-3
        if symmetry.zero_modes().shape[1] == 0:
            assert not symmetry.are_same(x, other)


def test_sigmoid_has_no_signs_where_biases_are_regularized():
    assert not Symmetry(MLP([3, 4, 4], "sigmoid")).has_signs
    assert Symmetry(MLP([3, 4, 4], "sigmoid"), regularize_bias=False).has_signs
    assert not Symmetry(MLP([3, 4, 4], "sigmoid", bias=False), regularize_bias=False).has_signs


@pytest.mark.parametrize("sizes", [(3, 5, 4), (3, 4, 4, 4), (3, 3, 3, 3, 4)])
def test_random_images_of_random_minima_are_always_recognised(ljat, sizes):
    system = NNSystem(MLP(sizes), ljat, regularization=1e-3)
    rng = np.random.default_rng(0)
    minimize = system.get_minimizer()
    minima = []
    for _ in range(6):
        result = minimize(system.net.random_parameters(rng))
        assert result.success
        minima.append(result)
    for result in minima:
        for _ in range(20):
            image = system.identity.apply(system.identity.random_operation(rng), result.coords)
            assert system.identity.are_same(result.coords, image)
    for a in minima:
        for b in minima:
            if abs(a.energy - b.energy) > 1e-6:
                assert not system.identity.are_same(a.coords, b.coords)


def test_distinct_points_of_equal_loss_are_kept_apart():
    """The same multiset of units, wired differently: equal norms, almost equal loss."""
    net = MLP([3, 4, 3, 4])
    symmetry = Symmetry(net)
    rng = np.random.default_rng(0)
    x = rng.normal(size=net.n_parameters)
    layers = [(W.copy(), b.copy()) for W, b in net.split(x)]
    layers[1] = (layers[1][0][:, [1, 0, 2, 3]], layers[1][1])
    assert not symmetry.are_same(x, net.join(layers))
    # a swap of incoming rows with the bias left behind
    layers = [(W.copy(), b.copy()) for W, b in net.split(x)]
    layers[0] = (layers[0][0][[1, 0, 2, 3]], layers[0][1])
    assert not symmetry.are_same(x, net.join(layers))


def test_minima_with_losses_1e_9_apart_are_kept_apart(system, quenched):
    """Identity is decided by the points, not by their losses."""
    from nnpotential.storage import store_minimum

    database = system.create_database()
    lowest, highest = (f(quenched, key=lambda r: r.energy) for f in (min, max))
    assert highest.energy - lowest.energy > 1e-6
    x, y = lowest.coords, highest.coords
    first, _ = store_minimum(database, system.identity, 0.5, x)
    second, is_new = store_minimum(database, system.identity, 0.5 + 5e-10, y)
    assert is_new
    assert second != first
    image = system.identity.apply(system.identity.random_operation(np.random.default_rng(0)), y)
    third, is_new = store_minimum(database, system.identity, 0.5 + 6e-10, image)
    assert not is_new
    assert third == second
    # and so does the database that a plain pele script uses
    assert database.addMinimum(0.5, x) == first
    assert database.addMinimum(0.5 + 5e-10, image) == second


def test_units_with_equal_incoming_weights_are_told_apart_by_the_rest():
    net = MLP([2, 4, 3, 2])
    symmetry = Symmetry(net)
    rng = np.random.default_rng(0)
    layers = [(W.copy(), b.copy()) for W, b in net.split(rng.normal(size=net.n_parameters))]
    layers[0][0][1] = layers[0][0][0]
    layers[0][1][1] = layers[0][1][0]
    layers[0][0][3] = -layers[0][0][0]
    layers[0][1][3] = -layers[0][1][0]
    # ... and make their outgoing weights alike as a set
    layers[1][0][:, 1] = layers[1][0][[1, 2, 0], 0]
    x = net.join(layers)
    for _ in range(20):
        assert symmetry.are_same(x, symmetry.apply(symmetry.random_operation(rng), x))


def test_dead_units_are_exchangeable_and_cost_nothing():
    net = MLP([2, 12, 12, 2])
    symmetry = Symmetry(net)
    x = np.zeros(net.n_parameters)
    rng = np.random.default_rng(0)
    assert symmetry.are_same(x, x)
    layers = net.split(x)
    layers[0][0][0] = [1.0, 2.0]
    layers[1][0][0, 0] = 0.7
    layers[2][0][:, 0] = [0.3, -0.3]
    assert symmetry.are_same(x, symmetry.apply(symmetry.random_operation(rng), x))
    assert symmetry.n_self_images(x) == (factorial(11) * 2**11) ** 2
    assert symmetry.n_self_images(rng.normal(size=x.size)) == 1


def test_order_of_the_group():
    assert np.isclose(Symmetry(MLP([3, 4, 2])).log_n_images, log(factorial(4) * 2**4))
    assert np.isclose(
        Symmetry(MLP([3, 4, 5, 2], "silu")).log_n_images, log(factorial(4) * factorial(5))
    )


@pytest.mark.parametrize("sizes", NETWORKS)
def test_alignment_undoes_any_operation(sizes):
    net = MLP(sizes)
    symmetry = Symmetry(net)
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = rng.normal(size=net.n_parameters)
        image = symmetry.apply(symmetry.random_operation(rng), x)
        distance, aligned = symmetry.align(x, image)
        assert distance < 1e-12
        assert np.allclose(aligned, x)


def all_images(symmetry, x):
    """Of a network with one hidden layer of three units."""
    from itertools import permutations, product

    return [
        symmetry.apply(Operation((np.array(p),), (np.array(s),)), x)
        for p in permutations(range(3))
        for s in product((1.0, -1.0) if symmetry.has_signs else (1.0,), repeat=3)
    ]


@pytest.mark.parametrize(("activation", "n_images"), [("tanh", 48), ("silu", 6)])
def test_alignment_of_one_hidden_layer_is_the_nearest_image(activation, n_images):
    net = MLP([2, 3, 2], activation)
    symmetry = Symmetry(net)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, y = rng.normal(size=(2, net.n_parameters))
        images = all_images(symmetry, y)
        assert len(images) == n_images
        first, second, *_ = sorted(np.linalg.norm(x - image) for image in images)
        for align, nearest in ((symmetry.align, first), (symmetry.align_second, second)):
            distance, aligned = align(x, y)
            assert distance == pytest.approx(nearest, rel=1e-12)
            assert np.linalg.norm(x - aligned) == pytest.approx(nearest, rel=1e-12)
            assert symmetry.are_same(aligned, y)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "silu"])
@pytest.mark.parametrize("sizes", NETWORKS)
def test_distances_of_many_pairs_are_those_of_each(monkeypatch, sizes, activation):
    """To the last bit, as a search that goes on asks in other company; images are at none."""
    net, rng = MLP(sizes, activation), np.random.default_rng(3)
    symmetry = Symmetry(net, regularize_bias=False)
    points = rng.normal(size=(8, net.n_parameters))
    pairs = [(x, y) for x in points for y in points]
    pairs += [(x, symmetry.apply(symmetry.random_operation(rng), x)) for x in points]
    wanted = [symmetry.align(x, y, quick=True)[0] for x, y in pairs]
    found = symmetry.distances(pairs)
    assert found == wanted
    assert max(found[-len(points) :]) < 1e-12 < min(d for d in found[1 : len(points)])
    monkeypatch.setattr(module, "_AT_ONCE", 3 * net.n_parameters)
    assert symmetry.distances(pairs) == found
    assert symmetry.distances([]) == []


def test_a_unit_without_weights_makes_no_second_image():
    net = MLP([2, 3, 2])
    symmetry = Symmetry(net)
    x, y = np.random.default_rng(0).normal(size=(2, net.n_parameters))
    for one in (x, y):
        (W1, b1), (W2, _) = net.split(one)  # views
        W1[0] = b1[0] = W2[:, 0] = 0
    # in fours, the unit's sign in x and in y, as far as they are different points
    distances = sorted(np.linalg.norm(x - image) for image in all_images(symmetry, y))
    second = next(d for d in distances if d > distances[0] + 1e-9)
    assert symmetry.align_second(x, y)[0] == pytest.approx(second, rel=1e-12)


def test_an_image_of_the_same_point_is_no_second_one():
    net = MLP([3, 5, 4])
    symmetry, rng = Symmetry(net, regularize_bias=False), np.random.default_rng(0)
    for _ in range(20):
        x = rng.normal(size=net.n_parameters)
        (W1, b1), (W2, _) = net.split(x)  # views
        W1[0] = b1[0] = W2[:, 0] = 0  # turns without a change
        image = symmetry.apply(symmetry.random_operation(rng), x)
        assert symmetry.align_second(x, image)[0] > 1e-3


def test_second_image_of_a_deep_network():
    net = MLP([3, 4, 3, 4])
    symmetry = Symmetry(net)
    rng = np.random.default_rng(0)
    for _ in range(10):
        x, y = rng.normal(size=(2, net.n_parameters))
        distance, aligned = symmetry.align_second(x, y)
        assert distance > symmetry.align(x, y)[0]
        assert symmetry.are_same(aligned, y)


@pytest.mark.parametrize("sizes", [(3, 4, 3, 4), (3, 3, 3, 3, 4)])
def test_aligned_image_has_the_same_loss_and_is_no_farther(sizes):
    net = MLP(sizes)
    pot = NNPotential(net, *data())
    symmetry = Symmetry(net)
    rng = np.random.default_rng(0)
    for _ in range(10):
        x, y = rng.normal(size=(2, net.n_parameters))
        distance, aligned = symmetry.align(x, y)
        assert pot.getEnergy(aligned) == pytest.approx(pot.getEnergy(y), rel=1e-13)
        assert distance <= np.linalg.norm(x - y)


@pytest.mark.parametrize(
    ("regularization", "regularize_bias", "bias", "loss", "count"),
    [
        (1e-3, True, True, "cross_entropy", 0),
        (1e-3, False, True, "cross_entropy", 1),
        (1e-3, False, False, "cross_entropy", 0),
        (0.0, True, True, "cross_entropy", 6),
        (0.0, True, False, "cross_entropy", 5),
        (0.0, True, True, "squared_error", 0),
        (0.0, True, True, "binary_cross_entropy", 0),
        (1e-3, False, True, "binary_cross_entropy", 0),
    ],
)
def test_zero_modes_are_all_there_is(regularization, regularize_bias, bias, loss, count):
    n_out = 1 if loss == "binary_cross_entropy" else 4
    net = MLP([3, 5, n_out], bias=bias)
    X, y = data(n=200, n_out=2 if n_out == 1 else 4)
    if loss == "squared_error":
        y = np.random.default_rng(0).normal(size=(200, 4))
    pot = NNPotential(
        net, X, y, loss=loss, regularization=regularization, regularize_bias=regularize_bias
    )
    Z = Symmetry(net, loss, regularization, regularize_bias).zero_modes()
    assert Z.shape[1] == count
    assert np.allclose(Z.T @ Z, np.eye(count))
    x = np.random.default_rng(2).normal(size=net.n_parameters)
    H = pot.getHessian(x)
    assert np.abs(H @ Z).max(initial=0) < 1e-14
    values = np.linalg.eigvalsh(H)
    assert (np.abs(values) < 1e-12 * np.abs(values).max()).sum() == count
    if count:
        shifted = x + Z @ np.arange(1, count + 1)
        assert pot.getEnergy(shifted) == pytest.approx(pot.getEnergy(x), rel=1e-13)
        assert Symmetry(net, loss, regularization, regularize_bias).are_same(x, shifted)


def test_xor_counts_are_exact():
    """Every quench of a tiny landscape ends in one of its minima, told by their spectra."""
    system = NNSystem(MLP([2, 2, 2]), load_dataset("xor", 40, 0), regularization=1e-2)
    rng = np.random.default_rng(0)
    minimize = system.get_minimizer()
    groups = []
    for _ in range(40):
        result = minimize(system.net.random_parameters(rng))
        assert result.success
        for group in groups:
            if system.identity.are_same(group[0].coords, result.coords):
                group.append(result)
                break
        else:
            groups.append([result])
    # identity by symmetry agrees with an invariant that knows nothing of it
    spectra = [
        {
            tuple(np.round(np.linalg.eigvalsh(system.potential.getHessian(r.coords)), 7))
            for r in group
        }
        for group in groups
    ]
    assert all(len(spectrum) == 1 for spectrum in spectra)
    assert len(set.union(*spectra)) == len(groups)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "silu"])
@pytest.mark.parametrize("regularize_bias", [True, False])
def test_only_the_penalty_feels_the_penalty_modes(activation, regularize_bias):
    net = MLP([3, 5, 4], activation)
    X, y = data(n=50)
    options = {"regularization": 1e-2, "regularize_bias": regularize_bias}
    pot = NNPotential(net, X, y, **options)
    bare = NNPotential(net, X, y, regularization=0.0)
    modes = Symmetry(net, **options).barren_modes()
    assert modes.shape == (net.n_parameters, 6)
    assert np.allclose(modes.T @ modes, np.eye(6), atol=1e-14)
    rng = np.random.default_rng(0)
    x = rng.normal(size=net.n_parameters)
    shifted = x + modes @ rng.normal(size=6)
    assert bare.getEnergy(shifted) == pytest.approx(bare.getEnergy(x), rel=1e-13)
    assert abs(pot.getEnergy(shifted) - pot.getEnergy(x)) > 1e-4
    for loss in ("squared_error", "binary_cross_entropy"):
        assert Symmetry(net, loss).barren_modes().shape[1] == 0
