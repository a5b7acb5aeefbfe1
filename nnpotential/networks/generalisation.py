"""How well a minimum's network does on data: losses, accuracy, AUC."""

from functools import partial

import numpy as np
from scipy.special import softmax

from ..contract import Measure

__all__ = ["MEASURES", "generalisation", "network_measures"]

MEASURES = {
    "test-auc": ("test_auc", "test AUC", False),
    "test-loss": ("test_loss", "test loss", True),
    "train-loss": ("train_loss", "training loss without penalty", True),
    "test-accuracy": ("test_accuracy", "test accuracy", False),
}


def network_measures(system):
    """What a minimum of a network may be coloured by.

    Parameters
    ----------
    system : LossSystem

    Returns
    -------
    dict
        ``name: Measure``; one that the data do not define says what they lack.
    """
    data, classes = system.data, system.settings.loss == "cross_entropy"
    measures = {}
    for name, (key, label, is_loss) in MEASURES.items():
        lacking = ""
        if name != "train-loss":
            complete = not classes or len(np.unique(data.y_test)) == data.n_outputs
            if len(data.y_test) == 0 or (name == "test-auc" and not complete):
                lacking = "needs a test set with every class in it"
            elif not is_loss and not classes:
                why = (
                    "this loss is another"
                    if data.is_classification
                    else ("these data have real targets")
                )
                lacking = f"is for cross-entropy of classes; {why}: use test-loss"
        measures[name] = Measure(
            partial(_figure, system, key),
            label,
            f"{system.unit} per sample" if is_loss else "",
            lacking,
        )
    return measures


def _figure(system, key, x):
    return generalisation(system, x)[key]


def generalisation(system, coords):
    """Train and test loss, accuracy and AUC of one set of parameters.

    Parameters
    ----------
    system : LossSystem
    coords : ndarray, shape (n_parameters,)

    Returns
    -------
    dict
        ``train_loss`` and ``test_loss`` without the L2 term, in nats per
        sample for cross-entropy; with it also ``test_accuracy``
        and ``test_auc`` (one class against the rest, mean over classes). None
        where the test set does not define a figure.
    """
    from sklearn.metrics import roc_auc_score  # a second that the rest can do without

    data = system.data
    figures = {}
    for part, X, y in (
        ("train", data.X_train, data.y_train),
        ("test", data.X_test, data.y_test),
    ):
        figures[f"{part}_loss"] = None
        if len(X):
            f = system.outputs(coords, X)
            figures[f"{part}_loss"] = float(system.mean_loss(f, y))
    if system.settings.loss == "cross_entropy":
        figures["test_accuracy"] = figures["test_auc"] = None
        if len(data.X_test):
            p = softmax(f, axis=1)
            figures["test_accuracy"] = float((p.argmax(axis=1) == y).mean())
            # without every class in the test set the AUC is not defined
            if len(np.unique(y)) == data.n_outputs:
                score = p[:, 1] if data.n_outputs == 2 else p
                figures["test_auc"] = float(roc_auc_score(y, score, multi_class="ovr"))
    return figures
