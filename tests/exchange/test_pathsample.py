"""PATHSAMPLE's files: every digit comes back, and what is wrong is named with its line."""

import numpy as np
import pytest

from nnpotential import InputError, TransitionNetwork
from nnpotential.analysis.transition_network import StationaryPoints
from nnpotential.exchange.pathsample import (
    DATABASE,
    PathsampleDatabase,
    fortran_number,
    fortran_text,
)

MINIMA = """\
     -173.928426590627964      538.668902793976144    48       61.0912066056       61.0912067955       61.0912072523
     -0.1692D+03   512.433786480948584     1        1.0       1.0       69.2875369727

     -169.205253906214921      0.5  2        1.0       1.0       1.0
"""  # noqa: E501
STATES = """\
  -168.759107759549806 512.074885626003038 1 1 2 58.1 60.7 70.0
  -168.5 500.0 1 3 3 1.0 1.0 1.0
"""


@pytest.fixture
def files(tmp_path):
    """Three minima, a transition state and a degenerate rearrangement, of two coordinates."""
    (tmp_path / "min.data").write_text(MINIMA)
    (tmp_path / "ts.data").write_text(STATES)
    np.arange(6.0).tofile(tmp_path / "points.min")
    np.arange(6.0, 10.0).tofile(tmp_path / "points.ts")
    return {name: tmp_path / name for name in DATABASE}


def test_reading(files):
    found = PathsampleDatabase.read(files, 2, n_vibrations=108, energy_label="E")
    network = found.network
    assert network.minima.energies.tolist() == [-173.928426590627964, -169.2, -169.205253906214921]
    assert network.minima.log_determinants[0] == 538.668902793976144
    assert network.minima.orders.tolist() == [48, 1, 2]
    assert network.minima.moments[1].tolist() == [1.0, 1.0, 69.2875369727]
    assert network.ends.tolist() == [[0, 1], [2, 2]]
    assert (network.n_vibrations, network.energy_label) == (108, "E")
    assert found.minima.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found.states.tolist() == [[6, 7], [8, 9]]


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.integers(-30, 30, (3, 40))
    energies, determinants, moments = rng.normal(size=(3, 40)) * sizes
    orders = np.array([1, 2**40, *range(3, 21)])
    parts = [
        StationaryPoints.of(
            energies[part], determinants[part], orders, moments=np.c_[[moments[part]] * 3].T
        )
        for part in (slice(20), slice(20, 40))
    ]
    ends = rng.integers(0, 20, (20, 2))
    coords = rng.normal(size=(2, 20, 7)) * 10.0 ** rng.integers(-200, 200, (2, 20, 7))
    wrote = PathsampleDatabase(TransitionNetwork(*parts, ends), *coords)
    names = wrote.write(tmp_path)
    read = PathsampleDatabase.read({name: tmp_path / name for name in names})
    for kind in ("minima", "states"):
        for name, values in vars(getattr(wrote.network, kind)).items():
            assert np.array_equal(getattr(getattr(read.network, kind), name), values), name
        assert np.array_equal(getattr(read, kind), getattr(wrote, kind))
    assert np.array_equal(read.network.ends, ends)


def test_without_coordinates_two_files_are_written(tmp_path, files):
    found = PathsampleDatabase.read({name: files[name] for name in DATABASE[:2]})
    assert found.minima is None
    (tmp_path / "there").mkdir()
    assert found.write(tmp_path / "there") == ["min.data", "ts.data"]
    for name in DATABASE[:2]:
        numbers = [
            [[fortran_number(word) for word in line.split()] for line in text.splitlines() if line]
            for text in (files[name].read_text(), (tmp_path / "there" / name).read_text())
        ]
        assert numbers[0] == numbers[1]


def test_minima_alone(files):
    found = PathsampleDatabase.read({name: files[name] for name in ("min.data", "points.min")})
    assert (len(found.network), len(found.network.states)) == (3, 0)
    assert found.states.shape == (0, 2)


def test_no_transition_states_yet(files):
    """As PATHSAMPLE's database is before its first connection."""
    for name in ("ts.data", "points.ts"):
        files[name].write_bytes(b"")
    found = PathsampleDatabase.read(files)
    assert (len(found.network.states), found.states.shape) == (0, (0, 2))
    assert found.network.ends.shape == (0, 2)


def test_no_minimum(files):
    files["min.data"].write_text("\n")
    with pytest.raises(InputError, match=r"min\.data holds no minimum"):
        PathsampleDatabase.read(files)


@pytest.mark.parametrize(
    ("word", "value"),
    [("1.0D-9", 1e-9), ("-.5", -0.5), ("3.", 3.0), ("0.1-100", 1e-101), ("2E+3", 2000.0)],
)
def test_numbers_as_fortran_writes_them(word, value):
    assert fortran_number(word) == value
    assert fortran_number(fortran_text(value)) == value


@pytest.mark.parametrize(
    "word", ["nan", "Infinity", "****", "1_0", "1e400", "0x1p3", "1.0.0", "e5"]
)
def test_other_words_are_no_numbers(word):
    assert fortran_number(word) is None


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("min.data", "1.0 2.0 1 1.0 1.0", "line 5: 5 columns in place of 6"),
        ("min.data", "1.0 ***** 1 1.0 1.0 1.0", r"line 5: '\*\*\*\*\*' is no finite number \(ln d"),
        ("min.data", "nan 2.0 1 1.0 1.0 1.0", r"line 5: 'nan' is no finite number \(energy\)"),
        ("min.data", "1.0 2.0 1 1.0 x 1.0", r"'x' is no finite number \(moments of inertia\)"),
        ("min.data", "1.0 2.0 0 1.0 1.0 1.0", "line 5: the order of the point group must be at"),
        ("min.data", "1 -173.9", r"min.data is TopSearch's \(index, energy\), not PATHSAMPLE's"),
        ("ts.data", "1.0 2.0 1 1 4 1 1 1", "ts.data, line 3: '4' is no minimum: min.data has 1 to"),
        ("ts.data", "1.0 2.0 1 0 2 1 1 1", "line 3: '0' is no minimum"),
        ("ts.data", "1.0 2.0 1 1.5 2 1 1 1", "line 3: '1.5' is no minimum"),
        ("ts.data", "1.0 2.0 1 1 2 1 1", "line 3: 7 columns in place of 8"),
        ("ts.data", "1 2 -168.7", r"ts.data is TopSearch's \(min1, min2, energy\)"),
    ],
)
def test_a_malformed_line_is_named(files, name, line, message):
    with open(files[name], "a") as file:
        file.write(f"{line}\n")
    with pytest.raises(InputError, match=message) as raised:
        PathsampleDatabase.read(files)
    assert str(files[name]) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["ts.data"], "ts.data says nothing without min.data"),
        (["points.min"], "points.min says nothing without min.data"),
        (["min.data", "ts.data", "points.ts"], "points.ts says nothing without points.min"),
        (["min.data", "points.min", "points.ts"], "points.ts says nothing without ts.data"),
        (["min.data", "ts.data", "points.min"], "give points.ts too"),
        ([], "min.data is missing"),
    ],
)
def test_files_that_go_together(files, names, message):
    with pytest.raises(InputError, match=message):
        PathsampleDatabase.read({name: files[name] for name in names})


@pytest.mark.parametrize("n_dof", [2, None])
@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("points.min", 47, "points.min has 47 bytes"),
        ("points.min", 40, "points.min has 40 bytes"),
        ("points.min", 0, "points.min has 0 bytes"),
        ("points.ts", 24, "points.ts has 24 bytes; the 2 points of ts.data, with 2 coordinates"),
    ],
)
def test_points_that_are_cut_short(files, name, size, message, n_dof):
    files[name].write_bytes(files[name].read_bytes()[:size])
    with pytest.raises(InputError, match=message):
        PathsampleDatabase.read(files, n_dof)


def test_points_of_another_system(files):
    with pytest.raises(InputError, match="with 3 coordinates each, take 72: it is cut short, or"):
        PathsampleDatabase.read(files, 3)


def test_points_that_are_not_finite(files):
    np.array([0.0, 1.0, 2.0, np.nan, 4.0, 5.0]).tofile(files["points.min"])
    with pytest.raises(InputError, match="the coordinates of point 2 are not finite"):
        PathsampleDatabase.read(files)


def test_a_folder_in_place_of_a_file(files):
    files["ts.data"].unlink()
    files["ts.data"].mkdir()
    with pytest.raises(InputError, match=r"ts\.data cannot be read: Is a directory"):
        PathsampleDatabase.read(files)


def test_an_unknown_determinant_is_not_made_up(tmp_path):
    points = StationaryPoints.of([0.0, 1.0], [1.0, np.nan], ids=[4, 9])
    network = TransitionNetwork(points, StationaryPoints.of([]), [])
    with pytest.raises(InputError, match=r"of 1 of 2 points it is not known .* number 9"):
        PathsampleDatabase(network).write(tmp_path)
