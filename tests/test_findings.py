"""What a job brings back are plain numbers, the same on the other side."""

import pickle

import numpy as np
import pytest
from pele.storage import Minimum, TransitionState

from nnpotential.findings import Connection, Failure, Findings, Point, Verdict
from nnpotential.storage import OUTCOMES


@pytest.fixture
def stored():
    """A transition state between two minima, as pele holds it."""
    low, high = Minimum(0.1, np.zeros(2)), Minimum(0.2, np.ones(2))
    low._id, high._id = 1, 2
    return TransitionState(0.5, np.array([0.5, 0.4]), low, high, -2.0, np.array([0.6, 0.8]))


def test_a_point_is_what_is_stored(stored):
    point = Point.of(stored.minimum2)
    assert point.energy == 0.2 and point.coords is stored.minimum2.coords


def test_a_connection_has_peles_names(stored):
    """So that whatever reads a stored one reads this."""
    connection = Connection.of(stored)
    for name in ("energy", "coords", "eigenval", "eigenvec"):
        assert getattr(connection, name) is getattr(stored, name)
    for end in ("minimum1", "minimum2"):
        point, minimum = getattr(connection, end), getattr(stored, end)
        assert type(point) is Point
        assert (point.energy, point.coords) == (minimum.energy, minimum.coords)


def test_they_travel(stored):
    connection = Connection.of(stored)
    for sent in (
        Findings([connection], [Failure("too many steps", None)]),
        Findings([connection.minimum1], [Failure("travelling", 0.25)]),
        Verdict("descends elsewhere", ends=[connection.minimum1]),
    ):
        there = pickle.loads(pickle.dumps(sent))
        assert type(there) is type(sent)
        assert repr(there) == repr(sent)
        inner, outer = there[-1] or there[0], sent[-1] or sent[0]
        assert [type(part) for part in inner] == [type(part) for part in outer]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_verdict_says_no_more_than_it_knows(outcome):
    assert Verdict(outcome) == (outcome, None, [])
