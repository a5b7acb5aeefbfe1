"""Estimated barriers against verified ones, drawn to be printed."""

import numpy as np

from .canvas import COLOURS, ONE_COLUMN, canvas, label_decades

__all__ = ["draw_estimates"]

_MARKS = ("o", "s", "^", "x")


def draw_estimates(figures, labels, paths):
    """A point for each pair of minima and each way to estimate, on logarithmic axes.

    Parameters
    ----------
    figures : dict
        From `estimate_figures`.
    labels : dict
        What to draw, by name in ``figures["pairs"]``: at most four.
    paths : sequence of path

    Raises
    ------
    InputError
        If the drawing fails.
    """
    rows = figures["pairs"]
    verified = np.array([row["verified"] for row in rows])
    with canvas("the figure", paths, ONE_COLUMN, 3.6) as figure:
        axes = figure.add_subplot()
        values = {name: np.array([row[name] for row in rows]) for name in labels}
        for (name, text), colour, mark in zip(labels.items(), COLOURS, _MARKS, strict=False):
            faces = {} if mark == "x" else {"markerfacecolor": "none"}
            axes.loglog(
                verified,
                values[name],
                mark,
                color=colour,
                label=text,
                markersize=3,
                markeredgewidth=0.6,
                **faces,
            )
        ends = [verified[verified > 0].min(), verified.max()]
        axes.plot(ends, ends, "-", color="black", linewidth=0.8, label="equal")
        label_decades(axes.xaxis)
        axes.set_xlabel("verified barrier, above the mean of the two minima")
        axes.set_ylabel("estimate of the same")
        axes.set_title(figures["energy_label"], fontsize=7)
        figure.legend(loc="outside lower center", ncols=2, fontsize=7, frameon=False)
