"""Figures of a landscape: graph, barriers, coverage, generalisation."""

from collections import Counter
from math import sqrt
from statistics import NormalDist

import networkx as nx
import numpy as np
from pele.storage import Minimum, TransitionState
from sqlalchemy.orm import undefer

from ..contract import TRAVELLING, UNRESOLVED
from ..resampling import LEVEL, share_interval
from ..search.audit import barrier_audit, from_now
from ..search.journal import Journal
from ..search.pairs import Trial
from ..search.settings import GROWN_MINIMA
from ..sessions import snapshot
from ..storage import (
    UNVERIFIED,
    is_grown,
    is_verified,
    measured,
    notes,
    points_from_outside,
    quench_hits,
)
from ..verification.certified import count_certificates
from .passes import heights_from

__all__ = [
    "audited_barriers",
    "barriers_to_lowest",
    "coverage",
    "distinct_energies",
    "landscape_graph",
    "quantiles",
    "remarks",
    "stored_audit",
    "summarise",
    "summarise_network",
]

_NORMAL = NormalDist()
_UNKNOWN = "unknown"  # why a minimum is degenerate
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def landscape_graph(database, counts=is_verified):
    """Minima joined by the lowest transition state of each pair.

    Points that have not passed verification and degenerate rearrangements are
    left out.

    Parameters
    ----------
    database : pele.storage.Database
    counts : callable, optional
        ``counts(point) -> bool``: which minima and transition states are taken instead,
        such as `may_count`.

    Returns
    -------
    networkx.Graph
        Nodes are pele `Minimum` objects; every edge has the pele
        `TransitionState` as ``ts`` and its loss as ``energy``.
    """
    session = database.session
    graph = nx.Graph()
    with snapshot(database):
        minima, states = (
            session.query(kind).options(undefer(kind.user_data))
            for kind in (Minimum, TransitionState)
        )
        graph.add_nodes_from(filter(counts, minima.order_by(Minimum._id)))
        for ts in states.order_by(TransitionState.energy.desc(), TransitionState._id.desc()):
            ends = ts.minimum1, ts.minimum2
            if counts(ts) and ends[0] != ends[1] and all(end in graph for end in ends):
                graph.add_edge(*ends, ts=ts, energy=ts.energy)
    return graph


def lowest_minimum(graph):
    """The minimum of lowest loss; ties go to the one found first."""
    return min(graph, key=lambda m: (m.energy, m.id()))


def barriers_to_lowest(graph):
    """Barrier from each connected minimum to the lowest one.

    The barrier is the height, above the minimum, of the highest transition
    state on the path for which that is lowest.

    Parameters
    ----------
    graph : networkx.Graph
        From `landscape_graph`.

    Returns
    -------
    dict
        Barrier in nats per sample by minimum, without the lowest itself and
        without minima that are not connected to it.
    """
    if not graph:
        return {}
    lowest = lowest_minimum(graph)
    heights = heights_from(nx.minimum_spanning_tree(graph, weight="energy"), lowest)
    return {m: heights[m] - m.energy for m in graph if m in heights and m is not lowest}


def audited_barriers(database, barriers):
    """The mean barrier, of which minima it is, and how far it may still fall.

    Of those that are `measured`: for these the search has
    lowered the barriers, and not for what it met on its way.

    Parameters
    ----------
    database : pele.storage.Database
    barriers : list of float
        To the lowest minimum, from each of these that is connected to it.

    Returns
    -------
    dict
        ``mean_barrier``, None without any; ``n_barriers``; ``barrier_audit`` as
        from `stored_audit`: how far that mean may still fall.
    """
    return {
        "mean_barrier": float(np.mean(barriers)) if barriers else None,
        "n_barriers": len(barriers),
        "barrier_audit": stored_audit(database),
    }


def stored_audit(database):
    """How far the mean barrier may still fall, from now; None before an audit is over.

    See `nnpotential.search.audit.barrier_audit` and `from_now`.
    """
    return from_now(barrier_audit(Journal(database).tally["audit"]))


def distinct_energies(energies, apart=1e-4):
    """How many minima papers would count: one within an energy of 1e-4, whatever their distance.

    Parameters
    ----------
    energies : sequence of float
    apart : float
        The tolerance ``EDIFFTOL`` of GMIN and PATHSAMPLE, in units of energy.

    Returns
    -------
    int
    """
    count, last = 0, -np.inf
    for energy in sorted(energies):
        if energy - last > apart:
            count, last = count + 1, energy
    return count


def coverage(hits):
    """How much of the landscape the independent quenches have seen.

    Parameters
    ----------
    hits : sequence of int
        Number of independent quenches that ended in each minimum found by them.

    Returns
    -------
    dict
        ``good_turing``, the probability that a further quench ends in a known
        minimum, its ``interval`` at the level `resampling.LEVEL`, and ``chao1``, an
        estimated lower bound on the number of minima that quenches can reach; None
        without quenches.

    References
    ----------
    I. J. Good, Biometrika 40, 237 (1953); A. Chao, Scand. J. Statist. 11, 265
    (1984), here in the bias-corrected form; the variance of the first is that of
    W. W. Esty, Ann. Stat. 11, 905 (1983).
    """
    n = int(np.sum(hits, initial=0))
    if n == 0:
        return {"good_turing": None, "interval": None, "chao1": None}
    count = Counter(hits)
    once, twice = count[1], count[2]
    unseen = once / n
    width = _NORMAL.inv_cdf(0.5 + LEVEL / 2) * sqrt((unseen * (1 - unseen) + 2 * twice / n) / n)
    least, most = share_interval(once, n)  # Esty's has no width where none was met once or twice
    return {
        "good_turing": 1 - unseen,
        "interval": [
            max(1 - max(most, unseen + width), 0.0),
            min(1 - min(least, unseen - width), 1.0),
        ],
        "chao1": len(hits) + once * (once - 1) / (2 * (twice + 1)),
    }


def summarise(database):
    """The figures of a landscape, all plain numbers.

    Parameters
    ----------
    database : pele.storage.Database

    Returns
    -------
    dict
        Counts, components, quantiles of losses and barriers (nats per sample),
        coverage, outcomes of verification, seconds by stage. Points that have not
        passed verification count under ``verified`` only.
    """
    with snapshot(database):
        return _summarise(database)


def _summarise(database):
    session = database.session
    graph = landscape_graph(database)
    journal = Journal(database)
    stored = [session.query(kind).order_by(kind._id).all() for kind in (Minimum, TransitionState)]
    minima, states = (list(filter(is_verified, points)) for points in stored)
    states = [ts for ts in states if is_verified(ts.minimum1) and is_verified(ts.minimum2)]
    n_degenerate = sum(ts.minimum1 == ts.minimum2 for ts in states)
    components = [len(c) for c in nx.connected_components(graph)]
    barriers = barriers_to_lowest(graph)
    home = {*barriers, *([lowest_minimum(graph)] if graph else [])}
    hits = [h for m in minima if (h := quench_hits(m))]
    quenched, grown = ([m.id() for m in minima if was(m)] for was in (quench_hits, is_grown))
    joined = journal.tally["joined"]
    sample, told = measured(quenched, (), joined), measured(quenched, grown, joined)
    behind = [barrier for m, barrier in barriers.items() if m.id() in told]
    some = len(sample) < len(hits)  # what was met on their way is no sample of anything
    n_quenches = sum(found is not None for _, found in journal.jobs("quench"))
    attempts, followed, uphill, rearranged, lowered = (
        [found for _, found in journal.jobs(kind) if found is not None]
        for kind in ("connect", "single_ended", "grow", "rearrange", "lower")
    )
    followed += uphill
    outcomes = Counter(
        notes(point).get("verified", UNVERIFIED) for points in stored for point in points
    )
    outside = points_from_outside(database, journal.pending())
    certified, proved = count_certificates(database)
    flat = [m for m in stored[0] if notes(m).get("verified") == "degenerate"]
    return {
        "n_minima": len(minima),
        "n_minima_by_energy": distinct_energies([m.energy for m in minima]),
        "n_transition_states": len(states) - n_degenerate,
        "n_degenerate_rearrangements": n_degenerate,
        "n_components": len(components),
        "largest_component": max(components, default=0),
        "share_connected": (len(barriers) + 1) / len(graph) if graph else None,
        "lowest_loss": min((m.energy for m in minima), default=None),
        "losses": quantiles([m.energy for m in minima]),
        "barriers": quantiles(behind if some else list(barriers.values())),
        **audited_barriers(database, behind),
        "sample": {"n_minima": len(sample), "n_joined": sum(m.id() in sample for m in home)},
        "barrier_attempts": len(lowered),
        "coverage": {"n_quenches": n_quenches, "n_minima": len(hits), **_reached(hits, minima)},
        "n_grown": len(grown),
        "quenches_stay_apart": Trial(journal.tally["trial"]).is_lost,
        "n_unconnected": len(graph) - len(barriers) - 1 if graph else 0,
        "connection_attempts": len(attempts),
        "connection_attempts_with_transition_state": sum(found > 0 for found in attempts),
        "soft_modes_followed": len(followed),
        "soft_modes_with_transition_state": sum(found > 0 for found in followed),
        "images_tried": len(rearranged),
        "images_with_new_transition_state": sum(found > 0 for found in rearranged),
        "failed_quenches": journal.tally["failed_quenches"],
        "failures": journal.tally["failures"],
        "degenerate_minima": {
            "n": len(flat),
            "lowest_loss": min((m.energy for m in flat), default=None),
            "causes": dict(Counter(notes(m).get("why", _UNKNOWN) for m in flat)),
        },
        "n_from_outside": sum(map(len, outside)),
        "verified_by_older_definition": journal.outdated,
        "corrected_connections": journal.tally["corrected"],
        "jobs_pending": len(journal.pending()),
        "jobs_set_aside": [f"{job.kind} {job.args}: {why}" for job, why in journal.set_aside()],
        "verified": dict(sorted(outcomes.items())),
        "certified": certified,
        "proved": proved,
        "seconds": {stage: round(s, 3) for stage, s in journal.tally["seconds"].items()},
    }


def _reached(hits, minima):
    """`coverage`, and a bound for all that is known: every minimum has a basin."""
    seen = coverage(hits)
    estimate = seen["chao1"]
    return {**seen, "at_least": None if estimate is None else max(estimate, float(len(minima)))}


def summarise_network(network):
    """The figures of a network without coordinates, under the names of `summarise`.

    Parameters
    ----------
    network : TransitionNetwork
        With at least one minimum.

    Returns
    -------
    dict
    """
    components = [len(c) for c in nx.connected_components(network.graph())]
    barriers = np.delete(network.barriers(), network.lowest)
    barriers = barriers[~np.isnan(barriers)]
    n_degenerate = int((network.ends[:, 0] == network.ends[:, 1]).sum())
    energies = network.minima.energies
    return {
        "n_minima": len(network),
        "n_transition_states": len(network.states) - n_degenerate,
        "n_degenerate_rearrangements": n_degenerate,
        "n_components": len(components),
        "largest_component": max(components),
        "share_connected": (barriers.size + 1) / len(network),
        "n_unconnected": len(network) - barriers.size - 1,
        "lowest_loss": float(energies.min()),
        "losses": quantiles(energies.tolist()),
        "barriers": quantiles(barriers.tolist()),
        "energy_label": network.energy_label,
    }


def remarks(system, figures):
    """What a reader of the figures has to know besides, one sentence each.

    Parameters
    ----------
    system : LandscapeSystem
    figures : dict
        From `summarise`.

    Returns
    -------
    list of str
    """
    said, flat = [], figures["degenerate_minima"]
    lowest, quenches = figures["lowest_loss"], figures["failures"].get("quenches", {})
    if figures["n_minima"] == 0:
        said.append(system.why_no_minimum(quenches))
    if flat["n"]:
        which = ""
        if lowest is not None:
            below = flat["lowest_loss"] < lowest
            which = ", below all that count" if below else ", above the lowest that counts"
        causes = "; ".join(
            f"{n} with a curvature below 1e-9 of the largest, where they are flat or lead far away"
            if why == _UNKNOWN
            else f"{n} because {why}"
            for why, n in flat["causes"].items()
        )
        said.append(
            f"degenerate minima count nowhere: {causes}; the lowest of them has a loss of "
            f"{flat['lowest_loss']:.9g}{which}"
        )
    for reason, meaning in (
        (UNRESOLVED, "double precision leaves their coordinates open"),
        (TRAVELLING, "they were still on their way to infinity"),
    ):
        if reason in quenches and figures["n_minima"]:
            said.append(
                f"{quenches[reason]['n']} quenches count nowhere, as {meaning}; the lowest reached "
                f"a loss of {quenches[reason]['lowest_loss']:.9g}"
            )
    seen = figures["coverage"]
    if seen["good_turing"] is not None and seen["n_quenches"] >= 20 and seen["good_turing"] < 0.1:
        said.append(
            f"{seen['n_minima']} different minima in {seen['n_quenches']} quenches: there are more "
            "than can be listed; those of the quenches are a sample of them, and what connections "
            "met on their way is no sample of anything"
        )
    if figures["quenches_stay_apart"]:
        said.append(
            "what quenches found stays apart: connections of neighbours joined next to nothing, "
            "so none is tried any more"
            + f"; 'grow' = {GROWN_MINIMA} maps the surroundings of the lowest"
            * (not figures["n_grown"])
        )
    if figures["n_grown"]:
        said.append(
            f"{figures['n_grown']} minima were reached by walks from what is joined to the lowest: "
            "they are its surroundings and no independent sample; mean barrier and audit are "
            "theirs too, coverage is of the quenches alone"
        )
    sample = figures["sample"]
    if sample["n_minima"] < seen["n_minima"]:
        said.append(
            f"only the first {sample['n_minima']} minima of the quenches had to be joined to the "
            f"lowest ('joined' sets how many), {sample['n_joined']} are; barriers and their audit "
            "are of these"
        )
    if figures["verified_by_older_definition"]:
        said.append(
            "these points were verified before coordinates had to be converged, so some minima may "
            "be stored twice: 'explore', 'connect' or 'verify --repair' verifies all of them anew"
        )
    elif figures["n_from_outside"]:
        said.append(
            f"{figures['n_from_outside']} points come from outside (plain pele, its GUI or another "
            "program) and count nowhere until 'explore', 'connect' or 'verify --repair' has "
            "polished and verified them"
        )
    return [sentence for sentence in said if sentence]


def quantiles(values):
    """Least, quarter, median, three quarters and greatest of a list, by name; empty of none."""
    if not len(values):
        return {}
    found = np.quantile(values, _QUANTILES)
    return {f"{q:g}": float(v) for q, v in zip(_QUANTILES, found, strict=True)}
