"""The table of minima: curvature against NumPy, correlations, the file."""

import csv
import json

import numpy as np
import pytest
from landscapes import NET, TINY

import nnpotential as nnp
from nnpotential import InputError
from nnpotential.analysis.minima import CURVATURE, correlations, minima_table


def test_curvature_is_that_of_the_hessian(small):
    table = small.generalisation()["minima"]
    minima = {m.id(): m for m in small.database.minima()}
    assert (np.diff(table["loss"]) >= 0).all() and len(table["id"]) == len(minima)
    for k, number in enumerate(table["id"].tolist()):
        hessian = small.system.potential.getHessian(np.asarray(minima[number].coords))
        values = np.linalg.eigvalsh(hessian)
        assert table["trace"][k] == pytest.approx(np.trace(hessian))
        assert table["log_determinant"][k] == pytest.approx(np.linalg.slogdet(hessian)[1])
        assert table["largest_eigenvalue"][k] == pytest.approx(values[-1])
        assert table["smallest_eigenvalue"][k] == pytest.approx(values[0])
        accuracy = small.system.measures["test-accuracy"].function(minima[number].coords)
        assert table["test-accuracy"][k] == accuracy
    assert table["barrier"][0] == 0 and (table["barrier"][1:] > 0).all()
    assert table["hits"].sum() == 8


def test_zero_modes_are_no_curvature(tmp_path, ljat):
    """With free biases the softmax does not feel a common shift."""
    how = {"regularization": 1e-3, "regularize_bias": False}
    land = nnp.Landscape.create(tmp_path / "a", NET, ljat, **how, **TINY)
    land.explore(stages=["minima"], draw=False)
    table = land.generalisation()["minima"]
    for k, number in enumerate(table["id"].tolist()):
        x = np.asarray(land.database.getMinimum(number).coords)
        values = np.linalg.eigvalsh(land.system.potential.getHessian(x))
        assert abs(values[0]) < 1e-12 < table["smallest_eigenvalue"][k]
        assert table["log_determinant"][k] == pytest.approx(np.log(values[1:]).sum())


def test_correlations_of_what_is_known():
    class System:
        measures = dict.fromkeys(("test-loss", "constant", "not in the table"))

    draw = np.random.default_rng(0)
    table = {name: draw.normal(size=40) for name in CURVATURE}
    table |= {"loss": np.arange(40.0), "constant": np.ones(40)}
    table["test-loss"] = np.arange(40.0) ** 3
    table["trace"][3] = np.nan
    found = correlations(System, table)
    assert set(found) == {"test-loss", "constant"}
    assert found["test-loss"]["loss"]["correlation"] == pytest.approx(1)
    assert found["test-loss"]["loss"]["interval"] == pytest.approx([1, 1])
    assert found["test-loss"]["trace"]["correlation"] is None
    low, high = found["test-loss"]["largest_eigenvalue"]["interval"]
    assert low < found["test-loss"]["largest_eigenvalue"]["correlation"] < high
    assert all(entry["correlation"] is None for entry in found["constant"].values())


def test_on_the_command_line(run, monkeypatch, mapped, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = run("minima", mapped.path, "--output", tmp_path / "a.csv")
    assert code == 0 and "rank correlation with" in out and "lowest alone" in out
    assert "are right in one of the" in err
    table = mapped.generalisation()["minima"]
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(table)
    for name, column in table.items():
        assert [float(row[name]) for row in rows] == column.tolist()
    code, out, _ = run("minima", mapped.path, "--json")
    found = json.loads(out)
    assert code == 0 and found["minima"]["id"] == table["id"].tolist()
    assert (mapped.path / "minima.csv").exists()


def test_systems_without_measures_or_minima(run, box_land, tmp_path, ljat):
    code, out, _ = run("minima", box_land.path)
    assert code == 0 and out == ""
    found = box_land.generalisation()
    assert found["correlations"] == {} and found["ensembles"] is None
    # 2 d (1 + r) at 0, with r = t / 4d
    wanted = sum(2 * d + t / 2 for d, t in zip((1.0, 1.5, 2.0), (0.5, 0.9, 1.6), strict=True))
    assert found["minima"]["trace"][0] == pytest.approx(wanted)
    assert minima_table(box_land.system, box_land.database, print)["hits"].sum() == 40
    empty = nnp.Landscape.create(tmp_path / "b", NET, ljat, **TINY)
    with pytest.raises(InputError, match="no verified minimum to measure"):
        empty.generalisation()
    code, _, err = run("minima", empty.path)
    assert code == 2 and "explore" in err and not (empty.path / "minima.csv").exists()
    code, _, err = run("minima", box_land.path, "-o", tmp_path / "no" / "a.csv")
    assert code == 2 and "cannot be written" in err
