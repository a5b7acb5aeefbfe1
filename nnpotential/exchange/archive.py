"""A landscape in one file for others: a zip of JSON and plain arrays, with checksums, no pickles.

docs/exchange.md says what it holds, so that other programs can read it.
"""

import hashlib
import io
import json
import zipfile
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import atomic_write
from ..pulse import tell
from ..settings import SETTINGS
from .shared import Shared, check_content, check_name, check_size
from .tables import PlainPoint, Tables

__all__ = ["read_archive", "write_archive"]

FORMAT, VERSION = "nnpotential landscape", 1
_MANIFEST = "manifest.json"
_TABLES = ("minima.json", "transition_states.json", "database.json")
_ARRAYS = ("minima.npy", "transition_states.npy", "eigenvectors.npy")
_PARTS = (*_TABLES, *_ARRAYS)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same landscape gives the same file
_MOST = 100  # files
_SCALARS = ("id", "energy", "fvib", "pgorder", "invalid")


def write_archive(path: Path, shared: Shared) -> list[str]:
    """Write a landscape into one file.

    Parameters
    ----------
    path : pathlib.Path
    shared : Shared

    Returns
    -------
    list of str
        What could not be carried, for the reader.
    """
    parts, notes = _packed(shared.tables)
    contents = {**shared.files, **parts}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "nnpotential": version("nnpotential"),
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in contents.items()
        },
    }
    with atomic_write(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for k, (name, data) in enumerate({_MANIFEST: _json(manifest), **contents}.items()):
            tell("files packed", k, unit="files")
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return notes


def read_archive(path: Path) -> Shared:
    """Read what `write_archive` wrote, of whatever origin: nothing in it is trusted.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    InputError
        In one line, naming the file within and what is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents = _contents(archive)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # zipfile and zlib raise many kinds
        raise InputError(f"{path} is no archive of a landscape, or damaged: {error}") from None
    try:
        tables = _unpacked({name: contents.pop(name) for name in _PARTS})
        for name, data in contents.items():
            check_content(name, data)
        tables.check()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Shared(contents, tables)


# What is in the file


def _contents(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """What the files within hold, each as the manifest says, which itself is left out."""
    entries: dict[str, zipfile.ZipInfo] = {}
    listed = archive.infolist()
    if len(listed) > _MOST:
        raise InputError(f"it holds {len(listed)} files: it is no archive of a landscape")
    packed = sum(entry.compress_size for entry in listed)
    check_size("all of it", sum(entry.file_size for entry in listed), packed)
    for entry in listed:
        check_name(entry.filename)
        if entry.filename.casefold() in map(str.casefold, entries):
            raise InputError(f"{entry.filename} is there twice")
        entries[entry.filename] = entry
    if _MANIFEST not in entries:
        raise InputError(f"it has no {_MANIFEST}: it is no archive of a landscape")
    stated = _manifest(archive.read(_MANIFEST))
    del entries[_MANIFEST]
    for name in (SETTINGS, *_PARTS):
        if name not in stated:
            raise InputError(f"{_MANIFEST} does not name {name}, which every archive holds")
    if unknown := set(entries) - set(stated):
        raise InputError(f"{min(unknown)} is not named in {_MANIFEST}")
    found = {}
    for k, (name, about) in enumerate(stated.items()):
        tell("files unpacked", k, unit="files")
        if name not in entries:
            raise InputError(f"{name} is missing")
        if entries[name].file_size != about["bytes"]:
            raise InputError(
                f"{name} has {entries[name].file_size} bytes, {_MANIFEST} says {about['bytes']}"
            )
        try:
            found[name] = archive.read(name)
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise InputError(f"{name} is damaged: {error}") from None
        if hashlib.sha256(found[name]).hexdigest() != about["sha256"]:
            raise InputError(
                f"{name} is not what {_MANIFEST} says (SHA-256): it was damaged or changed"
            )
    return found


def _manifest(data: bytes) -> dict[str, Any]:
    found = _object(_MANIFEST, data)
    if found.get("format") != FORMAT:
        raise InputError(f"{_MANIFEST} is of no landscape: its format is {found.get('format')!r}")
    if found.get("version") != VERSION:
        raise InputError(
            f"it has version {found.get('version')!r} of the format, known here is {VERSION}: "
            "install a newer nnpotential"
        )
    files = found.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(about, dict) and {"bytes", "sha256"} <= set(about) for about in files.values()
    ):
        raise InputError(f"{_MANIFEST} does not say what the files are")
    for name in files:
        check_name(name)
    return files


def _object(name: str, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is damaged: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{name} is damaged: it is no object")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _json(value: Any) -> bytes:
    return (json.dumps(value, allow_nan=False, indent=1) + "\n").encode()


# Tables to files and back


def _packed(tables: Tables) -> tuple[dict[str, bytes], list[str]]:
    lost = 0
    parts: dict[str, Any] = {}
    for name, points in (("minima", tables.minima), ("transition_states", tables.states)):
        rows = []
        for point in points:
            row: dict[str, Any] = {key: getattr(point, key) for key in _SCALARS}
            try:
                row["user_data"] = _encoded(point.user_data)
            except TypeError:
                row["user_data"], lost = None, lost + 1
            if point.ends is not None:
                row |= {"minima": list(point.ends), "eigenvalue": point.eigenval}
            rows.append(row)
        parts[f"{name}.json"] = _json({"points": rows})
        parts[f"{name}.npy"] = _array([point.coords for point in points])
    vectors = [
        np.full_like(state.coords, np.nan) if state.eigenvec is None else state.eigenvec
        for state in tables.states
    ]
    parts["eigenvectors.npy"] = _array(vectors)
    parts["database.json"] = _json(
        {
            "properties": [list(row) for row in tables.properties],
            "jobs": list(map(list, tables.jobs)),
        }
    )
    notes = list(tables.notes)
    if lost:
        notes.append(f"what another program noted on {lost} points is no plain data: left out")
    return {name: parts[name] for name in _PARTS}, notes


def _array(rows: list[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(rows, dtype="<f8").reshape(len(rows), -1 if rows else 0))
    return stream.getvalue()


def _unpacked(parts: dict[str, bytes]) -> Tables:
    found = []
    for name in ("minima", "transition_states"):
        rows = _object(f"{name}.json", parts[f"{name}.json"]).get("points")
        if not isinstance(rows, list):
            raise InputError(f"{name}.json holds no list of points")
        coords = _rows(f"{name}.npy", parts[f"{name}.npy"], len(rows))
        if not np.isfinite(coords).all():
            raise InputError(f"{name}.npy: the coordinates are not finite")
        vectors = None
        if name == "transition_states":
            vectors = _rows("eigenvectors.npy", parts["eigenvectors.npy"], len(rows))
            if vectors.shape != coords.shape:
                raise InputError(f"eigenvectors.npy has another shape than {name}.npy")
        points = []
        for k, row in enumerate(rows):
            try:
                points.append(_point(row, coords[k], None if vectors is None else vectors[k]))
            except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
                why = f"{type(error).__name__}: {error}"[:200]
                raise InputError(f"{name}.json: point {k + 1} is damaged ({why})") from None
        found.append(points)
    rest = _object("database.json", parts["database.json"])
    minima, states = found
    return Tables(minima, states, _list(rest, "properties"), _list(rest, "jobs"))


def _rows(name: str, data: bytes, n: int) -> Any:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise InputError(f"{name} is damaged: {error}") from None
    if array.dtype != "<f8" or array.ndim != 2 or len(array) != n:
        raise InputError(f"{name} is no array of float64 with {n} rows, one for each point")
    return array.astype(np.float64)


def _point(row: dict[str, Any], x: Any, v: Any) -> PlainPoint:
    known = {key: row[key] for key in _SCALARS} | {"user_data": _decoded(row["user_data"])}
    if v is None:
        return PlainPoint(coords=x, **known)
    vector = None if np.isnan(v).all() else v
    ends = tuple(row["minima"])
    return PlainPoint(coords=x, ends=ends, eigenval=row["eigenvalue"], eigenvec=vector, **known)


def _list(found: dict[str, Any], name: str) -> list[Any]:
    rows = found.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise InputError(f"database.json holds no list of {name}")
    return [tuple(row) for row in rows]


def _encoded(value: Any) -> Any:
    """Plain values as JSON holds them: what it lacks is an object with one name."""
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else {"$float": repr(value)}
    if isinstance(value, tuple):
        return {"$tuple": [_encoded(part) for part in value]}
    if isinstance(value, list):
        return [_encoded(part) for part in value]
    if isinstance(value, dict) and all(isinstance(k, str) and k[:1] != "$" for k in value):
        return {key: _encoded(part) for key, part in value.items()}
    raise TypeError(f"no plain value: {type(value).__name__}")


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "$float" in value:
        return float({"nan": "nan", "inf": "inf", "-inf": "-inf"}[value["$float"]])
    if "$tuple" in value:
        return tuple(_decoded(part) for part in value["$tuple"])
    return {key: _decoded(part) for key, part in value.items()}
