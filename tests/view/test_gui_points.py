"""What the GUI is told of a landscape, without a window."""

import numpy as np
import pytest

from nnpotential.analysis.figures import barriers_to_lowest, landscape_graph, lowest_minimum
from nnpotential.storage import record_outcome, store_minimum
from nnpotential.view.gui_points import (
    WithoutFailed,
    browsed_graph,
    count_unverified,
    figures,
    loss_along,
    lowest_path,
)


@pytest.fixture
def database(alone):
    """The points of an explored landscape, to change at will."""
    copy = alone.system.create_database()
    twins = {}
    for m in alone.database.minima(order_energy=False):
        twins[m.id()] = copy.addMinimum(m.energy, m.coords)
        twins[m.id()].user_data = m.user_data
    for ts in alone.database.transition_states():
        ends = (twins[end.id()] for end in (ts.minimum1, ts.minimum2))
        twin = copy.addTransitionState(
            ts.energy, ts.coords, *ends, eigenval=ts.eigenval, eigenvec=ts.eigenvec
        )
        twin.user_data = ts.user_data
    copy.session.commit()
    return copy


def test_browsed_are_all_but_those_that_failed(alone, database):
    graph = browsed_graph(database)
    verified = landscape_graph(alone.database)
    assert count_unverified(graph) == 0
    assert len(graph) == len(verified) and graph.number_of_edges() == verified.number_of_edges()
    new, _ = store_minimum(database, alone.system.identity, 7.0, np.ones(alone.system.n_dof))
    graph = browsed_graph(database)
    assert new in graph and count_unverified(graph) == 1
    assert new not in landscape_graph(database)
    record_outcome(new, "not converged")
    graph = browsed_graph(database)
    assert new not in graph and count_unverified(graph) == 0
    assert WithoutFailed(database).number_of_minima() == database.number_of_minima() - 1


def test_the_lowest_path_is_that_of_the_barrier(database):
    graph = browsed_graph(database)
    lowest = lowest_minimum(graph)
    barriers = barriers_to_lowest(graph)
    assert len(barriers) > 3
    for minimum, barrier in barriers.items():
        points = lowest_path(graph, minimum, lowest)
        assert points[0] == minimum and points[-1] == lowest
        assert abs(max(p.energy for p in points) - minimum.energy - barrier) < 1e-12
        for one, ts, two in zip(points[:-2:2], points[1::2], points[2::2], strict=True):
            assert {ts.minimum1, ts.minimum2} == {one, two}
    alien, _ = store_minimum(database, None, 9.0, np.zeros(3))
    assert lowest_path(graph, alien, lowest) is None
    graph.add_node(alien)
    assert lowest_path(graph, alien, lowest) is None


def test_the_loss_along_a_band_passes_through_its_images(system, quenched):
    path = np.array([result.coords for result in quenched[:3]])
    at, losses = loss_along(system.potential, path)
    images = [system.potential.getEnergy(x) for x in path]
    assert np.allclose(losses[::9], images, atol=1e-12)
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert np.allclose(at[::9], [0, lengths[0], lengths.sum()])
    middle = system.potential.getEnergy(path[0] + (path[1] - path[0]) / 3)
    assert abs(losses[3] - middle) < 1e-12


def test_figures_are_those_of_the_point(alone):
    system, minimum = alone.system, alone.database.minima()[0]
    told = dict(figures(system, minimum))
    assert float(told[system.energy_label]) == pytest.approx(minimum.energy, abs=1e-10)
    auc = system.measures["test-auc"]
    assert float(told[auc.axis]) == pytest.approx(auc.function(minimum.coords), rel=1e-5)
    values = np.linalg.eigvalsh(system.potential.getHessian(minimum.coords))
    lowest = [float(value) for value in told["lowest eigenvalues"].split(",")]
    assert np.allclose(lowest, values[:5], rtol=1e-2)
    assert told["verification"] == "ok: meets the definition"
    ts = alone.database.transition_states()[0]
    assert dict(figures(system, ts))["joins"] == f"{ts.minimum1.id()} and {ts.minimum2.id()}"
