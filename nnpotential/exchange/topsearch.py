"""TopSearch's files: ``min.data``, ``ts.data``, ``min.coords``, ``ts.coords`` and ``pairlist``.

Their names are those of PATHSAMPLE's, their columns are not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..analysis.transition_network import StationaryPoints, TransitionNetwork
from ..errors import InputError
from .pathsample import COLUMNS, TOPSEARCH, lines_of
from .point_files import check_files

__all__ = ["TOPSEARCH_FILES", "TopsearchNetwork"]

TOPSEARCH_FILES = ("min.data", "ts.data", "min.coords", "ts.coords", "pairlist")


@dataclass(frozen=True)
class TopsearchNetwork:
    """Stationary points as TopSearch's files hold them.

    Attributes
    ----------
    network : TransitionNetwork
    minima, states : ndarray, shape (n_points, n_dof), or None
        The coordinates; None without files of them.
    """

    network: TransitionNetwork
    minima: NDArray[np.float64] | None = None
    states: NDArray[np.float64] | None = None

    agree: ClassVar[float] = 1e-5  # TopSearch itself writes energies with five decimals

    @classmethod
    def read(cls, files: Mapping[str, Path], n_dof: int | None = None, **options: Any) -> Self:
        """Read a network.

        Parameters
        ----------
        files : mapping
            Paths by name; names that are none of `TOPSEARCH_FILES` are left alone.
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
        check_files(files, "min.coords", "ts.coords", "TopSearch's network")
        rows = _rows("min.data", files["min.data"])
        if not rows:
            raise InputError(f"{files['min.data']} holds no minimum")
        place = {int(row[0]): k for k, row in enumerate(rows)}
        if len(place) < len(rows):
            raise InputError(f"{files['min.data']} has two minima of one index")
        minima = StationaryPoints.of([energy for _, energy in rows])
        states, ends = [], []
        if "ts.data" in files:
            for number, (one, other, energy) in enumerate(_rows("ts.data", files["ts.data"]), 1):
                for end in (one, other):
                    if end not in place:
                        raise InputError(
                            f"{files['ts.data']}: transition state {number} names the minimum "
                            f"{end:.0f}, which min.data has not"
                        )
                states.append(energy)
                ends.append([place[int(one)], place[int(other)]])
        network = TransitionNetwork(
            minima, StationaryPoints.of(states), np.array(ends, dtype=np.int64), **options
        )
        if "min.coords" not in files:
            return cls(network)
        coords = _coords(files["min.coords"], len(minima), n_dof, "min.data")
        others = np.empty((0, coords.shape[1]))
        if "ts.coords" in files:
            others = _coords(files["ts.coords"], len(states), coords.shape[1], "ts.data")
        return cls(network, coords, others)

    def as_it_holds(self) -> Self:
        """What TopSearch's graph can hold: of each pair of minima the lowest transition state.

        Of several it would keep the one that it read last.
        """
        graph = self.network.graph()
        kept = np.array(sorted(state for *_, state in graph.edges(data="state")), dtype=np.int64)
        network = replace(
            self.network, states=self.network.states.at(kept), ends=self.network.ends[kept]
        )
        states = None if self.states is None else self.states[kept]
        return replace(self, network=network, states=states)

    def write(self, folder: Path) -> list[str]:
        """Write the files into a folder, each number so that it is read back as it is.

        In ``pairlist``, where TopSearch keeps the pairs of minima that it tried, stand those
        that are joined.

        Returns
        -------
        list of str
            Their names.

        Raises
        ------
        InputError
            If coordinates are not known, without which TopSearch reads nothing.
        """
        if self.minima is None or self.states is None:
            raise InputError("TopSearch reads no points without coordinates")
        ends = self.network.ends.tolist()
        energies = self.network.minima.energies.tolist()
        lines = {
            "min.data": [f"{k} {energy!r}" for k, energy in enumerate(energies)],
            "ts.data": [
                f"{one} {other} {energy!r}"
                for (one, other), energy in zip(
                    ends, self.network.states.energies.tolist(), strict=True
                )
            ],
            "min.coords": [" ".join(map(repr, row)) for row in self.minima.tolist()],
            "ts.coords": [" ".join(map(repr, row)) for row in self.states.tolist()],
            "pairlist": [f"{one} {other}" for one, other in sorted(map(sorted, ends))],
        }
        for name in TOPSEARCH_FILES:
            text = "".join(f"{line}\n" for line in lines[name])
            (folder / name).write_text(text, encoding="ascii")
        return list(TOPSEARCH_FILES)


def _rows(name: str, path: Path) -> list[list[float]]:
    columns = TOPSEARCH[name]
    rows = []
    for number, words in lines_of(path):
        where = f"{path}, line {number}"
        if len(words) == len(COLUMNS[name]):
            raise InputError(
                f"{path} is PATHSAMPLE's, not TopSearch's ({', '.join(columns)}): import it with "
                "'--from pathsample'"
            )
        if len(words) != len(columns):
            raise InputError(
                f"{where}: {len(words)} columns in place of {len(columns)} ({', '.join(columns)})"
            )
        rows.append([_number(word, where) for word in words])
        for column, word, value in zip(columns[:-1], words, rows[-1], strict=False):
            if not value.is_integer() or value < 0:
                raise InputError(f"{where}: {word!r} is no index of a minimum from 0 ({column})")
    return rows


def _number(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{where}: {word!r} is no finite number")
    return value


def _coords(path: Path, n_points: int, n_dof: int | None, table: str) -> NDArray[np.float64]:
    rows = []
    for number, words in lines_of(path):
        n_dof = len(words) if n_dof is None else n_dof
        if len(words) != n_dof:
            raise InputError(f"{path}, line {number}: {len(words)} coordinates in place of {n_dof}")
        rows.append([_number(word, f"{path}, line {number}") for word in words])
    if len(rows) != n_points:
        raise InputError(
            f"{path} has the coordinates of {len(rows)} points, {table} has {n_points}: it is cut "
            f"short, or belongs to another {table}"
        )
    return np.array(rows, dtype=float).reshape(n_points, n_dof or 0)
