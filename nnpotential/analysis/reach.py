"""Which minima the common minimisers reach, and what barriers lie between their ends.

A run trains by one of the system's `trainers`; the point where training ends is quenched,
and the minimum below is named: a stored one that it is an image of, or a new one.
"""

from collections import Counter

import numpy as np
from pele.storage import Minimum
from sqlalchemy.orm import undefer

from ..checks import check_choice, check_integer
from ..errors import InputError
from ..index import points_near
from ..interrupts import uninterrupted
from ..resampling import LEVEL, interval
from ..storage import is_verified, store_minimum
from .figures import quantiles
from .passes import lowest_passes, pair_barriers
from .transition_network import TransitionNetwork

__all__ = [
    "QUENCHES",
    "check_against",
    "check_methods",
    "reach_figures",
    "run_methods",
    "store_new",
]

QUENCHES = "search's quenches"  # what all methods stand beside
_SEED = 0x7EAC4  # tells seeds of runs from those of the search


class _Train:
    """A job: one training run, and the quench from its end."""

    name = "train"

    @staticmethod
    def run(system, method, entropy):
        try:
            x = np.asarray(system.trainers[method](np.random.default_rng(entropy)), dtype=float)
            if x.shape != (system.n_dof,):
                raise TypeError(f"the trainer {method!r} must give {system.n_dof} numbers")
            if not np.isfinite(x).all():
                return {"why": "training diverged"}, None
            run = {"end": float(system.potential.getEnergy(x)), "measures": _measured(system, x)}
        except InputError as error:  # as where the loss overflows
            return {"why": f"training diverged: {error}"}, None
        found = system.get_minimizer()(x)
        if not found.success:
            return {**run, "why": str(found.message)}, None
        return run, (float(found.energy), np.asarray(found.coords))


def check_methods(system, methods):
    """The names of trainers of a system, by default all.

    Raises
    ------
    InputError
        If it has none, or not these.
    """
    known = tuple(getattr(system, "trainers", {}))
    if not known:
        raise InputError(
            f"a landscape of the kind {system.kind!r} has no methods of training to compare: "
            "fully connected networks have"
        )
    if isinstance(methods, str):
        raise InputError(f"methods must be a list of names, not {methods!r}")
    return known if not methods else tuple(check_choice("method", m, known) for m in methods)


def check_against(data, methods, against):
    """Refuse a method to compare with that will not have run."""
    if against is not None:
        known = dict.fromkeys((*methods, *data.get("runs", {}), QUENCHES))
        check_choice("method", against, tuple(known))


def run_methods(system, database, kept, crew, report, *, methods, runs, seed):
    """Do the runs that are missing.

    Each has a seed of its own, from the landscape's, the method and its number; so they are
    the same in any order and for any number of workers.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    kept : Kept
        Filled; in ``runs``, by method and number, what became of each, in ``new`` the
        minima that are not stored.
    crew : Crew
    report : callable
    methods : sequence of str
    runs : int
        Of each method.
    seed : int
    """
    runs = check_integer("runs", runs, 1)
    data = kept.data
    data.setdefault("runs", {})
    data.setdefault("new", {})
    _name_again(system, database, data)
    wanted = [
        (method, number)
        for number in range(runs)
        for method in dict.fromkeys(methods)
        if str(number) not in data["runs"].get(method, {})
    ]
    jobs = [(_Train(), (m, [seed, _SEED, *m.encode(), number])) for m, number in wanted]

    def merge(i, result):
        method, number = wanted[i]
        run, minimum = result or ({"why": "the run itself failed three times"}, None)
        if minimum is not None:
            run |= _name(system, database, data, *minimum)
        data["runs"].setdefault(method, {})[str(number)] = run
        what = run.get("why") or (
            f"minimum {run['minimum']}" if "minimum" in run else "a minimum not known before"
        )
        return f"{method}: {what}"

    kept.do(crew, jobs, merge, "reach", report)


def _stored(system, database, energy, coords):
    """The verified minimum that a point is an image of, or None."""
    for minimum in points_near(database, Minimum, energy):
        if is_verified(minimum) and system.identity.are_same(minimum.coords, coords):
            return minimum
    return None


def _name(system, database, data, energy, coords):
    minimum = _stored(system, database, energy, coords)
    if minimum is not None:
        return {"minimum": minimum.id(), "energy": minimum.energy}
    window = system.scales.energy_window
    for number, new in data["new"].items():
        near = abs(new["energy"] - energy) <= window
        if near and system.identity.are_same(np.array(new["coords"]), coords):
            return {"new": number}
    number = str(1 + max(map(int, data["new"]), default=0))
    data["new"][number] = {"energy": energy, "coords": coords.tolist()}
    return {"new": number}


def _name_again(system, database, data):
    """What was new may be stored by now; a run whose minimum is gone has to be done again."""
    found = {
        number: minimum
        for number, new in data["new"].items()
        if (minimum := _stored(system, database, new["energy"], np.array(new["coords"])))
    }
    there = {m.id(): m.energy for m in database.session.query(Minimum) if is_verified(m)}
    for done in data["runs"].values():
        for number, run in list(done.items()):
            if run.get("new") in found:
                minimum = found[run.pop("new")]
                run |= {"minimum": minimum.id(), "energy": minimum.energy}
            # its id may have gone to another since
            if "minimum" in run and there.get(run["minimum"]) != run["energy"]:
                del done[number]
    for number in found:
        del data["new"][number]


def store_new(system, database, data):
    """Store the minima that are new, as points from outside; returns how many."""
    for new in data["new"].values():
        store_minimum(database, system.identity, new["energy"], np.array(new["coords"]))
    with uninterrupted():
        database.session.commit()
    return len(data["new"])


def reach_figures(system, database, data, against=None):
    """What the runs say, all plain numbers.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    data : dict
        Of `Kept`, filled by `run_methods`.
    against : str, optional
        The method from which others differ, by default the first of the system's that ran.

    Returns
    -------
    dict
        ``methods``, by name: ``n_runs``, ``failures`` by reason, ``n_minima`` and ``n_new``
        (different minima, and those of them that are not stored), ``at_lowest`` (share of
        the ends at the lowest stored minimum), ``above_lowest`` (loss), ``percentile`` (share
        of the stored minima that lie lower) and ``end_above_lowest`` (before the quench), as
        quantiles, means and intervals, ``measures`` of ends and of minima (means), ``minima``
        (ends by id), and ``barrier``: the mean over pairs of ends in different minima, see
        `pair_barriers`, with ``n_pairs`` and ``n_same``, pairs that share their minimum.
        ``barrier_of_quenches``: the same of ends in minima that the search's independent
        quenches found too: for their barriers the search cares, others are upper bounds that
        may be far too high (`nnpotential.analysis.estimates`). ``between``: ``barrier`` of
        ends of two methods. ``differences``: of each method's mean barriers, and of its mean
        loss, from those of ``against``, with intervals. Intervals are bootstraps over runs;
        None where there are too few. The last of the methods are the independent quenches of
        the search.
    """
    network = TransitionNetwork.of_database(database, verified=True)
    if not len(network):
        raise InputError("there is no verified minimum to reach: run 'nnpotential explore' first")
    place = {int(number): k for k, number in enumerate(network.minima.ids)}
    order = [m for m in getattr(system, "trainers", {}) if data["runs"].get(m)]
    ends = {m: _Ends(_in_order(data["runs"][m]), data["new"], place, network) for m in order}
    if network.hits is not None:
        ends[QUENCHES] = _Ends.of_search(network)
    against = check_choice("method", against or next(iter(ends)), tuple(ends))
    reached = sorted({k for e in ends.values() for k in e.known.tolist()})
    energies = network.minima.energies
    barrier = _MeanBarrier(
        pair_barriers(lowest_passes(network.graph(), reached), energies[reached]), reached
    )
    measures = _measures_of_minima(system, database, network, data, ends)
    return {
        "n_minima": len(network),
        "lowest": int(network.minima.ids[network.lowest]),
        "energy_label": system.energy_label,
        "level": LEVEL,
        "against": against,
        "methods": {m: _row(e, network, barrier, measures) for m, e in ends.items()},
        "between": {
            m: {other: barrier.between(e.known, ends[other].known) for other in ends if other != m}
            for m, e in ends.items()
        },
        "differences": {
            m: _difference(e, ends[against], network, barrier)
            for m, e in ends.items()
            if m != against
        },
    }


def _in_order(runs):
    """Whatever the order in which they were done."""
    return [runs[number] for number in sorted(runs, key=int)]


class _Ends:
    """Where the runs of a method ended.

    Attributes
    ----------
    labels : ndarray of int
        Of each run that gave a minimum: its position in the network, or the number of a
        new one with its sign changed, minus one.
    energies : ndarray
    """

    def __init__(self, runs, new, place, network):
        self.runs = runs
        self.failures = Counter(run["why"] for run in runs if "why" in run)
        good = [run for run in runs if "why" not in run]
        self.labels = np.array(
            [place[r["minimum"]] if "minimum" in r else -1 - int(r["new"]) for r in good], int
        )
        known = network.minima.energies
        self.energies = np.array(
            [known[k] if k >= 0 else new[str(-1 - k)]["energy"] for k in self.labels.tolist()],
            float,
        )

    @classmethod
    def of_search(cls, network):
        found = cls([], {}, {}, network)
        found.labels = np.repeat(np.arange(len(network)), _hits(network))
        found.energies = network.minima.energies[found.labels]
        return found

    @property
    def known(self):
        return self.labels[self.labels >= 0]

    def of_quenches(self, network):
        """Those of the known that independent quenches of the search found too."""
        return self.known[_hits(network)[self.known] > 0]


class _MeanBarrier:
    """The mean barrier between ends in different minima that are connected."""

    def __init__(self, barriers, reached):
        self._counted = np.isfinite(barriers).astype(float)
        self._barriers = np.where(self._counted > 0, barriers, 0.0)
        self._column = {k: i for i, k in enumerate(reached)}

    def columns(self, known):
        return np.array([self._column[k] for k in known.tolist()], int)

    def _counts(self, columns):
        columns = np.asarray(columns)
        rows = columns.reshape(int(np.prod(columns.shape[:-1])), columns.shape[-1])
        counts = np.zeros((len(rows), len(self._column)))
        np.add.at(counts, (np.arange(len(rows))[:, None], rows), 1.0)
        return counts.reshape(*columns.shape[:-1], -1)

    def mean(self, one, other=None, axis=-1):
        """Of samples along the last axis."""
        first = self._counts(one)
        second = first if other is None else self._counts(other)
        n_pairs = ((first @ self._counted) * second).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return ((first @ self._barriers) * second).sum(axis=-1) / n_pairs

    def within(self, known):
        columns = self.columns(known)
        counts = self._counts(columns)
        return {
            "mean": _number(self.mean(columns)),
            "interval": interval(self.mean, columns),
            "n_pairs": round(float(counts @ self._counted @ counts)) // 2,
            "n_same": round(float((counts * (counts - 1)).sum())) // 2,
        }

    def between(self, one, other):
        columns = self.columns(one), self.columns(other)
        counts = [self._counts(c) for c in columns]
        return {
            "mean": _number(self.mean(*columns)),
            "interval": interval(self.mean, *columns),
            "n_pairs": round(float(counts[0] @ self._counted @ counts[1])),
        }

    def change(self, one, other, axis=-1):
        return self.mean(one) - self.mean(other)


def _hits(network):
    return np.zeros(len(network), int) if network.hits is None else network.hits


def _row(ends, network, barrier, measures):
    lowest, energies = network.lowest, np.sort(network.minima.energies)
    above = ends.energies - energies[0]
    below = np.searchsorted(energies, ends.energies) / len(energies)
    at_end = [run["end"] - energies[0] for run in ends.runs if "end" in run]
    known = Counter(ends.known.tolist())
    trained = [run["measures"] for run in ends.runs if "measures" in run]
    names = trained[0] if trained else next(iter(measures.values()), {})
    return {
        "n_runs": len(ends.runs) or len(ends.labels),
        "failures": dict(ends.failures),
        "n_minima": len(set(ends.labels.tolist())),
        "n_new": len(set(ends.labels[ends.labels < 0].tolist())),
        "runs_to_new": int((ends.labels < 0).sum()),
        "at_lowest": _mean(ends.labels == lowest),
        "above_lowest": _spread(above),
        "percentile": _spread(below),
        "end_above_lowest": _spread(at_end),
        "measures": {
            name: {
                "ends": _mean([m[name] for m in trained]),
                "minima": _mean([measures[k][name] for k in ends.labels.tolist()]),
            }
            for name in names
        },
        "barrier": barrier.within(ends.known),
        "barrier_of_quenches": barrier.within(ends.of_quenches(network)),
        "minima": {int(network.minima.ids[k]): n for k, n in sorted(known.items())},
    }


def _difference(ends, other, network, barrier):
    def change(one, another, axis=-1):
        return np.mean(one, axis=axis) - np.mean(another, axis=axis)

    def difference(statistic, *samples):
        enough = all(map(len, samples))
        return {
            "mean": _number(statistic(*samples)) if enough else None,
            "interval": interval(statistic, *samples),
        }

    pair = ends, other
    known = (barrier.columns(e.known) for e in pair)
    of_quenches = (barrier.columns(e.of_quenches(network)) for e in pair)
    return {
        "barrier": difference(barrier.change, *known),
        "barrier_of_quenches": difference(barrier.change, *of_quenches),
        "loss": difference(change, *(e.energies for e in pair)),
    }


def _measured(system, x):
    return {name: float(m.function(x)) for name, m in system.measures.items() if not m.lacking}


def _measures_of_minima(system, database, network, data, ends):
    """The measures of every minimum that was reached, by its label."""
    found = {}
    for label in sorted({k for e in ends.values() for k in e.labels.tolist()}):
        if label < 0:
            x = np.array(data["new"][str(-1 - label)]["coords"])
        else:
            number = int(network.minima.ids[label])
            options = [undefer(Minimum.coords)]
            x = np.asarray(database.session.get(Minimum, number, options=options).coords)
        found[label] = _measured(system, x)
    return found


def _mean(values):
    values = np.asarray(values, dtype=float)
    if not values.size:
        return {"mean": None, "interval": None}
    return {"mean": _number(values.mean()), "interval": interval(np.mean, values)}


def _spread(values):
    return {**_mean(values), "quantiles": quantiles(values)}


def _number(value):
    return float(value) if np.isfinite(value) else None
