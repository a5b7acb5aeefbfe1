"""The disconnectivity graph, drawn to be printed."""

from dataclasses import dataclass

import networkx as nx
import numpy as np
from pele.utils.disconnectivity_graph import DisconnectivityGraph

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
from ..quiet import quiet
from .canvas import COLOURS, ONE_COLUMN, TWO_COLUMNS, canvas

__all__ = [
    "LEVELS",
    "check_colour",
    "disconnectivity_tree",
    "draw_disconnectivity_graph",
    "draw_network",
]

_BAND = COLOURS[1]
LEVELS = 30  # more of them, and branches look like horizontal lines


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
    lowest = lowest_minimum(graph)
    measure = None if colour is None else check_colour(colour, system)
    audited = audited_barriers(database, barriers_to_lowest(graph))
    how = {"label": system.energy_label, "levels": levels, "title": title}
    return _draw(graph, lowest, paths, measure=measure, audited=audited, **how)


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
    minima = [_Point(float(energy)) for energy in network.minima.energies]
    graph = nx.Graph()
    graph.add_nodes_from(minima)
    for one, two, energy in network.graph().edges(data="energy"):
        graph.add_edge(
            minima[one], minima[two], ts=_State(energy, minima[one], minima[two]), energy=energy
        )
    how = {"label": network.energy_label, "levels": levels, "title": title}
    return _draw(graph, minima[network.lowest], paths, **how)


@dataclass(frozen=True, eq=False)
class _Point:
    """What pele's tree needs of a minimum."""

    energy: float


@dataclass(frozen=True, eq=False)
class _State(_Point):
    """What it needs of a transition state."""

    minimum1: _Point
    minimum2: _Point


def _draw(graph, lowest, paths, *, label, levels, title, measure=None, audited=None):
    drawn = graph.subgraph(nx.node_connected_component(graph, lowest)).copy()
    values = None if measure is None else {m: _value(measure, m) for m in drawn}
    # one column of a journal, or two where the branches need the room
    width = ONE_COLUMN if len(drawn) < 60 else TWO_COLUMNS
    with canvas("the disconnectivity graph", paths, width, 4.5) as figure:
        axes = figure.add_subplot()
        scale = None if values is None else _colour_scale(values.values())
        if drawn.number_of_edges():
            _draw_tree(axes, drawn, values, scale, levels)
        else:
            axes.plot([0], [lowest.energy], "_", color="black", markersize=20)
        axes.set_xticks([])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.set_ylabel(label)
        axes.ticklabel_format(axis="y", useOffset=False)
        note = "" if audited is None else _draw_audit(axes, lowest, audited)
        axes.set_xlabel(f"{len(drawn)} of {len(graph)} minima{note}")
        if title:
            axes.set_title(printable(title), fontsize=8)
        if scale is not None:
            figure.colorbar(scale, ax=axes, label=measure.axis, fraction=0.05, pad=0.02)
    return len(drawn), len(graph)


def _draw_audit(axes, lowest, audited):
    """The mean barrier as a bar beside the lowest minimum, how far it may fall as a band of it.

    Returns what they mean, for below the axis.
    """
    mean, audit = audited["mean_barrier"], audited["barrier_audit"]
    if mean is None or audit is None:
        return ""
    place = axes.get_yaxis_transform()
    low, high = (lowest.energy + (1 - fall) * mean for fall in reversed(audit["interval"]))
    bar = {"linewidth": 4, "solid_capstyle": "butt", "transform": place}
    axes.plot([0.99] * 2, [lowest.energy, lowest.energy + mean], color="black", **bar)
    axes.plot([0.99] * 2, [low, high], color=_BAND, **bar)
    percent = [100 * share for share in (audit["fall"], *audit["interval"])]
    return (
        f"\nmean barrier of {audited['n_barriers']} (bar): {mean:.3g}, may fall by "
        f"{percent[0]:.0f} % ({percent[1]:.0f} to {percent[2]:.0f}, band)"
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


def disconnectivity_tree(graph, levels=LEVELS):
    """pele's disconnectivity tree of a connected graph, calculated.

    Parameters
    ----------
    graph : networkx.Graph
        Of pele minima, as from `landscape_graph`, with at least one edge.
    levels : int

    Returns
    -------
    pele.utils.disconnectivity_graph.DisconnectivityGraph
    """
    energies = [ts.energy for _, _, ts in graph.edges(data="ts")]
    low, high = min(energies), max(energies)
    # a tree of one level has no height to draw: leave room above
    span = max(high - low, 1e-3 * (high - min(m.energy for m in graph)))
    tree = DisconnectivityGraph(graph, nlevels=levels, order_by_energy=True, subgraph_size=1)
    tree.set_energy_levels(list(np.linspace(low, low + span * (1 + 1 / levels), levels)))
    with quiet():  # pele remarks on small graphs
        tree.calculate()
    return tree


def _draw_tree(axes, graph, values, scale, levels):
    from matplotlib.collections import LineCollection

    tree = disconnectivity_tree(graph, levels)
    if scale is not None:
        # only the ends: a branch stands for many minima, and for no one value
        for leaf in tree.tree_graph.leaf_iterator():
            leaf.data["colour"] = scale.to_rgba(values[leaf.data["minimum"]])
    # not its plot(): that imports pyplot, and with it the user's style sheets
    lines, colours = tree._get_line_segments(tree.tree_graph, eoffset=tree.eoffset)
    width = 0.8 if len(graph) < 150 else 0.5
    axes.add_collection(
        LineCollection(
            [list(zip(*line, strict=True)) for line in lines], linewidths=width, colors=colours
        )
    )
    axes.autoscale_view(tight=False)
    axes.set_ybound(upper=tree.Emax)
    left, right = axes.get_xlim()
    axes.set_xlim(left - 0.5, right + 0.5)
