"""Figures in a style of our own, written whole or not at all."""

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import atomic_write

__all__ = [
    "COLOURS",
    "FORMATS",
    "ONE_COLUMN",
    "TWO_COLUMNS",
    "canvas",
    "check_figure",
    "label_decades",
]

_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 6, 8))  # of a decade, that are labelled
_PLAIN = 0.01, 1000  # numbers that need no power of ten
ONE_COLUMN, TWO_COLUMNS = 3.4, 7.0  # inches, of a journal
# blue, vermilion, bluish green, reddish purple, orange, sky blue: told apart by any eye
# (M. Okabe and K. Ito, Color Universal Design, 2008)
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
FORMATS = ("png", "svg", "pdf")
_UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    # text stays text, fonts are embedded whole; a drawing made twice is the same file
    "svg.fonttype": "none",
    "svg.hashsalt": "nnpotential",
    "pdf.fonttype": 42,
}


def check_figure(path):
    """Return a path whose suffix is a format that can be written.

    Raises
    ------
    InputError
        If it is another.
    """
    if Path(path).suffix.lower().lstrip(".") not in FORMATS:
        raise InputError(f"the figure must be a png, svg or pdf file, not {path}")
    return Path(path)


@contextmanager
def canvas(what, paths, width, height):
    """A figure to draw on, written when the block ends well; what goes wrong is one line.

    Neither pyplot nor a style of the user's takes part: a drawing looks the same
    everywhere, and must not cost the result that it shows.

    Parameters
    ----------
    what : str
        Is drawn, for the message.
    paths : sequence of path
        Files to write; the suffix says the format (``.png``, ``.svg``, ``.pdf``).
    width, height : float
        In inches.

    Yields
    ------
    matplotlib.figure.Figure
    """
    try:
        matplotlib = _import_matplotlib(what)
        from matplotlib.figure import Figure

        default = {k: v for k, v in matplotlib.rcParamsDefault.items() if k != "backend"}
        with matplotlib.rc_context(default | _STYLE):
            figure = Figure(figsize=(width, height), layout="constrained")
            yield figure
            for path in map(Path, paths):
                with atomic_write(path, "wb") as file:
                    kind = path.suffix.lstrip(".").lower()
                    figure.savefig(file, format=kind, dpi=300, metadata=_UNDATED.get(kind))
    except InputError:
        raise
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{what} cannot be drawn: {why}") from error


def label_decades(axis, least=2):
    """Label a logarithmic axis so that its numbers do not run into each other.

    matplotlib labels up to nine numbers of a decade where there are few decades.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        With all that is drawn, as its limits decide.
    least : int
        Numbers that there should be.
    """
    from matplotlib import ticker

    low, high = axis.get_view_interval()
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
    for steps in _STEPS:
        found = np.outer(powers, steps).ravel()
        found = found[(found >= low) & (found <= high)]
        if len(found) >= least:
            axis.set_major_locator(ticker.FixedLocator(found))
            axis.set_major_formatter(
                ticker.FuncFormatter(lambda value, _: f"{value:g}")
                if _PLAIN[0] <= found[0] and found[-1] <= _PLAIN[1]
                else ticker.LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf))
            )
            break
    else:
        axis.set_major_locator(ticker.MaxNLocator(3))
        axis.set_major_formatter(ticker.ScalarFormatter())
    axis.set_minor_formatter(ticker.NullFormatter())


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
