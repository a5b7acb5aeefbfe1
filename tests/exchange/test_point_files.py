"""Files of points that say nothing without others."""

from pathlib import Path

import pytest

from nnpotential import InputError
from nnpotential.exchange.point_files import check_files

NAMES = ("a.min", "a.ts")


def given(*names):
    return {name: Path("there") / name for name in names}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "min.data is missing: the minima of somebody"),
        (["ts.data"], "there/ts.data says nothing without min.data"),
        (["a.min"], "there/a.min says nothing without min.data"),
        (["min.data", "a.ts"], "there/a.ts says nothing without a.min"),
        (["min.data", "a.min", "a.ts"], "there/a.ts says nothing without ts.data"),
        (["min.data", "ts.data", "a.min"], "transition states are missing: give a.ts too"),
    ],
)
def test_a_file_that_lacks_another_is_named(names, message):
    with pytest.raises(InputError, match=message):
        check_files(given(*names), *NAMES, "somebody")


@pytest.mark.parametrize("more", [[], ["ts.data"], ["a.min"], ["ts.data", "a.min", "a.ts"]])
def test_what_is_whole_is_taken(more):
    check_files(given("min.data", *more), *NAMES, "somebody")
