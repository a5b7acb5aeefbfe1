"""Ensembles of minima against scikit-learn's figures."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

import nnpotential as nnp
from nnpotential import InputError
from nnpotential.networks.ensembles import ensembles


def test_averages_of_probabilities(system, quenched):
    points = [r.coords for r in sorted(quenched, key=lambda r: r.energy)]
    found, data = ensembles(system, points), system.data
    assert [row["k"] for row in found["averages"]] == [1, 2, 5, 10]
    p = [system.loss.probabilities(system.outputs(x, data.X_test)) for x in points]
    for row in found["averages"]:
        mean = np.mean(p[: row["k"]], axis=0)
        assert row["loss"] == pytest.approx(log_loss(data.y_test, mean, labels=range(4)))
        assert row["accuracy"] == accuracy_score(data.y_test, mean.argmax(1))
        first = found["averages"][0]
        assert row["loss_gain"]["mean"] == pytest.approx(first["loss"] - row["loss"])
        assert row["accuracy_gain"]["mean"] == pytest.approx(row["accuracy"] - first["accuracy"])
    low, high = found["averages"][-1]["loss_gain"]["interval"]
    assert low <= found["averages"][-1]["loss_gain"]["mean"] <= high
    right = np.array([part.argmax(1) == data.y_test for part in p])
    assert found["gained"] == [int((r & ~right[0]).sum()) for r in right]
    assert found["lost"] == [int((~r & right[0]).sum()) for r in right]
    assert found["union"] == right.any(axis=0).mean()


def test_real_targets_have_no_accuracy():
    draw = np.random.default_rng(0)
    arrays = draw.normal(size=(30, 2)), draw.normal(size=(30, 2))
    data = nnp.load_dataset(arrays, 20, 10, regression=True)
    system = nnp.NNSystem(nnp.MLP([2, 3, 2]), data, regularization=1e-3)
    points = [system.net.random_parameters(draw) for _ in range(3)]
    found = ensembles(system, points)
    assert [row["k"] for row in found["averages"]] == [1, 2, 3]
    mean = np.mean([system.outputs(x, data.X_test) for x in points], axis=0)
    assert found["averages"][-1]["loss"] == pytest.approx(system.loss.mean(mean, data.y_test))
    assert found["averages"][-1]["accuracy"] is found["gained"] is found["union"] is None


def test_a_test_set_is_needed(ljat):
    data = nnp.load_dataset((ljat.X_train, ljat.y_train), n_train=50, n_test=0)
    system = nnp.NNSystem(nnp.MLP([3, 4, 4]), data)
    with pytest.raises(InputError, match="need a test set"):
        ensembles(system, [np.zeros(system.n_dof)])
