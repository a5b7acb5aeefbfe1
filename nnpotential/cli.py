"""The command line."""

import io
import json
import logging
import os
import sys
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from sqlalchemy.exc import DatabaseError
from threadpoolctl import threadpool_limits

from . import __version__
from .errors import InputError
from .files import printable
from .landscape import Landscape, check_same_settings, database_fault
from .networks.activations import SMOOTH
from .networks.datasets import DATASETS, load_dataset
from .networks.generalisation import MEASURES
from .networks.losses import LOSSES, default_loss, find_loss
from .networks.mlp import INITIALIZATIONS, MLP
from .networks.system import NNSystem
from .pulse import listening
from .search.explore import SearchSettings
from .storage import OUTCOMES
from .systems.registry import named_system
from .view.disconnectivity import check_colour

__all__ = ["main"]

_UsageError = typer.BadParameter.__bases__[0]  # typer brings its own click

app = typer.Typer(
    help="""Map the loss-function landscape of a neural network: minima, transition states and
    how they connect.

    'nnpotential explore ljat' does all of it; the other commands do one stage each on the
    directory that it makes. '--debug' anywhere shows the Python traceback of an error.""",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted):
    if wanted:
        _show(f"nnpotential {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
):  # no docstring: typer would show it in place of the help above
    pass


Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The landscape's directory.")]
Quenches = Annotated[
    int | None, typer.Option(min=0, help="Independent quenches. [default: 100]", show_default=False)
]
Runs = Annotated[
    int | None,
    typer.Option(min=0, help="Basin-hopping runs. [default: 5]", show_default=False),
]
Steps = Annotated[
    int | None,
    typer.Option(min=0, help="Steps of each basin-hopping run. [default: 20]", show_default=False),
]
Attempts = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Partners tried for a minimum that is not connected to the lowest. [default: 6]",
        show_default=False,
    ),
]
Untrap = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Attempts to find lower paths where a barrier looks artificially high. [default: 20]",
        show_default=False,
    ),
]
SoftModes = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Softest modes of every minimum followed uphill for further transition states. "
        "[default: 0]",
        show_default=False,
    ),
]
Lookahead = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Jobs under way at once; the landscape depends on it, so that it does not depend on "
        "the workers. Not below their number. [default: 16]",
        show_default=False,
    ),
]
Workers = Annotated[
    int, typer.Option(min=1, help="Processes. The result is the same for any number.")
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        min=0, help="Stop after this time; the same command continues. [default: no limit]"
    ),
]
JobTimeout = Annotated[
    float,
    typer.Option(
        help="Seconds after which a worker's job counts as hanging; it is repeated, and set aside "
        "after three failures."
    ),
]
Colour = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT", help=f"Colour the branches by a measure: of networks {', '.join(MEASURES)}."
    ),
]


@app.command()
def explore(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            help=f"One of {', '.join(DATASETS)}, or a CSV or npz file. The last column of a CSV "
            "file is the target; classes may be words. In place of a network's data: ljN for N "
            "Lennard-Jones atoms, bljN for a binary glass, egg_box or linear_autoencoder. A "
            "landscape that exists needs none.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The landscape's directory; one that exists is continued. "
            "[default: runs/DATASET-HIDDEN-N]",
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            help="Sizes of the hidden layers, as in 5,5,5; 'none' for no hidden layer. "
            "[default: 10]",
        ),
    ] = None,
    n_train: Annotated[
        int | None,
        typer.Option(help="Training samples. [default: 1000 for ljat and xor, else 80 %]"),
    ] = None,
    n_test: Annotated[
        int | None, typer.Option(help="Test samples. [default: 1000 for ljat and xor, else 20 %]")
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help=f"{SMOOTH}. [default: {MLP.activation}]")
    ] = None,
    bias: Annotated[
        bool | None, typer.Option("--bias/--no-bias", help="Biases in every layer. [default: yes]")
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(f'{loss.name} for {loss.learns}' for loss in LOSSES.values())}. "
            f"[default: {next(iter(LOSSES))}]"
        ),
    ] = None,
    regularization: Annotated[
        float | None, typer.Option(help="Weight of the sum of squared parameters. [default: 1e-4]")
    ] = None,
    regularize_bias: Annotated[
        bool | None,
        typer.Option(
            "--regularize-bias/--no-regularize-bias",
            help="Whether that sum contains the biases. [default: yes]",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Fixes the data and the whole search. [default: 0]")
    ] = None,
    quenches: Quenches = None,
    until_coverage: Annotated[
        float | None,
        typer.Option(
            help="Go on with quenches until the Good-Turing coverage is at least this, as in 0.95. "
            "[default: off]"
        ),
    ] = None,
    initialization: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"How starts are drawn: {', '.join(INITIALIZATIONS)}. May be given several times. "
            "[default: all in turn]",
        ),
    ] = None,
    basin_hopping_runs: Runs = None,
    basin_hopping_steps: Steps = None,
    connection_attempts: Attempts = None,
    untrap_attempts: Untrap = None,
    soft_modes: SoftModes = None,
    lookahead: Lookahead = None,
    workers: Workers = 1,
    max_seconds: MaxSeconds = None,
    job_timeout: JobTimeout = 3600.0,
    colour: Colour = None,
):
    """Map a landscape: minima, transition states, verification, graph, summary.

    Ctrl-C loses nothing; the same command continues, or with --output DIR alone. Limits on the
    search may be raised later, all other options must stay as they were.

    Example: nnpotential explore ljat --n-train 100 --hidden 10 --output runs/first
    """
    sizes = None if hidden is None else _sizes(hidden)
    search = _given(
        quenches=quenches,
        until_coverage=until_coverage,
        initializations=initialization or None,
        basin_hopping_runs=basin_hopping_runs,
        basin_hopping_steps=basin_hopping_steps,
        connection_attempts=connection_attempts,
        untrap_attempts=untrap_attempts,
        soft_modes=soft_modes,
        lookahead=lookahead,
    )
    how = {"workers": workers, "max_seconds": max_seconds, "job_timeout": job_timeout}
    asked = {
        "dataset": _given(n_train=n_train, n_test=n_test),
        "network": _given(activation=activation, bias=bias),
        "potential": _given(
            loss=loss, regularization=regularization, regularize_bias=regularize_bias
        ),
        **_given(seed=seed),
    }
    if output is not None and (output / "settings.toml").is_file():
        land = _continued(output, dataset, sizes, asked)
    elif dataset is None:
        raise InputError(
            "DATASET is missing: name one, or with --output a landscape to continue"
            if output is None
            else f"{output} is no landscape to continue: name a DATASET to map one there"
        )
    else:
        seed = 0 if seed is None else seed
        system, name = _named(dataset, seed, sizes, asked)
        output = Path("runs") / name if output is None else output
        if (output / "settings.toml").is_file():
            land = _continued(output, dataset, sizes, asked)
        else:
            SearchSettings(**search).of(system).check_workers(workers)
            if colour is not None:
                check_colour(colour, system)
            land = Landscape.create(output, system, seed=seed, **search)
    _say(f"landscape: {output} ({land.system}, seed {land.settings['seed']})")
    if colour is not None:
        check_colour(colour, land.system)
    with _Reporter() as reporter:
        try:
            figures = land.explore(reporter, draw=False, **how, **search)
        except KeyboardInterrupt:
            reporter.stop()
            n = land.database.number_of_minima()
            _say(f"interrupted; {n} minima are kept, the same command continues")
            raise
    _end(land, figures, colour)


def _named(dataset, seed, sizes, asked):
    """The system that DATASET and the options of networks mean, and the name of its directory."""
    system = named_system(dataset, seed)
    if system is not None:
        _refuse_options_of_networks(dataset, sizes, asked)
        return system, dataset
    loss = asked["potential"].get("loss")
    loss = None if loss is None else find_loss(loss)
    with _heard():
        data = load_dataset(
            dataset,
            seed=seed,
            regression=loss is not None and not loss.takes_labels,
            **asked["dataset"],
        )
    sizes = [10] if sizes is None else sizes
    n_outputs = (loss or default_loss(data)).n_outputs(data)
    net = MLP([data.n_inputs, *sizes, n_outputs], **asked["network"])
    data = replace(data, name=printable(data.name))
    shape = "x".join(map(str, sizes)) or "none"
    system = NNSystem(net, data, seed=seed, **asked["potential"])
    return system, f"{Path(data.name).stem}-{shape}-{len(data.X_train)}"


def _refuse_options_of_networks(dataset, sizes, asked):
    options = {"hidden": sizes, **asked["dataset"], **asked["network"], **asked["potential"]}
    for name, given in options.items():
        if given is not None:
            option = f"--{'no-' * (given is False)}{name.replace('_', '-')}"
            raise InputError(f"{option} is for networks; {dataset} is none")


def _continued(output, dataset, sizes, asked):
    """Open a landscape to go on with, having compared what was asked for."""
    land = Landscape.open(output)
    found = land.settings
    system = None if dataset is None else named_system(dataset)
    if system is not None:
        _refuse_options_of_networks(dataset, sizes, asked)
        asked |= {"system": {"kind": system.kind}, **system.describe()}
    elif dataset is not None:
        asked = {"system": {"kind": "network"}} | asked
        asked["dataset"]["name"] = printable(Path(dataset).name)
    if sizes is not None:
        ends = found.get("network", {}).get("layer_sizes", ())
        asked["network"]["layer_sizes"] = [*ends[:1], *sizes, *ends[-1:]]
    check_same_settings(output, found, asked)
    if asked["dataset"].get("name") and dataset not in DATASETS and Path(dataset).exists():
        recorded = found["dataset"]
        with _silent(logging.getLogger(load_dataset.__module__)):  # all has been said before
            data = load_dataset(
                dataset,
                asked["dataset"].get("n_train", recorded["n_train"]),
                asked["dataset"].get("n_test", recorded["n_test"]),
                seed=recorded.get("seed", found["seed"]),
                standardize=recorded.get("standardize", True),
                regression=not find_loss(found["potential"]["loss"]).takes_labels,
            )
        check_same_settings(output, found, {"dataset": {"sha256": data.sha256}})
    return land


@app.command()
def connect(
    directory: Directory,
    connection_attempts: Attempts = None,
    untrap_attempts: Untrap = None,
    soft_modes: SoftModes = None,
    lookahead: Lookahead = None,
    workers: Workers = 1,
    max_seconds: MaxSeconds = None,
    job_timeout: JobTimeout = 3600.0,
):
    """Search transition states until all minima are connected, or partners run out."""
    land = Landscape.open(directory)
    search = _given(
        connection_attempts=connection_attempts,
        untrap_attempts=untrap_attempts,
        soft_modes=soft_modes,
        lookahead=lookahead,
    )
    with _Reporter() as reporter:
        figures = land.explore(
            reporter,
            stages=("connections",),
            workers=workers,
            max_seconds=max_seconds,
            job_timeout=job_timeout,
            draw=False,
            **search,
        )
    _end(land, figures)


@app.command()
def verify(
    directory: Directory,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Then polish, verify and merge the points that failed, and those that plain pele "
            "or another program stored.",
        ),
    ] = False,
    workers: Workers = 1,
    job_timeout: JobTimeout = 3600.0,
):
    """Check every stored point anew: convergence, index, connections, uniqueness.

    The minima that a transition state joins are found by following the gradient, independently
    of the search. The exit code is 1 if any point fails.
    """
    land = Landscape.open(directory)
    with _Reporter() as reporter:
        results = land.verify(reporter, repair=repair, workers=workers, job_timeout=job_timeout)
    kinds = ("minimum", "transition state")
    table = Table("outcome", "meaning")
    for kind in ("minima", "transition states"):
        table.add_column(kind, justify="right")
    count = Counter((kind, outcome) for kind, _, outcome in results)
    for outcome, meaning in OUTCOMES.items():
        if outcome == "ok" or any(count[kind, outcome] for kind in kinds):
            table.add_row(outcome, meaning, *(str(count[kind, outcome]) for kind in kinds))
    _show(table)
    failed = [r for r in results if r[2] != "ok"]
    for kind, number, outcome in failed[:20]:
        _say(f"{kind} {number}: {outcome}")
    raise typer.Exit(1 if failed else 0)


@app.command()
def graph(
    directory: Directory,
    colour: Colour = None,
    levels: Annotated[int, typer.Option(min=2, help="Number of levels.")] = 100,
    title: Annotated[str | None, typer.Option(help="Title above the graph.")] = None,
):
    """Draw the disconnectivity graph, as PNG and SVG in DIR."""
    land = Landscape.open(directory)
    drawn, total = land.draw(colour=colour, levels=levels, title=title)
    _say(f"{drawn} of {total} minima drawn: {directory / 'disconnectivity.png'} and .svg")


@app.command()
def summary(
    directory: Directory,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole summary as JSON.")
    ] = False,
):
    """Show the figures of a landscape."""
    figures = Landscape.open(directory).summary()
    if as_json:
        _show(json.dumps(figures, indent=2))
    else:
        _print_summary(figures)


@app.command()
def selftest(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Keep the landscapes there."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="A line for every check.")] = False,
):
    """Map landscapes that are known exactly and compare; a bug report should hold the result.

    The exit code is 1 if anything differs.
    """
    from .selftest import run

    def report(line):
        if verbose or not line.startswith("ok "):
            _show(line)

    raise typer.Exit(0 if run(output, report) else 1)


@app.command()
def dataset(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help=f"One of {', '.join(DATASETS)}, or a CSV or npz file."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.npz", help="Where to write it.")
    ] = None,
    n_train: Annotated[int | None, typer.Option(help="Training samples.")] = None,
    n_test: Annotated[int | None, typer.Option(help="Test samples.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes the data or the split.")] = 0,
    standardize: Annotated[
        bool, typer.Option(help="Shift and scale by the training set's mean and deviation.")
    ] = True,
    regression: Annotated[bool, typer.Option(help="The targets are real numbers.")] = False,
):
    """Make or inspect a data set."""
    if output is not None and output.suffix != ".npz":
        raise InputError(f"the output must be an npz file, not {output}")
    with _heard():
        data = load_dataset(
            name, n_train, n_test, seed, standardize=standardize, regression=regression
        )
    if output is not None:
        data.save(output)
    table = Table("", "training", "test", title=printable(data.name))
    table.add_row("samples", str(len(data.X_train)), str(len(data.X_test)))
    table.add_row("inputs", str(data.n_inputs), str(data.n_inputs))
    if data.is_classification:
        classes = data.details.get("classes", range(data.n_outputs))
        for label, name in enumerate(classes):
            counts = [str(int(np.sum(y == label))) for y in (data.y_train, data.y_test)]
            row = f"class {label}" if name == label else f"class {label}: {name}"
            table.add_row(row, *counts)
    else:
        table.add_row("targets", str(data.n_outputs), str(data.n_outputs))
    _show(table)
    if output is not None:
        _say(f"written: {output}")


@contextmanager
def _logged(logger):
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _silent(logger):
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


def _sizes(text):
    if text.strip().lower() == "none":
        return []
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"--hidden takes sizes such as 10 or 5,5,5, or 'none'; not {text!r}"
        ) from None
    for size in sizes:
        if size < 1:
            raise InputError(f"the size of a hidden layer must be at least 1, not {size}")
    return sizes


def _given(**options):
    return {name: value for name, value in options.items() if value is not None}


class _Console(Console):
    """Takes brackets and colons in a user's names for what they are."""

    def __init__(self, **options):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def on_broken_pipe(self):
        """The reader has seen enough: no reason to stop."""
        _mute(self.file)


def _say(text):
    """A line on standard error; where nobody reads any more the work goes on."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _mute(sys.stderr)


def _show(content):
    """A result on standard output: a table, or a text as it is."""
    console = _Console()
    try:
        (console.out if isinstance(content, str) else console.print)(content)
    except OSError as error:
        _mute(console.file)
        raise InputError(f"standard output cannot be written: {error.strerror}") from error


@contextmanager
def _heard():
    """What the work within tells of itself, on standard error: a line, or one now and then."""
    console, last = _Console(stderr=True), time.monotonic()

    def listen(text):
        nonlocal last
        if time.monotonic() - last > _Reporter.interval:
            last = time.monotonic()
            _say(text)

    if console.is_terminal and not console.is_dumb_terminal:
        with console.status("") as status, listening(status.update):
            yield
    else:
        with listening(listen):
            yield


def _mute(stream):
    """What is left in its buffer would fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _end(land, figures, colour=None):
    """The table, then the graph: if that cannot be drawn, all else is there."""
    _print_summary(figures)
    if not figures["n_minima"]:
        _say("no verified minimum was found, so there is nothing to draw")
        return
    try:
        land.draw(colour=colour)
    except InputError as error:
        _say(f"warning: {error}")
    else:
        _say(f"disconnectivity graph: {land.path / 'disconnectivity.png'}")


def _reach(figures):
    """How many minima quenches can reach: every minimum has a basin, so also those found."""
    estimate, found = figures["coverage"]["chao1"], figures["n_minima"]
    if estimate is None:
        return "-"
    if estimate > found:
        return f"at least {estimate:.0f} (Chao1)"
    return f"at least the {found} found"


def _print_summary(figures):
    def number(value):
        return "-" if value is None else f"{value:.6g}"

    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "minima": figures["n_minima"],
        "transition states": figures["n_transition_states"],
        "degenerate rearrangements": figures["n_degenerate_rearrangements"],
        "minima connected to the lowest": "-"
        if figures["share_connected"] is None
        else f"{100 * figures['share_connected']:.1f} %, {figures['n_unconnected']} are not",
        f"lowest {figures['energy_label']}": number(figures["lowest_loss"]),
        "its median over the minima": number(figures["losses"].get("0.5")),
        "median barrier to the lowest": number(figures["barriers"].get("0.5")),
        "degenerate minima, counted nowhere": figures["degenerate_minima"]["n"],
        "failed quenches": _by_reason(figures["failed_quenches"], figures["failures"]),
        "coverage (Good-Turing)": number(figures["coverage"]["good_turing"]),
        "minima that quenches can reach": _reach(figures),
        "connections that gave a transition state": (
            f"{figures['connection_attempts_with_transition_state']} of "
            f"{figures['connection_attempts']}"
        ),
        "jobs still to do": str(figures["jobs_pending"]),
        "jobs set aside after failures": str(len(figures["jobs_set_aside"])),
        "verified": ", ".join(f"{n} {outcome}" for outcome, n in figures["verified"].items()),
        "seconds": ", ".join(f"{s:.1f} {stage}" for stage, s in figures["seconds"].items()),
    }
    for label, value in rows.items():
        if value in ("", "-"):
            continue  # nothing was found that has this figure
        table.add_row(label.replace("_", " "), str(value).replace("_", " "))
    _show(table)
    for remark in figures["remarks"]:
        _say(f"note: {remark}")


def _by_reason(total, failures):
    reasons = failures.get("quenches", {}).items()
    parts = ", ".join(f"{entry['n']} {reason}" for reason, entry in reasons)
    return f"{total} ({parts})" if parts else str(total)


class _Reporter:
    """Progress on standard error: bars on a terminal, a line now and then elsewhere."""

    interval = 10.0  # seconds between lines

    def __init__(self):
        console = _Console(stderr=True)
        self._bars = None
        self._tasks = {}
        self._last = time.monotonic()
        if console.is_terminal and not console.is_dumb_terminal:
            # on a narrow terminal the bar goes first, then the end of the text
            self._bars = Progress(
                TextColumn("{task.description:>18}", markup=False),
                *([BarColumn(bar_width=16)] if console.width >= 100 else []),
                MofNCompleteColumn(),
                *([TimeElapsedColumn()] if console.width >= 60 else []),
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
        if self._bars:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(label, text="")
            self._bars.update(self._tasks[stage], completed=done, total=total, text=text)
        elif time.monotonic() - self._last > self.interval:
            self._last = time.monotonic()
            _say(f"{label}: {done} of {total}, {text}")


def main():
    """Run the command line; errors are one line and exit code 2."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    _prepare_streams()
    # of its configuration, which our drawings do not follow
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        # small matrices: BLAS threads only stand in each other's way
        with (
            threadpool_limits(1),
            _logged(logging.getLogger(__package__)),
            warnings.catch_warnings(),
        ):
            warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
            code = app(arguments, prog_name="nnpotential", standalone_mode=False)
    except _UsageError as error:
        _fail(error.format_message())
    except (InputError, OSError, DatabaseError, UnpicklingError, MemoryError) as error:
        if debug:
            raise
        if isinstance(error, DatabaseError):
            _fail(f"the database {database_fault(error.orig)}")
        if isinstance(error, UnpicklingError):
            _fail(f"the database is damaged: {error}")
        if isinstance(error, MemoryError):
            _fail(f"out of memory: {error}" if str(error) else "out of memory")
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    sys.exit(code or 0)


def _prepare_streams():
    """Streams that were closed lead nowhere, and what one cannot encode is escaped."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # the lowest free descriptor is the closed one's: no file of ours may take its place
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r+"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(message):
    _say(f"error: {' '.join(message.split())}")
    sys.exit(2)
