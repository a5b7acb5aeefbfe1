"""Bootstrap intervals of any figure of some samples.

What it takes of scipy.stats is imported where it is used: that is a third of the time in
which the command line starts.
"""

import warnings

import numpy as np

__all__ = ["LEVEL", "interval", "rank_correlation", "share_interval"]

LEVEL = 0.95  # of all intervals
_RESAMPLES = 1000


def interval(statistic, *samples, paired=False):
    """The bootstrap interval of a statistic, by percentiles, at the level `LEVEL`.

    Parameters
    ----------
    statistic : callable
        ``statistic(*samples, axis)``, for many resamples at once: of arrays along an axis.
    *samples : array_like, shape (n,)
    paired : bool
        The samples belong together, one to one, and are drawn together.

    Returns
    -------
    list of float, or None
        Lower and upper end; None where a sample has less than two entries, or the
        statistic is not defined for every resample.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    if any(len(sample) < 2 for sample in samples):
        return None
    with warnings.catch_warnings():
        # of a statistic that is not defined everywhere: the interval says so
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = bootstrap(
            tuple(map(np.asarray, samples)),
            statistic,
            n_resamples=_RESAMPLES,
            paired=paired,
            vectorized=True,
            method="percentile",
            confidence_level=LEVEL,
            random_state=np.random.default_rng(0),
        )
    ends = found.confidence_interval
    return [float(end) for end in ends] if np.isfinite(ends).all() else None


def share_interval(k, n):
    """The interval of a share of which `k` of `n` independent cases are known, at `LEVEL`.

    Where none or all are, it has a width, which a bootstrap has not.

    Parameters
    ----------
    k, n : int

    Returns
    -------
    list of float

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).
    """
    from scipy.stats import binomtest

    ends = binomtest(int(k), int(n)).proportion_ci(LEVEL, method="wilson")
    return [float(end) for end in ends]


def rank_correlation(one, other, axis=-1):
    """Spearman's correlation along an axis; NaN where one of the two is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=axis) for values in (one, other)]
    ranks = [r - r.mean(axis=axis, keepdims=True) for r in ranks]
    product, *squares = ((a * b).sum(axis=axis) for a, b in (ranks, [ranks[0]] * 2, [ranks[1]] * 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return product / np.sqrt(squares[0] * squares[1])
