"""A path between minima, drawn: the energy along it, and what its measures do meanwhile."""

from textwrap import wrap

from ..files import printable
from .figure import COLOURS, COLUMN, figure, write

__all__ = ["draw_path"]

_MOST_LABELLED = 8  # minima on one axis


def draw_path(system, profile, paths, measures=()):
    """Draw a path into files.

    Parameters
    ----------
    system : LandscapeSystem
    profile : PathProfile
    paths : sequence of path
    measures : sequence of str
        Names of those of its measures that get a panel each below the energy.
    """
    with figure("the path", COLUMN, 2.2 + 1.1 * len(measures)) as page:
        heights = [2.0] + [1.0] * len(measures)
        panels = page.subplots(
            1 + len(measures), sharex=True, squeeze=False, height_ratios=heights
        ).ravel()
        top, minima, states = panels[0], profile.places["minima"], profile.places["states"]
        length, energy = profile.lengths, profile.energies
        top.plot(length, energy, color="black", linewidth=1)
        marks = {"linestyle": "none", "markersize": 4, "zorder": 3}
        top.plot(
            length[minima], energy[minima], "o", color=COLOURS["blue"], label="minima", **marks
        )
        top.plot(
            length[states],
            energy[states],
            "^",
            color=COLOURS["vermilion"],
            label="transition states",
            **marks,
        )
        if len(minima) <= _MOST_LABELLED:
            for k, number in zip(minima, profile.minima, strict=True):
                top.annotate(
                    str(number),
                    (length[k], energy[k]),
                    xytext=(0, -4),
                    textcoords="offset points",
                    ha="center",
                    va="top",
                    fontsize=6,
                )
            top.margins(y=0.15)
        top.set_ylabel(_broken(system.energy_label))
        top.ticklabel_format(axis="y", useOffset=False)
        top.legend(frameon=False, fontsize=6)
        for axes, name in zip(panels[1:], measures, strict=True):
            axes.plot(length, profile.measures[name], color=COLOURS["green"], linewidth=1)
            axes.set_ylabel(_broken(system.measures[name].axis), fontsize=7)
            axes.ticklabel_format(axis="y", useOffset=False)
        panels[-1].set_xlabel("arc length in parameter space")
        page.align_ylabels()
        write(page, paths)


def _broken(label):
    """A label in lines that are no longer than a panel is high."""
    return "\n".join(wrap(printable(label), 20))
