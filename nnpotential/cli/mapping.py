"""Commands that search, verify, audit and certify."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..landscape import Landscape
from ..networks.activations import SMOOTH
from ..networks.datasets import DATASETS
from ..networks.losses import LOSSES
from ..networks.mlp import MLP
from ..request import Request
from ..search.settings import STAGES, SearchSettings
from ..storage import OUTCOMES
from ..systems.registry import SYSTEMS
from ..verification.certificate import CERTIFICATES, CERTIFIED
from ..verification.certified import NOT_YET
from ..verification.stored import left_out_text, outcomes
from ..view.source import check_colour
from ..view.terminal import (
    Reporter,
    audit_text,
    failure_lines,
    heard,
    plan_text,
    print_rows,
    say,
    show,
)
from .shared import (
    Colour,
    Directory,
    JobTimeout,
    MaxSeconds,
    Workers,
    app,
    draw_graph,
    end,
    given,
    interruptible,
    page_is_old,
    search_options,
    sizes,
)


@app.command()
@search_options(*STAGES)
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
    """Map a landscape: minima, transition states, verification, graph, summary, report page.

    Ctrl-C loses nothing; the same command continues, or with --output DIR alone. Limits on the
    search may be raised later, all other options must stay as they were.

    Example: nnpotential explore ljat --n-train 100 --hidden 10 --output runs/first
    """
    request = Request(
        dataset,
        hidden=None if hidden is None else sizes(hidden),
        seed=seed,
        dataset_options=given(n_train=n_train, n_test=n_test),
        network_options=given(activation=activation, bias=bias),
        loss_options=given(
            loss=loss, regularization=regularization, regularize_bias=regularize_bias
        ),
    )
    search = given(**search)
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
    limits = SearchSettings.given(**{**land.settings["search"], **search})
    expected = plan_text(limits, land.system.n_dof)
    if expected is not None:
        say(expected)
    if colour is not None:
        check_colour(colour, land.system)
    with Reporter() as reporter, interruptible(reporter, land):
        figures = land.explore(reporter, draw=False, **how, **search)
    end(land, figures, colour)


@app.command()
@search_options("connections")
def connect(
    directory: Directory,
    workers: Workers = 1,
    max_seconds: MaxSeconds = None,
    job_timeout: JobTimeout = 3600.0,
    **search,
):
    """Connect what is stored: all of 'explore' but its quenches, basin-hopping and audit.

    Transition states are searched until all minima are connected, or partners run out. Where
    these stay apart, or --grow asks for it, the landscape is grown from the lowest. Then barriers
    are lowered, and soft modes followed. Every new point is verified, and the graph drawn anew.
    """
    land = Landscape.open(directory)
    with Reporter() as reporter, interruptible(reporter, land):
        figures = land.explore(
            reporter,
            stages=("connections",),
            workers=workers,
            max_seconds=max_seconds,
            job_timeout=job_timeout,
            draw=False,
            **given(**search),
        )
    end(land, figures)


@app.command()
def verify(
    directory: Directory,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Then polish, verify and merge the points that failed, and those that plain pele "
            "or another program stored. What an interrupted search had begun is done too: when it "
            "goes on, it ends elsewhere than it would have.",
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
    before = outcomes(land.database)
    with Reporter() as reporter, interruptible(reporter, "the same command begins anew"):
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
    for line in failure_lines(failed):
        say(line)
    if results != before:
        page_is_old(land)
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
    with Reporter() as reporter, interruptible(reporter, land):
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
    print_rows(
        {
            "mean barrier": audit_text(land.summary()),
            "bottlenecks": str(found["n_sampled"]),
            "attempts": str(found["n_attempts"]),
        }
    )
    draw_graph(land)
    page_is_old(land)


@app.command()
def certify(directory: Directory, workers: Workers = 1, job_timeout: JobTimeout = 3600.0):
    """Prove that the stored points exist, have their index, and are different.

    Newton-Kantorovich for every verified point, rigorous to the last rounding. What is proved is
    kept with the point, and the same command does only what is new or has changed; Ctrl-C loses
    nothing. Of fully connected networks and the exact landscapes. Needs the extra [certify]. The
    exit code is 1 if any of these is left without a proof.
    """
    land = Landscape.open(directory)
    kept = "what is proved is kept, the same command continues"
    with Reporter() as reporter, interruptible(reporter, kept):
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
    left_out = left_out_text(land.database, len(results))
    if left_out:
        say(left_out)
    failed = [(kind, n, why) for kind, n, outcome, why in results if outcome != CERTIFIED]
    for line in failure_lines(failed):
        say(line)
    page_is_old(land)
    raise typer.Exit(1 if failed else 0)
