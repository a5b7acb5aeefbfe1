"""Commands that read and write files of others, and data sets."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from ..checks import check_choice
from ..errors import InputError
from ..exchange.pathsample import DATABASE
from ..exchange.programs import INPUTS
from ..exchange.topsearch import TOPSEARCH_FILES
from ..files import printable
from ..interchange import (
    export_pathsample,
    export_topsearch,
    import_pathsample,
    import_topsearch,
)
from ..landscape import Landscape
from ..networks.datasets import DATASETS, MEAN_ABSOLUTE, load_dataset
from ..sharing import (
    export_archive,
    export_csv,
    export_graphml,
    import_archive,
    import_graphml,
    import_untrusted,
)
from ..view.terminal import (
    heard,
    say,
    show,
)
from .shared import (
    Untrusted,
    app,
    given,
)

_FROM = ("pathsample", "topsearch", "graphml", "archive", "untrusted")
_TO = {
    "pathsample": export_pathsample,
    "topsearch": export_topsearch,
    "graphml": export_graphml,
    "csv": export_csv,
    "archive": export_archive,
}


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
            f"network's inputs {', '.join(INPUTS)}; of TopSearch {', '.join(TOPSEARCH_FILES)}. "
            "One file of an archive or GraphML; the directory of an untrusted landscape.",
            show_default=False,
        ),
    ],
    program: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="WHAT",
            help=f"{', '.join(_FROM)}. With pathsample also GMIN and OPTIM.",
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
    """Bring in what another program found, a graph, or a landscape that somebody else made.

    From pathsample, three ways: min.data and ts.data alone become a directory without coordinates,
    which graph, summary, measures and export take. MLPdata and a data or odata with a line MLPVB3
    or DL (DLhiddendata with it) become the landscape of that network. With points.min and points.ts
    the points go into a landscape, new or there; the next explore polishes, verifies and merges
    them. From topsearch likewise. A graphml file becomes a directory without coordinates. An
    archive that export made becomes the landscape that it was, and so does the directory of
    an untrusted landscape: neither is unpickled. All is done, or nothing. docs/exchange.md has
    formats and orders.

    \b
    Examples: nnpotential import runs/lj38 --from pathsample min.data ts.data --vibrations 108
              nnpotential import runs/mine --from pathsample my-gmin-folder
              nnpotential import runs/theirs --from archive theirs.zip
              nnpotential import runs/theirs --from untrusted download/theirs
    """
    check_choice("origin", program, _FROM)
    told = given(n_vibrations=vibrations, energy_label=label, kinetic=kinetic)
    with heard():
        done = _imported(program, directory, files, told, given(seed=seed))
    for note in done.notes:
        say(f"note: {note}")
    if isinstance(done.place, Landscape):
        say(f"landscape: {directory} ({done.place.system})")
    if done.read is not None:
        table = Table("", "minima", "transition states")
        table.add_row("read", *map(str, done.read))
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
    elif program in ("archive", "untrusted"):
        say(
            f"outcomes of verification are as they were noted: 'nnpotential verify {directory}' "
            "checks every point anew"
        )
    else:
        say(f"'nnpotential explore --output {directory}' searches it")


def _imported(program, directory, files, told, seed):
    """What one of the ways in gives, of the options that it knows."""
    if program == "pathsample":
        return import_pathsample(directory, files, **told, **seed)
    if seed:
        raise InputError("a seed goes with a landscape that is made from a network's inputs")
    if program == "topsearch":
        return import_topsearch(directory, files, **told)
    if len(files) > 1:
        raise InputError(f"one {program} at a time is imported, not {len(files)}")
    if program == "graphml":
        return import_graphml(directory, *files, **told)
    if told:
        raise InputError(
            "vibrations, label and kinetic are told of points without coordinates alone: a "
            "landscape knows them"
        )
    return {"archive": import_archive, "untrusted": import_untrusted}[program](directory, *files)


@app.command()
def export(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A landscape, or what import made.", show_default=False),
    ],
    program: Annotated[
        str,
        typer.Option("--to", metavar="WHAT", help=f"{', '.join(_TO)}.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PLACE",
            help="A new or empty folder; of graphml and an archive a new file. [default: a folder "
            "of that name in DIR, DIR/network.graphml, DIR.zip]",
        ),
    ] = None,
    untrusted: Untrusted = False,
):
    """Write all verified points for another program, exact to the last digit; or all of it.

    To pathsample: min.data, ts.data, points.min and points.ts, which disconnectionDPS reads too. Of
    a network with tanh and cross-entropy also MLPdata, DLhiddendata, data and coords (GMIN), odata
    and odata.connect (OPTIM), pathdata, min.A and min.B (PATHSAMPLE), with the parameters in their
    order. To topsearch: its files of the same names. To graphml or csv: the network with what the
    system measures of each minimum. To archive: the whole landscape, search and data included, in
    one file without pickles that others can open without trust. docs/exchange.md has
    formats and orders.

    \b
    Examples: nnpotential export runs/first --to pathsample --output there
              nnpotential export runs/first --to archive -o first.zip
    """
    check_choice("format", program, tuple(_TO))
    # an archive is made without unpickling in any case
    options = {} if program == "archive" else {"untrusted": untrusted}
    with heard():
        done = _TO[program](directory, output, **options)
    for note in done.notes:
        say(f"note: {note}")
    table = Table("minima", "transition states", "files")
    table.add_row(*map(str, done.size), ", ".join(done.names))
    show(table)
    say(f"written: {done.place}")


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
        bool | None, typer.Option(help="Shift and scale by the training set's mean and deviation.")
    ] = None,
    mean_absolute: Annotated[
        bool,
        typer.Option(
            "--mean-absolute",
            help="Instead divide each input by its mean absolute value, as GMIN's MLPNORM does.",
        ),
    ] = False,
    regression: Annotated[bool, typer.Option(help="The targets are real numbers.")] = False,
):
    """Make or inspect a data set."""
    if output is not None and output.suffix != ".npz":
        raise InputError(f"the output must be an npz file, not {output}")
    with heard():
        if mean_absolute and standardize is not None:
            raise InputError("give --mean-absolute or --standardize or --no-standardize, not two")
        scaling = MEAN_ABSOLUTE if mean_absolute else standardize is not False
        data = load_dataset(name, n_train, n_test, seed, standardize=scaling, regression=regression)
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
