"""The record of the work: which jobs were handed out, and what became of them.

It is a table and a property of the landscape's database, so that every entry
commits together with what the job found.
"""

import json
from dataclasses import dataclass

from pele.storage.database import SystemProperty

from ..errors import InputError
from ..sessions import session_of

__all__ = ["TALLY", "Job", "Journal", "read_json"]

_TABLE, _PROPERTIES = "tbl_jobs", SystemProperty.__tablename__
TALLY = "progress"
_DEFINITION = 2  # of a stationary point: since 2 it asks for the coordinates, not the loss alone
_BLANK = {
    "definition": _DEFINITION,
    "failed_quenches": 0,
    "failures": {},
    "corrected": 0,
    "seconds": {},
    "lowering": {},
    "audit": {},
    "joined": None,
    "trial": {},
}
# what a landscape lacks that was made before there was such
_BEFORE = {"definition": 1, "trial": {"apart": False, "merged": 0}}


@dataclass(frozen=True)
class Job:
    """A piece of work.

    Attributes
    ----------
    id : int
        Jobs are merged in the order of their ids.
    kind : str
        The name of a `Kind`.
    args : tuple
        What it is about, in plain numbers and strings.
    """

    id: int
    kind: str
    args: tuple


def read_json(what, text, kind):
    """What a journal keeps as JSON.

    Parameters
    ----------
    what : str
        Where it stands, for the message.
    text : str
    kind : {dict, list}

    Raises
    ------
    InputError
        If it is no such thing.
    """
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        found = None
    if not isinstance(found, kind):
        raise InputError(f"{what} is damaged: {str(text)[:100]!r}")
    return found


class Journal:
    """The jobs of one landscape. Nothing here commits.

    Parameters
    ----------
    database : pele.storage.Database

    Attributes
    ----------
    tally : dict
        Counts and seconds by stage; `save` records them.
    outdated : bool
        Whether the points were verified by an older definition.
    """

    def __init__(self, database):
        self._database = database
        self._file = database.engine.url.database
        stored = self._execute(
            f"SELECT string_value FROM {_PROPERTIES} WHERE property_name = ?", TALLY
        ).fetchone()
        self.tally = json.loads(json.dumps(_BLANK))
        self.outdated = False
        if stored is not None:
            self.tally |= _BEFORE | self._read(f"property {TALLY}", *stored, dict)
            self.outdated = self.tally["definition"] < _DEFINITION
        tables = self._execute("SELECT 1 FROM sqlite_master WHERE name = ?", _TABLE)
        self._exists = tables.fetchone() is not None
        self._last = 0
        if self._exists:
            self._last = self._execute(f"SELECT COALESCE(MAX(id), 0) FROM {_TABLE}").scalar()

    def add(self, kind, args):
        """Record a job that is to be done; returns the `Job`."""
        self._make_table()
        self._last += 1
        self._execute(
            f"INSERT INTO {_TABLE} (id, kind, args) VALUES (?, ?, ?)",
            self._last,
            kind,
            json.dumps(args),
        )
        return Job(self._last, kind, tuple(args))

    def restore(self, rows):
        """Take over the rows of another journal, into one that holds none."""
        self._make_table()
        for row in rows:
            self._execute(f"INSERT INTO {_TABLE} VALUES (?, ?, ?, ?, ?)", *row)
            self._last = max(self._last, row[0])

    def _make_table(self):
        if not self._exists:
            self._execute(
                f"CREATE TABLE {_TABLE} (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, "
                "args TEXT NOT NULL, found INTEGER, set_aside TEXT)"
            )
            self._exists = True

    def close(self, job, found, set_aside=None):
        """Record that a job is done, how much it found, or why it was set aside."""
        self._execute(
            f"UPDATE {_TABLE} SET found = ?, set_aside = ? WHERE id = ?", found, set_aside, job.id
        )

    def pending(self):
        """The jobs that are still to be done, in order, a list of `Job`."""
        return [job for job, *_ in self._select("WHERE found IS NULL")]

    def jobs(self, kind):
        """All jobs of a kind, in order: list of (`Job`, found); found is None if pending."""
        return [(job, found) for job, found, _ in self._select("WHERE kind = ?", kind)]

    def all_jobs(self):
        """All jobs, in order: list of (`Job`, found)."""
        return [(job, found) for job, found, _ in self._select()]

    def set_aside(self):
        """Jobs that were given up after repeated failures: list of (`Job`, reason)."""
        return [(job, why) for job, _, why in self._select("WHERE set_aside IS NOT NULL")]

    def _select(self, where="", *values):
        if not self._exists:
            return []
        rows = self._execute(
            f"SELECT id, kind, args, found, set_aside FROM {_TABLE} {where} ORDER BY id", *values
        )
        return [
            (Job(i, kind, tuple(self._read(f"job {i}", args, list))), *rest)
            for i, kind, args, *rest in rows
        ]

    def _read(self, what, text, kind):
        return read_json(f"{self._file}: {what}", text, kind)

    def update(self):
        """Note that the points have been handed over to the definition of today."""
        self.tally["definition"], self.outdated = _DEFINITION, False

    def count_seconds(self, stage, seconds):
        """Add to the time that a stage took."""
        spent = self.tally["seconds"]
        spent[stage] = spent.get(stage, 0.0) + seconds

    def save(self):
        """Record the tally."""
        noted = json.dumps(self.tally)
        set_it = f"UPDATE {_PROPERTIES} SET string_value = ? WHERE property_name = ?"
        if not self._execute(set_it, noted, TALLY).rowcount:
            self._execute(
                f"INSERT INTO {_PROPERTIES} (string_value, property_name) VALUES (?, ?)",
                noted,
                TALLY,
            )

    def _execute(self, statement, *values):
        # several for each job: SQLAlchemy's own take ten times as long
        connection = session_of(self._database).connection()
        return connection.exec_driver_sql(statement, values)
