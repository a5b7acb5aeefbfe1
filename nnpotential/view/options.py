"""How disconnectivity graphs are drawn: the options, each checked."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..checks import check_choice, check_flag, check_integer, check_number
from ..errors import InputError
from .levels import SCALES
from .tree import LEVELS

__all__ = ["JOINTS", "Drawing"]

JOINTS = ("upright", "slanted")


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
