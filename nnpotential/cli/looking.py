"""Commands that show what is there: graph, paths, sections, figures, measures, the GUI."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Column, Table

from ..analysis.measures import measures as measures_of
from ..analysis.measures import with_labels
from ..checks import check_choice
from ..errors import InputError
from ..graphs import disconnectivity_graph, disconnectivity_graphs
from ..interchange import (
    open_directory,
    open_network,
)
from ..landscape import Landscape
from ..networks.generalisation import MEASURES
from ..settings import SETTINGS
from ..view.canvas import FORMATS, check_figure
from ..view.heat_capacity import draw_heat_capacity
from ..view.terminal import (
    heard,
    print_measures,
    print_network_summary,
    print_rows,
    print_summary,
    say,
    show,
)
from ..view.tree import LEVELS
from .shared import (
    Colour,
    Directory,
    Untrusted,
    app,
    given,
    show_json,
)


@app.command()
def graph(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Landscapes, or a folder with min.data and ts.data, or the SQLite file of a pele "
            "database; several stand on one scale in one figure.",
        ),
    ],
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write, png, svg or pdf by its suffix; may be given several times. "
            "[default: disconnectivity.png and .svg in DIR]",
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", metavar="FORMAT", help="png, svg or pdf, in place of the suffix; several."
        ),
    ] = None,
    levels: Annotated[
        int, typer.Option(min=2, help="Number of levels where branches join.")
    ] = LEVELS,
    log: Annotated[
        bool,
        typer.Option("--log", help="Levels and axis logarithmic in the loss above the lowest."),
    ] = False,
    spacing: Annotated[
        float | None, typer.Option(help="Distance of the levels, in place of their number.")
    ] = None,
    bottom: Annotated[
        float | None,
        typer.Option(help="The lowest level, on the axis. [default: the lowest transition state]"),
    ] = None,
    top: Annotated[
        float | None,
        typer.Option(
            help="The highest level, on the axis; what lies above is left out. [default: the "
            "highest transition state]"
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="SCALE",
            help="The axis: energies 'absolute', 'above' the lowest, or 'spread', in units of "
            "their standard deviation. [default: absolute; above, of several]",
        ),
    ] = None,
    within: Annotated[
        float | None, typer.Option(help="Only minima within this energy above the lowest.")
    ] = None,
    lowest: Annotated[
        int | None, typer.Option(min=1, help="Only so many minima, the lowest.")
    ] = None,
    component: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The minima that are connected to this one; 'all' draws all. [default: to the "
            "lowest]",
        ),
    ] = None,
    order: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="Branches by 'size', the largest in the middle, or from left to right by a "
            "measure, as of --colour.",
        ),
    ] = "size",
    colour: Colour = None,
    log_colour: Annotated[
        bool, typer.Option("--log-colour", help="The colour bar is logarithmic.")
    ] = False,
    label: Annotated[
        str | None,
        typer.Option(metavar="IDS", help="Write the ids of minima at their branches, as 3 or 3,7."),
    ] = None,
    inset: Annotated[
        str | None,
        typer.Option(
            metavar="IDS", help="Draw the weights, or the atoms, of these minima below the graph."
        ),
    ] = None,
    joints: Annotated[
        str | None,
        typer.Option(
            metavar="JOINTS",
            help="'slanted', or 'upright' up to the level. [default: as branches stand apart]",
        ),
    ] = None,
    columns: Annotated[
        int | None,
        typer.Option(
            min=1, max=2, help="Width in columns of a journal. [default: as the branches need]"
        ),
    ] = None,
    height: Annotated[float | None, typer.Option(help="In inches.")] = None,
    title: Annotated[
        list[str] | None,
        typer.Option(help="Title of the graph; of several one each. [default: their names]"),
    ] = None,
):
    """Draw disconnectivity graphs as papers print them, of one landscape or several.

    Each branch ends at the loss of a minimum; branches join at the level above which their minima
    are connected. Text stays text, and fonts are embedded. Ids are those of the database, as the
    other commands print them; docs/graphs.md has more.

    Examples:

    nnpotential graph runs/a --colour test-auc --inset 1,7 --output figure.pdf --columns 1

    nnpotential graph runs/shallow runs/deep --scale spread --top 6 --output figure.pdf

    nnpotential graph PATHSAMPLE/ --within 4 --log --colour basin --output figure.svg
    """
    drawing = {
        "levels": levels,
        "log": log,
        "log_colour": log_colour,
        "order": order,
        **given(
            spacing=spacing,
            bottom=bottom,
            top=top,
            scale=scale,
            within=within,
            lowest=lowest,
            component=component,
            colour=colour,
            labels=None if label is None else label.split(","),
            insets=None if inset is None else inset.split(","),
            joints=joints,
            columns=columns,
            height=height,
        ),
    }
    paths = _figure_files(sources, output or [], formats or [])
    with heard():
        if len(sources) == 1:
            if title and len(title) > 1:
                raise InputError(f"there is one graph but {len(title)} titles")
            title = title[0] if title else None
            found = [disconnectivity_graph(sources[0], paths, title=title, **drawing)]
        else:
            found = disconnectivity_graphs(sources, paths, titles=title, **drawing)
    table = Table(Column("graph", overflow="fold"))
    for head in ("minima", "drawn"):
        table.add_column(head, justify="right", no_wrap=True)
    for source, one in zip(sources, found, strict=True):
        table.add_row(str(source), str(one.n_minima), str(len(one)))
    show(table)
    first, *others = paths
    same = all(path.with_suffix("") == first.with_suffix("") for path in others)
    rest = [path.suffix if same else str(path) for path in others]
    say(f"drawn: {' and '.join([str(first), *rest])}")


def _figure_files(sources, output, formats):
    """Which files to write."""
    for name in formats:
        check_choice("format", name, FORMATS)
    if not output:
        if len(sources) > 1:
            raise InputError("several graphs need a file to go to: --output graphs.pdf")
        if not (sources[0] / SETTINGS).is_file():
            if not sources[0].exists():
                raise InputError(f"there is no landscape at {sources[0]}")
            raise InputError(
                f"{sources[0]} is no landscape's directory, so that the graph needs a file to go "
                "to: --output graph.pdf"
            )
        output, formats = [sources[0] / "disconnectivity"], formats or ["png", "svg"]
    if not formats:
        return [check_figure(path) for path in output]
    known = tuple(f".{name}" for name in FORMATS)
    stems = [path.with_suffix("") if path.suffix in known else path for path in output]
    return [stem.with_name(f"{stem.name}.{name}") for stem in stems for name in formats]


@app.command()
def report(
    directory: Directory,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Without curvature, thermodynamics and lengths of paths, which take a Hessian of "
            "every point, as at the end of explore.",
        ),
    ] = False,
    levels: Annotated[int, typer.Option(min=2, help="Levels of the graph.")] = LEVELS,
    title: Annotated[
        str | None, typer.Option(help="Title of the page. [default: the name of DIR]")
    ] = None,
):
    """Write DIR/report.html, one page of all that is known, for any browser, without a network.

    The disconnectivity graph to zoom, colour and search; of each minimum its weights, neighbours
    and lowest path to the lowest; losses, barriers, heat capacity, measures, reach (where
    reach.json is there), coverage, proofs, settings. Of weights the page holds four million, those
    of the lowest minima.
    """
    place = open_directory(directory)
    figures = place.summary()
    with heard():
        written = place.report(quick=quick, levels=levels, title=title, summary=figures)
    print_rows(
        {
            "minima": str(figures["n_minima"]),
            "transition states": str(figures["n_transition_states"]),
            "size": f"{written.stat().st_size / 1e6:.1f} MB",
        }
    )
    say(f"report: {written}")


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
    shares = [np.sum(share) for share in found.shares]
    inside = f"{100 * np.median(shares):.1f} %" if shares else "-"
    print_rows({"squared distance to another minimum within it, median": inside})
    say(f"drawn in {directory}")


@app.command()
def gui(directory: Directory):
    """Open pele's GUI on a landscape: browse its points, start runs. Needs the extra [gui].

    What is found there is stored at once; the next explore, connect or verify --repair polishes,
    verifies and merges it. While another process works on the landscape it opens read-only.
    """
    from ..view.gui import open_gui

    open_gui(Landscape.open(directory))


@app.command()
def summary(
    directory: Directory,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole summary as JSON.")
    ] = False,
    untrusted: Untrusted = False,
):
    """Show the figures of a landscape, or of a network without coordinates."""
    place = open_directory(directory, untrusted)
    figures = place.summary()
    if as_json:
        show_json(figures)
    elif isinstance(place, Landscape):
        print_summary(figures)
    else:
        print_network_summary(figures)


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
    untrusted: Untrusted = False,
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
    if figure:
        check_figure(figure)
    with_labels(given)  # what is wrong is said before the work
    with heard():
        networks = [open_network(place, untrusted) for place in places]
        found = [measures_of(network, given or None, **sets) for network in networks]
    if figure:
        draw_heat_capacity(networks[0], found[0], figure)
        say(f"heat capacity: {figure}")
    if as_json:
        show_json(found if len(found) > 1 else found[0])
    else:
        print_measures([str(place) for place in places], found)


def _places_and_temperatures(directories, temperatures, compare):
    """Options take one value each: what follows as '0.1 0.15' or 'A B' is sorted out here."""
    places, more = [], []
    for place in directories:
        is_more = temperatures and not place.exists() and _is_number(str(place))
        (more if is_more else places).append(place)
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
