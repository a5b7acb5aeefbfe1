"""Points with coordinates go to PATHSAMPLE's files and come back."""

from dataclasses import replace

import numpy as np
import pytest
from landscapes import TINY, contents

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.exchange import points as module
from nnpotential.exchange.pathsample import PathsampleDatabase
from nnpotential.exchange.programs import their_order


@pytest.fixture(scope="module")
def deep(tmp_path_factory, ljat):
    """Two hidden layers."""
    path = tmp_path_factory.mktemp("deep") / "a"
    options = {**TINY, "quenches": 4}
    land = Landscape.create(path, nnp.MLP([3, 2, 2, 4]), ljat, regularization=3e-3, **options)
    land.explore()
    return land


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    path = tmp_path_factory.mktemp("cluster") / "a"
    land = Landscape.create(path, nnp.LennardJonesCluster(6), **{**TINY, "quenches": 25})
    land.explore()
    return land


@pytest.fixture(params=["small", "deep", "cluster"])
def source(request):
    return request.getfixturevalue(request.param)


def fresh(land, tmp_path):
    """A landscape of the same system with nothing in it."""
    return Landscape.create(tmp_path / "fresh", land.system, **TINY)


def test_points_stand_in_their_order_with_their_energies(source):
    found = source.points()
    system, order = source.system, their_order(source.system)
    assert len(found.network.minima) == source.summary()["n_minima"] > 1
    assert len(found.network.states) > 0
    for points, coords in (
        (found.network.minima, found.minima),
        (found.network.states, found.states),
    ):
        for energy, theirs in zip(points.energies, coords, strict=True):
            x = np.empty_like(theirs)
            x[order] = theirs
            assert system.potential.getEnergy(x) == energy


def test_a_landscape_takes_its_points_back(tmp_path, source):
    """As points from outside, which count once they are verified; by then it is the same."""
    land, found = fresh(source, tmp_path), source.points()
    n = len(found.network.minima), len(found.network.states)
    assert land.add_points(found) == n
    assert land.summary()["n_from_outside"] == sum(n)
    assert land.summary()["n_minima"] == 0
    land.verify(repair=True)
    again = land.points()
    for kind in ("minima", "states"):
        one, other = (getattr(place.network, kind) for place in (found, again))
        assert np.sort(one.energies) == pytest.approx(np.sort(other.energies), abs=1e-12)
        assert np.sort(one.log_determinants) == pytest.approx(
            np.sort(other.log_determinants), abs=1e-6
        )
        assert sorted(one.orders) == sorted(other.orders)
    assert land.summary()["barriers"] == pytest.approx(source.summary()["barriers"], abs=1e-11)


def test_what_is_known_already_stays_as_it_is(mapped):
    before = contents(mapped)
    assert mapped.add_points(mapped.points()) == (0, 0)
    assert contents(mapped) == before


def test_principal_moments_of_inertia(cluster):
    """Of the octahedron all are 4 r^2, r the distance of an atom from the centre."""
    network = cluster.points().network
    x = cluster.database.getMinimum(int(network.minima.ids[network.lowest])).coords
    r = np.linalg.norm(x.reshape(6, 3) - x.reshape(6, 3).mean(0), axis=1)
    assert network.minima.orders[network.lowest] == 48
    assert network.minima.moments[network.lowest] == pytest.approx([4 * r[0] ** 2] * 3, rel=1e-6)
    assert network.states.moments.shape == (len(network.states), 3)


def test_networks_have_no_moments_of_inertia(small):
    assert small.points().network.minima.moments is None


def test_points_of_another_system_are_refused(mapped):
    before, found = contents(mapped), mapped.points()
    states = found.network.states
    wrong = replace(states, energies=np.append(states.energies[:-1], states.energies[-1] + 1e-3))
    message = f"transition state {len(states)} has the energy .* and .* here .*another order of"
    with pytest.raises(InputError, match=message):
        mapped.add_points(replace(found, network=replace(found.network, states=wrong)))
    other_order = replace(found, minima=found.minima[:, ::-1])
    with pytest.raises(InputError, match="minimum 1 has the energy"):
        mapped.add_points(other_order)
    assert contents(mapped) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_import_leaves_nothing(tmp_path, small, monkeypatch, error):
    land, found = fresh(small, tmp_path), small.points()
    before, store, calls = contents(land), module.store_transition_state, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise error
        return store(*args, **kwargs)

    monkeypatch.setattr(module, "store_transition_state", interrupted)
    with pytest.raises(error):
        land.add_points(found)
    assert len(calls) == 3
    assert contents(land) == before
    assert contents(Landscape.open(land.path)) == before
    monkeypatch.undo()
    assert land.add_points(found)[0] == len(found.network.minima)


def test_a_point_that_is_gone_meanwhile(mapped):
    network = mapped.network()
    mapped.database.removeMinimum(mapped.database.minima()[0])
    with pytest.raises(InputError, match="changed the landscape meanwhile"):
        module.collect(mapped.system, mapped.database, network, PathsampleDatabase)
