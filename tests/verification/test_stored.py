"""Verification of all that is stored finds what is wrong, and mends it."""

import json

import pytest
from landscapes import FEW, NET, copy_of, replace, twin

from nnpotential import Landscape
from nnpotential.storage import is_verified, notes, record_outcome
from nnpotential.verification.stored import repair


def test_verify_agrees(explored):
    results = explored.verify()
    assert {outcome for _, _, outcome in results} == {"ok"}
    n = explored.summary()["verified"]["ok"]
    assert len(results) == n


@pytest.mark.parametrize(
    ("spoil", "outcome"),
    [
        (lambda land, m, t: setattr(m, "energy", m.energy + 1e-8), "loss differs"),
        (lambda land, m, t: shift(land, m, 1e-6), "not converged"),
        (lambda land, m, t: replace(land, m, t.coords), "wrong index"),
        (lambda land, m, t: replace(land, t, m.coords), "wrong index"),
        (lambda land, m, t: twin(land, m), "duplicate"),
        (lambda land, m, t: misfile(land, t), "descends elsewhere"),
    ],
)
def test_verification_finds(tmp_path, explored, spoil, outcome):
    land = Landscape.open(copy_of(explored, tmp_path))
    minimum = land.database.minima()[-1]
    ts = next(t for t in land.database.transition_states() if t.minimum1 != t.minimum2)
    spoil(land, minimum, ts)
    land.database.session.commit()
    outcomes = [o for _, _, o in land.verify()]
    assert outcome in outcomes
    assert json.loads((land.path / "summary.json").read_text())["verified"][outcome] >= 1


def shift(land, point, by):
    replace(land, point, point.coords + by)


def misfile(land, ts):
    others = [m for m in land.database.minima() if m not in (ts.minimum1, ts.minimum2)]
    ts.minimum2 = others[0]


def test_of_two_images_the_first_stays(tmp_path, explored):
    land = Landscape.open(copy_of(explored, tmp_path))
    minimum = land.database.minima()[0]
    twin(land, minimum)
    land.database.session.commit()
    outcomes = {number: outcome for kind, number, outcome in land.verify() if kind == "minimum"}
    assert outcomes[minimum.id()] == "ok"
    assert sorted(outcomes.values()).count("duplicate") == 1
    assert land.summary()["n_minima"] == explored.summary()["n_minima"]


def test_repair_mends_what_verification_finds(mapped):
    before = mapped.summary()
    minimum = mapped.database.minima()[1]
    minimum.coords = minimum.coords + 1e-4
    mapped.database.session.commit()
    assert ("minimum", minimum.id(), "not converged") not in mapped.verify(repair=True)
    after = mapped.summary()
    for name in ("n_minima", "n_transition_states", "n_components", "verified", "coverage"):
        assert after[name] == before[name]
    assert after["barriers"] == pytest.approx(before["barriers"], abs=1e-12)


def test_repair_looks_again_at_the_states_of_a_minimum_that_moves(mapped):
    """That they lead to it was found out of where it was."""
    before = mapped.summary()
    states = mapped.database.transition_states()
    ts = next(t for t in states if t.minimum1 != t.minimum2)
    gone = ts.minimum1
    gone.energy, gone.coords = ts.minimum2.energy, ts.minimum2.coords
    record_outcome(gone, "wrong index")
    mapped.database.session.commit()
    assert is_verified(ts)
    outcomes = {outcome for *_, outcome in repair(mapped.system, mapped.database)}
    assert outcomes == {"ok"}
    assert {outcome for *_, outcome in mapped.verify()} == {"ok"}
    after = mapped.summary()
    assert after["n_transition_states"] == before["n_transition_states"]
    assert after["losses"] == pytest.approx(before["losses"], abs=1e-12)


def test_repair_goes_on_with_the_seed_of_the_search(tmp_path, alone, ljat):
    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    land.explore(max_seconds=0)
    assert land.summary()["jobs_pending"]
    land.verify(repair=True)
    assert not land.summary()["jobs_pending"]
    found = [[m.energy for m in one.database.minima()] for one in (land, alone)]
    assert found[0] and set(found[0]) <= set(found[1])


def test_verification_sets_aside_what_others_noted(mapped):
    before = mapped.summary()["coverage"]
    minimum = mapped.database.minima()[0]
    minimum.user_data = {**minimum.user_data, "step": 7}
    mapped.database.session.commit()
    assert mapped.summary()["coverage"] != before
    assert {outcome for *_, outcome in mapped.verify()} == {"ok"}
    assert mapped.summary()["coverage"] == before
    assert notes(mapped.database.minima()[0])["user_data"] == {"step": 7}
