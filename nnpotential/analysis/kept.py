"""Work that is kept, piece by piece, in a JSON file of the landscape's directory."""

import json
from copy import deepcopy
from time import monotonic

from ..errors import InputError
from ..files import atomic_write
from ..interrupts import uninterrupted
from ..verification.stored import done_in_order

__all__ = ["Kept", "read_results"]

_OFTEN = 10.0  # seconds of work that a loss of power may cost
_FORMAT = 1


class Kept:
    """What was done so far. A context manager, which writes it at the end whatever happens.

    If something goes wrong before anything was done the file stays as it is, results and all.

    Parameters
    ----------
    path : pathlib.Path
        There, or not yet.
    about : dict
        What it belongs to, in plain values: that of another one is refused.

    Attributes
    ----------
    data : dict
        Changed freely.
    results : dict or None
        What follows from it, for readers of the file: written, and not read again.

    Raises
    ------
    InputError
        If the file is damaged, or of something else.
    """

    def __init__(self, path, about):
        self.path, self.data, self.results = path, {}, None
        self._about, self._written = about, monotonic()
        self._before = None
        if not path.exists():
            return
        found = _read(path)
        self.data = found["kept"]
        if found["format"] != _FORMAT or found["settings"] != about:
            raise InputError(f"{path} is of other settings: remove it to begin anew")
        self._before = deepcopy(self.data)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error is not None and self.data == self._before:
            return
        with uninterrupted():
            self.write()

    def write(self):
        """Write the file."""
        whole = {"format": _FORMAT, "settings": self._about, "results": self.results}
        with atomic_write(self.path) as file:
            json.dump({**whole, "kept": self.data}, file)
            file.write("\n")
        self._written = monotonic()

    def do(self, crew, jobs, merge, stage, report):
        """Let a crew do jobs, and keep what they give.

        Parameters
        ----------
        crew : Crew
        jobs : list of (Kind, tuple)
        merge : callable
            ``merge(i, result) -> text``: put a result into `data`, None if its job failed.
        stage : str
        report : callable
            ``report(stage, done, total, text)``.
        """

        def waits(i, text):
            report(stage, i, len(jobs), text)

        for i, result in done_in_order(crew, jobs, stage, waits):
            with uninterrupted():
                text = merge(i, result)
                if monotonic() - self._written > _OFTEN:
                    self.write()
            report(stage, i + 1, len(jobs), text)


def read_results(path):
    """The results in the file of a `Kept`, None where its work never came to an end.

    Raises
    ------
    InputError
        If the file is damaged, or of another version.
    """
    found = _read(path)
    if found["format"] != _FORMAT:
        raise InputError(f"{path} is of another version: remove it to begin anew")
    return found.get("results")


def _read(path):
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        missing = {"format", "settings", "kept"} - set(found)
        if missing:
            raise KeyError(", ".join(sorted(missing)))
        if not isinstance(found["kept"], dict):
            raise TypeError("no object")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}): remove it to begin anew"
        ) from None
    return found
