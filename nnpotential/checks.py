"""Checks of what the user gave; each names what is wrong and what would be right."""

from difflib import get_close_matches

import numpy as np

from .errors import InputError

__all__ = [
    "check_choice",
    "check_flag",
    "check_inputs",
    "check_integer",
    "check_labels",
    "check_number",
    "check_targets",
]


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


def check_inputs(X, n_in=None):
    """Return inputs as a C-contiguous array ``(n_samples, n_in)``, float64 or float32.

    Raises
    ------
    InputError
        If they are not numbers, not finite, empty or of the wrong shape.
    """
    X = _as_numbers("inputs", X, keep_float32=True)
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
    if y.ndim != 2 or len(y) != n_samples or (n_out is not None and y.shape[1] != n_out):
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
        raise InputError(f"labels must have shape ({n_samples},), not {y.shape}")
    if (y != np.round(y)).any():
        at = int(np.flatnonzero(y != np.round(y))[0])
        raise InputError(
            f"labels must be integers: label {at} is {y[at]} (for real targets use regression, "
            "--loss squared_error)"
        )
    if y.min() < 0:
        raise InputError(f"labels must start at 0, not at {y.min():g}")
    if n_classes is None and y.max() >= n_samples:
        raise InputError(
            f"label {y.max():g} is beyond the {n_samples} samples: number the classes 0, 1, ..."
        )
    if n_classes is not None and y.max() >= n_classes:
        raise InputError(f"there are {n_classes} outputs, but the labels go up to {y.max():g}")
    return y.astype(np.int64)


def _as_numbers(name, values, keep_float32=False):
    try:
        values = np.asarray(values)
        if values.dtype.kind not in "biuf":
            raise ValueError
    except ValueError:
        raise InputError(f"{name} must be an array of real numbers") from None
    dtype = np.float32 if keep_float32 and values.dtype == np.float32 else np.float64
    values = np.ascontiguousarray(values, dtype=dtype)
    if not np.isfinite(values).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise InputError(f"{name} must be finite: entry {at} is {values[at]}")
    return values
