"""What is done next, on states made by hand; and the further search to its end."""

from collections import Counter, namedtuple
from types import SimpleNamespace

import networkx as nx
import pytest
from landscapes import contents, interrupt_at

from nnpotential import Landscape
from nnpotential.search.audit import EFFORT, Audit
from nnpotential.search.barriers import barriers_of, bottlenecks, mean_barrier
from nnpotential.search.choice import next_job
from nnpotential.search.forest import Forest
from nnpotential.search.kinds import BY_THE_WAY, LINK, NEIGHBOURS, SEARCHES
from nnpotential.search.lowering import FLAT, Lowering
from nnpotential.search.pairs import Attempts, Trial
from nnpotential.search.settings import ASTRAY, AUTO, STAGES, TRIALS, SearchSettings
from nnpotential.search.ways import WAYS
from nnpotential.systems.functions import LinearAutoencoder

Pending = namedtuple("Pending", "kind args")
DONE = {"quenches": 0, "basin_hopping_runs": 0, "untrap_attempts": 0, "audit_sample": 0}
KINDS = {kind.name: kind for kind in SEARCHES}


class State:
    """A state of a search, all minima joined to the first, in which every job is done at once.

    Parameters
    ----------
    n_minima, n_dof, n_modes, n_states : int
        Transition states are there as many as `n_states`, and those found since.
    finds : collection of int
        The images, counted from 0, that give a new transition state.
    """

    def __init__(self, n_minima, n_dof=24, n_modes=18, finds=(), n_states=8):
        self.graph = nx.Graph()
        self.graph.add_nodes_from(range(1, n_minima + 1))
        self.graph.add_edges_from((1, i) for i in range(2, n_minima + 1))
        nx.set_node_attributes(self.graph, 0.0, "energy")
        nx.set_edge_attributes(self.graph, 1.0, "energy")
        self.system = SimpleNamespace(n_dof=n_dof)
        self.n_modes = lambda i: n_modes
        self.distances = lambda pairs: [abs(i - j) for i, j in pairs]
        self.given_out, self.merged, self.pending = Counter(), Counter(), []
        self.attempts, self.followed = Attempts(), set()
        self.n_by_the_way, self.n_links = 0, 0
        self.trial, self.grown, self.fails = Trial({}), set(), False
        self.astray = False
        self.seed, self.lowering, self.audit = 0, Lowering({}), Audit({})
        self.rearranged, self.n_in_vain, self.finds = Counter(), 0, finds
        self.n_states = n_states
        self.n_transition_states = lambda: self.n_states
        self.coverage, self.has_minima = (lambda: 1.0), (lambda: n_minima > 0)

    def targets(self):
        return set(self.graph)

    def is_sample(self):
        return False

    @property
    def forest(self):
        return Forest(self.graph)

    def lowest(self):
        return min(self.graph, default=None)

    def joined(self):
        return self.forest.component(self.lowest()) if self.graph else set()

    def n_joined(self):
        return len(self.targets() & self.joined())

    def bottlenecks(self, targets=None):
        return bottlenecks(self.forest, self.targets() if targets is None else targets)

    def n_grown(self):
        return len(self.grown & self.joined())

    def joins(self):
        return len(self.graph) - len(self.forest.components()), len(self.graph) - 1

    def mode_left(self, i):
        sides = ((mode, side) for mode in range(self.n_modes(i)) for side in (1, -1))
        return next(((m, s) for m, s in sides if (i, m, s) not in self.followed), None)

    def merge_audit(self, new=True):
        self.audit.merge(barriers_of(self.bottlenecks()), new)

    def next(self, stages=STAGES, **search):
        options = {**DONE, "initializations": ["a", "b"], **search}
        return next_job(self, SearchSettings(**options), stages)

    def fall(self, share, *edges):
        """Every barrier, or those across some edges, fall by a share."""
        energy = self.graph.nodes(data="energy")
        for i, j in edges or self.graph.edges:
            edge = self.graph.edges[i, j]
            base = max(energy[i], energy[j])
            edge["energy"] = base + (1 - share) * (edge["energy"] - base)

    def give_out(self, job):
        """A job is under way."""
        kind, *args = job
        KINDS[kind].begin(self, *args)
        self.pending.append(Pending(kind, tuple(args)))

    def merge(self, fall=0.0):
        """The first under way is merged: barriers, of the audit those tried, fall by a share."""
        kind, args = self.pending.pop(0)
        before = mean_barrier(self.bottlenecks())
        self.fall(fall, *([args[2:4]] if kind == "audit" else []))
        KINDS[kind].end(self, 0, *args)
        if kind == "connect" and args[-1] == NEIGHBOURS and not self.fails:
            self.trial.judge(self.joins, self.astray)
        if kind == "audit":
            self.merge_audit()
        if kind == "lower":
            after = mean_barrier(self.bottlenecks())
            self.lowering.learn(args[0], before - after, 1.0)
            self.lowering.settle(before, after, self.n_joined())

    def run(self, lookahead=1, falls=lambda kind, number: 0.0, **search):
        """Every job, so many under way at once, with the fall of barriers that each brings."""
        jobs = []
        while True:
            while len(self.pending) < lookahead:
                job = self.next(**search)
                if job is None:
                    break
                jobs.append(job)
                self.give_out(job)
                assert len(jobs) < 5000
            if not self.pending:
                return jobs
            self.merge(falls(self.pending[0].kind, len(jobs)))

    def all(self, **search):
        """Every job, until none is left."""
        jobs = []
        while (job := self.next(**search)) is not None:
            jobs.append(job)
            kind, *args = job
            if kind == "single_ended":
                self.followed.add(tuple(args))
            else:
                assert kind == "rearrange"
                found = self.rearranged.total() in self.finds
                self.rearranged[args[0]] += 1
                self.n_states += found
                self.n_in_vain = 0 if found else self.n_in_vain + 1
        return jobs


def count(jobs):
    return Counter(kind for kind, *_ in jobs)


def test_sources_come_first_and_connections_wait_for_them():
    state = State(3)
    assert state.next(quenches=2) == ("quench", 0, "a")
    state.given_out["quench"] = 1
    assert state.next(quenches=2) == ("quench", 1, "b")
    state.given_out["quench"] = 2
    assert state.next(quenches=2, basin_hopping_runs=1) == ("hop", 0, 20)
    state.pending = [Pending("quench", (1, "b"))]
    assert state.next(quenches=2) is None
    state.pending = []
    assert state.next(quenches=2) == ("single_ended", 1, 0, 1)


def purposes(jobs):
    return Counter(job[-1] for job in jobs if job[0] == "connect")


def test_what_neighbours_leave_apart_is_joined_over_what_was_met_in_between():
    state = State(12)
    state.graph.remove_edge(1, 12)
    search = {"connection_attempts": 1, "soft_modes": 0}
    tried = state.run(**search)
    assert [purpose for *_, purpose in tried[:5]] == [NEIGHBOURS] * 4 + [LINK]
    assert purposes(tried)[LINK] == 8
    pairs = [frozenset(job[1:3]) for job in tried if job[-1] == LINK]
    assert len(set(pairs)) == 8 and all(12 in pair for pair in pairs)
    state.graph.add_edge(1, 12, energy=1.0)
    assert state.run(connection_attempts=3, soft_modes=0) == []
    assert purposes(state.run(connection_attempts=0, soft_modes=0)) == {}


def test_links_wait_for_neighbours_that_are_being_tried():
    state = State(12)
    state.graph.remove_edge(1, 12)
    job = state.next(soft_modes=0)
    assert job[-1] == NEIGHBOURS
    state.give_out(job)
    assert state.next(soft_modes=0) is None


def all_apart(n_minima, **options):
    state = State(n_minima, **options)
    state.graph.remove_edges_from(list(state.graph.edges))
    return state


@pytest.mark.parametrize("lookahead", [1, 5, 16])
@pytest.mark.parametrize(("astray", "n"), [(False, TRIALS), (True, ASTRAY)])
def test_where_bands_join_nothing_a_few_tell_and_the_lowest_is_grown(lookahead, astray, n):
    state = all_apart(30, n_modes=2)
    state.astray = astray
    jobs = state.run(lookahead)
    assert purposes(jobs) == {NEIGHBOURS: n}
    assert count(jobs) == {"connect": n, "grow": 2 * 2}  # all modes of the lowest
    assert state.run(lookahead) == []
    state.n_modes = lambda i: 5
    assert state.run(lookahead, grow=1) != []
    state.grown, state.n_modes = {1}, lambda i: 6
    assert state.run(lookahead, grow=1) == [] != state.run(lookahead, soft_modes=6)


def test_growth_begins_anew_from_a_lower_minimum_that_is_apart():
    state = all_apart(5)
    state.grown = {2, 3}
    state.graph.add_edge(2, 3, energy=1.0)
    jobs = state.run(grow=1, soft_modes=1, connection_attempts=0)
    assert jobs == [("grow", 1, 0, 1), ("grow", 1, 0, -1)]


def test_connections_that_are_set_aside_tell_nothing():
    state = all_apart(30)
    state.fails = True
    jobs = state.run(connection_attempts=2, soft_modes=0)
    assert purposes(jobs)[NEIGHBOURS] > TRIALS and not state.trial.is_lost


@pytest.mark.parametrize("search", [{"grow": 0}, {"soft_modes": 0}])
def test_no_growth_where_it_is_not_wanted(search):
    jobs = all_apart(30).run(**{"soft_modes": 1} | search)
    assert count(jobs)["grow"] == 0 and purposes(jobs) == {NEIGHBOURS: TRIALS}


def test_one_connection_that_joins_is_enough():
    state = all_apart(40)
    jobs = []
    while len(jobs) < TRIALS:
        while (job := state.next()) is not None:
            jobs.append(job)
            state.give_out(job)
        assert purposes(jobs) == {NEIGHBOURS: len(jobs)}
        assert len(state.pending) == min(ASTRAY, len(jobs))
        state.merge()
    while len(state.pending) > 1:
        assert state.next() is None
        state.merge()
    state.graph.add_edge(*jobs[-1][1:3], energy=1.0)
    state.merge()
    assert not state.trial.is_lost and state.next()[-1] == NEIGHBOURS


def test_few_links_are_tried_where_bands_join_next_to_nothing():
    state = all_apart(30)
    state.graph.add_edge(1, 30, energy=1.0)
    state.trial = Trial({"apart": False})  # won, as by what was apart no more
    jobs = state.run(connection_attempts=2, soft_modes=0)
    assert purposes(jobs)[LINK] == 2 * 2


@pytest.mark.parametrize("lookahead", [1, 5, 16])
@pytest.mark.parametrize(("astray", "n"), [(False, TRIALS), (True, ASTRAY)])
def test_one_lucky_connection_does_not_keep_a_hopeless_search_going(lookahead, astray, n):
    state = all_apart(30)
    state.graph.add_edge(1, 30, energy=1.0)
    state.astray = astray
    jobs = state.run(lookahead)
    tried = purposes(jobs)[NEIGHBOURS]
    assert 2 * n <= tried < 2 * n + lookahead  # those under way were given out before
    assert count(jobs)["grow"] > 0 and state.trial.is_lost


def test_a_lowest_minimum_apart_from_all_others_is_linked_too():
    state = State(12)
    state.graph.remove_node(1)
    nx.add_star(state.graph, range(3, 13), energy=1.0)
    state.graph.nodes[2]["energy"] = -1.0
    state.targets = lambda: set(range(3, 13))
    assert purposes(state.run(connection_attempts=1, soft_modes=0))[LINK] == 8


def test_as_many_modes_as_are_asked_for_and_nothing_else():
    assert State(3).all(soft_modes=0) == []
    jobs = State(2).all(soft_modes=2)
    assert jobs == [
        ("single_ended", i, m, side) for i in (1, 2) for m in (0, 1) for side in (1, -1)
    ]
    assert count(State(1, n_modes=3).all(soft_modes=100)) == {"single_ended": 6}


def test_a_small_landscape_is_searched_until_nothing_is_new():
    jobs = State(4, n_dof=21, n_modes=15).all()
    assert [kind for kind, *_ in jobs[:120]] == ["single_ended"] * 120
    images = jobs[120:]
    assert len(images) == 60
    assert images[:5] == [("rearrange", *at) for at in ((1, 0), (2, 0), (3, 0), (4, 0), (1, 1))]
    # each find gives it as long again, and longer
    assert count(State(4, n_dof=21, n_modes=15, finds={10, 59}).all())["rearrange"] == 60 + 70


def test_it_ends_though_there_were_always_more_to_find():
    assert count(State(8, finds=range(10**6)).all())["rearrange"] == 500


@pytest.mark.parametrize("n_minima", [13, 40, 250, 251])
def test_a_larger_landscape_gets_fewer_modes_and_no_images(n_minima):
    n = {13: 19, 40: 6, 250: 1, 251: 0}[n_minima]
    jobs = State(n_minima, n_modes=20).all()
    assert count(jobs) == ({"single_ended": 2 * n_minima * n} if n else {})


def test_what_a_walk_costs_counts():
    """A network of 74 parameters and 264 minima gets none, one of 2 500 hardly any."""
    assert State(264, n_dof=74, n_modes=74).all() == []
    assert count(State(1, n_dof=2500, n_modes=2500).all()) == {"single_ended": 4}


def test_a_landscape_without_a_minimum():
    assert State(0).all() == []


@pytest.mark.parametrize("kind", ["connect", "lower", "check_minimum", "polish_minimum"])
def test_further_search_waits_for_what_is_under_way(kind):
    state = State(4)
    state.pending = [Pending(kind, (1, 2, "standard", "connect"))]
    assert state.next() is None


@pytest.mark.parametrize(
    ("search", "kinds"),
    [
        ({}, {"single_ended", "rearrange"}),
        ({"soft_modes": 3}, {"single_ended"}),
        ({"soft_modes": 0, "untrap_attempts": 30}, {"lower"}),
        ({"soft_modes": 0, "audit_sample": 3}, {"audit"}),
    ],
)
def test_jobs_of_one_part_are_under_way_side_by_side(search, kinds):
    state = State(6)
    for _ in range(16):
        job = state.next(**search)
        assert job[0] in kinds
        state.give_out(job)


# Barriers


def test_barriers_are_lowered_until_a_round_gains_little():
    jobs = State(40).run(untrap_attempts=None, soft_modes=0)
    n = len(jobs)
    assert count(jobs) == {"lower": n} and n > 10
    assert {way for _, way, *_ in jobs} == set(WAYS)

    def falls(kind, number):
        return FLAT if number <= 3 * n else 0.0

    assert count(State(40).run(falls=falls, untrap_attempts=None, soft_modes=0)) == {"lower": 4 * n}


def test_as_many_attempts_as_are_asked_for():
    for limit in (0, 1, 7, 300):
        jobs = State(40).run(untrap_attempts=limit, soft_modes=0)
        assert count(jobs) == ({"lower": limit} if limit else {})


def test_lowering_ends_where_nothing_is_left_to_try():
    jobs = State(4, n_modes=2).run(untrap_attempts=10**6, soft_modes=0)
    # all pairs; both modes of all minima but the lowest, both ways
    assert count(jobs) == {"lower": 6 + 3 * 2 * 2}
    assert len(set(jobs)) == len(jobs)


def test_it_does_not_depend_on_when_jobs_come_back():
    """But on how many may be under way."""
    options = {"untrap_attempts": 50, "audit_sample": 4, "soft_modes": 0}
    falls = lambda kind, number: 0.01 * (number % 3)  # noqa: E731
    runs = [State(30).run(lookahead=8, falls=falls, **options) for _ in range(2)]
    assert runs[0] == runs[1]


def test_barriers_wait_for_checks():
    state = State(6)
    state.pending = [Pending("check_minimum", (1,))]
    assert state.next(untrap_attempts=None, soft_modes=0) is None
    state.pending = []
    assert state.next(untrap_attempts=None, soft_modes=0)[0] == "lower"


def met_on_the_way(n_targets, n_met):
    """Joined minima that are asked about, and others that nothing joins."""
    state = State(n_targets + n_met)
    state.graph.remove_edges_from([(1, n_targets + k) for k in range(1, n_met + 1)])
    state.targets = lambda: set(range(1, n_targets + 1))
    return state


def test_a_minimum_that_is_joined_late_is_lowered_as_well():
    """What was gained for those joined before it says nothing of its own barrier."""
    state = State(40)
    state.graph.remove_edge(1, 40)
    options = {"untrap_attempts": None, "soft_modes": 0, "connection_attempts": 0}
    n = len(state.run(**options))
    assert state.run(**options) == [] and n > 10
    state.graph.add_edge(1, 40, energy=50.0)
    late = state.run(**options)
    assert count(late)["lower"] > 10 and {(1, 40)} & {tuple(job[2:4]) for job in late}


@pytest.mark.parametrize("lookahead", [1, 16])
def test_minima_met_on_the_way_are_joined_when_barriers_no_longer_fall(lookahead):
    options = {"untrap_attempts": 30, "soft_modes": 1, "connection_attempts": 1}
    jobs = met_on_the_way(10, 3).run(lookahead, **options)
    kinds = [kind for kind, *_ in jobs]
    assert kinds == sorted(kinds, key=["lower", "connect", "single_ended"].index)
    assert count(jobs)["lower"] == 30 and count(jobs)["connect"] >= 3
    assert {purpose for kind, *_, purpose in jobs if kind == "connect"} == {BY_THE_WAY}


def test_what_is_asked_about_is_joined_before_barriers_are_lowered():
    state = met_on_the_way(10, 1)
    state.targets = lambda: set(state.graph)
    kind, *_, purpose = state.next(untrap_attempts=30)
    assert (kind, purpose) == ("connect", NEIGHBOURS)


def test_what_was_met_may_lie_on_the_way_to_what_is_still_apart():
    state = met_on_the_way(10, 2)
    state.targets = lambda: set(range(1, 12))  # of the two apart one is asked about
    jobs = state.run(untrap_attempts=5, soft_modes=0, connection_attempts=2)
    purposes = {purpose for kind, *_, purpose in jobs if kind == "connect"}
    assert purposes == {NEIGHBOURS, LINK, BY_THE_WAY}
    kinds = [kind for kind, *_ in jobs]
    assert kinds == sorted(kinds) and count(jobs)["lower"] == 5  # connect, then lower


def test_attempts_to_join_what_was_met_are_few():
    state = met_on_the_way(10, 40)
    jobs = state.run(soft_modes=0, connection_attempts=100)
    assert count(jobs) == {"connect": 20 + 10 // 2}


# The audit


@pytest.mark.parametrize("lookahead", [1, 5, 16])
def test_every_bottleneck_of_the_sample_gets_its_attempts(lookahead):
    state = State(40)
    jobs = state.run(lookahead, audit_sample=3, soft_modes=0)
    assert count(jobs) == {"audit": 3 * EFFORT}
    targets = Counter(target for _, target, *_ in jobs)
    assert set(targets) == {group[0] for group in state.audit.sample}
    assert set(targets.values()) == {EFFORT}
    assert 1 not in targets  # the lowest has no barrier
    assert state.audit.is_over() and state.run(lookahead, audit_sample=3, soft_modes=0) == []


def test_the_audit_comes_last_and_begins_when_all_is_merged():
    state = State(5)
    options = {"untrap_attempts": 3, "audit_sample": 2, "soft_modes": 1}
    kinds = [kind for kind, *_ in state.run(4, **options)]
    assert kinds == sorted(kinds, key=["lower", "single_ended", "audit"].index)
    assert set(kinds) == {"lower", "single_ended", "audit"}
    state = State(5)
    state.pending = [Pending("check_minimum", (1,))]
    assert state.next(audit_sample=2, soft_modes=0) is None and not state.audit.sample


def test_where_nothing_is_left_to_try_the_audit_ends():
    state = State(3, n_modes=0)
    jobs = state.run(audit_sample=2, soft_modes=0)
    assert 0 < len(jobs) <= 3
    assert state.audit.is_over()


def test_no_audit_without_barriers_or_its_stage():
    assert State(1).run(audit_sample=5, soft_modes=0) == []
    assert State(0).run(audit_sample=5, soft_modes=0) == []
    assert State(9).next(STAGES[:2], audit_sample=5, soft_modes=0) is None
    state = State(9)
    job = state.next(["audit"], audit_sample=5, soft_modes=2, untrap_attempts=9, quenches=4)
    assert job[0] == "audit"


def test_barriers_are_lowered_until_the_audit_is_content():
    share = 0.05
    options = {"untrap_attempts": 0, "audit_sample": 2, "soft_modes": 0, "until_barrier": share}
    # the first audit finds that they fall by far, the second that they do not
    seen = Counter()

    def falls(kind, number):
        seen[kind] += 1
        return 0.05 if kind == "audit" and seen[kind] <= 2 * EFFORT else 0.0

    state = State(60)
    kinds = [kind for kind, *_ in state.run(falls=falls, **options)]
    # at first until a round gains little, then once more after the audit
    blocks = [k for k, before in zip(kinds, [None, *kinds], strict=False) if k != before]
    assert blocks == ["lower", "audit", "lower", "audit"]
    assert state.audit.round == 2 and not state.audit.is_short_of(share)


def test_it_ends_though_the_audit_is_never_content():
    """Everything has been tried."""
    options = {"untrap_attempts": None, "audit_sample": 2, "soft_modes": 0, "until_barrier": 0.01}
    state = State(7, n_modes=2)
    jobs = state.run(3, lambda kind, number: 0.02, **options)
    assert len(set(jobs)) == len(jobs) and count(jobs)["lower"] > 0
    assert state.audit.is_over()
    round_ = state.audit.round
    assert state.run(3, lambda kind, number: 0.02, **options) == []
    assert state.audit.round == round_


# To the end


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    land = Landscape.create(tmp_path_factory.mktemp("whole") / "a", LinearAutoencoder(), **DONE)
    land.explore(quenches=5)
    return land


def test_a_landscape_with_one_minimum_is_searched_by_default(whole):
    figures = whole.summary()
    assert (figures["n_minima"], figures["n_degenerate_rearrangements"]) == (1, 1)
    assert figures["verified"] == {"ok": 2}
    [state] = whole.database.transition_states()
    assert state.energy == pytest.approx(4.255, abs=1e-9)
    kinds = Counter(job.kind for job, _ in contents(whole)[3])
    assert kinds["single_ended"] == 12 and kinds["rearrange"] > 30
    tried = figures["soft_modes_followed"], figures["images_tried"]
    assert tried == (12, kinds["rearrange"]) and figures["images_with_new_transition_state"] == 0
    assert whole.settings["search"]["soft_modes"] == AUTO


@pytest.mark.parametrize(("workers", "stop_after"), [(1, 10), (2, 40)])
def test_the_same_end_for_any_workers_and_interruptions(tmp_path, whole, workers, stop_after):
    land = Landscape.create(tmp_path / "a", LinearAutoencoder(), **{**DONE, "quenches": 5})
    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt_at(stop_after), workers=workers)
    land.close()
    again = Landscape.open(tmp_path / "a")
    again.explore()
    assert contents(again) == contents(whole)


def test_a_landscape_that_has_none_in_its_settings_gets_none(tmp_path):
    limits = {**DONE, "quenches": 3, "soft_modes": 0}
    land = Landscape.create(tmp_path / "a", LinearAutoencoder(), **limits)
    assert land.explore()["n_degenerate_rearrangements"] == 0
    land.close()
    again = Landscape.open(tmp_path / "a")
    assert again.settings["search"]["soft_modes"] == 0
    assert again.explore(soft_modes=None)["n_degenerate_rearrangements"] == 1
