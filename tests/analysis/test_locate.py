"""A trained network is named in the landscape, and two are compared."""

import json
from itertools import pairwise

import numpy as np
import pytest
from landscapes import TINY, contents, image, tree
from pele.storage import Minimum

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.analysis.figures import barriers_to_lowest, landscape_graph
from nnpotential.lock import held


def stored(land):
    """Verified minima, from the lowest on."""
    return sorted(landscape_graph(land.database), key=lambda m: m.energy)


def near(land, minimum, seed=0, by=1e-3):
    """A point close to an image of a minimum."""
    rng = np.random.default_rng(seed)
    return image(land, minimum.coords, seed) + rng.normal(scale=by, size=minimum.coords.size)


@pytest.fixture
def sparse(tmp_path, system):
    """A landscape of `system` with few of its minima and no connection."""
    path = tmp_path / "sparse"
    options = {**TINY, "quenches": 3}
    land = Landscape.create(path, system.net, system.data, regularization=1e-3, seed=1, **options)
    land.explore(stages=["minima"], draw=False)
    return land


def test_every_minimum_is_found_again_from_near_an_image_of_it(small):
    barriers = barriers_to_lowest(small.graph())
    minima = stored(small)
    before = tree(small.path)
    for k, minimum in enumerate(minima[:5]):
        x = near(small, minimum, seed=k)
        found = small.locate(x)
        assert (found.minimum, found.verified, found.why) == (minimum.id(), True, None)
        assert found.minimum_energy == minimum.energy
        assert found.above_lowest == minimum.energy - minima[0].energy
        assert (found.n_lower, found.n_minima) == (k, len(minima))
        assert found.barrier == (0.0 if k == 0 else barriers.get(minimum))
        assert 0 < found.distance < 0.1
        assert small.system.identity.are_same(found.coords, minimum.coords)
        assert found.energy == small.system.potential.getEnergy(x) > minimum.energy
    assert tree(small.path) == before


def test_figures_and_curvature_are_those_of_the_point(small):
    x = small.system.net.random_parameters(np.random.default_rng(3))
    found = small.locate(x)
    energy, gradient, hessian = small.system.potential.getEnergyGradientHessian(x)
    assert found.rms == pytest.approx(np.sqrt(np.mean(gradient**2)))
    whole = np.linalg.eigvalsh(hessian)
    spectrum = found.curvature.whole
    assert spectrum.largest == pytest.approx(whole.max())
    assert spectrum.smallest == pytest.approx(whole.min())
    assert spectrum.n_negative == (whole < -1e-9 * np.abs(whole).max()).sum() > 0
    assert list(found.curvature.layers) == ["layer 1", "layer 2"]
    for layer, part in zip(
        found.curvature.layers.values(), (slice(16), slice(16, None)), strict=True
    ):
        values = np.linalg.eigvalsh(hessian[part, part])
        assert (layer.n, layer.largest) == (values.size, pytest.approx(values.max()))
        assert layer.smallest == pytest.approx(values.min(), abs=1e-12)
    assert found.minimum_curvature.whole.n_negative == 0
    for name in ("train-loss", "test-accuracy"):
        function = small.system.measures[name].function
        assert found.measures[name] == (function(x), function(found.coords))
    assert energy == found.energy


def test_a_minimum_that_is_not_stored(small, sparse):
    missing = next(m for m in stored(small) if sparse.locate(near(small, m)).minimum is None)
    x = near(small, missing)
    before = contents(sparse)
    found = sparse.locate(x)
    assert (found.minimum, found.verified, found.barrier) == (None, False, None)
    assert found.minimum_energy == pytest.approx(missing.energy, abs=1e-12)
    assert contents(sparse) == before
    kept = sparse.locate(x, store=True)
    assert (kept.minimum is not None, kept.verified) == (True, False)
    assert sparse.summary()["n_from_outside"] == 1
    sparse.verify(repair=True)
    assert sparse.locate(x).verified
    again = sparse.locate(x, store=True)
    assert again.minimum == sparse.locate(x).minimum
    assert sparse.summary()["n_from_outside"] == 0


def test_two_that_belong_to_one_minimum(small):
    minimum = stored(small)[1]
    found = small.locate(near(small, minimum, 1), near(small, minimum, 2))
    assert (found.same, found.barrier, found.path) == (True, 0.0, [])
    assert found.points.matched_distance < 0.1 < found.points.distance
    assert found.points.matched_barrier < 1e-3 < found.points.barrier
    assert found.minima.matched_distance < 1e-5


def test_a_verified_barrier_lies_below_the_lines(small):
    minima = stored(small)
    one, other = minima[0], next(m for m in minima[1:] if m in barriers_to_lowest(small.graph()))
    found = small.locate(near(small, one, 1), near(small, other, 2))
    assert not found.same
    graph = small.graph()
    by_id = {m.id(): m for m in graph}
    assert (found.path[0], found.path[-1]) == (one.id(), other.id())
    top = max(graph.edges[by_id[a], by_id[b]]["energy"] for a, b in pairwise(found.path))
    assert found.barrier == pytest.approx(top - (one.energy + other.energy) / 2, abs=1e-15)
    assert top - other.energy == pytest.approx(barriers_to_lowest(graph)[other], abs=1e-15)
    potential = small.system.potential
    ends = found.first.coords, found.second.coords
    values = [
        potential.getEnergy(ends[0] + t * (ends[1] - ends[0])) for t in np.linspace(0, 1, 501)
    ]
    mean = (one.energy + other.energy) / 2
    assert found.minima.barrier == pytest.approx(max(values) - mean, rel=1e-3)
    assert 0 < found.barrier <= found.minima.matched_barrier <= found.minima.barrier
    assert found.minima.matched_distance <= found.minima.distance


def test_a_connection_is_searched_for_and_merged(small, sparse):
    minima = stored(small)
    x, y = near(small, minima[0], 1), near(small, minima[-1], 2)
    assert sparse.locate(x, y).barrier is None
    found = sparse.locate(x, y, connect=True)
    assert found.first.verified and found.second.verified
    assert found.barrier > 0 and len(found.path) >= 2
    assert sparse.locate(x, y).path == found.path
    summary = sparse.summary()
    assert summary["n_transition_states"] > 0
    assert set(summary["verified"]) == {"ok"}
    # and the search goes on from there
    sparse.explore(draw=False)
    assert sparse.locate(x, y).barrier <= found.barrier


def test_one_is_connected_to_the_lowest(sparse):
    x = stored(sparse)[-1].coords
    assert sparse.locate(x).barrier is None
    assert sparse.locate(x, connect=True).barrier > 0


def test_the_attempts_end(small, sparse, monkeypatch):
    calls = []

    def vain(system, x1, x2, strategy, failures, astray):
        calls.append(strategy)
        return []

    monkeypatch.setattr("nnpotential.search.kinds.connect_pair", vain)
    minima = stored(small)
    x, y = near(small, minima[0], 1), near(small, minima[-1], 2)
    assert sparse.locate(x, y, connect=True, attempts=3).barrier is None
    assert len(calls) == 3
    sparse.locate(x, y, connect=True, attempts=1000)
    assert len(calls) < 300  # as far as a search would try


def test_other_systems(tmp_path):
    land = Landscape.create(tmp_path / "a", nnp.LennardJonesCluster(5), **{**TINY, "quenches": 4})
    land.explore(draw=False)
    [minimum] = stored(land)
    found = land.locate(minimum.coords + 0.01)
    assert found.minimum == minimum.id()
    assert found.curvature.layers == {}
    assert found.minimum_curvature.whole.n == 9


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(35), r"the coordinates have the shape \(35,\), those of this system .*\(36,\)"),
        (np.zeros((6, 6)), r"the shape \(6, 6\)"),
        (np.full(36, np.nan), "must be finite: entry 0 is nan"),
        ("text", "must be real numbers"),
        ([[1.0], [2.0, 3.0]], "must be real numbers"),
    ],
)
def test_what_is_no_point(small, x, message):
    with pytest.raises(InputError, match=message):
        small.locate(x)
    with pytest.raises(InputError, match=message):
        small.locate(np.zeros(36), x)


def test_which_of_two_is_no_point(small):
    x = stored(small)[0].coords
    with pytest.raises(InputError, match="the second point: the parameters are too large"):
        small.locate(x, np.full(x.size, 1e200))


def test_a_quench_that_ends_in_no_minimum(tmp_path, ljat):
    net = nnp.MLP([3, 2, 4])
    land = Landscape.create(tmp_path / "a", net, ljat, regularization=0.0, **TINY)
    x = net.random_parameters(np.random.default_rng(0))
    found = land.locate(x)
    assert found.coords is None and found.why
    assert found.minimum is None and found.distance is None
    assert found.measures["train-loss"][1] is None
    with pytest.raises(InputError, match="a quench ended in no minimum"):
        land.locate(x, store=True)
    assert land.locate(x, x).minima is None


def test_a_landscape_that_is_held_is_looked_at_but_not_stored_in(mapped):
    x = stored(mapped)[0].coords
    with held(mapped.path):
        assert mapped.locate(x).minimum is not None
        with pytest.raises(InputError, match="is being worked on by process"):
            mapped.locate(x, store=True)


def test_the_command_line(run, tmp_path, small, mapped):
    minima = stored(small)
    np.save(tmp_path / "one.npy", near(small, minima[0], 1))
    np.save(tmp_path / "two.npy", near(small, minima[1], 2))
    both = tmp_path / "one.npy", tmp_path / "two.npy"
    code, out, err = run("locate", mapped.path, tmp_path / "one.npy")
    assert code == 0
    assert f"one.npy: minimum {minima[0].id()}; 0 of {len(minima)} minima lie lower" in err
    assert "barrier to the lowest" in out and "layer 2" in out
    code, out, err = run("locate", mapped.path, *both)
    assert (code, "barrier, verified" in out) == (0, True)
    assert "lowest path that is known" in err or "no path between" in err
    code, out, _ = run("locate", mapped.path, tmp_path / "one.npy", "--json")
    found = json.loads(out)
    assert (code, found["minimum"], found["curvature"]["whole"]["n"]) == (0, minima[0].id(), 36)
    code, out, _ = run(
        "locate",
        mapped.path,
        tmp_path / "one.npy",
        tmp_path / "two.npy",
        "--open-untrusted",
        "--json",
    )
    assert (code, json.loads(out)["second"]["minimum"]) == (0, minima[1].id())
    code, _, err = run("locate", mapped.path, *both, "--connect")
    assert (code, "lowest path that is known" in err) == (0, True)
    code, _, err = run("locate", mapped.path, tmp_path / "one.npy", "--store")
    assert (code, "new minima count once" in err) == (0, True)


def test_what_the_command_line_refuses(run, tmp_path, small):
    np.save(tmp_path / "one.npy", np.zeros(7))
    land = Landscape.create(tmp_path / "c", nnp.LennardJonesCluster(3), **TINY)
    one = tmp_path / "one.npy"
    for arguments, message in (
        ([small.path, one], "holds 7; the landscape's networks have 4x3, 4, 4x4, 4"),
        ([small.path, one, one, one], "one model is located or two are compared, not 3"),
        ([small.path, "model.pkl"], "is a pickle"),
        ([small.path, one, "--open-untrusted", "--store"], "is left as it is"),
        ([land.path, one], "is no landscape of a network"),
        ([tmp_path / "none", one], "there is no landscape at"),
    ):
        code, _, err = run("locate", *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    assert small.database.session.get(Minimum, 1) is not None
