"""Data sets: disjoint train and test sets, standardised by the training set."""

import csv
import hashlib
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .checks import check_choice, check_inputs, check_integer, check_labels, check_targets
from .errors import InputError
from .files import atomic_write

__all__ = ["DATASETS", "Dataset", "load_dataset"]

_SKLEARN = ("digits", "iris", "wine", "breast_cancer")
_GENERATED = ("ljat", "xor")
DATASETS = (*_GENERATED, *_SKLEARN)
_ARRAYS = ("X_train", "y_train", "X_test", "y_test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Train and test data as a potential sees them.

    Parameters
    ----------
    X_train, X_test : ndarray of float64, shape (n_samples, n_in)
    y_train, y_test : ndarray
        Class labels, int64, shape ``(n_samples,)``, or regression targets,
        float64, shape ``(n_samples, n_out)``.
    name : str
    seed : int or None
        Seed of the draw or the split, where there was one.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    name: str = "arrays"
    seed: int | None = None
    details: dict = field(default_factory=dict)

    @property
    def n_inputs(self):
        """Number of inputs of a sample."""
        return self.X_train.shape[1]

    @property
    def is_classification(self):
        """Whether the targets are class labels."""
        return self.y_train.ndim == 1

    @property
    def n_outputs(self):
        """Number of classes, or of regression targets."""
        if self.is_classification:
            return int(self.y_train.max()) + 1
        return self.y_train.shape[1]

    @property
    def settings(self):
        """What `settings.toml` records under ``[dataset]``."""
        settings = {"name": self.name, "n_train": len(self.X_train), "n_test": len(self.X_test)}
        if self.seed is not None:
            settings["seed"] = self.seed
        return settings | self.details | {"sha256": self.sha256}

    @property
    def sha256(self):
        """Digest of the four arrays: shapes, types and bytes."""
        digest = hashlib.sha256()
        for name in _ARRAYS:
            a = np.ascontiguousarray(getattr(self, name))
            digest.update(f"{name} {a.dtype.str} {a.shape};".encode())
            digest.update(a.tobytes())
        return digest.hexdigest()

    def save(self, path):
        """Write ``dataset.npz``: the four arrays, no pickled objects; atomically."""
        with atomic_write(path, "wb") as file:
            np.savez_compressed(file, **{name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, path, **kwargs):
        """Read what `save` wrote, as it is: nothing is split or standardised.

        Raises
        ------
        InputError
            If the file is missing, damaged, or holds something else.
        """
        return _checked(*_four_arrays(path, _read_npz(path)), **kwargs)


def load_dataset(source, n_train=None, n_test=None, seed=0, *, standardize=True, regression=False):
    """Load or make a data set and split it.

    Parameters
    ----------
    source : str, path or (X, y)
        ``"ljat"``, ``"xor"`` (made here, as large as asked), ``"digits"``,
        ``"iris"``, ``"wine"``, ``"breast_cancer"`` (from scikit-learn), a CSV
        file whose last column is the target, with or without a header line,
        an npz file with ``X`` and ``y`` or with ``X_train``, ``y_train``,
        ``X_test`` and ``y_test``, or a pair of arrays.
    n_train, n_test : int, optional
        Sizes of the two disjoint sets. For made data 1000 each; for the
        others by default a fifth is kept for the test and all the rest is
        training data.
    seed : int
        Fixes the made data and the split.
    standardize : bool
        Shift and scale every input, and every regression target, by the
        training set's mean and deviation. An input that never changes is only
        shifted.
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

    if not isinstance(source, str | os.PathLike):
        name, (X, y) = "arrays", _pair(source)
    elif (name := os.fspath(source)) in _GENERATED:
        n_train = 1000 if n_train is None else n_train
        n_test = 1000 if n_test is None else n_test
        X, y = _MAKERS[name](n_train + n_test, np.random.default_rng(seed))
    elif name in _SKLEARN:
        from sklearn import datasets

        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    elif (suffix := Path(name).suffix.lower()) == ".csv":
        X, y = _read_csv(Path(name))
    elif suffix == ".npz":
        arrays = _read_npz(Path(name))
        if "X_train" in arrays:
            return _ready_made(Path(name), arrays, n_train, n_test, regression)
        if not {"X", "y"} <= set(arrays):
            raise InputError(f"{name} must hold the arrays X and y; it holds {sorted(arrays)}")
        X, y = arrays["X"], arrays["y"]
    else:
        check_choice("data set", name, DATASETS)

    X = check_inputs(X)
    if regression:
        y = check_targets(y, len(X))
    else:
        y = check_labels(y, len(X))
        _check_classes(y, "the data set")
    if name in _GENERATED:
        order = np.arange(len(X))  # independent draws need no shuffling
    else:
        order = np.random.default_rng(seed).permutation(len(X))
        n_train, n_test = _sizes(len(X), n_train, n_test)
    train, test = order[:n_train], order[n_train : n_train + n_test]

    X_train, X_test = X[train], X[test]
    if standardize:
        mean, scale = X_train.mean(0), X_train.std(0)
        # a constant input has no scale; its rounded mean must not become one
        constant = (X_train == X_train[0]).all(axis=0)
        mean[constant], scale[constant] = X_train[0, constant], 1.0
        X_train, X_test = (X_train - mean) / scale, (X_test - mean) / scale
        if regression:
            mean, scale = y[train].mean(0), y[train].std(0)
            y = (y - mean) / np.where(scale > 0, scale, 1.0)
    if isinstance(source, os.PathLike) or Path(name).suffix:
        name = Path(name).name
    details = {} if standardize else {"standardize": False}
    return _checked(X_train, y[train], X_test, y[test], name=name, seed=seed, details=details)


def _checked(X_train, y_train, X_test, y_test, **kwargs):
    """A Dataset of these arrays, whose every part has been checked."""
    X_train = check_inputs(X_train)
    if len(X_test):
        X_test = check_inputs(X_test, X_train.shape[1])
    else:
        X_test = np.empty((0, X_train.shape[1]))
    y_train, y_test = np.asarray(y_train), np.asarray(y_test)
    if y_train.ndim == 1 and y_train.dtype.kind in "iub":
        y_train = check_labels(y_train, len(X_train))
        n_classes = _check_classes(y_train, "the training set")
        if len(y_test):
            if y_test.max() >= n_classes:
                raise InputError(f"class {y_test.max()} has no sample in the training set")
            y_test = check_labels(y_test, len(X_test), n_classes)
        y_test = y_test.astype(np.int64)
    else:
        y_train = check_targets(y_train, len(X_train))
        y_test = y_test if len(X_test) else np.empty((0, y_train.shape[1]))
        y_test = check_targets(y_test.reshape(len(X_test), y_train.shape[1]), len(X_test))
    return Dataset(X_train, y_train, X_test, y_test, **kwargs)


def _check_classes(y, where):
    """Number of classes; every one from 0 up must have a sample."""
    counts = np.bincount(y)
    if counts[0] == 0:
        raise InputError(f"labels must start at 0, not at {y.min()} (in {where})")
    if (counts == 0).any():
        raise InputError(f"class {int(np.argmin(counts))} has no sample in {where}")
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


def _pair(source):
    try:
        X, y = source
    except (TypeError, ValueError):
        raise InputError("a data set is a name, a path or a pair of arrays (X, y)") from None
    return X, y


def _four_arrays(path, arrays):
    """The arrays of a data set that is already split, in their order."""
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise InputError(f"{path} is no data set: it lacks {', '.join(missing)}")
    return [arrays[name] for name in _ARRAYS]


def _ready_made(path, arrays, n_train, n_test, regression):
    """A file that is already split is taken as it is."""
    parts = _four_arrays(path, arrays)
    for at in (1, 3):
        if regression:
            parts[at] = check_targets(parts[at], len(parts[at - 1]))
        elif len(parts[at]):
            # no more classes than training samples
            parts[at] = check_labels(parts[at], len(parts[at - 1]), len(parts[0]))
    data = _checked(*parts, name=path.name)
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


def _read_csv(path):
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [
                (number, row)
                for number, row in enumerate(csv.reader(file), 1)
                if any(cell.strip() for cell in row)
            ]
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no readable CSV file: {error}") from None
    if rows and not any(map(_is_number, rows[0][1])):
        rows = rows[1:]  # a header
    if not rows:
        raise InputError(f"{path} holds no data")
    n_columns = len(rows[0][1])
    if n_columns < 2:
        raise InputError(f"{path} needs at least two columns: inputs and, last, the target")
    for number, row in rows:
        if len(row) != n_columns:
            raise InputError(
                f"{path}, line {number}: {len(row)} columns where the first line has {n_columns}"
            )
        for cell in row:
            if not _is_number(cell):
                raise InputError(f"{path}, line {number}: {cell!r} is not a number")
    table = np.array([row for _, row in rows], dtype=float)
    return table[:, :-1], table[:, -1]


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


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
