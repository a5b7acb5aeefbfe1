"""Commands for grids of landscapes, and the self-test."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..errors import InputError
from ..sweep.progress import SweepReporter, progress_lines
from ..view.terminal import (
    duration,
    heard,
    say,
    show,
)
from .shared import (
    MaxSeconds,
    app,
    interruptible,
)


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
    from ..sweep.sweep import Sweep

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
    with SweepReporter() as reporter, interruptible(reporter, kept):
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
    from ..selftest import run

    def report(line):
        if verbose or not line.startswith("ok "):
            show(line)

    raise typer.Exit(0 if run(output, report) else 1)
