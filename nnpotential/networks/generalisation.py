"""How well a minimum's network does on data, and what else it may be coloured by."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..contract import Measure

__all__ = ["MEASURES", "generalisation", "network_measures"]


@dataclass(frozen=True)
class _Figure:
    """A measure before there is a system: what it is called, how computed, and what it needs."""

    label: str
    function: Callable  # of system and parameters
    in_units_of_loss: bool = False
    needs: tuple = ()  # of "test set", "classes", "every class"

    def lacking(self, loss, data):
        """What loss or data lack, the end of a sentence; empty if nothing."""
        if "test set" in self.needs and not len(data.y_test):
            return "needs a test set with every class in it"
        if "classes" in self.needs and not loss.takes_labels:
            why = (
                "this loss is another" if data.is_classification else "these data have real targets"
            )
            return f"is for classes; {why}: use test-loss"
        if "every class" in self.needs and len(np.unique(data.y_test)) < data.n_outputs:
            return "needs a test set with every class in it"
        return ""


def _generalisation(key):
    return lambda system, x: generalisation(system, x)[key]


# A new measure is an entry here.
MEASURES = {
    "test-auc": _Figure(
        "test AUC", _generalisation("test_auc"), needs=("test set", "classes", "every class")
    ),
    "test-loss": _Figure(
        "test loss", _generalisation("test_loss"), in_units_of_loss=True, needs=("test set",)
    ),
    "train-loss": _Figure(
        "training loss without penalty", _generalisation("train_loss"), in_units_of_loss=True
    ),
    "test-accuracy": _Figure(
        "test accuracy", _generalisation("test_accuracy"), needs=("test set", "classes")
    ),
    "weight-norm": _Figure("norm of the parameters", lambda system, x: float(np.linalg.norm(x))),
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
    unit = f"{system.loss.unit} per sample"
    return {
        name: Measure(
            partial(_measure, system, name),  # by name: workers are sent it
            figure.label,
            unit if figure.in_units_of_loss else "",
            figure.lacking(system.loss, system.data),
        )
        for name, figure in MEASURES.items()
    }


def _measure(system, name, x):
    return MEASURES[name].function(system, x)


def generalisation(system, coords):
    """Train and test loss, accuracy and AUC of one set of parameters.

    Parameters
    ----------
    system : LossSystem
    coords : ndarray, shape (n_parameters,)

    Returns
    -------
    dict
        ``train_loss`` and ``test_loss`` without the L2 term, in the unit of
        the loss; for classification also ``test_accuracy`` and ``test_auc``
        (one class against the rest, mean over classes). None where the test
        set does not define a figure.
    """
    from sklearn.metrics import roc_auc_score  # a second that the rest can do without

    data, loss = system.data, system.loss
    figures = {}
    for part, X, y in (
        ("train", data.X_train, data.y_train),
        ("test", data.X_test, data.y_test),
    ):
        figures[f"{part}_loss"] = None
        if len(X):
            f = system.outputs(coords, X)
            figures[f"{part}_loss"] = float(loss.mean(f, y))
    if loss.takes_labels:
        figures["test_accuracy"] = figures["test_auc"] = None
        if len(data.X_test):
            p = loss.probabilities(f)
            figures["test_accuracy"] = float((p.argmax(axis=1) == y).mean())
            # without every class in the test set the AUC is not defined
            if len(np.unique(y)) == data.n_outputs:
                score = p[:, 1] if data.n_outputs == 2 else p
                figures["test_auc"] = float(roc_auc_score(y, score, multi_class="ovr"))
    return figures
