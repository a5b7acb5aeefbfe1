"""Pickles are read without unpickling, and what is more than plain values is refused."""

import os
import pickle
import random
import sqlite3

import numpy as np
import pytest

from nnpotential.exchange.plain_pickles import NotPlain, read_plain

PROTOCOLS = (3, 4, 5)
# as NumPy 1 writes a vector
OLD = (
    b"\x80\x03cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02C\x01b"
    b"q\x03\x87q\x04Rq\x05(K\x01K\x02\x85q\x06cnumpy\ndtype\nq\x07X\x02\x00\x00\x00f8q\x08K\x00K\x01"
    b"\x87q\tRq\n(K\x03X\x01\x00\x00\x00<q\x0bNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0cb\x89C"
    b"\x10\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x00@q\rtq\x0eb."
)
VALUES = [
    None,
    {},
    {"gaussian": 3, "verified": "ok", "why": "caf\u00e9"},
    {"certificate": {"energy": (0.25, 0.5), "beta": float("inf"), "index": None, "flags": [True]}},
    {"same": "ok", "again": "ok", 7: [1, -(2**40)]},
    ["text", ("a", ("b",)), (1, 2, 3, 4)],
    "text only",
    2**70,
]
ARRAYS = [
    np.linspace(0, 1, 84),
    np.array([]),
    np.arange(6.0).reshape(2, 3),
    np.arange(6.0).reshape(2, 3).T,
    np.arange(12.0).reshape(3, 4)[:, ::2],
    np.arange(3),
    np.array([True, False]),
    np.array([1.5], dtype=">f8"),
    np.array([1.5], dtype=np.float32),
    np.float64(2.5),
]


class Calls:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", VALUES, ids=str)
def test_plain_values(value, protocol):
    found = read_plain(pickle.dumps(value, protocol))
    assert repr(found) == repr(value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_arrays_to_the_last_bit(array, protocol):
    found = read_plain(pickle.dumps(array, protocol))
    assert type(found) is type(array)
    assert found.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(found, array)
    inside = read_plain(pickle.dumps({"x": [array]}, protocol))
    assert np.array_equal(inside["x"][0], array)


def test_an_array_of_an_older_numpy():
    assert read_plain(OLD).tolist() == [1.0, 2.0] == pickle.loads(OLD).tolist()


def test_all_that_a_landscape_holds(small):
    small.database.session.rollback()
    with sqlite3.connect(small.path / "landscape.sqlite") as connection:
        for table, columns in (
            ("tbl_minima", "coords, user_data"),
            ("tbl_transition_states", "coords, eigenvec, user_data"),
        ):
            rows = connection.execute(f"SELECT {columns} FROM {table}").fetchall()
            assert rows
            for row in rows:
                for blob in row:
                    assert repr(read_plain(blob)) == repr(pickle.loads(blob))


@pytest.mark.parametrize(
    "hide",
    [
        lambda evil: evil,
        lambda evil: {"verified": evil},
        lambda evil: {"a": [("b", evil)]},
        lambda evil: np.array([evil], dtype=object),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_would_run_something_runs_nothing(tmp_path, hide, protocol):
    evil = pickle.dumps(hide(Calls(tmp_path / "made")), protocol)
    with pytest.raises(NotPlain):
        read_plain(evil)
    assert not (tmp_path / "made").exists()
    pickle.loads(evil)
    assert (tmp_path / "made").exists()  # the test would see it


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (pickle.dumps(np.dtype), "it is damaged"),
        (pickle.dumps(complex(1, 2)), "it asks for builtins.complex"),
        (pickle.dumps({1, 2}), "it holds the instruction EMPTY_SET"),
        (pickle.dumps(np.array(["a"])), "an array in it is of the type 'U1'"),
        (pickle.dumps({(1, 2): 3}), "a name in it is a tuple"),
        (pickle.dumps(np.zeros(3), 2), r"it asks for _codecs\.encode"),  # as of Python 2
        (pickle.dumps(1)[:-1], "it is damaged"),
        (b"", "it is damaged"),
        (b"not a pickle", "it is damaged"),
        (b"\x80\x04(.", "it is damaged"),
        (b"\x80\x02cos\n\x1b[31msystem\n.", r"it asks for 'os\.\\x1b\[31msystem'"),
        (b"\x80\x04}(u.", ""),
        # an array of a type that is none, and one of too few numbers
        (pickle.dumps(np.zeros(3)).replace(b"f8", b"V8"), "of the type 'V8'"),
        (pickle.dumps(np.zeros(3)).replace(b"K\x03\x85", b"K\x04\x85"), "not as many numbers"),
        (b"\x80\x04" + b"(" * 10_000 + b"t" * 10_000 + b".", "deep in one another"),
    ],
)
def test_what_is_no_plain_value(pickled, message):
    if not message:
        assert read_plain(pickled) == {}
        return
    with pytest.raises(NotPlain, match=message):
        read_plain(pickled)


def test_values_within_values_do_not_fill_the_memory():
    bomb = ["x" * 1000]
    for _ in range(30):
        bomb = [bomb, bomb]
    with pytest.raises(NotPlain, match="one value in several places"):
        read_plain(pickle.dumps(bomb))


def test_damage_of_any_kind_is_one_error():
    rng = random.Random(0)
    whole = pickle.dumps({"a": (1, 2.5, None), "b": "text", "x": np.arange(4.0)})
    refused = 0
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            read_plain(bytes(damaged))
        except NotPlain:
            refused += 1
    assert refused > 1000
