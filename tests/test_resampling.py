"""Intervals and rank correlations."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from nnpotential.resampling import interval, rank_correlation, share_interval


def test_the_interval_of_a_mean_is_that_of_the_normal_law():
    draw = np.random.default_rng(1)
    sample = draw.normal(3.0, 2.0, 400)
    low, high = interval(np.mean, sample)
    wanted = sample.mean() + np.array([-1.96, 1.96]) * sample.std() / 20
    assert [low, high] == pytest.approx(wanted, abs=0.02)
    assert interval(np.mean, sample) == [low, high]


def test_too_little_has_no_interval():
    assert interval(np.mean, [1.0]) is None
    assert interval(np.mean, [2.0, 2.0, 2.0]) == [2.0, 2.0]

    def undefined(sample, axis=-1):
        return np.full(np.shape(sample)[:-1], np.nan)

    assert interval(undefined, [1.0, 2.0]) is None


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_the_interval_of_a_share_holds_it(share):
    """Also where none was seen, of which a bootstrap would make certainty."""
    for k in np.random.default_rng(0).binomial(200, share, 20):
        low, high = share_interval(k, 200)
        assert 0 <= low <= k / 200 <= high <= 1 and high - low > 0.015
    low, high = share_interval(60, 200)
    assert [low, high] == pytest.approx([0.2408, 0.3667], abs=1e-4)


def test_rank_correlation_is_spearmans():
    draw = np.random.default_rng(0)
    one, other = draw.normal(size=(2, 5, 30)).round(1)  # with ties
    for k in range(5):
        wanted = spearmanr(one[k], other[k]).statistic
        assert rank_correlation(one, other)[k] == pytest.approx(wanted)
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4.0)))


def test_pairs_are_drawn_together():
    x = np.random.default_rng(0).normal(size=50)
    assert interval(rank_correlation, x, -(x**3), paired=True) == pytest.approx([-1, -1])
