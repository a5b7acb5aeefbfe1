"""Many threads on one database file.

A pele database has one session, and a session serves one thread. Here every thread
has its own, on connections of its own: it sees what others have committed, whole, and
whatever it holds is read anew once they have committed more.
"""

import os
import sqlite3
import threading
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.orm import scoped_session, sessionmaker

__all__ = ["close_sessions", "share", "snapshot"]

_PATIENCE = 30.0  # seconds to wait for the lock of another thread or process
_VERSION = "data_version"


def share(database, path, check_place):
    """Give every thread that uses a database a session of its own.

    Parameters
    ----------
    database : pele.storage.Database
    path : pathlib.Path
        Its file, absolute.
    check_place : callable
        Raises where that is another file by now; SQLAlchemy opens the file again
        for each transaction.
    """

    def connect(*_):
        check_place()
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=_PATIENCE,
            # the session of a thread that has ended is closed by another one
            check_same_thread=False,
        )
        # pages written before the commit would shut readers out until then
        connection.execute("PRAGMA cache_spill = OFF")
        return connection

    _close(database.session, database)
    event.listen(database.engine, "do_connect", connect)
    database.connection = database.engine.connect()
    factory = sessionmaker(bind=database.engine)
    event.listen(factory, "after_begin", _note_version)
    event.listen(factory, "do_orm_execute", _refresh)
    database.session = scoped_session(factory, scopefunc=_here)


def close_sessions(database):
    """Close the database, whichever threads have used it."""
    for session in list(database.session.registry.registry.values()):
        session.close()
    _close(database.session, database)


def _close(session, database):
    session.close()
    database.connection.close()
    database.engine.dispose()


@contextmanager
def snapshot(database):
    """All that is read within is of one moment, whatever others commit meanwhile.

    They wait for its end: keep it short.
    """
    session = database.session
    session.flush()
    connection = session.connection()
    if connection.connection.in_transaction:  # nobody else can commit then
        yield
        return
    connection.exec_driver_sql("BEGIN")
    try:
        yield
    finally:
        connection.connection.rollback()  # nothing was written


def _here():
    # a forked process must not go on with the connections of its parent
    return os.getpid(), threading.get_ident()


def _version(connection):
    """A number that changes when another connection, of whatever process, commits."""
    return connection.exec_driver_sql("PRAGMA data_version").scalar()


def _note_version(session, _, connection):
    session.info[_VERSION] = _version(connection)


def _refresh(query):
    """Before a query: let go of what the session remembers, if that may be out of date."""
    if not query.is_select or query.is_column_load or query.is_relationship_load:
        return
    session = query.session
    version = _version(session.connection())
    if version != session.info[_VERSION] and not session.dirty:
        session.info[_VERSION] = version
        session.expire_all()
