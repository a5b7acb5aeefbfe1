"""What is seen of a point, before anything is painted."""

import numpy as np
import pytest

import nnpotential as nnp
from nnpotential.drawing import (
    NEGATIVE,
    POSITIVE,
    box_picture,
    network_picture,
    profile_picture,
)


def picture_of(net, x):
    return network_picture(net.split(x))


def test_a_network_has_a_sphere_a_unit_and_a_line_a_weight():
    net = nnp.MLP([3, 5, 4])
    picture = picture_of(net, net.random_parameters(np.random.default_rng(0)))
    assert len(picture.centres) == 12 and len(picture.lines) == 35
    assert not picture.hollow.any()
    columns, counts = np.unique(picture.centres[:, 0], return_counts=True)
    assert list(counts) == [3, 5, 4] and list(columns) == sorted(columns)


def test_width_tells_the_size_of_a_weight_and_colour_its_sign():
    net = nnp.MLP([2, 2, 1], bias=False)
    picture = picture_of(net, np.array([0.0, 1.0, -2.0, 0.5, 4.0, -0.1]))
    assert np.allclose(picture.sizes, [0, 0.025, 0.125, 0.25, 0.5, 1])
    assert np.allclose(picture.colours[-1], POSITIVE)
    towards = picture.colours - 1.0
    for i, sign in ((1, NEGATIVE), (3, POSITIVE), (4, NEGATIVE)):
        assert np.allclose(towards[i] / (0.2 + 0.8 * picture.sizes[i]), sign - 1.0)
    # -2 leads from the first input to the second hidden unit
    start, end = picture.lines[4][:, :2]
    assert np.allclose(start, picture.centres[0, :2]) and np.allclose(end, picture.centres[3, :2])


def test_a_dead_unit_is_hollow():
    net = nnp.MLP([3, 4, 4, 2])
    layers = net.split(net.random_parameters(np.random.default_rng(0)))
    layers[0][0][1] = 1e-9  # nothing comes in
    layers[2][0][:, 2] = -1e-9  # nothing goes out
    hollow = network_picture(layers).hollow
    assert list(np.flatnonzero(hollow)) == [3 + 1, 3 + 4 + 2]


def test_of_a_large_network_the_largest_weights_are_drawn():
    net = nnp.MLP([100, 100, 10])
    x = net.random_parameters(np.random.default_rng(0))
    picture = picture_of(net, x)
    assert len(picture.lines) == 5000
    weights = np.sort(np.abs(np.concatenate([w.ravel() for w, _ in net.split(x)])))
    assert np.allclose(picture.sizes, weights[-5000:] / weights[-1])


def test_pictures_stay_within_sight():
    for sizes in ([1, 1], [3, 10, 4], [200, 50, 10], [2, 2, 2, 2, 2, 2]):
        net = nnp.MLP(sizes)
        picture = picture_of(net, net.random_parameters(np.random.default_rng(0)))
        assert np.abs(picture.centres[:, 1]).max() <= 3.0
        gaps = np.diff(np.unique(picture.centres[:, 1]))
        assert len(gaps) == 0 or 0 < picture.radius < 0.5
    assert np.abs(profile_picture(np.array([-3e5, 2.0])).lines).max() <= 3.0


def test_coordinates_are_bars():
    picture = profile_picture(np.array([2.0, -1.0, 0.0]))
    *bars, axis = picture.lines
    heights = [end[1] for _, end in bars]
    assert np.allclose(np.array(heights) / heights[0], [1.0, -0.5, 0.0])
    assert np.allclose(picture.colours[:2], [POSITIVE, NEGATIVE])
    assert np.all(axis[:, 1] == 0)
    x = np.zeros(100_000)
    x[77_777] = -3.0
    assert sum(end[1] < -2 for _, end in profile_picture(x).lines) == 1
    assert np.abs(profile_picture(np.full(3, 1e-12)).lines[:-1, :, 1]).max() < 1e-5


def test_parts_are_named_where_there_is_room():
    parts = {f"layer {i}": (10 * i, 10 * i + 10) for i in range(40)}
    picture = profile_picture(np.ones(400), parts)
    assert len(picture.lines) == 400 + 1 + 39
    *labels, (largest, _) = picture.labels
    assert 10 < len(labels) < 40 and largest == "largest: 1"
    for row in {at[1] for _, at in labels}:
        starts = [at[0] for _, at in labels if at[1] == row]
        assert np.diff(starts).min() > 0.7  # room for seven letters
    picture = profile_picture(np.ones(30), {"weight": (0, 20), "bias": (20, 30)})
    *labels, _ = picture.labels
    assert [name for name, _ in labels] == ["weight", "bias"]
    assert np.allclose([at[0] for _, at in labels], [-3.0, 1.0])


@pytest.mark.parametrize("make", [lambda: nnp.LennardJonesCluster(7), nnp.LinearAutoencoder])
def test_a_smooth_path_begins_and_ends_with_the_path(make):
    system = make()
    rng = np.random.default_rng(0)
    points = [next(iter(system.starts.values()))(rng) for _ in range(3)]
    path = system.smooth_path(points)
    assert np.array_equal(path[0], points[0])
    assert system.identity.are_same(path[-1], points[-1])
    jumps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert jumps.max() < 0.3 + 1.0 / 5  # as dense as asked: 5 a unit, 5 at least


def test_zero_modes_of_a_cluster_are_exact():
    system = nnp.LennardJonesCluster(7)
    minimum = system.get_minimizer()(system.get_random_configuration()).coords
    values, vectors = system.get_normalmodes(minimum)
    assert (values == 0.0).sum() == 6 and (np.diff(values) >= 0).all()
    assert np.allclose(vectors.T @ vectors, np.eye(21), atol=1e-10)
    hessian = system.potential.getHessian(minimum)
    assert np.allclose(hessian @ vectors, vectors * values, atol=1e-6 * values.max())


def test_a_box_has_twelve_edges_of_its_length():
    lines = box_picture(3.0).lines
    assert len(lines) == 12 and np.abs(lines).min() == np.abs(lines).max() == 1.5
    assert np.allclose(np.linalg.norm(lines[:, 0] - lines[:, 1], axis=1), 3.0)
