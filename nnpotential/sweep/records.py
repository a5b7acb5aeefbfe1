"""What a sweep's directory holds of each point, beside its landscape: one small file."""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ..checks import plain
from ..errors import InputError
from ..files import atomic_write
from .point import effort_lacks, search_settings

__all__ = ["Records"]

_FOLDER = ".points"
STATES = ("begun", "finished", "failed")
_OF_LANDSCAPE = ("figures", "tree", "n_parameters", "seconds")


@dataclass
class Record:
    """What became of a point.

    Parameters
    ----------
    name : str
        Of its directory.
    label : str
        As `Point.label`.
    state : str
        One of `STATES`.
    key, landscape : str
        As of `Point`.
    """

    name: str
    label: str
    state: str
    key: str
    landscape: str

    @classmethod
    def of(cls, entry):
        return cls(*(entry[name] for name in ("name", "label", "state", "key", "landscape")))


@dataclass
class Records:
    """The records in the directory of a sweep.

    Parameters
    ----------
    path : pathlib.Path
    """

    path: Path
    _known: dict = field(default_factory=dict)  # by name
    _names: dict = field(default_factory=dict)  # by key
    _lesser: dict = field(default_factory=dict)  # names by label and landscape

    def __post_init__(self):
        for entry in self.entries():
            self._remember(Record.of(entry))

    def _remember(self, record):
        before = self._known.get(record.name)
        if before is not None:
            self._names.pop(before.key, None)
        self._known[record.name] = record
        self._names[record.key] = record.name
        self._lesser[record.label, record.landscape] = record.name

    def entries(self):
        """All records whole, one after another, in the natural order of their names."""
        folder = self.path / _FOLDER
        for file in sorted(folder.glob("*.json"), key=lambda file: _natural(file.stem)):
            if not file.name.startswith("."):
                yield self._read(file)

    def entry(self, name):
        """A record whole."""
        return self._read(self._file(name))

    def _file(self, name):
        return self.path / _FOLDER / f"{name}.json"

    @staticmethod
    def _read(file):
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{file} cannot be read ({error}): delete it, and run again") from None

    def find(self, point):
        """The record of a point, or None."""
        name = self._names.get(point.key)
        return None if name is None else self._known[name]

    def find_lesser(self, point):
        """The record of the same landscape under the same label, searched with less effort.

        Raises
        ------
        InputError
            If the effort would fall, or anything else of the search change.
        """
        name = self._lesser.get((point.label, point.landscape))
        if name is None:
            return None
        before = search_settings(self.entry(name)["settings"])
        lacks = effort_lacks(before, point.effort)
        if lacks is not None:
            raise InputError(
                f"{name} cannot be extended: {lacks}; limits may only rise, and all else of the "
                "search stays"
            )
        return self._known[name]

    def new_name(self, point):
        """A name for the directory of a point without one."""
        taken = point.label in self._known or (self.path / point.label).exists()
        return f"{point.label}_{point.key[:8]}" if taken else point.label

    def write(self, name, point, state, **more):
        """Write what became of a point, whole or not at all."""
        before = self.entry(name) if name in self._known else {}
        entry = {
            # a landscape that goes on keeps its figures until there are new ones
            **{part: before[part] for part in _OF_LANDSCAPE if part in before},
            "name": name,
            "label": point.label,
            "state": state,
            "key": point.key,
            "landscape": point.landscape,
            "settings": plain(point.resolved),
            **more,
        }
        file = self._file(name)
        file.parent.mkdir(exist_ok=True)
        with atomic_write(file, durable=state != "begun") as stream:
            stream.write(json.dumps(entry))
        self._remember(Record.of(entry))

    def tidy(self):
        """Finish what a killed sweep left half done: see `unpack`."""
        for before in self.path.glob(".*.old"):
            place = self.path / before.name[1:-4]
            if place.exists():
                shutil.rmtree(before)
            else:
                before.rename(place)
        for unfinished in self.path.glob(".*.new"):
            shutil.rmtree(unfinished)


def _natural(name):
    """A key that sorts seed-2 before seed-10."""
    parts = re.split(r"(\d+(?:\.\d+)?(?:e-?\d+)?)", name)
    return [float(part) if i % 2 else part for i, part in enumerate(parts)]
