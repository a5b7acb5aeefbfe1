"""Many disconnectivity graphs on one scale, and figures against depth and data."""

import numpy as np

from .canvas import COLOURS, TWO_COLUMNS, canvas, label_decades
from .tree import LEVELS, tree

__all__ = ["draw_forest", "draw_trends"]

_TOP = 6.0  # spreads above the lowest minimum


def draw_forest(panels, paths, columns, label):
    """Draw disconnectivity graphs on a common scale.

    Parameters
    ----------
    panels : list of list of (str, dict) or None
        Rows of panels: a title, and ``energies``, ``ends``, ``heights`` and ``spread``
        of a landscape.
    paths : sequence of path
    columns : sequence of str
        Titles of the columns.
    label : str
        Of the energies.
    """
    from matplotlib.collections import LineCollection

    n_rows, n_columns = len(panels), len(columns)
    with canvas("the graphs", paths, TWO_COLUMNS, 0.5 + 1.6 * n_rows) as page:
        axes = page.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        for k, row in enumerate(panels):
            first = next((j for j, panel in enumerate(row) if panel is not None), 0)
            for j, panel in enumerate(row):
                here = axes[k, j]
                here.set_xticks([])
                here.spines[["top", "right", "bottom"]].set_visible(False)
                if k == 0:
                    here.set_title(columns[j], fontsize=8)
                if panel is None:
                    here.set_axis_off()
                    continue
                here.tick_params(labelleft=j == first)
                title, data = panel
                here.set_xlabel(title, fontsize=7)
                lines, places = _scaled(data)
                here.add_collection(LineCollection(lines, colors="black", linewidths=0.6))
                here.set_xlim(-0.5, places + 0.5)
        axes[0, 0].set_ylim(-0.2, _TOP)
        page.supylabel(label, fontsize=8)


def _scaled(data):
    energies, heights = np.array(data["energies"]), np.array(data["heights"])
    unit, lowest = data["spread"] or 1.0, energies.min()
    energies, heights = (energies - lowest) / unit, (heights - lowest) / unit
    # the same levels for all: a branch is as long in one panel as in another
    levels = np.linspace(0, _TOP, LEVELS + 1)[1:]
    if heights.size and heights.max() > _TOP:
        levels = np.append(levels, np.arange(_TOP + 0.2, heights.max() + 0.2, 0.2))
    ends = np.array(data["ends"], dtype=int).reshape(-1, 2)
    found = tree(energies, ends, heights, levels)
    return found.lines, len(energies)


def draw_trends(groups, figures, paths):
    """Draw figures against the number of hidden layers, a panel for each.

    Parameters
    ----------
    groups : dict
        By label of a line, then by number of hidden layers: figure to
        (mean, half an interval or None, n).
    figures : dict
        Names to the label of an axis, and whether it is logarithmic.
    paths : sequence of path
    """
    styles = list(zip(COLOURS, "os^Dvp", strict=True))
    with canvas("the trends", paths, TWO_COLUMNS, 2.6) as page:
        panels = page.subplots(1, len(figures), squeeze=False).ravel()
        for panel, (name, (label, logarithmic)) in zip(panels, figures.items(), strict=True):
            for (title, line), (colour, marker) in zip(groups.items(), styles, strict=False):
                known = {x: f[name] for x, f in sorted(line.items()) if f[name][0] is not None}
                y = np.array([value for value, *_ in known.values()])
                halves = [half or 0.0 for _, half, _ in known.values()]
                panel.errorbar(
                    list(known),
                    y,
                    yerr=[np.minimum(halves, 0.9 * y), halves],
                    color=colour,
                    marker=marker,
                    markersize=3,
                    linewidth=0.8,
                    capsize=2,
                    label=title,
                )
            panel.set_xticks(sorted({x for line in groups.values() for x in line}))
            panel.set_ylabel(label, fontsize=7)
            if logarithmic:
                panel.set_yscale("log")
                label_decades(panel.yaxis)
        page.supxlabel("hidden layers", fontsize=8)
        handles, labels = panels[0].get_legend_handles_labels()
        page.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=6)
