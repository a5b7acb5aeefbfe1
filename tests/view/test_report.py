"""report.html: what it holds, and what a browser makes of it."""

import base64
import json
import re

import numpy as np
import pytest
from browser import CHROMIUM, Browser
from landscapes import copy_of, replace
from transition_networks import by_hand

from nnpotential import InputError, Landscape
from nnpotential.analysis.figures import barriers_to_lowest
from nnpotential.cli import main
from nnpotential.exchange.directory import NetworkDirectory
from nnpotential.view.report import _plotly

HOSTILE = "</script><b>&{{ 1 }}"


def content(page):
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    return text, json.loads(found.group(1))


def column(data, name):
    return data["values"][[c["name"] for c in data["columns"]].index(name)]


@pytest.fixture(scope="module")
def land(alone, tmp_path_factory):
    """A landscape with a page of its own, whose title is meant to break it."""
    land = Landscape.open(copy_of(alone, tmp_path_factory.mktemp("report")))
    land.report(title=HOSTILE)
    yield land
    land.close()


def test_the_page_holds_what_the_database_holds(land):
    _, data = content(land.path / "report.html")
    graph = land.graph()
    minima = sorted(graph, key=lambda m: (m.energy, m.id()))
    assert column(data, "id") == [m.id() for m in minima]
    assert column(data, "loss") == [m.energy for m in minima]
    barriers = barriers_to_lowest(graph)
    for k, m in enumerate(minima[1:], 1):
        assert column(data, "barrier")[k] == pytest.approx(barriers.get(m), abs=1e-15)
    for name in ("test-auc", "train-loss", "weight-norm"):
        function = land.system.measures[name].function
        assert column(data, name) == [function(m.coords) for m in minima]
    values = [land.system.get_normalmodes(m.coords)[0] for m in minima]
    assert column(data, "log_determinant") == pytest.approx([np.log(v).sum() for v in values])
    states = data["states"]
    joined = {
        (frozenset((states["one"][s], states["two"][s])), states["id"][s], states["energy"][s])
        for s in range(len(states["id"]))
    }
    place = {m: k for k, m in enumerate(minima)}
    assert joined == {
        (frozenset((place[one], place[two])), edge["ts"].id(), edge["energy"])
        for one, two, edge in graph.edges(data=True)
    }
    weights = data["weights"]
    rows = np.frombuffer(base64.b64decode(weights["data"]), dtype="<f4")
    rows = rows.reshape(weights["n"], weights["size"])
    assert np.array_equal(rows, np.array([m.coords for m in minima], dtype="<f4"))
    assert [block["shape"] for block in weights["blocks"]] == [[3, 3], [3], [4, 3], [4]]


def test_the_way_to_the_lowest_is_the_lowest_path(land):
    _, data = content(land.path / "report.html")
    losses, states = column(data, "loss"), data["states"]
    walked = 0
    for k, barrier in enumerate(column(data, "barrier")):
        at, top, length = k, losses[k], 0.0
        while (s := data["towards"][at]) >= 0:
            at = states["one"][s] + states["two"][s] - at
            top, length = max(top, states["energy"][s]), length + sum(states["lengths"][s])
        assert (at == 0) == (barrier is not None)
        if barrier is not None and k:
            assert top - losses[k] == pytest.approx(barrier, abs=1e-15) and length > 0
            walked += 1
    assert walked


def test_the_page_needs_nothing_else_and_no_text_breaks_it(land):
    text, data = content(land.path / "report.html")
    text = text.replace(_plotly(), "")
    assert not re.search(r"<[^>]+(src|href)=.?(https?:|//)|<link|@import", text)
    assert text.count("</script>") == text.count("<script") == 3
    assert "<b>&{{ 1 }}" not in text and "&lt;/script&gt;&lt;b&gt;&amp;{{ 1 }}" in text
    assert data["title"] == HOSTILE
    for told in ("Verified numerically", "layer_sizes", "Shannon entropy", "Good-Turing", "pele"):
        assert told in text


def test_at_the_end_of_a_search_it_leaves_out_what_takes_hessians(alone, tmp_path):
    land = Landscape.open(copy_of(alone, tmp_path))
    page = land.report(quick=True)
    text, data = content(page)
    names = {c["name"] for c in data["columns"]}
    assert {"loss", "barrier", "hits", "test-auc"} <= names and "trace" not in names
    assert data["heat_capacity"] is None and data["states"]["lengths"] is None
    assert "Shannon entropy" not in text
    land.close()


def test_measures_that_take_long_are_not_at_the_end_of_a_search(alone, tmp_path, monkeypatch):
    monkeypatch.setattr("nnpotential.view.report._PATIENCE", 0.0)
    land = Landscape.open(copy_of(alone, tmp_path))
    names = [
        [c["name"] for c in content(land.report(quick=q))[1]["columns"]] for q in (True, False)
    ]
    assert names[0] == ["id", "loss", "barrier", "hits"] and "test-auc" in names[1]
    land.close()


def test_weights_that_are_too_many_are_those_of_the_lowest(land, monkeypatch):
    size = land.system.n_dof
    monkeypatch.setattr("nnpotential.view.report._MOST_WEIGHTS", 3 * size + 1)
    _, data = content(land.report())
    assert (data["weights"]["n"], data["weights"]["size"]) == (3, size)
    monkeypatch.undo()
    land.report(title=HOSTILE)


def test_a_page_that_cannot_be_finished_leaves_the_one_before(land, monkeypatch):
    before = (land.path / "report.html").read_bytes()

    def broken(text, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jinja2.environment.TemplateStream.dump", broken)
    with pytest.raises(InputError, match=r"report.html cannot be written: No space left"):
        land.report()
    assert (land.path / "report.html").read_bytes() == before
    assert not [p for p in land.path.iterdir() if p.name.startswith(".report")]


def test_results_of_reach_are_on_the_page_and_a_damaged_file_is_named(alone, tmp_path):
    land = Landscape.open(copy_of(alone, tmp_path))
    land.reach(methods=["lbfgs"], runs=2, draw=False)
    text, _ = content(land.report(quick=True))
    assert "Which minima training reaches" in text and '<td class="wrap">lbfgs</td>' in text
    (land.path / "reach.json").write_text("{")
    with pytest.raises(InputError, match=r"reach.json is damaged"):
        land.report(quick=True)
    land.close()


def test_a_network_without_coordinates_has_a_page(tmp_path):
    page = NetworkDirectory.create(tmp_path / "a", by_hand()).report()
    text, data = content(page)
    assert column(data, "loss") == [0.0, 1.0, 2.0, 3.0]
    assert column(data, "barrier") == [0.0, 3.0, 2.0, None]
    assert data["weights"] is None and data["graph"]["minima"] == [0, 1, 2]
    assert [c["name"] for c in data["columns"]] == ["id", "loss", "barrier", "log_determinant"]
    assert "stationary points without coordinates" in text


def test_the_command_writes_the_page(alone, tmp_path, capsys, monkeypatch):
    path = copy_of(alone, tmp_path)
    command = ["nnpotential", "report", str(path), "--quick", "--title", "mine"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert ended.value.code == 0 and re.search(r"size +│ +\d+\.\d MB", told.out)
    assert told.err == f"report: {path / 'report.html'}\n"
    assert content(path / "report.html")[1]["title"] == "mine"


def test_what_fails_is_named_on_the_page(alone, tmp_path, run):
    """As by `verify` and `certify`, and only there."""
    pytest.importorskip("flint", reason="python-flint is not installed")
    land = Landscape.open(copy_of(alone, tmp_path))
    land.certify()
    assert "Did not pass" not in land.report(quick=True).read_text(encoding="utf-8")
    m = land.database.minima()[0]
    way = np.random.default_rng(0).normal(size=m.coords.size)
    replace(land, m, m.coords + 1e-6 * way / np.linalg.norm(way))
    number = m.id()
    land.database.session.commit()
    land.certify()
    text = land.report(quick=True).read_text(encoding="utf-8")
    assert f"<li>minimum {number}: Newton step too long: 2 eta = " in text
    assert "Without a proof" in text and "Did not pass" not in text
    land.close()
    code, _, err = run("verify", land.path)
    said = [
        line for line in err.splitlines() if re.match(r"(minimum|transition state) \d+: ", line)
    ]
    assert code == 1 and f"minimum {number}: not converged" in said
    land = Landscape.open(land.path)
    text = land.report(quick=True).read_text(encoding="utf-8")
    listed = re.search(r"Did not pass</h3>\n<ul>\n(.*?)</ul>", text, re.DOTALL).group(1)
    assert re.findall("<li>(.*)</li>", listed) == said
    land.close()
    _, _, err = run("certify", land.path)
    assert f"have not passed verification: {len(said)} of all points" in err


def test_a_place_without_a_landscape_gives_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["nnpotential", "report", str(tmp_path / "a")])
    with pytest.raises(SystemExit) as ended:
        main()
    error = capsys.readouterr().err
    assert (
        ended.value.code == 2
        and len(error.splitlines()) == 1
        and "there is no landscape at" in error
    )


# In a browser.

CHANGE = """globalThis.change = (id, value) => {
  at(id).value = value;
  at(id).dispatchEvent(new Event(id === "find" ? "input" : "change"));
};"""
GRAPH = "at('graph').querySelector('.main-svg').clientWidth"

in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.fixture
def opened(browser, land):
    browser.said.clear()
    browser.open(land.path / "report.html")
    yield browser
    assert browser.said == []


def selected(browser):
    return browser.evaluate("document.querySelector('#minimum h3').textContent")


def centre(browser, selector):
    frame = f"document.querySelector({selector!r}).getBoundingClientRect()"
    return browser.evaluate(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({frame})")


def end_of_branch(browser, k):
    """Where on the screen the branch of a minimum ends, as Plotly places it."""
    left, top = browser.evaluate("(r => [r.x, r.y])(at('graph').getBoundingClientRect())")
    for axis, value in (("xaxis", f"placeOf.get({k})"), ("yaxis", f"column.loss[{k}]")):
        place = f"(a => a._offset + a.d2p({value}))(at('graph')._fullLayout.{axis})"
        left, top = (top, left + browser.evaluate(place))
    return left, top


@in_a_browser
class TestInABrowser:
    def test_it_is_drawn_and_the_lowest_is_selected(self, opened, land):
        lowest = min(land.graph(), key=lambda m: (m.energy, m.id()))
        assert selected(opened) == f"Minimum {lowest.id()}"
        assert opened.evaluate("document.title") == HOSTILE
        assert opened.evaluate("document.querySelector('h1').textContent") == HOSTILE
        assert opened.evaluate("document.querySelectorAll('#weights canvas').length") == 4
        plots = "[...document.querySelectorAll('.js-plotly-plot')].map(p => p.id)"
        assert opened.evaluate(plots) == ["graph", "losses", "barriers", "heat-capacity"]
        assert opened.evaluate("document.querySelectorAll('#list tbody tr').length") == min(
            15, len(land.graph())
        )

    def test_hovering_tells_and_a_click_selects(self, opened):
        k = opened.evaluate("fromLeft.find(k => k > 0)")
        x, y = end_of_branch(opened, k)
        opened.mouse(x, y)
        opened.until("document.querySelector('#graph .hoverlayer .hovertext')")
        told = opened.evaluate("document.querySelector('#graph .hoverlayer').textContent")
        number, loss = opened.evaluate(f"[column.id[{k}], shortly(column.loss[{k}])]")
        for part in (f"minimum {number}", loss, "test accuracy", "test AUC", "largest eigenvalue"):
            assert part in told
        opened.mouse(x, y, click=True)
        opened.until(f"state.selected === {k}")
        assert selected(opened) == f"Minimum {number}"
        assert opened.evaluate("location.hash") == f"#minimum={number}"
        assert opened.evaluate("at('said').textContent").startswith(f"Minimum {number}: loss ")
        # its mark is where Plotly has the end of its branch
        mark = centre(opened, "#marks .selected")
        assert mark == pytest.approx(end_of_branch(opened, k), abs=1.0)

    def test_the_address_selects_and_its_path_leads_down(self, browser, land):
        far = max(barriers_to_lowest(land.graph()).items(), key=lambda pair: pair[1])
        browser.said.clear()
        browser.open(land.path / "report.html", f"#minimum={far[0].id()}")
        assert selected(browser) == f"Minimum {far[0].id()}"
        top = browser.evaluate("Math.max(...path(state.selected).map(step => step.energy))")
        assert top - far[0].energy == pytest.approx(far[1], abs=1e-15)
        points = "document.querySelectorAll('#path .points path').length"
        assert browser.evaluate(points) == browser.evaluate("path(state.selected).length")
        link = "#minimum td a"
        other = browser.evaluate(f"document.querySelector('{link}').textContent")
        browser.evaluate(f"document.querySelector('{link}').click()")
        browser.until(f"state.selected === place.get({other})")
        assert browser.said == []

    def test_the_keyboard_is_enough(self, opened):
        opened.evaluate("at('graph').focus()")
        opened.key("ArrowRight")
        here = opened.evaluate("fromLeft.indexOf(state.selected)")
        opened.key("ArrowRight")
        assert opened.evaluate("fromLeft.indexOf(state.selected)") == here + 1
        span = "at('graph').layout.yaxis.range[1] - at('graph').layout.yaxis.range[0]"
        before = opened.evaluate(span)
        opened.key("+")
        assert opened.evaluate(span) == pytest.approx(before / 2)
        opened.key("0")
        assert opened.evaluate(span) == pytest.approx(before)
        opened.evaluate("document.querySelector('#list tbody button[tabindex=\"0\"]').focus()")
        opened.key("Home")
        opened.key("ArrowDown")
        assert opened.evaluate("document.activeElement.dataset.k") == "1"
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert opened.evaluate(outline) == "solid"
        opened.key("Enter")
        assert opened.evaluate("state.selected") == 1
        assert opened.evaluate("document.activeElement.dataset.k") == "1"

    def test_colours_filters_and_search(self, opened):
        shapes = "[...document.querySelectorAll('#graph .shapelayer path')]"
        shades = f"{shapes}.filter(p => p.dataset.index >= FIRST)"
        used = f"{shades}.filter(p => p.getBoundingClientRect().height > 0).length"
        assert opened.evaluate(used) == 0
        opened.evaluate(CHANGE)
        opened.evaluate("change('colour', 'weight-norm')")
        assert opened.evaluate(used) > 1
        strokes = f"new Set({shades}.map(p => getComputedStyle(p).stroke)).size"
        assert opened.evaluate(strokes) == opened.evaluate("SHADES")
        middle = opened.evaluate("column.loss[Math.floor(n / 2)]")
        opened.evaluate(f"change('loss-to', '{middle}')")
        fit = opened.evaluate(f"column.loss.filter(v => v <= {middle}).length")
        assert opened.evaluate("state.order.length") == fit < opened.evaluate("n")
        assert f"{fit} that fit" in opened.evaluate("at('listed').textContent")
        number = opened.evaluate("column.id[1]")
        opened.evaluate(f"change('find', '{number}')")
        assert selected(opened) == f"Minimum {number}"
        opened.evaluate("change('find', '123456')")
        assert opened.evaluate("at('said').textContent") == "There is no minimum 123456."

    def test_it_fits_a_phone_dark_paper_and_print(self, opened, tmp_path):
        opened.resize(390, 844, mobile=True)
        opened.until(f"innerWidth === 390 && {GRAPH} < 390")
        assert opened.evaluate("document.documentElement.scrollWidth") <= 390
        opened.resize(1280, 900)
        paper = "getComputedStyle(document.body).backgroundColor"
        light = opened.evaluate(paper)
        opened.dark()
        assert opened.evaluate(paper) != light
        ink = "getComputedStyle(document.querySelector('#graph .shapelayer path')).stroke"
        assert opened.evaluate(ink) == opened.evaluate("getComputedStyle(document.body).color")
        opened.dark(False)
        opened.print(tmp_path / "a.pdf")
        assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
        # after print it is as wide as before
        opened.until(f"{GRAPH} === at('graph').clientWidth")
