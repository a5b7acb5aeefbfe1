"""A landscape's database as plain rows: out of its file without unpickling, and into a new one."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from pele.storage import Database, Minimum, TransitionState
from pele.storage.database import SystemProperty

from ..contract import Array
from ..database import database_fault
from ..errors import InputError
from ..pulse import tell
from ..search.journal import TALLY, Journal, read_json
from .plain_pickles import NotPlain, read_plain

__all__ = ["PlainPoint", "Tables"]

_LARGEST = 2**28  # bytes of one entry
_TABLES = {
    "tbl_minima": ("_id", "energy", "coords", "fvib", "pgorder", "invalid", "user_data"),
    "tbl_transition_states": (
        *("_id", "energy", "coords", "fvib", "pgorder", "invalid", "user_data"),
        *("_minimum1_id", "_minimum2_id", "eigenval", "eigenvec"),
    ),
    "tbl_system_property": (
        *("_id", "property_name", "int_value", "float_value", "string_value", "pickle_value"),
    ),
}
_OPTIONAL = {"fvib": float, "pgorder": int | float, "invalid": int, "eigenval": float}
_PROPERTY = (int, str, int | None, int | float | None, str | None)
_JOB = (int, str, str, int | None, str | None)
_JOBS = ("id", "kind", "args", "found", "set_aside")


@dataclass(frozen=True)
class PlainPoint:
    """A row of a minimum or a transition state.

    Attributes
    ----------
    id : int
    energy : float
    coords : ndarray, shape (n_dof,)
    fvib : float or None
    pgorder : int, float or None
    invalid : int or None
    user_data : object
        Plain values.
    ends : (int, int), or None
        Ids of the minima of a transition state.
    eigenval : float or None
    eigenvec : ndarray, shape (n_dof,), or None
    """

    id: int
    energy: float
    coords: Array
    fvib: float | None = None
    pgorder: float | None = None
    invalid: int | None = None
    user_data: Any = None
    ends: tuple[int, int] | None = None
    eigenval: float | None = None
    eigenvec: Array | None = None

    def __post_init__(self) -> None:
        if not (_is(self.id, int) and self.id > 0 and _fits(self.id)):
            raise ValueError(f"the id {self.id!r:.40} is no number above 0")
        if not (_is(self.energy, float) and isfinite(self.energy)):
            raise ValueError(f"the energy {self.energy!r:.40} is no finite number")
        for name, kind in _OPTIONAL.items():
            value = getattr(self, name)
            if value is not None and not (_is(value, kind) and _fits(value)):
                raise ValueError(f"{name} is {value!r:.40}")
        vectors = [self.coords] if self.eigenvec is None else [self.coords, self.eigenvec]
        for vector in vectors:
            if not isinstance(vector, np.ndarray) or vector.dtype != float or vector.ndim != 1:
                raise ValueError("coordinates are no vector of float64")
            if not np.isfinite(vector).all() or vector.shape != self.coords.shape:
                raise ValueError("coordinates are not finite, or of different numbers")
        if self.ends is not None and not (
            len(self.ends) == 2 and all(_is(end, int) and _fits(end) for end in self.ends)
        ):
            raise ValueError("its two minima are no ids")


@dataclass(frozen=True)
class Tables:
    """What a landscape's database holds.

    Attributes
    ----------
    minima, states : list of PlainPoint
        By id.
    properties : list of tuple
        Of each its id, name, and value as an int, a float and a text.
    jobs : list of tuple
        The journal of the search: id, kind, arguments as JSON, what was found, and why it was
        set aside.
    notes : list of str
        What was left out.
    """

    minima: list[PlainPoint]
    states: list[PlainPoint]
    properties: list[tuple[Any, ...]]
    jobs: list[tuple[Any, ...]]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Tables":
        """Read a database's file, of whatever origin.

        SQLite is asked for the tables alone, by names of columns; what pele keeps as pickles
        goes through `read_plain`.

        Parameters
        ----------
        path : pathlib.Path

        Raises
        ------
        InputError
            In one line, if it is no such database, is damaged, or holds pickles that are more
            than plain values.
        """
        if path.is_symlink() or not path.is_file():
            raise InputError(f"there is no database {path}")
        try:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                rows = _rows(connection, path)
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            # a journal may name other files, so one of unknown origin is not rolled back
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK:
                raise InputError(
                    f"{path} was left in the middle of a commit, with {path.name}-journal: where "
                    "you trust it, open it once, as by 'nnpotential summary', which puts that right"
                ) from None
            raise InputError(f"{path} {database_fault(error)}") from None
        except (UnicodeDecodeError, OverflowError, sqlite3.Error) as error:
            raise InputError(f"{path} is no intact database: {error}") from None
        return _tables(path, *rows)

    def write(self, database: Database) -> None:
        """Fill the database of a new landscape, which holds nothing yet; commits.

        Raises
        ------
        InputError
            If rows do not go together.
        """
        self.check()
        session = database.session
        session.query(SystemProperty).delete()
        parts: tuple[tuple[Any, list[dict[str, Any]]], ...] = (
            (SystemProperty, [_property(row) for row in self.properties]),
            (Minimum, [_columns(point) for point in self.minima]),
            (TransitionState, [_columns(point) for point in self.states]),
        )
        for kind, rows in parts:
            if rows:
                session.execute(kind.__table__.insert(), rows)
        if self.jobs:
            Journal(database).restore(self.jobs)
        session.commit()
        session.expire_all()

    def check(self) -> None:
        """Refuse rows that do not go together.

        Raises
        ------
        InputError
            Naming the first.
        """
        for what, points in (("minima", self.minima), ("transition states", self.states)):
            if len({point.id for point in points}) < len(points):
                raise InputError(f"two of the {what} have one id")
        known = {point.id for point in self.minima}
        for state in self.states:
            if not set(state.ends or (0,)) <= known:
                raise InputError(f"transition state {state.id} names minima that are not there")
        for what, rows, kinds in (
            ("property", self.properties, _PROPERTY),
            ("job", self.jobs, _JOB),
        ):
            for row in rows:
                right = len(row) == len(kinds) and all(map(isinstance, row, kinds))
                if not (right and all(map(_fits, row))):
                    raise InputError(f"a {what} is damaged: {str(row)[:100]!r}")
            if len({row[0] for row in rows}) < len(rows):
                raise InputError(f"two rows of the kind {what} have one id")
        for number, _, args, *_ in self.jobs:
            read_json(f"job {number}", args, list)
        for _, name, _, _, text in self.properties:
            if name == TALLY:
                read_json(f"property {name}", text, dict)


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _fits(value: Any) -> bool:
    """Whether SQLite and JSON both hold a value."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, float):
        return isfinite(value)
    return not isinstance(value, str) or not any("\ud800" <= c <= "\udfff" for c in value)


def _property(row: tuple[Any, ...]) -> dict[str, Any]:
    names = _TABLES["tbl_system_property"]
    return {**dict(zip(names, row, strict=False)), "pickle_value": None}


def _columns(point: PlainPoint) -> dict[str, Any]:
    row = {
        "_id": point.id,
        **{name: getattr(point, name) for name in _TABLES["tbl_minima"][1:]},
    }
    if point.ends is not None:
        ends = {"_minimum1_id": point.ends[0], "_minimum2_id": point.ends[1]}
        row |= {**ends, "eigenval": point.eigenval, "eigenvec": point.eigenvec}
    return row


def _rows(connection: sqlite3.Connection, path: Path) -> list[list[tuple[Any, ...]]]:
    """The rows of the tables, of one moment."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
    # no function that the file's own definitions name is called
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("BEGIN")
    verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        raise InputError(f"{path} is no intact database: {verdict}")
    kinds = dict(connection.execute("SELECT name, type FROM sqlite_master"))
    found: list[list[tuple[Any, ...]]] = []
    for table, columns in {**_TABLES, "tbl_jobs": _JOBS}.items():
        if table == "tbl_jobs" and table not in kinds:
            found.append([])
            continue
        if kinds.get(table) != "table":
            raise InputError(f"{path} is no pele database: it has no table {table}")
        names = ", ".join(columns)
        # the names are those above, nothing of the file
        query = f"SELECT {names} FROM {table} ORDER BY {columns[0]}"
        found.append(connection.execute(query).fetchall())
    return found


def _tables(path: Path, minima: Any, states: Any, properties: Any, jobs: Any) -> Tables:
    notes = []
    sizes: Counter[int] = Counter()  # of the coordinates
    points: list[list[PlainPoint]] = []
    odd = 0
    for what, rows in (("minimum", minima), ("transition state", states)):
        points.append([])
        for k, row in enumerate(rows):
            tell("points read", k, unit=what)
            try:
                point = _point(row)
            except NotPlain as error:
                raise InputError(
                    f"{path}: {what} {row[0]!r} holds a pickle that is more than plain numbers and "
                    f"text: {error}"
                ) from None
            except ValueError:  # as plain pele stores what its searches end with
                odd += 1
            else:
                points[-1].append(point)
                sizes[point.coords.size] += 1
    usual = max(sizes, key=sizes.__getitem__, default=0)
    kept = [[p for p in part if p.coords.size == usual] for part in points]
    known = {point.id for point in kept[0]}
    whole = [p for p in kept[1] if set(p.ends or ()) <= known]
    odd += len(points[0]) + len(points[1]) - len(kept[0]) - len(whole)
    if odd:
        notes.append(f"{odd} malformed points were left out (no finite energy, coordinates, ends)")
    plain = [row[:-1] for row in properties if row[-1] is None]
    if len(plain) < len(properties):
        notes.append("properties that are pickled objects were left out")
    tables = Tables(kept[0], whole, plain, jobs, notes)
    try:
        tables.check()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return tables


def _point(row: tuple[Any, ...]) -> PlainPoint:
    number, energy, coords, fvib, order, invalid, noted, *rest = row
    x, data = _plain(coords), _plain(noted)
    if not rest:
        return PlainPoint(number, energy, x, fvib, order, invalid, data)
    *ends, eigenval, eigenvec = rest
    return PlainPoint(
        number, energy, x, fvib, order, invalid, data, tuple(ends), eigenval, _plain(eigenvec)
    )


def _plain(pickled: Any) -> Any:
    if pickled is None:
        return None
    if not isinstance(pickled, bytes):
        raise NotPlain(f"it is a {type(pickled).__name__}")
    return read_plain(pickled)
