"""report.html: one page of a landscape to look at, that needs nothing else."""

import base64
from importlib.resources import files
from math import prod
from time import perf_counter

import networkx as nx
import numpy as np
from pele.storage import TransitionState

from ..analysis.figures import stored_audit
from ..analysis.measures import measures as measures_of
from ..analysis.minima import coordinates, minima_table
from ..analysis.transition_network import TransitionNetwork
from ..errors import InputError
from ..pulse import tell
from ..storage import OUTCOMES
from ..verification.certificate import CERTIFICATES, CERTIFIED
from ..verification.certified import NOT_YET, certificates
from ..verification.stored import outcomes
from .levels import levels_of
from .page import write_page
from .tables import reach_sentences, reach_tables
from .terminal import (
    coverage_text,
    failure_lines,
    measure_rows,
    network_rows,
    peak_sentences,
    summary_rows,
    temperature_rows,
)
from .tree import LEVELS, tree

__all__ = ["write_network_report", "write_report"]

_MOST_WEIGHTS = 4_000_000  # numbers on the page, of the lowest minima: 21 MB
_SLANTED = 100  # minima: of more, slanted branches would lie
_PATIENCE = 60.0  # seconds for the measures of a quick page
_LABELS = {
    "barrier": "barrier to the lowest",
    "hits": "quenches that ended there",
    "trace": "trace of the Hessian",
    "log_determinant": "ln det of the Hessian",
    "largest_eigenvalue": "largest eigenvalue",
    "smallest_eigenvalue": "smallest eigenvalue",
}


def write_report(path, system, database, summary, *, title, reach=None, levels=LEVELS, quick=False):
    """Write the page of a landscape.

    Parameters
    ----------
    path : path
        Of the file.
    system : LandscapeSystem
    database : pele.storage.Database
    summary : dict
        From `Landscape.summary`.
    title : str
    reach : dict, optional
        From `reach_figures`.
    levels : int
        Of the disconnectivity graph.
    quick : bool
        Without what takes a Hessian of each point or an alignment with its neighbours:
        curvature, thermodynamics, and lengths of paths; and without the system's measures
        where all of them would take more than a minute.

    Raises
    ------
    InputError
        If there is no verified minimum, or the file cannot be written.
    """
    network = TransitionNetwork.of_database(
        database,
        None if quick else system,
        verified=True,
        audit=stored_audit(database) or {},
        energy_label=system.energy_label,
    )
    _check(network)
    measured = not quick or _are_quick(system, database, network)
    table = minima_table(system, database, _tell, network, curvature=not quick, measured=measured)
    labels = {name: measure.axis for name, measure in system.measures.items()}
    lengths = {} if quick else _lengths(system, database, network)
    weights = _weights(system, database, table["id"].tolist())
    _write(
        path,
        network,
        {name: values for name, values in table.items() if np.isfinite(values).any()},
        labels=labels,
        levels=levels,
        title=title,
        about=f"{system}, seed {summary['seed']}",
        figures=summary_rows(summary),
        summary=summary,
        lengths=lengths,
        weights=weights,
        measures=None if quick else measures_of(network),
        reach=reach,
        failed=_failed(database, summary),
    )


def write_network_report(path, network, summary, *, title, levels=LEVELS):
    """Write the page of a network without coordinates.

    Parameters
    ----------
    path, title, levels
        As for `write_report`.
    network : TransitionNetwork
    summary : dict
        From `summarise_network`, with settings and versions.
    """
    _check(network)
    order = np.argsort(network.minima.energies, kind="stable")
    columns = {
        "id": network.minima.ids,
        "loss": network.minima.energies,
        "barrier": network.barriers(),
        "log_determinant": network.minima.log_determinants,
    }
    if network.hits is not None:
        columns["hits"] = network.hits
    _write(
        path,
        network,
        {name: v[order] for name, v in columns.items() if np.isfinite(v).any()},
        labels={},
        levels=levels,
        title=title,
        about="stationary points without coordinates",
        figures=network_rows(summary),
        summary=summary,
        lengths={},
        weights=None,
        measures=measures_of(network),
        reach=None,
        failed={},
    )


def _are_quick(system, database, network):
    """Whether the measures of all minima take no longer than a reader of the page may wait."""
    taken = []  # the first time is longer than all others
    for _, x in coordinates(database, network.minima.ids[:3].tolist()):
        began = perf_counter()
        for measure in system.measures.values():
            if not measure.lacking:
                measure.function(x)
        taken.append(perf_counter() - began)
    return min(taken) * len(network) < _PATIENCE


def _check(network):
    if not len(network):
        raise InputError("there is no verified minimum to report: run 'nnpotential explore' first")


def _write(path, network, columns, *, labels, levels, measures, reach, summary, weights, **rest):
    title, about, figures, lengths, failed = (
        rest[n] for n in ("title", "about", "figures", "lengths", "failed")
    )
    label = network.energy_label
    name, _, _ = label.partition("(")
    word, unit = (name.split() or ["energy"])[-1], label[len(name) :]
    labels = {**_LABELS, **labels, "loss": label, "id": "id"}
    labels["barrier"] = f"{_LABELS['barrier']} {unit}".strip()
    rank = np.empty(len(network), dtype=np.int64)
    order = np.argsort(network.minima.energies, kind="stable")
    rank[order] = np.arange(len(network))
    states, towards = _states(network, rank)
    data = {
        "title": title,
        "energy": label,
        "word": word,
        "columns": [{"name": name, "label": labels.get(name, name)} for name in columns],
        "values": list(columns.values()),
        "states": {
            "id": network.states.ids[states],
            "energy": network.states.energies[states],
            "one": rank[network.ends[states, 0]],
            "two": rank[network.ends[states, 1]],
            "lengths": [lengths.get(k) for k in states.tolist()] if lengths else None,
        },
        "towards": towards,
        "graph": _graph(network, rank, levels),
        "weights": weights,
        "mean_barrier": summary.get("mean_barrier"),
        "n_barriers": summary.get("n_barriers"),
        "audit": summary.get("barrier_audit"),
        "heat_capacity": measures
        and {
            **measures["heat_capacity_curve"],
            "label": "C_v / k" if network.n_vibrations else "Var(E) / T²",
        },
    }
    write_page(
        path,
        "view/report.html",
        title=title,
        data=data,
        plotly=_plotly(),
        about=about,
        word=word,
        figures=figures,
        remarks=summary.get("remarks", []),
        coverage=_coverage(summary),
        measures=measures and _measured(measures),
        reach=reach and {"tables": reach_tables(reach), "notes": reach_sentences(reach)},
        verified=_meanings(summary.get("verified"), OUTCOMES),
        certified=_meanings(
            summary.get("certified"), {**CERTIFICATES, NOT_YET: "not looked at yet"}
        ),
        proved=summary.get("proved"),
        failed=failed,
        settings=_settings(summary),
    )


def _states(network, rank):
    """The lowest transition state of each pair, and for each minimum that on its way to the lowest.

    Returns
    -------
    states : ndarray of int
        Positions in `network.states`.
    towards : ndarray of int, by rank of the minimum
        Positions in `states`; -1 of the lowest, and where there is no way.
    """
    states = np.array([k for *_, k in network.graph().edges(data="state")], dtype=np.int64)
    place = {k: i for i, k in enumerate(states.tolist())}
    towards = np.full(len(network), -1)
    forest = network.spanning_tree()
    for near, far in nx.bfs_edges(forest, network.lowest):
        towards[rank[far]] = place[forest.edges[near, far]["state"]]
    return states, towards


def _lengths(system, database, network):
    """Straight distances from each state on lowest paths to its two minima, by position."""
    used = [k for *_, k in network.spanning_tree().edges(data="state")]
    ends = {k: network.minima.ids[network.ends[k]].tolist() for k in used}
    ids = network.states.ids[used].tolist()
    at = dict(coordinates(database, sorted({i for pair in ends.values() for i in pair})))
    found = {}
    points = coordinates(database, ids, TransitionState)
    for done, (k, (_, x)) in enumerate(zip(used, points, strict=True)):
        tell("lengths of paths", done, unit="transition states")
        found[k] = [float(system.identity.align(x, at[i])[0]) for i in ends[k]]
    return found


def _weights(system, database, ids):
    """The coordinates of as many of the lowest minima as the page has room for."""
    blocks = system.blocks()
    if not blocks:
        return None
    size = sum(prod(shape) for shape in blocks.values())
    n = min(len(ids), _MOST_WEIGHTS // size)
    rows = np.empty((n, size), dtype="<f4")
    for row, (_, x) in zip(rows, coordinates(database, ids[:n]), strict=True):
        row[:] = x
    return {
        "n": n,
        "size": size,
        "blocks": [{"name": name, "shape": list(shape)} for name, shape in blocks.items()],
        "data": _packed(rows),
    }


def _graph(network, rank, levels):
    """The disconnectivity graph of the minima that are connected to the lowest."""
    graph = network.graph()
    nodes = sorted(nx.node_connected_component(graph, network.lowest), key=lambda k: rank[k])
    place = {k: i for i, k in enumerate(nodes)}
    edges = list(graph.subgraph(nodes).edges(data="energy"))
    energies = network.minima.energies[nodes]
    heights = np.array([energy for *_, energy in edges])
    ends = np.array([[place[one], place[two]] for one, two, _ in edges], dtype=int).reshape(-1, 2)
    square = len(nodes) > _SLANTED
    laid = tree(energies, ends, heights, levels_of(energies, heights, number=levels), square=square)
    owners = np.where(laid.owners < 0, -1, rank[nodes][laid.owners])
    return {
        "minima": rank[nodes],
        "places": laid.places,
        "lines": _packed(laid.lines.astype("<f8")),
        "owners": _packed(owners.astype("<i4")),
    }


def _measured(measures):
    labels, rows = temperature_rows(measures)
    return {
        "rows": measure_rows(measures),
        "temperatures": labels,
        "by_temperature": rows,
        "notes": [*peak_sentences(measures), *measures["remarks"]],
        "units": measures["units"],
    }


def _coverage(summary):
    found = summary.get("coverage")
    if not found or found["good_turing"] is None:
        return None
    reach = "minima that quenches can reach"
    return {
        "independent quenches": found["n_quenches"],
        "different minima that these found": found["n_minima"],
        "probability that a further one ends in a known minimum (Good-Turing)": (
            coverage_text(found)
        ),
        reach: summary_rows(summary)[reach],
    }


def _failed(database, summary):
    """The points that no check or no proof passed, by name and cause, as the commands tell them."""
    checked = ((kind, n, why) for kind, n, why in outcomes(database) if why != "ok")
    proved = (
        (kind, n, why)
        for kind, n, outcome, why in (certificates(database) if summary["certified"] else ())
        if outcome != CERTIFIED
    )
    return {"verified": failure_lines(checked), "certified": failure_lines(proved)}


def _meanings(counts, meanings):
    return [(outcome, meanings.get(outcome, ""), n) for outcome, n in (counts or {}).items()]


def _settings(summary):
    """Sections of names and values; what stands in none is the first."""
    settings = {**summary["settings"], "versions": summary["versions"]}
    sections = {name: part for name, part in settings.items() if isinstance(part, dict)}
    alone = {name: part for name, part in settings.items() if name not in sections}
    return {
        name: {key: _said(value) for key, value in part.items()}
        for name, part in {"": alone, **sections}.items()
        if part
    }


def _said(value):
    return ", ".join(map(_said, value)) if isinstance(value, list | tuple) else str(value)


def _packed(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _plotly():
    """The library, in full: no smaller part of it is packaged for Python."""
    from markupsafe import Markup

    text = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return Markup(text.replace("</script", "<\\/script"))


def _tell(stage, done, total, text):
    tell(f"measures of {stage}", done, unit=f"of {total}")
