"""The table of a sweep: a row a point, its settings and the figures of its summary."""

import csv
import importlib.util
from time import monotonic

from ..files import atomic_write

__all__ = ["Table", "rows"]

# of a summary: what is told of elsewhere, or is no figure
_LEFT_OUT = ("settings", "versions", "seed", "energy_label", "remarks", "jobs_set_aside")


def rows(records):
    """A row a point, as dicts of plain values.

    Parameters
    ----------
    records : Records
    """
    for entry in records.entries():
        settings = dict(_flat({k: v for k, v in entry["settings"].items() if v is not None}))
        figures = entry.get("figures", {})
        yield {
            "point": entry["name"],
            "state": entry["state"],
            "error": entry.get("error"),
            **settings,
            "n_parameters": entry.get("n_parameters"),
            "point_seconds": entry.get("seconds"),
            **dict(_flat({k: v for k, v in figures.items() if k not in _LEFT_OUT})),
            "jobs_set_aside": len(figures["jobs_set_aside"]) if figures else None,
        }


def _flat(entry, prefix=""):
    for name, value in entry.items():
        name = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list):
            yield name, "x".join(map(str, value)) or "none"
        else:
            yield name, value


class Table:
    """The files of the table, rewritten as points end.

    Parameters
    ----------
    path : pathlib.Path
        Of the sweep.
    records : Records
    """

    def __init__(self, path, records):
        self._path, self._records = path, records
        self._due = 0.0
        self._has_parquet = all(map(importlib.util.find_spec, ("pandas", "pyarrow")))

    def write_sometimes(self):
        """Write it, unless that would take a notable part of the time."""
        if monotonic() > self._due:
            began = monotonic()
            self._write_csv()
            self._due = monotonic() + max(1.0, 20 * (monotonic() - began))

    def write(self):
        """Write it, in all formats that are possible here."""
        self._write_csv()
        if self._has_parquet:
            frame = as_frame(self._records)
            with atomic_write(self._path / "summaries.parquet", "wb") as file:
                frame.to_parquet(file, index=False)

    def _write_csv(self):
        columns = {}
        for row in rows(self._records):
            columns |= dict.fromkeys(row)
        with atomic_write(self._path / "summaries.csv") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows(self._records))


def as_frame(records):
    """The table as a pandas DataFrame.

    Raises
    ------
    InputError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        from ..errors import InputError

        raise InputError(
            f"the table as a DataFrame needs the extra [sweep]: pip install 'nnpotential[sweep]' "
            f"({error}); summaries.csv is there without it"
        ) from None
    return pandas.DataFrame(list(rows(records)))
