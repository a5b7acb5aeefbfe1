"""The colours of branches: of a measure, with a bar, or of groups, with a legend."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError
from .canvas import COLOURS
from .source import OF_ONE_NETWORK

__all__ = ["GREY", "Colouring"]

GREY = "0.6"  # of what is not known, or of no group that has a colour
_DARKEST, _LIGHTEST = 0.0, 0.88  # of viridis: its yellow is lost on white


@dataclass
class Colouring:
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
                colours[ends & ~known] = to_rgba(GREY)
            return colours
        codes = {name: k for k, name in enumerate(self.groups)}
        code = np.array([codes.get(value, -1) for value in values])
        painted = np.array([to_rgba(c) for c in (*self.groups.values(), GREY)])
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
            where = (
                {"fraction": 0.05}
                if beside
                else {"location": "top", "aspect": 12 * figure.get_figwidth()}
            )
            bar = figure.colorbar(self.scale, ax=axes, label=self.label, pad=0.02, **where)
            bar.outline.set_linewidth(0.6)
        if self.remark:
            found.append(Line2D([], [], linestyle="none", label=self.remark))
        if self.unknown:
            what = "others" if self.groups else "not known"
            found.append(Line2D([], [], color=GREY, label=what))
        return found


def _scale(values, log):
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    shades = colormaps["viridis"](np.linspace(_DARKEST, _LIGHTEST, 256))
    norm = (LogNorm if log else Normalize)(values.min(), values.max())
    return ScalarMappable(norm, ListedColormap(shades))
