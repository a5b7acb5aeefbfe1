"""How barriers are lowered: each way as far as it has paid lately, until none pays any more.

Every minimum's barrier has one bottleneck, the highest transition state of its
lowest path. What is tried is always about one of them: the one that matters
most for how often it was tried.
"""

from collections import Counter

from .ways import WAYS

__all__ = ["Lowering", "next_attempt"]

_FORGET = 0.95  # what is left of a gain when the same way has been tried once more
_LEAST = 0.08  # the share of every way, whatever it gains
_ROUND = 16, 4, 200  # attempts in a round: at least, for each minimum asked about, and at most
FLAT = 0.02  # the gain of a round, relative to the mean barrier, below which it is the last


class Lowering:
    """What was tried to lower barriers, what it gained, and whether it still pays.

    A multi-armed bandit: of the cost, each way gets a share in proportion to
    what a unit of it has gained lately. Costs are evaluations of the potential
    and gains are taken in the order of merging, so that the same seed decides
    the same on any machine.

    Parameters
    ----------
    noted : dict
        Where all of it is kept, in plain numbers; filled if it is empty.

    References
    ----------
    The shares follow P. Auer, N. Cesa-Bianchi, Y. Freund and R. E. Schapire,
    SIAM J. Comput. 32, 48 (2002), with forgetting; they are dealt out without chance.
    """

    def __init__(self, noted):
        self._noted = noted
        if not noted:
            noted |= {"ways": {}, "given_out": 0, "merged": 0}
            noted |= {"since": 0, "from": None, "for": None, "settled_for": None}
        for way in WAYS:
            noted["ways"].setdefault(way, {"gain": 0.0, "cost": 0.0, "credit": 0.0})
        self.tries = Counter()  # by edge

    def shares(self):
        """What share of the cost each way gets."""
        ways = self._noted["ways"]
        rates = {way: w["gain"] / w["cost"] if w["cost"] else None for way, w in ways.items()}
        known = [rate for rate in rates.values() if rate is not None]
        hope = max(known, default=1.0) or 1.0  # of a way that was never tried
        rates = {way: hope if rate is None else rate for way, rate in rates.items()}
        total = sum(rates.values())
        if total == 0:
            return dict.fromkeys(rates, 1 / len(rates))
        spare = 1 - _LEAST * len(rates)
        return {way: _LEAST + spare * rate / total for way, rate in rates.items()}

    def ways(self):
        """The ways, the one whose turn it is first."""
        shares, ways = self.shares(), self._noted["ways"]
        return sorted(ways, key=lambda way: -(ways[way]["credit"] + shares[way]))

    def charge(self, way):
        """A way has its turn: the others come nearer to theirs."""
        ways = self._noted["ways"]
        one, usual = ways[way], self._usual_cost()
        expected = (one["cost"] / one["n"] if one.get("n") else usual) / usual
        for name, share in self.shares().items():
            ways[name]["credit"] += share * expected
        one["credit"] -= expected
        self._noted["given_out"] += 1

    def _usual_cost(self):
        """Of an attempt, whatever the way."""
        ways = self._noted["ways"].values()
        tried = [one["cost"] / one["n"] for one in ways if one.get("n")]
        return sum(tried) / len(tried) if tried else 1.0

    @property
    def n_given_out(self):
        """Attempts so far."""
        return self._noted["given_out"]

    def learn(self, way, gain, cost):
        """An attempt is merged; no cost is that of one which was set aside, and not known."""
        one, cost = self._noted["ways"][way], cost or self._usual_cost()
        one["gain"] = _FORGET * one["gain"] + gain
        one["cost"] = _FORGET * one["cost"] + cost
        one["n"] = _FORGET * one.get("n", 0.0) + 1
        self._noted["merged"] += 1

    def settle(self, before, after, n_targets):
        """See at the end of a round whether it paid.

        Parameters
        ----------
        before, after : float
            The mean barrier of so many minima before and after the last attempt.
        n_targets : int
        """
        noted = self._noted
        if noted["from"] is None or noted["for"] != n_targets:
            # a round begins with this attempt: means of other minima cannot be compared
            noted |= {"since": noted["merged"] - 1, "from": before, "for": n_targets}
        if noted["merged"] - noted["since"] < _round(n_targets):
            return
        if noted["from"] - after <= FLAT * noted["from"]:
            noted["settled_for"] = n_targets
        noted["since"], noted["from"] = noted["merged"], after

    def is_settled(self, n_targets):
        """Whether the barriers of so many minima are no longer falling."""
        return self._noted["settled_for"] == n_targets

    def progress(self, n_targets, limit):
        """Attempts that are merged, and how many there will be at least."""
        merged = self._noted["merged"]
        if limit is not None:
            return merged, max(limit, merged)
        if self.is_settled(n_targets):
            return merged, merged
        return merged, self._noted["since"] + _round(n_targets)

    def unsettle(self):
        """Go on for another round at least."""
        self._noted["settled_for"] = self._noted["from"] = None
        self._noted["since"] = self._noted["merged"]


def _round(n_targets):
    least, each, most = _ROUND
    return min(max(least, each * n_targets), most)


def next_attempt(known, bottlenecks, ways, draw):
    """The next attempt to lower some barriers.

    Parameters
    ----------
    known : Known
    bottlenecks : list of Bottleneck
    ways : sequence of str
        Some of `WAYS`, in the order in which they are considered.
    draw : numpy.random.Generator
        Of the minima that are looked at where there are many.

    Returns
    -------
    tuple or None
        The way, the two minima of the bottleneck's edge, and the pair, or the
        minimum, mode and side, to try there.
    """
    tries = known.lowering.tries
    found = sorted(bottlenecks, key=lambda b: (-b.weight / (1 + tries[b.edge]), b.edge))
    for way in ways:
        for bottleneck in found:
            what = WAYS[way].propose(known, bottleneck, draw)
            if what is not None:
                return way, *bottleneck.edge, *what
    return None
