"""What is known of a landscape: restored from its database as it was left."""

from itertools import count

import numpy as np
import pytest
from landscapes import contents
from pele.storage import Minimum, TransitionState

from nnpotential import EggBox, InputError
from nnpotential.findings import Connection, Point
from nnpotential.search.barriers import barriers_of, bottlenecks
from nnpotential.search.exploration import Exploration
from nnpotential.search.forest import Forest
from nnpotential.search.journal import Journal
from nnpotential.search.kinds import SEARCHES
from nnpotential.search.known import Known
from nnpotential.search.settings import SearchSettings
from nnpotential.storage import GROWTH, notes, quench_hits
from nnpotential.verification.kinds import CHECKS, CheckMinimum, CheckTransitionState

KINDS = (*SEARCHES, *CHECKS)


def state(known):
    """All that the choice of the next job can follow from."""
    graph = known.forest.graph
    return {
        "pending": known.pending,
        "nodes": dict(graph.nodes(data="energy")),
        "edges": {frozenset((i, j)): energy for i, j, energy in graph.edges(data="energy")},
        "given out": +known.given_out,
        "merged": +known.merged,
        "attempts": vars(known.attempts),
        "by the way": known.n_by_the_way,
        "links": known.n_links,
        "trial": vars(known.trial),
        "lowering": vars(known.lowering),
        "audit": vars(known.audit),
        "rearranged": (+known.rearranged, known.n_in_vain),
        "targets": known.targets(),
        "bottlenecks": known.bottlenecks(),
        "followed": known.followed,
        "unpolished": known.unpolished,
        "coverage": known.coverage(),
        "has minima": known.has_minima(),
        "lowest": known.lowest(),
    }


def every(nth, outcome, run):
    """`run`, every so often with another outcome."""
    number = count()

    def now_and_then(*args):
        verdict = run(*args)
        return verdict._replace(outcome=outcome) if next(number) % nth == 0 else verdict

    return staticmethod(now_and_then)


@pytest.mark.parametrize("how", ["all goes well", "checks fail", "points from outside"])
def test_restored_at_any_step_it_equals_the_live_one(monkeypatch, how):
    system = EggBox()
    database = system.create_database()
    if how == "checks fail":
        for kind in (CheckMinimum, CheckTransitionState):
            monkeypatch.setattr(kind, "run", every(4, "wrong index", kind.run))
    if how == "points from outside":
        first, second, *_ = (p.x for p in system.stationary_points() if p.index == 0)
        for x in (first, second + 1e-4, first + 2 * np.pi + 1e-5):
            database.session.add(Minimum(system.potential.getEnergy(x), x))
        database.session.commit()
    search = SearchSettings(
        quenches=16,
        basin_hopping_runs=2,
        basin_hopping_steps=3,
        untrap_attempts=6,
        audit_sample=1,
        soft_modes=1,
    )
    steps = 0

    def compare(*_):
        nonlocal steps
        steps += 1
        exploration.known.journal.save()
        assert state(Known(system, database, KINDS, 0)) == state(exploration.known)

    exploration = Exploration(system, database, search, 0, CHECKS, compare)
    exploration.run()
    assert steps > 40
    known = exploration.known
    assert not known.pending and known.forest.graph.number_of_edges() > 1 and known.followed
    if how != "checks fail":
        assert known.lowering.n_given_out == 6 and known.audit.is_over() and known.audit.sample
    invalid = sum(m.invalid for m in database.session.query(Minimum))
    assert (invalid > 0) == (how == "checks fail")


@pytest.fixture
def box():
    """An egg box and what is known of it: its minima and transition states, all new."""
    system = EggBox()
    known = Known(system, system.create_database(), KINDS, 0)
    points = system.stationary_points()
    for ts, i, j in system.connections():
        ends = [Point(points[k].energy, points[k].x) for k in (i, j)]
        at = points[ts]
        known.add_connection(Connection(at.energy, at.x, -1.0, np.eye(3)[0], *ends))
    return system, known


def test_points_are_asked_to_be_checked_once(box):
    system, known = box
    asked = [(job.kind, job.args) for job in known.pending]
    assert len(set(asked)) == len(asked) == 8 + 12
    assert len(known.forest.graph) == 8
    assert known.forest.graph.number_of_edges() == 12
    lowest = system.stationary_points()[0]
    minimum = known.add_minimum(Point(lowest.energy, -lowest.x + 2 * np.pi), "uniform")
    assert minimum.id() in known.forest.graph
    assert len(known.pending) == len(asked) and len(known.forest.graph) == 8


def test_the_graph_keeps_the_lowest_of_each_pair(box):
    _, known = box
    session = known.database.session
    low = session.query(TransitionState).order_by(TransitionState.energy).first()
    pair = low.minimum1.id(), low.minimum2.id()
    high = TransitionState(low.energy + 0.1, low.coords + 0.1, low.minimum1, low.minimum2)
    session.add(high)
    session.flush()
    for ts in (high, low):
        known.join(ts)
        assert known.forest.graph.edges[pair]["energy"] == low.energy
    known.part(low)
    assert known.forest.graph.edges[pair]["energy"] == high.energy
    low.invalid = 1
    known.part(high)
    assert not known.forest.graph.has_edge(*pair)
    assert known.forest.graph.number_of_edges() == 11


def test_a_minimum_that_counts_no_more_takes_its_edges_along_and_back(box):
    _, known = box
    before = state(known)
    minimum = known.minimum(next(iter(known.forest.graph)))
    known.count_out(minimum)
    assert minimum.id() not in known.forest.graph and known.forest.graph.number_of_edges() == 9
    known.count_in(minimum)
    assert state(known)["edges"] == before["edges"]


def test_targets_are_what_quenches_found_or_else_what_other_searches_did(box):
    system, known = box
    points = system.stationary_points()

    def found(k, source):
        return known.add_minimum(Point(points[k].energy, points[k].x), source).id()

    assert known.targets() == set() and known.bottlenecks() == []
    ids = [found(k, "connections") for k in range(3)]
    assert known.targets() == set()
    highest = max((p for p in points if p.index == 0), key=lambda p: p.energy)
    hopped = known.add_minimum(Point(highest.energy, highest.x), "basin_hopping").id()
    assert known.targets() == {hopped}
    assert set(barriers_of(known.bottlenecks())) == {hopped}
    # as many, but others
    sampled = found(1, "uniform")
    assert sampled == ids[1] != hopped and known.targets() == {sampled}
    assert set(barriers_of(known.bottlenecks())) == {sampled}
    # of several the first by number, where not all are to be joined
    more = found(0, "uniform")
    assert more < sampled and known.targets() == {more, sampled} and not known.is_sample()
    known.journal.tally["joined"] = 1
    assert known.targets() == {more} and known.is_sample()
    assert set(barriers_of(known.bottlenecks())) <= {more}
    known.count_out(known.minimum(more))
    assert known.targets() == {sampled} and not known.is_sample()
    known.count_out(known.minimum(sampled))
    assert known.targets() == {hopped}


def test_bottlenecks_are_of_the_graph_as_it_is(box):
    system, known = box
    for p in system.stationary_points():
        if p.index == 0:
            known.add_minimum(Point(p.energy, p.x), "uniform")
    steps = 0
    for ts in list(known.database.session.query(TransitionState)):
        known.part(ts)
        assert known.bottlenecks() == bottlenecks(Forest(known.forest.graph), known.targets())
        steps += 1
    assert steps == 12 and known.bottlenecks() == []
    assert known.bottlenecks({1}) == []


def test_the_softest_mode_that_is_left(box):
    _, known = box
    n = known.n_modes(1)
    seen = []
    while (left := known.mode_left(1)) is not None:
        seen.append(left)
        known.followed.add((1, *left))
    assert seen == [(mode, side) for mode in range(n) for side in (1, -1)]
    assert known.mode_left(2) == (0, 1)


def test_attempts_of_all_kinds_are_restored_in_their_order():
    """A pair that one kind failed to connect and then another did is not tried any more."""
    system = EggBox()
    database = system.create_database()
    journal = Journal(database)
    for kind, args, found in (
        ("lower", ("neighbours", 1, 2, 2, 3), 0),
        ("connect", (2, 3, "alignment", "connect"), 1),
        ("connect", (4, 5, "standard", "untrap"), 0),  # as it was called once
        ("audit", (7, "uphill", 1, 2, 6, 0, -1), 0),
        ("retired", (1,), 0),
    ):
        journal.close(journal.add(kind, args), found)
    known = Known(system, database, KINDS, 0)
    assert known.attempts.another_way(2, 3) is None
    assert known.attempts.another_way(4, 5) is not None
    assert known.attempts.busy == set() and known.followed == {(6, 0, -1)}
    assert known.lowering.tries == {(1, 2): 2} and known.n_by_the_way == 0


def test_distances_are_of_each_pair_and_aligned_once(box, monkeypatch):
    (system, known), asked = box, []
    ids = sorted(known.forest)[:4]
    pairs = [(i, j) for i in ids for j in ids if i != j]
    aligned = type(system.identity).distances

    def counted(identity, points):
        asked.extend(points)
        return aligned(identity, points)

    monkeypatch.setattr(type(system.identity), "distances", counted)
    found = known.distances(pairs)
    for (i, j), distance in zip(pairs, found, strict=True):
        x1, x2 = known.coords(min(i, j)), known.coords(max(i, j))
        assert distance == system.identity.align(x1, x2, quick=True)[0]
    assert known.distances(pairs) == found
    assert len(asked) == len(pairs) / 2


def test_coverage_is_good_and_turings(box):
    system, known = box
    assert known.coverage() == 0.0 and not known.has_minima()
    points = system.stationary_points()
    for k in (0, 0, 1, 2, 0, 2):
        known.add_minimum(Point(points[k].energy, points[k].x), "uniform")
    assert known.has_minima()
    assert known.coverage() == pytest.approx(1 - 1 / 6)  # one of six was found once
    known.add_minimum(Point(points[1].energy, points[1].x), "basin_hopping")  # no quench
    assert known.coverage() == pytest.approx(1 - 1 / 6)


def test_a_minimum_from_outside_counts_once_when_it_is_polished():
    """Quenches may end in it before: another program stored it during the search."""
    system = EggBox()
    database = system.create_database()
    lowest = system.stationary_points()[0]
    point = Point(lowest.energy, lowest.x)
    for turn in (0, 1):  # two images of it
        database.session.add(Minimum(lowest.energy, lowest.x + turn * 2 * np.pi))
    known = Known(system, database, KINDS, 0)
    known.ask_outsiders()
    for _ in range(2):
        known.add_minimum(point, "uniform")
    assert known.coverage() == 0.0 and not known.has_minima() and known.targets() == set()
    polish = known.kinds["polish_minimum"]
    for number in (1, 2):
        polish.merge(known, polish.run(system, known.minimum(number).coords), number)
    assert known.coverage() == 1.0
    assert database.number_of_minima() == 1
    assert known.targets() == {database.minima()[0].id()}
    assert quench_hits(database.minima()[0]) == 2


@pytest.mark.parametrize("note", [{"step": 7}, {"step": 7, "verified": True}, "mine", None])
def test_notes_of_another_program_are_no_hits(note):
    system = EggBox()
    database = system.create_database()
    lowest = system.stationary_points()[0]
    minimum = Minimum(lowest.energy, lowest.x)
    minimum.user_data = note
    database.session.add(minimum)
    database.session.commit()
    theirs = {} if note is None else {"user_data": note}
    for further in ({}, {"rank": 3}):  # noted on a minimum that has passed, too
        minimum.user_data = {**notes(minimum), **further}
        database.session.commit()
        exploration = Exploration(system, database, SearchSettings(quenches=0), 0, CHECKS)
        exploration.run(stages=())
        found = notes(database.minima()[0])
        if further and isinstance(note, dict):
            theirs = {"user_data": {**note, **further}}
        elif further:
            theirs = {"user_data": {**theirs, **further}}
        assert found == {**theirs, "outside": 1, "verified": "ok"}
        assert exploration.known.coverage() == 0.0
        assert exploration.known.targets() == {minimum.id()}


def test_joins_are_of_what_quenches_found_whoever_made_them(box):
    system, known = box
    minima = [p for p in system.stationary_points() if p.index == 0][:4]
    ids = [known.add_minimum(Point(p.energy, p.x), "uniform").id() for p in minima]
    assert known.joins() == (3, 3)
    known.add_minimum(Point(minima[0].energy, minima[0].x), GROWTH)  # a walk came back to it
    assert known.joins() == (3, 3)
    for number in ids[1:]:
        known.count_out(known.minimum(number))
    assert known.joins() == (0, 0)
    grown = [p for p in system.stationary_points() if p.index == 0][5]
    known.add_minimum(Point(grown.energy, grown.x), GROWTH)
    assert known.joins() == (0, 0) and len(known.targets()) == 2


def test_failures_are_counted_with_the_lowest_energy(box):
    _, known = box
    known.count_failures("quenches", [("travelling", 0.5), ("travelling", 0.2), ("lost", None)])
    known.count_failures("quenches", [("travelling", 0.4)])
    assert known.journal.tally["failures"] == {
        "quenches": {
            "travelling": {"n": 3, "lowest_loss": 0.2},
            "lost": {"n": 1, "lowest_loss": None},
        }
    }


def test_jobs_of_a_newer_version_are_refused():
    system = EggBox()
    database = system.create_database()
    Journal(database).add("dream", (1,))
    with pytest.raises(InputError, match=r"a kind that is not known here, 'dream': .* newer"):
        Known(system, database, KINDS, 0)


def test_points_of_an_older_definition_are_verified_anew(mapped):
    before = contents(mapped)
    journal = Journal(mapped.database)
    assert not journal.outdated
    journal.tally["definition"] = 1
    journal.save()
    journal.add("check_minimum", (1,))  # it was stopped before this
    mapped.database.session.commit()
    figures = mapped.summary()
    assert figures["verified_by_older_definition"]
    assert "may be stored twice" in figures["remarks"][0]
    figures = mapped.explore()
    assert not figures["verified_by_older_definition"]
    after = contents(mapped)
    assert [m[:2] for m in after[0]] == [m[:2] for m in before[0]]
    assert {m[3]["verified"] for m in after[0]} == {"ok"}
