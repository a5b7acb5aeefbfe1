"""Drawing follows no configuration but its own, and costs no result."""

import json
import os
import subprocess
import sys

import matplotlib
import pytest

from nnpotential import InputError, Landscape, Measure

COMMAND = [sys.executable, "-P", "-m", "nnpotential"]


@pytest.fixture
def land(alone, tmp_path):
    """A landscape to draw, in a directory of its own, and the right drawing of it."""
    for name in ("landscape.sqlite", "dataset.npz", "settings.toml"):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / name).write_bytes((alone.path / name).read_bytes())
    land = Landscape.open(tmp_path / "a")
    yield land
    land.close()


@pytest.fixture(scope="session")
def drawing(alone):
    alone.draw()
    return (alone.path / "disconnectivity.png").read_bytes()


def configured(tmp_path, name):
    """The environment of a user whose matplotlib is set up in this way."""
    config = tmp_path / "config"
    (config / "stylelib").mkdir(parents=True)
    environment = {"MPLCONFIGDIR": str(config)}
    if name == "LaTeX that is not there":
        (config / "matplotlibrc").write_text("text.usetex: True\n")
        environment["PATH"] = ""
    elif name == "strange settings":
        (config / "matplotlibrc").write_text(
            "figure.figsize: a b\nno colon\nfoo.bar: 3\nlines.linewidth: 40\nsavefig.dpi: 7\n"
            "font.family: Missing Sans\naxes.facecolor: red\nsavefig.bbox: tight\n"
        )
    elif name == "damaged style sheet":
        (config / "stylelib" / "mine.mplstyle").write_bytes(b"\xff\xfe")
    elif name == "damaged configuration":
        (config / "matplotlibrc").write_bytes(b"\xff\xfe")
    elif name == "no writable place":
        environment = {"MPLCONFIGDIR": "/proc/nothing", "HOME": "/proc/nothing"}
    else:
        environment = {"MPLBACKEND": name}
    return {**os.environ, **environment}


@pytest.mark.parametrize(
    "setup",
    [
        "LaTeX that is not there",
        "strange settings",
        "damaged style sheet",
        "no writable place",
        "Qt5Agg",
        "nonsense",
        "module://not.there",
    ],
)
def test_a_drawing_is_the_same_everywhere(tmp_path, land, drawing, setup):
    command = [*COMMAND, "graph", str(land.path)]
    environment = configured(tmp_path, setup)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "drawn" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("drawn: ")
    assert (land.path / "disconnectivity.png").read_bytes() == drawing


def test_a_drawing_that_fails_costs_nothing(tmp_path, land):
    environment = configured(tmp_path, "damaged configuration")

    def run(*arguments):
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = run("explore", "-o", land.path)
    assert done.returncode == 0
    assert "transition states" in done.stdout
    first, warning, page = done.stderr.splitlines()
    assert first.startswith("landscape: ")
    assert warning.startswith("warning: the disconnectivity graph cannot be drawn")
    assert "matplotlibrc" in warning
    assert page.startswith("page to look at: ") and (land.path / "report.html").exists()
    assert json.loads((land.path / "summary.json").read_text()) == land.summary()
    done = run("graph", land.path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the disconnectivity graph cannot be drawn")
    assert len(done.stderr.splitlines()) == 1


def test_in_python_a_failed_drawing_is_a_warning(land, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("out of\nink")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.warns(UserWarning, match="graph cannot be drawn: out of ink") as caught:
        figures = land.explore()
    assert caught[0].filename == __file__
    assert figures == json.loads((land.path / "summary.json").read_text())
    with pytest.raises(InputError, match="graph cannot be drawn: out of ink"):
        land.draw()
    assert not list(land.path.glob("*disconnectivity*"))
    land.explore(draw=False)


def test_the_users_settings_are_neither_used_nor_changed(land, drawing):
    mine = {"text.usetex": True, "lines.linewidth": 40.0, "figure.facecolor": "red"}
    with matplotlib.rc_context(mine):
        before = dict(matplotlib.rcParams)
        land.draw()
        assert dict(matplotlib.rcParams) == before
        with pytest.raises(InputError, match=r"cannot be drawn: .*\\foo"):
            land.draw(title=r"$\foo$")
        assert dict(matplotlib.rcParams) == before
    assert (land.path / "disconnectivity.png").read_bytes() == drawing


def test_pyplot_is_left_to_the_user(land):
    script = f"""
import sys, nnpotential
nnpotential.Landscape.open({str(land.path)!r}).draw()
assert "matplotlib.pyplot" not in sys.modules
import matplotlib
assert matplotlib.rcParams["backend"].lower() == "svg", matplotlib.rcParams["backend"]
"""
    environment = {**os.environ, "MPLBACKEND": "svg"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_a_measure_of_ones_own(land):
    land.draw(colour=Measure(lambda x: x[0], "first weight", "bits"))
    assert "first weight (bits)" in (land.path / "disconnectivity.svg").read_text()


@pytest.mark.parametrize("wrong", [None, float("nan"), [1.0, 2.0], "a", 1j])
def test_a_measure_that_gives_no_number_is_one_line(land, wrong):
    before = {p.name: p.read_bytes() for p in land.path.glob("disconnectivity.*")}
    with pytest.raises(InputError, match="the measure 'mine' must give one finite number"):
        land.draw(colour=Measure(lambda x: wrong, "mine"))
    assert {p.name: p.read_bytes() for p in land.path.glob("disconnectivity.*")} == before


def test_titles(land):
    land.draw(title="$\\lambda = 10^{-3}$, [bold] and \udcff")
    assert "[bold] and" in (land.path / "disconnectivity.svg").read_text()


def test_a_missing_font_is_one_line(land, monkeypatch):
    import matplotlib.font_manager

    def missing(*_, **__):
        raise ValueError("Failed to find font DejaVu Sans")

    monkeypatch.setattr(matplotlib.font_manager.fontManager, "findfont", missing)
    monkeypatch.setattr(matplotlib.font_manager.fontManager, "_find_fonts_by_props", missing)
    with pytest.raises(InputError, match="cannot be drawn: Failed to find font"):
        land.draw([land.path / "a.png"])
