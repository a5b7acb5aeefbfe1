"""How far the measures can be trusted: minima that are missing, barriers that may still fall."""

import numpy as np

from ..resampling import LEVEL
from .figures import coverage
from .thermodynamics import (
    check_minima,
    frustration,
    heat_capacity,
    shannon_entropy,
    temperature_range,
)

__all__ = [
    "audit_band",
    "band",
    "bands",
    "heat_capacity_curve",
    "missing_minima",
    "with_missing_minima",
]

_RESAMPLES = 400
_POINTS = 200  # of a curve
_MOST = 1000  # times the known minima: more than that are not added
_MEASURES = {
    "shannon_entropy": shannon_entropy,
    "heat_capacity": heat_capacity,
    "frustration": frustration,
    "frustration_normalised": lambda *args: frustration(*args, normalised=True),
}


def missing_minima(network):
    """What independent quenches say of the minima that are not known.

    Parameters
    ----------
    network : TransitionNetwork
        With `hits`.

    Returns
    -------
    dict or None
        ``unseen_mass``, the probability that a further quench ends in a minimum that no
        quench has found (Good and Turing: f1 / n, f1 minima found once in n quenches), and
        ``n_unseen``, how many such there are at least (Chao). Some of them the search may have
        met in other ways. None without quenches.

    References
    ----------
    I. J. Good, Biometrika 40, 237 (1953); A. Chao, Scand. J. Statist. 11, 265 (1984).
    """
    if network.hits is None:
        return None
    hits = network.hits[network.hits > 0]
    seen = coverage(hits.tolist())
    if seen["good_turing"] is None:
        return None
    return {
        "unseen_mass": float(1 - seen["good_turing"]),
        "n_unseen": float(max(seen["chao1"] - hits.size, 0.0)),
    }


def with_missing_minima(network, n=_RESAMPLES, seed=0):
    """Networks as they might be if all minima that quenches can reach were known.

    In each the known minima stay as they are, and as many are added as no quench has seen. The
    number is Chao's f1^2 / 2 f2, with f1 and f2 (minima found once, twice) drawn from their
    posterior as Poisson counts. An added minimum is a copy, energy, determinant, order and
    barrier, of one that quenches found once, for what is rare is the best example of what was
    not seen. Which, is drawn by weights after the Bayesian bootstrap.

    This is a model. Chao's number is a lower bound: where quenches have seen little, so is the
    width of the bands. Minima that the search met in other ways are not subtracted, as nobody
    knows how many of them are among the unseen: this makes the bands wider. No added minimum
    is lower than the lowest that is known.

    Parameters
    ----------
    network : TransitionNetwork
    n : int
    seed : int

    Returns
    -------
    ndarray, shape (n, n_minima), or None
        How many minima each known one stands for: ``copies`` of
        `nnpotential.analysis.thermodynamics`. None without quenches.

    References
    ----------
    D. B. Rubin, Ann. Stat. 9, 130 (1981).
    """
    if missing_minima(network) is None:
        return None
    hits = network.hits
    once, twice = (hits == 1).sum(), (hits == 2).sum()
    draw = np.random.default_rng(seed)
    copies = np.ones((n, len(network)))
    if not once:
        return copies
    wanted = draw.gamma(once, 1.0, n) ** 2 / (2 * draw.gamma(twice + 1, 1.0, n))
    wanted = np.minimum(np.round(wanted), _MOST * len(network)).astype(np.int64)
    donors = np.flatnonzero(hits == 1)
    weights = draw.dirichlet(np.ones(donors.size), n)
    for row, number, odds in zip(copies, wanted, weights, strict=True):
        row[donors] += draw.multinomial(number, odds)
    return copies


def band(value, cases):
    """The interval at `LEVEL` of some cases, widened to hold what was found.

    Parameters
    ----------
    value : float
    cases : array_like

    Returns
    -------
    [float, float]
    """
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(cases, [tail, 100 - tail])
    return [float(min(low, value)), float(max(high, value))]


def heat_capacity_curve(network, copies=None):
    """The heat capacity between the temperatures where occupations change, and its band.

    Parameters
    ----------
    network : TransitionNetwork
    copies : ndarray, optional
        From `with_missing_minima`; without them there is no band.

    Returns
    -------
    dict of str to list of float
        ``temperatures``, ``heat_capacity``, and of the band ``low`` and ``high``.
    """
    temperatures = np.unique(np.geomspace(*temperature_range(network), _POINTS))
    values = [float(heat_capacity(network, t)) for t in temperatures]
    curve = {"temperatures": temperatures.tolist(), "heat_capacity": values}
    if copies is not None:
        cases = [heat_capacity(network, t, copies) for t in temperatures]
        ends = [band(value, case) for value, case in zip(values, cases, strict=True)]
        curve["low"], curve["high"] = map(list, zip(*ends, strict=True))
    return curve


def audit_band(network, value):
    """The interval of something in proportion to barriers, by the barrier audit's interval.

    The audit says by what share the mean barrier may still fall; all are taken to fall by
    that.

    Returns
    -------
    [float, float] or None
        None without an audit.
    """
    if not network.audit:
        return None
    least, most = network.audit["interval"]
    return [float(value * (1 - most)), float(value * (1 - least))]


def bands(network, temperature, copies=None):
    """How far Shannon entropy, heat capacity and frustration may be off, at a temperature.

    Parameters
    ----------
    network : TransitionNetwork
    temperature : float
    copies : ndarray, optional
        From `with_missing_minima`; by default made anew.

    Returns
    -------
    dict of str to dict
        By measure: ``missing_minima``, the interval at `LEVEL` under the model of
        `with_missing_minima`; of the frustrations also ``barriers``, see `audit_band`, and
        ``both``. What is not known is not there.
    """
    check_minima(network)
    copies = with_missing_minima(network) if copies is None else copies
    found = {}
    for name, measure in _MEASURES.items():
        value, entry = float(measure(network, temperature)), {}
        if not np.isfinite(value):
            continue
        if copies is not None:
            entry["missing_minima"] = band(value, measure(network, temperature, copies))
        if name.startswith("frustration") and (lowered := audit_band(network, value)):
            entry["barriers"] = lowered
            if copies is not None:
                low, high = entry["missing_minima"]
                entry["both"] = [audit_band(network, low)[0], audit_band(network, high)[1]]
        if entry:
            found[name] = entry
    return found
