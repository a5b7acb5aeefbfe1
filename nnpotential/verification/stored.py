"""All points of a database: what verification says of them, anew, and the mending of the rest."""

from collections import deque
from functools import partial
from itertools import islice

from pele.storage import Minimum, TransitionState
from sqlalchemy.orm import joinedload, undefer
from threadpoolctl import threadpool_limits

from ..findings import Connection, Point
from ..interrupts import uninterrupted
from ..search.exploration import SILENCE, Exploration, waiting_text
from ..search.journal import Journal
from ..search.settings import SearchSettings
from ..search.workers import JobFailed
from ..storage import (
    MALFORMED,
    UNVERIFIED,
    forget_verification,
    notes,
    points_from_outside,
    set_aside,
)
from .kinds import CHECKS, CheckMinimum, CheckTransitionState

__all__ = ["done_in_order", "left_out_text", "outcomes", "recheck", "repair"]

_KINDS = (
    (Minimum, "minimum", CheckMinimum(), Point.of),
    (TransitionState, "transition state", CheckTransitionState(), Connection.of),
)
# what a check needs of a point, in one query
_NEEDED = {
    Minimum: [undefer(Minimum.coords)],
    TransitionState: [
        undefer(TransitionState.coords),
        undefer(TransitionState.eigenvec),
        *(
            joinedload(end).undefer(Minimum.coords)
            for end in (TransitionState.minimum1, TransitionState.minimum2)
        ),
    ],
}
_AHEAD = 60  # jobs under way beyond those of the workers


def outcomes(database):
    """Outcome of verification of every stored point: list of (kind, id, outcome)."""
    return [
        (name, point.id(), notes(point).get("verified", UNVERIFIED))
        for kind, name, *_ in _KINDS
        for point in database.session.query(kind)
        .options(undefer(kind.user_data))
        .order_by(kind._id)
    ]


def left_out_text(database, n_taken):
    """How many of the stored points are not among those that were taken, or None if none."""
    n = sum(database.session.query(kind).count() for kind, *_ in _KINDS) - n_taken
    why = "left out, as they or their minima have not passed verification"
    return f"{why}: {n} of all points" if n else None


def recheck(system, database, crew, report, initializations=()):
    """Verify every stored point anew, but those from outside; each outcome is committed.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    crew : Crew
    report : callable
        ``report(stage, done, total, text)``.
    initializations : sequence of str
        Names under which hits of quenches may be noted, besides the system's starts.
    """
    session = database.session
    outside = points_from_outside(database, Journal(database).pending())
    points = [
        (kind, row[0], *how)
        for (kind, *how), left_out in zip(_KINDS, outside, strict=True)
        for row in session.query(kind._id, kind.user_data).order_by(kind._id)
        if row[0] not in left_out and notes(row).get("verified") != MALFORMED
    ]
    jobs = (
        (check, numbers(session.get(kind, number, options=_NEEDED[kind], populate_existing=True)))
        for kind, number, _, check, numbers in points
    )

    def waits(i, text):
        report("verify", i, len(points), text)

    for i, verdict in done_in_order(crew, jobs, "check", waits):
        kind, number, name, check, _ = points[i]
        point = session.get(kind, number, options=[undefer(kind.user_data)])
        with uninterrupted():
            set_aside(point, {*system.starts, *initializations})
            check.record(system, database, point, verdict)
            text = f"{name} {number}: {notes(point)['verified']}"
            session.commit()
        report("verify", i + 1, len(points), text)


def done_in_order(crew, jobs, kind, report):
    """Let a crew do jobs, some of them ahead of time.

    Parameters
    ----------
    crew : Crew
    jobs : iterable of (Kind, tuple)
        What to do, and the arguments; taken when a job goes out.
    kind : str
        What they are called while they take their time.
    report : callable
        ``report(i, text)``, called while one takes its time.

    Yields
    ------
    i : int
        Which job, in order.
    result
        None if it failed as often as it is tried.
    """
    todo, underway = iter(enumerate(jobs)), deque()

    def on_wait(i, seconds, told):
        if seconds > SILENCE:
            report(i, waiting_text(kind, seconds, told))

    with threadpool_limits(1), crew:
        while True:
            for i, (job, args) in islice(todo, 4 * crew.workers + _AHEAD - len(underway)):
                crew.submit(i, job, args)
                underway.append(i)
            if not underway:
                return
            i = underway.popleft()
            try:
                result, _ = crew.result(i, partial(on_wait, i))
            except JobFailed:
                result = None
            yield i, result


def repair(system, database, crew=None, on_progress=None, seed=0):
    """Polish, verify and merge every point that is not verified.

    Such are the points that failed, but for those whose curvature vanishes,
    which would only fail again, and the points that plain pele or another
    program stored.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    crew : Crew, optional
        Who does the work; by default this process.
    on_progress : callable, optional
        As for `Exploration`.
    seed : int
        Of the search that found them: what it left undone is done too.

    Returns
    -------
    list of (str, int, str)
        As from `outcomes`.
    """
    may_move = set()
    for minimum in database.session.query(Minimum):
        if not _is_settled(minimum):
            forget_verification(minimum)
            may_move.add(minimum.id())
    for ts in database.session.query(TransitionState):
        # it was found to lead to a minimum as it is, not as it will be
        if not _is_settled(ts) or {ts._minimum1_id, ts._minimum2_id} & may_move:
            forget_verification(ts)
    limits = SearchSettings(joined=Journal(database).tally["joined"])
    search = Exploration(system, database, limits, seed, CHECKS, on_progress)
    search.run(crew, stages=())
    return outcomes(database)


def _is_settled(point):
    """Whether a point has passed, or would only fail again."""
    return notes(point).get("verified") in ("ok", "degenerate", MALFORMED)
