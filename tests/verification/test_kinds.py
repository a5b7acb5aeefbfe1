"""Checks as jobs of a search: what they say is merged, whatever happened in between."""

import networkx as nx
import numpy as np
import pytest
from landscapes import SEARCH, replace

from nnpotential import Landscape
from nnpotential.findings import Connection, Point, Verdict
from nnpotential.search.journal import Journal
from nnpotential.search.kinds import SEARCHES
from nnpotential.search.known import Known
from nnpotential.storage import NOT_CHECKED, notes
from nnpotential.verification.kinds import CHECKS, CheckMinimum, CheckTransitionState


@pytest.fixture
def known(box):
    """Its transition states and minima, stored but not checked."""
    known = Known(box, box.create_database(), (*SEARCHES, *CHECKS), 0)
    points = box.stationary_points()
    for ts, i, j in box.connections():
        ends = [Point(points[k].energy, points[k].x) for k in (i, j)]
        known.add_connection(Connection(points[ts].energy, points[ts].x, -1.0, np.eye(3)[0], *ends))
    return known


def checked(known, kind, number):
    """What a job says of a stored point, run and merged as in a search."""
    needed = kind.needs(known, number)
    kind.merge(known, kind.run(known.system, *needed), number)
    point = (known.minimum if kind.name == "check_minimum" else known.transition_state)(number)
    return notes(point)["verified"]


def test_exact_points_pass(known):
    for kind, n in ((CheckMinimum(), 8), (CheckTransitionState(), 12)):
        assert [checked(known, kind, i + 1) for i in range(n)] == ["ok"] * n
    assert len(known.forest.graph) == 8 and known.forest.graph.number_of_edges() == 12
    assert known.journal.tally["corrected"] == 0


def test_a_minimum_that_fails_counts_no_more_and_later_again(known):
    minimum = known.minimum(1)
    x = minimum.coords
    n = known.forest.graph.degree(1)
    minimum.coords = x + 1e-3
    assert checked(known, CheckMinimum(), 1) == "loss differs"
    assert minimum.invalid and 1 not in known.forest.graph
    minimum.coords = x
    assert checked(known, CheckMinimum(), 1) == "ok"
    assert not minimum.invalid and known.forest.graph.degree(1) == n


def test_of_two_images_the_later_is_a_duplicate(known):
    first = known.minimum(1)
    second = known.add_minimum(Point(first.energy + 1.0, -first.coords), "connections")
    second.energy = first.energy
    assert checked(known, CheckMinimum(), second.id()) == "duplicate"
    assert checked(known, CheckMinimum(), 1) == "ok"


def test_a_check_that_failed_itself_says_so(known):
    CheckMinimum().merge(known, None, 1)
    CheckTransitionState().merge(known, None, 1)
    for point in (known.minimum(1), known.transition_state(1)):
        assert notes(point)["verified"] == NOT_CHECKED and point.invalid
    assert 1 not in known.forest.graph


def test_the_gradient_says_which_minima_a_transition_state_joins(known):
    ts = known.transition_state(1)
    right = ts.minimum1, ts.minimum2
    wrong = [known.minimum(i) for i in sorted(next(nx.non_edges(known.forest.graph)))]
    known.part(ts)
    ts.minimum1, ts.minimum2 = wrong
    known.join(ts)
    assert known.forest.graph.has_edge(*(m.id() for m in wrong))
    assert checked(known, CheckTransitionState(), 1) == "ok"
    assert {ts.minimum1, ts.minimum2} == set(right)
    assert ts.minimum1.id() < ts.minimum2.id()
    assert known.forest.graph.edges[ts.minimum1.id(), ts.minimum2.id()]["energy"] == ts.energy
    assert not known.forest.graph.has_edge(*(m.id() for m in wrong))
    assert known.journal.tally["corrected"] == 1
    assert all(notes(m)["connections"] > 1 for m in right)


def test_a_transition_state_below_what_it_leads_to_does_not_count(known):
    ts = known.transition_state(1)
    pair = ts.minimum1.id(), ts.minimum2.id()
    ends = [Point(m.energy, m.coords) for m in (ts.minimum1, ts.minimum2)]
    ts.energy = min(end.energy for end in ends) - 1.0
    CheckTransitionState().merge(known, Verdict("descends elsewhere", ends=ends), 1)
    assert notes(ts)["verified"] == "not above" and ts.invalid
    assert not known.forest.graph.has_edge(*pair)


def test_corrected_connections(tmp_path, net, ljat, monkeypatch):
    """Search descents that lead elsewhere are overruled by the gradient."""
    import nnpotential.points.connect as connect

    land = Landscape.create(tmp_path / "a", net, ljat, regularization=1e-3, seed=3, **SEARCH)
    true_descend, ends = connect.descend, []

    def wrong(*args, **kwargs):
        result = true_descend(*args, **kwargs)
        ends.append(result)
        return ends[0]  # always the first minimum that was ever reached

    monkeypatch.setattr(connect, "descend", wrong)
    land.explore(connection_attempts=1)
    summary = land.summary()
    assert summary["corrected_connections"] > 0
    assert {outcome for *_, outcome in land.verify()} == {"ok"}


def test_verify_between_two_parts_of_a_search(tmp_path, net, ljat, explored):
    """What `verify` finds while checks are pending must not trip the search that goes on."""
    path = tmp_path / "a"
    land = Landscape.create(path, net, ljat, regularization=1e-3, seed=3, **SEARCH)

    def interrupt(*_):
        if land.database.number_of_minima() >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt)
    pending = [job.args[0] for job in Journal(land.database).pending() if "minimum" in job.kind]
    assert pending
    spoilt = next(m for m in land.database.minima() if m.id() in pending)
    replace(land, spoilt, spoilt.coords + 1e-4)
    land.database.session.commit()
    assert "not converged" in {outcome for *_, outcome in land.verify()}
    land.close()
    land = Landscape.open(path)
    figures = land.explore()
    assert figures["jobs_pending"] == 0
    assert figures["verified"]["not converged"] == 1
