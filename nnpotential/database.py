"""Opening the database of a landscape, and what may be wrong with it."""

import sqlite3

from sqlalchemy.exc import DatabaseError

from .errors import InputError
from .sessions import share

__all__ = ["database_fault", "open_database"]

_NO_LOCKS = (
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_PROTOCOL,
)


def open_database(path, system, check_place):
    """Open the database, having made sure that it is one and belongs to the system.

    Parameters
    ----------
    path : pathlib.Path
    system : LandscapeSystem
    check_place : callable
        Raises if the file is no longer where it was.

    Returns
    -------
    pele.storage.Database
        For many threads.

    Raises
    ------
    InputError
        If it is missing, damaged, or of other settings.
    """
    if not path.is_file():
        raise InputError(f"there is no database {path}")
    try:
        # not read-only: after a crash SQLite must be able to roll back
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
        try:
            verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
            tables = {r[0] for r in connection.execute("SELECT name FROM sqlite_master")}
            stored = {}
            if "tbl_system_property" in tables:
                stored = dict(
                    connection.execute(
                        "SELECT property_name, COALESCE(string_value, float_value, int_value) "
                        "FROM tbl_system_property"
                    )
                )
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} {database_fault(error)}") from None
    if verdict != "ok":
        raise InputError(f"{path} is no intact database: {verdict}")
    if "tbl_minima" not in tables:
        raise InputError(f"{path} is no pele database")
    for name, value in system.get_system_properties().items():
        if stored.get(name) != value:
            raise InputError(
                f"{path} was made with other settings: {name} is {stored.get(name)!r} there, "
                f"{value!r} here"
            )
    try:
        database = system.create_database(str(path), createdb=False)
        share(database, path, check_place)
    except DatabaseError as error:
        raise InputError(f"{path} {database_fault(error.orig)}") from error
    return database


def database_fault(error):
    """What is wrong with a database, from an error of sqlite3: the end of a sentence."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code in _NO_LOCKS:
        return f"cannot be locked ({error}): its file system lacks the locks that SQLite needs"
    code &= 0xFF  # the kind of an extended code
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"is held by another program ({error}): wait until that is done, or close it"
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return f"cannot be opened: {error}"
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
        return f"cannot be written: {error}"
    return f"is no intact database: {error}"
