"""Measures of generalisation against scikit-learn, and what they add up to."""

import numpy as np
import pytest

from nnpotential.networks.generalisation import generalisation


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
