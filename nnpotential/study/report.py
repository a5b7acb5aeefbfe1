"""The pictures, the table and the page of a study, from whatever of it is finished."""

from collections import defaultdict

import numpy as np

from ..analysis.transition_network import StationaryPoints, TransitionNetwork
from ..errors import InputError
from ..files import atomic_write
from ..networks.datasets import MEAN_ABSOLUTE
from ..sweep.records import Records
from ..view.disconnectivity import draw_graphs
from ..view.options import Drawing
from ..view.source import Source
from ..view.trends import draw_trends
from .archetypes import ATOMS, DIGITS, GROUPS, NETWORKS
from .grown import grown
from .rows import FIGURES, RUNS, means, row_of

__all__ = ["collect", "report"]

_TRENDS = {
    "n_different": ("different minima", False),
    "spread": ("spread (nats per sample)", True),
    "mean_barrier": ("mean barrier (nats per sample)", True),
    "barrier_over_spread": ("barrier / spread", True),
}
_REACH = {
    "reach lbfgs": ("L-BFGS: above the lowest / spread", False),
    "reach sgd-0.3-32": ("SGD", False),
    "reach adam-0.01-32": ("Adam", False),
    "reach sklearn-adam": ("scikit-learn's Adam", False),
}
_TOP = 6.0  # spreads above the lowest minimum
_LEVELS = {"levels": 30, "bottom": 0.2, "top": _TOP}  # the same for all
_BY = ("dataset", "n_train", "regularization", "hidden")
# of landscapes that are grown, of which neither coverage nor different minima of quenches is told
_OF_GROWN = ("lowest", "spread", "basins_share", "mean_barrier", "barrier_over_spread")
_FURTHER_OF_GROWN = ("downhill_over_spread", "barrier_over_peak", "frustration", "joined")
_GROWN_AXIS = {"levels": 32, "bottom": 0.25, "top": 8.0}


def collect(folder, runs=RUNS):
    """The figures of all finished landscapes of a study.

    Parameters
    ----------
    folder : pathlib.Path
    runs : int
        Of each method of training.

    Returns
    -------
    networks, atoms : list of dict
        As from `row_of`, with what tells them apart.
    """
    networks, atoms = [], []
    for name in (NETWORKS, GROUPS, DIGITS, ATOMS):
        place, rows = folder / name, atoms if name == ATOMS else networks
        if not place.is_dir():
            continue
        for entry in Records(place).entries():
            if entry["state"] != "finished":
                continue
            settings, row = entry["settings"], row_of(place / entry["name"], runs)
            if name == ATOMS:
                rows.append({"system": settings["system"]["name"], **row})
            else:
                rows.append(
                    {
                        "seed": settings["seed"],
                        "dataset": _data(settings["dataset"]),
                        "n_train": settings["dataset"]["n_train"],
                        "regularization": settings["potential"]["regularization"],
                        "hidden": len(settings["network"]["hidden"]),
                        "sizes": settings["network"]["hidden"],
                        **row,
                    }
                )
    return networks, atoms


def report(folder, output, runs=RUNS):
    """Write ``graphs``, ``trends``, ``reach``, ``grown`` and ``results.md`` of what is finished.

    Parameters
    ----------
    folder : pathlib.Path
        Of the study.
    output : pathlib.Path
        Where to; made.
    runs : int
        Of each method of training.

    Returns
    -------
    int
        How many landscapes there are.
    """
    networks, atoms = collect(folder, runs)
    by_growth = [
        {"title": seedling.title, "n_layers": len(seedling.hidden), **row_of(place, 0)}
        for seedling, place in grown(folder)
    ]
    if not networks and not by_growth:
        raise InputError(f"{folder} holds no finished landscape of a network yet")
    output.mkdir(parents=True, exist_ok=True)
    grouped = means(networks, _BY)
    lines = defaultdict(dict)
    for (*group, hidden), found in sorted(grouped.items(), key=lambda item: _rank(item[0])):
        lines[_label(*group)][hidden] = found
    if networks:
        _draw_graphs(networks, atoms, output)
        draw_trends(dict(lines), _TRENDS, _files(output, "trends"))
        draw_trends(dict(lines), _REACH, _files(output, "reach"))
    if by_growth:
        _draw_grown(by_growth, output)
    parts = [_of_quenches(grouped, networks, atoms)] if networks else []
    parts += [_of_growth(by_growth)] if by_growth else []
    with atomic_write(output / "results.md") as file:
        file.write("\n\n".join(parts) + "\n")
    return len(networks) + len(atoms) + len(by_growth)


def _data(dataset):
    scaled = dataset.get("standardize", True) == MEAN_ABSOLUTE
    return dataset["name"] + " / mean |x|" * scaled


def _rank(group):
    """The place of a group: `ljat` first, then by data and falling penalty."""
    dataset, n, regularization, *_ = group
    return dataset != "ljat", dataset, n, -regularization


def _label(dataset, n, regularization):
    return f"{dataset} N={n}, {regularization:g}"


def _files(output, name):
    return [output / f"{name}.{suffix}" for suffix in ("png", "svg")]


def _draw_graphs(networks, atoms, output):
    """Depth across, data and penalty down, atoms beside; the first seed that is finished."""
    first = {}
    for row in sorted(networks, key=lambda row: row["seed"]):
        first.setdefault(tuple(row[name] for name in _BY), row)
    depths = sorted({key[-1] for key in first})
    groups = sorted({key[:-1] for key in first}, key=_rank)
    columns = [f"{d} hidden layer{'s' * (d > 1)}" for d in depths]
    beside = [_source(row["system"], row) for row in sorted(atoms, key=lambda row: row["system"])]
    panels = []
    for k, group in enumerate(groups):
        row = []
        for depth in depths:
            found = first.get((*group, depth))
            row.append(found and _source(_label(*group), found))
        if beside:
            row.append(beside[k] if k < len(beside) else None)
        panels.append(row)
    draw_graphs(
        panels,
        _files(output, "graphs"),
        Drawing.of(scale="spread", component="all", **_LEVELS),
        titles=columns + (["atoms"] if beside else []),
    )


def _source(title, row):
    """The sample of a landscape, as `row_of` keeps it."""
    points = [StationaryPoints.of(row[name]) for name in ("energies", "heights")]
    return Source(TransitionNetwork(*points, row["ends"]), title)


def _by_title(rows):
    """Landscapes that differ in their seed alone, the first seed first."""
    found = defaultdict(list)
    for row in rows:
        found[row["title"]].append(row)
    return found


def _draw_grown(rows, output):
    """Atoms above, networks below by their depth; the first seed that is finished."""
    parts = defaultdict(list)
    for row in (same[0] for same in _by_title(rows).values()):
        parts[row["n_layers"]].append(_source(row["title"], row))
    n = max(map(len, parts.values()))
    draw_graphs(
        [part + [None] * (n - len(part)) for _, part in sorted(parts.items())],
        _files(output, "grown"),
        Drawing.of(scale="spread", component="all", **_GROWN_AXIS),
    )


def _of_growth(rows):
    """The table of landscapes that were grown."""
    header = ["landscape", "seeds", "minima reached", "of all", "transition states"]
    header += [FIGURES[name] for name in _OF_GROWN]
    header += ["its quartiles", *(FIGURES[name] for name in _FURTHER_OF_GROWN)]
    header.append("barriers may fall by, %")
    lines = [
        "# Landscapes grown from their lowest minimum",
        "",
        "One protocol for all: walks up the softest modes of the lowest minima that are joined to "
        "the lowest of all, until so many minima are reached; then attempts to lower their "
        "barriers, and the audit. These minima are the surroundings of a lowest one, connected by "
        "construction, and no sample of the whole landscape: set them beside one another, not "
        "beside those of quenches. Mean over seeds (start and data) and half the 95 % interval of "
        "the mean (Student); counts and quartiles are means. Energies in nats per sample, of atoms "
        "in the depth of a pair. The last column is the barrier audit (mean of its estimate, and "
        "the widest of its intervals).",
        "",
        *_head(header),
    ]
    figures = means(rows, ("title",))
    for title, same in _by_title(rows).items():
        found = figures[(title,)]
        counts = ("n_different", "n_minima", "n_states")
        cells = [title, len(same), *(f"{np.mean([row[n] for row in same]):.0f}" for n in counts)]
        cells += [_cell(*found[name][:2]) for name in _OF_GROWN]
        quartiles = [row["quartiles"] for row in same if row["quartiles"]]
        cells.append(", ".join(f"{q:.3g}" for q in np.mean(quartiles, 0)) if quartiles else "-")
        cells += [_cell(*found[name][:2]) for name in _FURTHER_OF_GROWN]
        lines.append("| " + " | ".join([*map(str, cells), _audit(same)]) + " |")
    return "\n".join(lines)


def _of_quenches(grouped, networks, atoms):
    """The table of landscapes whose minima are those of independent quenches."""
    header = ["data", "N", "regularization", "hidden layers", "seeds", *FIGURES.values()]
    header.append("barriers may fall by, %")
    lines = [
        "# Landscapes of networks by depth, data and penalty",
        "",
        "Mean over seeds and half the 95 % interval of the mean (Student), where there are "
        "at least three. Energies are in nats per sample, of atoms in the depth of a pair. "
        "Barriers and spread are those of the minima that independent quenches found, barriers "
        "only where at least half of these are joined to the lowest; the last column is the "
        "barrier audit (mean of its estimate, and the widest of its intervals).",
        "",
        *_head(header),
    ]
    for key, found in grouped.items():
        same = [row for row in networks if tuple(row[name] for name in _BY) == key]
        cells = [key[0], str(key[1]), f"{key[2]:g}", str(key[3]), str(len(same))]
        cells += [_cell(*found[name][:2]) for name in FIGURES]
        lines.append("| " + " | ".join([*cells, _audit(same)]) + " |")
    for row in atoms:
        cells = [row["system"], "", "", "", "1", *(_cell(row[name], None) for name in FIGURES)]
        lines.append("| " + " | ".join([*cells, _audit([row])]) + " |")
    return "\n".join(lines)


def _head(header):
    """The first two lines of a table."""
    return ["| " + " | ".join(header) + " |", "|" + " ---: |" * len(header)]


def _cell(value, half):
    if value is None:
        return "-"
    return f"{value:.3g}" if half is None else f"{value:.3g} ± {half:.2g}"


def _audit(rows):
    audits = [row["audit"] for row in rows if row["audit"]]
    if not audits:
        return "not audited"
    fall = sum(audit["fall"] for audit in audits) / len(audits)
    low = min(audit["interval"][0] for audit in audits)
    high = max(audit["interval"][1] for audit in audits)
    return f"{100 * fall:.1f} ({100 * low:.1f} to {100 * high:.1f})"
