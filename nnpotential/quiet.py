"""What pele prints, kept off the user's screen."""

import sys
import threading
from contextlib import contextmanager, redirect_stdout

__all__ = ["quiet"]

_lock = threading.RLock()


@contextmanager
def quiet():
    """Drop what this thread prints within the block; other threads print on.

    Standard output is one for all threads: of two blocks that overlap, the last to
    end would put back the other's.
    """
    with _lock, redirect_stdout(_Muted(sys.stdout, threading.get_ident())):
        yield


class _Muted:
    def __init__(self, stream, thread):
        self._stream, self._thread = stream, thread

    def write(self, text):
        if self._stream is None or threading.get_ident() == self._thread:
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name):
        return getattr(self._stream, name)
