"""Measures of generalisation against scikit-learn, and what they add up to."""

import weakref

import numpy as np
import pytest

import nnpotential as nnp
from nnpotential.networks.generalisation import _remembered, generalisation


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
    measures = system.measures
    assert [measures[f"test-auc-{k}"].function(x) for k in range(4)] == pytest.approx(each)
    # a network that tells nothing apart, whose samples are all equal
    assert measures["test-auc"].function(np.zeros_like(x)) == 0.5
    penalty = 1e-3 * (x @ x)
    assert figures["train_loss"] + penalty == pytest.approx(system.potential.getEnergy(x))


def test_the_weight_norm_is_what_the_penalty_is_made_of(explored):
    x, measures = explored.database.minima()[0].coords, explored.system.measures
    penalty = explored.system.potential.getEnergy(x) - measures["train-loss"].function(x)
    assert 1e-3 * measures["weight-norm"].function(x) ** 2 == pytest.approx(penalty)


def test_what_another_thread_asks_for_is_no_answer():
    """It may come between any two steps: here when the answer before is let go."""

    @_remembered
    def answer(part, system, x):
        return {float(x)}

    system, after = type("System", (), {})(), []

    def another():
        after.append(answer("test", system, 3.0))

    weakref.finalize(answer("test", system, 1.0), another)
    assert answer("test", system, 2.0) == {2.0}
    assert after == [{3.0}]


@pytest.mark.parametrize("n_test", [0, 10])
def test_targets_have_no_classes_to_ask_for(n_test):
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(30, 2)), rng.normal(size=(30, 1))
    data = nnp.load_dataset(arrays, n_train=20, n_test=n_test, regression=True)
    measures = nnp.NNSystem(nnp.MLP([2, 2, 1]), data, loss="squared_error").measures
    assert measures["test-loss"].lacking == ("" if n_test else "needs a test set")
    use = "test-loss" if n_test else "train-loss"
    for name in ("test-auc", "test-accuracy", "train-auc", "train-accuracy"):
        why = measures[name].lacking
        assert why == f"is for classes; these data have real targets: use {use}"
    assert not measures[use].lacking


def test_which_measures_need_every_class(ljat):
    data = nnp.load_dataset((ljat.X_train, ljat.y_train), n_train=50, n_test=0)
    measures = nnp.NNSystem(nnp.MLP([3, 2, 4]), data).measures
    for name in ("test-auc", "test-auc-0"):
        assert measures[name].lacking == "needs a test set with every class in it"
    for name in ("test-loss", "test-accuracy"):
        assert measures[name].lacking == "needs a test set"
