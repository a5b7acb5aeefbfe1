"""Estimated barriers where all of them are known exactly, and of a network."""

import json

import networkx as nx
import numpy as np
import pytest
from landscapes import NET, TINY, interrupt_at
from pele.storage import TransitionState

import nnpotential as nnp
from nnpotential import InputError
from nnpotential.analysis.estimates import ESTIMATES, _highest
from nnpotential.storage import record_outcome


def test_an_egg_box_is_known_exactly(box_land):
    found = box_land.estimates(pairs=100, draw=False)
    assert found["n_pairs"] == 28 and found["n_failed"] == 0  # all there are
    # the exact graph, by energies that no two minima share
    box, exact = box_land.system, nx.Graph()
    points = box.stationary_points()
    for top, *ends in box.connections():
        exact.add_edge(*(points[k].energy for k in ends), energy=points[top].energy)
    tree = nx.minimum_spanning_tree(exact, "energy")
    energy = {m.id(): m.energy for m in box_land.database.minima()}
    n_edges = 0
    for row in found["pairs"]:
        ends = [min(exact, key=lambda e, i=number: abs(e - energy[i])) for number in row["ids"]]
        steps = nx.utils.pairwise(nx.shortest_path(tree, *ends))
        height = max(tree.edges[step]["energy"] for step in steps)
        assert row["verified"] == pytest.approx(height - np.mean(ends), abs=1e-8)
        if exact.has_edge(*ends):  # straight to the nearest image is across its maximum
            top = exact.edges[ends]["energy"] - np.mean(ends)
            assert row["matched"] == pytest.approx(top, abs=1e-6)
            n_edges += 1
        for name in ("line", "matched", "band_path"):
            assert row[name] >= row["verified"] - 1e-8
        assert row["band"] <= row["band_path"] + 1e-12
    assert n_edges == 12
    assert found["not_converged"]["share"] == 0 and found["not_converged"]["ids"] == []


def test_the_top_of_a_path_is_refined():
    box = nnp.EggBox()
    path = [np.zeros(3), np.array([np.pi, 0, 0]), np.array([2 * np.pi, 0, 0])]
    top = 1.0 * (1 + 0.5 / 4) ** 2
    assert _highest(box.potential, path, 5) == pytest.approx(top, abs=1e-9)
    assert _highest(box.potential, path[:2], 3) == pytest.approx(top, abs=1e-9)


def test_a_lower_path_shows_what_has_not_converged(box_land):
    """A transition state that is not known: the bands find it, and it is said."""
    lost = min(box_land.database.transition_states(), key=lambda ts: ts.energy)
    ids = sorted([lost.minimum1.id(), lost.minimum2.id()])
    record_outcome(lost, "undecided")
    box_land.database.session.commit()
    found = box_land.estimates(pairs=28, draw=False)
    assert ids in found["not_converged"]["ids"]
    [row] = [row for row in found["pairs"] if row["ids"] == ids]
    assert row["matched"] < row["verified"]
    fall = found["not_converged"]["fall"]
    assert fall["largest"] >= 1 - row["matched"] / row["verified"] - 1e-9 > 0
    assert found["not_converged"]["share"] == len(found["not_converged"]["ids"]) / 28
    # the same pairs need no second look once the barrier is lower
    record_outcome(box_land.database.session.get(TransitionState, lost.id()), "ok")
    box_land.database.session.commit()
    todo = []
    again = box_land.estimates(lambda *told: todo.append(told), pairs=28, draw=False)
    assert again["not_converged"]["ids"] == [] and todo == []


def test_a_larger_sample_holds_the_smaller(mapped):
    few = mapped.estimates(pairs=3, draw=False)
    more = mapped.estimates(pairs=5, draw=False)
    assert more["pairs"][:3] == few["pairs"]
    ids = [tuple(row["ids"]) for row in more["pairs"]]
    assert len(set(ids)) == 5 and all(one < other for one, other in ids)
    hit = {m.id() for m in mapped.database.minima()
           if any(name.startswith(("glorot", "he_", "gauss")) for name in m.user_data)}  # fmt: skip
    of_quenches = mapped.estimates(pairs=5, of_quenches=True, draw=False)
    assert {number for row in of_quenches["pairs"] for number in row["ids"]} <= hit


def test_the_same_for_any_workers_and_when_interrupted(mapped):
    with pytest.raises(KeyboardInterrupt):
        mapped.estimates(interrupt_at(2), pairs=4)
    path = mapped.path / "estimates.json"
    assert len(json.loads(path.read_text())["kept"]) == 2
    found = mapped.estimates(pairs=4, workers=2, draw=False)
    assert json.loads(path.read_text())["results"] == found
    path.unlink()
    assert mapped.estimates(pairs=4, draw=False) == found


def test_a_pair_whose_ids_went_to_others_is_looked_at_again(mapped):
    found = mapped.estimates(pairs=3, draw=False)
    path = mapped.path / "estimates.json"
    whole = json.loads(path.read_text())
    next(iter(whole["kept"].values()))["of"][0] += 0.01
    path.write_text(json.dumps(whole))
    todo = []
    assert mapped.estimates(lambda *told: todo.append(told), pairs=3, draw=False) == found
    assert {total for _, _, total, _ in todo} == {1}


def test_pairs_that_fail_are_counted(mapped, monkeypatch):
    class Broken:
        def run(self):
            raise RuntimeError("no band")

    monkeypatch.setattr(type(mapped.system), "createNEB", lambda *args: Broken())
    with pytest.raises(InputError, match="every estimate failed three times"):
        mapped.estimates(pairs=1, draw=False)
    monkeypatch.undo()
    assert mapped.estimates(pairs=2, draw=False)["n_failed"] == 1


def test_on_the_command_line(run, monkeypatch, mapped, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = run("estimates", mapped.path, "--pairs", "4")
    assert code == 0 and "4 pairs; barriers above the mean of the two minima" in err
    svg = (mapped.path / "estimates.svg").read_text()
    assert all(text in svg and text in out for text in ESTIMATES.values())
    code, out, _ = run("estimates", mapped.path, "--pairs", "4", "--quenches", "--json")
    assert code == 0 and json.loads(out)["n_pairs"] == 4
    (mapped.path / "estimates.json").write_text("[]")
    code, _, err = run("estimates", mapped.path)
    assert code == 2 and "estimates.json is damaged" in err and err.count("\n") == 1
    empty = nnp.Landscape.create(tmp_path / "b", NET, mapped.system.data, **TINY)
    code, _, err = run("estimates", empty.path)
    assert code == 2 and "no two minima are connected: connect them first" in err


def test_a_line_through_an_atom_is_a_wall_of_finite_height():
    potential = nnp.LennardJonesCluster(3).potential
    x = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    swapped = x.reshape(3, 3)[[1, 0, 2]].ravel()
    with np.errstate(all="ignore"):
        assert 1e20 < _highest(potential, [x, swapped], 201) <= 1e100
