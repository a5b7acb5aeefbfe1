"""What a long piece of work is doing, told while it goes on."""

import os
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

__all__ = ["listening", "read_report", "tell", "write_report"]

_INTERVAL = 0.3  # seconds between two reports
_here = threading.local()


@contextmanager
def listening(listener):
    """Hear what the work in this thread tells within the block.

    Parameters
    ----------
    listener : callable
        ``listener(text)``, called now and then. What it raises ends the work.
    """
    before = getattr(_here, "listener", None), getattr(_here, "due", 0.0)
    _here.listener, _here.due = listener, monotonic() + _INTERVAL
    try:
        yield
    finally:
        _here.listener, _here.due = before


def tell(stage, done, rms=None, of="gradient", unit="evaluations"):
    """Say how far a stage of the work is; cheap enough for every step.

    Parameters
    ----------
    stage : str
    done : int
        Evaluations of the loss and its derivatives so far, or another `unit`.
    rms : float, optional
        Root mean square of the gradient, or of the force on a band.
    of : {"gradient", "force"}
    unit : str
    """
    listener = getattr(_here, "listener", None)
    if listener is None or monotonic() < _here.due:
        return
    _here.due = monotonic() + _INTERVAL
    level = "" if rms is None else f"rms {of} {rms:.1e}, "
    listener(f"{stage}, {level}{done} {unit}")


def write_report(path, text):
    """Tell another process of this machine, by a file."""
    with suppress(OSError):  # a full disk must not cost the work
        unfinished = f"{path}.{os.getpid()}"
        Path(unfinished).write_text(text, encoding="utf-8")
        os.replace(unfinished, path)


def read_report(path):
    """What `write_report` last wrote, or None."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return None
