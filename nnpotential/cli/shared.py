"""The command line's application, and what its commands share."""

import inspect
import json
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..errors import InputError
from ..landscape import REPORT, Landscape
from ..networks.generalisation import MEASURES
from ..networks.mlp import INITIALIZATIONS
from ..search.settings import SearchSettings, option_text
from ..systems.registry import import_user_module
from ..view.page import finite
from ..view.source import OF_EVERY_NETWORK
from ..view.terminal import (
    print_summary,
    say,
    show,
)

__all__ = [
    "AsJson",
    "Colour",
    "Directory",
    "JobTimeout",
    "MaxSeconds",
    "Untrusted",
    "Workers",
    "app",
    "draw_graph",
    "end",
    "given",
    "interruptible",
    "search_options",
    "show_json",
    "sizes",
]

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
Untrusted = Annotated[
    bool,
    typer.Option(
        "--open-untrusted",
        help="DIR is of unknown origin: it is read without unpickling, no file in it is changed. "
        "'import --from untrusted' makes a landscape of it for all other commands.",
    ),
]
Colour = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help=f"Colour the branches: of networks by {', '.join(MEASURES)}; of any landscape by "
        f"{', '.join(OF_EVERY_NETWORK)}.",
    ),
]


def search_options(*stages):
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


def show_json(found):
    show(json.dumps(finite(found), indent=2, allow_nan=False))


def sizes(text):
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


def given(**options):
    return {name: value for name, value in options.items() if value not in (None, [])}


@contextmanager
def interruptible(reporter, kept):
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


def end(land, figures, colour=None):
    """The table, then the graph: if that cannot be drawn, all else is there."""
    print_summary(figures)
    if not figures["n_minima"]:
        say("no verified minimum was found, so there is nothing to draw")
        return
    draw_graph(land, colour)
    _write_report(land, figures)


def draw_graph(land, colour=None):
    try:
        land.draw(colour=colour)
    except InputError as error:
        say(f"warning: {error}")
    else:
        say(f"disconnectivity graph: {land.path / 'disconnectivity.png'}")


def page_is_old(land):
    """After what changes the landscape or says more of it, and does not write the page anew."""
    if (land.path / REPORT).exists():
        say(f"{REPORT} shows what was known before: 'nnpotential report {land.path}' renews it")


def _write_report(land, figures):
    try:
        path = land.report(quick=True, summary=figures)
    except InputError as error:
        say(f"warning: {error}")
    else:
        say(f"page to look at: {path}; 'nnpotential report' adds what takes Hessians")
