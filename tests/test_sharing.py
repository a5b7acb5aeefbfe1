"""Archives, graphs, tables and untrusted landscapes on the command line."""

import json

import pytest
from landscapes import contents, tree

from nnpotential import Landscape


def test_an_archive_there_and_back(run, tmp_path, small):
    code, out, err = run("export", small.path, "--to", "archive", "-o", tmp_path / "a.zip")
    assert (code, "dataset.npz" in out) == (0, True)
    assert f"written: {tmp_path / 'a.zip'}" in err
    place = tmp_path / "b"
    code, out, err = run("import", place, "--from", "archive", tmp_path / "a.zip")
    assert code == 0
    assert str(small.summary()["n_minima"]) in out
    assert f"'nnpotential verify {place}' checks every point anew" in err
    assert contents(Landscape.open(place)) == contents(small)
    for command in (["summary"], ["graph"], ["verify"], ["measures"], ["minima"]):
        assert run(*command, place)[0] == 0
    before = run("summary", place, "--json")[1]
    code, _, _ = run("explore", "--output", place)
    assert (code, json.loads(run("summary", place, "--json")[1])) == (0, json.loads(before))


def test_the_usual_places(run, mapped):
    for program, name in (
        ("graphml", mapped.path / "network.graphml"),
        ("csv", mapped.path / "csv"),
        ("topsearch", mapped.path / "topsearch"),
        ("archive", mapped.path.parent / f"{mapped.path.name}.zip"),
    ):
        code, _, err = run("export", mapped.path, "--to", program)
        assert (code, name.exists()) == (0, True), err
        assert f"written: {name}" in err
        code, _, err = run("export", mapped.path, "--to", program)
        assert (code, err.count("\n")) == (2, 1)


def test_an_untrusted_landscape(run, tmp_path, small):
    trusted = run("summary", small.path, "--json")[1]
    before = tree(small.path)
    assert run("summary", small.path, "--json", "--open-untrusted")[1] == trusted
    code, out, _ = run("measures", small.path, "--json", "--open-untrusted")
    assert (code, out) == (0, run("measures", small.path, "--json")[1])
    place = tmp_path / "a.graphml"
    code, _, _ = run("export", small.path, "--to", "graphml", "-o", place, "--open-untrusted")
    assert (code, place.exists()) == (0, True)
    assert tree(small.path) == before
    code, _, err = run("import", tmp_path / "b", "--from", "untrusted", small.path)
    assert (code, "landscape: " in err) == (0, True)
    assert contents(Landscape.open(tmp_path / "b")) == contents(small)


def test_a_network_without_coordinates(run, tmp_path, small):
    place = tmp_path / "b"
    run("export", small.path, "--to", "graphml", "-o", tmp_path / "a.graphml")
    code, _, err = run("import", place, "--from", "graphml", tmp_path / "a.graphml")
    assert (code, "network without coordinates" in err) == (0, True)
    assert run("measures", place)[0] == 0
    code, _, err = run("export", place, "--to", "archive")
    assert (code, "share the directory as it is" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "b", "--from", "archive", "a", "c"], "one archive at a time is imported"),
        (["import", "b", "--from", "archive", "a"], "there is no file"),
        (["import", "b", "--from", "archive", "a", "--seed", "1"], "a seed goes with a landscape"),
        (["import", "b", "--from", "archive", "a", "--label", "E"], "a landscape knows them"),
        (["import", "b", "--from", "untrusted", "a"], "there is no landscape at"),
        (["import", "b", "--from", "graphml", "a"], "cannot be read"),
        (["import", "b", "--from", "zip", "a"], "unknown origin 'zip': choose from pathsample"),
        (["export", "b", "--to", "archives"], "did you mean 'archive'?"),
        (["summary", "b", "--open-untrusted"], "there is no landscape at"),
    ],
)
def test_what_the_command_line_refuses(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []
