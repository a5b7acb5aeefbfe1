"""Commands about what networks learn: reachability, generalisation, estimated barriers."""

from pathlib import Path
from typing import Annotated

import typer

from ..files import write_table
from ..landscape import Landscape
from ..view.tables import print_estimates, print_generalisation, print_reach
from ..view.terminal import (
    Reporter,
    say,
)
from .shared import (
    AsJson,
    Directory,
    JobTimeout,
    Workers,
    app,
    interruptible,
    page_is_old,
    show_json,
)


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
    with Reporter() as reporter, interruptible(reporter, kept):
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
        show_json(found)
        return
    print_reach(found)
    say(f"all of it: {land.path / 'reach.json'}, drawn: {land.path / 'reach.png'}")
    page_is_old(land)


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
    with Reporter() as reporter, interruptible(reporter, "nothing was written"):
        found = land.generalisation(reporter)
    path = land.path / "minima.csv" if output is None else output
    write_table(path, found["minima"])
    if as_json:
        columns = {name: column.tolist() for name, column in found["minima"].items()}
        show_json({**found, "minima": columns})
        return
    print_generalisation(found)
    say(f"table: {path}")


@app.command()
def estimates(
    directory: Directory,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of connected minima.")] = 200,
    quenches: Annotated[
        bool,
        typer.Option(
            "--quenches",
            help="Only of minima that independent quenches found, or that were grown: for their "
            "barriers the search cares.",
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
    with Reporter() as reporter, interruptible(reporter, kept):
        found = land.estimates(
            reporter,
            pairs=pairs,
            of_quenches=quenches,
            workers=workers,
            job_timeout=job_timeout,
        )
    if as_json:
        show_json(found)
        return
    print_estimates(found)
    say(f"all of it: {land.path / 'estimates.json'}, drawn: {land.path / 'estimates.png'}")
