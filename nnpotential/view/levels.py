"""The energies on the axis of a disconnectivity graph, and the levels at which branches join."""

import numpy as np

from ..analysis.funnel import spread
from ..errors import InputError
from .tree import LEVELS

__all__ = ["SCALES", "axis_label", "levels_of", "on_axis"]

SCALES = ("absolute", "above", "spread")
_MOST = 2000
_UNSEEN = 1e-3  # of the height: what is no level of its own


def on_axis(network, scale, lowest):
    """Where energies stand on the axis, and the unit there: ``(energy - zero) / unit``.

    Parameters
    ----------
    network : TransitionNetwork
    scale : str
        One of `SCALES`: energies as they are, above the lowest, or in units of the standard
        deviation of the minima (of those that are `measured`, where that is known).
    lowest : float
        The zero of the last two.

    Returns
    -------
    zero, unit : float
    """
    if scale == "absolute":
        return 0.0, 1.0
    if scale == "above":
        return lowest, 1.0
    measured = network.measured
    sample = network if measured is None else network.among(np.flatnonzero(measured))
    return lowest, spread(sample) or 1.0


def axis_label(labels, scale):
    """What the axis shows.

    Parameters
    ----------
    labels : sequence of str
        Of the energies of all graphs.
    scale : str

    Raises
    ------
    InputError
        If they are different energies, which have no axis in common.
    """
    different = list(dict.fromkeys(labels))
    if scale == "spread":
        name = different[0].partition(" (")[0] if len(different) == 1 else "energy"
        return f"{name} above the lowest, in standard deviations of the minima"
    if len(different) > 1:
        raise InputError(
            f"{' and '.join(different)} have no axis in common: draw them in units of their spread "
            "(--scale spread)"
        )
    name, paren, unit = different[0].partition(" (")
    return different[0] if scale == "absolute" else f"{name} above the lowest{paren}{unit}"


def levels_of(energies, heights, *, number=LEVELS, log=False, spacing=None, bottom=None, top=None):
    """Levels, ascending; the last is above all transition states unless `top` is given.

    Parameters
    ----------
    energies, heights : ndarray
        Of all minima and transition states that are drawn, on the axis.
    number : int
    log : bool
        Of equal ratio, in place of equal distance; energies count from the lowest.
    spacing : float, optional
        The distance, in place of a number.
    bottom, top : float, optional
        The first and the last, by default the lowest and the highest transition state.

    Raises
    ------
    InputError
        If these are no levels.
    """
    if not heights.size and (bottom is None or top is None):
        return np.array([energies.max() if top is None else top])
    low = heights.min() if bottom is None else bottom
    high = heights.max() if top is None else top
    if top is None:
        # one level alone has no height to draw
        span = max(high - low, _UNSEEN * (high - energies.min()))
        high = max(high, low) + span / number
    if not low < high:
        raise InputError(
            f"the lowest level, {low:.6g}, must be below the highest, {high:.6g} (bottom and top)"
        )
    if spacing is not None:
        n = (high - low) / spacing
        if n > _MOST:
            raise InputError(
                f"a spacing of {spacing:g} makes {n:.0f} levels between {low:.6g} and {high:.6g}: "
                f"at most {_MOST} can be drawn"
            )
        levels = low + spacing * np.arange(np.floor(n) + 1)
        return levels if levels[-1] >= high else np.append(levels, high)
    if not log:
        return np.linspace(low, high, number)
    if not low > 0:
        raise InputError(
            f"levels of equal ratio must be above the lowest minimum, but the first is {low:.6g} "
            "above it: give a bottom"
        )
    levels = np.geomspace(low, high, number)
    levels[-1] = high
    return levels
