"""Ensembles of minima: what each knows that the lowest does not, and what averaging gains."""

import numpy as np

from ..errors import InputError
from ..resampling import interval

__all__ = ["ensembles"]

_TINY = np.finfo(float).tiny
_SIZES = (1, 2, 5)  # and ten times, a hundred times as many, ...


def ensembles(system, points):
    """How the test set fares with the networks of some minima together.

    Parameters
    ----------
    system : LossSystem
    points : sequence of ndarray, shape (n_parameters,)
        Of minima, the lowest first.

    Returns
    -------
    dict
        ``averages``: of the k best, k = 1, 2, 5, 10, 20, ..., all, whose probabilities (of
        real targets: outputs) are averaged, ``k``, ``loss``, ``accuracy``, and
        ``loss_gain``, ``accuracy_gain``: by how much they are better than the lowest alone,
        each a mean and its bootstrap interval over the test samples. ``gained``, ``lost``:
        of each minimum how many test samples it classifies rightly that the lowest does
        not, and the reverse; ``union``: the share of test samples that any of them
        classifies rightly. Accuracies and what follows from them are None for real targets.

    Raises
    ------
    InputError
        Without a test set.
    """
    data, loss = system.data, system.loss
    y = data.y_test
    if not len(y):
        raise InputError("ensembles need a test set")
    labels = loss.takes_labels
    each = range(len(y))
    total, right, averages = 0.0, [], []
    sizes = [k * 10**power for power in range(9) for k in _SIZES]
    first = None
    for k, x in enumerate(points, 1):
        outputs = system.outputs(x, data.X_test)
        predicted = loss.probabilities(outputs) if labels else outputs
        total = total + predicted
        if labels:
            right.append(predicted.argmax(axis=1) == y)
        if k not in sizes and k != len(points):
            continue
        mean = total / k
        losses = (
            -np.log(np.maximum(mean[each, y], _TINY)) if labels else ((mean - y) ** 2).mean(axis=1)
        )
        hits = (mean.argmax(axis=1) == y).astype(float) if labels else None
        first = first or (losses, hits)
        averages.append(
            {
                "k": k,
                "loss": float(losses.mean()),
                "accuracy": float(hits.mean()) if labels else None,
                "loss_gain": _gain(first[0] - losses),
                "accuracy_gain": _gain(hits - first[1]) if labels else None,
            }
        )
    right = np.array(right)
    return {
        "averages": averages,
        "gained": (right & ~right[0]).sum(axis=1).tolist() if labels else None,
        "lost": (~right & right[0]).sum(axis=1).tolist() if labels else None,
        "union": float(right.any(axis=0).mean()) if labels else None,
    }


def _gain(gains):
    return {"mean": float(gains.mean()), "interval": interval(np.mean, gains)}
