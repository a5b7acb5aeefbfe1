"""What a terminal shows: lines, tables, progress; and what a pipe gets instead."""

import io
import os
import sys
import time
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from ..errors import InputError
from ..pulse import listening
from ..storage import UNVERIFIED
from ..verification.certified import NOT_YET

__all__ = [
    "Reporter",
    "audit_text",
    "coverage_text",
    "duration",
    "failure_lines",
    "heard",
    "measure_rows",
    "network_rows",
    "peak_sentences",
    "plan_text",
    "prepare_streams",
    "print_measures",
    "print_network_summary",
    "print_rows",
    "print_summary",
    "say",
    "show",
    "summary_rows",
    "temperature_rows",
]


_NAMED = 20  # points that did not pass


class _Console(Console):
    """Takes brackets and colons in a user's names for what they are."""

    def __init__(self, **options):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def on_broken_pipe(self):
        """The reader has seen enough: no reason to stop."""
        _mute(self.file)


def say(text):
    """A line on standard error; where nobody reads any more the work goes on."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _mute(sys.stderr)


def show(content):
    """A result on standard output: a table, or a text as it is."""
    console = _Console()
    try:
        (console.out if isinstance(content, str) else console.print)(content)
    except OSError as error:
        _mute(console.file)
        raise InputError(f"standard output cannot be written: {error.strerror}") from error


@contextmanager
def heard():
    """What the work within tells of itself, on standard error: a line, or one now and then."""
    console, last = _Console(stderr=True), time.monotonic()

    def listen(text):
        nonlocal last
        if time.monotonic() - last > Reporter.interval:
            last = time.monotonic()
            say(text)

    if console.is_terminal and not console.is_dumb_terminal:
        with console.status("") as status, listening(status.update):
            yield
    else:
        with listening(listen):
            yield


def _mute(stream):
    """What is left in its buffer would fail again when Python ends."""
    lost = stream.fileno()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != lost:  # else it was closed, and is the lowest free one
        os.dup2(nowhere, lost)
        os.close(nowhere)


def _reach(figures):
    """How many minima quenches can reach: every minimum has a basin, so also those found."""
    estimate, found = figures["coverage"]["chao1"], figures["n_minima"]
    if estimate is None:
        return "-"
    if estimate > found:
        return f"at least {estimate:.0f} (Chao1)"
    return f"at least the {found} found; {estimate:.0f} by the quenches alone (Chao1)"


def failure_lines(points):
    """What did not pass, a line each: the first `_NAMED`, and how many more there are.

    Parameters
    ----------
    points : iterable of (str, int, str)
        ``"minimum"`` or ``"transition state"``, its id, and why; what only waits comes last.
    """
    points = sorted(points, key=lambda point: point[2] in (UNVERIFIED, NOT_YET))
    said = [f"{kind} {number}: {why}" for kind, number, why in points[:_NAMED]]
    return said + [f"and {len(points) - _NAMED} more"] * (len(points) > _NAMED)


def coverage_text(coverage):
    """The share that quenches have seen, with its interval where the landscape has one."""
    share, ends = coverage["good_turing"], coverage.get("interval")
    if share is None:
        return "-"
    return f"{share:.4g}" + (f" ({ends[0]:.3g} to {ends[1]:.3g})" if ends else "")


def print_summary(figures):
    """The figures of a landscape."""
    print_rows(summary_rows(figures))
    for remark in figures["remarks"]:
        say(f"note: {remark}")


def summary_rows(figures):
    """The figures of `Landscape.summary` as a reader takes them, by label."""

    def number(value):
        return "-" if value is None else f"{value:.6g}"

    rows = {
        "minima": figures["n_minima"],
        "minima, one within an energy of 1e-4": figures["n_minima_by_energy"],
        "transition states": figures["n_transition_states"],
        "degenerate rearrangements": figures["n_degenerate_rearrangements"],
        "minima connected to the lowest": "-"
        if figures["share_connected"] is None
        else f"{100 * figures['share_connected']:.1f} %, {figures['n_unconnected']} are not",
        "of the sample of quenches, joined to the lowest": _joined(figures),
        f"lowest {figures['energy_label']}": number(figures["lowest_loss"]),
        "its median over the minima": number(figures["losses"].get("0.5")),
        "median barrier to the lowest" + ", all minima" * (_joined(figures) == "-"): number(
            figures["barriers"].get("0.5")
        ),
        f"mean barrier, {figures['n_barriers']} minima of quenches"
        + " or grown" * bool(figures["n_grown"]): audit_text(figures),
        "degenerate minima, counted nowhere": figures["degenerate_minima"]["n"],
        "failed quenches": _by_reason(figures["failed_quenches"], figures["failures"]),
        "coverage (Good-Turing)": coverage_text(figures["coverage"]),
        "minima that quenches can reach": _reach(figures),
        "connections that gave a transition state": (
            f"{figures['connection_attempts_with_transition_state']} of "
            f"{figures['connection_attempts']}"
        ),
        "jobs still to do": str(figures["jobs_pending"]),
        "jobs set aside after failures": str(len(figures["jobs_set_aside"])),
        "verified": ", ".join(f"{n} {outcome}" for outcome, n in figures["verified"].items()),
        "certified": ", ".join(f"{n} {outcome}" for outcome, n in figures["certified"].items()),
        "proved to exist and to be different": ", ".join(
            f"{n} {kind}{_WITH_DEGENERATE.get(kind, '')}" for kind, n in figures["proved"].items()
        ),
        "seconds": ", ".join(f"{s:.1f} {stage}" for stage, s in figures["seconds"].items()),
    }
    return {
        label.replace("_", " "): str(value).replace("_", " ")
        for label, value in rows.items()
        if value not in ("", "-")  # nothing was found that has this figure
    }


_WITH_DEGENERATE = {"transition_states": ", degenerate rearrangements included"}  # as certified


def _joined(figures):
    """How many of the sample, where it is not all that quenches found."""
    sample = figures["sample"]
    if sample["n_minima"] == figures["coverage"]["n_minima"]:
        return "-"
    return f"{sample['n_joined']} of {sample['n_minima']}"


def plan_text(search, n_dof):
    """What to expect of a search that is not to join all, a line; None of any other."""
    wanted = search.n_joined(n_dof)
    if wanted >= search.quenches:
        return None
    return (
        f"{n_dof} coordinates: the first {wanted} of the minima that {search.quenches} quenches "
        "find will be joined to the lowest (--joined), and barriers and their audit are of these; "
        "what is met on the way is kept"
    )


def print_network_summary(figures):
    """The figures of `summarise_network`."""
    print_rows(network_rows(figures))


def network_rows(figures):
    """The figures of `summarise_network` as a reader takes them, by label."""
    losses, barriers = (
        ", ".join(f"{figures[name][q]:.6g}" for q in figures[name]) or "-"
        for name in ("losses", "barriers")
    )
    return {
        "minima": str(figures["n_minima"]),
        "transition states": str(figures["n_transition_states"]),
        "degenerate rearrangements": str(figures["n_degenerate_rearrangements"]),
        "components": f"{figures['n_components']}, the largest of {figures['largest_component']}",
        "minima connected to the lowest": f"{100 * figures['share_connected']:.1f} %, "
        f"{figures['n_unconnected']} are not",
        f"lowest {figures['energy_label']}": f"{figures['lowest_loss']:.12g}",
        "quartiles of the minima, ends included": losses,
        "quartiles of the barriers to the lowest": barriers,
    }


def print_rows(rows):
    """Figures by label, a row each."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for row in rows.items():
        table.add_row(*row)
    show(table)


_BY_TEMPERATURE = {
    "occupation_lowest": "p of the lowest",
    "shannon_entropy": "Shannon entropy",
    "heat_capacity": "C_v / k",
    "frustration": "frustration",
    "frustration_normalised": "  normalised",
}


def print_measures(names, found):
    """Measures of landscapes, a column each; those by temperature of one a column a temperature.

    Parameters
    ----------
    names : list of str
    found : list of dict
        From `nnpotential.analysis.measures.measures`.
    """
    table = Table("", show_header=len(found) > 1)
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    rows = [measure_rows(figures) for figures in found]
    if len(found) > 1:
        rows = [row | _at_temperatures(figures) for row, figures in zip(rows, found, strict=True)]
    for label in dict.fromkeys(label for row in rows for label in row):
        table.add_row(label, *(row.get(label, "-") for row in rows))
    show(table)
    if len(found) == 1:
        _print_by_temperature(found[0])
    for name, figures in zip(names, found, strict=True):
        for remark in figures["remarks"]:
            say(f"note: {remark}" if len(found) == 1 else f"{name}: {remark}")


def measure_rows(figures):
    """The measures of a landscape that have no temperature, by label."""
    downhill, ratios = figures["downhill_barriers_over_spread"], figures["barrier_ratios"]
    peaks = [_digits(peak["temperature"]) for peak in figures["heat_capacity_peaks"]]
    return {
        "minima": str(figures["n_minima"]),
        "minima, one within an energy of 1e-4": str(figures["n_minima_by_energy"]),
        "transition states": str(figures["n_transition_states"]),
        f"lowest {figures['units']['energy']}": _digits(figures["lowest_energy"], 9),
        "spread of the minima": _digits(figures["spread"]),
        "monotonic sequence basins": str(figures["monotonic_sequence_basins"]),
        "superbasins, at most": str(max(figures["superbasins"]["numbers"])),
        "barrier / height, to the lowest, median": _digits(ratios.get("0.5")),
        "downhill barrier / spread, median": _digits(downhill.get("0.5")),
        "peaks of C_v at": ", ".join(peaks) or "-",
    }


def _at_temperatures(figures):
    """Of a landscape among others: where temperatures are its own, at the one that all have."""
    if not figures["temperatures_chosen"]:
        labels = {f"at {label}": label for label in figures["shannon_entropy"]}
    else:
        near = min(figures["shannon_entropy"], key=lambda t: abs(float(t) - figures["spread"]))
        labels = {"at T = spread": near}
    return {
        f"{text} {at}": _digits(figures[name][label])
        for name, text in _BY_TEMPERATURE.items()
        for at, label in labels.items()
    }


def temperature_rows(figures):
    """The measures of a landscape by temperature: the temperatures, and rows of a text each."""
    labels, rows = list(figures["shannon_entropy"]), []
    for name, text in _BY_TEMPERATURE.items():
        rows.append((text, *(_digits(figures[name][label]) for label in labels)))
        intervals = [_interval(figures["bands"].get(name, {}).get(label)) for label in labels]
        if any(intervals):
            rows.append(("    between", *(ends or "-" for ends in intervals)))
    for name in ("a_from_b", "b_from_a"):
        if "rates" in figures:
            text = "<-".join(part.upper() for part in name.split("_from_"))
            for key, label in ((name, f"k({text})"), (f"time_{name}", f"MFPT({text})")):
                values = (_digits(figures["rates"][t][key], 10) for t in labels)
                rows.append((label, *values))
    return labels, rows


def peak_sentences(figures):
    """Which minima are behind each peak of the heat capacity."""
    said = []
    for peak in figures["heat_capacity_peaks"]:
        losing, gaining = (
            ", ".join(
                f"{m['minimum']} ({100 * m['share']:.0f} %)"
                for m in peak[which][:3]
                if m["share"] > 0.005
            )
            for which in ("losing", "gaining")
        )
        said.append(
            f"peak of the heat capacity at {_digits(peak['temperature'])}: weight moves from "
            f"minimum {losing} to {gaining}"
        )
    return said


def _print_by_temperature(figures):
    labels, rows = temperature_rows(figures)
    table = Table("temperature")
    for label in labels:
        table.add_column(label, justify="right")
    for row in rows:
        table.add_row(*row)
    show(table)
    if figures["temperatures_chosen"]:
        say(
            "temperatures: the highest peaks of the heat capacity, and the standard deviation of "
            "the minima's energies; --temperature gives others"
        )
    for sentence in peak_sentences(figures):
        say(sentence)


def _digits(value, n=5):
    return "-" if value is None else f"{value:.{n}g}"


def _interval(bands):
    """The widest that is known."""
    bands = bands or {}
    ends = bands.get("both") or bands.get("missing_minima") or bands.get("barriers")
    return ends and " to ".join(_digits(end, 4) for end in ends)


def audit_text(figures):
    """An upper bound, as every barrier is, and how far it may fall."""
    mean, audit = figures["mean_barrier"], figures["barrier_audit"]
    if mean is None:
        return "-"
    if audit is None:
        return f"{mean:.6g}, not audited"
    low, high = (100 * end for end in audit["interval"])
    fall = 100 * audit["fall"]
    return f"{mean:.6g}, may fall by {fall:.1f} % ({low:.1f} to {high:.1f})"


def _by_reason(total, failures):
    reasons = failures.get("quenches", {}).items()
    parts = ", ".join(f"{entry['n']} {reason}" for reason, entry in reasons)
    return f"{total} ({parts})" if parts else str(total)


class Reporter:
    """Progress on standard error: bars on a terminal, a line now and then elsewhere."""

    interval = 10.0  # seconds between lines

    def __init__(self):
        console = _Console(stderr=True)
        self._bars = None
        self._tasks = {}
        self._began = {}  # by stage: when, and how much was done then
        self._last = time.monotonic()
        if console.is_terminal and not console.is_dumb_terminal:
            # on a narrow terminal the bar goes first, then the end of the text
            self._bars = Progress(
                TextColumn("{task.description:>18}", markup=False),
                *([BarColumn(bar_width=16)] if console.width >= 100 else []),
                MofNCompleteColumn(),
                *([TimeElapsedColumn()] if console.width >= 60 else []),
                *([TimeRemainingColumn()] if console.width >= 80 else []),
                TextColumn(
                    "{task.fields[text]}", markup=False, table_column=Column(ratio=1, no_wrap=True)
                ),
                console=console,
                expand=True,
            )

    def __enter__(self):
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self._bars:
            self._bars.stop()

    def __call__(self, stage, done, total, text):
        label = stage.replace("_", " ")
        self._began.setdefault(stage, (time.monotonic(), done))
        if self._bars:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(label, text="")
            self._bars.update(self._tasks[stage], completed=done, total=total, text=text)
        elif time.monotonic() - self._last > self.interval:
            self._last = time.monotonic()
            say(f"{label}: {done} of {total}, {text}{self._left(stage, done, total)}")

    def _left(self, stage, done, total):
        """The time left of a stage, if it goes on as it did."""
        began, before = self._began[stage]
        if total is None or done <= before:
            return ""
        seconds = (time.monotonic() - began) * (total - done) / (done - before)
        return f", some {duration(seconds)} left" if seconds > 60 else ""


def duration(seconds):
    """As a reader says it: 40 s, 12 min, 3.5 h, 8 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def prepare_streams():
    """Streams that were closed lead nowhere, and what one cannot encode is escaped."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # the lowest free descriptor is the closed one's: no file of ours may take its place
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r+"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
