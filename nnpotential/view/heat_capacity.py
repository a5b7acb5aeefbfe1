"""The heat capacity with its band, and the minima between which the weight moves."""

import numpy as np

from ..analysis.thermodynamics import log_occupations
from .canvas import COLOURS, ONE_COLUMN, canvas, label_decades

__all__ = ["draw_heat_capacity"]

_NAMED = 2  # minima that lose, and that gain, most at a peak


def draw_heat_capacity(network, figures, path):
    """Draw the heat capacity by temperature, and below it the occupations that make its peaks.

    Parameters
    ----------
    network : TransitionNetwork
    figures : dict
        Its own, from `nnpotential.analysis.measures.measures`.
    path : path
        The suffix says the format (``.png``, ``.svg``, ``.pdf``).

    Raises
    ------
    InputError
        If the drawing fails.
    """
    curve, peaks = figures["heat_capacity_curve"], figures["heat_capacity_peaks"]
    temperatures, shown = curve["temperatures"], _shown(network, peaks)[: len(COLOURS)]
    with canvas("the heat capacity", [path], ONE_COLUMN, 3.8) as page:
        above, below = page.subplots(2, sharex=True)
        if "low" in curve:
            above.fill_between(temperatures, curve["low"], curve["high"], color="0.8", linewidth=0)
        above.plot(temperatures, curve["heat_capacity"], color="black")
        above.set_ylabel("$C_v/k$" if network.n_vibrations else r"$\mathrm{Var}(E)/T^2$")
        shares = np.exp([log_occupations(network, t) for t in temperatures])
        for colour, k in zip(COLOURS, shown, strict=False):
            below.plot(temperatures, shares[:, k], color=colour, label=str(network.minima.ids[k]))
        rest = [k for k in range(len(network)) if k not in shown]
        if rest:
            below.plot(temperatures, shares[:, rest].sum(axis=1), "--", color="0.5", label="others")
        for peak in peaks:
            for axes in (above, below):
                axes.axvline(peak["temperature"], color="0.6", linewidth=0.5, zorder=0)
        below.set(xscale="log", ylim=(-0.02, 1.02), ylabel="probability")
        label_decades(below.xaxis)
        below.set_xlabel(f"temperature, in units of the\n{network.energy_label}")
        # there it covers no curve: at low temperatures all are near 0 or 1
        below.legend(loc="center left", title="minimum", fontsize=6, title_fontsize=6)


def _shown(network, peaks):
    """Positions of the minima that lose and gain most, the highest peaks first, each once."""
    named = []
    for peak in sorted(peaks, key=lambda peak: -peak["heat_capacity"]):
        named += [m["minimum"] for which in ("losing", "gaining") for m in peak[which][:_NAMED]]
    place = {number: k for k, number in enumerate(network.minima.ids.tolist())}
    return [place[number] for number in dict.fromkeys(named)]
