"""Which files of points go with which: of every program the same four, by other names."""

from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError

__all__ = ["check_files"]


def check_files(files: Mapping[str, Path], minima: str, states: str, whose: str) -> None:
    """Refuse files that say nothing without others.

    Parameters
    ----------
    files : mapping
        Paths by name.
    minima, states : str
        Names of those that hold coordinates.
    whose : str
        The minima that ``min.data`` holds, for the message.

    Raises
    ------
    InputError
        Naming the file that is missing.
    """
    for name, needed in (
        ("ts.data", "min.data"),
        (minima, "min.data"),
        (states, minima),
        (states, "ts.data"),
    ):
        if name in files and needed not in files:
            raise InputError(f"{files[name]} says nothing without {needed}: give that too")
    if "min.data" not in files:
        raise InputError(f"min.data is missing: the minima of {whose}")
    if {minima, "ts.data"} <= set(files) and states not in files:
        raise InputError(
            f"{files[minima]} holds the coordinates of the minima, those of the transition states "
            f"are missing: give {states} too"
        )
