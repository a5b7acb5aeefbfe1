"""Checks of what the user gave; each names what is wrong and what would be right."""

import os
from difflib import get_close_matches
from numbers import Real

import numpy as np

from .errors import InputError

__all__ = [
    "REAL_TARGETS",
    "check_choice",
    "check_flag",
    "check_inputs",
    "check_integer",
    "check_labels",
    "check_number",
    "check_seconds",
    "check_targets",
    "frozen",
    "label_hint",
    "plain",
]


REAL_TARGETS = (
    "for real targets use regression: explore --loss squared_error, dataset --regression, "
    "in Python regression=True"
)


def check_choice(kind, value, choices):
    """Return `value` as a str if it is one of `choices`, else raise with a suggestion.

    Parameters
    ----------
    kind : str
        What is being chosen, for the message ("activation").
    value : str
    choices : sequence of str

    Raises
    ------
    InputError
        If `value` is not among `choices`.
    """
    if isinstance(value, str) and value in choices:
        return str(value)
    close = get_close_matches(str(value).lower(), choices, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(choices)}"
    raise InputError(f"unknown {kind} {value!r}: {hint}")


def check_integer(name, value, minimum):
    """Return `value` as an int not below `minimum`.

    Raises
    ------
    InputError
        If it is not an integer, or too small.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InputError(f"{name} must be an integer, not {value!r}")
    value = value.__index__()
    if value < minimum:
        raise InputError(f"{name} must be at least {minimum}, not {value}")
    return value


def check_number(name, value, wanted, good):
    """Return `value` as a float for which `good` holds.

    Parameters
    ----------
    name : str
    value : number
        Of Python or NumPy.
    wanted : str
        What would be right, for the message ("at least 0").
    good : callable

    Raises
    ------
    InputError
        If it is no number, or another one.
    """
    plain = np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"
    number = float(value) if plain else None
    if number is None or not good(number):
        raise InputError(f"{name} must be {wanted}, not {value!r}")
    return number


def check_seconds(max_seconds):
    """Return a limit of time, a number that is not negative, or None.

    Raises
    ------
    InputError
        If it is neither.
    """
    if max_seconds is None:
        return None
    return check_number("max_seconds", max_seconds, "at least 0", lambda seconds: seconds >= 0)


def check_flag(name, value):
    """Return `value` if it is True or False.

    Raises
    ------
    InputError
        If it is anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def check_inputs(X, n_in=None, keep_float32=False):
    """Return inputs as a C-contiguous float64 array ``(n_samples, n_in)``.

    Parameters
    ----------
    X : array_like
    n_in : int, optional
        Inputs that the network takes.
    keep_float32 : bool
        Leave float32 as it is; the kernel takes it, at half the memory.

    Raises
    ------
    InputError
        If they are not numbers, masked, not finite, empty or of the wrong shape.
    """
    X = _as_numbers("inputs", X, keep_float32)
    if X.ndim != 2 or X.size == 0:
        raise InputError(f"inputs must have shape (n_samples, n_in), not {X.shape}")
    if n_in is not None and X.shape[1] != n_in:
        raise InputError(f"the network takes {n_in} inputs, the data have {X.shape[1]}")
    return X


def check_targets(y, n_samples, n_out=None):
    """Return regression targets as a C-contiguous float64 array ``(n_samples, n_out)``.

    Raises
    ------
    InputError
        As for `check_inputs`.
    """
    y = _as_numbers("targets", y)
    if y.ndim == 1:
        y = y[:, np.newaxis]
    if (
        y.ndim != 2
        or len(y) != n_samples
        or y.shape[1] == 0
        or (n_out is not None and y.shape[1] != n_out)
    ):
        wanted = "n_out" if n_out is None else n_out
        raise InputError(f"targets must have shape ({n_samples}, {wanted}), not {y.shape}")
    return y


def check_labels(y, n_samples, n_classes=None):
    """Return class labels as an int64 array ``(n_samples,)``.

    Raises
    ------
    InputError
        If they are not integers, or not from ``0 .. n_classes - 1``.
    """
    y = _as_numbers("labels", y)
    if y.shape != (n_samples,):
        hint = f" ({REAL_TARGETS})" if y.ndim == 2 and len(y) == n_samples else ""
        raise InputError(f"labels must have shape ({n_samples},), not {y.shape}{hint}")
    if (y != np.round(y)).any():
        at = int(np.flatnonzero(y != np.round(y))[0])
        raise InputError(f"labels must be integers: label {at} is {y[at]} ({REAL_TARGETS})")
    if np.abs(y).max() >= 2**53:
        raise InputError(
            f"label {y[np.abs(y).argmax()]:g} is too large to be told from its neighbours: number "
            "the classes 0, 1, ..."
        )
    if y.min() < 0:
        raise InputError(f"labels must start at 0, not at {y.min():g}{label_hint(y)}")
    if n_classes is None and y.max() >= n_samples:
        raise InputError(
            f"label {y.max():g} is beyond the {n_samples} samples: number the classes 0, 1, ..."
            f"{label_hint(y)}"
        )
    if n_classes is not None and y.max() >= n_classes:
        raise InputError(
            f"the network tells {n_classes} classes apart, but the labels go up to {y.max():g}"
        )
    return y.astype(np.int64)


def label_hint(y):
    """The way out for labels that look like measured numbers, else an empty string.

    Parameters
    ----------
    y : ndarray
        Whole numbers.
    """
    values = np.unique(y)
    contiguous = values[-1] - values[0] == len(values) - 1
    return "" if contiguous and len(values) <= len(y) / 2 else f" ({REAL_TARGETS})"


# what arrays of other kinds are, and the way out
_NOT_REAL = {
    "O": ("of objects", "convert it, as with np.asarray(values, dtype=float)"),
    "U": ("of text", "convert it, as with np.asarray(values, dtype=float)"),
    "c": ("of complex numbers", "give real and imaginary parts as columns of their own"),
    "M": ("of dates", "count from a first one, as with (t - t.min()) / np.timedelta64(1, 's')"),
    "m": ("of time spans", "choose a unit, as with t / np.timedelta64(1, 's')"),
    "V": ("of records", "use numpy.lib.recfunctions.structured_to_unstructured"),
}
_NOT_REAL["S"] = _NOT_REAL["T"] = _NOT_REAL["U"]


def frozen(array):
    """`array` if it can no longer change, else a read-only copy."""
    if array.flags.owndata and not array.flags.writeable:
        return array
    array = array.copy()
    array.flags.writeable = False
    return array


def _as_numbers(name, values, keep_float32=False):
    """The one place where arrays of the user become ours: real, finite, contiguous, native."""
    if isinstance(values, list | tuple) and any(isinstance(v, np.ma.MaskedArray) for v in values):
        values = np.ma.array(values)
    if np.ma.is_masked(values):
        mask = np.ma.getmaskarray(values)
        at = tuple(int(i) for i in np.argwhere(mask)[0])
        raise InputError(
            f"{name} must not be masked: {mask.sum()} entries are, the first at {at}; fill them or "
            "leave these samples out"
        )
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        ragged = "inhomogeneous" in str(error)
        why = "its rows have different lengths" if ragged else str(error)
        raise InputError(f"{name} must be an array of real numbers: {why}") from None
    if array.dtype.kind not in "biuf":
        what, remedy = _NOT_REAL[array.dtype.kind]
        if array.ndim == 0 and hasattr(values, "toarray"):
            what, remedy = "a sparse one", "use .toarray()"
        elif array.dtype.kind == "O" and array.size:
            odd = next((v for v in array.flat if not isinstance(v, Real)), array.flat[0])
            what += f" such as {odd!r}"
        if name == "labels" and array.dtype.kind in "OUST":
            remedy = "number the classes, as with np.unique(labels, return_inverse=True)[1]"
        raise InputError(f"{name} must be an array of real numbers, not {what}: {remedy}")
    dtype = np.float32 if keep_float32 and array.dtype == np.float32 else np.float64
    with np.errstate(over="ignore"):  # what is too large is named below
        array = np.ascontiguousarray(array, dtype=dtype)
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{name} must be finite: entry {at} is {array[at]}")
    return array


def plain(value):
    """Settings without NumPy's types and paths, which TOML does not know."""
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
