"""Figures of a landscape: by hand on small graphs, and against their definitions."""

import json

import networkx as nx
import numpy as np
import pytest
from landscapes import SEARCH, copy_of
from pele.storage import Minimum, TransitionState

import nnpotential as nnp
from nnpotential import Landscape
from nnpotential.analysis.figures import (
    barriers_to_lowest,
    coverage,
    distinct_energies,
    landscape_graph,
    lowest_minimum,
    remarks,
    summarise,
)
from nnpotential.contract import TRAVELLING, UNRESOLVED
from nnpotential.search.audit import Audit
from nnpotential.search.barriers import Bottleneck
from nnpotential.search.journal import Journal
from nnpotential.storage import add_hit, is_verified, record_outcome


def test_graph_keeps_the_lowest_transition_state_of_each_pair(small):
    graph = small.graph()
    best, n_loops = {}, 0
    for ts in small.database.transition_states():
        pair = frozenset((ts.minimum1.id(), ts.minimum2.id()))
        if len(pair) == 2:
            best[pair] = min(best.get(pair, np.inf), ts.energy)
        n_loops += len(pair) == 1
    assert {frozenset((a.id(), b.id())): ts.energy for a, b, ts in graph.edges(data="ts")} == best
    assert n_loops > 0 and nx.number_of_selfloops(graph) == 0


def test_a_higher_transition_state_added_later_does_not_hide_a_lower(ljat, net):
    system = nnp.NNSystem(net, ljat)
    database = system.create_database()
    rng = np.random.default_rng(0)
    m1, m2, m3 = (database.addMinimum(e, rng.normal(size=44)) for e in (0.1, 0.2, 0.3))
    for a, b, e in ((m1, m2, 0.5), (m1, m2, 0.9), (m2, m3, 0.4), (m1, m3, 0.7), (m1, m1, 0.8)):
        database.addTransitionState(e, rng.normal(size=44), a, b)
    assert not landscape_graph(database)  # nothing is verified yet
    for point in (*database.minima(), *database.transition_states()):
        record_outcome(point, "ok")
    graph = landscape_graph(database)
    assert graph.edges[m1, m2]["ts"].energy == 0.5
    assert not graph.has_edge(m1, m1)
    barriers = barriers_to_lowest(graph)
    assert barriers == pytest.approx({m2: 0.5 - 0.2, m3: 0.5 - 0.3})


def test_barriers_are_minimax_over_all_paths(explored):
    graph = explored.graph()
    lowest = min(graph, key=lambda m: m.energy)
    barriers = barriers_to_lowest(graph)
    assert set(barriers) == set(graph) - {lowest}
    levels = sorted({d["energy"] for *_, d in graph.edges(data=True)})
    for m, barrier in barriers.items():
        # flood: the lowest level at which the two are connected
        for level in levels:
            flooded = nx.Graph()
            flooded.add_nodes_from(graph)
            flooded.add_edges_from((a, b) for a, b, e in graph.edges(data="energy") if e <= level)
            if nx.has_path(flooded, m, lowest):
                break
        assert barrier == pytest.approx(level - m.energy)


def test_coverage_estimates():
    assert coverage([]) == {"good_turing": None, "interval": None, "chao1": None}
    figures = coverage([5, 5])
    assert figures["good_turing"] == 1.0 and figures["chao1"] == 2.0
    least, most = figures["interval"]
    assert 0.6 < least < 0.8 and most == 1.0  # none of ten was new, which is no proof
    figures = coverage([1, 1, 1, 2, 5])
    assert figures["good_turing"] == pytest.approx(0.7)
    # n1 = 3 and n2 = 1 of ten
    width = 1.959964 * np.sqrt((0.3 * 0.7 + 2 * 0.1) / 10)
    assert figures["interval"] == pytest.approx([0.7 - width, 1.0])
    assert coverage([1])["interval"][0] == 0.0
    assert figures["chao1"] == pytest.approx(5 + 3 * 2 / (2 * 2))


def test_points_that_failed_are_in_no_figure(tmp_path, explored):
    land = Landscape.open(copy_of(explored, tmp_path))
    lowest = land.database.minima()[0]
    before = land.summary()
    lowest.invalid = 1
    land.database.session.commit()
    after = land.summary()
    assert after["n_minima"] == before["n_minima"] - 1
    assert after["lowest_loss"] > before["lowest_loss"]
    assert lowest not in land.graph()


def test_only_what_is_verified_counts(tmp_path, net, ljat):
    land = Landscape.create(tmp_path / "a", net, ljat, regularization=1e-3, seed=3, **SEARCH)

    def interrupt(*_):
        if land.database.number_of_minima() >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt)
    figures = land.summary()
    assert figures["verified"]["unverified"] > 0
    assert figures["n_minima"] == sum(map(is_verified, land.database.minima()))
    assert figures["n_minima"] < land.database.number_of_minima()


@pytest.fixture
def by_hand():
    """Four verified minima, three joined in a row, and points that count nowhere."""
    database = nnp.EggBox().create_database()
    x = np.zeros(3)
    minima = [Minimum(e, x + e) for e in (0.1, 0.2, 0.3, 0.4, 0.05, 0.6)]
    for minimum in minima:
        database.session.add(minimum)
        database.session.flush()
    a, b, c, alone, flat, _ = minima
    for minimum, sources in ((a, ["gaussian"] * 3), (b, ["uniform"]), (c, ["basin_hopping"])):
        for source in sources:
            add_hit(minimum, source)
    ends = [(a, b), (a, b), (b, c), (c, c), (c, alone), (a, flat)]
    states = [TransitionState(1.0 + i / 10, x + i, *pair) for i, pair in enumerate(ends)]
    database.session.add_all(states)
    for point in (a, b, c, alone, *states[:4], states[5]):
        record_outcome(point, "ok")
    record_outcome(flat, "degenerate", "a unit is idle")
    record_outcome(states[4], "wrong index")
    journal = Journal(database)
    jobs = [
        journal.add(*job)
        for job in (
            ("quench", (0, "gaussian")),
            ("quench", (1, "gaussian")),
            ("connect", (1, 2, "standard", "connect")),
            ("connect", (2, 3, "standard", "connect")),
            ("single_ended", (1, 0, 1)),
            ("quench", (2, "gaussian")),
        )
    ]
    for job, found in zip(jobs, (1, 0, 2, 0, 1), strict=False):
        journal.close(job, found, "process died" if job.id == 4 else None)
    journal.count_seconds("connect", 1.23456)
    journal.save()
    database.session.commit()
    return database


def test_every_figure_by_hand(by_hand):
    figures = summarise(by_hand)
    quantiles = {"0": 0.1, "0.25": 0.175, "0.5": 0.25, "0.75": 0.325, "1": 0.4}
    # from b over 1.0 to a, from c over 1.2
    barriers = {"0": 0.8, "0.25": 0.825, "0.5": 0.85, "0.75": 0.875, "1": 0.9}
    assert figures.pop("losses") == pytest.approx(quantiles)
    assert figures.pop("barriers") == pytest.approx(barriers)
    assert figures.pop("coverage") == {
        "n_quenches": 2,
        "n_minima": 2,
        "good_turing": 0.75,
        "interval": pytest.approx([0.30064, 1.0], abs=1e-5),  # Wilson's: one of four was new
        "chao1": 2.0,
        "at_least": 4.0,  # found in whatever way
    }
    assert figures == {
        "n_minima": 4,
        "n_minima_by_energy": 4,
        "n_transition_states": 3,
        "n_degenerate_rearrangements": 1,
        "n_components": 2,
        "largest_component": 3,
        "share_connected": 0.75,
        "lowest_loss": 0.1,
        "mean_barrier": pytest.approx(0.8),
        "n_barriers": 1,
        "sample": {"n_minima": 2, "n_joined": 2},
        "barrier_attempts": 0,
        "barrier_audit": None,
        "n_grown": 0,
        "quenches_stay_apart": False,
        "n_unconnected": 1,
        "connection_attempts": 2,
        "connection_attempts_with_transition_state": 1,
        "soft_modes_followed": 1,
        "soft_modes_with_transition_state": 1,
        "images_tried": 0,
        "images_with_new_transition_state": 0,
        "failed_quenches": 0,
        "failures": {},
        "degenerate_minima": {"n": 1, "lowest_loss": 0.05, "causes": {"a unit is idle": 1}},
        "n_from_outside": 1,
        "verified_by_older_definition": False,
        "corrected_connections": 0,
        "jobs_pending": 1,
        "jobs_set_aside": ["connect (2, 3, 'standard', 'connect'): process died"],
        "verified": {"degenerate": 1, "ok": 9, "unverified": 1, "wrong index": 1},
        "certified": {},
        "proved": {},
        "seconds": {"connect": 1.235},
    }
    assert json.loads(json.dumps(figures)) == figures


def test_barriers_are_those_of_the_sample_that_had_to_be_joined(by_hand):
    journal = Journal(by_hand)
    journal.tally["joined"] = 1
    journal.save()
    figures = summarise(by_hand)
    assert figures["sample"] == {"n_minima": 1, "n_joined": 1}
    # the lowest has none, and those of the others do not count
    assert figures["barriers"] == {} and figures["n_barriers"] == 0
    assert figures["coverage"]["n_minima"] == 2 and figures["n_minima"] == 4


def test_figures_of_nothing():
    figures = summarise(nnp.EggBox().create_database())
    for name in ("n_minima", "n_transition_states", "n_components", "n_unconnected"):
        assert figures[name] == 0
    for name in ("share_connected", "lowest_loss", "mean_barrier", "barrier_audit"):
        assert figures[name] is None
    assert figures["losses"] == figures["barriers"] == figures["verified"] == {}
    assert figures["n_barriers"] == figures["barrier_attempts"] == 0
    assert barriers_to_lowest(landscape_graph(nnp.EggBox().create_database())) == {}


def test_the_audit_and_the_attempts_are_counted():
    database = nnp.EggBox().create_database()
    journal = Journal(database)
    for kind, found in (("lower", 1), ("lower", 0), ("audit", 0), ("lower", None)):
        job = journal.add(kind, ("neighbours", 1, 2, 1, 2))
        if found is not None:
            journal.close(job, found)
    audit = Audit(journal.tally["audit"])
    audit.begin([Bottleneck((1, 2), 2.0, [2], [1], {2: 1.5})], 2, 1, np.random.default_rng(0))
    while not audit.is_over():  # after the first there was nothing left to try
        audit.merge({2: 1.5}, new=None if audit.progress()[0] else False)
    journal.save()
    figures = summarise(database)
    assert figures["barrier_attempts"] == 2
    audit = figures["barrier_audit"]
    assert (audit["n_sampled"], audit["n_attempts"], audit["fall"]) == (1, 1, 0.0)
    low, high = audit["interval"]
    assert low == 0.0 < high


def test_minima_are_counted_as_papers_do():
    assert distinct_energies([]) == 0
    assert distinct_energies([0.3, 0.1, 0.1 + 0.9e-4, 0.1 + 1.8e-4, 0.3]) == 3
    assert distinct_energies([1.0, 1.5, 3.0], apart=1.0) == 2


def test_ties_of_the_lowest_go_to_the_first():
    database = nnp.EggBox().create_database()
    for x in (1.0, 2.0):
        database.session.add(Minimum(0.5, np.full(3, x)))
        database.session.flush()
    for minimum in database.minima():
        record_outcome(minimum, "ok")
    assert lowest_minimum(landscape_graph(database)).id() == 1


def test_coverage_is_that_of_a_known_lottery():
    """Minima of known probabilities: the estimate is the probability of what was found."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(50, 0.3))
    gaps, held = [], []
    for _ in range(300):
        hits = np.bincount(rng.choice(50, 80, p=shares), minlength=50)
        figures = coverage(hits[hits > 0].tolist())
        gaps.append(figures["good_turing"] - shares[hits > 0].sum())
        least, most = figures["interval"]
        held.append(least <= shares[hits > 0].sum() <= most)
        assert figures["chao1"] >= (hits > 0).sum()
    assert abs(np.mean(gaps)) < 0.01
    assert np.mean(held) >= 0.93


# Remarks


@pytest.fixture
def figures():
    """Of a landscape about which there is nothing to say."""
    return {
        "n_minima": 3,
        "lowest_loss": 0.2,
        "failures": {},
        "coverage": {"n_quenches": 100, "n_minima": 3, "good_turing": 1.0},
        "sample": {"n_minima": 3, "n_joined": 3},
        "degenerate_minima": {"n": 0, "lowest_loss": None, "causes": {}},
        "verified_by_older_definition": False,
        "n_from_outside": 0,
        "n_grown": 0,
        "quenches_stay_apart": False,
    }


def said(figures, **changes):
    return remarks(nnp.EggBox(), {**figures, **changes})


def test_there_is_nothing_to_say(figures):
    assert said(figures) == []


@pytest.mark.parametrize(
    ("lowest", "where"),
    [(0.2, ", below all that count"), (0.05, ", above the lowest that counts"), (None, "")],
)
def test_degenerate_minima_are_named_with_their_causes(figures, lowest, where):
    flat = {"n": 3, "lowest_loss": 0.1, "causes": {"a unit is idle": 2, "unknown": 1}}
    [sentence] = said(figures, degenerate_minima=flat, lowest_loss=lowest)
    assert "2 because a unit is idle; 1 with a curvature below 1e-9 of the largest" in sentence
    assert sentence.endswith(f"the lowest of them has a loss of 0.1{where}")


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [(UNRESOLVED, "leaves their coordinates open"), (TRAVELLING, "on their way to infinity")],
)
def test_quenches_that_count_nowhere_are_named(figures, reason, meaning):
    failures = {"quenches": {reason: {"n": 7, "lowest_loss": 0.125}}}
    [sentence] = said(figures, failures=failures)
    assert sentence.startswith("7 quenches count nowhere") and meaning in sentence
    assert sentence.endswith("the lowest reached a loss of 0.125")
    assert said(figures, failures={"quenches": {"too many steps": {"n": 1}}}) == []
    # where there is no minimum at all it is for the system to say why
    assert said(figures, failures=failures, n_minima=0, lowest_loss=None) == []


def test_more_minima_than_can_be_listed_are_said_to_be_that(figures):
    seen = {"n_quenches": 100, "n_minima": 97, "good_turing": 0.05}
    figures["sample"] = {"n_minima": 97, "n_joined": 90}
    [sentence] = said(figures, coverage=seen)
    assert sentence.startswith("97 different minima in 100 quenches: there are more than can be")
    # few quenches say nothing of that, and none nothing at all
    assert said(figures, coverage={**seen, "n_quenches": 5}) == []
    assert said(figures, coverage={**seen, "good_turing": None, "n_quenches": 0}) == []
    _, sentence = said(figures, coverage=seen, sample={"n_minima": 4, "n_joined": 3})
    assert "only the first 4 minima of the quenches" in sentence and "3 are" in sentence


def test_without_a_minimum_the_system_is_asked_why(figures, monkeypatch):
    monkeypatch.setattr(nnp.EggBox, "why_no_minimum", lambda self, failures: f"so: {failures}")
    assert said(figures, n_minima=0, failures={"quenches": {"a": 1}}) == ["so: {'a': 1}"]


def test_points_that_are_not_verified_are_said_to_be_that(figures):
    [sentence] = said(figures, n_from_outside=4)
    assert sentence.startswith("4 points come from outside")
    [sentence] = said(figures, n_from_outside=4, verified_by_older_definition=True)
    assert "may be stored twice" in sentence and "verify --repair" in sentence
