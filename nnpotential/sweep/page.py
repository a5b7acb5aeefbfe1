"""sweep.html: one page that needs nothing else, of all that a sweep has found so far."""

from ..view.page import write_page as write_template
from .table import rows

__all__ = ["write_page"]

_MOST_GRAPHS = 200  # disconnectivity graphs on the page
_MOST_LINES = 300_000  # in all of them
_STEPS = 9999  # of a graph's height and width, finer than any screen


def write_page(path, records):
    """Write the page of a sweep.

    Parameters
    ----------
    path : pathlib.Path
        Of the sweep.
    records : Records
    """
    name = f"Sweep: {path.name}"
    write_template(path / "sweep.html", "sweep/page.html", title=name, data=_content(records))


def _content(records):
    table = list(rows(records))
    columns = list({name: None for row in table for name in row})
    by_column = {name: [row.get(name) for row in table] for name in columns}
    settings = columns[3 : columns.index("n_parameters")] if columns else []
    graphs, left_out = _graphs(records)
    return {
        "columns": columns,
        "rows": list(zip(*by_column.values(), strict=True)),
        "varying": [name for name in settings if len(set(by_column[name])) > 1] or ["seed"],
        "measures": [
            name
            for name in columns[3 + len(settings) :]
            if any(isinstance(value, int | float) for value in by_column[name])
        ],
        "graphs": graphs,
        "left_out": left_out,
    }


def _graphs(records):
    found, n_lines, left_out = [], 0, 0
    for entry in records.entries():
        tree = entry.get("tree")
        if not tree:
            continue
        n_lines += len(tree)
        if len(found) == _MOST_GRAPHS or n_lines > _MOST_LINES:
            left_out += 1
            continue
        xs = [x for line in tree for x in line[::2]]
        ys = [y for line in tree for y in line[1::2]]
        steps = zip(_steps(xs), _steps(ys), strict=True)
        found.append(
            {
                "name": entry["name"],
                "n": entry["figures"]["n_minima"],
                "low": min(ys),
                "high": max(ys),
                "lines": [value for both in steps for value in both],
            }
        )
    return found, left_out


def _steps(values):
    low, span = min(values), max(values) - min(values)
    return [round((value - low) / span * _STEPS) if span else 0 for value in values]
