"""The disconnectivity graph, drawn to be printed."""

import networkx as nx
import numpy as np

from ..analysis.figures import (
    audited_barriers,
    barriers_to_lowest,
    landscape_graph,
    lowest_minimum,
)
from ..checks import check_choice
from ..contract import Measure
from ..errors import InputError
from ..files import printable
from .canvas import COLOURS, ONE_COLUMN, TWO_COLUMNS, canvas
from .tree import LEVELS, tree

__all__ = ["check_colour", "draw_disconnectivity_graph", "draw_network", "lines_of"]

_BAND = COLOURS[1]
_SPECK = 0.02  # of the height of the axis


def check_colour(colour, system, what="colour"):
    """The measure that a colour stands for: one of a system's by name, or one of one's own.

    Raises
    ------
    InputError
        If it is no measure of the system, or not defined for it; says what is lacking.
    """
    if isinstance(colour, Measure):
        return colour
    check_choice(what, colour, tuple(system.measures))
    lacking = system.measures[colour].lacking
    if lacking:
        raise InputError(f"{colour} {lacking}")
    return system.measures[colour]


def draw_disconnectivity_graph(system, database, paths, *, colour=None, levels=LEVELS, title=None):
    """Draw the minima connected to the lowest one as a disconnectivity graph.

    Every branch ends at the loss of a minimum; branches join at the level
    above which their minima are connected.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    paths : sequence of path
        Files to write; the suffix says the format (``.png``, ``.svg``, ``.pdf``).
    colour : str or Measure, optional
        What to colour the branches by: one of the `measures` of the system, or any other.
    levels : int
        Number of levels between the lowest and the highest transition state.
    title : str, optional

    Returns
    -------
    n_drawn, n_minima : int

    Raises
    ------
    InputError
        If there is no minimum to draw, or the colour is not defined for it.

    References
    ----------
    O. M. Becker and M. Karplus, J. Chem. Phys. 106, 1495 (1997); D. J. Wales,
    M. A. Miller and T. R. Walsh, Nature 394, 758 (1998).
    """
    graph = landscape_graph(database)
    if not graph:
        raise InputError("there is no verified minimum to draw: run 'nnpotential explore' first")
    drawn = graph.subgraph(nx.node_connected_component(graph, lowest_minimum(graph)))
    minima = sorted(drawn, key=lambda m: m.id())
    measure = None if colour is None else check_colour(colour, system)
    values = None if measure is None else [_value(measure, m) for m in minima]
    _draw(
        _branches([m.energy for m in minima], _passes(drawn, minima), levels),
        paths,
        label=system.energy_label,
        counted=f"{len(minima)} of {len(graph)} minima",
        title=title,
        values=values,
        values_label=measure and measure.axis,
        audited=audited_barriers(database, barriers_to_lowest(graph)),
    )
    return len(minima), len(graph)


def draw_network(network, paths, *, levels=LEVELS, title=None):
    """Draw a network without coordinates, as `draw_disconnectivity_graph` draws a database.

    Parameters
    ----------
    network : TransitionNetwork
        With at least one minimum.
    paths, levels, title
        As for `draw_disconnectivity_graph`.

    Returns
    -------
    n_drawn, n_minima : int
    """
    graph = network.graph()
    places = sorted(nx.node_connected_component(graph, network.lowest))
    _draw(
        _branches(network.minima.energies[places], _passes(graph.subgraph(places), places), levels),
        paths,
        label=network.energy_label,
        counted=f"{len(places)} of {len(network)} minima",
        title=title,
    )
    return len(places), len(network)


def lines_of(graph):
    """The disconnectivity graph of the minima that are connected to the lowest.

    Parameters
    ----------
    graph : networkx.Graph
        Of pele minima, as from `landscape_graph`, with at least one.

    Returns
    -------
    ndarray, shape (n_lines, 2, 2)
        From point to point, a place and an energy each.
    """
    drawn = graph.subgraph(nx.node_connected_component(graph, lowest_minimum(graph)))
    minima = sorted(drawn, key=lambda m: m.id())
    return _branches([m.energy for m in minima], _passes(drawn, minima), LEVELS).lines


def _passes(graph, nodes):
    """Positions of the two minima of each edge, and its energy."""
    place = {node: k for k, node in enumerate(nodes)}
    return [(place[one], place[two], energy) for one, two, energy in graph.edges(data="energy")]


def _branches(energies, passes, levels):
    energies = np.array(energies, dtype=float)
    heights = np.array([energy for *_, energy in passes])
    ends = np.array([pair for *pair, _ in passes], dtype=int).reshape(-1, 2)
    low, high = heights.min(initial=np.inf), heights.max(initial=-np.inf)
    if not heights.size:
        return tree(energies, ends, heights, [energies.max()])
    # one level alone has no height to draw
    span = max(high - low, 1e-3 * (high - energies.min()))
    return tree(energies, ends, heights, np.linspace(low, low + span * (1 + 1 / levels), levels))


def _draw(branches, paths, *, label, counted, title, values=None, values_label=None, audited=None):
    n, lines = len(branches.places), branches.lines
    # one column of a journal, or two where the branches need the room
    with canvas(
        "the disconnectivity graph", paths, ONE_COLUMN if n < 60 else TWO_COLUMNS, 4.5
    ) as figure:
        from matplotlib.collections import LineCollection

        axes = figure.add_subplot()
        scale = None if values is None else _colour_scale(values)
        colours = "black"
        if scale is not None:
            # only the ends: a branch stands for many minima, and for no one value
            ends = branches.owners >= 0
            colours = np.tile((0.0, 0.0, 0.0, 1.0), (len(lines), 1))
            colours[ends] = scale.to_rgba(np.array(values)[branches.owners[ends]])
        axes.add_collection(
            LineCollection(lines, linewidths=0.8 if n < 150 else 0.5, colors=colours)
        )
        low, high = lines[..., 1].min(), lines[..., 1].max()
        room = 0.03 * (high - low) or 1e-3 * abs(low) or 1.0
        axes.set_ylim(low - room, high + room)
        axes.set_xlim(-0.01 * n - 0.5, 1.02 * n + 0.5)
        if n == 1:
            axes.plot([0.5], [low], "_", color="black", markersize=20)
        axes.set_xticks([])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.set_ylabel(label)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.set_xlabel(counted + ("" if audited is None else _draw_audit(axes, low, audited)))
        if title:
            axes.set_title(printable(title), fontsize=8)
        if scale is not None:
            figure.colorbar(scale, ax=axes, label=values_label, fraction=0.05, pad=0.02)


def _draw_audit(axes, lowest, audited):
    """The mean barrier as a bar beside the lowest minimum, how far it may fall as a band of it.

    Where that would be a speck it is told alone. Returns what they mean, for below the axis.
    """
    mean, audit = audited["mean_barrier"], audited["barrier_audit"]
    if mean is None or audit is None:
        return ""
    bottom, top = axes.get_ylim()
    seen = bool(mean > _SPECK * (top - bottom))
    if seen:
        low, high = (lowest + (1 - fall) * mean for fall in reversed(audit["interval"]))
        bar = {"linewidth": 4, "solid_capstyle": "butt", "transform": axes.get_yaxis_transform()}
        axes.plot([0.99] * 2, [lowest, lowest + mean], color="black", **bar)
        axes.plot([0.99] * 2, [low, high], color=_BAND, **bar)
    percent = [100 * share for share in (audit["fall"], *audit["interval"])]
    return (
        f"\nmean barrier of {audited['n_barriers']}{' (bar)' * seen}: {mean:.3g},"
        f"\nmay fall by {percent[0]:.0f} % ({percent[1]:.0f} to {percent[2]:.0f}{', band' * seen})"
    )


def _value(measure, minimum):
    value = np.asarray(measure.function(minimum.coords))
    if value.shape != () or value.dtype.kind not in "biuf" or not np.isfinite(value):
        raise InputError(
            f"the measure {measure.label!r} must give one finite number, but gives "
            f"{' '.join(str(value).split())[:80]} for minimum {minimum.id()}"
        )
    return float(value)


def _colour_scale(values):
    """The scale of some values; None if they are all the same."""
    from matplotlib.cm import ScalarMappable

    if len(set(values)) < 2:
        return None
    scale = ScalarMappable(cmap="viridis")
    scale.set_clim(min(values), max(values))
    return scale
