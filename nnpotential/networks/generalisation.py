"""How well a minimum's network does on data, and what else it may be coloured by."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from weakref import WeakKeyDictionary

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
        n_test = len(data.y_test)
        if "classes" in self.needs and not loss.takes_labels:
            why = (
                "this loss is another" if data.is_classification else "these data have real targets"
            )
            return f"is for classes; {why}: use {'test-loss' if n_test else 'train-loss'}"
        if "every class" in self.needs and len(np.unique(data.y_test)) < data.n_outputs:
            return "needs a test set with every class in it"
        if "test set" in self.needs and not n_test:
            return "needs a test set"
        return ""


def _remembered(function):
    """Answers once for a point: measure by measure, each asks for the same."""
    last = WeakKeyDictionary()

    @wraps(function)
    def answer(part, system, x):
        known, point = last.setdefault(system, {}), np.asarray(x).tobytes()
        of, found = known.get(part, (None, None))
        if of != point:
            found = function(part, system, x)
            known[part] = point, found  # where another thread may put its own at any time
        return found

    return answer


@_remembered
def _outputs(part, system, x):
    return system.outputs(x, _samples(system.data, part)[0])


@_remembered
def _probabilities(part, system, x):
    return system.loss.probabilities(_outputs(part, system, x))


@_remembered
def _aucs(part, system, x):
    """One class against the rest, for each.

    The share of pairs, one sample within the class and one outside, in the right order; equal
    ones count half (Mann and Whitney).
    """
    y, p = _samples(system.data, part)[1], _probabilities(part, system, x)
    labels = np.arange(p.shape[1])
    if len(labels) == 2:
        p, labels = p[:, 1:], labels[1:]
    found = []
    for label, of_class in zip(labels, p.T, strict=True):
        inside, outside = of_class[y == label], np.sort(of_class[y != label])
        below, not_above = (np.searchsorted(outside, inside, side) for side in ("left", "right"))
        with np.errstate(invalid="ignore"):  # no pairs: not a number
            found.append((below + not_above).sum() / (2 * inside.size * outside.size))
    return np.array(found)


def _loss(part, system, x):
    return float(system.loss.mean(_outputs(part, system, x), _samples(system.data, part)[1]))


def _accuracy(part, system, x):
    y, p = _samples(system.data, part)[1], _probabilities(part, system, x)
    return float((p.argmax(axis=1) == y).mean())


def _auc(part, system, x, label=None):
    """One class against the rest, by default the mean over classes."""
    each = _aucs(part, system, x)
    return float(each.mean() if label is None else each[label])


def _samples(data, part):
    return getattr(data, f"X_{part}"), getattr(data, f"y_{part}")


# A new measure is an entry here.
MEASURES = {
    "test-auc": _Figure(
        "test AUC", partial(_auc, "test"), needs=("test set", "classes", "every class")
    ),
    "test-loss": _Figure(
        "test loss", partial(_loss, "test"), in_units_of_loss=True, needs=("test set",)
    ),
    "train-loss": _Figure(
        "training loss without penalty", partial(_loss, "train"), in_units_of_loss=True
    ),
    "test-accuracy": _Figure(
        "test accuracy", partial(_accuracy, "test"), needs=("test set", "classes")
    ),
    "train-accuracy": _Figure("training accuracy", partial(_accuracy, "train"), needs=("classes",)),
    "train-auc": _Figure("training AUC", partial(_auc, "train"), needs=("classes",)),
    "weight-norm": _Figure("norm of the parameters", lambda system, x: float(np.linalg.norm(x))),
}


def _figures_of(system):
    """All measures of a system, the AUC of every class among them where there are several."""
    if not system.loss.takes_labels or system.data.n_outputs < 3:
        return MEASURES
    classes = system.data.details.get("classes", range(system.data.n_outputs))
    needs = MEASURES["test-auc"].needs
    return MEASURES | {
        f"test-auc-{k}": _Figure(
            f"test AUC of class {c}", partial(_auc, "test", label=k), needs=needs
        )
        for k, c in enumerate(classes)
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
        for name, figure in _figures_of(system).items()
    }


def _measure(system, name, x):
    figure = MEASURES.get(name) or _figures_of(system)[name]
    return figure.function(system, x)


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
    wanted = ["train_loss", "test_loss"]
    if system.loss.takes_labels:
        wanted += ["test_accuracy", "test_auc"]
    figures = {}
    for name in wanted:
        figure = MEASURES[name.replace("_", "-")]
        defined = not figure.lacking(system.loss, system.data)
        figures[name] = figure.function(system, coords) if defined else None
    return figures
