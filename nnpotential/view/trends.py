"""Figures of many landscapes against depth and data."""

from itertools import product

import numpy as np

from .canvas import COLOURS, TWO_COLUMNS, canvas, label_decades

__all__ = ["draw_trends"]


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
    # more lines than colours begin again with the first, dashed
    styles = list(product(("-", "--"), zip(COLOURS, "os^Dvp", strict=True)))
    beside = 0.04 * (np.arange(len(groups)) - (len(groups) - 1) / 2)  # that bars stay apart
    with canvas("the trends", paths, TWO_COLUMNS, 2.6) as page:
        panels = page.subplots(1, len(figures), squeeze=False).ravel()
        for panel, (name, (label, logarithmic)) in zip(panels, figures.items(), strict=True):
            for k, (title, line) in enumerate(groups.items()):
                dashes, (colour, marker) = styles[k % len(styles)]
                known = {x: f[name] for x, f in sorted(line.items()) if f[name][0] is not None}
                y = np.array([value for value, *_ in known.values()])
                halves = [half or 0.0 for _, half, _ in known.values()]
                panel.errorbar(
                    np.array(list(known)) + beside[k],
                    y,
                    yerr=[np.minimum(halves, 0.9 * y), halves],
                    color=colour,
                    marker=marker,
                    markersize=3,
                    linewidth=0.8,
                    linestyle=dashes,
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
