"""Data sets: what they hold, that they repeat, and what is refused."""

import hashlib
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

from nnpotential import MLP, InputError, Landscape, NNPotential, load_dataset
from nnpotential.networks.datasets import Dataset


@pytest.mark.parametrize(
    ("name", "n", "n_inputs", "n_classes"),
    [
        ("digits", 1797, 64, 10),
        ("digits_4x4", 1797, 16, 10),
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


def test_a_pooled_pixel_is_the_mean_of_four():
    options = {"n_train": 20, "n_test": 5, "standardize": False}
    fine, coarse = (load_dataset(name, **options).X_train for name in ("digits", "digits_4x4"))
    for k, (row, column) in {0: (0, 0), 1: (0, 2), 7: (2, 6)}.items():
        four = [8 * (row + i) + column + j for i in (0, 1) for j in (0, 1)]
        assert np.allclose(coarse[:, k], fine[:, four].mean(axis=1))


def test_ljat_labels_are_the_outcomes_of_relaxation():
    """Relax the same triangles again, placed otherwise in space, and look at the angles."""
    from pele.optimize import lbfgs_cpp
    from pele.potentials import ATLJ
    from scipy.spatial.distance import pdist

    from nnpotential.networks.datasets import _make_ljat

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


def test_inputs_divided_by_their_mean_absolute_value(tmp_path):
    rng = np.random.default_rng(0)
    given = rng.normal(5, 3, (100, 2)), np.arange(100) % 2
    raw = load_dataset(given, n_train=50, n_test=50, seed=1, standardize=False)
    data = load_dataset(given, n_train=50, n_test=50, seed=1, standardize="mean_absolute")
    sizes = np.abs(raw.X_train).mean(0)
    assert np.allclose(data.X_train * sizes, raw.X_train)
    assert np.allclose(data.X_test * sizes, raw.X_test)
    assert data.settings["standardize"] == "mean_absolute"
    with pytest.raises(InputError, match='standardize must be true, false or "mean_absolute"'):
        load_dataset(given, standardize="maximum")
    large = np.full((4, 1), 1e308), np.arange(4) % 2
    assert np.allclose(load_dataset(large, n_test=1, standardize="mean_absolute").X_train, 1.0)
    data.save(tmp_path / "a.npz")
    with pytest.raises(InputError, match="X_train and X_test, which are taken as they are"):
        load_dataset(tmp_path / "a.npz", standardize="mean_absolute")


def test_standardised_by_the_training_set_only():
    rng = np.random.default_rng(0)
    X, y = rng.normal(5, 3, (100, 2)), np.arange(100) % 2
    data = load_dataset((X, y), n_train=50, n_test=50, seed=1)
    raw = load_dataset((X, y), n_train=50, n_test=50, seed=1, standardize=False)
    mean, scale = raw.X_train.mean(0), raw.X_train.std(0)
    assert np.allclose(data.X_test, (raw.X_test - mean) / scale)


U = np.random.default_rng(7).random(400)


@pytest.mark.parametrize(
    "column",
    [
        1e24 * U,
        1e-23 * U,
        1.6e9 + U,
        1.6e9 + 1e-4 * U,
        1e300 * (U - 0.5),
        1.7e308 * (2 * U - 1),
        5e-324 * np.round(1e6 * U),
        3 + U,
        (1e24 * U).astype(np.float32),
        (1e-23 * U).astype(np.float32),
        (1.6e9 + 86400 * U).astype(np.float32),
        (1e30 * U).astype(np.float32),
        (1000 * U).astype(np.float16),
        1_600_000_000 + np.arange(400),
    ],
)
def test_moments_of_columns_of_any_size(column):
    """Against moments in rational arithmetic."""
    y = np.arange(400) % 2
    train = load_dataset((column[:, None], y), n_test=80, standardize=False).X_train[:, 0]
    as_input = load_dataset((column[:, None], y), n_test=80)
    as_target = load_dataset((U[:, None], column), n_test=80, regression=True)
    exact = [Fraction(float(v)) for v in train]
    mean = sum(exact) / len(exact)
    variance = sum((v - mean) ** 2 for v in exact) / len(exact)
    # scaled, so that the root is taken of a number near 1
    size = max(abs(v - mean) for v in exact)
    deviation = size * Fraction(float(variance / size**2) ** 0.5)
    expected = [float((v - mean) / deviation) for v in exact]
    assert np.allclose(as_input.X_train[:, 0], expected, rtol=1e-11, atol=1e-11)
    assert np.allclose(as_target.y_train[:, 0], expected, rtol=1e-11, atol=1e-11)
    assert np.isclose(as_input.X_train.std(), 1, rtol=1e-12)


def test_ordinary_columns_to_the_last_bit():
    """As mean and deviation of NumPy give them, so that old landscapes know their data."""
    X = np.random.default_rng(0).normal([0, 5, -300, 1e-3], [1, 3, 200, 1e-4], (100, 4))
    raw = load_dataset((X, X[:, :2]), regression=True, standardize=False)
    data = load_dataset((X, X[:, :2]), regression=True)
    for name in ("X", "y"):
        a, b = getattr(raw, f"{name}_train"), getattr(raw, f"{name}_test")
        assert np.array_equal(getattr(data, f"{name}_train"), (a - a.mean(0)) / a.std(0))
        assert np.array_equal(getattr(data, f"{name}_test"), (b - a.mean(0)) / a.std(0))


@pytest.mark.parametrize(
    "column",
    [
        np.full(20, 0.1),
        np.full(20, 0.998),
        np.full(20, -1e300),
        np.full(20, 1e24, dtype=np.float32),
        np.full(20, 0.1, dtype=np.float32),
        np.zeros(20),
        np.where(np.arange(20) % 2, 0.3, 0.1 + 0.2),  # one rounding apart
        1e24 * (1 + 2.2e-16 * (np.arange(20) % 3)),
        np.where(np.arange(20) % 2, np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(1))),
    ],
)
def test_constant_columns_become_exactly_zero(column):
    X = np.column_stack([column, np.arange(20, dtype=column.dtype)])
    data = load_dataset((X, np.arange(20) % 2))
    assert not data.X_train[:, 0].any()
    assert not data.X_test[:, 0].any()
    data = load_dataset((X, column), regression=True)
    assert not data.y_train.any()
    assert not data.y_test.any()


def test_a_test_value_off_the_constant_is_shifted():
    column = np.full(20, 0.25)
    order = np.random.default_rng(0).permutation(20)
    column[order[-1]] = 0.75
    data = load_dataset((column[:, None], np.arange(20) % 2), seed=0)
    assert data.X_test.ravel().tolist() == [0, 0, 0, 0.5]


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


def test_no_class_is_left_out_of_the_split_by_chance(caplog):
    X, y = np.arange(60.0)[:, None], np.repeat([0, 1, 2], [50, 8, 2])
    redealt = 0
    for seed in range(20):
        data = load_dataset((X, y), n_train=45, n_test=12, seed=seed, standardize=False)
        assert set(data.y_train) == set(data.y_test) == {0, 1, 2}
        together = np.concatenate([data.X_train, data.X_test]).ravel()
        assert len(set(together)) == len(together) == 57
        assert np.array_equal(data.y_train, y[data.X_train.ravel().astype(int)])
        again = load_dataset((X, y), n_train=45, n_test=12, seed=seed, standardize=False)
        assert again.sha256 == data.sha256
        order = np.random.default_rng(seed).permutation(60)
        kept = set(y[order[:45]]) == set(y[order[45:57]]) == {0, 1, 2}
        assert kept == np.array_equal(together, order[:57])
        redealt += not kept
    assert 0 < redealt < 20
    assert not caplog.messages


@pytest.mark.parametrize(
    ("y", "n_test", "said"),
    [
        (np.repeat([0, 1, 2], 10), 2, "the test set of 2 has no sample of class"),
        (np.repeat([0, 1, 2], [15, 14, 1]), 6, "the test set of 6 has no sample of class 2"),
        (np.repeat([0, 1, 2], 10), 0, None),
        (np.repeat([0, 1, 2], 10), 3, None),
    ],
)
def test_a_class_without_a_test_sample_is_said(caplog, y, n_test, said):
    data = load_dataset((np.arange(30.0)[:, None], y), n_test=n_test)
    assert set(data.y_train) == {0, 1, 2}
    assert len(caplog.messages) == (said is not None)
    assert said is None or said in caplog.text


def test_classes_that_are_taken_as_real_targets_are_said(caplog):
    load_dataset("iris")
    assert not caplog.messages
    data = load_dataset("iris", regression=True)
    assert not data.is_classification
    assert "the numbers of the classes of iris are taken as real targets" in caplog.text


def test_a_split_file_that_lacks_a_class_is_said(tmp_path, caplog):
    x = np.zeros((4, 1))
    Dataset(x, [0, 1, 2, 0], x, [0, 1, 1, 0]).save(tmp_path / "split.npz")
    load_dataset(tmp_path / "split.npz")
    assert "the test set of 4 has no sample of class 2" in caplog.text


X3, Y3 = np.random.default_rng(0).integers(0, 2, (12, 3)), np.arange(12) % 2


class Frame:
    """Something with columns that only knows how to become an array, as of pandas or torch."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or self.values.dtype)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


ACCEPTED = {
    "int32": (X3.astype(np.int32), Y3.astype(np.int32)),
    "uint8": (X3.astype(np.uint8), Y3.astype(np.uint8)),
    "bool": (X3.astype(bool), Y3.astype(bool)),
    "float16": (X3.astype(np.float16), Y3.astype(np.float16)),
    "float32": (X3.astype(np.float32), Y3.astype(np.float32)),
    "longdouble": (X3.astype(np.longdouble), Y3.astype(np.uint64)),
    "big-endian": (X3.astype(">f8"), Y3.astype(">i4")),
    "Fortran": (np.asfortranarray(X3.astype(float)), Y3),
    "read-only": (read_only(X3.astype(float)), read_only(Y3)),
    "strided": (np.repeat(X3, 2, axis=1)[:, ::2], np.repeat(Y3, 2)[::2]),
    "reversed": (X3[::-1][::-1], Y3[::-1][::-1]),
    "lists": (X3.tolist(), Y3.tolist()),
    "data frame": (Frame(X3.astype(float)), Frame(Y3)),
    "nothing masked": (np.ma.array(X3), np.ma.array(Y3)),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_arrays_of_any_kind_become_ours(case, tmp_path):
    X, y = ACCEPTED[case]
    plain = Dataset(X3.astype(float), Y3, X3.astype(float), Y3)
    data = Dataset(X, y, X, y)
    assert data.sha256 == plain.sha256
    for name in ("X_train", "y_train", "X_test", "y_test"):
        array, dtype = getattr(data, name), np.float64 if name[0] == "X" else np.int64
        assert array.dtype == np.dtype(dtype)
        assert array.flags.c_contiguous
        assert not array.flags.writeable
    land = Landscape.create(tmp_path / "land", MLP([3, 2, 2]), data)
    land.close()
    assert Landscape.open(tmp_path / "land").system.data.sha256 == plain.sha256

    net = MLP([3, 2, 2])
    x = net.random_parameters(np.random.default_rng(0))
    expected = NNPotential(net, X3.astype(float), Y3).getEnergy(x)
    assert np.isclose(NNPotential(net, X, y).getEnergy(x), expected, rtol=1e-6)
    split = load_dataset((X, y), standardize=False)
    assert split.sha256 == load_dataset((X3, Y3), standardize=False).sha256


def test_the_digest_of_the_data_is_what_it_was():
    """Existing landscapes hold it."""
    data = Dataset(X3.astype(float), Y3, X3[:2].astype(float), Y3[:2])
    assert data.sha256.startswith("affdb598bbddc077")


REFUSED = {
    "masked": (np.ma.masked_equal(X3, 1), "must not be masked: .* the first at"),
    "masked rows": (list(np.ma.masked_equal(X3, 1)), "must not be masked"),
    "objects": (X3.astype(object), "not of objects such as"),
    "missing": (Frame(np.where(X3, X3, None)), "objects such as None"),
    "text": (X3.astype(str), "not of text"),
    "bytes": (X3.astype(bytes), "not of text"),
    "complex": (X3 + 0j, "not of complex numbers"),
    "dates": (X3.astype("M8[s]"), "not of dates"),
    "spans": (X3.astype("m8[s]"), "not of time spans"),
    "records": (np.zeros(12, "f8,f8"), "not of records"),
    "sparse": (scipy.sparse.csr_matrix(X3), "toarray"),
    "ragged": ([[1, 2, 3], [1, 2]] * 6, "different lengths"),
    "too large": (X3 * np.longdouble("1e400"), "must be finite"),
    "one axis": (X3[:, 0], "shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arrays_that_are_no_numbers_are_refused_by_name(case, tmp_path):
    X, message = REFUSED[case]
    path = tmp_path / "land"
    for make in (
        lambda: Landscape.create(path, MLP([3, 2, 2]), Dataset(X, Y3, X, Y3)),
        lambda: Dataset(X3, Y3, X, Y3),
        lambda: load_dataset((X, Y3)),
        lambda: NNPotential(MLP([3, 2, 2]), X, Y3),
    ):
        with pytest.raises(InputError, match=f"inputs .*{message}") as refusal:
            make()
        assert "\n" not in str(refusal.value)
    assert not path.exists()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.ma.masked_equal(Y3, 1), "labels must not be masked"),
        (Y3.astype(str), "labels .* not of text.*return_inverse"),
        (Y3.astype(object), "labels .* not of objects.*return_inverse"),
        (Y3 + 0.5, "label 0 is 0.5"),
        ([[0, 1], [0]] * 6, "labels .* different lengths"),
        (Y3 + 1, "must start at 0, not at 1"),
        (Y3[:-1], "labels must have shape"),
        (np.zeros((12, 0)), "targets must have shape"),
        (np.zeros((11, 1)), "targets must have shape"),
    ],
)
def test_bad_targets_of_a_dataset_filled_by_hand(y, message):
    with pytest.raises(InputError, match=message):
        Dataset(X3, y, X3, Y3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"X_test": X3[:, :2]}, "takes 3 inputs, the data have 2"),
        ({"y_test": Y3 + 1}, "class 2 has no sample in the training set"),
        ({"y_test": Y3[:5]}, "labels must have shape"),
        ({"X_test": []}, "targets but no inputs"),
        ({"name": 3}, "name"),
        ({"seed": "a"}, "seed must be an integer"),
        ({"details": {"a": object()}}, "plain values"),
    ],
)
def test_parts_of_a_dataset_must_fit(fields, message):
    parts = {"X_train": X3, "y_train": Y3, "X_test": X3, "y_test": Y3}
    with pytest.raises(InputError, match=message):
        Dataset(**parts | fields)


def test_a_dataset_without_a_test_set_filled_by_hand():
    assert Dataset(X3, Y3, [], []).X_test.shape == (0, 3)
    assert Dataset(X3, X3, X3[:0], X3[:0]).y_test.shape == (0, 3)


def test_data_cannot_change_later():
    X, y = X3.astype(float), Y3.copy()
    data = Dataset(X, y, X, y)
    digest, net = data.sha256, MLP([3, 2, 2])
    potential = NNPotential(net, X, y)
    x = net.random_parameters(np.random.default_rng(0))
    energy = potential.getEnergy(x)
    X[:], y[:] = 7, 0
    assert data.sha256 == digest
    assert potential.getEnergy(x) == energy
    assert pickle.loads(pickle.dumps(potential)).getEnergy(x) == energy
    assert Dataset(data.X_train, data.y_train, [], []).X_train is data.X_train  # no third copy


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
        ((X2, [20, 31, 47, 80]), {}, "--loss squared_error"),
        ((X2, [[0.5], [1], [2], [3]]), {}, "--loss squared_error"),
        (X2[:2], {}, "a name, a path or a pair"),
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


def test_inputs_stored_in_single_precision_keep_their_digest(tmp_path):
    """Landscapes of 0.1.0 hold such files."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2)).astype(np.float32)
    y = np.arange(20) % 2
    np.savez(tmp_path / "a.npz", X_train=X, y_train=y, X_test=X[:5], y_test=y[:5])
    data = Dataset.load(tmp_path / "a.npz")
    assert data.X_train.dtype == np.float64
    digest = hashlib.sha256()
    for name, part in (("X_train", X), ("y_train", y), ("X_test", X[:5]), ("y_test", y[:5])):
        digest.update(f"{name} {part.dtype.str} {part.shape};".encode() + part.tobytes())
    assert data.sha256 == digest.hexdigest()
    assert Dataset(X, y, X[:5], y[:5]).sha256 != data.sha256


@pytest.mark.parametrize("first", [2**53, 10**19])
def test_labels_that_floats_cannot_tell_apart_are_refused(tmp_path, first):
    path = tmp_path / "ids.csv"
    path.write_text("".join(f"{i}.5,{first + i % 2}\n" for i in range(20)))
    with pytest.raises(InputError, match="too large to be told from its neighbours"):
        load_dataset(path)
    with pytest.raises(InputError, match="too large to be told from its neighbours"):
        load_dataset(
            (
                np.arange(20.0)[:, None],
                np.array([first + i % 2 for i in range(20)], dtype=np.uint64),
            )
        )
