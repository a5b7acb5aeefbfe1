"""Stored points by energy, in memory: which of them may be one with another.

It is exact. What this session flushes is followed, and when anybody else has
committed, of whatever thread or process, all of it is read anew.
"""

from collections import OrderedDict

import numpy as np
from pele.storage import Minimum, TransitionState
from sqlalchemy import event
from sqlalchemy.orm import object_session, undefer

from .sessions import session_of, version

__all__ = ["all_points", "energies", "n_stored", "points_near", "stored_point"]

_KINDS = Minimum, TransitionState
_INDEX = "index"
_HELD = 2**28  # bytes of coordinates of points that are kept in memory


class _Index:
    """The points that a session sees."""

    def __init__(self, session):
        self.version = version(session)
        self.unflushed = False  # whether an energy has changed
        self._order = {}  # energies in ascending order, and ids; made anew when one changes
        self._energy = {kind: {} for kind in _KINDS}  # by id
        self._held = OrderedDict()  # points, the last used last: the session forgets them
        for kind in _KINDS:
            for number, energy in session.query(kind._id, kind.energy):
                self._energy[kind][number] = energy
            found = sorted((e, i) for i, e in self._energy[kind].items() if e is not None)
            energies, ids = zip(*found, strict=True) if found else ((), ())
            self._order[kind] = np.array(energies, dtype=float), np.array(ids, dtype=int)

    def near(self, kind, low, high):
        """Ids of the points between two energies, in order."""
        energies, ids = self._order[kind]
        first, last = energies.searchsorted(low), energies.searchsorted(high, "right")
        return sorted(ids[first:last].tolist())

    def energies(self, kind):
        """In ascending order; as they are now, whatever changes later, and not to be changed."""
        return self._order[kind][0]

    def count(self, kind):
        """How many there are."""
        return len(self._energy[kind])

    def point(self, session, kind, number):
        """The point itself, None if there is none."""
        key = kind, number
        point = self._held.get(key)
        if point is not None and point in session:  # it may have been closed in between
            self._held.move_to_end(key)
            return point
        needed = [undefer(kind.coords), undefer(kind.user_data)]
        point = session.get(kind, number, options=needed)
        if point is not None:
            self.hold(point)
        return point

    def hold(self, point):
        """Keep a point in memory, at the expense of others that were not used lately."""
        self._held[type(point), point.id()] = point
        while len(self._held) > _room(np.asarray(point.coords).nbytes):
            self._held.popitem(last=False)

    def put(self, point):
        """A point is stored or has changed, its energy perhaps."""
        kind, number = type(point), point.id()
        energy = _number(point.energy)
        if number in self._energy[kind] and self._energy[kind][number] == energy:
            return
        self._forget_energy(kind, number)
        self._energy[kind][number] = energy
        if energy is not None:
            energies, ids = self._order[kind]
            at = energies.searchsorted(energy)
            self._order[kind] = np.insert(energies, at, energy), np.insert(ids, at, number)

    def remove(self, point):
        """A point is stored no more."""
        kind, number = type(point), point.id()
        self._forget_energy(kind, number)
        self._held.pop((kind, number), None)

    def _forget_energy(self, kind, number):
        energy = self._energy[kind].pop(number, None)
        if energy is not None:
            stay = self._order[kind][1] != number
            self._order[kind] = tuple(column[stay] for column in self._order[kind])


def points_near(database, kind, energy):
    """The stored points that by their energy may be one, in the order of their ids.

    Parameters
    ----------
    database : pele.storage.Database
    kind : {Minimum, TransitionState}
    energy : float

    Yields
    ------
    Minimum or TransitionState
        With an energy within the `accuracy` of the database.
    """
    session, index = _of(database)
    window = database.accuracy
    if _number(energy) is None:
        return
    for number in index.near(kind, energy - window, energy + window):
        yield index.point(session, kind, number)


def stored_point(database, kind, number):
    """The stored point of an id, None if there is none."""
    session, index = _of(database)
    return index.point(session, kind, number)


def all_points(database, kind, n_coords):
    """All points of a kind, in the order of their ids, as from one query.

    Parameters
    ----------
    database : pele.storage.Database
    kind : {Minimum, TransitionState}
    n_coords : int
        Of a point: where memory has room for all, they stay there.

    Yields
    ------
    Minimum or TransitionState
    """
    session, index = _of(database)
    stays = index.count(kind) <= _room(8 * n_coords)
    columns = [kind.user_data, kind.coords] if stays else [kind.user_data]
    for point in session.query(kind).options(*map(undefer, columns)).order_by(kind._id):
        if stays:
            index.hold(point)
        yield point


def energies(database, kind):
    """The energies of the stored points of a kind, in ascending order, as an array."""
    return _of(database)[1].energies(kind)


def n_stored(database, kind):
    """How many points of a kind are stored."""
    return _of(database)[1].count(kind)


def _of(database):
    """The session of this thread, and its index as it is now."""
    session = session_of(database)
    if _INDEX not in session.info:
        event.listen(session, "after_flush", _follow)
        event.listen(session, "after_soft_rollback", _drop)
        session.info[_INDEX] = None
    index = session.info[_INDEX]
    if session.new or session.deleted or (index is not None and index.unflushed):
        session.flush()
    if index is None or version(session) != index.version:
        index = session.info[_INDEX] = _Index(session)
    return session, index


def _follow(session, _):
    index = session.info[_INDEX]
    if index is None:
        return
    new, changed, deleted = (
        [point for point in points if isinstance(point, _KINDS)]
        for points in (session.new, session.dirty, session.deleted)
    )
    for point in deleted:
        index.remove(point)
    for point in changed:
        if "energy" in vars(point):  # else it was not even read
            index.put(point)
    for point in new:
        index.put(point)
        index.hold(point)
    index.unflushed = False


def _drop(session, _):
    session.info[_INDEX] = None


def _note(point, *_):
    session = object_session(point)
    index = None if session is None else session.info.get(_INDEX)
    if index is not None:
        index.unflushed = True


def _room(size):
    """How many points, whose coordinates are of this size, memory has room for."""
    return _HELD // (2 * size + 1) + 1  # of a transition state there are as many again


def _number(energy):
    """As it is stored: what is no number is none."""
    return None if energy is None or np.isnan(energy) else float(energy)


for _kind in _KINDS:
    event.listen(_kind.energy, "set", _note)
