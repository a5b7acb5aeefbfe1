"""Data sets: what they hold, that they repeat, and what is refused."""

import numpy as np
import pytest

from nnpotential import InputError, load_dataset
from nnpotential.datasets import Dataset


@pytest.mark.parametrize(
    ("name", "n", "n_inputs", "n_classes"),
    [
        ("digits", 1797, 64, 10),
        ("iris", 150, 4, 3),
        ("wine", 178, 13, 3),
        ("breast_cancer", 569, 30, 2),
        ("xor", 2000, 2, 2),
        ("ljat", 2000, 3, 4),
    ],
)
def test_named_sets(name, n, n_inputs, n_classes):
    data = load_dataset(name, seed=3)
    assert len(data.X_train) + len(data.X_test) == n
    assert (data.n_inputs, data.n_outputs) == (n_inputs, n_classes)
    again = load_dataset(name, seed=3)
    assert again.sha256 == data.sha256
    assert load_dataset(name, seed=4).sha256 != data.sha256
    assert np.abs(data.X_train.mean(0)).max() < 1e-12
    deviation = data.X_train.std(0)
    assert np.allclose(deviation[deviation > 0], 1)  # some pixels of digits never change


def test_ljat_labels_are_the_outcomes_of_relaxation():
    """Relax the same triangles again, placed otherwise in space, and look at the angles."""
    from pele.optimize import lbfgs_cpp
    from pele.potentials import ATLJ
    from scipy.spatial.distance import pdist

    from nnpotential.datasets import _make_ljat

    X, y = _make_ljat(300, np.random.default_rng(5))
    assert set(y) == {0, 1, 2, 3}
    agree = 0
    for (r12, r13, r23), label in zip(X, y, strict=True):
        along = (r12**2 + r13**2 - r23**2) / (2 * r12)
        start = np.array([0, 0, 0, r12, 0, 0, along, np.sqrt(max(r13**2 - along**2, 0)), 0])
        assert np.allclose(pdist(start.reshape(3, 3)), [r12, r13, r23])
        result = lbfgs_cpp(start, ATLJ(Z=2.0), tol=1e-6, nsteps=5000)
        triangle, line = abs(result.energy + 2.185) < 1e-3, abs(result.energy + 2.219) < 1e-3
        assert triangle or line
        atoms = result.coords.reshape(3, 3)
        cosines = []
        for middle in range(3):
            a, b = (atoms[i] - atoms[middle] for i in range(3) if i != middle)
            cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        found = 0 if triangle else 1 + int(np.argmin(cosines))
        if line:
            assert min(cosines) < -0.999
        agree += found == label
    # rounding decides for starts on the border of two basins
    assert agree >= 0.97 * len(y)


def test_ljat_of_any_size_begins_alike():
    a = load_dataset("ljat", 10, 5, seed=1, standardize=False)
    b = load_dataset("ljat", 12, 3, seed=1, standardize=False)
    assert np.array_equal(a.X_train, b.X_train[:10])
    assert np.array_equal(a.y_train, b.y_train[:10])


def test_train_and_test_are_disjoint():
    X = np.arange(40.0)[:, None]
    data = load_dataset((X, np.arange(40) % 2), n_train=25, n_test=15, standardize=False)
    together = np.concatenate([data.X_train, data.X_test])
    assert sorted(together.ravel()) == list(range(40))


def test_standardised_by_the_training_set_only():
    rng = np.random.default_rng(0)
    X, y = rng.normal(5, 3, (100, 2)), np.arange(100) % 2
    data = load_dataset((X, y), n_train=50, n_test=50, seed=1)
    raw = load_dataset((X, y), n_train=50, n_test=50, seed=1, standardize=False)
    mean, scale = raw.X_train.mean(0), raw.X_train.std(0)
    assert np.allclose(data.X_test, (raw.X_test - mean) / scale)


def test_constant_inputs_become_zero():
    X = np.column_stack([np.full(20, 0.1), np.arange(20)])
    data = load_dataset((X, np.arange(20) % 2))
    assert np.array_equal(data.X_train[:, 0], np.zeros(16))


def test_csv_and_npz(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 3
    lines = [f"{a!r},{b!r},{c}" for (a, b), c in zip(X.tolist(), y, strict=True)]
    plain, header, npz = (tmp_path / n for n in ("a.csv", "b.csv", "c.npz"))
    plain.write_text("\n".join(lines) + "\n\n")
    header.write_text("\n".join(["x1,x2,class", *lines]))
    np.savez(npz, X=X, y=y)
    arrays = load_dataset((X, y), seed=2)
    for path in (plain, header, npz, str(npz)):
        data = load_dataset(path, seed=2)
        assert np.array_equal(data.X_train, arrays.X_train)
        assert np.array_equal(data.y_test, arrays.y_test)


def test_saved_set_comes_back_as_it_was(tmp_path):
    for data in (load_dataset("iris"), load_dataset("iris", n_train=150, n_test=0)):
        data.save(tmp_path / "iris.npz")
        assert Dataset.load(tmp_path / "iris.npz").sha256 == data.sha256
        assert load_dataset(tmp_path / "iris.npz").sha256 == data.sha256


def test_regression_targets():
    X = np.random.default_rng(0).normal(size=(20, 3))
    data = load_dataset((X, X[:, 0]), regression=True)
    assert data.y_train.shape == (16, 1)
    assert not data.is_classification
    assert data.n_outputs == 1


X2 = np.zeros((4, 2))


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("lajt", {}, "unknown data set 'lajt': did you mean 'ljat'"),
        ("nothing_like_it", {}, "choose from ljat, xor"),
        ("iris", {"n_train": 200}, "150 samples, but 200"),
        ("iris", {"n_train": 140, "n_test": 20}, "150 samples"),
        ("iris", {"n_train": 0}, "n_train must be at least 1"),
        ("iris", {"n_train": 2.5}, "n_train must be an integer"),
        ("iris", {"seed": -1}, "seed must be at least 0"),
        ("no/such/file.csv", {}, "there is no file"),
        ("no/such/file.npz", {}, "there is no file"),
        ((X2, [0, 1, 0.5, 1]), {}, "label 2 is 0.5"),
        ((X2, [1, 2, 1, 2]), {}, "labels must start at 0, not at 1"),
        ((X2, [0, 2, 0, 2]), {}, "class 1 has no sample"),
        ((X2, [0, 0, 0, 0]), {}, "only one class"),
        ((X2, [-1, 0, 1, 0]), {}, "start at 0, not at -1"),
        ((np.full((4, 2), np.nan), [0, 1, 0, 1]), {}, "finite"),
        ((np.full((4, 2), np.inf), [0, 1, 0, 1]), {}, "finite"),
        ((X2, [0, 1, 0]), {}, "labels must have shape"),
        ((X2, ["a", "b", "a", "b"]), {}, "real numbers"),
        (3, {}, "a name, a path or a pair"),
    ],
)
def test_bad_input(source, options, message):
    with pytest.raises(InputError, match=message):
        load_dataset(source, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no data"),
        ("a,b,c\n", "holds no data"),
        ("1,2,0\n3,4\n", "line 2: 2 columns where the first line has 3"),
        ("1,2,0\n3,x,1\n", "line 2: 'x' is not a number"),
        ("1\n2\n", "at least two columns"),
        ("1,nan,0\n3,4,1\n", "finite"),
        ("1,2,0\n3,4,1.5\n", "label 1 is 1.5"),
        ("a,2,0\n", "line 1: 'a' is not a number"),
    ],
)
def test_bad_csv(tmp_path, text, message):
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_dataset(path)


def test_bad_npz(tmp_path):
    path = tmp_path / "data.npz"
    path.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match="no readable npz"):
        load_dataset(path)
    np.savez(path, X=X2, labels=[0, 1, 0, 1])
    with pytest.raises(InputError, match="must hold the arrays X and y"):
        load_dataset(path)
    np.savez(path, X=X2, y=np.array([{}, 1, 2, 3], dtype=object))
    with pytest.raises(InputError, match="plain arrays"):
        load_dataset(path)
    load_dataset("iris").save(path)
    with pytest.raises(InputError, match="already split, with n_train = 120"):
        load_dataset(path, n_train=10)


def test_regression_without_a_test_set():
    X = np.random.default_rng(0).normal(size=(8, 2))
    data = load_dataset((X, X), n_test=0, regression=True)
    assert data.y_test.shape == (0, 2)
    assert data.n_outputs == 2
