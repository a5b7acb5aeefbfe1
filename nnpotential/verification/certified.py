"""Certificates of all points of a landscape: made, kept with the points, told apart, counted.

What they prove is how many minima and transition states there are at least; which
minima a transition state joins they do not.
"""

import hashlib
from collections import Counter
from dataclasses import asdict

import numpy as np
from pele.storage import Minimum, TransitionState

from ..interrupts import uninterrupted
from ..storage import is_verified, notes
from .certificate import CERTIFIED, LIKE, Certificate, certify_point
from .stored import done_in_order

__all__ = ["NOT_YET", "certificates", "certify", "count_certificates"]

NOT_YET = "not yet tried"
_KINDS = ((Minimum, "minimum", 0), (TransitionState, "transition state", 1))
_NOTE = "certificate"
_METHOD = 1  # raised where an older certificate no longer holds


class _Certify:
    """A job: the certificate of one point."""

    name = "certify"

    @staticmethod
    def run(system, coords, index):
        return certify_point(system.enclosure(), coords, index, system.scales.step)


def certify(system, database, crew, report):
    """Certify every verified point that has no certificate yet, or has changed since.

    Each certificate is committed; at the end points are told apart.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    crew : Crew
    report : callable
        ``report(stage, done, total, text)``.

    Raises
    ------
    InputError
        If the system cannot be certified, or python-flint is missing.
    """
    enclosure, session = system.enclosure(), database.session
    points = [
        (kind, point.id(), name, index)
        for kind, name, index in _KINDS
        for point in _verified(database, kind)
        if _known(point) is None
    ]
    jobs = (
        (_Certify(), (np.asarray(session.get(kind, number).coords), index))
        for kind, number, _, index in points
    )

    def waits(i, text):
        report("certify", i, len(points), text)

    for i, certificate in done_in_order(crew, jobs, "proof", waits):
        kind, number, name, _ = points[i]
        if certificate is not None:
            point = session.get(kind, number)
            with uninterrupted():
                note = {**asdict(certificate), "digest": _digest(point), "method": _METHOD}
                point.user_data = {**notes(point), _NOTE: note}
                session.commit()
        outcome = NOT_YET if certificate is None else certificate.why
        report("certify", i + 1, len(points), f"{name} {number}: {outcome}")
    with uninterrupted():
        for kind, *_ in _KINDS:
            _tell_apart(enclosure, database, kind)
        session.commit()


def certificates(database):
    """What is proved of each verified point.

    Returns
    -------
    list of (str, int, str, str)
        ``"minimum"`` or ``"transition state"``, its id, the outcome (a key of
        `CERTIFICATES`, or `NOT_YET`), and the same with the number that decided it.
    """
    return [
        (name, point.id(), *_outcome(point))
        for kind, name, _ in _KINDS
        for point in _verified(database, kind)
    ]


def count_certificates(database):
    """Counts of verified points by outcome, and how many are proved; empty if none was ever tried.

    Returns
    -------
    certified : dict
        Counts by outcome.
    proved : dict
        ``minima`` and ``transition_states``: how many there are at least.
    """
    found = certificates(database)
    if all(outcome == NOT_YET for _, _, outcome, _ in found):
        return {}, {}
    proved = Counter(name for name, _, outcome, _ in found if outcome == CERTIFIED)
    return dict(sorted(Counter(outcome for _, _, outcome, _ in found).items())), {
        "minima": proved["minimum"],
        "transition_states": proved["transition state"],
    }


def _verified(database, kind):
    return filter(is_verified, database.session.query(kind).order_by(kind._id))


def _known(point):
    """The certificate of a point as it is now, and the id of another that it may be like."""
    note = notes(point).get(_NOTE)
    if note is None or note["method"] != _METHOD or note["digest"] != _digest(point):
        return None
    rest = {k: v for k, v in note.items() if k not in ("digest", "method", "like")}
    return Certificate(**rest), note.get("like")


def _outcome(point):
    known = _known(point)
    if known is None:
        return NOT_YET, NOT_YET
    certificate, like = known
    if certificate.outcome == CERTIFIED and like is not None:
        return LIKE, f"{LIKE} from {like}"
    return certificate.outcome, certificate.why


def _digest(point):
    coords = np.ascontiguousarray(point.coords, dtype=np.float64)
    return hashlib.sha256(coords.tobytes()).hexdigest()


def _tell_apart(enclosure, database, kind):
    """Note on each certified point an earlier one of which it may be an image, or none.

    Two points are different where the intervals of their energies are disjoint, or
    no image of one ball touches the other. What is left is a set of points any two
    of which are different.
    """
    found = []
    for point in _verified(database, kind):
        certificate, _ = _known(point) or (None, None)
        if certificate is not None and certificate.outcome == CERTIFIED:
            found.append((certificate.energy, certificate.radius, point))
    like = dict.fromkeys((point.id() for *_, point in found))
    pairs = {}
    below = []  # of those that come before by energy, the ones that may still reach up here
    for (low, high), radius, point in sorted(found, key=lambda entry: entry[0]):
        below = [entry for entry in below if entry[0] >= low]
        for _, other_radius, other in below:
            apart = enclosure.distance(np.asarray(other.coords), np.asarray(point.coords))
            # one rounding of the sum at most
            if not apart > np.nextafter(radius + other_radius, np.inf):
                first, second = sorted((other.id(), point.id()))
                pairs.setdefault(second, []).append(first)
        below.append((high, radius, point))
    for second in sorted(pairs):
        like[second] = next((first for first in sorted(pairs[second]) if like[first] is None), None)
    for *_, point in found:
        note = notes(point)[_NOTE]
        if note.get("like") != like[point.id()]:
            point.user_data = {**notes(point), _NOTE: {**note, "like": like[point.id()]}}
