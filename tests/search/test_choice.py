"""What is done next, on states made by hand; and the further search to its end."""

from collections import Counter, namedtuple
from types import SimpleNamespace

import networkx as nx
import pytest
from landscapes import contents

from nnpotential import Landscape
from nnpotential.search.choice import next_job
from nnpotential.search.pairs import Attempts
from nnpotential.search.settings import STAGES, SearchSettings
from nnpotential.systems.functions import LinearAutoencoder

Pending = namedtuple("Pending", "kind args")
DONE = {"quenches": 0, "basin_hopping_runs": 0, "untrap_attempts": 0}


class State:
    """A state of a search, all of its minima connected, in which every job is done at once.

    Parameters
    ----------
    n_minima, n_dof, n_modes, n_states : int
        Transition states are there as many as `n_states`, and those found since.
    finds : collection of int
        The images, counted from 0, that give a new transition state.
    """

    def __init__(self, n_minima, n_dof=24, n_modes=18, finds=(), n_states=8):
        self.graph = nx.path_graph(range(1, n_minima + 1))
        nx.set_node_attributes(self.graph, 0.0, "energy")
        nx.set_edge_attributes(self.graph, 1.0, "energy")
        self.system = SimpleNamespace(n_dof=n_dof)
        self.n_modes = lambda i: n_modes
        self.distance = lambda i, j: abs(i - j)
        self.given_out, self.merged, self.pending = Counter(), Counter(), []
        self.attempts, self.n_untrapped, self.followed = Attempts(), 0, set()
        self.rearranged, self.n_in_vain, self.finds = Counter(), 0, finds
        self.n_states = n_states
        self.database = SimpleNamespace(number_of_transition_states=lambda: self.n_states)
        self.coverage, self.has_minima = (lambda: 1.0), (lambda: n_minima > 0)

    def next(self, **search):
        return next_job(
            self, SearchSettings(**{**DONE, "initializations": ["a", "b"], **search}), STAGES
        )

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


@pytest.mark.parametrize("kind", ["connect", "check_minimum", "polish_minimum"])
def test_further_search_waits_for_what_is_under_way(kind):
    state = State(4)
    state.pending = [Pending(kind, (1, 2, "standard", "untrap"))]
    assert state.next() is None
    state.pending = [Pending("rearrange", (1, 0)), Pending("single_ended", (1, 0, 1))]
    assert state.next() is not None


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
    assert "soft_modes" not in whole.settings["search"]


@pytest.mark.parametrize(("workers", "stop_after"), [(1, 10), (2, 40)])
def test_the_same_end_for_any_workers_and_interruptions(tmp_path, whole, workers, stop_after):
    land = Landscape.create(tmp_path / "a", LinearAutoencoder(), **{**DONE, "quenches": 5})
    calls = 0

    def interrupt(*_):
        nonlocal calls
        calls += 1
        if calls == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt, workers=workers)
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
