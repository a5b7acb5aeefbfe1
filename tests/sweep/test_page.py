"""sweep.html: what it holds, and what its script makes of it."""

import json
import re
import shutil
import subprocess

import pytest

from nnpotential.sweep.page import write_page

NODE = shutil.which("node")
# enough of a browser for the script of the page
BROWSER = """
const elements = {};
globalThis.document = {getElementById: id => elements[id] ||= {
  set innerHTML(html) {
    this.html = html;
    const first = /<option value="([^"]*)"/.exec(html);
    if (first) this.value = first[1];
  },
  get innerHTML() { return this.html; }, value: id === "scale" ? "above" : "", checked: false}};
"""
SHOWN = """
const shownBy = Object.entries(elements).map(([id, e]) => [id, e.html || e.textContent]);
console.log(JSON.stringify(Object.fromEntries(shownBy)));
"""


class Records:
    """Records as `nnpotential.sweep.records.Records` gives them."""

    def __init__(self, *entries):
        self._entries = entries

    def entries(self):
        return iter(self._entries)


def entry(name, n_minima, seed=0, hidden=(2,), **more):
    figures = {"n_minima": n_minima, "barriers": {"0.5": 0.1 * n_minima}, "jobs_set_aside": []}
    return {
        "name": name,
        "state": "finished",
        "settings": {"seed": seed, "network": {"hidden": list(hidden)}},
        "figures": figures,
        "tree": [[0.0, 1.0, 0.0, 2.0], [1.0, 1.5, 1.0, 2.0], [0.0, 2.0, 1.0, 2.0]],
        "n_parameters": 12,
        "seconds": 1.0,
        **more,
    }


RECORDS = Records(
    entry("hidden-2_seed-0", 3),
    entry("hidden-2_seed-1", 5, seed=1),
    entry("hidden-3_seed-0", 10, hidden=(3,)),
    {
        "name": "</script><b>",
        "state": "failed",
        "error": "TypeError: <b>",
        "settings": {"seed": 1, "network": {"hidden": [3]}},
    },
)


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "a<b"
    folder.mkdir()
    write_page(folder, RECORDS)
    return (folder / "sweep.html").read_text()


def test_the_page_needs_nothing_else_and_no_name_breaks_it(page):
    assert not re.search(r"https?:|src=|<link|@import", page)
    assert page.count("</script>") == 1 and "<b>" not in page and "a&lt;b" in page
    data = json.loads(re.search(r"^const data = (.*);$", page, re.MULTILINE).group(1))
    assert data["varying"] == ["seed", "network.hidden"]
    assert {"n_parameters", "n_minima", "barriers.0.5"} <= set(data["measures"])
    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
    assert [row["n_minima"] for row in rows] == [3, 5, 10, None]
    assert rows[3]["error"] == "TypeError: <b>"
    graph = data["graphs"][0]
    assert (graph["name"], graph["low"], graph["high"]) == ("hidden-2_seed-0", 1.0, 2.0)
    assert graph["lines"][:4] == [0, 0, 0, 9999]


def test_a_sweep_without_a_point_has_a_page(tmp_path):
    write_page(tmp_path, Records())
    assert '"rows":[]' in (tmp_path / "sweep.html").read_text()


@pytest.mark.skipif(NODE is None, reason="node runs the script of the page")
def test_the_script_draws_means_with_error_bars_and_the_graphs(page):
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL).group(1)
    run = [NODE, "-e", BROWSER + script.replace('"use strict"', "") + SHOWN]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["counts"] == "3 points finished, 1 point failed"
    # two seeds: mean 4, standard error 1; one seed: no bar
    assert ": 4 ± 1 (2 points)" in shown["plot"] and ": 10 ± 0 (1 point)" in shown["plot"]
    assert "NaN" not in shown["plot"] + shown["graphs"]
    assert shown["graphs"].count("<figure>") == 3
    assert "TypeError: &#60;b&#62;" in shown["points"]
