"""Work kept piece by piece: written whatever happens, read again, refused when damaged."""

import json

import pytest

from nnpotential import InputError
from nnpotential.analysis import kept as module
from nnpotential.analysis.kept import Kept, read_results
from nnpotential.search.workers import Crew


class Square:
    """A job that workers could import."""

    name = "square"

    @staticmethod
    def run(system, number):
        if number == 3:
            raise ValueError("three")
        return number**2


def do(kept, numbers, report=lambda *told: None):
    def merge(i, result):
        kept.data[str(numbers[i])] = result
        return "done"

    kept.do(Crew(None), [(Square(), (number,)) for number in numbers], merge, "squares", report)


class _Stop(Exception):
    pass


def test_what_was_done_is_there_again(tmp_path, monkeypatch):
    monkeypatch.setattr("nnpotential.search.workers._is_slow", lambda system: False)

    def stop(stage, done, total, text):
        if done == 2:
            raise _Stop

    with pytest.raises(_Stop), Kept(tmp_path / "a.json", {"seed": 1}) as kept:
        do(kept, [1, 2, 4], stop)
    with Kept(tmp_path / "a.json", {"seed": 1}) as kept:
        assert kept.data == {"1": 1, "2": 4}
        do(kept, [3, 4])
        kept.results = "all"
    whole = json.loads((tmp_path / "a.json").read_text())
    assert whole["kept"] == {"1": 1, "2": 4, "3": None, "4": 16}  # None: it failed three times
    assert whole["results"] == "all" and whole["settings"] == {"seed": 1}


def test_it_is_written_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr("nnpotential.search.workers._is_slow", lambda system: False)
    monkeypatch.setattr(module, "_OFTEN", 0.0)
    seen = []

    def look(stage, done, total, text):
        seen.append(len(json.loads((tmp_path / "a.json").read_text())["kept"]))

    with Kept(tmp_path / "a.json", {}) as kept:
        do(kept, [1, 2], look)
    assert seen == [1, 2]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"kept": 3}', "\xff"])
def test_a_damaged_file_is_refused_and_left(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.json is damaged .*: remove it to begin anew"):
        Kept(tmp_path / "a.json", {})
    assert (tmp_path / "a.json").read_bytes() == text.encode("latin-1")


def test_what_fails_before_any_work_leaves_the_file(tmp_path):
    path = tmp_path / "a.json"
    with Kept(path, {}) as kept:
        kept.data["1"], kept.results = 1, "all"
    before = path.read_bytes()
    with pytest.raises(_Stop), Kept(path, {}):
        raise _Stop
    assert path.read_bytes() == before
    with pytest.raises(_Stop), Kept(path, {}) as kept:
        kept.data["2"] = 4
        raise _Stop
    assert json.loads(path.read_text())["results"] is None  # they are of less than there is


def test_results_are_read_without_knowing_the_settings(tmp_path):
    path = tmp_path / "a.json"
    with Kept(path, {"seed": 1}) as kept:
        kept.data["1"] = 1
    assert read_results(path) is None
    with Kept(path, {"seed": 1}) as kept:
        kept.results = {"n": 1}
    assert read_results(path) == {"n": 1}
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(InputError, match=r"a\.json is of another version"):
        read_results(path)
    path.write_text("[")
    with pytest.raises(InputError, match=r"a\.json is damaged"):
        read_results(path)
