"""Tables in text files: separator, decimal sign, header and row labels found out, or asked for.

The cells come from the standard library's reader. What they mean is decided here, only where it is
unambiguous; for the rest the user is told how to make it so.
"""

import csv
import io
import re
from array import array
from itertools import chain, islice
from math import isfinite

import numpy as np

from ..errors import InputError

__all__ = ["read_table"]

_SEPARATORS = ",;\t|"
_SAMPLE = 1000  # rows that decide on the layout
_MISSING = {"", "?", "na", "n/a", "nan", "<na>", "null"}
_UNNAMED = ("", "Unnamed: 0")  # so pandas and R write row labels, and so pandas reads them back
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


def read_table(path, regression=False):
    """Read a CSV file: a sample a line, the target last.

    Parameters
    ----------
    path : path
        Separated by commas, semicolons, tabs or bars; with or without a
        header line, row labels in an unnamed first column, quotes, decimal
        commas (where commas do not separate); UTF-8, UTF-16 or Latin-1.
    regression : bool
        Whether the target is a real number.

    Returns
    -------
    inputs : ndarray of float64, shape (n_samples, n_in)
    target : ndarray of float64, shape (n_samples,), or list of str
        The last column; text where its cells are no numbers.
    notes : list of str
        What was decided that the user may not expect.

    Raises
    ------
    InputError
        If it cannot be read, or can be read in more than one way; with line
        and column.
    """
    text = _decoded(path)
    separator = _separator(path, text)
    rows = _rows(path, text, separator)
    top = list(islice(rows, _SAMPLE))
    if not top:
        raise InputError(f"{path} holds no data")
    comma = separator != "," and _has_decimal_commas(path, top)
    line, first = top[0]
    below = max((_extent(cells) for _, cells in top[1:]), default=0)
    first = first[: max(_extent(first), below)]  # separators at the end of a line hold nothing
    named = not any(_is_number(cell, comma) for cell in first)
    if named and below == len(first) + 1:
        first.insert(0, "")  # R gives the row labels no name at all
    labelled = first[0] in _UNNAMED
    if len(first) - labelled < 2:
        raise InputError(
            f"{path} needs at least two columns, separated by commas, semicolons, tabs or bars: "
            "inputs and, last, the target"
        )

    body = _Body(path, first, comma, named)
    for number, cells in chain(top[1:], rows):
        body.add(number, cells)
    numbered = not named and _is_numbered_header(path, line, first, body, regression)
    if not (named or numbered):
        body.put_first(line, first)
    if not body.targets:
        raise InputError(f"{path} holds no data")

    X, notes = body.inputs(), []
    if labelled:
        notes.append(
            f"{path}: the first column has no name, is taken for row labels and left out; give it "
            "a name if it is an input"
        )
    elif len(X) > 2 and X[0, 0] in (0, 1) and (np.diff(X[:, 0]) == 1).all():
        notes.append(
            f"{path}: the first column counts the samples and is taken as an input; remove it if "
            "it is only their number"
        )
    if numbered:
        notes.append(f"{path}: line {line}, {_shown(first)!r}, is taken as a header")
    return X, body.target(), notes


class _Body:
    """The samples: inputs as numbers, the target as text until all of it is known."""

    def __init__(self, path, first, comma, named):
        self.path, self.width, self.comma = path, len(first), comma
        self.names = first if named else None
        self.start = int(first[0] in _UNNAMED)  # the column where the inputs begin
        self.values, self.targets, self.lines = array("d"), [], []
        self.has_whole = np.zeros(self.width, dtype=bool)  # columns that hold a plain integer

    def add(self, line, cells):
        if not any(cells[self.width :]):
            cells = cells[: self.width]
        if len(cells) != self.width:
            raise InputError(
                f"{self.path}, line {line}: {len(cells)} columns where the first line has "
                f"{self.width}"
            )
        try:
            numbers = _numbers(cells[self.start : -1], self.comma)
        except ValueError:
            numbers = [np.nan]
        if not isfinite(sum(numbers)):  # some cell, if not the sum alone
            self._check(line, cells)
        self.values.extend(numbers)
        if len(self.targets) < _SAMPLE:
            self.has_whole |= [cell.isdecimal() for cell in cells]
        self.targets.append(cells[-1])
        self.lines.append(line)

    def put_first(self, line, cells):
        """Add what turned out to be no header."""
        values, self.values = self.values, array("d")
        self.start = 0
        self.add(line, cells)
        self.values.extend(values)
        for column in (self.targets, self.lines):
            column.insert(0, column.pop())

    def inputs(self):
        return np.array(self.values).reshape(len(self.targets), -1)

    def target(self):
        values, words = np.empty(len(self.targets)), []
        for i, (line, cell) in enumerate(zip(self.lines, self.targets, strict=True)):
            if cell.lower() in _MISSING:
                self._refuse_missing(line, self.width - 1)
            try:
                values[i] = _number(cell, self.comma)
            except ValueError:
                words.append(i)
        if len(words) == len(values):
            return self.targets
        if words:
            line, cell = self.lines[words[0]], self.targets[words[0]]
            raise InputError(
                f"{self._place(line, self.width - 1)}: {self._why_no_number(cell)}, and other "
                "targets are"
            )
        return values

    def _check(self, line, cells):
        """Raise for the first input that is no finite number."""
        for column in range(self.start, self.width - 1):
            cell = cells[column]
            if cell.lower() in _MISSING:
                self._refuse_missing(line, column)
            if not _is_number(cell, self.comma):
                raise InputError(
                    f"{self._place(line, column)}: {self._why_no_number(cell)}; inputs are "
                    "numbers, and the last column is the target"
                )
            if not isfinite(_number(cell, self.comma)):
                raise InputError(f"{self._place(line, column)}: {cell!r} is not finite")

    def _refuse_missing(self, line, column):
        raise InputError(
            f"{self._place(line, column)}: the value is missing, but all must be finite numbers; "
            "fill it or leave the sample out"
        )

    def _why_no_number(self, cell):
        why = f"{cell!r} is not a number"
        if self.comma and _is_number(cell):
            why += " (it has a decimal point, others have decimal commas)"
        elif "," in cell and _is_number(cell.replace(",", "")):
            why += " (write it with a decimal point and no comma)"
        return why

    def _place(self, line, column):
        name = f" ({self.names[column]!r})" if self.names and self.names[column] else ""
        return f"{self.path}, column {column + 1}{name}, line {line}"


def _is_numbered_header(path, line, first, body, regression):
    """Whether a first row with numbers in it is a header all the same.

    It is one if it is written as no sample is: whole numbers above fractions,
    a word above numbers, or a class that no sample has. pandas numbers
    columns without names 0, 1, 2, ...
    """
    *inputs, target = first[body.start :]
    if not body.targets or not all(cell.isdecimal() for cell in inputs):
        return False
    if target.lower() in _MISSING:
        return False
    is_word = not _is_number(target, body.comma)
    above_numbers = is_word and _is_number(body.targets[0], body.comma)
    unlike = ~body.has_whole & [cell.isdecimal() for cell in first]
    lone = target not in body.targets and not regression
    counting = inputs == [str(i) for i in range(len(inputs))]
    if counting and (is_word or target == str(len(inputs))):
        if body.start or above_numbers or unlike.any() or lone:
            return True
    elif not above_numbers:
        # by chance one sample may be whole where few others are not
        many = len(body.targets) >= 20
        return bool(unlike[body.start : -1].all() and (unlike[-1] or lone) and many)
    elif unlike[body.start : -1].all():
        return True
    raise InputError(
        f"{path}, line {line}: is {_shown(first)!r} a header or a sample? Give the columns names "
        "that are no numbers, in the first line"
    )


def _decoded(path):
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise InputError(f"{path} is no readable CSV file: it is not text")
    return text


def _rows(path, text, separator):
    """Line number and stripped cells of every row, without comments above and blank lines."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    begun = False
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            begun = begun or not "".join(cells).startswith("#")
            if begun:
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(
            f"{path} is no readable CSV file: line {reader.line_num}: {error}"
        ) from None


def _separator(path, text):
    """The separator that makes most of the cells numbers and leaves no other in them."""

    def fitness(separator):
        try:
            rows = [cells for _, cells in islice(_rows(path, text, separator), 100)]
        except InputError:
            return True, 0, 0, 0  # to be raised again, if no other makes columns
        widths = [len(cells) for cells in rows]
        width = max(widths, key=widths.count, default=1)
        cells = list(chain(*rows))
        numbers = sum(_is_number(c) or _is_number(c, comma=True) for c in cells)
        others = sum(s in c for c in cells for s in _SEPARATORS[1:])
        return width > 1, numbers / max(len(cells), 1), -others, widths.count(width)

    return max(_SEPARATORS, key=fitness)  # the first of equals


def _has_decimal_commas(path, rows):
    cells = [c for _, row in rows for c in row if "," in c and _DECIMAL_COMMA.fullmatch(c)]
    if cells and all(map(_THOUSANDS.fullmatch, cells)):
        raise InputError(
            f"{path}: {cells[0]!r} may have a decimal comma or one between thousands; write "
            "numbers with a decimal point and no comma"
        )
    return bool(cells)


def _extent(cells):
    """Number of cells up to the last that is not empty."""
    return max((i for i, cell in enumerate(cells, 1) if cell), default=0)


def _numbers(cells, comma=False):
    row = "\n".join(cells)
    if "_" in row or (comma and "." in row):  # Python's float takes 1_000
        raise ValueError
    numbers = list(map(float, (row.replace(",", ".") if comma else row).split("\n")))
    if len(numbers) != len(cells):
        raise ValueError
    return numbers


def _number(cell, comma=False):
    return _numbers([cell], comma)[0]


def _is_number(cell, comma=False):
    try:
        _number(cell, comma)
    except ValueError:
        return False
    return True


def _shown(cells):
    return ",".join(cells if len(cells) <= 6 else [*cells[:3], "...", cells[-1]])
