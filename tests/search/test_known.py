"""What is known of a landscape: restored from its database as it was left."""

from landscapes import contents

from nnpotential.search.journal import Journal


def test_points_of_an_older_definition_are_verified_anew(land):
    before = contents(land)
    journal = Journal(land.database)
    assert not journal.outdated
    journal.tally["definition"] = 1
    journal.save()
    journal.add("check_minimum", (1,))  # it was stopped before this
    land.database.session.commit()
    figures = land.summary()
    assert figures["verified_by_older_definition"]
    assert "may be stored twice" in figures["remarks"][0]
    figures = land.explore()
    assert not figures["verified_by_older_definition"]
    after = contents(land)
    assert [m[:2] for m in after[0]] == [m[:2] for m in before[0]]
    assert {m[3]["verified"] for m in after[0]} == {"ok"}
