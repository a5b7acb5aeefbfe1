"""PATHSAMPLE's database: ``min.data``, ``ts.data``, ``points.min`` and ``points.ts``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..analysis.transition_network import StationaryPoints, TransitionNetwork
from ..errors import InputError
from .point_files import check_files

__all__ = [
    "COLUMNS",
    "DATABASE",
    "TOPSEARCH",
    "PathsampleDatabase",
    "fortran_number",
    "fortran_text",
    "lines_of",
]

DATABASE = ("min.data", "ts.data", "points.min", "points.ts")

_MOMENTS = "three moments of inertia"
COLUMNS = {
    "min.data": ("energy", "ln det", "order", *[_MOMENTS] * 3),
    "ts.data": ("energy", "ln det", "order", "minimum 1", "minimum 2", *[_MOMENTS] * 3),
}
# TopSearch's files of the same names, told apart by how many columns there are
TOPSEARCH = {"min.data": ("index", "energy"), "ts.data": ("min1", "min2", "energy")}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[ED]([+-]?\d+)|([+-]\d+))?", re.IGNORECASE)


@dataclass(frozen=True)
class PathsampleDatabase:
    """Stationary points as PATHSAMPLE's files hold them.

    Attributes
    ----------
    network : TransitionNetwork
        Its `ids` are lines of the files, from 1.
    minima, states : ndarray, shape (n_points, n_dof), or None
        The coordinates in the order of the file; None without files of points.
    """

    network: TransitionNetwork
    minima: NDArray[np.float64] | None = None
    states: NDArray[np.float64] | None = None

    # of the energy: files hold some ten digits, and DL rounds lambda to float32
    agree: ClassVar[float] = 1e-6

    @classmethod
    def read(cls, files: Mapping[str, Path], n_dof: int | None = None, **options: Any) -> Self:
        """Read a database.

        Parameters
        ----------
        files : mapping
            Paths by name; names that are none of `DATABASE` are left alone.
        n_dof : int, optional
            Coordinates of a point, where that is known.
        **options
            ``n_vibrations``, ``kinetic``, ``energy_label`` of the network.

        Raises
        ------
        InputError
            Naming the file and the line, if a file is missing, malformed or truncated,
            or belongs to another program.
        """
        check_files(files, "points.min", "points.ts", "PATHSAMPLE's database")
        minima, _ = _read_table("min.data", files["min.data"], 0)
        if not len(minima):
            raise InputError(f"{files['min.data']} holds no minimum")
        states, ends = StationaryPoints.of([], moments=[]), np.empty((0, 2), dtype=np.int64)
        if "ts.data" in files:
            states, ends = _read_table("ts.data", files["ts.data"], len(minima))
        network = TransitionNetwork(minima, states, ends, **options)
        if "points.min" not in files:
            return cls(network)
        coords = _read_points(files["points.min"], len(minima), n_dof, "min.data")
        others = np.empty((0, coords.shape[1]))
        if "points.ts" in files:
            others = _read_points(files["points.ts"], len(states), coords.shape[1], "ts.data")
        return cls(network, coords, others)

    def write(self, folder: Path) -> list[str]:
        """Write the files into a folder, each number so that it is read back as it is.

        Returns
        -------
        list of str
            Their names.

        Raises
        ------
        InputError
            If a determinant is not known.
        """
        network = self.network
        for name, points, ends in (
            ("min.data", network.minima, np.empty((len(network.minima), 0), dtype=np.int64)),
            ("ts.data", network.states, network.ends + 1),
        ):
            with open(folder / name, "w", encoding="ascii") as file:
                file.writelines(_lines(name, points, ends))
        if self.minima is None or self.states is None:
            return ["min.data", "ts.data"]
        self.minima.astype("<f8").tofile(folder / "points.min")
        self.states.astype("<f8").tofile(folder / "points.ts")
        return list(DATABASE)


def lines_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The words of each line that has any, with its number from 1.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if words:
            yield number, words


def fortran_number(word: str) -> float | None:
    """A number as Fortran reads it, ``1.0D-9`` and ``0.1-100`` too; None if it is no finite one."""
    match = _NUMBER.fullmatch(word)
    if match is None:
        return None
    mantissa, exponent, bare = match.groups()
    value = float(f"{mantissa}e{exponent or bare or 0}")
    return value if isfinite(value) else None


def fortran_text(value: float) -> str:
    """A number that is read back as it is; the programs' own reader knows no small e."""
    return repr(float(value)).replace("e", "E")


def _read_table(name: str, path: Path, n_minima: int) -> tuple[StationaryPoints, Any]:
    """The points of ``min.data`` or ``ts.data``, and the minima that these name, from 0."""
    columns, others = COLUMNS[name], TOPSEARCH[name]
    rows, ends = [], []
    for number, words in lines_of(path):
        where = f"{path}, line {number}"
        if len(words) == len(others):
            raise InputError(
                f"{path} is TopSearch's ({', '.join(others)}), not PATHSAMPLE's "
                f"({_named(columns)}): import it with '--from topsearch'"
            )
        if len(words) != len(columns):
            raise InputError(
                f"{where}: {len(words)} columns in place of {len(columns)} ({_named(columns)})"
            )
        numbers: list[Any] = list(map(fortran_number, words))
        for column, word, value in zip(columns, words, numbers, strict=True):
            if value is None:
                what = column.removeprefix("three ")
                raise InputError(f"{where}: {word!r} is no finite number ({what})")
        if numbers[2] < 1:
            raise InputError(
                f"{where}: the order of the point group must be at least 1, not {words[2]}"
            )
        for word in words[3:-3]:
            if not (word.isascii() and word.isdigit() and 1 <= int(word) <= n_minima):
                raise InputError(f"{where}: {word!r} is no minimum: min.data has 1 to {n_minima}")
        rows.append(numbers[:3] + numbers[-3:])
        ends.append([int(word) - 1 for word in words[3:-3]])
    energies, determinants, orders, *moments = np.array(rows, dtype=float).reshape(-1, 6).T
    points = StationaryPoints.of(energies, determinants, orders, moments=np.transpose(moments))
    return points, np.array(ends, dtype=np.int64).reshape(len(rows), len(columns) - 6)


def _named(columns: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(columns))


def _read_points(path: Path, n_points: int, n_dof: int | None, table: str) -> NDArray[np.float64]:
    try:
        numbers = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    row = 8 * n_points
    if n_dof is not None and numbers.size != row * n_dof:
        raise InputError(
            f"{path} has {numbers.size} bytes; the {n_points} points of {table}, with {n_dof} "
            f"coordinates each, take {row * n_dof}: it is cut short, or of another system"
        )
    if n_dof is None and (numbers.size == 0 or numbers.size % max(row, 1) or not row):
        raise InputError(
            f"{path} has {numbers.size} bytes, which is no whole number of float64 for each of the "
            f"{n_points} points of {table}: it is cut short, or belongs to another {table}"
        )
    points = numbers.view("<f8").astype(float).reshape(n_points, -1 if n_dof is None else n_dof)
    odd = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if odd.size:
        raise InputError(f"{path}: the coordinates of point {odd[0] + 1} are not finite")
    return points


def _lines(name: str, points: StationaryPoints, ends: NDArray[np.int64]) -> Iterator[str]:
    unknown = np.flatnonzero(~np.isfinite(points.log_determinants))
    if unknown.size:
        raise InputError(
            f"{name} needs the log determinant of every Hessian, and of {unknown.size} of "
            f"{len(points)} points it is not known (the first has the number "
            f"{points.ids[unknown[0]]})"
        )
    moments = np.ones((len(points), 3)) if points.moments is None else points.moments
    for energy, determinant, order, names, three in zip(
        points.energies, points.log_determinants, points.orders, ends, moments, strict=True
    ):
        exact = [f"{fortran_text(value):>25}" for value in (energy, determinant)]
        whole = f"{order:.0f}" if float(order).is_integer() else fortran_text(order)
        minima = [f"{number:>9}" for number in names]
        sizes = [f"{fortran_text(value):>20}" for value in three]
        yield " ".join([*exact, f"{whole:>5}", *minima, *sizes]) + "\n"
