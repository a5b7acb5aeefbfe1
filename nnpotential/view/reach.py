"""Where in the spectrum of minima each method of training ends, drawn to be printed."""

import numpy as np

from .canvas import COLOURS, ONE_COLUMN, canvas

__all__ = ["draw_reach"]

_TAIL = 0.99  # of the ends that the axis has room for


def draw_reach(figures, energies, paths):
    """One row a method: the share of its ends at each minimum, over the loss of that.

    Parameters
    ----------
    figures : dict
        From `reach_figures`.
    energies : dict
        Of the stored minima, by id.
    paths : sequence of path

    Raises
    ------
    InputError
        If the drawing fails.
    """
    blue, vermilion = COLOURS[:2]
    lowest = min(energies.values())
    rows = {
        method: (
            np.array([energies[i] - lowest for i in row["minima"]]),
            np.array(list(row["minima"].values()), float),
            row,
        )
        for method, row in figures["methods"].items()
    }
    ends = [np.repeat(above, n.astype(int)) for above, n, _ in rows.values()]
    right = max(float(np.quantile(np.concatenate(ends), _TAIL)), 1e-12)
    with canvas("the figure", paths, ONE_COLUMN, 0.9 + 0.36 * (len(rows) + 1)) as figure:
        strips = figure.subplots(len(rows) + 1, sharex=True)
        everything = np.sort([energy - lowest for energy in energies.values()])
        strips[0].hist(
            everything[everything <= right], bins=60, range=(0, right), color="0.6", linewidth=0
        )
        _label(strips[0], f"all {len(energies)} minima", "")
        for axes, (method, (above, n, row)) in zip(strips[1:], rows.items(), strict=True):
            total = max(len(row["minima"]) and n.sum() + row["runs_to_new"], 1)
            axes.vlines(above, 0, n / total, color=blue, linewidth=0.9)
            mean = row["above_lowest"]["mean"]
            if mean is not None and mean <= right:
                axes.plot([mean], [0], "^", color=vermilion, markersize=4, clip_on=False, zorder=3)
            share = row["at_lowest"]["mean"]
            text = "" if share is None else f"{100 * share:.0f} %"
            _label(axes, method, text)
            axes.set_ylim(0, max(n / total, default=1.0) * 1.1)
        strips[-1].set_xlim(-0.02 * right, right)
        strips[-1].set_xlabel(f"{figures['energy_label']}\nabove the lowest minimum")
        figure.suptitle(
            "share of the ends at each minimum (bars), mean (triangle);\n"
            "right: share at the lowest minimum",
            fontsize=7,
        )


def _label(axes, left, right):
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_ylabel(left, rotation=0, ha="right", va="center", fontsize=7)
    axes.annotate(
        right,
        (1.0, 0.5),
        xycoords="axes fraction",
        xytext=(2, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )
