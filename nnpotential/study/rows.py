"""The figures of each landscape of a study, and their means over seeds with intervals."""

import json
from collections import defaultdict
from contextlib import closing, suppress

import numpy as np
from scipy import stats

from ..analysis.figures import coverage, distinct_energies
from ..analysis.funnel import downhill_barriers, monotonic_sequence_basins, spread
from ..analysis.thermodynamics import frustration, heat_capacity_peaks
from ..files import atomic_write
from ..landscape import Landscape
from ..settings import DATABASE

__all__ = ["ALL", "FIGURES", "RUNS", "figures_of", "means", "row_of", "sample_of"]

# quasi-Newton, SGD and Adam on exactly our loss, and as practitioners call them
_METHODS = ("lbfgs", "sgd-0.3-32", "adam-0.01-32", "sklearn-adam")
RUNS = 20
_FEW = 0.5  # of a sample, joined to the lowest, below which nothing is said of barriers
_ENOUGH = 3  # seeds for an interval: of two, Student's is thirteen times their error
_CACHE = "study.json"  # in the landscape's directory, with what it follows from

# what is told of a landscape, with its unit
FIGURES = {
    "n_different": "different minima of the quenches",
    "n_by_energy": "of these, one within an energy of 1e-4",
    "coverage": "coverage (Good-Turing)",
    "lowest": "lowest energy",
    "spread": "spread of the energies (standard deviation)",
    "mean_barrier": "mean barrier to the lowest",
    "barrier_over_spread": "mean barrier / spread",
    "barrier_over_peak": "mean barrier / T of the highest peak of C_v",
    "downhill_over_spread": "median downhill barrier / spread",
    "basins_share": "monotonic sequence basins / minima",
    "frustration": "normalised frustration at T = spread",
    **{
        f"reach {name}": f"ends of {name}, quenched: mean above the lowest / spread"
        for name in _METHODS
    },
    "joined": "share of them joined to the lowest",
}
ALL = {*FIGURES, "quartiles", "n_states"}


def sample_of(network):
    """The network among the minima that are measured: those of quenches, a sample, or grown."""
    return network.among(np.flatnonzero(network.measured))


def row_of(path, runs=RUNS):
    """The figures of a landscape.

    Parameters
    ----------
    path : pathlib.Path
        Its directory.
    runs : int
        Of each method of training; with 0 nothing is trained.

    Returns
    -------
    dict
        Of `FIGURES`, with ``audit``, the barrier audit, ``quartiles`` of the barriers over
        the spread, ``n_minima`` and ``n_states`` of the whole network, and what a picture
        needs: ``energies``, ``ends``, ``heights`` of its sample.
    """
    of = [_written(path), runs]  # what is found meanwhile may not be in the row
    with suppress(OSError, ValueError, KeyError):  # then it is made anew
        kept = json.loads((path / _CACHE).read_text(encoding="utf-8"))
        if kept["of"] == of and {*kept["row"]} >= ALL:
            return kept["row"]
    with closing(Landscape.open(path)) as land:
        row = figures_of(land.network())
        row |= {f"reach {name}": None for name in _METHODS} | _reach(land, row["spread"], runs)
    with atomic_write(path / _CACHE, durable=False) as file:
        json.dump({"of": of, "row": row}, file)
    return row


def _written(path):
    """When something was last found; the summary is written by those, too, who only train."""
    database = path / DATABASE
    return database.stat().st_mtime_ns if database.exists() else None


def _reach(land, width, runs):
    """How far above the lowest minimum training ends, where there is a network to train."""
    if not land.system.trainers or not width or not runs:
        return {}
    found = land.reach(methods=_METHODS, runs=runs, draw=False)["methods"]
    means = {name: found[name]["above_lowest"]["mean"] for name in _METHODS}
    return {f"reach {name}": m / width for name, m in means.items() if m is not None}


def figures_of(network):
    """What is told of a landscape's network, but for what training reaches.

    Parameters
    ----------
    network : TransitionNetwork
        With ``hits``, or grown.

    Returns
    -------
    dict
        See `row_of`.
    """
    sample = sample_of(network)
    barriers = sample.barriers()
    joined = float(np.isfinite(barriers).mean())
    known = barriers[np.isfinite(barriers) & (np.arange(len(sample)) != sample.lowest)]
    downhill = downhill_barriers(sample)
    downhill = downhill[np.isfinite(downhill)]
    if joined < _FEW:  # those that are joined are the near ones
        known = downhill = known[:0]
    width, peaks = spread(sample), heat_capacity_peaks(sample)
    peak = max(peaks, key=lambda peak: peak.heat_capacity).temperature if peaks else None
    return {
        "n_different": len(sample),
        "n_by_energy": distinct_energies(sample.minima.energies),
        "coverage": coverage([] if sample.hits is None else sample.hits[sample.hits > 0].tolist())[
            "good_turing"
        ],
        "lowest": float(network.minima.energies.min()),
        "spread": width,
        "mean_barrier": _mean(known),
        "barrier_over_spread": _mean(known) / width if known.size and width else None,
        "barrier_over_peak": _mean(known) / peak if known.size and peak else None,
        "downhill_over_spread": float(np.median(downhill)) / width
        if downhill.size and width
        else None,
        "basins_share": len(np.unique(monotonic_sequence_basins(network))) / len(network),
        "frustration": float(frustration(sample, width, normalised=True))
        if known.size and width
        else None,
        "joined": joined,
        "audit": network.audit if known.size else {},
        "quartiles": np.quantile(known / width, (0.25, 0.5, 0.75)).tolist()
        if known.size and width
        else None,
        "n_minima": len(network),
        "n_states": int((network.ends[:, 0] != network.ends[:, 1]).sum()),
        "energies": sample.minima.energies.tolist(),
        "ends": sample.ends.tolist(),
        "heights": sample.states.energies.tolist(),
    }


def _mean(values):
    return float(values.mean()) if values.size else None


def means(rows, by):
    """Means over seeds, with 95 % intervals of the mean (Student).

    Parameters
    ----------
    rows : list of dict
    by : sequence of str
        What rows of one group have in common.

    Returns
    -------
    dict
        By the values of `by`, in order: figure to (mean, half the interval or None where
        there are fewer than three landscapes, number).
    """
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in by)].append(row)
    return {
        key: {name: _interval([row[name] for row in groups[key]]) for name in FIGURES}
        for key in sorted(groups)
    }


def _interval(values):
    values = np.array([v for v in values if v is not None], dtype=float)
    values = values[np.isfinite(values)]
    if not values.size:
        return None, None, 0
    half = None
    if values.size >= _ENOUGH:
        half = float(stats.sem(values) * stats.t.ppf(0.975, values.size - 1))
    return float(values.mean()), half, int(values.size)
