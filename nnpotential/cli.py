"""The command line."""

import inspect
import json
import logging
import sys
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated

import numpy as np
import typer
from rich.table import Table
from sqlalchemy.exc import DatabaseError
from threadpoolctl import threadpool_limits

from . import __version__
from .analysis.measures import measures as measures_of
from .analysis.measures import with_labels
from .checks import check_choice
from .database import database_fault
from .errors import InputError
from .exchange.pathsample import DATABASE
from .exchange.programs import INPUTS
from .files import printable, write_table
from .interchange import (
    PROGRAMS,
    export_pathsample,
    import_pathsample,
    open_directory,
    open_network,
)
from .landscape import Landscape
from .networks.activations import SMOOTH
from .networks.datasets import DATASETS, load_dataset
from .networks.generalisation import MEASURES
from .networks.losses import LOSSES
from .networks.mlp import INITIALIZATIONS, MLP
from .request import Request
from .search.settings import STAGES, SearchSettings, option_text
from .storage import OUTCOMES
from .sweep.progress import SweepReporter, progress_lines
from .systems.registry import SYSTEMS, import_user_module
from .verification.certificate import CERTIFICATES, CERTIFIED
from .verification.certified import NOT_YET
from .view.disconnectivity import check_colour
from .view.heat_capacity import draw_heat_capacity
from .view.tables import print_estimates, print_generalisation, print_reach
from .view.terminal import (
    Reporter,
    audit_text,
    duration,
    heard,
    prepare_streams,
    print_measures,
    print_network_summary,
    print_summary,
    say,
    show,
)
from .view.tree import LEVELS

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
        show(f"nnpotential {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="MODULE",
            help="A module or a Python file that registers a system of yours "
            "(nnpotential.register), so that its landscapes can be opened.",
        ),
    ] = None,
):  # no docstring: typer would show it in place of the help above
    for module in modules or ():
        import_user_module(module)


Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The landscape's directory.")]
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
AsJson = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]
Colour = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT", help=f"Colour the branches by a measure: of networks {', '.join(MEASURES)}."
    ),
]


def _search_options(*stages):
    """Give a command an option for each field of `SearchSettings`, all of them as ``**search``.

    Parameters
    ----------
    *stages : str
        Only those of some stages; by default all.
    """

    def decorate(command):
        given = inspect.signature(command).parameters.values()
        own = [p for p in given if p.kind is not inspect.Parameter.VAR_KEYWORD]
        wanted = [f for f in fields(SearchSettings) if set(f.metadata["stages"]) & set(stages)]
        command.__signature__ = inspect.Signature(own + list(map(_search_option, wanted)))
        return command

    return decorate


def _search_option(option):
    text, least = option_text(option), option.metadata.get("least")
    if option.name == "initializations":
        names = ", ".join(INITIALIZATIONS)
        how = typer.Option(
            "--initialization",
            metavar="NAME",
            help=f"{text} Of networks: {names}. May be given several times.",
        )
        kind = list[str] | None
    else:
        how = typer.Option(min=least, help=text)
        kind = (int if least is not None else float) | None
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, how]
    )


@app.command()
@_search_options(*STAGES)
def explore(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            help=f"One of {', '.join(DATASETS)}, or a CSV or npz file. The last column of a CSV "
            "file is the target; classes may be words. In place of data a system that is known: "
            f"{', '.join(SYSTEMS)}, where N is a number of atoms. A landscape that exists needs "
            "none.",
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
    workers: Workers = 1,
    max_seconds: MaxSeconds = None,
    job_timeout: JobTimeout = 3600.0,
    colour: Colour = None,
    **search,
):
    """Map a landscape: minima, transition states, verification, graph, summary.

    Ctrl-C loses nothing; the same command continues, or with --output DIR alone. Limits on the
    search may be raised later, all other options must stay as they were.

    Example: nnpotential explore ljat --n-train 100 --hidden 10 --output runs/first
    """
    request = Request(
        dataset,
        hidden=None if hidden is None else _sizes(hidden),
        seed=seed,
        dataset_options=_given(n_train=n_train, n_test=n_test),
        network_options=_given(activation=activation, bias=bias),
        loss_options=_given(
            loss=loss, regularization=regularization, regularize_bias=regularize_bias
        ),
    )
    search = _given(**search)
    how = {"workers": workers, "max_seconds": max_seconds, "job_timeout": job_timeout}
    with heard():
        land = request.open(output)
        if land is None:
            system, name = request.system()
            output = Path("runs") / name if output is None else output
            land = request.open(output)
    if land is None:
        SearchSettings(**search).of(system).check_workers(workers)
        if colour is not None:
            check_colour(colour, system)
        land = Landscape.create(output, system, seed=request.seed, **search)
    say(f"landscape: {output} ({land.system}, seed {land.settings['seed']})")
    if colour is not None:
        check_colour(colour, land.system)
    with Reporter() as reporter, _interruptible(reporter, land):
        figures = land.explore(reporter, draw=False, **how, **search)
    _end(land, figures, colour)


@app.command()
@_search_options("connections")
def connect(
    directory: Directory,
    workers: Workers = 1,
    max_seconds: MaxSeconds = None,
    job_timeout: JobTimeout = 3600.0,
    **search,
):
    """Search transition states until all minima are connected, or partners run out."""
    land = Landscape.open(directory)
    with Reporter() as reporter, _interruptible(reporter, land):
        figures = land.explore(
            reporter,
            stages=("connections",),
            workers=workers,
            max_seconds=max_seconds,
            job_timeout=job_timeout,
            draw=False,
            **_given(**search),
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
    with Reporter() as reporter, _interruptible(reporter, "the same command begins anew"):
        results = land.verify(reporter, repair=repair, workers=workers, job_timeout=job_timeout)
    kinds = ("minimum", "transition state")
    table = Table("outcome", "meaning")
    for kind in ("minima", "transition states"):
        table.add_column(kind, justify="right")
    count = Counter((kind, outcome) for kind, _, outcome in results)
    for outcome, meaning in OUTCOMES.items():
        if outcome == "ok" or any(count[kind, outcome] for kind in kinds):
            table.add_row(outcome, meaning, *(str(count[kind, outcome]) for kind in kinds))
    show(table)
    failed = [r for r in results if r[2] != "ok"]
    for kind, number, outcome in failed[:20]:
        say(f"{kind} {number}: {outcome}")
    raise typer.Exit(1 if failed else 0)


@app.command()
def audit(
    directory: Directory,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Bottlenecks looked at. [default: as in the last audit, else 20]"),
    ] = None,
    workers: Workers = 1,
    max_seconds: MaxSeconds = None,
    job_timeout: JobTimeout = 3600.0,
):
    """How far may the barriers still fall? A new sample of bottlenecks gets much more effort.

    Every barrier of a sampled network is an upper bound. How far those of the sample fall is what
    all would fall, within the interval that is given. What is found on the way is kept, and the
    graph drawn anew. An audit that was stopped goes on, unless --sample is another.
    """
    land = Landscape.open(directory)
    with Reporter() as reporter, _interruptible(reporter, land):
        found = land.audit(
            reporter,
            sample=sample,
            workers=workers,
            max_seconds=max_seconds,
            job_timeout=job_timeout,
        )
    if found is None:
        say("stopped before its end; what it found is kept, the same command continues")
        return
    show(f"mean barrier {audit_text(land.summary())}")
    say(f"bottlenecks: {found['n_sampled']}, attempts: {found['n_attempts']}")
    _draw(land)


@app.command()
def certify(directory: Directory, workers: Workers = 1, job_timeout: JobTimeout = 3600.0):
    """Prove that the stored points exist, have their index, and are different.

    Newton-Kantorovich for every verified point, rigorous to the last rounding. What is proved is
    kept with the point, and the same command does only what is new or has changed; Ctrl-C loses
    nothing. Of fully connected networks and the exact landscapes. Needs the extra [certify]. The
    exit code is 1 if anything is left without a proof.
    """
    land = Landscape.open(directory)
    kept = "what is proved is kept, the same command continues"
    with Reporter() as reporter, _interruptible(reporter, kept):
        results = land.certify(reporter, workers=workers, job_timeout=job_timeout)
    kinds = ("minimum", "transition state")
    table = Table("outcome", "meaning")
    for kind in ("minima", "transition states", "share"):
        table.add_column(kind, justify="right")
    count = Counter((kind, outcome) for kind, _, outcome, _ in results)
    meanings = {**CERTIFICATES, NOT_YET: "the proof itself failed three times"}
    for outcome, meaning in meanings.items():
        numbers = [count[kind, outcome] for kind in kinds]
        if outcome == CERTIFIED or any(numbers):
            share = f"{100 * sum(numbers) / max(len(results), 1):.1f} %"
            table.add_row(outcome, meaning, *map(str, numbers), share)
    show(table)
    n_minima, n_states = (count[kind, CERTIFIED] for kind in kinds)
    show(
        f"proved: this landscape has at least {n_minima} minima and {n_states} transition states, "
        "no two of them images of each other"
    )
    failed = [r for r in results if r[2] != CERTIFIED]
    for kind, number, _, why in failed[:20]:
        say(f"{kind} {number}: {why}")
    raise typer.Exit(1 if failed else 0)


@app.command()
def reach(
    directory: Directory,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="A method of training, as sklearn-adam or sgd-0.3-32 (learning rate, batch). May "
            "be given several times. [default: all]",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each method.")] = 100,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The method from which differences are taken. [default: the first]"
        ),
    ] = None,
    store: Annotated[
        bool,
        typer.Option(
            "--store", help="Store minima not known before; the next explore verifies them."
        ),
    ] = False,
    workers: Workers = 1,
    job_timeout: JobTimeout = 3600.0,
    as_json: AsJson = False,
):
    """Which minima do the common minimisers reach, and what barriers lie between their ends?

    Networks are trained by scikit-learn's solvers at their usual settings, and by minibatch SGD
    and Adam on exactly the loss of the landscape. Where training ends is quenched, and the
    minimum is named: a stored one, or a new one. Ctrl-C loses nothing: runs are kept in
    DIR/reach.json, and the same command does those that are missing. Drawn in DIR/reach.png and
    .svg. docs/reach.md says what the columns mean.
    """
    land = Landscape.open(directory)
    kept = "finished runs are kept in reach.json, the same command continues"
    with Reporter() as reporter, _interruptible(reporter, kept):
        found = land.reach(
            reporter,
            methods=methods or (),
            runs=runs,
            against=against,
            store=store,
            workers=workers,
            job_timeout=job_timeout,
        )
    if as_json:
        _show_json(found)
        return
    print_reach(found)
    say(f"all of it: {land.path / 'reach.json'}, drawn: {land.path / 'reach.png'}")


@app.command()
def minima(
    directory: Directory,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.csv", help="[default: DIR/minima.csv]"),
    ] = None,
    as_json: AsJson = False,
):
    """One line a minimum: loss, barrier, curvature of the Hessian, train and test figures.

    Shown are the rank correlations of loss and curvature with each figure, with 95 % bootstrap
    intervals, and of networks what ensembles of the lowest minima gain on the test set.
    """
    land = Landscape.open(directory)
    with Reporter() as reporter, _interruptible(reporter, "nothing was written"):
        found = land.generalisation(reporter)
    path = land.path / "minima.csv" if output is None else output
    write_table(path, found["minima"])
    if as_json:
        columns = {name: column.tolist() for name, column in found["minima"].items()}
        _show_json({**found, "minima": columns})
        return
    print_generalisation(found)
    say(f"table: {path}")


def _show_json(found):
    show(json.dumps(_plain(found), indent=2, allow_nan=False))


def _plain(found):
    """JSON knows neither NaN nor infinity."""
    if isinstance(found, dict):
        return {name: _plain(value) for name, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_plain(value) for value in found]
    return None if isinstance(found, float) and not np.isfinite(found) else found


@app.command()
def estimates(
    directory: Directory,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of connected minima.")] = 200,
    quenches: Annotated[
        bool,
        typer.Option(
            "--quenches",
            help="Only of minima that independent quenches found, for whose barriers the search "
            "cares.",
        ),
    ] = False,
    workers: Workers = 1,
    job_timeout: JobTimeout = 3600.0,
    as_json: AsJson = False,
):
    """How wrong are the barriers that are in use? Straight lines and bands beside verified ones.

    For a random sample of connected pairs of minima: the straight line, the same after matching
    units, and a relaxed band (nudged elastic band). A line or band whose whole path stays below
    the verified barrier shows that the latter has not converged; how often is said. Ctrl-C loses
    nothing: pairs are kept in DIR/estimates.json. Drawn in DIR/estimates.png and .svg.
    """
    land = Landscape.open(directory)
    kept = "finished pairs are kept in estimates.json, the same command continues"
    with Reporter() as reporter, _interruptible(reporter, kept):
        found = land.estimates(
            reporter,
            pairs=pairs,
            of_quenches=quenches,
            workers=workers,
            job_timeout=job_timeout,
        )
    if as_json:
        _show_json(found)
        return
    print_estimates(found)
    say(f"all of it: {land.path / 'estimates.json'}, drawn: {land.path / 'estimates.png'}")


@app.command()
def graph(
    directory: Directory,
    colour: Colour = None,
    levels: Annotated[int, typer.Option(min=2, help="Number of levels.")] = LEVELS,
    title: Annotated[str | None, typer.Option(help="Title above the graph.")] = None,
):
    """Draw the disconnectivity graph, as PNG and SVG in DIR."""
    land = open_directory(directory)
    drawn, total = land.draw(colour=colour, levels=levels, title=title)
    say(f"{drawn} of {total} minima drawn: {directory / 'disconnectivity.png'} and .svg")


@app.command()
def path(
    directory: Directory,
    start: Annotated[
        int | None,
        typer.Argument(
            help="Id of a minimum. [default: that with the highest barrier]", show_default=False
        ),
    ] = None,
    end: Annotated[
        int | None,
        typer.Argument(help="Id of another. [default: the lowest]", show_default=False),
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            metavar="WHAT",
            help=f"A panel below the loss: of networks {', '.join(MEASURES)}. May be given several "
            "times. [default: four of them]",
        ),
    ] = None,
):
    """Follow the lowest path between two minima: loss, test loss, accuracy along it.

    The path over the lowest transition states, down steepest descent from each: as PNG, SVG and
    CSV in DIR. Ids are those of the database, as the other commands print them.
    """
    land = Landscape.open(directory)
    with heard():
        found = land.lowest_path(start, end, measures=measures)
    table = Table("", "id", "length", land.system.energy_label)
    stored = sorted(
        (place, kind, number)
        for kind, numbers, places in (
            ("minimum", found.minima, found.places["minima"]),
            ("transition state", found.states, found.places["states"]),
        )
        for place, number in zip(places, numbers, strict=True)
    )
    for place, kind, number in stored:
        at = found.lengths[place], found.energies[place]
        table.add_row(kind, str(number), *(f"{value:.6g}" for value in at))
    show(table)
    name = f"path-{found.minima[0]}-{found.minima[-1]}"
    say(f"path: {directory / name}.png, .svg and .csv")


@app.command()
def section(
    directory: Directory,
    minima: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="[MINIMUM...]",
            help="Ids of three minima, or of one. [default: the lowest]",
            show_default=False,
        ),
    ] = None,
):
    """Draw the plane through three minima, or the loss along the softest modes of one.

    A plane shows little of a landscape of a hundred dimensions: how much of the distance to the
    other minima lies in it stands below the axis.
    """
    land = Landscape.open(directory)
    with heard():
        found = land.section(*(minima or ()))
    if len(found.shares):
        inside = float(np.median(np.asarray(found.shares).reshape(len(found.shares), -1).sum(1)))
        say(f"it holds {100 * inside:.1f} % of the squared distance to another minimum (median)")
    say(f"drawn in {directory}")


@app.command()
def gui(directory: Directory):
    """Open pele's GUI on a landscape: browse its points, start runs. Needs the extra [gui].

    What is found there is stored at once; the next explore, connect or verify --repair polishes,
    verifies and merges it. While another process works on the landscape it opens read-only.
    """
    from .view.gui import open_gui

    open_gui(Landscape.open(directory))


@app.command()
def summary(
    directory: Directory,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole summary as JSON.")
    ] = False,
):
    """Show the figures of a landscape, or of a network without coordinates."""
    place = open_directory(directory)
    figures = place.summary()
    if as_json:
        _show_json(figures)
    elif isinstance(place, Landscape):
        print_summary(figures)
    else:
        print_network_summary(figures)


@app.command("import")
def import_(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A landscape that exists, or a new place.", show_default=False
        ),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES...",
            help=f"Under their usual names, or a folder of them: {', '.join(DATABASE)}; of a "
            f"network's inputs {', '.join(INPUTS)}.",
            show_default=False,
        ),
    ],
    program: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="PROGRAM",
            help=f"{', '.join(PROGRAMS)}: also GMIN and OPTIM.",
            show_default=False,
        ),
    ],
    vibrations: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of points without coordinates: directions of non-zero curvature, 3n - 6 for a "
            "cluster of n atoms. [default: not known]",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Of points without coordinates: the energy axis. [default: energy]"),
    ] = None,
    kinetic: Annotated[
        bool | None,
        typer.Option(
            "--kinetic/--no-kinetic",
            help="Of points without coordinates: whether the energy has a kinetic half, as of "
            "atoms. [default: yes]",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the landscape made of a network's inputs. [default: 0]")
    ] = None,
):
    """Bring in what PATHSAMPLE, OPTIM or GMIN found, or the network that they work on.

    Three ways: min.data and ts.data alone become a directory without coordinates, which graph,
    summary, measures and export take. MLPdata and a data or odata with a line MLPVB3 or DL
    (DLhiddendata with it) become the landscape of that network. With points.min and points.ts the
    points go into a landscape, new or there; the next explore polishes, verifies and merges them.
    All is done, or nothing. docs/exchange.md has formats and orders.

    \b
    Examples: nnpotential import runs/lj38 --from pathsample min.data ts.data --vibrations 108
              nnpotential import runs/mine --from pathsample my-gmin-folder
    """
    check_choice("program", program, PROGRAMS)
    with heard():
        done = import_pathsample(
            directory,
            files,
            seed=seed,
            n_vibrations=vibrations,
            energy_label=label,
            kinetic=kinetic,
        )
    for note in done.notes:
        say(f"note: {note}")
    if isinstance(done.place, Landscape):
        say(f"landscape: {directory} ({done.place.system})")
    if done.found is not None:
        table = Table("", "minima", "transition states")
        read = len(done.found.network), len(done.found.network.states)
        table.add_row("read", *map(str, read))
        if done.new is not None:
            table.add_row("new, from outside", *map(str, done.new))
        show(table)
    if not isinstance(done.place, Landscape):
        say(f"network without coordinates: {directory}; 'nnpotential graph {directory}' draws it")
    elif done.new is not None and any(done.new):
        say(
            f"new points count once they are polished, verified and merged: 'nnpotential explore "
            f"--output {directory}' does it and searches on, 'verify {directory} --repair' only it"
        )
    else:
        say(f"'nnpotential explore --output {directory}' searches it")


@app.command()
def export(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A landscape, or what import made.", show_default=False),
    ],
    program: Annotated[
        str,
        typer.Option("--to", metavar="PROGRAM", help=f"{', '.join(PROGRAMS)}.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="A new or empty one. [default: DIR/pathsample]",
        ),
    ] = None,
):
    """Write all verified points as PATHSAMPLE's database, exact to the last digit.

    min.data, ts.data, points.min and points.ts, which disconnectionDPS reads too. Of a network with
    tanh and cross-entropy also MLPdata, DLhiddendata, data and coords (GMIN), odata and
    odata.connect (OPTIM), pathdata, min.A and min.B (PATHSAMPLE), with the parameters in their
    order. docs/exchange.md has formats and orders.

    Example: nnpotential export runs/first --to pathsample --output there
    """
    check_choice("program", program, PROGRAMS)
    with heard():
        done = export_pathsample(directory, output)
    for note in done.notes:
        say(f"note: {note}")
    table = Table("minima", "transition states", "files")
    numbers = len(done.network), len(done.network.states)
    table.add_row(*map(str, numbers), ", ".join(done.names))
    show(table)
    say(f"written: {done.folder}")


@app.command()
def measures(
    directories: Annotated[
        list[Path],
        typer.Argument(metavar="DIR [OTHER]", help="The landscape's directory, others beside it."),
    ],
    temperatures: Annotated[
        list[str] | None,
        typer.Option(
            "--temperature",
            metavar="T",
            help="In units of the energy; several as '--temperature 0.1 0.15'. [default: where "
            "the heat capacity has its peaks, and the spread of energies]",
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option("--compare", metavar="DIR", help="Other landscapes, side by side."),
    ] = None,
    a: Annotated[
        str | None,
        typer.Option(
            "--a", metavar="IDS", help="Rates between these minima and those of --b, as 144 or 3,7."
        ),
    ] = None,
    b: Annotated[str | None, typer.Option("--b", metavar="IDS", help="The other set.")] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the heat capacity with its band, and the minima behind its peaks, as png, "
            "svg or pdf.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print all of it as JSON: curves, quantiles, which minima, bands, units. A list "
            "with --compare.",
        ),
    ] = False,
):
    """Is it a funnel or a glass? The measures of the field, for a landscape or several.

    Thermodynamics of the harmonic superposition: the probability of the lowest minimum, Shannon
    entropy, heat capacity and its peaks. Frustration: how high the barriers on the way to the
    lowest minimum are, over how far down it leads. Basins of monotonic sequences, superbasins,
    barriers over the spread of energies; rates between sets of minima. With what missing minima
    and barriers that may still fall could change. docs/measures.md has equations and sources.

    Example: nnpotential measures runs/shallow --temperature 0.01 --compare runs/deep
    """
    places, given = _places_and_temperatures(directories, temperatures or [], compare or [])
    sets = {name: _ids(name, text) for name, text in (("a", a), ("b", b)) if text is not None}
    if (sets or figure) and len(places) > 1:
        raise InputError("rates and the figure are of one landscape: leave out --compare")
    if figure and figure.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"the figure must be a png, svg or pdf file, not {figure}")
    with_labels(given)  # what is wrong is said before the work
    with heard():
        networks = [open_network(place) for place in places]
        found = [measures_of(network, given or None, **sets) for network in networks]
    if figure:
        draw_heat_capacity(networks[0], figure)
        say(f"heat capacity: {figure}")
    if as_json:
        _show_json(found if len(found) > 1 else found[0])
    else:
        print_measures([str(place) for place in places], found)


def _places_and_temperatures(directories, temperatures, compare):
    """Options take one value each: what follows as '0.1 0.15' or 'A B' is sorted out here."""
    places, more = [], []
    for given in directories:
        is_more = temperatures and not given.exists() and _is_number(str(given))
        (more if is_more else places).append(given)
    if not places:
        raise InputError("name the landscape's directory")
    return [places[0], *compare, *places[1:]], [*temperatures, *map(str, more)]


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ids(name, text):
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--{name} takes ids of minima such as 144 or 3,7; not {text!r}") from None


@app.command()
def sweep(
    definition: Annotated[
        Path,
        typer.Argument(
            metavar="SWEEP.toml",
            help="What varies: sections as in settings.toml, where any setting may be a list. Or "
            "the directory of a sweep, which is continued.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="The sweep's directory. [default: runs/SWEEP]"
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show the points and a guess of their relative cost, no more."
        ),
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show how far it is, wherever it runs, no more.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes of this machine; with --slurm its jobs. The landscapes are the same "
            "for any number. [default: one for each core]",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="A Dask scheduler that does the work, as tcp://10.0.0.1:8786."
        ),
    ] = None,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Submit workers to Slurm, as its section [slurm] says.")
    ] = False,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread",
            help="The points one after another, each one's own jobs on all workers: for few large "
            "landscapes.",
        ),
    ] = False,
    point: Annotated[
        int | None,
        typer.Option(metavar="N", help="Only point N, from 0: for an array of batch jobs."),
    ] = None,
    extend: Annotated[
        bool,
        typer.Option(
            "--extend",
            help="Go on with finished points where limits on the search have risen; otherwise "
            "changed settings make new points.",
        ),
    ] = False,
    max_seconds: MaxSeconds = None,
):
    """Map a grid of landscapes, and tabulate and show what was found.

    DIR holds a landscape for each point, summaries.csv (.parquet with pandas and pyarrow) and
    sweep.html. Ctrl-C loses nothing; the same command continues and repeats nothing finished. A
    point that fails three times is recorded and stops no other; the exit code is then 1.

    Example of SWEEP.toml, with 2 x 2 x 3 points:

    \b
        seed = [0, 1, 2]
        [dataset]
        name = "ljat"
        n_train = [50, 100]
        [network]
        hidden = [[10], [5, 5]]
        [potential]
        regularization = 1e-3
    """
    from .sweep.sweep import Sweep

    with heard():
        if definition.is_dir():
            if output is not None:
                raise InputError("--output goes with a file; a sweep's directory is its output")
            found = Sweep(definition)
        elif status and not definition.exists():
            raise InputError(
                f"no sweep has begun at {definition}, and it is no file that defines one"
            )
        else:
            output = Path("runs") / definition.stem if output is None else output
            found = Sweep(output, definition)
    if dry_run:
        _show_plan(found)
    elif status:
        _show_status(found)
    else:
        raise typer.Exit(
            _run_sweep(
                found,
                workers=workers,
                scheduler=scheduler,
                slurm=slurm,
                spread=spread,
                only=point,
                extend=extend,
                max_seconds=max_seconds,
            )
        )


def _show_plan(sweep):
    table = Table("", "point", "parameters", "relative cost")
    least = min(row["cost"] for row in sweep.plan())
    total = 0.0
    for index, row in enumerate(sweep.plan()):
        cost = row["cost"] / least
        total += cost
        if index < 100:
            table.add_row(str(index), row["point"], str(row["n_parameters"]), f"{cost:.1f}")
    show(table)
    more = f", {len(sweep) - 100} of them not shown" if len(sweep) > 100 else ""
    say(
        f"{len(sweep)} points{more}; all in all {total:.0f} times the cheapest. The cost is a "
        "rough guess: it depends on how many minima there will be"
    )


def _show_status(sweep):
    if not sweep.path.exists():
        say(f"no sweep has begun at {sweep.path}")
    found = sweep.status()
    table = Table("points", "finished", "failed", "begun")
    table.add_row(*(str(found[name]) for name in ("n_points", "finished", "failed", "begun")))
    show(table)
    for name, error in list(found["errors"].items())[:20]:
        say(f"{name} failed: {error}")
    if found["running"]:
        ended = found["finished"] + found["failed"]
        lines = progress_lines(ended, found["n_points"], found["running"], found["seconds_left"])
        say("\n".join(lines))
        say(f"told by process {found['process']}, {duration(found['seconds_ago'])} ago")


def _run_sweep(sweep, **how):
    say(f"sweep: {sweep.path} ({len(sweep)} points)")
    kept = "what was found is kept, the same command continues"
    with SweepReporter() as reporter, _interruptible(reporter, kept):
        counts = sweep.run(reporter, **how)
    for name, error in list(sweep.status()["errors"].items())[:20]:
        say(f"{name} failed: {error}")
    table = Table("points", "finished", "failed", "left")
    table.add_row(str(sum(counts.values())), *map(str, counts.values()))
    show(table)
    if how["only"] is None:
        say(f"table: {sweep.path / 'summaries.csv'}, to look at: {sweep.path / 'sweep.html'}")
    return 1 if counts["failed"] else 0


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
            show(line)

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
    with heard():
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
    show(table)
    if output is not None:
        say(f"written: {output}")


@contextmanager
def _logged(logger):
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


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
    return {name: value for name, value in options.items() if value not in (None, [])}


@contextmanager
def _interruptible(reporter, kept):
    """Say upon Ctrl-C what is kept: a text, or all that a landscape holds."""
    try:
        yield
    except KeyboardInterrupt:
        reporter.stop()
        if isinstance(kept, Landscape):
            n = kept.database.number_of_minima()
            kept = f"{n} minima are kept, the same command continues"
        say(f"interrupted; {kept}")
        raise


def _end(land, figures, colour=None):
    """The table, then the graph: if that cannot be drawn, all else is there."""
    print_summary(figures)
    if not figures["n_minima"]:
        say("no verified minimum was found, so there is nothing to draw")
        return
    _draw(land, colour)


def _draw(land, colour=None):
    try:
        land.draw(colour=colour)
    except InputError as error:
        say(f"warning: {error}")
    else:
        say(f"disconnectivity graph: {land.path / 'disconnectivity.png'}")


def main():
    """Run the command line; errors are one line and exit code 2."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    prepare_streams()
    # of its configuration, which our drawings do not follow
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        # small matrices: BLAS threads only stand in each other's way
        with (
            threadpool_limits(1),
            _logged(logging.getLogger(__package__)),
            warnings.catch_warnings(),
        ):
            warnings.showwarning = lambda message, *_: say(f"warning: {message}")
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


def _fail(message):
    say(f"error: {' '.join(message.split())}")
    sys.exit(2)
