"""Two minima that somebody asks about are joined, and nothing else is searched for."""

from pele.storage import Minimum

from ..points.connect import STRATEGIES
from ..storage import find_point
from .pairs import missing_connection, missing_link

__all__ = ["Joining"]

ASKED = "asked"  # why two minima are joined that somebody named


class Joining:
    """Chooses what to do next, in place of `next_job`: one attempt at a time until two are joined.

    First the two themselves, then, as a search does, the nearest pairs between what
    each of them and the lowest minimum are connected to, then the way over what was met.

    Parameters
    ----------
    one, other : Point
        Stored minima. Which these are is looked up each time, as one may turn out to be
        an image of another and be merged.
    attempts : int
        At most.
    """

    def __init__(self, one, other, attempts):
        self._ends, self._left = (one, other), attempts

    def __call__(self, known, search, stages):
        if known.pending or not self._left:  # what comes back may join them
            return None
        ids = self._ids(known)
        if None in ids or ids[1] in known.forest.component(ids[0]):
            return None
        self._left -= 1
        if not known.attempts.tried(*ids):
            return "connect", *ids, STRATEGIES[0], ASKED
        state, needed = (known.forest, known.attempts, known.distances), set(ids)
        pair = missing_connection(*state, search.connection_attempts, needed)
        pair = missing_link(*state, needed) if pair is None else pair
        return None if pair is None else ("connect", *pair, ASKED)

    def _ids(self, known):
        """The ids of the two, None of one that does not count."""
        at = known.database, known.system.identity
        found = [find_point(*at, Minimum, *end) for end in self._ends]
        return [m.id() if m is not None and m.id() in known.forest else None for m in found]
