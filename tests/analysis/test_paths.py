"""Paths between minima: by hand on graphs, by formula and by invariants on landscapes."""

import networkx as nx
import numpy as np
import pytest
from landscapes import copy_of

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.analysis.figures import barriers_to_lowest, lowest_minimum
from nnpotential.analysis.paths import descent_path, lowest_path, path_profile


def test_the_lowest_path_goes_round_a_high_pass():
    graph = nx.Graph()
    for i, j, energy in ((0, 1, 5.0), (0, 2, 1.0), (2, 3, 4.0), (3, 1, 2.0)):
        graph.add_edge(i, j, energy=energy)
    assert lowest_path(graph, 0, 1) == [0, 2, 3, 1]
    graph.add_node(9)
    with pytest.raises(InputError, match="no path is known between the two minima"):
        lowest_path(graph, 0, 9)


def test_a_descent_falls_all_the_way_to_the_minimum_below():
    system = nnp.EggBox()
    points = system.stationary_points()
    number, one, two = system.connections()[0]
    x = points[number].x
    down = np.linalg.eigh(system.potential.getHessian(x))[1][:, 0]
    ends = []
    for side in (1, -1):
        path = descent_path(system, x, side * down)
        energies = [system.potential.getEnergy(point) for point in path]
        assert np.all(np.diff(energies) < 1e-12) and energies[0] == points[number].energy
        ends.append(path[-1])
    found = [k for end in ends for k in (one, two) if system.identity.are_same(points[k].x, end)]
    assert sorted(found)[:: len(found) - 1] == sorted((one, two))


@pytest.fixture(scope="module")
def profile(explored):
    graph = explored.graph()
    barriers = barriers_to_lowest(graph)
    start = max(barriers, key=barriers.get)
    return (
        start,
        barriers[start],
        path_profile(explored.system, graph, start, lowest_minimum(graph)),
    )


def test_the_highest_point_of_the_lowest_path_is_the_barrier(profile):
    start, barrier, found = profile
    assert found.energies.max() - start.energy == pytest.approx(barrier, abs=1e-12)
    assert found.energies.argmax() in found.places["states"]
    assert found.minima[0] == start.id()
    assert len(found.minima) == len(found.states) + 1
    assert (np.diff(found.lengths) > 0).all()


def test_the_energy_has_no_extremum_but_at_stored_points(profile):
    _, _, found = profile
    signs = np.sign(np.diff(found.energies))
    turns = {int(k) + 1 for k in np.flatnonzero(signs[1:] != signs[:-1])}
    assert turns == {*found.places["states"], *found.places["minima"][1:-1]}


def test_measures_along_a_path_are_those_of_the_system(profile, explored):
    _, _, found = profile
    end = explored.database.getMinimum(found.minima[-1])
    for name, values in found.measures.items():
        value = explored.system.measures[name].function(end.coords)
        assert values[-1] == pytest.approx(value, rel=1e-6)


def test_a_landscape_writes_figure_and_table(explored, tmp_path):
    land = Landscape.open(copy_of(explored, tmp_path))
    found = land.lowest_path()
    name = land.path / f"path-{found.minima[0]}-{found.minima[-1]}"
    header, *rows = name.with_suffix(".csv").read_text().splitlines()
    assert header.startswith("length,energy,test-auc") and len(rows) == len(found.lengths)
    assert float(rows[-1].split(",")[1]) == found.energies[-1]
    assert all(name.with_suffix(suffix).stat().st_size > 5000 for suffix in (".png", ".svg"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 10_000}, "there is no verified minimum 10000"),
        ({"start": "a"}, "the minimum must be an integer"),
        ({"start": 1, "end": 1}, "two different minima"),
        ({"measures": ["beauty"]}, "unknown measure .beauty."),
    ],
)
def test_bad_paths_are_refused(explored, options, message):
    with pytest.raises(InputError, match=message):
        explored.lowest_path(draw=False, **options)


def test_a_landscape_without_two_minima_has_no_path(tmp_path, net, ljat):
    land = Landscape.create(tmp_path / "a", net, ljat, regularization=1e-3)
    with pytest.raises(InputError, match="needs two verified minima"):
        land.lowest_path()
