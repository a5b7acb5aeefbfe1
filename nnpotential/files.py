"""Files that are either whole or not there."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

__all__ = ["atomic_write", "printable"]


@contextmanager
def atomic_write(path, mode="w"):
    """Open a temporary file that replaces `path` when the block ends well.

    Parameters
    ----------
    path : str or path
    mode : {"w", "wb"}

    Yields
    ------
    file object

    Raises
    ------
    InputError
        If the place cannot be written.
    """
    path, temporary = Path(path), None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, mode, **({} if "b" in mode else {"encoding": "utf-8"})) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
        raise


def printable(name):
    """A file name that can be printed and stored, where its bytes are no UTF-8."""
    return os.fspath(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
