"""The barrier audit: how far all barriers may still fall, from much more effort on a few."""

import numpy as np

from ..resampling import LEVEL
from .ways import WAYS

__all__ = ["EFFORT", "Audit", "barrier_audit", "from_now"]

EFFORT = 8  # attempts at each bottleneck of the sample
_RESAMPLES = 1000
_DOUBLINGS = 3  # of the effort, that the upper end foresees
_USUAL = 0.25  # at least the share by which a barrier falls of which no example was seen


class Audit:
    """The sample, and its barriers before, half-way and after.

    What is sampled are bottlenecks, each with all the minima that have it: they
    fall together. They are drawn with a probability in proportion to the sum of
    their barriers, as auditors draw by monetary units.

    Parameters
    ----------
    noted : dict
        Where all of it is kept, in plain numbers; filled if it is empty.
    """

    def __init__(self, noted):
        self._noted = noted
        if not noted:
            noted |= {"round": 0, "sample": [], "of": 0, "given_out": 0, "merged": 0}
            noted |= {"made": 0, "new": 0, "before": [], "half": [], "after": []}
            noted |= {"rest": [], "rest_after": 0.0, "last": None}

    @property
    def sample(self):
        """Ids of the minima that are audited, by bottleneck."""
        return self._noted["sample"]

    def is_of(self, n_targets):
        """Whether the sample was drawn from so many minima."""
        return self._noted["of"] == n_targets

    @property
    def round(self):
        """How many samples were drawn."""
        return self._noted["round"]

    @property
    def n_given_out(self):
        """Attempts of this sample so far."""
        return self._noted["given_out"]

    def begin(self, bottlenecks, of, size, draw):
        """Draw a sample of the bottlenecks of `of` minima that are asked about."""
        noted = self._noted
        # what the one before has found stands until this one is over
        noted["last"] = barrier_audit(noted)
        noted["round"] += 1
        found = [b for b in bottlenecks if b.weight > 0]
        sums = np.array([b.weight for b in found])
        n = min(size, len(found))
        chosen = sorted(draw.choice(len(found), n, replace=False, p=sums / sums.sum()).tolist())
        members = [sorted(found[k].barriers.items()) for k in chosen]
        noted |= {"of": of, "given_out": 0, "merged": 0, "made": 0, "new": 0}
        noted["sample"] = [[i for i, _ in group] for group in members]
        noted["before"] = [[barrier for _, barrier in group] for group in members]
        noted |= {"half": [], "after": [], "rest": np.delete(sums, chosen).tolist()}

    def next(self):
        """The minima whose turn it is and the way to try first, or None at the end."""
        number = self._noted["given_out"]
        if number >= EFFORT * len(self.sample):
            return None
        turn, who = divmod(number, len(self.sample))
        return self.sample[who], list(WAYS)[turn % len(WAYS)]

    def progress(self):
        """Attempts that are merged, and how many there will be."""
        return self._noted["merged"], EFFORT * len(self.sample)

    def give_out(self):
        """An attempt is handed out, or there is none to make."""
        self._noted["given_out"] += 1

    def merge(self, barriers, new):
        """An attempt is merged, or there was none to make.

        Parameters
        ----------
        barriers : dict of int to float
            Of all minima that are asked about, as they are now.
        new : bool or None
            Whether the attempt found a new transition state; None if there was none.
        """
        noted = self._noted
        noted["merged"] += 1
        noted["made"] += new is not None
        done, total = self.progress()
        noted["new"] += bool(new) and done > total // 2
        if done not in (total // 2, total):
            return
        noted["half" if done < total else "after"] = [
            sum(barriers.get(i, was) for i, was in zip(*group, strict=True))
            for group in zip(self.sample, noted["before"], strict=True)
        ]
        sampled = {i for group in self.sample for i in group}
        noted["rest_after"] = sum(b for i, b in barriers.items() if i not in sampled)

    def is_over(self):
        """Whether all attempts at the sample, if there is one, are merged."""
        done, total = self.progress()
        return done == total

    def is_short_of(self, share):
        """Whether it is over and expects the mean barrier to fall by more than a share, if any."""
        # one that was discarded, or is not over, says nothing of what is known now
        stands = share and not self.is_of(0) and self.is_over()
        found = from_now(barrier_audit(self._noted)) if stands else None
        return found is not None and found["fall"] > share

    def discard(self):
        """Another sample is wanted."""
        self._noted["of"] = 0


def barrier_audit(noted):
    """How far all barriers may still fall, from an audit that is over.

    Parameters
    ----------
    noted : dict
        Of an `Audit`; while it is under way, the answer is that of the one before.

    Returns
    -------
    dict or None
        ``n_sampled``, bottlenecks; ``n_attempts``, of those planned those that were left to
        make; ``fall``, the estimated relative
        fall of the mean barrier from before the audit; ``interval``, at a ``level``
        of 95 %; ``seen``, what of it has happened in the audit. None without an audit.

    Notes
    -----
    What is left of the sampled barriers is known. Each bottleneck outside the sample
    is taken to fall by the share of one in the sample: that is unbiased, for the sample
    was drawn by the sum of barriers (M. H. Hansen and W. N. Hurwitz, Ann. Math. Stat. 14,
    333 (1943)). The interval is that of such predictions, with weights of the sample after
    the Bayesian bootstrap (D. B. Rubin, Ann. Stat. 9, 130 (1981)); where all bottlenecks
    were sampled nothing of it is left. The lower end is not below what was seen to fall:
    barriers are upper bounds, so that is certain.

    At the upper end all barriers, sampled or not, fall three times more, each time by the share
    of one in the sample in the second half of the effort, as if the effort were doubled
    again and again: it is what eight times the effort might find. That nothing fell does not
    mean that nothing will: among the examples is one more, which was not seen, with a fall
    like the furthest. It weighs as much as the share of late attempts that still found a new
    transition state (with the estimate of Laplace, (k + 1) / (n + 1)), for one that finds only
    what is known lowers nothing, however often it is repeated: the estimate of Good and Turing
    for the chance of something new. So an attempt that there was none left to make, since all of
    its kind were made before, counts as one that found nothing. The furthest fall of all is
    unknown where none fell, and then taken to be a quarter: this is an assumption.

    Few bottlenecks with all their minima, drawn by weight, tell more than as many minima:
    of 30 minima twenty bottlenecks hold 98 % of the sum of barriers. Most falls come in the first
    attempts, so eight each suffice; ``benchmarks/audit.py`` compares with the truth.
    """
    if not noted:
        return None
    if not noted["after"]:
        return noted.get("last")
    before = np.array([sum(group) for group in noted["before"]])
    half, after, rest = (np.array(noted[name]) for name in ("half", "after", "rest"))
    n = before.size
    total = before.sum() + rest.sum()

    def fallen(*left):
        return 1 - sum(np.sum(part, axis=-1) for part in left) / total

    share = np.clip(1 - after / before, 0, 1)
    late = np.clip(1 - after / np.where(half > 0, half, np.inf), 0, 1) * (half > 0)
    doubt = (noted["new"] + 1) / (n * (EFFORT - EFFORT // 2) + 1)
    unseen = [max(_USUAL, examples.max()) for examples in (share, late)]
    shares, lates = (np.append(s, u) for s, u in zip((share, late), unseen, strict=True))
    draw = np.random.default_rng(0)
    weights = draw.standard_gamma(np.append(np.ones(n), doubt), (_RESAMPLES, n + 1))
    each = np.arange(_RESAMPLES)[:, np.newaxis]

    def like(size, upto):
        """Which example each of so many bottlenecks follows, in every resample."""
        odds = weights[:, :upto].cumsum(axis=1)
        odds /= odds[:, -1:]
        at = np.searchsorted((odds + each).ravel(), draw.random((_RESAMPLES, size)) + each)
        return at - upto * each

    low = fallen(after, rest * (1 - shares[like(rest.size, n)]))
    left = rest * (1 - shares[like(rest.size, n + 1)])
    left = np.hstack([np.broadcast_to(after, (_RESAMPLES, n)), left])
    for _ in range(_DOUBLINGS):
        left = left * (1 - lates[like(left.shape[1], n + 1)])
    high = fallen(left)
    tail = 50 * (1 - LEVEL)
    seen = max(0.0, float(fallen(after, noted["rest_after"])))
    fall = max(seen, float(fallen(after, rest * (1 - share.mean()))))
    return {
        "n_sampled": n,
        "n_attempts": noted["made"],
        "fall": fall,
        "seen": seen,
        "interval": [
            min(fall, max(seen, float(np.percentile(low, tail)))),
            max(fall, float(np.percentile(high, 100 - tail))),
        ],
        "level": LEVEL,
    }


def from_now(audit):
    """An audit's estimates as shares of the mean barrier that it left, not of that it began with.

    Parameters
    ----------
    audit : dict or None
        From `barrier_audit`.

    Returns
    -------
    dict or None
        With ``fall`` and ``interval`` of what may still come.
    """
    if audit is None:
        return None
    left = 1 - audit["seen"]

    def still(fall):
        return (fall - audit["seen"]) / left if left > 0 else 0.0

    return {**audit, "fall": still(audit["fall"]), "interval": [*map(still, audit["interval"])]}
