"""Disconnectivity graphs of any source: by hand, the same of all, and what is asked of them."""

import pickle
import re
import sqlite3
import time
from collections import Counter
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from pele.storage import Database
from transition_networks import ORACLE, by_hand, scattered

import nnpotential as nnp
from nnpotential import InputError, Measure, disconnectivity_graph, disconnectivity_graphs
from nnpotential.analysis.funnel import superbasins
from nnpotential.exchange.directory import NetworkDirectory
from nnpotential.graphs import titles_of
from nnpotential.view.source import Source


@pytest.fixture
def graph():
    """Two funnels, a and b, each with a second minimum; one that is alone."""
    found = nx.Graph(name="two funnels", energy_label="loss (nats)")
    for name, energy, funnel in (
        ("a", 0.0, "left"),
        ("a'", 1.0, "left"),
        ("b", 0.5, "right"),
        ("b'", 1.5, "right"),
        ("alone", 2.0, None),
    ):
        found.add_node(name, energy=energy, funnel=funnel, width=1 + energy)
    for one, two, energy in (("a", "a'", 2.0), ("b", "b'", 2.0), ("a", "b", 4.0)):
        found.add_edge(one, two, energy=energy)
    return found


def lines(found):
    return sorted(map(tuple, found.lines.reshape(-1, 4).tolist()))


def colours(path):
    """How many lines are drawn in each colour."""
    found = re.findall(r'<path d="([^"]*)"[^>]*?stroke: (#[0-9a-f]{6})', path.read_text())
    drawn = Counter()
    for line, colour in found:
        drawn[colour] += line.count("M")
    return drawn


def test_a_graph_by_hand(graph):
    """The larger of equals, the lower, is in the middle; branches bend from the level below."""
    found = disconnectivity_graph(graph, levels=2, bottom=2.0, top=4.0, joints="slanted")
    assert found.levels.tolist() == [2.0, 4.0]
    places = dict(zip(found.names, found.tree.places, strict=True))
    assert sorted(places.values()) == [0.5, 1.5, 2.5, 3.5] and "alone" not in places
    a, b, c, d = (places[name] for name in ("a", "a'", "b", "b'"))
    assert abs(a - b) == 1 and abs(c - d) == 1
    expected = [
        (a, 0.0, a, 0.0),
        (a, 0.0, a, 2.0),
        (b, 1.0, b, 1.0),
        (b, 1.0, a, 2.0),
        (c, 0.5, c, 0.5),
        (c, 0.5, c, 2.0),
        (d, 1.5, d, 1.5),
        (d, 1.5, c, 2.0),
        (a, 2.0, a, 2.0),
        (a, 2.0, a, 4.0),
        (c, 2.0, c, 2.0),
        (c, 2.0, a, 4.0),
        (a, 4.0, a, 4.0),
    ]
    assert lines(found) == sorted(expected)
    upright = disconnectivity_graph(graph, levels=2, bottom=2.0, top=4.0, joints="upright")
    ends = {(min(a, b), 2.0, max(a, b), 2.0), (min(c, d), 2.0, max(c, d), 2.0)}
    stems = {(a, 0.0, a, 2.0), (b, 1.0, b, 2.0), (c, 0.5, c, 2.0), (d, 1.5, d, 2.0)}
    joined = {(a, 2.0, a, 4.0), (c, 2.0, c, 4.0), (min(a, c), 4.0, max(a, c), 4.0)}
    assert set(lines(upright)) == ends | stems | joined | {(a, 4.0, a, 4.0)}


def test_all_sources_give_the_same_lines(alone, tmp_path):
    alone.draw()
    network = alone.network()
    NetworkDirectory.create(tmp_path / "network", network)
    nnp.export_pathsample(alone.path, tmp_path / "pathsample")
    bare = nx.Graph()
    for m in alone.graph():
        bare.add_node(m.id(), energy=m.energy)
    for one, two, energy in alone.graph().edges(data="energy"):
        bare.add_edge(one.id(), two.id(), energy=energy)
    plain = Database(str(alone.path / "landscape.sqlite"), createdb=False)
    sources = [
        alone,
        alone.path,
        str(alone.path),
        network,
        alone.database,
        plain,
        alone.path / "landscape.sqlite",
        tmp_path / "network",
        NetworkDirectory.open(tmp_path / "network"),
        tmp_path / "pathsample",
        tmp_path / "pathsample" / "min.data",
        alone.graph(),
        bare,
    ]
    found = [disconnectivity_graph(source) for source in sources]
    assert len(found[0]) > 3
    assert all(lines(other) == lines(found[0]) for other in found)
    ids = sorted(m.id() for m in alone.graph() if m in nx.node_connected_component(*_lowest(alone)))
    assert [sorted(found[k].names) for k in (0, 6, 11, 12)] == [ids] * 4


def _lowest(land):
    graph = land.graph()
    return graph, min(graph, key=lambda m: m.energy)


def test_a_database_of_a_stranger_is_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    database = Database(str(tmp_path / "a.sqlite"))
    pair = [database.addMinimum(energy, np.array([energy])) for energy in (0.0, 1.0)]
    database.addTransitionState(2.0, np.array([0.5]), *pair)
    database.session.commit()
    database.session.close()
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        trap = pickle.dumps(Trap())
        connection.execute("UPDATE tbl_minima SET coords = ?, user_data = ?", (trap, trap))
    assert disconnectivity_graph(tmp_path / "a.sqlite").names == [1, 2]
    assert not (tmp_path / "sprung").exists()
    for energy in ("low", np.inf):
        with sqlite3.connect(tmp_path / "b.sqlite") as other:
            sqlite3.connect(tmp_path / "a.sqlite").backup(other)
            other.execute("UPDATE tbl_minima SET energy = ? WHERE _id = 2", (energy,))
        with pytest.raises(InputError, match=r"b\.sqlite: the energy of a minimum is "):
            disconnectivity_graph(tmp_path / "b.sqlite")
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("UPDATE tbl_minima SET invalid = 1 WHERE _id = 2")
    assert disconnectivity_graph(tmp_path / "a.sqlite").names == [1]


def test_what_is_no_database_is_one_line(tmp_path):
    (tmp_path / "text").write_text("nothing")
    with pytest.raises(InputError, match=r"neither a pele database nor min\.data"):
        disconnectivity_graph(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE a (b INTEGER)")
    with pytest.raises(InputError, match=r"is no pele database \(no such table"):
        disconnectivity_graph(tmp_path / "other.sqlite")
    whole = (tmp_path / "other.sqlite").read_bytes()
    (tmp_path / "half.sqlite").write_bytes(whole[:100] + b"\xff" * 3000)
    with pytest.raises(InputError, match="is no intact database"):
        disconnectivity_graph(tmp_path / "half.sqlite")
    with pytest.raises(InputError, match="there is no landscape at"):
        disconnectivity_graph(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"of a landscape, a pele database, a networkx\.Graph"):
        disconnectivity_graph(7)


def n_crossing(found, level):
    low, high = found.lines[:, 0, 1], found.lines[:, 1, 1]
    return int(((low <= level) & (high > level)).sum())


@pytest.mark.parametrize("joints", ["upright", "slanted"])
@pytest.mark.parametrize("asked", [{}, {"within": 1.5}, {"lowest": 12}, {"top": 1.0}])
def test_branches_are_superbasins_of_those_asked_for(asked, joints):
    """Whichever minima are drawn, they join where paths through all of them do."""
    network = scattered(40, seed=3)
    energies = network.minima.energies - network.minima.energies.min()
    found = disconnectivity_graph(
        network, scale="above", levels=25, bottom=0.2, **{"top": 5.0, **asked}, joints=joints
    )
    kept = [k for k, i in enumerate(network.minima.ids) if i in found.names]
    if "within" in asked:
        assert kept == np.flatnonzero(energies <= 1.5).tolist()
    if "lowest" in asked:
        assert kept == sorted(np.argsort(energies)[:12].tolist())
    if "top" in asked:
        assert kept == np.flatnonzero(energies <= 1.0).tolist()
    graph = network.graph()
    for level in found.levels[3:-1:4]:
        height = level + network.minima.energies.min()
        below = [(i, j) for i, j, e in graph.edges(data="energy") if e <= height]
        sets = nx.Graph(below)
        sets.add_nodes_from(range(len(network)))
        expected = sum(
            any(k in part and energies[k] <= level for k in kept)
            for part in nx.connected_components(sets)
        )
        assert n_crossing(found, level) == expected
    if not asked:
        heights = found.levels + network.minima.energies.min()
        counted = superbasins(network, heights[3:-1]).tolist()
        assert [n_crossing(found, level) for level in found.levels[3:-1]] == counted


def test_components(graph):
    assert disconnectivity_graph(graph).names == ["a", "a'", "b", "b'"]
    assert disconnectivity_graph(graph, component="alone").names == ["alone"]
    found = disconnectivity_graph(graph, component="all")
    assert len(found) == found.n_minima == 5


def test_branches_in_order_of_a_measure():
    """All join at one level: each stands where its value puts it."""
    star = nx.Graph()
    for k, value in enumerate([0.3, 0.1, 0.5, 0.2]):
        star.add_node(k, energy=0.01 * k, value=value)
        if k:
            star.add_edge(0, k, energy=1.0)
    found = disconnectivity_graph(star, order="value")
    assert np.argsort(found.tree.places).tolist() == [1, 3, 0, 2]
    found = disconnectivity_graph(star, order={0: 4, 1: 3, 2: 2, 3: 1})
    assert np.argsort(found.tree.places).tolist() == [3, 2, 1, 0]
    network = scattered(50, seed=1)
    left = disconnectivity_graph(network, order="energy").tree
    assert sorted(left.places) == [k + 0.5 for k in range(50)]


def test_a_logarithmic_axis(graph, tmp_path):
    found = disconnectivity_graph(graph, tmp_path / "a.svg", log=True, levels=7)
    assert np.ptp(found.levels[1:] / found.levels[:-1]) < 1e-9
    ends = [found.lines[found.tree.owners == k][:, 0, 1].min() for k in range(4)]
    assert ends[1:] == [1.0, 0.5, 1.5] and 0 < ends[0] < 0.5
    assert "loss above the lowest (nats)" in (tmp_path / "a.svg").read_text()


def test_equal_lowest_minima_have_a_logarithm_too(tmp_path):
    two = nx.Graph()
    two.add_node("a", energy=-1.0)
    two.add_node("b", energy=np.nextafter(-1.0, 0))
    two.add_node("c", energy=1.0)
    two.add_edge("a", "b", energy=0.0)
    two.add_edge("b", "c", energy=2.0)
    found = disconnectivity_graph(two, tmp_path / "a.png", log=True)
    assert found.lines[..., 1].min() >= 1e-4


def test_files_that_journals_take(graph, tmp_path):
    files = [tmp_path / f"a.{suffix}" for suffix in ("pdf", "svg", "png")]
    disconnectivity_graph(graph, files, title="a title", labels=["a"], colour="funnel")
    pdf = files[0].read_bytes()
    n_fonts = pdf.count(b"/Type /FontDescriptor")
    assert n_fonts and pdf.count(b"/FontFile2") == n_fonts and b"/Type3" not in pdf
    svg = files[1].read_text()
    for text in ("a title", "loss (nats)", "4 of 5 minima", "left", "right", "funnel", ">a<"):
        assert text in svg
    assert "<image" not in svg
    assert files[2].read_bytes()[:4] == b"\x89PNG"
    before = [file.read_bytes() for file in files]
    disconnectivity_graph(graph, files, title="a title", labels=["a"], colour="funnel")
    assert [file.read_bytes() for file in files] == before


def test_groups_colour_whole_branches(graph, tmp_path):
    """The stem of a funnel has the colour of its minima, what joins two groups is black."""
    options = {"levels": 2, "bottom": 2.0, "top": 4.0, "joints": "upright"}
    disconnectivity_graph(graph, tmp_path / "a.svg", colour="funnel", **options)
    drawn = colours(tmp_path / "a.svg")
    # two ends, a bar and a stem of each, and its line in the legend
    assert drawn["#0072b2"] == 5 and drawn["#d55e00"] == 5
    disconnectivity_graph(graph, tmp_path / "a.svg", colour="basin", **options)
    assert "monotonic sequence basin of" in (tmp_path / "a.svg").read_text()
    groups = {name: f"group {k}" for k, name in enumerate(graph)}
    for k in range(4):
        graph.add_node(k, energy=3.0)
        graph.add_edge("a", k, energy=3.5)
        groups[k] = f"group {5 + k}"
    disconnectivity_graph(graph, tmp_path / "a.svg", colour=groups)
    assert "others" in (tmp_path / "a.svg").read_text()


def test_numbers_have_a_colour_bar(graph, tmp_path):
    file = tmp_path / "a.svg"
    disconnectivity_graph(graph, file, colour="width", colour_label="how wide", log_colour=True)
    assert "how wide" in file.read_text() and len(colours(file)) > 4
    disconnectivity_graph(graph, file, colour={"a": 1.0, "b": 2.0, "b'": 3.0, "a'": 5})
    assert "not known" not in file.read_text()
    disconnectivity_graph(graph, file, colour={"a": 1.0, "b": 2.0})
    assert "not known" in file.read_text() and "#999999" in colours(file)
    disconnectivity_graph(graph, file, colour=dict.fromkeys(graph, 3.0), colour_label="of all")
    assert "of all: 3 for all" in file.read_text()
    disconnectivity_graph(by_hand(), file, colour="log-determinant")
    assert "ln det of the Hessian" in file.read_text()


def test_labels_and_insets_of_a_landscape(explored, tmp_path):
    file = tmp_path / "a.svg"
    ids = [m.id() for m in sorted(explored.graph(), key=lambda m: m.energy)][:3]
    names = sorted(disconnectivity_graph(explored).names)[:3]
    disconnectivity_graph(explored, file, labels=names, insets=names, colour="test-auc")
    text = file.read_text()
    energies = {m.id(): m.energy for m in explored.graph()}
    for number in names:
        assert f">{number}<" in text and f"{number}: {energies[number]:.6g}" in text
    without = tmp_path / "b.svg"
    disconnectivity_graph(explored, without, labels=ids[0])
    assert len(file.read_text()) > 1.5 * len(without.read_text())


def test_insets_of_clusters_and_glasses(tmp_path):
    for system in (nnp.LennardJonesCluster(5), nnp.BinaryLennardJones(44)):
        database = system.create_database()
        rng = np.random.default_rng(0)
        x = next(iter(system.starts.values()))(rng)
        minimum = database.addMinimum(system.potential.getEnergy(x), x)
        network = nnp.TransitionNetwork.of_database(database)
        source = Source(network, system=system, database=database)
        disconnectivity_graph(source, tmp_path / "a.png", insets=[minimum.id()])
        picture = system.picture(x)
        assert len(picture.centres) == len(x) // 3
        between = np.linalg.norm(picture.centres[:, None] - picture.centres, axis=-1)
        expected = np.linalg.norm(x.reshape(-1, 1, 3) - x.reshape(-1, 3), axis=-1)
        if isinstance(system, nnp.LennardJonesCluster):
            assert np.allclose(between, expected)  # turned, not bent
        else:
            assert len(picture.lines) == 12 and len(np.unique(picture.tints, axis=0)) == 2


def test_the_audit_is_told(graph, tmp_path, monkeypatch):
    """A bar that has its name in the legend; where it would be a speck, the name alone."""
    file = tmp_path / "a.svg"
    audited = {
        "mean_barrier": 1.25,
        "n_barriers": 4,
        "barrier_audit": {"fall": 0.1, "interval": [0.0, 0.25]},
    }
    monkeypatch.setattr(Source, "audited", lambda self: audited)
    for mean, times in ((1.25, 2), (1e-3, 0)):
        audited["mean_barrier"] = mean
        disconnectivity_graph(graph, file)
        text = " ".join(file.read_text().split())
        assert f"mean barrier of 4 minima: {mean:.3g}" in text
        assert "may fall by 10 % (0 to 25 %)" in text
        # the bar and the band behind it, each at the graph and in the legend
        assert [text.count(f"stroke-width: {width}") for width in ("1.5", "5")] == [times] * 2
        disconnectivity_graph(graph, file, lowest=2)
        assert "mean barrier" not in file.read_text()


def test_several_on_one_scale(graph, tmp_path):
    deep = scattered(80, energy_label="loss (nats)")
    files = [tmp_path / "a.svg"]
    found = disconnectivity_graphs([graph, deep, graph], files, titles=["one", "two", "three"])
    assert all((one.levels == found[0].levels).all() for one in found)
    assert all(one.lines[..., 1].min() == 0 for one in found)
    text = files[0].read_text()
    assert all(word in text for word in ("one", "two", "three", "loss above the lowest (nats)"))
    found = disconnectivity_graphs([graph, deep], files, scale="absolute")
    assert found[1].lines[..., 1].min() == deep.minima.energies.min()
    other = scattered(20)
    with pytest.raises(InputError, match=r"loss \(nats\) and energy have no axis in common"):
        disconnectivity_graphs([graph, other], files)
    found = disconnectivity_graphs([graph, other], files, scale="spread", top=6)
    spread = np.std(other.minima.energies)
    lowest = other.minima.energies.min()
    owners = found[1].tree.owners
    ends = [found[1].lines[owners == k][:, 0, 1].min() for k in range(len(found[1]))]
    own = (other.minima.energies - lowest) / spread
    assert np.allclose(ends, own[own <= 6])
    with pytest.raises(InputError, match="have no colours in common"):
        disconnectivity_graphs([graph, other], files, scale="spread", colour="barrier")
    with pytest.raises(InputError, match="a basin is of one graph"):
        disconnectivity_graphs([graph, deep], files, colour="basin")
    with pytest.raises(InputError, match="there are 2 graphs but 1 titles"):
        disconnectivity_graphs([graph, deep], titles=["one"])
    with pytest.raises(InputError, match="labels and insets go with one graph"):
        disconnectivity_graphs([graph, deep], labels=["a"])
    with pytest.raises(InputError, match="there is no graph to draw"):
        disconnectivity_graphs([])


def test_titles_leave_out_what_is_the_same():
    assert titles_of(["n_train-10_hidden-3_seed-0", "n_train-10_hidden-5x5_seed-0"]) == [
        "hidden 3",
        "hidden 5x5",
    ]
    assert titles_of(["a-b", "lj_13"]) == ["a-b", "lj_13"]
    assert titles_of(["same", "same"]) == ["same", "same"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 1}, "levels must be at least 2, not 1"),
        ({"levels": 2.5}, "levels must be an integer"),
        ({"colours": "a"}, "unknown option of the drawing 'colours': did you mean 'colour'"),
        ({"colour": "widht"}, "no coordinates, by which minima could be coloured or ordered by"),
        ({"order": "funnel"}, "branches are ordered by numbers: 'funnel' are groups"),
        ({"order": {"a": 1}}, "minimum a' has no value of"),
        ({"colour": Measure(np.sum, "sum")}, "has no coordinates, by which .* by 'sum'"),
        ({"colour": "hits"}, "no independent quenches are known"),
        ({"colour": "log-determinant"}, "no determinant of a Hessian is known"),
        ({"colour": {"a": None}}, "is known of no minimum that is drawn"),
        ({"colour": {"z": 1}}, "there is no minimum 'z' among the 5 that are known"),
        ({"colour": "energy", "log_colour": True}, "needs numbers above 0: loss .* down to 0"),
        (
            {"labels": ["z"]},
            r"there is no minimum 'z' among the 5 that are known \(a, a', b, ...\)",
        ),
        ({"labels": ["alone"]}, "the minimum 'alone' is not among the 4 drawn"),
        ({"insets": ["a"]}, "two funnels has no coordinates, of which insets"),
        ({"component": "z"}, "there is no minimum 'z'"),
        ({"scale": "relative"}, "unknown scale 'relative': choose from absolute, above, spread"),
        ({"joints": "round"}, "unknown joints 'round'"),
        ({"within": -1.0}, "within must be a number above 0"),
        ({"lowest": 0}, "lowest must be at least 1"),
        ({"spacing": 0.0}, "spacing must be a number above 0"),
        ({"spacing": 0.1, "log": True}, "a spacing, or a number and ratio"),
        ({"log": True, "scale": "absolute"}, "leave out the absolute scale"),
        ({"top": np.nan}, "top must be a finite number"),
        ({"top": -1.0}, "no minimum lies below the top, -1: the lowest is at 0"),
        ({"columns": 3}, "columns must be 1 or 2, not 3"),
        ({"height": 0.0}, "height must be a number above 0"),
    ],
)
def test_bad_options_are_one_line(graph, tmp_path, options, message):
    with pytest.raises(InputError, match=message) as caught:
        disconnectivity_graph(graph, tmp_path / "a.png", **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_format(graph, tmp_path):
    with pytest.raises(InputError, match=r"must be a png, svg or pdf file, not .*a\.jpg"):
        disconnectivity_graph(graph, tmp_path / "a.jpg")


def test_an_edge_below_its_minimum_is_named(graph):
    graph.edges["b", "b'"]["energy"] = 1.2
    message = "the edge between b and b' has the energy 1.2, below that of its minimum b', 1.5"
    with pytest.raises(InputError, match=message):
        disconnectivity_graph(graph)
    graph.edges["b", "b'"]["energy"] = 1.5 - 1e-9  # rounding
    assert len(disconnectivity_graph(graph)) == 4
    graph.add_edge("a", "a", energy=-3.0)  # joins nothing
    assert len(disconnectivity_graph(graph)) == 4


def test_graphs_without_energies_or_minima(graph):
    with pytest.raises(InputError, match="there is no minimum to draw"):
        disconnectivity_graph(nx.Graph())
    del graph.edges["a", "b"]["energy"]
    with pytest.raises(InputError, match="between 'a' and 'b' of the graph must have a number"):
        disconnectivity_graph(graph)
    graph.nodes["b"]["energy"] = "high"
    with pytest.raises(InputError, match=r"node 'b' of the graph must have a number.* not 'high'"):
        disconnectivity_graph(graph)


def test_ten_thousand_minima_in_seconds(tmp_path):
    network = scattered(10_000, seed=2)
    begin = time.process_time()
    found = disconnectivity_graph(network, tmp_path / "a.pdf", colour="barrier")
    assert len(found) == 10_000
    assert time.process_time() - begin < 40  # 4 s on a machine that does nothing else


def test_the_command(run, alone, tmp_path):
    code, out, err = run("graph", ORACLE / "lj38", "-o", tmp_path / "a.pdf", "--label", "1,2")
    assert code == 0 and f"drawn: {tmp_path / 'a.pdf'}" in err
    assert re.search(r"│ +64 │ +47 │\n", out)
    sources = [alone.path, alone.path / "landscape.sqlite"]
    options = ["--format", "svg", "--format", "pdf", "--scale", "spread", "--title", "first one"]
    code, _, err = run(
        "graph", *sources, "-o", tmp_path / "b.0", *options, "--title", "another", "--top", "6"
    )
    assert code == 0 and "b.0.svg and .pdf" in err
    assert "first one" in (tmp_path / "b.0.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["LAND", "LAND"], "several graphs need a file to go to: --output graphs.pdf"),
        (["LAND/landscape.sqlite"], "so that the graph needs a file to go to"),
        (["LAND", "--format", "jpg"], "unknown format 'jpg'"),
        (["LAND", "-o", "a.jpg"], "must be a png, svg or pdf file, not a.jpg"),
        (["LAND", "--label", "1,x"], "there is no minimum 'x'"),
        (["LAND", "--colour", "test-acc"], "unknown colour 'test-acc': did you mean"),
        (["LAND", "--order", "test-acc"], "unknown order 'test-acc': did you mean"),
        (["LAND", "--title", "a", "--title", "b"], "there is one graph but 2 titles"),
        (["LAND", "--columns", "3"], "Invalid value for '--columns'"),
    ],
)
def test_bad_input_to_the_command(run, alone, arguments, message):
    arguments = [argument.replace("LAND", str(alone.path)) for argument in arguments]
    code, out, err = run("graph", *arguments)
    assert (code, out) == (2, "") and message in err and len(err.splitlines()) == 1
