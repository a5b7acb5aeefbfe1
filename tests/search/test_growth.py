"""Landscapes grown from their lowest minimum: connected, and the same however they come about."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest
from landscapes import contents, copy_of, interrupt_at

from nnpotential import InputError, Landscape
from nnpotential.analysis.figures import barriers_to_lowest
from nnpotential.analysis.transition_network import StationaryPoints, TransitionNetwork
from nnpotential.exchange.directory import NetworkDirectory
from nnpotential.findings import Connection, Findings, Point
from nnpotential.search.journal import Journal
from nnpotential.search.kinds import LINK, SEARCHES, Grow
from nnpotential.search.known import Known
from nnpotential.search.settings import GROWN_MODES, SearchSettings
from nnpotential.storage import is_grown, quench_hits
from nnpotential.systems.clusters import LennardJonesCluster
from nnpotential.verification.kinds import CHECKS

FROM_ONE = {"quenches": 1, "basin_hopping_runs": 0, "grow": 5}
FEW = {**FROM_ONE, "untrap_attempts": 3, "audit_sample": 1}


def grown_landscape(path):
    return Landscape.create(path, LennardJonesCluster(8), seed=1, **FEW)


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight atoms have eight minima; not to be changed."""
    land = grown_landscape(tmp_path_factory.mktemp("eight") / "a")
    land.explore(draw=False)
    return land


def test_it_is_connected_and_ends_at_its_limit(eight):
    figures, graph = eight.summary(), eight.graph()
    assert nx.is_connected(graph)
    assert 5 <= figures["n_grown"] <= figures["n_minima"] <= 8
    assert figures["coverage"]["n_quenches"] == 1
    jobs = Counter(job.kind for job, _ in Journal(eight.database).all_jobs())
    assert jobs["grow"] == figures["soft_modes_followed"]
    assert jobs["lower"] == 3 and jobs["audit"] and not jobs["single_ended"]
    assert set(figures["verified"]) == {"ok"}


def test_what_is_grown_is_measured_and_said_to_be_no_sample(eight):
    """Barriers, audit, sample and spread are of these minima; coverage is of the quench alone."""
    figures, barriers = eight.summary(), barriers_to_lowest(eight.graph())
    of = {m: barrier for m, barrier in barriers.items() if is_grown(m)}
    assert figures["n_barriers"] == len(of) == figures["n_grown"] - 1
    assert figures["mean_barrier"] == pytest.approx(np.mean(list(of.values())))
    assert figures["barrier_audit"]["n_sampled"] == 1
    network = eight.network()
    assert network.measured.sum() == figures["n_grown"]
    assert network.hits.sum() == 1
    [remark] = figures["remarks"]
    assert f"{figures['n_grown']} minima" in remark and "no independent sample" in remark


def test_growth_beside_a_sample_of_quenches(tmp_path):
    """What quenches found and growth reached too: search and figures mean the same minima."""
    search = {**FEW, "quenches": 30, "joined": 3, "untrap_attempts": None, "audit_sample": 4}
    land = Landscape.create(tmp_path / "a", LennardJonesCluster(8), seed=0, **search)
    figures, before = land.explore(draw=False), contents(land)
    assert figures["sample"] == {"n_minima": 3, "n_joined": 3}
    assert "only the first 3 minima of the quenches" in " ".join(figures["remarks"])
    known = Known(land.system, land.database, (*SEARCHES, *CHECKS), 0, 3)
    minima = land.database.minima()
    quenched, reached = ([m.id() for m in minima if was(m)] for was in (quench_hits, is_grown))
    told = {*sorted(quenched)[:3], *reached}
    assert known.targets() == told
    network = land.network()
    assert {*network.minima.ids[network.measured].tolist()} == told
    land.explore(draw=False)
    assert contents(land) == before
    land.verify(repair=True)
    assert land.summary()["sample"] == figures["sample"]


def test_few_modes_of_each_are_followed(eight):
    walks = Counter(job.args[0] for job, _ in Journal(eight.database).jobs("grow"))
    assert max(walks.values()) == 2 * GROWN_MODES
    assert all(job.args[1] < GROWN_MODES for job, _ in Journal(eight.database).jobs("grow"))


def test_two_workers_give_the_same(eight, tmp_path):
    land = grown_landscape(tmp_path / "a")
    land.explore(draw=False, workers=2)
    assert contents(land) == contents(eight)


@pytest.mark.parametrize("stop_after", [3, 25])
def test_interrupted_and_resumed_it_is_the_same(eight, tmp_path, stop_after):
    land = grown_landscape(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt_at(stop_after), draw=False)
    land.close()
    land = Landscape.open(tmp_path / "a")
    assert contents(land) != contents(eight)
    land.explore(draw=False)
    assert contents(land) == contents(eight)


def test_a_raised_limit_grows_on(tmp_path):
    search = {**FROM_ONE, "untrap_attempts": 0, "audit_sample": 0, "lookahead": 1, "soft_modes": 4}
    land = Landscape.create(tmp_path / "a", LennardJonesCluster(9), seed=1, **search | {"grow": 3})
    first = land.explore(draw=False)
    assert 3 <= first["n_grown"] <= 4  # a walk reaches two at most, of which one is known
    more = land.explore(draw=False, grow=7)
    assert 7 <= more["n_grown"] <= 8 and more["n_components"] == 1
    whole = Landscape.create(tmp_path / "b", LennardJonesCluster(9), seed=1, **search | {"grow": 7})
    whole.explore(draw=False)
    assert contents(whole) == contents(land)
    # the lowest minimum that has a walk left is the next
    jobs = [job.args for job, _ in Journal(whole.database).jobs("grow")]
    walks, last = Counter(i for i, *_ in jobs), jobs[-1][0]
    energy = {m.id(): m.energy for m in whole.database.minima()}
    before = [i for i in energy if energy[i] < energy[last] and i != max(energy)]
    assert len(walks) > 1 and {walks[i] for i in before} == {8}


def test_a_landscape_with_fewer_minima_ends_all_the_same(tmp_path):
    search = {**FROM_ONE, "untrap_attempts": 0, "audit_sample": 0}
    land = Landscape.create(tmp_path / "a", LennardJonesCluster(7), **search, soft_modes=6)
    figures = land.explore(draw=False)
    assert figures["n_grown"] == figures["n_minima"] == 4
    assert figures["jobs_pending"] == 0 and figures["n_components"] == 1
    assert figures["soft_modes_followed"] == 4 * 2 * 6


def test_an_island_is_left_out_and_what_leads_on_is_kept(eight, tmp_path):
    """Of a path the middle may come first; what touches no known minimum would be apart."""
    land = Landscape.open(copy_of(eight, tmp_path))
    known = Known(land.system, land.database, (*SEARCHES, *CHECKS), seed=1)
    n_minima, n_states = len(known.forest), known.n_transition_states()
    draw = np.random.default_rng(0)

    def point(energy):
        return Point(energy, draw.normal(size=24))

    def over(energy, one, other):
        return Connection(energy, draw.normal(size=24), -1.0, draw.normal(size=24), one, other)

    edge, near, far, *island = Point.of(land.database.minima()[0]), *map(point, range(4))
    found = [over(9.0, near, far), over(8.0, edge, near), over(7.0, *island)]
    Grow().merge(known, Findings(found, []))
    assert (len(known.forest), known.n_transition_states()) == (n_minima + 2, n_states + 2)
    assert len(known.joined()) == n_minima + 2 and {near.energy, far.energy} <= {
        known.forest.energy[i] for i in known.grown
    }
    # a pair that is to be joined may begin apart
    known.kinds["connect"].merge(known, Findings(found[2:], []), 1, 2, "standard", LINK)
    assert len(known.forest) == n_minima + 4
    land.database.session.rollback()


def test_a_network_keeps_which_were_grown(tmp_path):
    points, states = StationaryPoints.of([0.0, 1.0, 2.0]), StationaryPoints.of([3.0, 4.0])
    hits, grown = np.array([1, 0, 0]), np.array([True, False, True])
    network = TransitionNetwork(points, states, [[0, 1], [1, 2]], hits=hits, grown=grown)
    assert network.measured.tolist() == [True, False, True]
    again = NetworkDirectory.create(tmp_path / "a", network).network()
    assert again.grown.tolist() == grown.tolist()
    assert again.among([0, 2]).grown.tolist() == [True, True]
    assert TransitionNetwork(points, states, [[0, 1], [1, 2]]).measured is None


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"grow": -1}, "grow must be"),
        ({"grow": 2.5}, "grow must be"),
        ({"grow": 5, "soft_modes": 0}, "grow = 5 needs walks: soft_modes must be at least 1"),
    ],
)
def test_wrong_values_are_refused(search, said):
    with pytest.raises(InputError, match=said) as refused:
        SearchSettings.given(**search)
    assert "\n" not in str(refused.value)
