"""A landscape directory: complete, movable, resumable, protected."""

import json
import sqlite3
import tomllib

import numpy as np
import pytest
from landscapes import SEARCH

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.networks.generalisation import MEASURES


def test_directory_is_complete(explored):
    names = {p.name for p in explored.path.iterdir()}
    assert names == {
        ".lock",
        "landscape.sqlite",
        "dataset.npz",
        "settings.toml",
        "summary.json",
        "disconnectivity.png",
        "disconnectivity.svg",
    }
    settings = tomllib.loads((explored.path / "settings.toml").read_text())
    assert settings["seed"] == 3
    assert settings["network"] == {"layer_sizes": [3, 3, 4], "activation": "tanh", "bias": True}
    assert settings["potential"] == {
        "loss": "cross_entropy",
        "regularization": 1e-3,
        "regularize_bias": True,
    }
    assert settings["dataset"]["name"] == "ljat"
    assert settings["search"]["quenches"] == 8
    arrays = np.load(explored.path / "dataset.npz", allow_pickle=False)
    assert set(arrays) == {"X_train", "y_train", "X_test", "y_test"}
    assert (explored.path / "disconnectivity.png").read_bytes().startswith(b"\x89PNG")


def test_summary_counts_what_the_database_holds(small):
    summary = json.loads((small.path / "summary.json").read_text())
    connection = sqlite3.connect(small.path / "landscape.sqlite")
    (n_minima,) = connection.execute("SELECT COUNT(*) FROM tbl_minima").fetchone()
    (n_states,) = connection.execute(
        "SELECT COUNT(*) FROM tbl_transition_states WHERE _minimum1_id != _minimum2_id"
    ).fetchone()
    (n_loops,) = connection.execute(
        "SELECT COUNT(*) FROM tbl_transition_states WHERE _minimum1_id = _minimum2_id"
    ).fetchone()
    connection.close()
    assert summary["n_minima"] == n_minima >= 4
    assert summary["n_transition_states"] == n_states >= n_minima - 1
    assert summary["n_degenerate_rearrangements"] == n_loops >= 1
    assert summary["verified"] == {"ok": n_minima + n_states + n_loops}
    assert summary["n_components"] == 1
    assert summary["largest_component"] == n_minima
    assert summary["losses"]["0"] == summary["lowest_loss"]
    assert summary["seed"] == 1
    for key in ("barriers", "coverage", "seconds", "versions", "settings"):
        assert summary[key]


def test_drawing_small_landscapes(tmp_path, ljat):
    """One minimum, then two: no height to draw, but a picture all the same."""
    convex = Landscape.create(tmp_path / "a", nnp.MLP([3, 4]), ljat, **SEARCH)
    convex.explore()
    assert convex.summary()["n_minima"] == 1
    assert (tmp_path / "a" / "disconnectivity.svg").exists()
    assert convex.draw(colour="test-loss") == (1, 1)


@pytest.mark.parametrize("colour", [None, *MEASURES])
def test_colours(explored, colour):
    drawn, total = explored.draw(colour=colour, title="a title", levels=10)
    assert drawn == total
    svg = (explored.path / "disconnectivity.svg").read_text()
    assert "nats per sample" in svg
    if colour is not None:
        assert MEASURES[colour].label in svg


def test_colour_needs_a_test_set(tmp_path, net, ljat):
    data = nnp.load_dataset((ljat.X_train, ljat.y_train), n_train=50, n_test=0)
    land = Landscape.create(tmp_path / "a", net, data, quenches=2, basin_hopping_runs=0)
    land.explore(stages=["minima"])
    with pytest.raises(InputError, match="needs a test set"):
        land.draw(colour="test-auc")
    with pytest.raises(InputError, match="did you mean 'test-loss'"):
        land.draw(colour="tset-loss")


# Places and files that are not what they should be


def test_places_that_are_taken(tmp_path, explored, net, ljat):
    with pytest.raises(InputError, match="holds a landscape already"):
        Landscape.create(explored.path, net, ljat)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        Landscape.create(tmp_path / "file", net, ljat)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").write_text("mine")
    with pytest.raises(InputError, match="other things in it"):
        Landscape.create(tmp_path / "full", net, ljat)
    with pytest.raises(InputError, match="cannot be made"):
        Landscape.create(tmp_path / "file" / "below", net, ljat)
    with pytest.raises(InputError, match="cannot be made"):
        Landscape.create("/proc/nnpotential", net, ljat)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "full"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regularization": -1}, "not below 0"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": 1.5}, "seed must be an integer"),
        ({"quenches": -1}, "quenches must be at least 0"),
        ({"quenchs": 1}, "unknown search setting 'quenchs'"),
    ],
)
def test_bad_settings_leave_nothing_behind(tmp_path, net, ljat, options, message):
    with pytest.raises(InputError, match=message):
        Landscape.create(tmp_path / "a", net, ljat, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a#b", "a%20b", "a b", "ä", "a'b"])
def test_odd_names(tmp_path, net, ljat, name):
    land = Landscape.create(tmp_path / name, net, ljat, quenches=2, basin_hopping_runs=0)
    land.explore(stages=["minima"])
    assert Landscape.open(tmp_path / name).summary()["n_minima"] >= 1
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_name_pele_cannot_open_is_refused(tmp_path, net, ljat):
    with pytest.raises(InputError, match=r"path with '\?'"):
        Landscape.create(tmp_path / "a?b", net, ljat)
    assert list(tmp_path.iterdir()) == []


def test_open_or_create(tmp_path, net, ljat):
    path = tmp_path / "a"
    how = {"regularization": 1e-3, "seed": 3, "quenches": 2, "basin_hopping_runs": 0}
    land = Landscape.open_or_create(path, net, ljat, **how)
    n = land.explore(stages=["minima"])["n_minima"]
    assert n > 0
    again = Landscape.open_or_create(path, net, ljat, **{**how, "quenches": 5})
    assert again.summary()["n_minima"] == n
    assert again.settings["search"]["quenches"] == 2
    for change, difference in (
        ({"seed": 4}, "seed = 3, asked for 4"),
        ({"regularization": 1e-4}, "potential.regularization = 0.001, asked for 0.0001"),
        ({"nonsense": 1}, "unknown search setting 'nonsense'"),
    ):
        with pytest.raises(InputError, match=difference):
            Landscape.open_or_create(path, net, ljat, **{**how, **change})
    with pytest.raises(InputError, match=r"system\.kind"):
        Landscape.open_or_create(path, nnp.EggBox(), seed=3)


def test_an_audit_without_a_size_leaves_the_setting(mapped):
    assert mapped.settings["search"]["audit_sample"] == 0
    assert mapped.audit()["n_sampled"] <= 20
    assert Landscape.open(mapped.path).settings["search"]["audit_sample"] == 0
    assert mapped.audit(sample=1)["n_sampled"] == 1
    assert Landscape.open(mapped.path).settings["search"]["audit_sample"] == 1


@pytest.mark.parametrize("method", ["audit", "explore"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_seconds": "5"}, "max_seconds must be"),
        ({"max_seconds": -1}, "max_seconds must be"),
        ({"workers": 17}, "17 workers need a lookahead"),
        ({"on_progress": 3}, "on_progress must be a function"),
    ],
)
def test_wrong_options_are_refused_before_any_work(mapped, method, wrong, message):
    before = mapped.settings
    with pytest.raises(InputError, match=message):
        getattr(mapped, method)(**wrong)
    assert Landscape.open(mapped.path).settings == before


def test_no_audit_of_nothing(mapped):
    with pytest.raises(InputError, match="sample must be at least 1, not 0"):
        mapped.audit(sample=0)


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), TimeoutError()])
def test_what_on_progress_raises_is_raised_as_it_is(mapped, error):
    def fail(*_):
        raise error

    with pytest.raises(type(error)) as caught:
        mapped.verify(fail)
    assert caught.value is error
