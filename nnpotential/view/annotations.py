"""What stands at a disconnectivity graph: the audit of its barriers, labels and insets."""

import numpy as np

from ..files import printable
from .canvas import COLOURS
from .colouring import GREY
from .insets import draw_picture

__all__ = ["draw_audit", "draw_insets", "draw_labels"]

_BAND = COLOURS[1]
_LEADER = "0.35"  # from a branch to its inset
_SPECK = 0.02  # of the height of the axis
_SMALL = 6  # points


def draw_audit(axes, panel, log):
    """The mean barrier as a bar beside the lowest minimum, how far it may fall as a band behind it.

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
        f"may fall by {percent[0]:.3g} % ({percent[1]:.3g} to {percent[2]:.3g} %)",
    ]
    if not seen:
        return [], texts
    lowest = panel.energies().min()
    low, high = (lowest + (1 - fall) * mean for fall in reversed(audit["interval"]))
    # the bar is whole, in front of the band
    styles = [
        {"color": colour, "linewidth": width, "solid_capstyle": "butt"}
        for colour, width in (("black", 1.5), (_BAND, 5))
    ]
    for order, begin, end, style in zip(
        (3, 2), (lowest, low), (lowest + mean, high), styles, strict=True
    ):
        where = axes.get_yaxis_transform()
        axes.plot([0.99] * 2, [begin, end], transform=where, zorder=order, **style)
    return [
        Line2D([], [], label=text, **style) for text, style in zip(texts, styles, strict=True)
    ], []


def _end(panel, k):
    """Where the branch of a minimum ends."""
    return panel.tree.places[k], panel.ends[k]


def draw_insets(figure, grid, axes, panel):
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


def draw_labels(axes, panel):
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
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": GREY, "shrinkB": 0}
            if far
            else None,
        )
