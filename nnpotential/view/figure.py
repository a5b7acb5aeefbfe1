"""Figures to be printed: one style, files written whole, and errors of one line."""

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError
from ..files import atomic_write

__all__ = ["COLOURS", "COLUMN", "TWO_COLUMNS", "figure", "write"]

COLUMN, TWO_COLUMNS = 3.4, 7.0  # widths of a journal, in inches
# the palette of Okabe and Ito, told apart by any eye
COLOURS = {
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "green": "#009e73",
    "purple": "#cc79a7",
    "orange": "#e69f00",
    "sky": "#56b4e9",
}
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",
}


@contextmanager
def figure(what, width, height):
    """A figure in a style of our own; whatever goes wrong with it is one line.

    Parameters
    ----------
    what : str
        What it shows, for that line.
    width, height : float
        In inches; see `COLUMN`.

    Yields
    ------
    matplotlib.figure.Figure

    Neither pyplot nor a style of the user's takes part: a drawing looks the same
    everywhere, and must not cost the result that it shows.
    """
    try:
        matplotlib = _import_matplotlib(what)
        from matplotlib.figure import Figure

        default = {k: v for k, v in matplotlib.rcParamsDefault.items() if k != "backend"}
        with matplotlib.rc_context(default | _STYLE):
            yield Figure(figsize=(width, height), layout="constrained")
    except InputError:
        raise
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{what} cannot be drawn: {why}") from error


def _import_matplotlib(what):
    """Here, as a worker that draws nothing starts half a second sooner."""
    if "matplotlib" not in sys.modules:
        # a backend that is not there fails the import, though files need none
        backend = os.environ.pop("MPLBACKEND", None)
        try:
            import matplotlib
        except Exception as error:
            raise InputError(
                f"{what} cannot be drawn: matplotlib cannot be imported "
                f"({' '.join(str(error).split())}); look into its file matplotlibrc and the "
                "variable MPLCONFIGDIR"
            ) from error
        finally:
            if backend is not None:
                os.environ["MPLBACKEND"] = backend
        if backend:
            with suppress(ValueError):
                matplotlib.rcParams["backend"] = backend
    return sys.modules["matplotlib"]


def write(page, paths):
    """Write a figure into files; the suffix says the format (``.png``, ``.svg``, ``.pdf``)."""
    for path in map(Path, paths):
        with atomic_write(path, "wb") as file:
            page.savefig(file, format=path.suffix.lstrip("."), dpi=300)
