"""The record of the work comes back as it was written, and commits with what was found."""

import pytest
from sqlalchemy import text

from nnpotential import EggBox
from nnpotential.search.journal import Job, Journal


@pytest.fixture
def database(tmp_path):
    database = EggBox().create_database(str(tmp_path / "a.sqlite"))
    yield database
    database.session.close()
    database.connection.close()
    database.engine.dispose()


def test_a_new_journal_is_empty_and_writes_nothing(database):
    journal = Journal(database)
    assert journal.all_jobs() == journal.pending() == journal.set_aside() == []
    assert journal.jobs("quench") == []
    assert not journal.outdated
    tables = "SELECT name FROM sqlite_master WHERE name = 'tbl_jobs'"
    assert database.session.execute(text(tables)).fetchall() == []
    assert database.get_property("progress") is None


def test_jobs_come_back_as_they_were_recorded(database):
    journal = Journal(database)
    args = [("quench", (0, "gaussian")), ("connect", (3, 1, "standard", "untrap")), ("quench", ())]
    added = [journal.add(kind, a) for kind, a in args]
    assert added == [Job(i, kind, a) for i, (kind, a) in enumerate(args, 1)]
    for one in (journal, Journal(database)):
        assert one.pending() == added
        assert one.all_jobs() == [(job, None) for job in added]
        assert one.jobs("quench") == [(added[0], None), (added[2], None)]
        assert one.jobs("hop") == []


def test_what_became_of_jobs(database):
    journal = Journal(database)
    first, second, third = (journal.add("quench", (i, "gaussian")) for i in range(3))
    journal.close(first, 2)
    journal.close(third, 0, "process died")
    for one in (journal, Journal(database)):
        assert one.pending() == [second]
        assert one.all_jobs() == [(first, 2), (second, None), (third, 0)]
        assert one.set_aside() == [(third, "process died")]


def test_numbers_go_on(database):
    """Also past jobs that are done: jobs are merged in their order."""
    journal = Journal(database)
    last = [journal.add("quench", (i, "gaussian")) for i in range(3)][-1]
    journal.close(last, 1)
    assert Journal(database).add("hop", (0, 5)).id == last.id + 1


def test_all_of_it_waits_for_the_commit(database):
    journal = Journal(database)
    kept = journal.add("quench", (0, "gaussian"))
    journal.save()
    database.session.commit()
    journal.add("quench", (1, "gaussian"))
    journal.close(kept, 1)
    journal.count_seconds("quenches", 1.5)
    journal.save()
    database.session.rollback()
    again = Journal(database)
    assert again.all_jobs() == [(kept, None)]
    assert again.tally["seconds"] == {}


def test_the_tally_is_kept_when_it_is_saved(database):
    journal = Journal(database)
    for stage, seconds in (("connect", 1.0), ("verify", 0.25), ("connect", 0.5)):
        journal.count_seconds(stage, seconds)
    journal.tally["failed_quenches"] += 2
    journal.tally["failures"]["quenches"] = {"too many steps": {"n": 2, "lowest_loss": None}}
    assert Journal(database).tally["failed_quenches"] == 0
    for _ in range(2):
        journal.save()
    assert Journal(database).tally == journal.tally
    assert journal.tally["seconds"] == {"connect": 1.5, "verify": 0.25}


def test_tallies_are_of_their_journal(database):
    Journal(database).tally["failures"]["quenches"] = {}
    assert Journal(database).tally["failures"] == {}


def test_points_of_an_older_definition_are_noticed(database):
    journal = Journal(database)
    del journal.tally["definition"]  # the first versions recorded none
    journal.save()
    again = Journal(database)
    assert again.outdated and again.tally["definition"] == 1
    again.update()
    again.save()
    assert not again.outdated and not Journal(database).outdated
