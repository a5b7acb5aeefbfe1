"""Pages that need nothing else: a template, and data that cannot break out of it."""

import json
from importlib.resources import files

import numpy as np

from ..files import atomic_write, printable

__all__ = ["finite", "write_page"]

_PACKAGE = __package__.partition(".")[0]


def write_page(path, template, *, title, data, **parts):
    """Write a page, whole or not at all.

    Parameters
    ----------
    path : path
    template : str
        Its place in this package; it fills the blocks of ``view/base.html``.
    title : str
    data : dict
        What the script of the page reads; NaN and infinities become null.
    **parts
        What else the template shows. Text is escaped, unless it is `Markup`.
    """
    from markupsafe import Markup

    content = json.dumps(finite(data), allow_nan=False, separators=(",", ":"))
    page = _templates().get_template(template)
    with atomic_write(path) as file:
        # no text of the data may end the script
        script = Markup(content.replace("<", "\\u003c"))
        page.stream(title=printable(title), data=script, **parts).dump(file)


def finite(found):
    """JSON knows neither NaN nor infinity, and no NumPy."""
    if isinstance(found, dict):
        return {name: finite(value) for name, value in found.items()}
    if isinstance(found, np.ndarray | np.generic):
        found = found.tolist()
    if isinstance(found, list | tuple):
        return [finite(value) for value in found]
    return None if isinstance(found, float) and not np.isfinite(found) else found


def _templates():
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name):
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")
