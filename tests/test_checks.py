"""Checks of what the user gave: what passes is plain, what does not is named."""

from pathlib import Path

import numpy as np
import pytest

from nnpotential import InputError
from nnpotential.checks import (
    check_choice,
    check_flag,
    check_integer,
    check_labels,
    check_number,
    frozen,
    label_hint,
    plain,
)


def positive(x):
    return x > 0


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("tahn", "did you mean 'tanh'"),
        ("TANH", "did you mean 'tanh'"),
        ("cosine", "choose from tanh, sigmoid"),
        (5, "choose from tanh, sigmoid"),
        (None, "choose from tanh, sigmoid"),
    ],
)
def test_a_choice_is_refused_with_what_may_be_meant(value, hint):
    with pytest.raises(InputError, match=f"^unknown activation {value!r}: {hint}"):
        check_choice("activation", value, ("tanh", "sigmoid"))


def test_what_passes_is_pythons_own():
    assert type(check_choice("a", np.str_("b"), ("b", "c"))) is str
    assert type(check_integer("a", np.uint8(3), 0)) is int
    assert type(check_number("a", np.float16(0.5), "above 0", positive)) is float
    assert type(check_number("a", np.array(2), "above 0", positive)) is float
    assert type(check_flag("a", np.False_)) is bool
    value = {1: np.arange(2), "b": (np.float32(0.5), [Path("x"), {"c": np.True_}])}
    assert plain(value) == {"1": [0, 1], "b": [0.5, ["x", {"c": True}]]}
    assert [type(v) for v in plain([np.int8(1), np.float64(1), np.str_("a")])] == [int, float, str]


@pytest.mark.parametrize("value", [True, 2.0, "2", None, [2], np.float64(2)])
def test_what_is_no_integer(value):
    with pytest.raises(InputError, match=r"^n must be an integer, not "):
        check_integer("n", value, 0)


def test_the_least_integer():
    assert check_integer("n", 3, 3) == 3
    with pytest.raises(InputError, match=r"^n must be at least 3, not 2$"):
        check_integer("n", 2, 3)


@pytest.mark.parametrize("value", [True, "1", None, 1j, [1.0], np.ones(2), float("nan"), 0.0, -1])
def test_what_is_no_number_of_the_kind(value):
    with pytest.raises(InputError, match=r"^x must be above 0, not "):
        check_number("x", value, "above 0", positive)


@pytest.mark.parametrize("value", [0, 1, "yes", None, np.int8(1)])
def test_what_is_no_flag(value):
    with pytest.raises(InputError, match=r"^bias must be True or False, not "):
        check_flag("bias", value)


def test_frozen_arrays_cannot_change():
    mine = np.arange(3.0)
    kept = frozen(mine)
    mine[0] = 7
    assert kept[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1
    assert frozen(kept) is kept
    view = kept[:2]  # whoever owns its numbers could still change them
    assert frozen(view) is not view


@pytest.mark.parametrize(
    ("labels", "hinted"),
    [([0, 1, 0, 1], False), ([2, 3, 2, 3], False), ([0, 10, 20, 30], True), ([0, 1, 2, 3], True)],
)
def test_labels_that_look_like_measurements_are_hinted_at(labels, hinted):
    assert bool(label_hint(np.array(labels))) == hinted


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], r"label 3 is beyond the 3 samples"),
        ([0, -1, 1], "labels must start at 0, not at -1"),
        ([0, 0.5, 1], "labels must be integers: label 1 is 0.5"),
        ([0, 1], r"labels must have shape \(3,\), not \(2,\)"),
        ([0, 2**53, 1], "too large to be told from its neighbours"),
    ],
)
def test_labels_that_cannot_be(labels, message):
    with pytest.raises(InputError, match=message):
        check_labels(labels, 3)
    assert check_labels([2.0, 0.0, 1.0], 3).dtype == np.int64
