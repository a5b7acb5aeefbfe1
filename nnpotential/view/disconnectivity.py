"""Disconnectivity graphs as papers print them: one or several on one scale."""

import textwrap
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np

from ..errors import InputError
from ..files import printable
from .annotations import draw_audit, draw_insets, draw_labels
from .canvas import ONE_COLUMN, TWO_COLUMNS, canvas, check_figure, label_decades
from .colouring import Colouring
from .levels import axis_label, levels_of, on_axis
from .source import values_of
from .tree import Tree, tree

__all__ = ["DisconnectivityGraph", "draw_graphs", "lines_of"]

_CLOSE = 3.5  # points apart: closer branches, slanted, would lie down
_ROOMY = 60  # minima that need two columns
_LONGEST = 2000  # lines of a path, which agg draws at once
_INSETS = 8
_FLOOR = 0.5  # of the lowest that a logarithmic axis shows: where the lowest minimum ends
_THICKNESS = 0.25, 0.8  # points, of the thinnest and the thickest branches


@dataclass(frozen=True)
class DisconnectivityGraph:
    """What was drawn of one network.

    Attributes
    ----------
    names : list
        Of the minima that are drawn.
    tree : Tree
        Its places and owners are in the order of `names`, its energies as on the axis.
    levels : ndarray
    n_minima : int
        How many there are, drawn or not.
    """

    names: list
    tree: Tree
    levels: np.ndarray
    n_minima: int

    @property
    def lines(self):
        """From point to point, a place and an energy each, shape (n_lines, 2, 2)."""
        return self.tree.lines

    def __len__(self):
        return len(self.names)


@dataclass
class _Panel:
    """One graph, on its way onto the paper."""

    source: Any
    positions: np.ndarray  # of the minima that are drawn
    network: Any  # of these alone
    zero: float
    unit: float
    tree: Any = None
    values: Any = None
    ends: Any = None  # of branches, where each minimum has its own
    ordered: str = ""
    labels: list = field(default_factory=list)
    insets: list = field(default_factory=list)

    def energies(self):
        return (self.network.minima.energies - self.zero) / self.unit

    def heights(self):
        return (self.network.states.energies - self.zero) / self.unit

    def __len__(self):
        return len(self.positions)

    def called(self):
        names = self.source.called()
        return [names[k] for k in self.positions]

    def counted(self):
        drawn, known = len(self), len(self.source.network)
        counted = f"{drawn} minima" if drawn == known else f"{drawn} of {known} minima"
        return ", ".join(filter(None, (counted, self.ordered)))


def draw_graphs(rows, paths, drawing, *, titles=(), label=None):
    """Draw disconnectivity graphs on one scale.

    Parameters
    ----------
    rows : list of list of Source or None
        Rows of graphs, of equal length; None leaves a place free.
    paths : sequence of path
        Files to write; the suffix says the format (``.png``, ``.svg``, ``.pdf``).
    drawing : Drawing
    titles : sequence of str
        Of the columns, or of the graph if it is one.
    label : str, optional
        Of the axis, in place of its own.

    Returns
    -------
    list of DisconnectivityGraph
        In the order of the rows.

    Raises
    ------
    InputError
        If there is nothing to draw, an option does not fit, or a file cannot be written.

    References
    ----------
    O. M. Becker and M. Karplus, J. Chem. Phys. 106, 1495 (1997); D. J. Wales,
    M. A. Miller and T. R. Walsh, Nature 394, 758 (1998).
    """
    paths = [check_figure(path) for path in paths]
    sources = [source for row in rows for source in row if source is not None]
    alone = len(sources) == 1
    if not alone and (len(drawing.labels) or len(drawing.insets)):
        raise InputError("labels and insets go with one graph, not with several")
    scale = drawing.scale or ("absolute" if alone and not drawing.log else "above")
    label = label or axis_label([source.network.energy_label for source in sources], scale)
    panels = [_chosen(source, drawing, scale) for source in sources]
    levels = levels_of(
        np.concatenate([panel.energies() for panel in panels]),
        np.concatenate([panel.heights() for panel in panels]),
        number=drawing.levels,
        log=drawing.log,
        spacing=drawing.spacing,
        bottom=drawing.bottom,
        top=drawing.top,
    )
    width = _width(panels, drawing)
    # as far as branches stand apart, they are seen apart
    apart = 0.8 * 72 * width / (len(rows[0]) * max(map(len, panels)))
    joints = drawing.joints or ("upright" if apart < _CLOSE else "slanted")
    for panel in panels:
        _grow(panel, drawing, levels, joints)
    if paths:
        _draw(rows, panels, paths, drawing, titles, label, width, apart)
    return [
        DisconnectivityGraph(panel.called(), panel.tree, levels, len(panel.source.network))
        for panel in panels
    ]


def lines_of(network):
    """The lines of the disconnectivity graph of the minima that are connected to the lowest.

    Parameters
    ----------
    network : TransitionNetwork
        With at least one minimum.

    Returns
    -------
    ndarray, shape (n_lines, 2, 2)
        From point to point, a place and an energy each.
    """
    network = network.among(_component(network, network.lowest))
    energies, heights = network.minima.energies, network.states.energies
    return tree(energies, network.ends, heights, levels_of(energies, heights)).lines


def _component(network, position):
    return sorted(nx.node_connected_component(network.graph(), position))


def _chosen(source, drawing, scale):
    """The minima that are asked for, with the barriers between them."""
    source.check()
    network, energies = source.network, source.network.minima.energies
    if isinstance(drawing.component, str) and drawing.component == "all":
        kept = np.arange(len(network))
    else:
        whose = drawing.component
        kept = np.array(
            _component(network, network.lowest if whose is None else source.place(whose))
        )
    lowest = energies[kept].min()
    kept = kept[np.lexsort((kept, energies[kept]))]
    if drawing.within is not None:
        kept = kept[energies[kept] - lowest <= drawing.within]
    if drawing.lowest is not None:
        kept = kept[: drawing.lowest]
    zero, unit = on_axis(network, scale, lowest)
    if drawing.top is not None:
        below = (energies[kept] - zero) / unit <= drawing.top
        if not below.any():
            raise InputError(
                f"no minimum lies below the top, {drawing.top:g}: the lowest is at "
                f"{(lowest - zero) / unit:.6g} on this axis"
            )
        kept = kept[below]
    kept = np.sort(kept)
    panel = _Panel(source, kept, network.among(kept), zero, unit)
    place = {int(k): at for at, k in enumerate(kept)}
    for names, found in ((drawing.labels, panel.labels), (drawing.insets, panel.insets)):
        for position in dict.fromkeys(map(source.place, names)):
            if position not in place:
                name = source.called()[position]
                raise InputError(f"the minimum {name!r} is not among the {len(kept)} drawn")
            found.append(place[position])
    if len(panel.insets) > _INSETS:
        raise InputError(f"at most {_INSETS} insets fit below a graph, not {len(panel.insets)}")
    if panel.insets and source.database is None:
        raise InputError(
            f"{source.title or 'the network'} has no coordinates, of which insets could be drawn"
        )
    if panel.insets and source.system is None:
        raise InputError(
            "insets are drawn by the system: a database alone does not say what its coordinates "
            "mean; give the landscape"
        )
    return panel


def _grow(panel, drawing, levels, joints):
    energies, heights = panel.energies(), panel.heights()
    values = None
    if not (isinstance(drawing.order, str) and drawing.order == "size"):
        given = values_of(panel.source, drawing.order, panel.positions, "order")
        if given.grouped:
            raise InputError(f"branches are ordered by numbers: {drawing.order!r} are groups")
        if np.isnan(given.values).any():
            name = panel.called()[int(np.isnan(given.values).argmax())]
            raise InputError(f"minimum {name} has no value of {drawing.order!r} to order by")
        values = given.values
        panel.ordered = f"from left to right by {given.label.partition(' (')[0] or 'value'}"
    if drawing.log:
        # the lowest is at 0, which no logarithmic axis has
        shown = np.concatenate([energies[energies > 0], heights, levels])
        energies = np.maximum(energies, _floor(shown, levels))
    panel.tree = tree(energies, panel.network.ends, heights, levels, values, joints == "upright")
    panel.ends = energies
    if drawing.colour is not None:
        panel.values = values_of(panel.source, drawing.colour, panel.positions)


def _floor(shown, levels):
    """The lowest energy on a logarithmic axis: equal minima differ by rounding alone."""
    return _FLOOR * max(shown.min(), 1e-3 * levels[0])


def _width(panels, drawing):
    """One column of a journal, or two where the branches need the room."""
    wide = max(map(len, panels)) >= _ROOMY or len(panels) > 1
    return (ONE_COLUMN, TWO_COLUMNS)[wide if drawing.columns is None else drawing.columns - 1]


def _draw(rows, panels, paths, drawing, titles, label, width, apart):
    alone, wide = len(panels) == 1, width == TWO_COLUMNS
    insets = panels[0].insets if alone else []
    below = min(1.0, 0.85 * width / len(insets)) if insets else 0.0
    usual = 4.5 + 1.2 * below if alone else 0.8 + 1.7 * len(rows)
    height = drawing.height or usual
    what = f"the disconnectivity graph{'' if alone else 's'}"
    with canvas(what, paths, width, height) as figure:
        # insets stand below the graph, within its width
        grid = figure.add_gridspec(
            len(rows) + bool(insets),
            max(len(rows[0]), len(insets)),
            height_ratios=[3.8] * len(rows) + [below] * bool(insets),
        )
        axes = _axes(figure, grid, len(rows), len(rows[0]))
        colouring = Colouring.of(panels, drawing)
        waiting, used = iter(panels), []
        thickness = float(np.clip(0.65 * apart, *_THICKNESS))
        for k, row in enumerate(rows):
            for j, source in enumerate(row):
                here = axes[k, j]
                if k == 0 and j < len(titles) and titles[j]:
                    if alone:
                        figure.suptitle(printable(titles[j]), fontsize=8)
                    else:
                        here.set_title(printable(titles[j]), fontsize=8)
                if source is None:
                    here.set_axis_off()
                    continue
                panel = next(waiting)
                _draw_panel(here, panel, colouring, thickness)
                if not alone:
                    name = _wrapped(printable(source.title), 0.85 * width / len(row), 7)
                    counted = _wrapped(panel.counted(), 0.85 * width / len(row), 7)
                    here.set_xlabel("\n".join(filter(None, (name, counted))), fontsize=7)
                here.tick_params(labelleft=not any(source is not None for source in row[:j]))
                used.append(here)
        _limit(used, panels, drawing)
        label = _wrapped(label, height if alone else 0.9 * height, 8)
        if alone:
            used[0].set_ylabel(label)
        else:
            figure.supylabel(label, fontsize=8, multialignment="center")
        handles = colouring.handles(figure, used, beside=alone and wide and not insets)
        notes = [panels[0].counted()] if alone else []
        if alone and drawing.is_whole():
            bars, told = draw_audit(used[0], panels[0], drawing.log)
            handles += bars
            notes += [", ".join(told)] if wide else told
        if alone and not insets:
            used[0].set_xlabel("\n".join(filter(None, notes)))
            notes = []
        heading = [colouring.label] if colouring.groups else []
        if handles:
            legend = figure.legend(
                handles=handles,
                loc="outside lower center",
                ncols=(4 if wide else 2) if colouring.groups else 1,
                frameon=False,
                fontsize=7,
                title="\n".join(filter(None, notes + heading)) or None,
                title_fontsize=7,
            )
            legend.get_title().set_multialignment("center")
        elif notes:
            figure.supxlabel("\n".join(filter(None, notes)), fontsize=8)
        if insets:
            draw_insets(figure, grid, used[0], panels[0])
        if panels[0].labels:
            figure.draw_without_rendering()
            draw_labels(used[0], panels[0])


def _wrapped(text, inches, points):
    """Lines of a text, as long as there is room."""
    most = max(8, int(72 * inches / (0.55 * points)))
    lines = textwrap.wrap(text, most, break_on_hyphens=False)
    even = textwrap.wrap(
        text, min(most, -(-len(text) // (len(lines) or 1)) + 4), break_on_hyphens=False
    )
    return "\n".join(even if len(even) == len(lines) else lines)


def _axes(figure, grid, n_rows, n_columns):
    """Of one graph, all the width; of several, a place each, on one scale."""
    if n_rows * n_columns == 1:
        return np.array([[figure.add_subplot(grid[0, :])]])
    return grid.subplots(sharey=True, squeeze=False)


def _draw_panel(axes, panel, colouring, thickness):
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    lines, n = panel.tree.lines, len(panel)
    # the ends of branches are painted last: they have the colours. All lines of a colour are
    # one path, which is faster and smaller by far
    styles = np.column_stack([panel.tree.owners >= 0, colouring.of_lines(panel)])
    styles, which = np.unique(styles, axis=0, return_inverse=True)
    paths, colours = [], []
    for k, style in enumerate(styles):
        own = lines[which.ravel() == k]
        for part in np.array_split(own, -(-len(own) // _LONGEST)):
            codes = np.tile([Path.MOVETO, Path.LINETO], len(part))
            paths.append(Path(part.reshape(-1, 2), codes))
            colours.append(style[1:])
    axes.add_collection(
        PathCollection(
            paths,
            facecolors="none",
            edgecolors=colours,
            linewidths=thickness,
            offsets=None,
            capstyle="butt",
        )
    )
    if n == 1:
        axes.plot([0.5], [panel.ends[0]], "_", color="black", markersize=20)
    axes.set_xlim(-0.01 * n - 0.5, 1.02 * n + 0.5)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _limit(axes, panels, drawing):
    energies = np.concatenate([panel.tree.lines[..., 1].ravel() for panel in panels])
    low, high = energies.min(), energies.max() if drawing.top is None else drawing.top
    if drawing.log:
        axes[0].set_yscale("log")
        axes[0].set_ylim(low, high * (high / low) ** 0.03)
        label_decades(axes[0].yaxis, 3)
        return
    room = 0.03 * (high - low) or 1e-3 * abs(low) or 1.0
    below = 2 * room if len(drawing.labels) else room
    axes[0].set_ylim(low - below, high + room * (drawing.top is None))
    axes[0].ticklabel_format(axis="y", useOffset=False)
