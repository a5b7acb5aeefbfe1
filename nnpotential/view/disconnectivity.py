"""Disconnectivity graphs as papers print them: one or several on one scale."""

import textwrap
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

import networkx as nx
import numpy as np

from ..checks import check_choice, check_flag, check_integer, check_number
from ..errors import InputError
from ..files import printable
from .canvas import COLOURS, ONE_COLUMN, TWO_COLUMNS, canvas, check_figure, label_decades
from .insets import draw_picture
from .levels import SCALES, axis_label, levels_of, on_axis
from .source import OF_ONE_NETWORK, values_of
from .tree import LEVELS, Tree, tree

__all__ = ["JOINTS", "DisconnectivityGraph", "Drawing", "draw_graphs", "lines_of"]

JOINTS = ("upright", "slanted")
_CLOSE = 3.5  # points apart: closer branches, slanted, would lie down
_ROOMY = 60  # minima that need two columns
_BAND = COLOURS[1]
_GREY = "0.6"  # of what is not known, or of no group that has a colour
_LONGEST = 2000  # lines of a path, which agg draws at once
_LEADER = "0.35"  # from a branch to its inset
_SPECK = 0.02  # of the height of the axis
_INSETS = 8
_FLOOR = 0.5  # of the lowest that a logarithmic axis shows: where the lowest minimum ends
_DARKEST, _LIGHTEST = 0.0, 0.88  # of viridis: its yellow is lost on white
_SMALL = 6  # points, of labels
_THICKNESS = 0.25, 0.8  # points, of the thinnest and the thickest branches


@dataclass(frozen=True)
class Drawing:
    """How disconnectivity graphs are drawn: the options of `disconnectivity_graph`.

    Attributes
    ----------
    levels : int
        Number of levels at which branches may join.
    log : bool
        Levels and axis logarithmic in the energy above the lowest minimum.
    spacing : float, optional
        Distance of the levels, in place of their number.
    bottom, top : float, optional
        The lowest and the highest level, as on the axis; by default the lowest and the
        highest transition state. What lies above `top` is left out.
    scale : str, optional
        Energies ``"absolute"``, ``"above"`` the lowest, or in units of their ``"spread"``; of
        several graphs by default above the lowest of each.
    within : float, optional
        Only minima within this energy above the lowest; with the barriers between them.
    lowest : int, optional
        Only so many minima, the lowest; with the barriers between them.
    component : optional
        The minimum, by name, whose connected component is drawn; by default the lowest.
        ``"all"`` draws all, side by side.
    order : str, Measure or mapping
        Branches by ``"size"``, the largest in the middle; or from left to right by the mean of
        a measure, of what `colour` takes.
    colour : str, Measure or mapping, optional
        A measure of the system, ``"energy"``, ``"barrier"``, ``"hits"``, ``"log-determinant"``,
        an attribute of the nodes of a graph, or values by minimum: numbers have a colour bar.
        Names are groups and have a legend, as ``"basin"`` and ``"component"`` do.
    colour_label : str, optional
        Of the colour bar or the legend.
    log_colour : bool
        The colour bar is logarithmic.
    labels, insets : sequence
        Minima, by name, whose name stands at the end of their branch, or whose picture stands
        below the graph.
    joints : str, optional
        ``"slanted"``: branches bend to the level where they join, from the level below;
        ``"upright"``: they stay upright up to it. By default upright where they stand so close
        that they would lie down.
    columns : int, optional
        Of a journal that the figure is wide, 1 or 2; by default 1 up to 60 minima.
    height : float, optional
        In inches.
    """

    levels: int = LEVELS
    log: bool = False
    spacing: float | None = None
    bottom: float | None = None
    top: float | None = None
    scale: str | None = None
    within: float | None = None
    lowest: int | None = None
    component: Any = None
    order: Any = "size"
    colour: Any = None
    colour_label: str | None = None
    log_colour: bool = False
    labels: Any = ()
    insets: Any = ()
    joints: str | None = None
    columns: int | None = None
    height: float | None = None

    @classmethod
    def of(cls, **options):
        """From options, of which each is checked.

        Raises
        ------
        InputError
            If one is unknown or wrong.
        """
        for name in options:
            check_choice("option of the drawing", name, [f.name for f in fields(cls)])
        for name in {"labels", "insets"} & set(options):
            one = isinstance(options[name], str) or not np.iterable(options[name])
            options[name] = [options[name]] if one else list(options[name])
        found = cls(**options)
        check_integer("levels", found.levels, 2)
        for name in ("log", "log_colour"):
            check_flag(name, getattr(found, name))
        for name in ("spacing", "within", "height"):
            _check_optional(found, name, "a number above 0", lambda x: 0 < x < np.inf)
        for name in ("bottom", "top"):
            _check_optional(found, name, "a finite number", np.isfinite)
        if found.lowest is not None:
            check_integer("lowest", found.lowest, 1)
        if found.scale is not None:
            check_choice("scale", found.scale, SCALES)
        if found.joints is not None:
            check_choice("joints", found.joints, JOINTS)
        if found.columns is not None and found.columns not in (1, 2):
            raise InputError(f"columns must be 1 or 2, not {found.columns!r}")
        if found.spacing is not None and (found.log or found.levels != LEVELS):
            raise InputError("levels have a spacing, or a number and ratio: give one of the two")
        if found.log and found.scale == "absolute":
            raise InputError(
                "a logarithmic axis shows energies above the lowest: leave out the absolute scale"
            )
        return found

    def is_whole(self):
        """Whether all is drawn that the audit of barriers is about."""
        options = (self.within, self.lowest, self.component, self.top)
        return all(option is None for option in options)


def _check_optional(found, name, wanted, good):
    if getattr(found, name) is not None:
        check_number(name, getattr(found, name), wanted, good)


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
        colouring = _Colouring.of(panels, drawing)
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
                    name = _wrapped(printable(source.title), width / len(row), 7)
                    counted = _wrapped(panel.counted(), width / len(row), 7)
                    here.set_xlabel("\n".join(filter(None, (name, counted))), fontsize=7)
                here.tick_params(labelleft=not any(source is not None for source in row[:j]))
                used.append(here)
        _limit(used, panels, drawing)
        label = _wrapped(label, height if alone else 0.9 * height, 8)
        if alone:
            used[0].set_ylabel(label)
        else:
            figure.supylabel(label, fontsize=8, multialignment="center")
        handles = colouring.handles(figure, used, beside=wide and not insets)
        notes = [panels[0].counted()] if alone else []
        if alone and drawing.is_whole():
            bars, told = _draw_audit(used[0], panels[0], drawing.log)
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
            _draw_insets(figure, grid, used[0], panels[0])
        if panels[0].labels:
            figure.draw_without_rendering()
            _draw_labels(used[0], panels[0])


def _wrapped(text, inches, points):
    """Lines of a text, as long as there is room."""
    most = max(8, int(72 * inches / (0.55 * points)))
    lines = textwrap.wrap(text, most, break_on_hyphens=False)
    even = -(-len(text) // (len(lines) or 1)) + 4
    return "\n".join(textwrap.wrap(text, min(most, even), break_on_hyphens=False))


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


@dataclass
class _Colouring:
    """The colours of branches, the same in all graphs of a figure."""

    scale: Any = None
    label: str = ""
    groups: dict = field(default_factory=dict)
    remark: str = ""
    unknown: bool = False

    @classmethod
    def of(cls, panels, drawing):
        if drawing.colour is None:
            return cls()
        known = [panel.values for panel in panels]
        different = list(dict.fromkeys(found.label for found in known))
        if len(different) > 1 and drawing.colour_label is None:
            raise InputError(f"{' and '.join(different)} have no colours in common")
        values = np.concatenate([found.values for found in known])
        label = drawing.colour_label or known[0].label
        if known[0].grouped and len(panels) > 1 and drawing.colour in OF_ONE_NETWORK:
            raise InputError(
                f"a {drawing.colour} is of one graph: colour several by a measure, or draw one"
            )
        if known[0].grouped:
            counts = Counter(value for value in values.tolist() if value != "")
            names = [name for name, _ in counts.most_common(len(COLOURS))]
            colours = dict(zip(names, COLOURS, strict=False))
            return cls(label=label, groups=colours, unknown=len(counts) > len(names))
        some = values[np.isfinite(values)]
        unknown = some.size < values.size - 1  # one, such as the lowest, goes without saying
        if not some.size:
            raise InputError(f"{label or 'what to colour by'} is known of no minimum that is drawn")
        if drawing.log_colour and not some.min() > 0:
            raise InputError(
                f"a logarithmic colour bar needs numbers above 0: {label} goes down to "
                f"{some.min():.6g}"
            )
        if some.min() == some.max():
            return cls(remark=f"{label}: {some[0]:.6g} for all", unknown=unknown)
        return cls(_scale(some, drawing.log_colour), label, unknown=unknown)

    def of_lines(self, panel):
        """One colour a line; of several minima only where they are of one group."""
        from matplotlib.colors import to_rgba

        colours = np.tile(to_rgba("black"), (len(panel.tree.lines), 1))
        if not self.groups and self.scale is None:
            return colours
        owners, values = panel.tree.owners, panel.values.values
        if self.scale is not None:
            ends = owners >= 0
            known = ends & ~np.isnan(values[owners])
            colours[known] = self.scale.to_rgba(values[owners[known]])
            if self.unknown:
                colours[ends & ~known] = to_rgba(_GREY)
            return colours
        codes = {name: k for k, name in enumerate(self.groups)}
        code = np.array([codes.get(value, -1) for value in values])
        painted = np.array([to_rgba(c) for c in (*self.groups.values(), _GREY)])
        inside = code[np.argsort(panel.tree.places)]  # from left to right
        changes = np.concatenate([[0], np.cumsum(inside[1:] != inside[:-1])])
        first, last = panel.tree.spans[:, 0], panel.tree.spans[:, 1] - 1
        alike = changes[first] == changes[last]
        colours[alike] = painted[inside[first[alike]]]
        return colours

    def handles(self, figure, axes, beside):
        """What the legend tells; the colour bar is drawn, beside the graphs or above them."""
        from matplotlib.lines import Line2D

        found = [Line2D([], [], color=c, label=name) for name, c in self.groups.items()]
        if self.scale is not None:
            where = {"fraction": 0.05} if beside else {"location": "top", "aspect": 12 * figure.get_figwidth()}
            bar = figure.colorbar(self.scale, ax=axes, label=self.label, pad=0.02, **where)
            bar.outline.set_linewidth(0.6)
        if self.remark:
            found.append(Line2D([], [], linestyle="none", label=self.remark))
        if self.unknown:
            what = "others" if self.groups else "not known"
            found.append(Line2D([], [], color=_GREY, label=what))
        return found


def _scale(values, log):
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    shades = colormaps["viridis"](np.linspace(_DARKEST, _LIGHTEST, 256))
    norm = (LogNorm if log else Normalize)(values.min(), values.max())
    return ScalarMappable(norm, ListedColormap(shades))


def _draw_audit(axes, panel, log):
    """The mean barrier as a bar beside the lowest minimum, how far it may fall as a band of it.

    Where that would be a speck it is told alone. Returns bar and band for the legend, and
    what is told without them.
    """
    from matplotlib.lines import Line2D

    audited = panel.source.audited()
    if not audited or audited["mean_barrier"] is None or audited["barrier_audit"] is None:
        return [], []
    audit, mean = audited["barrier_audit"], audited["mean_barrier"] / panel.unit
    bottom, top = axes.get_ylim()
    seen = not log and bool(mean > _SPECK * (top - bottom))
    percent = [100 * share for share in (audit["fall"], *audit["interval"])]
    texts = [
        f"mean barrier of {audited['n_barriers']} minima: {mean:.3g}",
        f"may fall by {percent[0]:.0f} % ({percent[1]:.0f} to {percent[2]:.0f} %)",
    ]
    if not seen:
        return [], texts
    lowest = panel.energies().min()
    low, high = (lowest + (1 - fall) * mean for fall in reversed(audit["interval"]))
    wide = {"linewidth": 4, "solid_capstyle": "butt"}
    for begin, end, colour in ((lowest, lowest + mean, "black"), (low, high, _BAND)):
        where = axes.get_yaxis_transform()
        axes.plot([0.99] * 2, [begin, end], color=colour, transform=where, **wide)
    return [
        Line2D([], [], color=colour, label=text, **wide)
        for colour, text in zip(("black", _BAND), texts, strict=True)
    ], []


def _end(panel, k):
    """Where the branch of a minimum ends."""
    return panel.tree.places[k], panel.ends[k]


def _draw_insets(figure, grid, axes, panel):
    """Pictures in a row below the graph, in the order of their branches, each joined to its end."""
    from matplotlib.patches import ConnectionPatch

    order = sorted(panel.insets, key=lambda k: panel.tree.places[k])
    boxes = [figure.add_subplot(grid[-1, k]) for k in range(len(order))]
    called, energies = panel.called(), panel.network.minima.energies
    for k, box in zip(order, boxes, strict=True):
        name = called[k]
        box.set_xlabel(f"{name}: {energies[k]:.6g}", fontsize=_SMALL)
        box.set_xticks([])
        box.set_yticks([])
    figure.draw_without_rendering()  # how large they are, is known by then
    system = panel.source.system
    points = panel.source.coords(panel.positions[order])
    for k, box, x in zip(order, boxes, points, strict=True):
        # units, or atoms, stand where they stand in the first
        image = x if x is points[0] else system.identity.align(points[0], x, quick=True)[1]
        extent = box.get_window_extent()
        draw_picture(box, system.picture(np.asarray(image).ravel()), extent.width, extent.height)
        line = ConnectionPatch(
            _end(panel, k),
            (0.5, 1.0),
            axes.transData,
            box.transAxes,
            color=_LEADER,
            linewidth=0.5,
            linestyle=(0, (3, 2)),
            shrinkA=1,
        )
        line.set_in_layout(False)
        figure.add_artist(line)


def _draw_labels(axes, panel):
    """Names below the ends of branches, lower where they would meet another."""
    per_point = axes.figure.dpi / 72
    called, taken = panel.called(), []
    for k in sorted(panel.labels, key=lambda k: panel.tree.places[k]):
        name, (x, y) = str(called[k]), _end(panel, k)
        left, top = axes.transData.transform((x, y)) / per_point
        half = 0.35 * _SMALL * len(name)
        top -= 2
        while any(
            abs(left - other) < half + wide and abs(top - there) < _SMALL + 1
            for other, there, wide in taken
        ):
            top -= _SMALL + 1
        taken.append((left, top, half))
        down = top - axes.transData.transform((x, y))[1] / per_point
        far = down < -_SMALL
        axes.annotate(
            printable(name),
            # in front of branches; a halo would make paths of the text
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            xy=(x, y),
            xytext=(0, down),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=_SMALL,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": _GREY, "shrinkB": 0}
            if far
            else None,
        )
