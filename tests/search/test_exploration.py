"""One search: the same landscape again, and after any interruption."""

import shutil
from collections import Counter

import pytest
from landscapes import SEARCH, contents, copy_of, interrupt_at, xor_landscape

from nnpotential import Landscape
from nnpotential.findings import Failure, Findings
from nnpotential.search.journal import Journal
from nnpotential.search.kinds import LINK, Quench
from nnpotential.search.settings import AUDIT_SAMPLE, AUTO
from nnpotential.settings import read_settings, write_settings


def test_same_seed_same_landscape(tmp_path, explored, net, ljat):
    land = Landscape.create(tmp_path / "b", net, ljat, regularization=1e-3, seed=3, **SEARCH)
    land.explore()
    assert contents(land) == contents(explored)
    other = Landscape.create(tmp_path / "c", net, ljat, regularization=1e-3, seed=4, **SEARCH)
    other.explore(stages=["minima"])
    minima = contents(other)[0]
    assert minima != contents(explored)[0][: len(minima)]


@pytest.mark.parametrize("stop_after", [1, 12, 40])
def test_an_interrupted_search_continues_to_the_same_end(tmp_path, explored, net, ljat, stop_after):
    path = tmp_path / "b"
    land = Landscape.create(path, net, ljat, regularization=1e-3, seed=3, **SEARCH)
    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt_at(stop_after))
    assert (path / "summary.json").exists()
    land.close()
    land = Landscape.open(path)
    land.explore()
    assert contents(land) == contents(explored)


# Lowering barriers and the audit, to the end


class Stopped:
    """Interrupts a search at the n-th report of a stage."""

    def __init__(self, stage, number):
        self.stage, self.left = stage, number

    def __call__(self, stage, *_):
        self.left -= stage == self.stage
        if self.left == 0:
            raise KeyboardInterrupt


def test_barriers_are_lowered_and_audited_by_default(whole):
    figures = whole.summary()
    count = Counter(job.kind for job, _ in contents(whole)[3])
    assert figures["barrier_attempts"] == count["lower"] >= 10
    audit = figures["barrier_audit"]
    assert audit["n_sampled"] == 1 and audit["n_attempts"] == count["audit"] > 5
    low, high = audit["interval"]
    assert low <= audit["fall"] <= high
    assert whole.settings["search"]["untrap_attempts"] == AUTO
    assert set(figures["verified"]) == {"ok"}
    tally = contents(whole)[2]
    assert sum(way["cost"] > 0 for way in tally["lowering"]["ways"].values()) > 1


@pytest.mark.parametrize(
    ("stage", "number", "workers"),
    [("barriers", 9, 2), ("audit", 1, 1), ("audit", 4, 2)],
)
def test_stopped_while_barriers_are_lowered_or_audited(tmp_path, whole, stage, number, workers):
    land = xor_landscape(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        land.explore(Stopped(stage, number), workers=workers, draw=False)
    land.close()
    again = Landscape.open(tmp_path / "a")
    assert contents(again) != contents(whole)
    again.explore(workers=3 - workers, draw=False)
    assert contents(again) == contents(whole)


def test_explored_again_nothing_more_is_tried(tmp_path, whole):
    land = Landscape.open(copy_of(whole, tmp_path))
    land.explore(draw=False)
    assert contents(land) == contents(whole)


def test_a_landscape_of_before_the_audit(tmp_path, whole):
    """Its settings have a number of attempts and no audit; its journal knows of neither."""
    land = xor_landscape(tmp_path / "a", untrap_attempts=0, audit_sample=0)
    land.explore(draw=False)
    journal = Journal(land.database)
    for name in ("lowering", "audit"):
        del journal.tally[name]
    journal.save()
    job = journal.add("connect", (1, 2, "standard", "untrap"))
    journal.close(job, 0)
    land.database.session.commit()
    settings = read_settings(land.path)
    settings["search"] |= {"untrap_attempts": 20}
    for name in ("audit_sample", "until_barrier"):
        del settings["search"][name]
    land.close()
    write_settings(land.path, settings)
    again = Landscape.open(tmp_path / "a")
    figures = again.summary()
    assert figures["barrier_attempts"] == 0 and figures["barrier_audit"] is None
    assert figures["n_minima"] > 1
    assert again.explore(draw=False)["barrier_attempts"] <= 20
    figures = again.summary()
    assert figures["barrier_attempts"] > 10
    n_barriers = figures["n_barriers"]
    assert figures["barrier_audit"]["n_sampled"] == min(AUDIT_SAMPLE, n_barriers)
    assert again.settings["search"]["untrap_attempts"] == 20
    # and may be left to the search from now on
    again.explore(untrap_attempts=None, draw=False)
    assert again.settings["search"]["untrap_attempts"] == AUTO


def test_of_the_quenches_a_sample_is_joined_and_more_of_them_later(tmp_path, whole):
    """Barriers and their audit are of the sample, and the figures say so."""
    options = {"joined": 2, "untrap_attempts": 2}
    land = xor_landscape(tmp_path / "a", **options)
    with pytest.raises(KeyboardInterrupt):
        land.explore(Stopped("connect", 1), draw=False)
    land.close()
    land = Landscape.open(tmp_path / "a")
    few = land.explore(draw=False, workers=2)
    assert few["sample"] == {"n_minima": 2, "n_joined": 2} and few["n_barriers"] <= 2
    assert few["coverage"]["n_minima"] > 2
    assert any("first 2 minima of the quenches" in remark for remark in few["remarks"])
    assert {job.args[-1] for job, _ in Journal(land.database).jobs("connect")} == {LINK}
    other = xor_landscape(tmp_path / "b", **options)
    other.explore(draw=False)
    assert contents(other) == contents(land)
    all_of_them = land.explore(draw=False, joined=100)
    assert all_of_them["sample"]["n_minima"] == all_of_them["coverage"]["n_minima"]
    assert all_of_them["n_barriers"] == whole.summary()["n_barriers"]
    assert not any("first" in remark for remark in all_of_them["remarks"])


def test_running_again_changes_nothing(tmp_path, explored):
    shutil.copytree(explored.path, tmp_path / "moved")
    land = Landscape.open(tmp_path / "moved")
    before = contents(land)
    land.explore()
    assert contents(land) == before
    land.explore(quenches=12)
    assert land.summary()["coverage"]["n_quenches"] == 12
    assert Landscape.open(tmp_path / "moved").settings["search"]["quenches"] == 12


def test_coverage_that_never_comes(tmp_path, net, ljat, monkeypatch):
    monkeypatch.setattr(Quench, "run", lambda *_: Findings([], [Failure("too many steps", 1.0)]))
    land = Landscape.create(tmp_path / "a", net, ljat, quenches=2, basin_hopping_runs=0)
    figures = land.explore(until_coverage=0.5)
    assert figures["n_minima"] == 0
    assert 100 <= figures["coverage"]["n_quenches"] == figures["failed_quenches"] < 200
