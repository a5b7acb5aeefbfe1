"""The barrier audit: how far all barriers may still fall, from much more effort on a few."""

import numpy as np

from .lowering import WAYS

__all__ = ["EFFORT", "Audit", "barrier_audit"]

EFFORT = 16  # attempts for each minimum of the sample
_RESAMPLES = 2000
_LEVEL = 0.95


class Audit:
    """The sample, and its barriers before, half-way and after.

    Parameters
    ----------
    noted : dict
        Where all of it is kept, in plain numbers; filled if it is empty.
    """

    def __init__(self, noted):
        self._noted = noted
        if not noted:
            noted |= {"round": 0, "sample": [], "of": 0, "given_out": 0, "merged": 0}
            noted |= {"made": 0, "before": [], "half": [], "after": []}

    @property
    def sample(self):
        """Ids of the minima that are audited."""
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

    def begin(self, barriers, of, size, draw):
        """Draw a sample of the minima whose barriers are known, from `of` that are asked about."""
        noted = self._noted
        noted["round"] += 1
        ids = sorted(barriers)
        sample = sorted(draw.choice(ids, min(size, len(ids)), replace=False).tolist())
        noted |= {"sample": sample, "of": of, "given_out": 0, "merged": 0, "made": 0}
        noted |= {"before": [barriers[i] for i in sample], "half": [], "after": []}

    def next(self):
        """The minimum whose turn it is and the way to try first, or None at the end."""
        number = self._noted["given_out"]
        if number >= EFFORT * len(self.sample):
            return None
        turn, who = divmod(number, len(self.sample))
        return self.sample[who], list(WAYS)[turn % len(WAYS)]

    def progress(self):
        """Attempts that are merged, and how many there will be."""
        return self._noted["merged"], EFFORT * len(self.sample)

    def is_over(self):
        """Whether all attempts at the sample, if there is one, are merged."""
        done, total = self.progress()
        return done == total

    def give_out(self):
        """An attempt is handed out, or there is none to make."""
        self._noted["given_out"] += 1

    def merge(self, barriers, made=True):
        """An attempt is merged, or there was none to make; the sample's barriers are these now."""
        noted = self._noted
        noted["merged"] += 1
        noted["made"] += made
        total = EFFORT * len(self.sample)
        pairs = zip(self.sample, noted["before"], strict=True)
        now = [barriers.get(i, before) for i, before in pairs]
        if noted["merged"] == total // 2:
            noted["half"] = now
        if noted["merged"] == total:
            noted["after"] = now

    def is_short_of(self, share):
        """Whether it is over and expects the mean barrier to fall by more than a share, if any."""
        stands = share and not self.is_of(0)  # one that was discarded says nothing any more
        found = barrier_audit(self._noted) if stands else None
        return found is not None and found["fall"] > share

    def discard(self):
        """Another sample is wanted."""
        self._noted["of"] = 0


def barrier_audit(noted):
    """How far all barriers may still fall, from an audit that is over.

    Parameters
    ----------
    noted : dict
        Of an `Audit`.

    Returns
    -------
    dict or None
        ``n_sampled``, ``n_attempts``; ``fall``, the estimated relative fall of the
        mean barrier; ``interval``, at a level of 95 %. None without an audit.

    Notes
    -----
    The fall of the sample is a ratio of sums. Its lower end is the bootstrap's.
    At the upper end each barrier also falls once more by what the second half of
    the effort gained, and one more minimum is taken to fall as far as that which
    fell furthest, at least by a tenth: that none of ten fell does not mean that
    none will (B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993).
    """
    if not noted or not noted["after"]:
        return None
    before, half, after = (np.array(noted[when]) for when in ("before", "half", "after"))
    fell, further = before - after, half - after
    total = before.sum()
    if total <= 0:
        return None
    n = before.size
    worst = max(0.1, float((fell / np.where(before > 0, before, 1.0)).max()))
    doubtful = np.append(fell + further, worst * before.mean()), np.append(before, before.mean())
    draw = np.random.default_rng(0)
    tail = 50 * (1 - _LEVEL)

    def percentile(fell, before, q):
        picks = draw.integers(0, before.size, (_RESAMPLES, before.size))
        shares = fell[picks].sum(axis=1) / np.maximum(before[picks].sum(axis=1), 1e-300)
        return float(np.percentile(shares, q))

    return {
        "n_sampled": n,
        "n_attempts": noted["made"],
        "fall": float(fell.sum() / total),
        "interval": [percentile(fell, before, tail), min(1.0, percentile(*doubtful, 100 - tail))],
        "level": _LEVEL,
    }
