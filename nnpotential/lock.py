"""A landscape is worked on by one process at a time."""

import fcntl
import os
import platform
from contextlib import contextmanager

from .errors import InputError

__all__ = ["held"]

_LOCK = ".lock"
_open = set()  # lock files of this process


def _me():
    return f"{os.getpid()} on {platform.node()}"


def _let_go():
    # else a forked process would hold the landscape for as long as it lives
    for lock in _open:
        lock.close()
    _open.clear()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def held(path):
    """Hold the landscape in a directory for this process.

    Raises
    ------
    InputError
        If another process holds it, it cannot be written, or the file system
        has no locks.
    """
    try:
        lock = open(path / _LOCK, "a+")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    with lock:
        _take(lock, path)
        _open.add(lock)
        try:
            yield
        finally:
            _open.discard(lock)
            fcntl.flock(lock, fcntl.LOCK_UN)  # a child forked just now may hold the file open


def _take(lock, path):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "that has just begun"
        mine = " (this one)" if holder == _me() else ""
        raise InputError(f"{path} is being worked on by process {holder}{mine}") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be locked ({error.strerror}): its file system lacks flock, which "
            "keeps two searches apart; use one that has it, as a local disk"
        ) from error
    lock.truncate(0)
    lock.write(f"{_me()}\n")
    lock.flush()
