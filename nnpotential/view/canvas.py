"""Figures in a style of our own, written whole or not at all."""

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError
from ..files import atomic_write

__all__ = ["COLOURS", "ONE_COLUMN", "TWO_COLUMNS", "canvas"]

ONE_COLUMN, TWO_COLUMNS = 3.4, 7.0  # inches, of a journal
# blue, vermilion, bluish green, reddish purple, orange, sky blue: told apart by any eye
# (M. Okabe and K. Ito, Color Universal Design, 2008)
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",
}


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
                    figure.savefig(file, format=path.suffix.lstrip("."), dpi=300)
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
