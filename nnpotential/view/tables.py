"""Results of the analysis as tables on a terminal."""

from math import floor, log10

from rich.table import Table

from ..analysis.estimates import ESTIMATES
from .terminal import say, show

__all__ = [
    "print_comparison",
    "print_estimates",
    "print_generalisation",
    "print_located",
    "print_reach",
    "reach_sentences",
    "reach_tables",
]


def print_reach(figures):
    """What `reach_figures` found: where the methods end, then the barriers between ends."""
    for head, rows in reach_tables(figures):
        table = _table(*head)
        for row in rows:
            table.add_row(*row)
        show(table)
    meaning, *notes = reach_sentences(figures)
    say(meaning)
    for note in notes:
        say(f"note: {note}")


def reach_tables(figures):
    """What `reach_figures` found.

    Parameters
    ----------
    figures : dict

    Returns
    -------
    list of (list of str, list of list of str)
        Head and rows of each table.
    """
    methods, against = figures["methods"], figures["against"]
    ends = [
        [
            method,
            str(row["n_runs"]),
            str(sum(row["failures"].values())),
            str(row["n_minima"]),
            str(row["n_new"]),
            _number(row["at_lowest"]["mean"], 100, "{:.1f}"),
            _number(row["percentile"]["quantiles"].get("0.5"), 100, "{:.0f}"),
        ]
        for method, row in methods.items()
    ]
    head = ["method", "runs", "failed", "minima", "new", "at lowest, %", "median rank, %"]
    found = [(head, ends)]
    measure = _measure_of(figures)
    columns = [f"{measure}, end", "minimum"] if measure else []
    factor, unit = _scale(row["above_lowest"]["mean"] for row in methods.values())
    losses = []
    for method, row in methods.items():
        cells = [
            _number(row["end_above_lowest"]["quantiles"].get("0.5"), factor),
            _with_interval(row["above_lowest"], factor),
        ]
        if measure:
            means = row["measures"].get(measure, {"ends": {}, "minima": {}})
            cells += [_number(means[part].get("mean")) for part in ("ends", "minima")]
        losses.append([method, *cells])
    head = [f"loss above lowest{unit}", "end, median", "minimum, mean", *columns]
    found.append((head, losses))
    factor, unit = _scale(row["barrier"]["mean"] for row in methods.values())
    for title, name in (
        ("barriers between ends", "barrier"),
        ("in minima of quenches", "barrier_of_quenches"),
    ):
        barriers = []
        for method, row in methods.items():
            change = figures["differences"].get(method, {}).get(name, {})
            cells = (_with_interval(figure, factor) for figure in (row[name], change))
            barriers.append([method, str(row[name]["n_pairs"]), *cells])
        found.append(([f"{title}{unit}", "pairs", "mean", f"less that of {against}"], barriers))
    cross = {method: figures["between"][method][against] for method in methods if method != against}
    between = [
        [method, str(row["n_pairs"]), _with_interval(row, factor)] for method, row in cross.items()
    ]
    found.append(([f"barriers to ends of {against}{unit}", "pairs", "mean"], between))
    return found


def reach_sentences(figures):
    """What the tables of `reach_tables` mean, and what else is to be known of them."""
    said = [
        f"losses and barriers: {figures['energy_label']}; rank: stored minima that lie lower; "
        "barriers: of pairs of ends in different minima that are connected, above the mean of the "
        "two, and of minima that independent quenches found too, for whose barriers the search "
        f"cares; intervals: {100 * figures['level']:g} %, bootstrap over runs"
    ]
    for method, row in figures["methods"].items():
        for why, n in row["failures"].items():
            said.append(f"{method}: {n} of {row['n_runs']} runs failed: {why}")
    least = {
        m: row["above_lowest"]["quantiles"].get("0", 0) for m, row in figures["methods"].items()
    }
    lower = [method for method, above in least.items() if above < 0]
    if any(row["n_new"] for row in figures["methods"].values()):
        also = f", {', '.join(lower)} one below all that are stored" if lower else ""
        said.append(
            f"new minima are in no barrier{also}; --store keeps them, and the next explore "
            "connects them"
        )
    return said


def _measure_of(figures):
    """One of the measures for a table that has room for no more."""
    names = next(iter(figures["methods"].values()))["measures"]
    wanted = ("test-accuracy", "test-loss", "train-accuracy", *names)
    return next((name for name in wanted if name in names), None)


def print_generalisation(found):
    """What `Landscape.generalisation` found: correlations, then ensembles.

    Those with the AUC of single classes stand in the JSON, for want of room.
    """
    rows = {k: row for k, row in found["correlations"].items() if not _is_of_a_class(k)}
    if rows:
        table = _table("rank correlation with", *next(iter(rows.values())))
        for name, row in rows.items():
            cells = (
                _with_interval({"mean": c["correlation"], "interval": c["interval"]}, 1, "{:.2f}")
                for c in row.values()
            )
            table.add_row(name, *cells)
        show(table)
    together = found["ensembles"]
    if together is None:
        return
    table = _table("average of the", "test loss", "falls by", "test accuracy", "rises by")
    for row in together["averages"]:
        accuracy = row["accuracy_gain"]
        table.add_row(
            f"{row['k']} lowest" if row["k"] > 1 else "lowest alone",
            _number(row["loss"]),
            _with_interval(row["loss_gain"]),
            _number(row["accuracy"]),
            "-" if accuracy is None else _with_interval(accuracy),
        )
    show(table)
    if together["gained"] is not None:
        most, n = max(together["gained"]), len(together["gained"])
        say(
            f"test samples that the lowest gets wrong and another right: up to {most} a minimum; "
            f"{100 * together['union']:.1f} % are right in one of the {n} at least"
        )


def print_estimates(figures):
    """What `estimate_figures` found."""
    quantiles = {"0.1": "10 % below", "0.5": "median", "0.9": "90 % below"}
    table = _table("estimate / verified barrier", *quantiles.values(), "lower than verified, %")
    for name, row in figures["estimates"].items():
        cells = (
            _with_interval(
                {"mean": row["ratio"][q]["value"], "interval": row["ratio"][q]["interval"]}
            )
            for q in quantiles
        )
        below = {"mean": row["below"]["share"], "interval": row["below"]["interval"]}
        table.add_row(ESTIMATES[name], *cells, _with_interval(below, 100, "{:.1f}"))
    show(table)
    say(
        f"{figures['n_pairs']} pairs; barriers above the mean of the two minima; intervals: "
        f"{100 * figures['level']:g} %, bootstrap over pairs"
    )
    found = figures["not_converged"]
    if found["ids"]:
        share = _with_interval({**found, "mean": found["share"]}, 100, "{:.1f}")
        say(
            f"note: along a line or band between {len(found['ids'])} of the pairs, {share} %, the "
            "loss stays below the verified barrier: these barriers have not converged; they fall "
            f"by up to {100 * found['fall']['largest']:.0f} %, all by "
            f"{100 * found['fall']['mean']:.1f} % in the mean"
        )
    if figures["n_failed"]:
        say(f"note: {figures['n_failed']} pairs failed three times")


def print_located(name, found, system):
    """What `analysis.locate.locate` found of one model: where it ends, figures, curvature."""
    if found.coords is None:
        column = "no minimum"
        say(f"{name}: the quench ended in no minimum: {found.why}")
    elif found.minimum is None:
        column = "a new minimum"
        say(f"{name}: its minimum is not stored; --store keeps it")
    else:
        column = f"minimum {found.minimum}"
        state = "" if found.verified else ", which has not passed verification"
        say(f"{name}: {column}{state}; {found.n_lower} of {found.n_minima} minima lie lower")
    table = _table(name, "as trained", column)
    lowest = None if found.above_lowest is None else found.minimum_energy - found.above_lowest
    above = None if lowest is None else found.energy - lowest
    table.add_row(system.energy_label, _number(found.energy), _number(found.minimum_energy))
    table.add_row("above the lowest minimum", _number(above), _number(found.above_lowest))
    table.add_row("barrier to the lowest", "", _number(found.barrier))
    table.add_row("distance moved by the quench", "", _number(found.distance))
    for measure, values in found.measures.items():
        if not _is_of_a_class(measure):  # those stand in the JSON
            table.add_row(system.measures[measure].axis, *map(_number, values))
    show(table)
    if found.curvature is None:
        say("note: with so many parameters no Hessian is made")
        return
    table = _table("Hessian", "parameters", "largest", "smallest", "negative", "minimum: largest",
                   "smallest")  # fmt: skip
    after = found.minimum_curvature
    rows = [("all", found.curvature.whole, after and after.whole)]
    rows += [(k, v, after and after.layers[k]) for k, v in found.curvature.layers.items()]
    for label, here, there in rows:
        cells = [str(here.n), _number(here.largest), _number(here.smallest), str(here.n_negative)]
        ends = (None, None) if there is None else (there.largest, there.smallest)
        table.add_row(label, *cells, *map(_number, ends))
    show(table)


def print_comparison(names, found, system):
    """What `analysis.locate.compare` found of two models."""
    for name, part in zip(names, (found.first, found.second), strict=True):
        print_located(name, part, system)
    lines = (found.points, found.minima)
    table = _table("between the two", "as trained", "their minima")
    for label, attribute in (
        ("distance", "distance"),
        ("distance, units matched", "matched_distance"),
        ("barrier: straight line", "barrier"),
        ("barrier: line, units matched", "matched_barrier"),
    ):
        values = (None if line is None else getattr(line, attribute) for line in lines)
        table.add_row(label, *map(_number, values))
    table.add_row("barrier, verified", "", _number(found.barrier))
    show(table)
    if found.same:
        say("both belong to one minimum, but for the order and signs of units")
    elif found.path:
        way = " ".join(map(str, found.path))
        say(f"lowest path that is known: minima {way}; the barrier is an upper bound")
    elif found.minima is not None:
        say("no path between the two minima is known: --connect looks for one")
    say("barriers: above the mean of the two ends")


def _is_of_a_class(measure):
    """Whether it is the AUC of a single class."""
    return measure.startswith("test-auc-")


def _table(first, *others):
    table = Table(first)
    for name in others:
        table.add_column(name.replace("_", " "), justify="right")
    return table


def _scale(values):
    """A factor that makes numbers short, and what to say of it."""
    largest = max((abs(v) for v in values if v), default=1.0)
    exponent = 3 * floor(log10(largest) / 3)
    return 10.0**-exponent, f", 1e{exponent}" if exponent else ""


def _with_interval(figure, factor=1, form="{:.3g}"):
    text = _number(figure.get("mean"), factor, form)
    ends = figure.get("interval")
    if ends is None or text == "-":
        return text
    return f"{text} ({' to '.join(form.format(factor * end) for end in ends)})"


def _number(value, factor=1, form="{:.3g}"):
    return "-" if value is None else form.format(factor * value)
