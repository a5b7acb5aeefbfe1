"""Files are either whole or not there."""

import errno
import os

import pytest

from nnpotential import InputError
from nnpotential.files import atomic_write, printable


def test_the_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(error), atomic_write(path) as file:
        file.write("new")
        raise error
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("old")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    message = "a cannot be written: No space left"
    with pytest.raises(InputError, match=message), atomic_write(path) as file:
        file.write("new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("place", ["nowhere/a", "file/a"])
def test_places_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    message = f"{place} cannot be written"
    with pytest.raises(InputError, match=message), atomic_write(tmp_path / place) as file:
        file.write("new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("name", "printed"),
    [(b"plain.csv", "plain.csv"), ("ä.csv".encode(), "ä.csv"), (b"a\xff", "a\\xff")],
)
def test_names_can_be_printed(name, printed):
    assert printable(os.fsdecode(name)) == printed
