"""Kinds of system, and what a name means."""

import pytest

import nnpotential as nnp
from nnpotential import InputError
from nnpotential.systems.clusters import LennardJonesCluster
from nnpotential.systems.registry import named_system, register, system_class


def test_kinds_are_found_by_name():
    assert system_class("network") is nnp.NNSystem
    assert system_class("lennard_jones") is LennardJonesCluster
    with pytest.raises(InputError, match="unknown kind of system 'quantum'"):
        system_class("quantum")


def test_a_kind_cannot_be_taken_twice():
    class Other(LennardJonesCluster):
        kind = "network"

    with pytest.raises(InputError, match="'network' is taken"):
        register(Other)
    Other.kind = ""
    with pytest.raises(InputError, match="Other needs a kind"):
        register(Other)


@pytest.mark.parametrize(
    "name", ["ljat", "iris", "lj13.csv", "ljoint.npz", "blj", "lj\u00b2\u00b2"]
)
def test_names_of_data_are_no_clusters(name):
    assert named_system(name) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lj0", "at least 2 atoms, not 0"),
        ("lj1", "at least 2 atoms, not 1"),
        ("lj99999", "of 99999 atoms is too large to search: at most 2000"),
        ("ljx", "give the number of atoms, as in lj13"),
        ("blj4", "at least"),
    ],
)
def test_clusters_that_cannot_be(name, message):
    with pytest.raises(InputError, match=message):
        named_system(name)
