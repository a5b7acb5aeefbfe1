"""Minima and transition states in a pele database, told apart by exact symmetry."""

import numpy as np
from pele.storage import Minimum, TransitionState

from .index import points_near

__all__ = [
    "CONNECTIONS",
    "GROWTH",
    "MALFORMED",
    "NOT_CHECKED",
    "OUTCOMES",
    "OUTSIDE",
    "UNVERIFIED",
    "add_hit",
    "find_point",
    "forget_verification",
    "found_as_source",
    "has_source",
    "is_grown",
    "is_verified",
    "is_well_formed",
    "may_count",
    "measured",
    "merge_minima",
    "notes",
    "points_from_outside",
    "quench_hits",
    "record_outcome",
    "set_aside",
    "store_minimum",
    "store_transition_state",
]

OUTSIDE = "outside"  # the source of minima that the searches here did not find
MALFORMED = "malformed"
NOT_CHECKED = "not checked"
UNVERIFIED = "unverified"
OUTCOMES = {
    "ok": "meets the definition",
    "not converged": "rms gradient above 1e-9, energy error above 1e-12, or on a plateau",
    "unresolved": "coordinates uncertain by more than a tenth of the identity tolerance",
    "loss differs": "the stored loss is not that of the stored point",
    "wrong index": "not zero negative eigenvalues (minimum) or one (transition state)",
    "degenerate": "an eigenvalue, or all curvature, vanishes beyond the known zero modes",
    "duplicate": "an image of a minimum stored before",
    "not above": "not above both its minima",
    "descends elsewhere": "steepest descent leads to other minima than those stored",
    "undecided": "steepest descent ends in no minimum, or the index could not be certified",
    MALFORMED: "not as many finite coordinates as the system has",
    NOT_CHECKED: "the check itself failed three times",
    UNVERIFIED: "not yet looked at: explore, connect or verify --repair does it",
}

# what else may lead to a minimum; the others are the names of the starts of quenches
CONNECTIONS = "connections"
GROWTH = "growth"
_OTHER_SOURCES = (OUTSIDE, "basin_hopping", CONNECTIONS, GROWTH)


def store_minimum(database, identity, energy, coords, noted=None):
    """Find the minimum in the database, or add it. Does not commit.

    Parameters
    ----------
    database : pele.storage.Database
    identity : Identity
    energy : float
    coords : ndarray, shape (n_parameters,)
    noted : dict, optional
        Notes of a new one.

    Returns
    -------
    minimum : pele.storage.Minimum
    is_new : bool
    """
    return _find_or_add(database, identity, Minimum, energy, coords, Minimum, noted)


def store_transition_state(
    database, identity, energy, coords, minimum1, minimum2, eigenval, eigenvec
):
    """Find the transition state in the database, or add it. Does not commit.

    pele's own method takes any two transition states of a pair whose energies
    are close for the same; this one compares the points.

    Returns
    -------
    transition_state : pele.storage.TransitionState
    is_new : bool
    """
    return _find_or_add(
        database,
        identity,
        TransitionState,
        energy,
        coords,
        lambda e, x: TransitionState(e, x, minimum1, minimum2, eigenval, eigenvec),
    )


def add_hit(minimum, source):
    """Count one more arrival at a minimum: by an initialization, or another source."""
    found = notes(minimum)
    minimum.user_data = {**found, source: found.get(source, 0) + 1}


def notes(point):
    """What is noted on a minimum or transition state: hits by source, its verification.

    Other programs may have left something of theirs in its place, see `set_aside`.
    """
    data = point.user_data
    if data is None:
        return {}
    return dict(data) if isinstance(data, dict) else {"user_data": data}


def is_verified(point):
    """Whether a minimum or transition state has passed its verification."""
    return not point.invalid and notes(point).get("verified") == "ok"


def may_count(point):
    """Whether a point has passed its verification, or was not looked at yet."""
    return not point.invalid


def is_well_formed(system, point):
    """Whether a stored point has as many finite coordinates as the system."""
    x = np.asarray(point.coords)
    whole = x.shape == (system.n_dof,) and x.dtype.kind in "iuf"
    return whole and bool(np.isfinite(x).all())


def record_outcome(point, outcome, why=None):
    """Note the outcome of verification on a minimum or transition state."""
    noted = {k: v for k, v in notes(point).items() if k != "why"}
    point.user_data = noted | {"verified": outcome} | ({"why": why} if why else {})
    point.invalid = int(outcome != "ok")


def forget_verification(point):
    """Let a minimum or transition state be as if it had never been verified."""
    kept = {k: v for k, v in notes(point).items() if k not in ("verified", "why")}
    point.user_data, point.invalid = kept, 0


def set_aside(point, starts):
    """Let no number noted by another program count as hits: it is kept, under ``user_data``.

    Parameters
    ----------
    point : Minimum or TransitionState
    starts : collection of str
        The names of the starts of quenches.
    """
    noted, ours = notes(point), {*starts, *_OTHER_SOURCES}
    theirs = {name: n for name, n in noted.items() if isinstance(n, int) and name not in ours}
    if theirs:
        before = noted.pop("user_data", {})
        before = before if isinstance(before, dict) else {"user_data": before}
        kept = {name: note for name, note in noted.items() if name not in theirs}
        point.user_data = {**kept, "user_data": {**before, **theirs}}


def has_source(minimum):
    """Whether it is noted who found a minimum."""
    return any(isinstance(note, int) for note in notes(minimum).values())


def quench_hits(minimum):
    """Number of independent quenches that ended in a minimum."""
    hits = notes(minimum).items()
    return sum(n for name, n in hits if isinstance(n, int) and name not in _OTHER_SOURCES)


def is_grown(minimum):
    """Whether a minimum was reached by walks from what is joined to the lowest."""
    return isinstance(notes(minimum).get(GROWTH), int)


def measured(quenched, grown=(), joined=None):
    """The numbers of those minima whose barriers are searched for, and told.

    The first that independent quenches found, a sample, and all that the landscape was grown
    to; not those that connections met on their way.

    Parameters
    ----------
    quenched, grown : iterable of int
        Numbers of minima that `quench_hits` counts, and that `is_grown`.
    joined : int, optional
        How many of quenches had to be joined to the lowest, by default all.

    Returns
    -------
    set of int
    """
    return {*sorted(quenched)[:joined], *grown}


def found_as_source(minimum):
    """Whether a minimum was found by anything but a connection."""
    hits = ((name, n) for name, n in notes(minimum).items() if isinstance(n, int))
    return any(n for name, n in hits if name != CONNECTIONS)


def points_from_outside(database, pending):
    """Points that were neither verified nor wait for it: plain pele or another program stored them.

    Parameters
    ----------
    database : pele.storage.Database
    pending : sequence of Job

    Returns
    -------
    minima, transition_states : list of int
        Their ids, in order.
    """
    found = []
    for kind, name in ((Minimum, "minimum"), (TransitionState, "transition_state")):
        jobs = (f"check_{name}", f"polish_{name}")
        waiting = {job.args[0] for job in pending if job.kind in jobs}
        rows = database.session.query(kind._id, kind.user_data).order_by(kind._id)
        found.append([row[0] for row in rows if _is_unknown(row) and row[0] not in waiting])
    return found


def _is_unknown(point):
    # another program may have a note of its own by that name
    verified = notes(point).get("verified")
    return not isinstance(verified, str) or verified not in OUTCOMES


def merge_minima(database, kept, other):
    """Let all that names the minimum `other` name `kept`, and delete it. Does not commit.

    pele's own method commits and loses how often each was found.
    """
    for end in ("minimum1", "minimum2"):
        column = getattr(TransitionState, f"_{end}_id")
        for ts in database.session.query(TransitionState).filter(column == other.id()).all():
            setattr(ts, end, kept)
    database.session.flush()
    for ts in database.session.query(TransitionState).filter(
        TransitionState._minimum1_id > TransitionState._minimum2_id
    ):
        ts.minimum1, ts.minimum2 = ts.minimum2, ts.minimum1
    hits = notes(kept)
    for source, n in notes(other).items():
        if isinstance(n, int):
            hits[source] = hits.get(source, 0) + n
    kept.user_data = hits
    database.on_minimum_removed(other)
    database.session.delete(other)
    database.session.flush()


def find_point(database, identity, kind, energy, coords, but=None):
    """The stored point of a kind that is an image of this one, or None.

    Parameters
    ----------
    database : pele.storage.Database
    identity : Identity
    kind : {Minimum, TransitionState}
    energy : float
    coords : ndarray, shape (n_parameters,)
    but : Minimum or TransitionState, optional
        Not this one.
    """
    for found in points_near(database, kind, energy):
        if found is not but and identity.are_same(found.coords, coords):
            return found
    return None


def _find_or_add(database, identity, kind, energy, coords, make, noted=None):
    found = find_point(database, identity, kind, energy, coords)
    if found is not None:
        return found, False
    new = make(float(energy), np.array(coords))
    new.user_data = noted  # if it were not set, it would be looked up
    database.session.add(new)
    database.session.flush()
    (database.on_minimum_added if kind is Minimum else database.on_ts_added)(new)
    return new, True
