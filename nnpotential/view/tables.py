"""Results of the analysis as tables on a terminal."""

from rich.table import Table

from ..analysis.estimates import ESTIMATES
from .terminal import say, show

__all__ = ["print_estimates", "print_generalisation", "print_reach"]


def print_reach(figures):
    """What `reach_figures` found: where the methods end, then the barriers between ends."""
    measure = _measure_of(figures)
    table = _table("method", "runs", "failed", "minima", "new", "at lowest, %")
    for column in ("loss above lowest", "median rank, %", "before the quench"):
        table.add_column(column, justify="right")
    if measure:
        table.add_column(f"{measure}, end / minimum", justify="right")
    for method, row in figures["methods"].items():
        cells = [
            method,
            row["n_runs"],
            sum(row["failures"].values()),
            row["n_minima"],
            row["n_new"],
            _number(row["at_lowest"]["mean"], 100, "{:.1f}"),
            _with_interval(row["above_lowest"]),
            _number(row["percentile"]["quantiles"].get("0.5"), 100, "{:.0f}"),
            _number(row["end_above_lowest"]["quantiles"].get("0.5")),
        ]
        if measure:
            means = row["measures"].get(measure, {"ends": {}, "minima": {}})
            cells.append(
                " / ".join(_number(means[part].get("mean")) for part in ("ends", "minima"))
            )
        table.add_row(*map(str, cells))
    show(table)
    against = figures["against"]
    less = f"less that of {against}"
    table = _table("barriers between ends", "pairs", "mean", less, f"to ends of {against}")
    for column in ("in minima of quenches", less):
        table.add_column(column, justify="right")
    for method, row in figures["methods"].items():
        change = figures["differences"].get(method, {})
        cross = figures["between"][method].get(against, {})
        table.add_row(
            method,
            str(row["barrier"]["n_pairs"]),
            _with_interval(row["barrier"]),
            _with_interval(change.get("barrier", {})),
            _with_interval(cross),
            _with_interval(row["barrier_of_quenches"]),
            _with_interval(change.get("barrier_of_quenches", {})),
        )
    show(table)
    say(
        f"losses and barriers: {figures['energy_label']}; barriers of pairs of ends in different "
        f"minima that are connected, above the mean of the two, the last two columns of minima "
        f"that independent quenches found too, for whose barriers the search cares; intervals: "
        f"{100 * figures['level']:g} %, bootstrap over runs; rank: stored minima that lie lower"
    )
    for method, row in figures["methods"].items():
        for why, n in row["failures"].items():
            say(f"note: {method}: {n} of {row['n_runs']} runs failed: {why}")
    least = {
        m: row["above_lowest"]["quantiles"].get("0", 0) for m, row in figures["methods"].items()
    }
    lower = [method for method, above in least.items() if above < 0]
    if any(row["n_new"] for row in figures["methods"].values()):
        also = f", {', '.join(lower)} one below all that are stored" if lower else ""
        say(
            f"note: new minima are in no barrier{also}; --store keeps them, and the next explore "
            "connects them"
        )


def _measure_of(figures):
    """One of the measures for a table that has room for no more."""
    names = next(iter(figures["methods"].values()))["measures"]
    wanted = ("test-accuracy", "test-loss", "train-accuracy", *names)
    return next((name for name in wanted if name in names), None)


def print_generalisation(found):
    """What `Landscape.generalisation` found: correlations, then ensembles."""
    if found["correlations"]:
        table = _table("rank correlation with", *next(iter(found["correlations"].values())))
        for name, row in found["correlations"].items():
            cells = (
                _with_interval({"mean": c["correlation"], "interval": c["interval"]}, 1, "{:.2f}")
                for c in row.values()
            )
            table.add_row(name, *(cell.replace("_", " ") for cell in cells))
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


def _table(first, *others):
    table = Table(first)
    for name in others:
        table.add_column(name.replace("_", " "), justify="right")
    return table


def _with_interval(figure, factor=1, form="{:.3g}"):
    text = _number(figure.get("mean"), factor, form)
    ends = figure.get("interval")
    if ends is None or text == "-":
        return text
    return f"{text} ({' to '.join(form.format(factor * end) for end in ends)})"


def _number(value, factor=1, form="{:.3g}"):
    return "-" if value is None else form.format(factor * value)
