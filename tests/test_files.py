"""Files are either whole or not there."""

import errno
import os

import pytest

from nnpotential import InputError
from nnpotential.files import atomic_write, new_directory, printable


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


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request, monkeypatch):
    """That of the process, which is not to be touched: it is also that of other threads."""

    def touched(_):
        raise AssertionError("the umask was touched")

    before = os.umask(request.param)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", touched)
            yield request.param
    finally:
        os.umask(before)


def test_who_may_read_is_as_the_umask_says(tmp_path, umask):
    for path in (tmp_path / "a", tmp_path / "a", tmp_path / "b"):  # new, and in place of another
        with atomic_write(path) as file:
            file.write("new")
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    with new_directory(tmp_path / "c"):
        pass
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o777 & ~umask


def test_a_temporary_file_takes_no_name_that_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda _: "same")
    (tmp_path / ".a.same").write_text("mine")
    with (
        pytest.raises(InputError, match="a cannot be written: File exists"),
        atomic_write(tmp_path / "a"),
    ):
        pytest.fail("it was begun")
    assert (tmp_path / ".a.same").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == [".a.same"]


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


def test_the_directory_appears_when_it_is_whole(tmp_path):
    (tmp_path / "a").mkdir()  # an empty one is no obstacle
    with new_directory(tmp_path / "a") as folder:
        (folder / "file").write_text("new")
        assert list((tmp_path / "a").iterdir()) == []
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["file"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_leaves_no_directory(tmp_path, error):
    with pytest.raises(error), new_directory(tmp_path / "a") as folder:
        (folder / "file").write_text("new")
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", ["file", "folder"])
def test_a_directory_takes_no_place_that_is_taken(tmp_path, taken):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file", tmp_path / "folder" / "file"):
        path.write_text("mine")
    with (
        pytest.raises(InputError, match=f"{taken} is a .*: choose a new or empty directory"),
        new_directory(tmp_path / taken),
    ):
        pytest.fail("it was begun")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_directory_where_nothing_can_be_made(tmp_path):
    (tmp_path / "file").write_text("mine")
    message = "file/a cannot be made: .*file is no directory"
    with pytest.raises(InputError, match=message), new_directory(tmp_path / "file" / "a"):
        pytest.fail("it was begun")
