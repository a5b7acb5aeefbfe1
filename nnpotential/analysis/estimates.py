"""Verified barriers beside those that are estimated elsewhere: by straight lines, by bands."""

from itertools import pairwise

import networkx as nx
import numpy as np
from pele.storage import Minimum
from scipy.optimize import minimize_scalar
from sqlalchemy.orm import undefer

from ..checks import check_integer
from ..errors import InputError
from ..pulse import tell
from ..quiet import quiet
from ..resampling import LEVEL, interval, share_interval
from .passes import lowest_passes
from .transition_network import TransitionNetwork

__all__ = ["ESTIMATES", "estimate_barriers", "estimate_figures", "highest_on_line"]

# what each is, for tables and figures
ESTIMATES = {
    "line": "straight line",
    "matched": "line, units matched",
    "band": "band, its images",
    "band_path": "band, along its path",
}
_SEED = 0xE571
_ON_LINE, _ON_SEGMENT = 201, 21  # points of a line, and of each segment of a band
_QUANTILES = (0.1, 0.5, 0.9)
_WALL = 1e100  # the energy of one atom within another: such pairs are counted as any


class _Estimate:
    """A job: the highest energy on each way between two minima."""

    name = "estimate"

    @staticmethod
    def run(system, x1, x2):
        potential = system.potential
        _, image = system.identity.align(x1, x2)
        with quiet():
            band = system.createNEB(x1, image).run()
        path = np.array(band.coords).reshape(-1, x1.size)
        return {
            "line": highest_on_line(potential, x1, x2),
            "matched": highest_on_line(potential, x1, image),
            "band": float(potential.energies_gradients(path)[0].max()),
            "band_path": _highest(potential, path, _ON_SEGMENT),
        }


def highest_on_line(potential, x1, x2):
    """The highest energy on the straight line between two points."""
    return _highest(potential, [x1, x2], _ON_LINE)


def _highest(potential, path, n):
    """The highest energy along straight lines through some points: sampled, then refined."""
    path = np.asarray(path)
    shares = np.linspace(0, 1, n)
    best = -np.inf, 0, 0.0
    for k, (one, other) in enumerate(pairwise(path)):
        energies, _ = potential.energies_gradients(one + shares[:, None] * (other - one))
        energies = np.minimum(np.nan_to_num(energies, nan=_WALL), _WALL)
        tell("path", k, unit="segments")
        top = int(np.argmax(energies))
        best = max(best, (float(energies[top]), k, float(shares[top])))
    energy, k, share = best
    one, along = path[k], path[k + 1] - path[k]
    bounds = max(0.0, share - 1 / (n - 1)), min(1.0, share + 1 / (n - 1))
    found = minimize_scalar(
        lambda s: -potential.getEnergy(one + s * along), bounds=bounds, method="bounded"
    )
    return max(energy, min(-float(found.fun), _WALL) if np.isfinite(found.fun) else energy)


def estimate_barriers(system, database, kept, crew, report, *, pairs, of_quenches, seed):
    """Estimate the barriers of a random sample of connected pairs of minima.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    kept : Kept
        Filled: by pair, ``"id-id"``, the highest energies, none of them if its job failed,
        and those ``of`` the minima.
    crew : Crew
    report : callable
    pairs : int
        All, if there are not so many.
    of_quenches : bool
        Only of minima that independent quenches found, or that were grown: for their barriers
        the search cares.
    seed : int

    Returns
    -------
    list of (int, int)
        The ids of the sample.
    """
    network = TransitionNetwork.of_database(database, verified=True)
    sample = _sample(network, check_integer("pairs", pairs, 1), of_quenches, seed)
    if not sample:
        which = "that quenches found " if of_quenches else ""
        raise InputError(
            f"no two minima {which}are connected: connect them first ('explore', 'connect')"
        )
    done = kept.data
    energy = dict(zip(network.minima.ids.tolist(), network.minima.energies.tolist(), strict=True))

    def of(pair):
        return [energy[number] for number in pair]

    # an id may have gone to another minimum since
    todo = [pair for pair in sample if done.get(_key(pair), {}).get("of") != of(pair)]

    def coords(number):
        options = [undefer(Minimum.coords)]
        return np.asarray(database.session.get(Minimum, number, options=options).coords)

    jobs = [(_Estimate(), tuple(map(coords, pair))) for pair in todo]

    def merge(i, result):
        done[_key(todo[i])] = {"of": of(todo[i]), **(result or {})}
        return "minima {} and {}".format(*todo[i])

    kept.do(crew, jobs, merge, "estimates", report)
    return sample


def _key(pair):
    return "{}-{}".format(*pair)


def _sample(network, n_pairs, of_quenches, seed):
    """Different pairs of connected minima: the first of a larger sample are the smaller one."""
    ids = network.minima.ids.tolist()
    wanted = np.ones(len(network), bool)
    if of_quenches:
        wanted = np.zeros_like(wanted) if network.measured is None else network.measured
    groups = [
        [k for k in sorted(group) if wanted[k]]
        for group in nx.connected_components(network.graph())
    ]
    n_of = np.array([len(group) * (len(group) - 1) // 2 for group in groups])
    draw, chosen = np.random.default_rng([seed, _SEED]), {}
    while len(chosen) < min(n_pairs, n_of.sum()):
        group = groups[np.searchsorted(n_of.cumsum(), draw.integers(n_of.sum()), side="right")]
        one, other = sorted(draw.choice(len(group), 2, replace=False).tolist())
        chosen[ids[group[one]], ids[group[other]]] = None
    return list(chosen)


def estimate_figures(system, database, data, sample):
    """How wrong the estimates are, all plain numbers.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    data : dict
        Filled by `estimate_barriers`.
    sample : list of (int, int)

    Returns
    -------
    dict
        ``pairs``: of each the ids, and the barriers above the mean of the two minima,
        ``verified`` and by each of `ESTIMATES`. ``estimates``, by name: ``ratio`` to the
        verified barrier, quantiles, each with its bootstrap interval over pairs; and
        ``below``, the share of pairs where it is lower. All but ``band`` are heights of whole
        paths, so where the lowest of them is below the verified barrier that has not
        converged: ``not_converged`` has the ``share`` of such pairs, their ``ids``, and by
        how much barriers fall, ``fall``: the mean over all pairs, and the largest.
    """
    network = TransitionNetwork.of_database(database, verified=True)
    place = {number: k for k, number in enumerate(network.minima.ids.tolist())}
    asked = sorted({place[number] for pair in sample for number in pair})
    column = {k: i for i, k in enumerate(asked)}
    heights = lowest_passes(network.graph(), asked)
    energies = network.minima.energies
    rows, failed = [], 0
    for pair in sample:
        found = data[_key(pair)]
        if not found.keys() >= ESTIMATES.keys():
            failed += 1
            continue
        one, other = (place[number] for number in pair)
        mean = (energies[one] + energies[other]) / 2
        rows.append(
            {
                "ids": list(pair),
                "verified": float(heights[column[one], column[other]] - mean),
                **{name: found[name] - float(mean) for name in ESTIMATES},
            }
        )
    if not rows:
        raise InputError("every estimate failed three times")
    verified = np.array([row["verified"] for row in rows])
    rounding = system.scales.energy_window

    def lower(values):
        below = values < verified - rounding
        return below, {
            "share": float(below.mean()),
            "interval": share_interval(below.sum(), len(rows)),
        }

    by_name = {name: np.array([row[name] for row in rows]) for name in ESTIMATES}
    path = np.min([values for name, values in by_name.items() if name != "band"], axis=0)
    below, share = lower(path)
    fall = np.where(below, 1 - path / verified, 0.0)
    return {
        "n_pairs": len(rows),
        "n_failed": failed,
        "level": LEVEL,
        "energy_label": system.energy_label,
        "estimates": {
            name: {
                "ratio": {f"{q:g}": _quantile(values / verified, q) for q in _QUANTILES},
                "below": lower(values)[1],
            }
            for name, values in by_name.items()
        },
        "not_converged": {
            **share,
            "fall": {"mean": float(fall.mean()), "largest": float(fall.max())},
            "ids": [row["ids"] for row, low in zip(rows, below, strict=True) if low],
        },
        "pairs": rows,
    }


def _quantile(values, q):
    def statistic(sample, axis=-1):
        return np.quantile(sample, q, axis=axis)

    return {"value": float(statistic(values)), "interval": interval(statistic, values)}
