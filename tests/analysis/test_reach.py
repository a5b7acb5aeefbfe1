"""Reachability: exact where it can be, the same for any workers, and kept when interrupted."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from landscapes import NET, TINY, interrupt_at
from pele.storage import Minimum

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.analysis.passes import lowest_passes, pair_barriers
from nnpotential.analysis.reach import QUENCHES, _MeanBarrier
from nnpotential.storage import record_outcome

FEW = ["lbfgs", "sklearn-adam"]


def pair_mean(land, runs):
    """The mean barrier over pairs of runs in different minima, pair by pair."""
    network = land.network()
    heights = lowest_passes(network.graph(), range(len(network)))
    barriers = pair_barriers(heights, network.minima.energies)
    place = {number: k for k, number in enumerate(network.minima.ids.tolist())}
    ends = [place[run["minimum"]] for run in runs]
    pairs = [(a, b) for k, a in enumerate(ends) for b in ends[:k] if a != b]
    return np.mean([barriers[pair] for pair in pairs]), len(pairs)


def test_an_egg_box_is_known_exactly(box_land):
    found = box_land.reach(runs=30, draw=False)
    low, wide, wild = (found["methods"][name] for name in ("low", "wide", "wild"))
    lowest = str(found["lowest"])
    kept = json.loads((box_land.path / "reach.json").read_text())
    runs = {name: list(done.values()) for name, done in kept["kept"]["runs"].items()}
    assert kept["results"] == json.loads(json.dumps(found))
    assert low["minima"] == {int(lowest): 30} and low["at_lowest"]["mean"] == 1.0
    assert low["above_lowest"]["mean"] == pytest.approx(0, abs=1e-9)
    assert low["barrier"] == {"mean": None, "interval": None, "n_pairs": 0, "n_same": 435}
    assert 0 < low["end_above_lowest"]["quantiles"]["0"] < 1
    assert wide["n_minima"] == 8 and wide["n_new"] == 0
    mean, n_pairs = pair_mean(box_land, runs["wide"])
    assert wide["barrier"]["mean"] == pytest.approx(mean, abs=1e-9)
    assert wide["barrier"]["n_pairs"] == n_pairs
    assert wide["barrier"]["n_pairs"] + wide["barrier"]["n_same"] == 435
    below, above = wide["barrier"]["interval"]
    assert below < mean < above
    # by the energy of the exact minima, t for each axis at pi
    energies = {sum(t * k for t, k in zip((0.5, 0.9, 1.6), which, strict=True))
                for which in np.ndindex(2, 2, 2)}  # fmt: skip
    assert wide["above_lowest"]["quantiles"]["1"] == pytest.approx(max(energies))
    assert wide["percentile"]["quantiles"] == {
        q: pytest.approx(sum(e < above - 1e-6 for e in energies) / 8)
        for q, above in wide["above_lowest"]["quantiles"].items()
        if q in ("0", "1")
    } | {q: wide["percentile"]["quantiles"][q] for q in ("0.25", "0.5", "0.75")}
    assert wild["failures"] == {"training diverged": 30} and wild["n_minima"] == 0
    assert wild["above_lowest"] == {"mean": None, "interval": None, "quantiles": {}}
    change = found["differences"]["wide"]["loss"]
    assert change["mean"] == pytest.approx(wide["above_lowest"]["mean"])
    assert change["interval"][0] < change["mean"] < change["interval"][1]
    assert found["differences"]["wide"]["barrier"]["mean"] is None  # "low" has none
    assert found["methods"][QUENCHES]["n_runs"] == 40


def test_mean_barriers_by_hand():
    barriers = np.array([[np.nan, 1.0, np.nan], [1.0, np.nan, 4.0], [np.nan, 4.0, np.nan]])
    of = _MeanBarrier(barriers, [10, 20, 30])
    known = np.array([10, 10, 20, 30])
    # pairs: 10-20 twice, 20-30 once; 10-30 is not connected
    assert of.within(known)["mean"] == pytest.approx((1 + 1 + 4) / 3)
    assert of.within(known)["n_pairs"] == 3 and of.within(known)["n_same"] == 1
    across = of.between(np.array([10, 20]), np.array([20, 20, 30]))
    assert across["mean"] == pytest.approx((1 + 1 + 4) / 3) and across["n_pairs"] == 3
    assert of.change(of.columns(known), of.columns(np.array([20, 30]))) == pytest.approx(-2)


def test_the_same_for_any_workers(mapped):
    found = mapped.reach(methods=FEW, runs=3, draw=False)
    kept = json.loads((mapped.path / "reach.json").read_text())
    (mapped.path / "reach.json").unlink()
    assert mapped.reach(methods=FEW, runs=3, workers=2, draw=False) == found
    again = json.loads((mapped.path / "reach.json").read_text())
    assert again["kept"]["runs"] == kept["kept"]["runs"]
    (mapped.path / "reach.json").unlink()
    with ThreadPoolExecutor(2) as threads:
        other_way = FEW[::-1]
        assert mapped.reach(methods=other_way, runs=3, executor=threads, draw=False) == found
    assert set(found["methods"]) == {*FEW, QUENCHES}
    assert found["against"] == "lbfgs"


def test_interrupted_it_goes_on(mapped):
    with pytest.raises(KeyboardInterrupt):
        mapped.reach(interrupt_at(3), methods=FEW, runs=3)
    kept = json.loads((mapped.path / "reach.json").read_text())
    assert sum(map(len, kept["kept"]["runs"].values())) == 3 and kept["results"] is None
    todo = []
    found = mapped.reach(lambda *told: todo.append(told), methods=FEW, runs=3, draw=False)
    assert {total for _, _, total, _ in todo} == {3}
    (mapped.path / "reach.json").unlink()
    assert mapped.reach(methods=FEW, runs=3, draw=False) == found
    # what was done counts, whatever is asked for now
    more = mapped.reach(methods=["sgd-0.3-32"], runs=1, draw=False)
    assert {m: row["n_runs"] for m, row in more["methods"].items() if m != QUENCHES} == {
        "lbfgs": 3,
        "sklearn-adam": 3,
        "sgd-0.3-32": 1,
    }


def test_new_minima_are_stored_if_asked(tmp_path, system):
    land = Landscape.create(
        tmp_path / "a", system.net, system.data, regularization=1e-3, seed=1, **TINY
    )
    land.explore(draw=False)
    before = land.database.number_of_minima()
    found = land.reach(methods=["lbfgs"], runs=8, draw=False)
    row = found["methods"]["lbfgs"]
    assert row["n_new"] > 0 and row["runs_to_new"] + sum(row["minima"].values()) == 8
    assert land.database.number_of_minima() == before
    land.reach(methods=["lbfgs"], runs=8, store=True, draw=False)
    assert land.database.number_of_minima() == before + row["n_new"]
    assert land.summary()["n_from_outside"] == row["n_new"]
    land.explore(draw=False)
    again = land.reach(methods=["lbfgs"], runs=8, draw=False)["methods"]["lbfgs"]
    assert again["n_new"] == 0 and again["n_minima"] == row["n_minima"]
    assert json.loads((land.path / "reach.json").read_text())["kept"]["new"] == {}


def test_a_run_whose_minimum_is_gone_is_done_again(mapped):
    before = mapped.reach(methods=["lbfgs"], runs=3, draw=False)["methods"]["lbfgs"]
    number = next(iter(before["minima"]))
    record_outcome(mapped.database.session.get(Minimum, number), "duplicate")
    mapped.database.session.commit()
    after = mapped.reach(methods=["lbfgs"], runs=3, draw=False)["methods"]["lbfgs"]
    assert number not in after["minima"]
    assert after["runs_to_new"] == before["runs_to_new"] + before["minima"][number]


def test_an_id_that_went_to_another_minimum_is_no_minimum_reached(mapped):
    before = mapped.reach(methods=["lbfgs"], runs=3, draw=False)
    path = mapped.path / "reach.json"
    whole = json.loads(path.read_text())
    run = next(r for r in whole["kept"]["runs"]["lbfgs"].values() if "minimum" in r)
    run["energy"] += 0.01  # as if it had been another
    path.write_text(json.dumps(whole))
    todo = []
    again = mapped.reach(lambda *told: todo.append(told), methods=["lbfgs"], runs=3, draw=False)
    assert {total for _, _, total, _ in todo} == {1} and again == before


def test_minima_have_their_measures(mapped):
    found = mapped.reach(methods=["lbfgs"], runs=2, draw=False)["methods"]["lbfgs"]
    measures = mapped.system.measures
    minima = {m.id(): m.coords for m in mapped.database.minima()}
    wanted = [
        measures["test-loss"].function(minima[number])
        for number, n in found["minima"].items()
        for _ in range(n)
    ]
    if not found["runs_to_new"]:
        assert found["measures"]["test-loss"]["minima"]["mean"] == pytest.approx(np.mean(wanted))
    assert 0 <= found["measures"]["test-accuracy"]["ends"]["mean"] <= 1


def test_on_the_command_line(run, monkeypatch, mapped):
    monkeypatch.setenv("COLUMNS", "200")
    how = ["--runs", "2", "--method", "sklearn-lbfgs", "--method", "lbfgs"]
    code, out, err = run("reach", mapped.path, *how)
    assert code == 0 and "sklearn-lbfgs" in out and "less that of" in out
    assert "95 %, bootstrap over runs" in err
    assert (mapped.path / "reach.png").read_bytes().startswith(b"\x89PNG")
    assert "share at the lowest minimum" in (mapped.path / "reach.svg").read_text()
    code, out, _ = run("reach", mapped.path, *how, "--against", "sklearn-lbfgs", "--json")
    found = json.loads(out)
    assert code == 0 and found["against"] == "sklearn-lbfgs"
    assert found == json.loads((mapped.path / "reach.json").read_text())["results"]


def test_a_drawing_that_fails_costs_nothing(mapped, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("out of ink")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.warns(UserWarning, match="the figure cannot be drawn: out of ink"):
        found = mapped.reach(methods=["lbfgs"], runs=1)
    assert found["methods"]["lbfgs"]["n_runs"] == 1
    assert not (mapped.path / "reach.png").exists()


def test_bad_input_is_one_line(run, mapped, tmp_path):
    def error(*arguments):
        code, _, err = run("reach", *arguments)
        assert code == 2 and err.count("\n") == 1
        return err

    assert "did you mean 'sklearn-adam'" in error(mapped.path, "--method", "sklearn-adm")
    once = [mapped.path, "--method", "lbfgs", "--runs", "1"]
    assert "unknown method 'sgd-0.3-32'" in error(*once, "--against", "sgd-0.3-32")
    assert error(mapped.path, "--against", "none").count("sklearn-lbfgs") == 1
    assert json.loads((mapped.path / "reach.json").read_text())["kept"] == {}  # before any work
    (mapped.path / "reach.json").write_text("{")
    assert "reach.json is damaged (JSONDecodeError" in error(mapped.path)
    (mapped.path / "reach.json").write_text('{"format": 1, "settings": {"seed": 9}, "kept": {}}')
    assert "reach.json is of other settings: remove it to begin anew" in error(mapped.path)
    with pytest.raises(InputError, match="must be a list of names, not 'lbfgs'"):
        mapped.reach(methods="lbfgs")
    with pytest.raises(InputError, match="runs must be at least 1"):
        mapped.reach(runs=0)
    empty = Landscape.create(tmp_path / "b", NET, mapped.system.data, **TINY)
    assert "there is no verified minimum to reach" in error(empty.path)
    cluster = Landscape.create(tmp_path / "c", nnp.LennardJonesCluster(5), **TINY)
    assert "has no methods of training to compare" in error(cluster.path)
    assert not (cluster.path / "reach.json").exists()
