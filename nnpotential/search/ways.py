"""Ways to lower a barrier: what each tries at a bottleneck, and how."""

from abc import ABC, abstractmethod
from itertools import islice
from operator import itemgetter

from ..contract import is_large
from ..findings import Findings
from ..points.connect import connect_band, connect_pair, single_ended
from ..points.states import StoredStates

__all__ = ["UPHILL", "WAYS", "beyond_stored"]

_INSIDE, _OUTSIDE = 8, 24  # minima on either side of a bottleneck whose distance is computed
_LOWEST = 5  # minima that those behind a bottleneck are joined to


class Way(ABC):
    """A way: stateless, what it tries is kept in plain numbers."""

    @abstractmethod
    def propose(self, known, bottleneck, draw):
        """What to try, a tuple, or None if nothing is left.

        Parameters
        ----------
        known : Known
        bottleneck : Bottleneck
        draw : numpy.random.Generator
            Of the minima that are looked at where there are many.
        """

    @abstractmethod
    def needs(self, known, *what):
        """What `run` is given besides the system and the stored energies."""

    @abstractmethod
    def run(self, system, energies, *needed):
        """The `Findings` of an attempt."""

    @abstractmethod
    def begin(self, known, *what):
        """An attempt is handed out: it is not proposed again."""

    def end(self, known, found, *what):  # noqa: B027 (most have nothing to do)
        """It is merged, having found so much."""


class _Pair(Way):
    """A band between two minima."""

    def needs(self, known, i, j):
        return known.coords(i), known.coords(j)

    def run(self, system, energies, x1, x2):
        return beyond_stored(system, energies, connect_band, x1, x2)

    def begin(self, known, i, j):
        known.attempts.begin(i, j)

    def end(self, known, found, i, j):
        known.attempts.end(i, j, found)


class Across(_Pair):
    """A band between near minima on both sides of the bottleneck."""

    def propose(self, known, bottleneck, draw):
        inside, outside = (
            members
            if len(members) <= most
            else members.take(draw.choice(len(members), most, replace=False).tolist())
            for members, most in ((bottleneck.trapped, _INSIDE), (bottleneck.beyond, _OUTSIDE))
        )
        return _nearest(known, inside, outside)


class Uphill(Way):
    """A walk up the softest mode that is left of the minima behind the bottleneck."""

    def propose(self, known, bottleneck, draw):
        energy = known.forest.energy
        left = ((i, known.mode_left(i)) for i in bottleneck.trapped)
        ways_up = ((mode, energy[i], i, side) for i, (mode, side) in filter(itemgetter(1), left))
        mode, _, i, side = min(ways_up, default=(None,) * 4)
        return None if i is None else (i, mode, side)

    def needs(self, known, i, mode, side):
        return known.coords(i), mode, side

    def run(self, system, energies, x, mode, side):
        return beyond_stored(system, energies, single_ended, x, mode, side)

    def begin(self, known, *what):
        known.followed.add(what)


class Neighbours(_Pair):
    """A band from the minimum with the highest barrier there to its nearest neighbour."""

    def propose(self, known, bottleneck, draw):
        barriers = bottleneck.barriers
        i = min(barriers, key=lambda i: (known.attempts.n_partners(i), -barriers[i], i))
        forest = known.forest
        return _nearest(known, [i], list(islice(forest.outward(forest.energy[i]), 2 * _OUTSIDE)))


class Downhill(_Pair):
    """Bands all the way from a minimum with a high barrier there to one of the lowest of all."""

    def propose(self, known, bottleneck, draw):
        forest, barriers = known.forest, bottleneck.barriers
        lowest = list(islice(forest.outward(forest.energy[forest.lowest()]), _LOWEST))
        highest = sorted(barriers, key=lambda i: (-barriers[i], i))
        pairs = ((i, j) for j in lowest for i in highest if i != j)
        return next((pair for pair in pairs if not known.attempts.tried(*pair)), None)

    def run(self, system, energies, x1, x2):
        if is_large(system.n_dof):
            return super().run(system, energies, x1, x2)
        # far apart: each band begins where those before it led, be that stored or not
        failures = []
        return Findings(connect_pair(system, x1, x2, failures=failures), failures)


WAYS = {way.__name__.lower(): way() for way in (Across, Uphill, Neighbours, Downhill)}
UPHILL = WAYS["uphill"]


def _nearest(known, inside, outside):
    """The nearest pair that was never tried."""
    pairs = [(i, j) for i in inside for j in outside if i != j and not known.attempts.tried(i, j)]
    return min(zip(known.distances(pairs), pairs, strict=True), default=(None, None))[1]


def beyond_stored(system, energies, attempt, *arguments):
    """What an attempt finds that is not stored, and what it met of that which is.

    Parameters
    ----------
    system : LandscapeSystem
    energies : ndarray
        Of the stored transition states, in ascending order.
    attempt : callable
        One of `points.connect` that takes `failures` and `stored`.
    *arguments
        Of it, after the system.

    Returns
    -------
    Findings
    """
    failures = []
    stored = StoredStates(energies, system.scales.energy_window, system.identity.are_same)
    found = attempt(system, *arguments, failures=failures, stored=stored)
    return Findings(found, failures, met=tuple(stored.met))
