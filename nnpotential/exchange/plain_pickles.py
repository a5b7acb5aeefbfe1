"""What a pele database holds as pickles, read without unpickling.

A pickle is a program for a small machine that may import and call anything. Here it is taken
apart into its instructions, and only those are followed that write plain values: numbers,
text, lists, tuples, dicts, and NumPy arrays of plain numbers. No name that it holds is ever
looked up: of those that NumPy writes what they stand for is done here, from the bytes beside
them, and any other instruction or name is refused. So there is no list of dangerous names
that could lack one, and no class of the file's that could come alive, as there would be with a
`pickle.Unpickler` of few names.
"""

import pickletools
from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

__all__ = ["NotPlain", "read_plain"]

_LONGEST = 2**28  # bytes of text and arrays that one pickle may stand for
_DEEPEST = 20

# as NumPy 1 and 2 name what makes an array, a scalar and their type
_CORES = ("numpy.core", "numpy._core")
_NAMES = {
    "numpy.dtype": "dtype",
    "numpy.ndarray": "ndarray",
    **{f"{core}.numeric._frombuffer": "frombuffer" for core in _CORES},
    **{f"{core}.multiarray._reconstruct": "reconstruct" for core in _CORES},
    **{f"{core}.multiarray.scalar": "scalar" for core in _CORES},
}
_CODES = {"b1", "f4", "f8", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME"}


class NotPlain(Exception):
    """A pickle that is more than plain values, or damaged; the message says what."""


class _Mark:
    """Where the parts of a list begin on the stack."""


class _Name(str):
    """One of the values of `_NAMES`."""

    __slots__ = ()


class _Unset:
    """An array or a type of numbers that the next instructions complete."""

    def __init__(self, kind: str, code: str = "") -> None:
        self.kind, self.code = kind, code
        self.value: Any = None


def read_plain(pickled: bytes) -> Any:
    """The value of a pickle of plain values.

    Parameters
    ----------
    pickled : bytes

    Returns
    -------
    None, bool, int, float, str, bytes, ndarray, or a list, tuple or dict of these

    Raises
    ------
    NotPlain
        If it is anything else. Nothing of it was run.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            machine.follow(opcode.name, argument)
        [value] = machine.stack
        value = machine.finished(value)
    except NotPlain:
        raise
    except Exception as error:  # damaged in any way
        raise NotPlain(f"it is damaged ({type(error).__name__})") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    parts = [value]
    for _ in range(_DEEPEST):
        parts = [
            part
            for whole in parts
            if isinstance(whole, list | tuple | dict)
            for part in (whole.values() if isinstance(whole, dict) else whole)
        ]
    if parts:
        raise NotPlain(f"values lie more than {_DEEPEST} deep in one another")


class _Machine:
    """Follows the instructions that write plain values."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._room = _LONGEST

    def follow(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _IGNORED or name == "STOP":
            return
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            stack.append(_Mark())
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._remembered(argument))
        elif name in _TUPLES:
            stack.append(tuple(map(self.finished, self._popped(_TUPLES[name]))))
        elif name == "TUPLE":
            parts = self._since_mark()
            stack.append(tuple(map(self.finished, parts)))
        elif name in ("APPEND", "APPENDS"):
            parts = [stack.pop()] if name == "APPEND" else self._since_mark()
            self._top(list).extend(map(self.finished, parts))
        elif name in ("SETITEM", "SETITEMS"):
            parts = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else self._since_mark()
            self._set_items(self._top(dict), parts)
        elif name == "STACK_GLOBAL":
            name, module = stack.pop(), stack.pop()
            stack.append(_known(f"{module}.{name}"))
        elif name == "GLOBAL":
            stack.append(_known(argument.replace(" ", ".")))
        elif name == "REDUCE":
            arguments, what = stack.pop(), stack.pop()
            stack.append(_made(what, arguments))
        elif name == "BUILD":
            state = stack.pop()
            _complete(self._top(_Unset), state)
        else:
            raise NotPlain(f"it holds the instruction {name}")

    def finished(self, value: Any) -> Any:
        """A value that can stand within another: arrays complete, types of numbers as they are."""
        if isinstance(value, _Mark | _Name) and value != "ndarray":
            raise NotPlain("it is damaged (an instruction without its end)")
        if isinstance(value, _Unset) and value.kind != "dtype":
            if value.value is None:
                raise NotPlain("it is damaged (an array without its numbers)")
            return value.value
        return value

    def _popped(self, n: int) -> list[Any]:
        if len(self.stack) < n:
            raise NotPlain("it is damaged (too few values)")
        values = self.stack[-n:]
        del self.stack[-n:]
        return values

    def _remembered(self, number: int) -> Any:
        value = self._memo[number]
        # what holds others could be held so often that it fills all memory
        if not isinstance(value, str | bytes | bytearray) and getattr(value, "kind", "") != "dtype":
            raise NotPlain("it holds one value in several places")
        if isinstance(value, str | bytes | bytearray):
            self._room -= len(value)
            if self._room < 0:
                raise NotPlain("it stands for more than it may")
        return value

    def _since_mark(self) -> list[Any]:
        at = next(k for k in self._places() if isinstance(self.stack[k], _Mark))
        parts = self.stack[at + 1 :]
        del self.stack[at:]
        return parts

    def _places(self) -> Iterator[int]:
        return reversed(range(len(self.stack)))

    def _top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise NotPlain(f"it changes a {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    def _set_items(self, found: dict[Any, Any], parts: list[Any]) -> None:
        for key, value in list(pairwise(parts))[::2]:
            if not isinstance(key, str | int):
                raise NotPlain(f"a name in it is a {type(key).__name__}")
            found[key] = self.finished(value)


def _known(name: str) -> _Name:
    if name not in _NAMES:
        shown = name if name.isascii() and name.isprintable() else ascii(name)
        raise NotPlain(f"it asks for {shown:.80}")
    return _Name(_NAMES[name])


def _made(what: Any, arguments: Any) -> Any:
    """What a call of NumPy's stands for, done here."""
    if not isinstance(what, _Name) or not isinstance(arguments, tuple):
        raise NotPlain("it calls what is no name")
    if what == "dtype":
        code, *_ = arguments
        if code not in _CODES:
            raise NotPlain(f"an array in it is of the type {code!r:.40}")
        return _Unset("dtype", code)
    if what == "reconstruct":
        return _Unset("array")
    if what == "scalar":
        kind, data = arguments
        return _array(data, kind, (), "C")[()]
    if what == "frombuffer":
        data, kind, shape, order = arguments
        return _array(data, kind, shape, order)
    raise NotPlain(f"it calls {what}")


def _complete(what: _Unset, state: Any) -> None:
    if what.kind == "dtype":
        _, order, *plain = state
        if order not in "<>=|" or plain != [None, None, None, -1, -1, 0]:
            raise NotPlain("an array in it is of no plain type")
        what.code = f"{order}{what.code}"
    else:
        _, shape, kind, fortran, data = state
        what.value = _array(data, kind, shape, "F" if fortran else "C")


def _array(data: Any, kind: Any, shape: Any, order: Any) -> Any:
    if not isinstance(data, bytes | bytearray) or getattr(kind, "kind", "") != "dtype":
        raise NotPlain("an array in it is of no plain type")
    dtype = np.dtype(kind.code)
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise NotPlain("an array in it has no shape")
    if len(data) != prod(shape) * dtype.itemsize:
        raise NotPlain("an array in it has not as many numbers as it says")
    values = np.frombuffer(bytes(data), dtype=dtype).reshape(shape, order=order)
    return np.array(values, dtype=dtype.newbyteorder("="))
