"""A landscape directory: complete, movable, resumable, protected."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tomllib

import networkx as nx
import numpy as np
import pytest
from landscapes import SEARCH, contents
from pele.storage import Database

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.analysis.figures import barriers_to_lowest, coverage, landscape_graph
from nnpotential.networks.generalisation import MEASURES, generalisation
from nnpotential.search.journal import Journal
from nnpotential.search.kinds import Quench
from nnpotential.storage import is_verified, record_outcome


@pytest.fixture(scope="module")
def net():
    return nnp.MLP([3, 5, 4])


@pytest.fixture(scope="module")
def explored(tmp_path_factory, net, ljat):
    path = tmp_path_factory.mktemp("land") / "a"
    land = Landscape.create(path, net, ljat, regularization=1e-3, seed=3, **SEARCH)
    land.explore()
    return land


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
    assert settings["network"] == {"layer_sizes": [3, 5, 4], "activation": "tanh", "bias": True}
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


def test_summary_counts_what_the_database_holds(explored):
    summary = json.loads((explored.path / "summary.json").read_text())
    connection = sqlite3.connect(explored.path / "landscape.sqlite")
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
    assert summary["n_degenerate_rearrangements"] == n_loops
    assert summary["verified"] == {"ok": n_minima + n_states + n_loops}
    assert summary["n_components"] == 1
    assert summary["largest_component"] == n_minima
    assert summary["losses"]["0"] == summary["lowest_loss"]
    assert summary["seed"] == 3
    for key in ("barriers", "coverage", "seconds", "versions", "settings"):
        assert summary[key]


def test_verify_agrees(explored):
    results = explored.verify()
    assert {outcome for _, _, outcome in results} == {"ok"}
    n = explored.summary()["verified"]["ok"]
    assert len(results) == n


def test_graph_keeps_the_lowest_transition_state_of_each_pair(explored):
    graph = explored.graph()
    best = {}
    for ts in explored.database.transition_states():
        pair = frozenset((ts.minimum1.id(), ts.minimum2.id()))
        if len(pair) == 2:
            best[pair] = min(best.get(pair, np.inf), ts.energy)
    assert {frozenset((a.id(), b.id())): ts.energy for a, b, ts in graph.edges(data="ts")} == best
    assert nx.number_of_selfloops(graph) == 0


def test_a_higher_transition_state_added_later_does_not_hide_a_lower(ljat, net):
    system = nnp.NNSystem(net, ljat)
    database = system.create_database()
    rng = np.random.default_rng(0)
    m1, m2, m3 = (database.addMinimum(e, rng.normal(size=44)) for e in (0.1, 0.2, 0.3))
    for a, b, e in ((m1, m2, 0.5), (m1, m2, 0.9), (m2, m3, 0.4), (m1, m3, 0.7), (m1, m1, 0.8)):
        database.addTransitionState(e, rng.normal(size=44), a, b)
    assert not landscape_graph(database)  # nothing is verified yet
    for point in (*database.minima(), *database.transition_states()):
        record_outcome(point, "ok")
    graph = landscape_graph(database)
    assert graph.edges[m1, m2]["ts"].energy == 0.5
    barriers = barriers_to_lowest(graph)
    assert barriers == pytest.approx({m2: 0.5 - 0.2, m3: 0.5 - 0.3})


def test_barriers_are_minimax_over_all_paths(explored):
    graph = explored.graph()
    lowest = min(graph, key=lambda m: m.energy)
    barriers = barriers_to_lowest(graph)
    assert set(barriers) == set(graph) - {lowest}
    levels = sorted({d["energy"] for *_, d in graph.edges(data=True)})
    for m, barrier in barriers.items():
        # flood: the lowest level at which the two are connected
        for level in levels:
            flooded = nx.Graph()
            flooded.add_nodes_from(graph)
            flooded.add_edges_from((a, b) for a, b, e in graph.edges(data="energy") if e <= level)
            if nx.has_path(flooded, m, lowest):
                break
        assert barrier == pytest.approx(level - m.energy)


def test_coverage_estimates():
    assert coverage([]) == {"good_turing": None, "chao1": None}
    assert coverage([5, 5]) == {"good_turing": 1.0, "chao1": 2.0}
    figures = coverage([1, 1, 1, 2, 5])
    assert figures["good_turing"] == pytest.approx(0.7)
    assert figures["chao1"] == pytest.approx(5 + 3 * 2 / (2 * 2))


def test_generalisation_against_scikit_learn(explored):
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    system, data = explored.system, explored.system.data
    x = explored.database.minima()[0].coords
    figures = generalisation(system, x)
    f = system.net.outputs(x, data.X_test)
    p = np.exp(f - f.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    assert figures["test_loss"] == pytest.approx(log_loss(data.y_test, p, labels=range(4)))
    assert figures["test_accuracy"] == accuracy_score(data.y_test, p.argmax(1))
    each = [roc_auc_score(data.y_test == k, p[:, k]) for k in range(4)]
    assert figures["test_auc"] == pytest.approx(np.mean(each))
    penalty = 1e-3 * (x @ x)
    assert figures["train_loss"] + penalty == pytest.approx(system.potential.getEnergy(x))


def test_same_seed_same_landscape(tmp_path, explored, net, ljat):
    land = Landscape.create(tmp_path / "b", net, ljat, regularization=1e-3, seed=3, **SEARCH)
    land.explore()
    assert contents(land) == contents(explored)
    other = Landscape.create(tmp_path / "c", net, ljat, regularization=1e-3, seed=4, **SEARCH)
    other.explore(stages=["minima"])
    minima = contents(other)[0]
    assert minima != contents(explored)[0][: len(minima)]


@pytest.mark.parametrize("stop_after", [1, 12, 40])
def test_an_interrupted_search_continues_to_the_same_end(tmp_path, explored, net, ljat, stop_after):
    path = tmp_path / "b"
    land = Landscape.create(path, net, ljat, regularization=1e-3, seed=3, **SEARCH)
    calls = 0

    def interrupt(*_):
        nonlocal calls
        calls += 1
        if calls == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt)
    assert (path / "summary.json").exists()
    land.close()
    land = Landscape.open(path)
    land.explore()
    assert contents(land) == contents(explored)


def test_running_again_changes_nothing(tmp_path, explored):
    shutil.copytree(explored.path, tmp_path / "moved")
    land = Landscape.open(tmp_path / "moved")
    before = contents(land)
    land.explore()
    assert contents(land) == before
    land.explore(quenches=12)
    assert land.summary()["coverage"]["n_quenches"] == 12
    assert Landscape.open(tmp_path / "moved").settings["search"]["quenches"] == 12


def test_plain_pele_reads_the_database(explored):
    database = Database(str(explored.path / "landscape.sqlite"), createdb=False)
    assert database.number_of_minima() == explored.database.number_of_minima()


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


def test_the_weight_norm_is_what_the_penalty_is_made_of(explored):
    x, measures = explored.database.minima()[0].coords, explored.system.measures
    penalty = explored.system.potential.getEnergy(x) - measures["train-loss"].function(x)
    assert 1e-3 * measures["weight-norm"].function(x) ** 2 == pytest.approx(penalty)


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


def damaged(explored, tmp_path):
    return shutil.copytree(explored.path, tmp_path / "copy")


def test_missing_and_foreign_places(tmp_path, explored):
    with pytest.raises(InputError, match="no landscape at"):
        Landscape.open(tmp_path / "none")
    with pytest.raises(InputError, match="is no landscape"):
        Landscape.open(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        Landscape.open(explored.path / "settings.toml")


def test_truncated_database(tmp_path, explored):
    path = damaged(explored, tmp_path)
    database = path / "landscape.sqlite"
    whole = database.read_bytes()
    database.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="no intact database"):
        Landscape.open(path)
    assert len(database.read_bytes()) == len(whole) // 2
    database.write_bytes(b"not a database at all, but long enough to look at" * 100)
    with pytest.raises(InputError, match="no intact database"):
        Landscape.open(path)
    database.unlink()
    with pytest.raises(InputError, match="there is no database"):
        Landscape.open(path)
    sqlite3.connect(database).execute("CREATE TABLE other (x)").connection.close()
    with pytest.raises(InputError, match="no pele database"):
        Landscape.open(path)


def test_database_of_other_data(tmp_path, explored, net, iris):
    path = damaged(explored, tmp_path)
    other = Landscape.create(tmp_path / "iris", nnp.MLP([4, 5, 3]), iris)
    shutil.copy(other.path / "landscape.sqlite", path)
    with pytest.raises(InputError, match="made with other settings: layer_sizes is '4-5-3'"):
        Landscape.open(path)
    shutil.copy(other.path / "dataset.npz", path)
    with pytest.raises(InputError, match=r"not the data set that settings\.toml describes"):
        Landscape.open(path)


def test_damaged_settings(tmp_path, explored):
    path = damaged(explored, tmp_path)
    (path / "settings.toml").write_text("seed = [")
    with pytest.raises(InputError, match="cannot be read"):
        Landscape.open(path)
    (path / "settings.toml").write_text("seed = 1\n")
    with pytest.raises(InputError, match="lacks 'search'"):
        Landscape.open(path)


# Verification finds what is wrong


@pytest.mark.parametrize(
    ("spoil", "outcome"),
    [
        (lambda land, m, t: setattr(m, "energy", m.energy + 1e-8), "loss differs"),
        (lambda land, m, t: shift(land, m, 1e-6), "not converged"),
        (lambda land, m, t: replace(land, m, t.coords), "wrong index"),
        (lambda land, m, t: replace(land, t, m.coords), "wrong index"),
        (lambda land, m, t: twin(land, m), "duplicate"),
        (lambda land, m, t: misfile(land, t), "descends elsewhere"),
    ],
)
def test_verification_finds(tmp_path, explored, spoil, outcome):
    land = Landscape.open(damaged(explored, tmp_path))
    minimum = land.database.minima()[-1]
    ts = next(t for t in land.database.transition_states() if t.minimum1 != t.minimum2)
    spoil(land, minimum, ts)
    land.database.session.commit()
    outcomes = [o for _, _, o in land.verify()]
    assert outcome in outcomes
    assert json.loads((land.path / "summary.json").read_text())["verified"][outcome] >= 1


def shift(land, point, by):
    replace(land, point, point.coords + by)


def replace(land, point, coords):
    point.coords = np.array(coords)
    point.energy = land.system.potential.getEnergy(point.coords)


def twin(land, minimum):
    from pele.storage import Minimum

    symmetry = land.system.identity
    image = symmetry.apply(symmetry.random_operation(np.random.default_rng(0)), minimum.coords)
    other = Minimum(land.system.potential.getEnergy(image), image)
    other.user_data = {"verified": "ok"}
    land.database.session.add(other)


def misfile(land, ts):
    others = [m for m in land.database.minima() if m not in (ts.minimum1, ts.minimum2)]
    ts.minimum2 = others[0]


# Crashes, two processes, odd names


def test_a_hot_journal_is_rolled_back(tmp_path, explored):
    """Killed in the middle of a write, a database must open again, as it was before."""
    path = damaged(explored, tmp_path)
    script = (
        "import os, signal, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1])\n"
        "c.execute('PRAGMA cache_size = 2')\n"
        "c.execute('BEGIN')\n"
        "c.execute('UPDATE tbl_minima SET energy = 9')\n"
        "for i in range(300):\n"
        "    c.execute('INSERT INTO tbl_minima (energy, coords) VALUES (1, ?)', (bytes(3000),))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(path / "landscape.sqlite")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (path / "landscape.sqlite-journal").exists()
    land = Landscape.open(path)
    assert contents(land) == contents(explored)


def test_a_second_process_is_refused(tmp_path, explored):
    path = damaged(explored, tmp_path)
    first, second = Landscape.open(path), Landscape.open(path)

    def meanwhile(*_):
        with pytest.raises(InputError, match=f"being worked on by process {os.getpid()}"):
            second.explore()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.explore(meanwhile, quenches=20)
    second.explore(stages=["minima"])  # free again


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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("layer_sizes", "sizes_of_layers", "is damaged: TypeError"),
        ("sha256", "sha", "is damaged: KeyError"),
        ("bias = true", 'bias = "no"', "bias must be True or False"),
        ("regularize_bias = true", "regularise = true", "is damaged: TypeError"),
        ("seed = 3", "seed = -3", "seed must be at least 0"),
        ("quenches = 8", "quenchs = 8", "is damaged: TypeError"),
    ],
)
def test_settings_with_errors(tmp_path, explored, old, new, message):
    path = damaged(explored, tmp_path)
    text = (path / "settings.toml").read_text()
    assert old in text
    (path / "settings.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        Landscape.open(path)


def test_of_two_images_the_first_stays(tmp_path, explored):
    land = Landscape.open(damaged(explored, tmp_path))
    minimum = land.database.minima()[0]
    twin(land, minimum)
    land.database.session.commit()
    outcomes = {number: outcome for kind, number, outcome in land.verify() if kind == "minimum"}
    assert outcomes[minimum.id()] == "ok"
    assert sorted(outcomes.values()).count("duplicate") == 1
    assert land.summary()["n_minima"] == explored.summary()["n_minima"]


def test_points_that_failed_are_in_no_figure(tmp_path, explored):
    land = Landscape.open(damaged(explored, tmp_path))
    lowest = land.database.minima()[0]
    before = land.summary()
    lowest.invalid = 1
    land.database.session.commit()
    after = land.summary()
    assert after["n_minima"] == before["n_minima"] - 1
    assert after["lowest_loss"] > before["lowest_loss"]
    assert lowest not in land.graph()


def test_without_regularization_success_means_a_minimum():
    """Separable data have their minimum at infinity; no saddle may pass for one."""
    from types import SimpleNamespace

    from nnpotential.verification.verify import verify_point

    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2))
    data = nnp.load_dataset((X, (X[:, 0] > 0).astype(int)), n_test=0)
    for activation in ("tanh", "silu"):
        system = nnp.NNSystem(nnp.MLP([2, 2, 2], activation), data, regularization=0)
        for _ in range(4):
            result = system.get_random_minimized_configuration()
            if result.success:
                point = SimpleNamespace(coords=result.coords, energy=result.energy)
                assert verify_point(system, point, index=0) in ("ok", "degenerate")


def test_corrected_connections(tmp_path, net, ljat, monkeypatch):
    """Search descents that lead elsewhere are overruled by the gradient."""
    import nnpotential.points.connect as connect

    land = Landscape.create(tmp_path / "a", net, ljat, regularization=1e-3, seed=3, **SEARCH)
    true_descend, ends = connect.descend, []

    def wrong(*args, **kwargs):
        result = true_descend(*args, **kwargs)
        ends.append(result)
        return ends[0]  # always the first minimum that was ever reached

    monkeypatch.setattr(connect, "descend", wrong)
    land.explore(connection_attempts=1)
    summary = land.summary()
    assert summary["corrected_connections"] > 0
    assert {outcome for *_, outcome in land.verify()} == {"ok"}


def test_verify_between_two_parts_of_a_search(tmp_path, net, ljat, explored):
    """What `verify` finds while checks are pending must not trip the search that goes on."""
    path = tmp_path / "a"
    land = Landscape.create(path, net, ljat, regularization=1e-3, seed=3, **SEARCH)

    def interrupt(*_):
        if land.database.number_of_minima() >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt)
    pending = [job.args[0] for job in Journal(land.database).pending() if "minimum" in job.kind]
    assert pending
    spoilt = next(m for m in land.database.minima() if m.id() in pending)
    replace(land, spoilt, spoilt.coords + 1e-4)
    land.database.session.commit()
    assert "not converged" in {outcome for *_, outcome in land.verify()}
    land.close()
    land = Landscape.open(path)
    figures = land.explore()
    assert figures["jobs_pending"] == 0
    assert figures["verified"]["not converged"] == 1


def test_only_what_is_verified_counts(tmp_path, net, ljat):
    land = Landscape.create(tmp_path / "a", net, ljat, regularization=1e-3, seed=3, **SEARCH)

    def interrupt(*_):
        if land.database.number_of_minima() >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt)
    figures = land.summary()
    assert figures["verified"]["unverified"] > 0
    assert figures["n_minima"] == sum(map(is_verified, land.database.minima()))
    assert figures["n_minima"] < land.database.number_of_minima()


def test_coverage_that_never_comes(tmp_path, net, ljat, monkeypatch):
    monkeypatch.setattr(Quench, "run", lambda *_: ([], [("too many steps", 1.0)]))
    land = Landscape.create(tmp_path / "a", net, ljat, quenches=2, basin_hopping_runs=0)
    figures = land.explore(until_coverage=0.5)
    assert figures["n_minima"] == 0
    assert 100 <= figures["coverage"]["n_quenches"] == figures["failed_quenches"] < 200


def test_settings_of_an_older_version(tmp_path, explored):
    path = damaged(explored, tmp_path)
    lines = (path / "settings.toml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("lookahead", "soft_modes"))]
    assert len(kept) == len(lines) - 2
    (path / "settings.toml").write_text("\n".join(kept) + "\n")
    Landscape.open(path).explore(workers=2)


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
