"""Jobs that find transition states, and those that polish what another program stored."""

import re

import numpy as np
import pytest
from landscapes import contents, different, image
from pele.storage import Minimum, TransitionState

from nnpotential import EggBox
from nnpotential.findings import Connection, Findings, Point, State
from nnpotential.search import kinds
from nnpotential.search.barriers import mean_barrier
from nnpotential.search.kinds import SEARCHES, Connect, FollowMode, Lower
from nnpotential.search.known import Known
from nnpotential.search.lowering import _LEAST, Lowering
from nnpotential.search.pairs import Trial
from nnpotential.search.settings import TRIALS
from nnpotential.storage import OUTSIDE, notes
from nnpotential.verification.kinds import CHECKS


def test_a_state_that_is_stored_is_met_and_changes_nothing(mapped):
    known = Known(mapped.system, mapped.database, (*SEARCHES, *CHECKS), seed=0)
    before = contents(mapped)
    for ts in mapped.database.transition_states():
        met = State(ts.energy, ts.coords, ts.eigenval, ts.eigenvec)
        connection = Connection(*met, Point.of(ts.minimum1), Point.of(ts.minimum2))
        for findings in (Findings([], [], met=(met,)), Findings([connection], [])):
            assert FollowMode().merge(known, findings) == 1
    mapped.database.session.commit()
    assert contents(mapped) == before


def test_a_state_that_shares_its_energy_with_one_stored_is_not_lost(mapped):
    """The job took it for stored; whoever merges it looks at the points."""
    database, system = mapped.database, mapped.system
    ts = next(t for t in database.transition_states() if t.minimum1 != t.minimum2)
    met = State(ts.energy, ts.coords, ts.eigenval, ts.eigenvec)
    ends = {ts.minimum1.energy, ts.minimum2.energy}
    ts.coords = ts.coords + 0.5  # as if another one had this energy
    database.session.commit()
    known = Known(system, database, (*SEARCHES, *CHECKS), seed=0)
    n = known.n_transition_states()
    assert FollowMode().merge(known, Findings([], [], met=(met,))) == 1
    assert known.n_transition_states() == n + 1
    new = max(database.transition_states(), key=lambda t: t.id())
    assert np.array_equal(new.coords, met.coords)
    found = {new.minimum1.energy, new.minimum2.energy}
    assert sorted(found) == pytest.approx(sorted(ends), abs=1e-9)
    assert known.pending[-1].kind == "check_transition_state"


def test_a_mean_over_other_minima_is_no_gain(mapped, monkeypatch):
    """An attempt joins a minimum whose barrier is low: the others' are what they were."""
    known = Known(mapped.system, mapped.database, SEARCHES, seed=0)
    known.lowering, forest = Lowering({}), known.forest
    late = max(known.targets() & known.joined(), key=forest.energy.__getitem__)
    partners = list(forest.graph[late])
    for i in partners:
        forest.part(late, i)
    before, n = mean_barrier(known.bottlenecks()), known.n_joined()

    def merge(self, known, result, *where):
        forest.join(late, forest.lowest(), forest.energy[late] + 1e-12)
        return 1

    monkeypatch.setattr(kinds._Bridge, "merge", merge)
    Lower().merge(known, None, "across", 1, 2, 3, 4)
    assert known.n_joined() > n and mean_barrier(known.bottlenecks()) < before
    assert known.lowering.shares()["across"] == pytest.approx(_LEAST)  # it has gained nothing
    assert not known.lowering.is_settled(known.n_joined())


def test_progress_counts_what_is_joined_before_it_reaches_the_lowest():
    system = EggBox()
    known = Known(system, system.create_database(), (*SEARCHES, *CHECKS), seed=0)
    connect = Connect()

    def progress():
        return connect.progress(known, None)[:2]

    assert progress() == (0, 0)
    for k in range(4):
        known.add_minimum(Point(float(k), 2 * np.pi * k * np.ones(known.system.n_dof)), "start")
    lowest, *others = ids = sorted(known.forest, key=known.forest.energy.__getitem__)
    assert known.targets() == {*ids} and progress() == (1, 4)
    known.forest.join(*others[:2], energy=9.0)
    assert known.n_joined() == 1 and progress() == (2, 4)
    known.forest.join(*others[1:], energy=9.0)
    known.forest.join(*others[::2], energy=9.0)
    assert known.n_joined() == 1 and progress() == (3, 4)
    known.forest.join(lowest, others[0], energy=9.0)
    assert known.n_joined() == 4 and progress() == (4, 4)


def test_progress_says_how_long_a_trial_may_take(mapped):
    known, connect = Known(mapped.system, mapped.database, SEARCHES, seed=0), Connect()

    def left():
        return re.findall("at most ([0-9]+) connections more", connect.progress(known, None)[2])

    known.trial = Trial({})
    assert left() == []
    known.trial.begin()
    assert left() == [str(TRIALS)]
    known.trial.judge(lambda: (0, 9), astray=True)
    known.trial.end()
    assert left() == [str(TRIALS - 1)]
    known.trial.judge(lambda: (1, 9), astray=False)
    assert left() == []


def test_points_that_plain_pele_added_are_polished_verified_and_merged(mapped):
    known = mapped.summary()
    assert known["n_from_outside"] == 0 and known["remarks"] == []
    database, pot = mapped.database, mapped.system.potential
    mapped.system.get_basinhopping(database=database, outstream=None).run(20)
    lowest = mapped.database.minima()[0]
    # an image of a known minimum and a poor one, as a program with loose convergence leaves it
    copy = image(mapped, lowest.coords, 0)
    loose = image(mapped, lowest.coords, 1) + 1e-5
    for x in (copy, loose):
        new = Minimum(pot.getEnergy(x), x)
        database.session.add(new)
    database.session.commit()
    ids = {m.id() for m in database.minima()}
    between = mapped.summary()
    assert between["n_minima"] == known["n_minima"]
    assert between["n_from_outside"] == between["verified"]["unverified"] >= 2
    [said] = between["remarks"]
    assert f"{between['n_from_outside']} points come from outside" in said
    assert {outcome for *_, outcome in mapped.verify()} == {"ok", "unverified"}
    figures = mapped.explore()
    assert figures["n_from_outside"] == 0 and figures["remarks"] == []
    assert set(figures["verified"]) == {"ok"}
    minima = database.minima()
    assert {m.id() for m in minima} < ids
    assert (
        different(mapped.system, [m.coords for m in minima]) == len(minima) == figures["n_minima"]
    )
    assert notes(lowest)[OUTSIDE] >= 2
    assert figures["coverage"]["n_quenches"] == known["coverage"]["n_quenches"]
    assert all(outcome == "ok" for *_, outcome in mapped.verify())


def test_transition_states_from_outside_get_the_minima_that_they_lead_to(mapped):
    database = mapped.database
    ts = next(t for t in database.transition_states() if t.minimum1 != t.minimum2)
    ends = {ts.minimum1.id(), ts.minimum2.id()}
    wrong = next(m for m in database.minima() if m.id() not in ends)
    number, x = ts.id(), ts.coords + 1e-4
    # as another program left it, and once more as an image
    for coords in (x, image(mapped, ts.coords, 0)):
        new = TransitionState(mapped.system.potential.getEnergy(coords), coords, wrong, ts.minimum1)
        new.eigenval, new.eigenvec = ts.eigenval, ts.eigenvec
        database.session.add(new)
    database.session.flush()
    database.remove_transition_state(ts)
    figures = mapped.explore()
    assert set(figures["verified"]) == {"ok"}
    [found] = [
        t
        for t in database.transition_states()
        if mapped.system.identity.are_same(t.coords, x - 1e-4)
    ]
    assert found.id() != number
    assert {found.minimum1.id(), found.minimum2.id()} == ends


def test_what_is_no_stationary_point_is_left_out(mapped):
    database, rng = mapped.database, np.random.default_rng(0)
    known = mapped.summary()
    x = rng.normal(size=mapped.system.net.n_parameters)
    lost = Minimum(mapped.system.potential.getEnergy(x), x)
    lost.user_data = "a note of another program"
    malformed = [
        Minimum(0.0, coords) for coords in (np.zeros(3), x[:, np.newaxis], np.full_like(x, np.nan))
    ]
    malformed.append(TransitionState(0.0, np.zeros(3), *database.minima()[:2]))
    database.session.add_all([lost, *malformed])
    database.session.commit()
    figures = mapped.explore()
    # the first leads to some minimum; the others are none of this network's
    assert figures["n_minima"] - known["n_minima"] in (0, 1)
    assert figures["verified"]["malformed"] == 4
    assert figures["n_from_outside"] == 0
    assert figures["jobs_set_aside"] == []
    for repair in (False, True, False):
        outcomes = [outcome for *_, outcome in mapped.verify(repair=repair)]
        assert outcomes.count("malformed") == 4 and set(outcomes) == {"ok", "malformed"}
