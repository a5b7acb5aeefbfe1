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
from sqlalchemy.orm import Session, scoped_session

__all__ = ["close", "close_sessions", "hold", "session_of", "share", "snapshot", "version"]

_PATIENCE = 30.0  # seconds to wait for the lock of another thread or process
_VERSION, _SEALED, _BEHIND = "data_version", "sealed", "behind"


def share(database, path, check_place):
    """Give every thread that uses a database a session of its own.

    Parameters
    ----------
    database : pele.storage.Database
    path : pathlib.Path
        Its file, absolute.
    check_place : callable
        Raises where that is another file by now; asked before each transaction.
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

    close(database)
    event.listen(database.engine, "do_connect", connect)
    database.connection = database.engine.connect()

    def begin():
        # on one connection for as long as it lives: only so it can tell whether others have
        # committed, and need not read all anew after each of its own commits
        session = Session(bind=database.engine.connect(), expire_on_commit=False)
        event.listen(session, "after_begin", lambda *_: check_place())
        event.listen(session, "do_orm_execute", _refresh)
        event.listen(session, "after_commit", _catch_up)
        return session

    database.session = scoped_session(begin, scopefunc=_here)


def close_sessions(database):
    """Close the database, whichever threads have used it."""
    for session in list(database.session.registry.registry.values()):
        session.close()
        session.bind.close()
    # not by `database.session`, which would begin one for a thread that has none
    _disconnect(database)


def close(database):
    """Close a database that one thread alone has used."""
    database.session.close()
    _disconnect(database)


def _disconnect(database):
    database.connection.close()
    database.engine.dispose()


@contextmanager
def snapshot(database):
    """All that is read within is of one moment, whatever others commit meanwhile.

    They wait for its end: keep it short.
    """
    session = session_of(database)
    session.flush()
    connection = session.connection()
    if connection.connection.in_transaction:  # nobody else can commit then
        yield
        return
    connection.exec_driver_sql("BEGIN")
    try:
        yield
    finally:
        session.info.pop(_SEALED, None)
        connection.connection.rollback()  # nothing was written


def hold(database):
    """Let nobody else change the database before this thread has committed."""
    session = session_of(database)
    connection = session.connection()
    if not connection.connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _let_go(session)


def session_of(database):
    """The session of this thread."""
    session = database.session
    return session() if isinstance(session, scoped_session) else session


def _here():
    # a forked process must not go on with the connections of its parent
    return os.getpid(), threading.get_ident()


def version(session):
    """What differs when another connection, of whatever process, has committed."""
    transaction, seen = session.info.get(_SEALED, (None, None))
    if transaction is not None and transaction is session.get_transaction():
        return seen
    connection = session.connection()
    file = connection.connection.dbapi_connection
    # comparable on one connection only
    seen = file, connection.exec_driver_sql("PRAGMA data_version").scalar()
    if file.in_transaction:  # nobody else can commit until it ends
        session.info[_SEALED] = session.get_transaction(), seen
    return seen


def _refresh(query):
    """Before a query: let go of what the session remembers, if that may be out of date."""
    if query.is_select and not query.is_column_load and not query.is_relationship_load:
        _let_go(query.session)


def _let_go(session):
    seen = version(session)
    if seen == session.info.setdefault(_VERSION, seen):
        return
    session.info[_VERSION] = seen
    if session.dirty:
        session.info[_BEHIND] = True  # own changes must not be lost
    else:
        session.expire_all()


def _catch_up(session):
    if session.info.pop(_BEHIND, False):
        session.expire_all()
