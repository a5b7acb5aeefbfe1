"""Places, and files that are either whole or not there."""

import csv
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .errors import InputError

__all__ = [
    "absolute",
    "atomic_write",
    "new_directory",
    "place_check",
    "printable",
    "write_table",
]


def absolute(path):
    """The absolute path of a place, which no change of the working directory moves.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    pathlib.Path
        Without symbolic links.

    Raises
    ------
    InputError
        If it is no path, or is relative to a working directory that is gone.
    """
    try:
        return Path(path).resolve()
    except FileNotFoundError:
        raise InputError(
            f"{path} is relative to a working directory that no longer exists: "
            "give an absolute path"
        ) from None
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise InputError(f"{path!r} is no path: {error}") from None


def place_check(file):
    """A function that raises once another file, or none, is where `file` is now.

    Parameters
    ----------
    file : pathlib.Path
        Absolute; it must stay open, as the number of a deleted file is used again.
    """

    def identity():
        try:
            found = file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    opened = identity()

    def check():
        if identity() != opened:
            raise InputError(
                f"{file.parent} is no longer what was opened: it was moved, deleted or replaced; "
                "open it where it is now"
            )

    return check


@contextmanager
def atomic_write(path, mode="w", durable=True):
    """Open a temporary file that replaces `path` when the block ends well.

    Parameters
    ----------
    path : str or path
    mode : {"w", "wb"}
    durable : bool
        Wait for the disk, so that it is there after a loss of power, too.

    Yields
    ------
    file object

    Raises
    ------
    InputError
        If the place cannot be written.
    """
    path, temporary = absolute(path), None
    try:
        new = mode.replace("w", "x")
        with open(_beside(path), new, **({} if "b" in mode else {"encoding": "utf-8"})) as file:
            temporary = file.name
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
        raise


@contextmanager
def new_directory(path):
    """A new directory that is there whole at the end of the block, or not at all.

    Parameters
    ----------
    path : str or path
        Must not exist, or be an empty directory.

    Yields
    ------
    pathlib.Path
        The directory to fill, beside its place.

    Raises
    ------
    InputError
        If the place is taken or cannot be written.
    """
    path = absolute(path)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        what = "a file" if path.is_file() else "a directory with other things in it"
        raise InputError(f"{path} is {what}: choose a new or empty directory")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = _beside(path)
        unfinished.mkdir()
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{path} cannot be made: {error.filename} is no directory") from None
    except OSError as error:
        raise InputError(f"{path} cannot be made: {error.strerror}") from None
    try:
        yield unfinished
        os.rename(unfinished, path)
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(error, OSError):
            raise InputError(f"{path} cannot be made: {error.strerror}") from None
        raise


def write_table(path, columns):
    """Write columns of equal length as a CSV file, numbers to their last digit.

    Parameters
    ----------
    path : path
    columns : dict of str to ndarray or list
    """
    columns = {name: np.array(column, dtype=object).tolist() for name, column in columns.items()}
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def printable(name):
    """A file name that can be printed and stored, where its bytes are no UTF-8."""
    return os.fspath(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _beside(path):
    """A name for what is not finished yet, hidden, that nothing else has."""
    return path.parent / f".{path.name}.{secrets.token_hex(4)}"
