"""Data sets: disjoint train and test sets, standardised by the training set."""

import hashlib
import logging
import os
import zipfile
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
import tomli_w

from ..checks import (
    REAL_TARGETS,
    check_choice,
    check_inputs,
    check_integer,
    check_labels,
    check_targets,
    frozen,
    label_hint,
    plain,
)
from ..errors import InputError
from ..files import atomic_write
from ..pulse import tell
from .tables import read_table

__all__ = ["DATASETS", "GENERATED", "MEAN_ABSOLUTE", "Dataset", "load_dataset", "mean_absolute"]

_SKLEARN = ("digits", "iris", "wine", "breast_cancer")
GENERATED = ("ljat", "xor")
_POOLED = "digits_4x4"  # few enough inputs for the Hessian of several layers
DATASETS = (*GENERATED, *_SKLEARN, _POOLED)
MEAN_ABSOLUTE = "mean_absolute"
_ARRAYS = ("X_train", "y_train", "X_test", "y_test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Train and test data as a potential sees them.

    Parameters
    ----------
    X_train, X_test : array_like, shape (n_samples, n_in)
        Kept as read-only float64 arrays of their own, as all four are.
    y_train, y_test : array_like
        Class labels ``0, 1, ...``, shape ``(n_samples,)``, kept as int64, or
        regression targets, shape ``(n_samples, n_out)``, kept as float64. A
        test set may be empty.
    name : str
    seed : int or None
        Seed of the draw or the split, where there was one.
    details : dict
        What else `settings.toml` records under ``[dataset]``.

    Raises
    ------
    InputError
        For arrays that are not real numbers, are masked, not finite, or do not
        fit each other, and labels of which one has no training sample.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    name: str = "arrays"
    seed: int | None = None
    details: dict = field(default_factory=dict)
    _digest: str | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        X_train = check_inputs(self.X_train)
        n_train, n_inputs = X_train.shape
        y_test: Any  # labels or targets
        no_test = _is_empty(self.X_test)
        X_test = np.empty((0, n_inputs)) if no_test else check_inputs(self.X_test, n_inputs)
        if no_test and not _is_empty(self.y_test):
            raise InputError("the test set has targets but no inputs")
        if _n_axes(self.y_train) == 1:
            y_train, y_test = check_labels(self.y_train, n_train), np.empty(0, dtype=np.int64)
            n_classes = _check_classes(y_train, "the training set")
            if not no_test:
                # too large a label is named below
                y_test = check_labels(self.y_test, len(X_test), np.iinfo(np.int64).max)
                if y_test.max() >= n_classes:
                    raise InputError(f"class {y_test.max()} has no sample in the training set")
        else:
            y_train = check_targets(self.y_train, n_train)
            y_test = np.empty((0, y_train.shape[1]))
            if not no_test:
                y_test = check_targets(self.y_test, len(X_test), y_train.shape[1])
        for name, value in zip(_ARRAYS, (X_train, y_train, X_test, y_test), strict=True):
            object.__setattr__(self, name, frozen(value))
        if self.seed is not None:
            object.__setattr__(self, "seed", check_integer("the seed", self.seed, 0))
        if not isinstance(self.name, str):
            raise InputError(f"the name of a data set must be text, not {self.name!r}")
        try:
            object.__setattr__(self, "details", plain(self.details))
            tomli_w.dumps(self.details)
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the details of a data set must be plain values: {error}") from None

    @property
    def n_inputs(self) -> int:
        """Number of inputs of a sample."""
        return self.X_train.shape[1]

    @property
    def is_classification(self) -> bool:
        """Whether the targets are class labels."""
        return self.y_train.ndim == 1

    @property
    def n_outputs(self) -> int:
        """Number of classes, or of regression targets; see `Loss.n_outputs` for a network's."""
        if self.is_classification:
            return int(self.y_train.max()) + 1
        return self.y_train.shape[1]

    @property
    def settings(self) -> dict[str, Any]:
        """What `settings.toml` records under ``[dataset]``."""
        settings = {"name": self.name, "n_train": len(self.X_train), "n_test": len(self.X_test)}
        if self.seed is not None:
            settings["seed"] = self.seed
        return settings | self.details | {"sha256": self.sha256}

    @property
    def sha256(self) -> str:
        """Digest of the four arrays: shapes, types and bytes."""
        return self._digest or _sha256([getattr(self, name) for name in _ARRAYS])

    def save(self, path: str | PathLike[str]) -> None:
        """Write ``dataset.npz``: the four arrays, no pickled objects; atomically."""
        with atomic_write(path, "wb") as file:
            np.savez_compressed(file, **{name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, path: str | PathLike[str], **kwargs: Any) -> Self:
        """Read what `save` wrote, as it is: nothing is split or standardised.

        Raises
        ------
        InputError
            If the file is missing, damaged, or holds something else.
        """
        parts = _four_arrays(path, _read_npz(path))
        data = cls(*parts, **kwargs)
        if any(part.dtype == np.float32 for part in parts):
            # 0.1.0 kept such inputs as they were, and their digest is in its landscapes
            object.__setattr__(data, "_digest", _sha256(parts))
        return data


def _sha256(parts):
    digest = hashlib.sha256()
    for name, part in zip(_ARRAYS, parts, strict=True):
        part = np.ascontiguousarray(part)
        digest.update(f"{name} {part.dtype.str} {part.shape};".encode())
        digest.update(part.tobytes())
    return digest.hexdigest()


def _is_empty(values):
    try:
        return len(values) == 0
    except TypeError:  # no sequence; what it is instead is said elsewhere
        return False


def _n_axes(values):
    try:
        return np.ndim(values)
    except ValueError:  # ragged
        return 1


def load_dataset(
    source: Any,
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    *,
    standardize: bool | str = True,
    regression: bool = False,
) -> Dataset:
    """Load or make a data set and split it.

    Parameters
    ----------
    source : str, path or (X, y)
        ``"ljat"``, ``"xor"`` (made here, as large as asked), ``"digits"``,
        ``"iris"``, ``"wine"``, ``"breast_cancer"`` (from scikit-learn),
        ``"digits_4x4"`` (means over 2 by 2 pixels of these digits), a CSV file
        whose last column is the target (see `read_table`), an npz file
        with ``X`` and ``y`` or with ``X_train``, ``y_train``, ``X_test`` and
        ``y_test``, or a pair of arrays. In a CSV file the classes may be words
        or begin at another number than 0: sorted, they become 0, 1, ..., as
        ``details["classes"]`` records.
    n_train, n_test : int, optional
        Sizes of the two disjoint sets. For made data 1000 each; for the
        others by default a fifth is kept for the test and all the rest is
        training data.
    seed : int
        Fixes the made data and the split. The split is random; if a class has
        no sample in one of the sets, one of every class is put there first.
    standardize : bool or "mean_absolute"
        Shift and scale every input, and every regression target, by the
        training set's mean and deviation. One that never changes by more than
        its rounding is only shifted, to exactly 0. With "mean_absolute" inputs
        are only divided by their mean absolute value in the training set, as
        GMIN's keyword MLPNORM does, and targets are left as they are.
    regression : bool
        Take the targets of a file or of arrays as real numbers, not classes.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        For an unknown name, an unreadable file, data that are not finite,
        labels that are not ``0, 1, ...``, or sizes the data do not allow.

    Notes
    -----
    What was decided and may not be expected goes to the logger of this module
    as a warning, by default a line on standard error: row labels left out,
    classes numbered, a class without a test sample.

    Examples
    --------
    >>> data = load_dataset("iris", n_train=100, n_test=50, seed=0)
    >>> data.X_train.shape
    (100, 4)
    """
    seed = check_integer("the seed", seed, 0)
    if n_train is not None:
        n_train = check_integer("n_train", n_train, 1)
    if n_test is not None:
        n_test = check_integer("n_test", n_test, 0)

    if not isinstance(standardize, bool | str) or standardize not in (True, False, MEAN_ABSOLUTE):
        raise InputError(
            f'standardize must be true, false or "{MEAN_ABSOLUTE}", not {standardize!r}'
        )

    details, notes = {}, []
    if not isinstance(source, str | os.PathLike):
        name, (X, y) = "arrays", _pair(source)
    elif (name := os.fspath(source)) in GENERATED:
        n_drawn = 1000 if n_train is None else n_train
        n_more = 1000 if n_test is None else n_test
        X, y = _MAKERS[name](n_drawn + n_more, np.random.default_rng(seed))
    elif name in _SKLEARN:
        X, y = _from_sklearn(name)
    elif name == _POOLED:
        X, y = _from_sklearn("digits")
        X = X.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    elif (suffix := Path(name).suffix.lower()) == ".csv":
        X, y, notes = read_table(Path(name), regression)
        if not regression:
            y, details, numbered = _numbered_classes(name, y)
            notes += numbered
    elif suffix == ".npz":
        arrays = _read_npz(Path(name))
        if "X_train" in arrays:
            if standardize == MEAN_ABSOLUTE:
                raise InputError(f"{name} holds X_train and X_test, which are taken as they are")
            data = _ready_made(Path(name), arrays, n_train, n_test, regression)
            _say(_missing_classes(data))
            return data
        if not {"X", "y"} <= set(arrays):
            raise InputError(f"{name} must hold the arrays X and y; it holds {sorted(arrays)}")
        X, y = arrays["X"], arrays["y"]
    elif suffix or Path(name).exists():
        raise InputError(f"{name}: a data file is CSV or npz, and its name ends in .csv or .npz")
    else:
        check_choice("data set", name, DATASETS)

    given_X, given_y = X, y
    X = check_inputs(X)
    if regression:
        if name in DATASETS:
            notes.append(
                f"the numbers of the classes of {name} are taken as real targets; for classes "
                "there is cross_entropy"
            )
        y = check_targets(y, len(X))
    else:
        y = check_labels(y, len(X))
        _check_classes(y, "the data set")
    if name in GENERATED:
        train, test = np.split(np.arange(len(X)), [n_drawn])  # independent draws
    else:
        n_train, n_test = _sizes(len(X), n_train, n_test)
        order = np.random.default_rng(seed).permutation(len(X))
        train, test = _split(order, n_train, n_test, None if regression else y)

    X_train, y_train, X_test, y_test = X[train], y[train], X[test], y[test]
    if standardize == MEAN_ABSOLUTE:
        sizes = mean_absolute(X_train, name)
        X_train, X_test = X_train / sizes, X_test / sizes
        details["standardize"] = MEAN_ABSOLUTE
    elif standardize:
        X_train, X_test = _standardized(X_train, X_test, np.asarray(given_X).dtype)
        if regression:
            y_train, y_test = _standardized(y_train, y_test, np.asarray(given_y).dtype)
    else:
        details["standardize"] = False
    if isinstance(source, os.PathLike) or Path(name).suffix:
        name = Path(name).name
    data = Dataset(X_train, y_train, X_test, y_test, name=name, seed=seed, details=details)
    _say(notes + _missing_classes(data))
    return data


def _say(notes):
    for note in notes:
        logging.getLogger(__name__).warning("note: %s", note)


def _numbered_classes(path, y):
    """Labels 0, 1, ... for classes that are words or begin elsewhere; details and notes.

    Numbers that look like measured ones are left as they are, to be refused.
    """
    classes, labels = np.unique(y, return_inverse=True)
    n, few = len(classes), max(len(y) / 2, 2)
    if classes.dtype.kind == "U":
        if n > few:
            raise InputError(
                f"{path}: the last column is taken as the target, but has {n} different words for "
                f"{len(y)} samples; put the target last"
            )
        hint = ""
    else:
        contiguous = np.array_equal(classes, classes[0] + np.arange(n))
        whole = np.array_equal(classes, np.round(classes))
        if not whole or not (contiguous or n == 2) or classes[0] == 0 == n - 1 - classes[-1]:
            return y, {}, []
        if n > few or np.abs(y).max() >= 2**53:
            return y, {}, []
        classes, hint = classes.astype(np.int64), f" ({REAL_TARGETS})"
    classes = classes.tolist()
    shown = classes if n <= 6 else [*classes[:3], "...", classes[-1]]
    note = f"{path}: the classes {', '.join(map(str, shown))} are numbered 0 to {n - 1}{hint}"
    return labels, {"classes": classes}, [note]


def _split(order, n_train, n_test, labels=None):
    """Cut a permutation in two; if a class would be lacking, deal one sample of each first."""
    train, test = order[:n_train], order[n_train : n_train + n_test]
    if labels is None:
        return train, test
    counts = np.bincount(labels)
    if n_train < len(counts):
        raise InputError(
            f"{n_train} samples for training are too few: there are {len(counts)} classes"
        )
    everywhere = np.flatnonzero(counts > 1)  # a single sample goes to the training set
    asked = everywhere if n_test >= len(everywhere) else []
    if np.isin(labels, labels[train]).all() and np.isin(asked, labels[test]).all():
        return train, test
    first = np.unique(labels[order], return_index=True)[1]
    first, order = order[first], np.delete(order, first)
    second = np.unique(labels[order], return_index=True)[1] if len(asked) else []
    second, order = order[second], np.delete(order, second)
    cut = n_train - len(first)
    train, test = order[:cut], order[cut : cut + n_test - len(second)]
    return np.concatenate([first, train]), np.concatenate([second, test])


def _standardized(train, test, precision):
    """Columns shifted and scaled by mean and deviation of `train`.

    Parameters
    ----------
    train, test : ndarray of float64, shape (n_samples, n_columns)
    precision : dtype
        That the data came in; tells what is rounding.
    """
    if precision not in (np.float16, np.float32):
        precision = np.float64
    low, high = train.min(0), train.max(0)
    largest = np.maximum(-low, high)
    rounding = 4 * np.spacing(largest.astype(precision)).astype(float)
    with np.errstate(over="ignore"):  # what a test set has so far out is refused as not finite
        constant = high - low <= rounding
        # powers of two: exact, and squares neither overflow nor vanish
        exponent = -np.frexp(largest)[1]
        a, b = np.ldexp(train, exponent), np.ldexp(test, exponent)
        mean, scale = a.mean(0), a.std(0)
        # where the rounded mean of large numbers is poor, that of what is left is not
        poor = np.abs((a - mean).mean(0)) > 1e-12 * scale
        if poor.any():
            a[:, poor] -= mean[poor]
            b[:, poor] -= mean[poor]
            mean[poor], scale[poor] = a[:, poor].mean(0), a[:, poor].std(0)
        scale[constant] = 1.0
        a, b = (a - mean) / scale, (b - mean) / scale
        shifted = test[:, constant] - train[0, constant]
    a[:, constant] = 0.0
    b[:, constant] = np.where(np.abs(shifted) <= rounding[constant], 0.0, shifted)
    return a, b


def mean_absolute(X, name):
    """The mean absolute value of each input, shape (n_inputs,), by which MLPNORM divides.

    Raises
    ------
    InputError
        If an input of the data set `name` is 0 in every sample.
    """
    largest = np.abs(X).max(axis=0)  # of which the sum does not overflow
    sizes = largest * (np.abs(X) / np.where(largest > 0, largest, 1.0)).mean(axis=0)
    if not sizes.all():
        raise InputError(
            f"{name}: input {int(np.argmin(sizes)) + 1} is 0 in every training sample, and cannot "
            "be divided by its mean absolute value"
        )
    return sizes


def _missing_classes(data):
    """A note if there is a test set and a class has no sample in it."""
    if not data.is_classification or not len(data.y_test):
        return []
    missing = sorted(set(range(data.n_outputs)) - set(data.y_test.tolist()))
    if not missing:
        return []
    which = ", ".join(map(str, missing))
    return [f"{data.name}: the test set of {len(data.y_test)} has no sample of class {which}"]


def _check_classes(y, where):
    """Number of classes; every one from 0 up must have a sample."""
    counts = np.bincount(y)
    if counts[0] == 0:
        raise InputError(f"labels must start at 0, not at {y.min()} (in {where}){label_hint(y)}")
    if (counts == 0).any():
        missing = int(np.argmin(counts))
        raise InputError(
            f"class {missing} has no sample in {where}, where labels go up to {y.max()}"
            f"{label_hint(y)}"
        )
    if len(counts) < 2:
        raise InputError(f"{where} has only one class; a classification needs at least two")
    return len(counts)


def _sizes(n, n_train, n_test):
    if n_test is None:
        n_test = round(0.2 * n) if n_train is None else min(round(0.2 * n), max(n - n_train, 0))
    if n_train is None:
        n_train = n - n_test
    if n_train < 1 or n_train + n_test > n:
        raise InputError(
            f"the data set has {n} samples, but {n_train} for training and {n_test} for the test "
            "are asked for"
        )
    return n_train, n_test


def _from_sklearn(name: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")(return_X_y=True)


def _pair(source):
    if not isinstance(source, tuple | list) or len(source) != 2:
        raise InputError("a data set is a name, a path or a pair of arrays (X, y)")
    return source


def _four_arrays(path, arrays):
    """The arrays of a data set that is already split, in their order."""
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise InputError(f"{path} is no data set: it lacks {', '.join(missing)}")
    return [arrays[name] for name in _ARRAYS]


def _ready_made(path, arrays, n_train, n_test, regression):
    """A file that is already split is taken as it is."""
    X_train, y_train, X_test, y_test = _four_arrays(path, arrays)
    if regression:
        y_train = check_targets(y_train, len(X_train))
    else:
        y_train = check_labels(y_train, len(X_train))
    data = Dataset(X_train, y_train, X_test, y_test, name=path.name)
    for name, asked, found in (
        ("n_train", n_train, len(data.X_train)),
        ("n_test", n_test, len(data.X_test)),
    ):
        if asked is not None and asked != found:
            raise InputError(f"{path} is already split, with {name} = {found}, not {asked}")
    return data


def _read_npz(path):
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError):
        raise InputError(f"{path} is no readable npz file of plain arrays") from None


def _make_ljat(n, rng):
    """Outcomes of relaxing a triatomic cluster from random positions.

    Three atoms with Lennard-Jones and Axilrod-Teller interactions (Z = 2) are
    placed at random in a cube of side 2 sqrt(3) and relaxed. Inputs are the
    starting distances r12, r13, r23; labels 0 the triangle, 1, 2, 3 the line
    with atom 1, 2 or 3 in the middle.

    References
    ----------
    A. J. Ballard, J. D. Stevenson, R. Das and D. J. Wales, J. Chem. Phys.
    144, 124119 (2016).
    """
    from pele.optimize import lbfgs_cpp
    from pele.potentials import ATLJ

    potential = ATLJ(Z=2.0)
    triangle, line = -2.185, -2.219
    X, y = np.empty((n, 3)), np.empty(n, dtype=np.int64)
    filled = 0
    while filled < n:
        tell("making ljat", filled, unit=f"of {n} samples")
        start = rng.uniform(0, 2 * np.sqrt(3), 9)
        result = lbfgs_cpp(start, potential, tol=1e-6, nsteps=2000)
        if result.success and abs(result.energy - triangle) < 1e-3:
            label = 0
        elif result.success and abs(result.energy - line) < 1e-3:
            # the middle atom is not in the longest of 12, 13, 23
            label = 3 - int(np.argmax(_distances(result.coords)))
        else:
            continue  # evaporated or stuck far out: no outcome to learn
        X[filled], y[filled] = _distances(start), label
        filled += 1
    return X, y


def _distances(coords):
    a, b, c = coords.reshape(3, 3)
    return np.array([np.linalg.norm(a - b), np.linalg.norm(a - c), np.linalg.norm(b - c)])


def _make_xor(n, rng):
    """Four clouds at the corners of a square, opposite corners in one class."""
    corner = np.arange(n) % 4
    signs = np.column_stack([1 - 2 * (corner // 2), 1 - 2 * (corner % 2)])
    X = signs + 0.3 * rng.normal(size=(n, 2))
    order = rng.permutation(n)
    return X[order], (signs[order, 0] * signs[order, 1] < 0).astype(np.int64)


_MAKERS = {"ljat": _make_ljat, "xor": _make_xor}
