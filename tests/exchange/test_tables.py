"""A landscape's database is read as rows, without unpickling, and written as one."""

import os
import pickle
import shutil
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from landscapes import contents

from nnpotential import EggBox, InputError
from nnpotential.exchange.tables import PlainPoint, Tables


@pytest.fixture
def file(tmp_path, small):
    """The database of `small`, to be changed."""
    return shutil.copy(small.path / "landscape.sqlite", tmp_path / "landscape.sqlite")


def change(path, statement, *values):
    with sqlite3.connect(path) as connection:
        connection.execute(statement, values)
    connection.close()


class Calls:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_rows_are_those_that_pele_reads(small):
    tables = Tables.read(small.path / "landscape.sqlite")
    minima, states, _, jobs = contents(small)
    ours = [(p.id, p.energy, p.coords.tobytes(), p.user_data) for p in tables.minima]
    assert sorted(ours, key=lambda row: row[0]) == sorted(minima, key=lambda row: row[0])
    theirs = {row[0]: row[1:5] for row in states}
    for p in tables.states:
        assert (p.energy, p.coords.tobytes(), *p.ends) == theirs[p.id]
        assert p.eigenval < 0 and p.eigenvec.shape == p.coords.shape
    assert len(tables.jobs) == len(jobs)
    assert tables.notes == []


def test_written_they_are_a_database_of_pele(box):
    database = box.create_database()
    x = [np.array([0.0, 0.0, float(k)]) for k in range(3)]
    tables = Tables(
        [PlainPoint(3, -1.0, x[0], user_data={"a": 1}), PlainPoint(7, 0.5, x[1], 1.5, 2, 0)],
        [PlainPoint(2, 1.0, x[2], ends=(3, 7), eigenval=-0.5, eigenvec=x[1])],
        [(1, "n", 3, None, None), (2, "s", None, None, "text")],
        [],
    )
    tables.write(database)
    [low, high], [ts] = database.minima(), database.transition_states()
    assert (low.id(), low.energy, low.user_data) == (3, -1.0, {"a": 1})
    assert (high.id(), high.fvib, high.pgorder, high.invalid) == (7, 1.5, 2, 0)
    assert (ts.minimum1, ts.minimum2, ts.eigenval) == (low, high, -0.5)
    assert np.array_equal(ts.eigenvec, x[1])
    assert database.get_property("n").value() == 3
    assert EggBox().get_system_properties().keys().isdisjoint({"n", "s"})


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("tbl_minima", "coords"),
        ("tbl_minima", "user_data"),
        ("tbl_transition_states", "coords"),
        ("tbl_transition_states", "eigenvec"),
        ("tbl_transition_states", "user_data"),
    ],
)
def test_a_pickle_that_would_run_something_is_refused(tmp_path, file, table, column):
    evil = pickle.dumps(Calls(tmp_path / "made"))
    change(file, f"UPDATE {table} SET {column} = ? WHERE _id = 1", evil)
    what = "minimum" if table == "tbl_minima" else "transition state"
    with pytest.raises(InputError, match=rf"{what} 1 holds a pickle .*it asks for \w+\.mkdir"):
        Tables.read(file)
    assert not (tmp_path / "made").exists()


def test_a_property_that_is_pickled_is_left_out(tmp_path, file):
    evil = pickle.dumps(Calls(tmp_path / "made"))
    change(
        file, "INSERT INTO tbl_system_property (property_name, pickle_value) VALUES ('x', ?)", evil
    )
    tables = Tables.read(file)
    assert "properties that are pickled objects were left out" in tables.notes
    assert "x" not in [row[1] for row in tables.properties]
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("coords", pickle.dumps(np.zeros(3))),
        ("coords", pickle.dumps(np.full(36, np.nan))),
        ("coords", pickle.dumps([1.0] * 36)),
        ("coords", None),
        ("energy", None),
        ("energy", "low"),
        ("pgorder", "many"),
        ("fvib", np.inf),
    ],
)
def test_a_malformed_point_is_left_out_with_what_it_joins(file, column, value):
    before = Tables.read(file)
    number = before.states[0].ends[0]
    change(file, f"UPDATE tbl_minima SET {column} = ? WHERE _id = ?", value, number)
    after = Tables.read(file)
    assert number not in [p.id for p in after.minima]
    assert len(after.minima) == len(before.minima) - 1
    assert after.states == [
        s for s in after.states if number not in s.ends
    ] and len(after.states) < len(before.states)  # fmt: skip
    lost = 1 + len(before.states) - len(after.states)
    assert after.notes == [
        f"{lost} malformed points were left out (no finite energy, coordinates, ends)"
    ]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DROP TABLE tbl_minima", "it has no table tbl_minima"),
        ("ALTER TABLE tbl_minima RENAME TO other", "it has no table tbl_minima"),
        ("UPDATE tbl_jobs SET args = '{}' WHERE id = 1", r"job 1 is damaged: '\{\}'"),
        ("UPDATE tbl_jobs SET found = 'x' WHERE id = 1", "a job is damaged"),
        (
            "UPDATE tbl_system_property SET string_value = '[]' WHERE property_name = 'progress'",
            "property progress is damaged",
        ),
    ],
)
def test_what_is_no_landscape(file, statement, message):
    change(file, statement)
    with pytest.raises(InputError, match=message):
        Tables.read(file)


def test_a_view_in_place_of_a_table(file):
    change(file, "ALTER TABLE tbl_minima RENAME TO other")
    change(file, "CREATE VIEW tbl_minima AS SELECT * FROM other")
    with pytest.raises(InputError, match="it has no table tbl_minima"):
        Tables.read(file)


def test_a_file_that_is_no_database(tmp_path, file):
    (tmp_path / "text").write_text("not a database, whatever its name may be")
    with pytest.raises(InputError, match="is no intact database"):
        Tables.read(tmp_path / "text")
    with pytest.raises(InputError, match="there is no database"):
        Tables.read(tmp_path / "none")
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(InputError, match="there is no database"):
        Tables.read(tmp_path / "link")


def test_rows_that_do_not_go_together(box):
    point = PlainPoint(1, 0.0, np.zeros(3))
    tables = Tables([point], [], [], [])
    for wrong, message in (
        (replace(tables, minima=[point, point]), "two of the minima have one id"),
        (
            replace(tables, states=[replace(point, ends=(1, 2))]),
            "transition state 1 names minima that are not there",
        ),
        (replace(tables, jobs=[(1, "quench", "[]", None)]), "a job is damaged"),
    ):
        with pytest.raises(InputError, match=message):
            wrong.write(box.create_database())


def test_a_database_left_in_the_middle_of_a_commit(tmp_path, file):
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    for table in ("tbl_minima", "tbl_transition_states"):
        connection.execute(f"UPDATE {table} SET energy = energy + 1, coords = zeroblob(9000)")
    (tmp_path / "there").mkdir()
    for name in ("landscape.sqlite", "landscape.sqlite-journal"):
        shutil.copy(tmp_path / name, tmp_path / "there")
    connection.close()
    there = tmp_path / "there" / "landscape.sqlite"
    with pytest.raises(InputError, match="was left in the middle of a commit"):
        Tables.read(there)
    with sqlite3.connect(there) as trusted:
        trusted.execute("SELECT * FROM tbl_minima").fetchone()
    trusted.close()
    assert len(Tables.read(there).minima) == len(Tables.read(file).minima)
