"""All of a landscape as plain values: read from a directory of whatever origin, made anew."""

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from ..errors import InputError
from ..files import atomic_write
from ..sessions import close
from ..settings import DATABASE, SETTINGS, read_settings, system_kind
from ..systems.registry import system_class
from .tables import Tables

__all__ = ["Shared", "check_content", "check_name", "check_size"]

# what was measured of it, where that was done
_RESULTS = ("summary.json", "reach.json", "estimates.json")
# what files of a system may be: data, by their names
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.(npz|npy|json|toml|csv|txt)")
_LARGEST = 2**32  # bytes of one file
# bytes unpacked that are no reason for doubt, and beyond them how many of one packed byte
_ROOM, _INFLATED = 2**28, 100


@dataclass(frozen=True)
class Shared:
    """A landscape without pickles.

    Attributes
    ----------
    files : dict of str to bytes
        ``settings.toml``, what the system keeps (``dataset.npz``, ...), and results in JSON.
    tables : Tables
        What the database holds.
    """

    files: dict[str, bytes]
    tables: Tables

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a landscape's directory. Nothing in it is trusted.

        Parameters
        ----------
        path : pathlib.Path

        Raises
        ------
        InputError
            Naming the file and what is wrong with it.
        """
        settings = read_settings(path)
        names = [SETTINGS, *_files_of(path, settings)]
        names += [name for name in _RESULTS if (path / name).exists()]
        files = {name: _bytes(path / name) for name in names}
        return cls(files, Tables.read(path / DATABASE))

    def write(self, folder: Path) -> None:
        """Make the landscape in a folder that is there and empty.

        Raises
        ------
        InputError
            Naming what is wrong, if its parts are no landscape together.
        """
        for name, content in self.files.items():
            check_name(name)
            check_content(name, content)
            with atomic_write(folder / name, "wb") as file:
                file.write(content)
        settings = read_settings(folder)
        system = _system(folder, settings)
        for point in (*self.tables.minima, *self.tables.states):
            if point.coords.size != system.n_dof:
                raise InputError(
                    f"points have {point.coords.size} coordinates, those of {SETTINGS} have "
                    f"{system.n_dof}"
                )
        database = system.create_database(str(folder / DATABASE))
        try:
            self.tables.write(database)
        finally:
            close(database)


def check_name(name: str) -> None:
    """Refuse names that are none of plain data in the same folder."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r:.100} is no name of a file of plain data in a landscape")


def check_size(name: str, unpacked: int, packed: int) -> None:
    """Refuse what is packed so that it would fill the memory."""
    if unpacked > _ROOM + _INFLATED * packed:
        raise InputError(f"{name} has {packed} bytes and would take {unpacked} unpacked")


def check_content(name: str, content: bytes) -> None:
    """Refuse JSON that is none, and packed arrays that would fill the memory."""
    if name.endswith(".json"):
        try:
            json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name} is damaged: {error}") from None
    if name.endswith(".npz"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                size = sum(entry.file_size for entry in packed.infolist())
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise InputError(f"{name} is damaged: {error}") from None
        check_size(name, size, len(content))


def _system(path: Path, settings: dict[str, Any]) -> Any:
    try:
        return system_class(system_kind(settings)).load(path, settings)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise InputError(f"{path / SETTINGS} is damaged: {what}") from None


def _files_of(path: Path, settings: dict[str, Any]) -> list[str]:
    """The files that a system of this kind keeps, by having it save them elsewhere."""
    for file in sorted(path.glob("*.np[yz]")):  # before anything reads them
        check_content(file.name, _bytes(file))
    system = _system(path, settings)
    with TemporaryDirectory(prefix="nnpotential-") as folder:
        system.save(folder)
        names = sorted(file.name for file in Path(folder).iterdir())
    for name in names:
        check_name(name)
    return names


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path} is no plain file")
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path} is larger than {_LARGEST} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
