"""The settings of a landscape: plain, complete, and refused where they are damaged."""

import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
from landscapes import NET, TINY, contents, copy_of, tree

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.settings import SETTINGS, check_same_settings, read_settings, write_settings


def test_damaged_settings(tmp_path, explored):
    path = copy_of(explored, tmp_path)
    (path / "settings.toml").write_text("seed = [")
    with pytest.raises(InputError, match="cannot be read"):
        Landscape.open(path)
    (path / "settings.toml").write_text("seed = 1\n")
    with pytest.raises(InputError, match="lacks 'search'"):
        Landscape.open(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("layer_sizes", "sizes_of_layers", "is damaged: TypeError"),
        ("sha256", "sha", "is damaged: KeyError"),
        ("bias = true", 'bias = "no"', "bias must be True or False"),
        ("regularize_bias = true", "regularise = true", "is damaged: TypeError"),
        ("seed = 3", "seed = -3", "seed must be at least 0"),
        ("quenches = 8", "quenchs = 8", r"settings.toml: unknown search setting 'quenchs'"),
    ],
)
def test_settings_with_errors(tmp_path, explored, old, new, message):
    path = copy_of(explored, tmp_path)
    text = (path / "settings.toml").read_text()
    assert old in text
    (path / "settings.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        Landscape.open(path)


def test_settings_of_an_older_version(tmp_path, explored):
    path = copy_of(explored, tmp_path)
    lines = (path / "settings.toml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("lookahead", "soft_modes"))]
    assert len(kept) == len(lines) - 2
    (path / "settings.toml").write_text("\n".join(kept) + "\n")
    Landscape.open(path).explore(workers=2)


def test_missing_and_foreign_places(tmp_path, explored):
    with pytest.raises(InputError, match="no landscape at"):
        Landscape.open(tmp_path / "none")
    with pytest.raises(InputError, match="is no landscape"):
        Landscape.open(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        Landscape.open(explored.path / "settings.toml")


def test_numpy_settings_are_plain_numbers(tmp_path, ljat):
    plain = {"quenches": 3, "basin_hopping_runs": 0, "until_coverage": 0.5}
    net = nnp.MLP(np.array([3, 3, 4]), np.str_("tanh"), np.bool_(True))
    data = nnp.load_dataset("ljat", np.int64(50), n_test=np.uint16(50), seed=np.int32(0))
    land = Landscape.create(
        tmp_path / "a",
        net,
        data,
        loss=np.str_("cross_entropy"),
        regularization=np.float64(1e-3),
        regularize_bias=np.bool_(True),
        seed=np.int64(5),
        quenches=np.int64(3),
        basin_hopping_runs=np.uint8(0),
        until_coverage=np.float32(0.5),
        initializations=np.array(["gaussian", "he_normal"]),
    )
    other = Landscape.create(
        tmp_path / "b",
        NET,
        ljat,
        regularization=1e-3,
        seed=5,
        initializations=("gaussian", "he_normal"),
        **plain,
    )
    files = [(one.path / "settings.toml").read_text() for one in (land, other)]
    assert files[0] == files[1]
    assert Landscape.open(tmp_path / "a").settings == other.settings
    assert type(land.system.net.activation) is type(land.system.settings.loss) is str

    options = {"max_seconds": np.float32(100), "job_timeout": np.int64(100)}
    land.explore(workers=np.int64(1), stages=np.array(["minima"]), lookahead=np.int64(8), **options)
    other.explore(stages=["minima"], lookahead=8)
    assert contents(land) == contents(other)
    assert land.settings == other.settings == Landscape.open(tmp_path / "a").settings
    land.draw(levels=np.int64(20))


def test_details_of_a_data_set_are_plain(tmp_path, ljat):
    details = {"a": np.float32(0.5), "b": np.arange(2), "c": Path("x"), "d": (np.bool_(True), [])}
    arrays = (ljat.X_train, ljat.y_train, ljat.X_test, ljat.y_test)
    data = nnp.Dataset(*arrays, seed=np.int64(3), details=details)
    Landscape.create(tmp_path / "a", NET, data)
    found = tomllib.loads((tmp_path / "a" / "settings.toml").read_text())["dataset"]
    assert found["seed"] == 3
    assert {k: found[k] for k in "abcd"} == {"a": 0.5, "b": [0, 1], "c": "x", "d": [True, []]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quenches": -1}, "quenches must be at least 0"),
        ({"quenches": np.float64(5)}, "quenches must be an integer"),
        ({"quenches": True}, "quenches must be an integer"),
        ({"until_coverage": True}, "until_coverage must be at least 0 and below 1, not True"),
        ({"until_coverage": float("nan")}, "until_coverage must be at least 0 and below 1"),
        ({"until_coverage": [0.5]}, "until_coverage must be at least 0 and below 1"),
        ({"initializations": 5}, "must be a list of names"),
        ({"initializations": [5]}, "unknown initialization 5"),
        ({"initializations": []}, "must be a list of names"),
        ({"lookahead": 1, "workers": 2}, "need a lookahead of at least as many"),
        ({"max_seconds": "5"}, "max_seconds must be at least 0, not '5'"),
        ({"max_seconds": float("nan")}, "max_seconds must be at least 0"),
        ({"job_timeout": "5"}, "must be above 0 seconds, not '5'"),
        ({"stages": "minima"}, "stages must be a list of minima, connections"),
        ({"stages": 5}, "stages must be a list of minima, connections"),
        ({"on_progress": 100}, "on_progress must be a function, not 100"),
        ({"quenchs": 5}, "unknown search setting 'quenchs'"),
    ],
)
def test_a_refused_setting_changes_nothing(tmp_path, ljat, options, message):
    land = Landscape.create(tmp_path / "a", NET, ljat, **TINY)
    before, settings = tree(land.path), land.settings
    with pytest.raises(InputError, match=message):
        land.explore(**{"soft_modes": 3, **options})
    assert tree(land.path) == before
    assert land.settings == settings
    assert land.explore(stages=["minima"])["n_minima"] > 0
    assert land.settings == settings


def test_settings_that_cannot_be_written_are_not_taken(tmp_path, ljat, monkeypatch):
    land = Landscape.create(tmp_path / "a", NET, ljat, **TINY)
    settings = land.settings
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(InputError, match="cannot be written: No space left"):
            land.explore(quenches=3)
    assert land.settings == settings == Landscape.open(land.path).settings


@pytest.mark.parametrize("value", [True, "1e-3", None, float("inf"), -1e-9, 1j, np.array([1.0])])
def test_what_is_no_regularization(ljat, tmp_path, value):
    with pytest.raises(InputError, match="regularization must be a number not below 0"):
        Landscape.create(tmp_path / "a", NET, ljat, regularization=value)
    assert not list(tmp_path.iterdir())


# The file itself

WHOLE = {
    "seed": 3,
    "system": {"kind": "egg_box"},
    "egg_box": {"depths": [1.0, 2.5]},
    "search": {"quenches": 5},
    "versions": {"numpy": "2"},
}


def test_settings_are_read_as_they_were_written(tmp_path):
    write_settings(tmp_path, WHOLE)
    assert read_settings(tmp_path) == WHOLE
    write_settings(tmp_path, {**WHOLE, "seed": 4})
    assert read_settings(tmp_path)["seed"] == 4
    assert [p.name for p in tmp_path.iterdir()] == [SETTINGS]


@pytest.mark.parametrize("section", ["seed", "search", "versions"])
def test_a_section_that_is_missing_is_named(tmp_path, section):
    write_settings(tmp_path, {name: value for name, value in WHOLE.items() if name != section})
    with pytest.raises(InputError, match=f"lacks '{section}'"):
        read_settings(tmp_path)


@pytest.mark.parametrize("content", [b"seed = [", b"seed = 1\nseed = 2", b"\xff\xfe"])
def test_what_is_no_toml_is_not_read(tmp_path, content):
    (tmp_path / SETTINGS).write_bytes(content)
    with pytest.raises(InputError, match=r"settings\.toml cannot be read: "):
        read_settings(tmp_path)
    assert (tmp_path / SETTINGS).read_bytes() == content


def test_only_what_is_asked_for_must_agree():
    check_same_settings("a", WHOLE, {})
    check_same_settings("a", WHOLE, {"seed": 3, "egg_box": {"depths": [1.0, 2.5]}, "other": {}})


@pytest.mark.parametrize(
    ("asked", "difference"),
    [
        ({"seed": 4}, "there seed = 3, asked for 4"),
        ({"search": {"quenches": 6}}, "there search.quenches = 5, asked for 6"),
        ({"search": {"hops": 6}}, "there search.hops = None, asked for 6"),
        ({"network": {"bias": True}}, "there network.bias = None, asked for True"),
        ({"egg_box": {"depths": [1.0]}}, r"depths = \[1\.0, 2\.5\], asked for \[1\.0\]"),
        ({"seed": 3, "search": {"quenches": 1}, "versions": {"numpy": "1"}}, "search.quenches"),
    ],
)
def test_the_first_difference_is_named(asked, difference):
    with pytest.raises(InputError, match=f"^a is another landscape: .*{difference}"):
        check_same_settings("a", WHOLE, asked)


def test_the_first_versions_knew_networks_only():
    old = {"seed": 3, "search": {}}
    check_same_settings("a", old, {"system": {"kind": "network"}})
    with pytest.raises(InputError, match=r"system\.kind = 'network', asked for 'egg_box'"):
        check_same_settings("a", old, {"system": {"kind": "egg_box"}})
