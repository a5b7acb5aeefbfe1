"""The losses: one record each, with all that is to be known outside the kernel.

The kernel has the same names, and a trait of each (``cython/losses.hpp``).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax, softmax

from ..checks import check_choice, check_labels, check_targets
from ..errors import InputError

__all__ = ["LOSSES", "Loss", "default_loss", "find_loss"]


@dataclass(frozen=True)
class Loss:
    """What a network is asked for, sample by sample.

    Parameters
    ----------
    name : str
        As in the kernel.
    learns : str
        What it is for, for messages and help.
    mean : callable
        ``(outputs, y) -> float``, the mean over samples, in NumPy.
    unit : str
        Of that number.
    scale : callable
        ``y -> float``: roughly the loss of a network that has learnt nothing.
    probabilities : callable, optional
        From outputs to probabilities of the classes, shape (n_samples,
        n_classes); a loss that has it takes class labels, any other real
        targets.
    shift_invariant : bool
        Whether a common shift of all outputs changes nothing.
    two_classes : bool
        Whether it is for two classes, with one output. Else there is one
        output for every class or target.
    """

    name: str
    learns: str
    mean: Callable
    unit: str
    scale: Callable
    probabilities: Callable | None = None
    shift_invariant: bool = False
    two_classes: bool = False

    @property
    def takes_labels(self):
        """Whether it takes class labels, not real targets."""
        return self.probabilities is not None

    def n_outputs(self, data):
        """Outputs that a network needs to learn a `Dataset`.

        Raises
        ------
        InputError
            If the loss is not for such data.
        """
        what = f"{data.n_outputs} classes" if data.is_classification else "real targets"
        if self.takes_labels != data.is_classification or (
            self.two_classes and data.n_outputs != 2
        ):
            raise InputError(
                f"{self.name} is for {self.learns}; these data have {what}: "
                f"use {default_loss(data).name}"
            )
        return 1 if self.two_classes else data.n_outputs

    def check(self, y, n_samples, n_out):
        """Labels or targets, int64 or float64, that fit a network with `n_out` outputs.

        Raises
        ------
        InputError
            If they do not.
        """
        if self.two_classes and n_out != 1:
            raise InputError(f"{self.name} needs a network with one output, not {n_out}")
        if self.takes_labels:
            return check_labels(y, n_samples, 2 if self.two_classes else n_out)
        return check_targets(y, n_samples, n_out)


def _cross_entropy(f, y):
    return -log_softmax(f, axis=1)[np.arange(len(y)), y].mean()


def _squared_error(f, y):
    return ((f - y) ** 2).mean()


def _binary_cross_entropy(f, y):
    return np.logaddexp(0, np.where(y == 1, -1, 1) * f[:, 0]).mean()


def _variance(y):
    largest = float(np.abs(y).max()) or 1.0
    y = y / largest  # its squares may overflow
    return largest**2 * float(np.var(y, axis=0).mean() or np.mean(y**2) or 1.0)


LOSSES = {
    record.name: record
    for record in (
        Loss(
            "cross_entropy",
            "class labels",
            _cross_entropy,
            unit="nats",
            scale=lambda y: 1.0,
            probabilities=lambda f: softmax(f, axis=1),
            shift_invariant=True,
        ),
        Loss(
            "squared_error",
            "real targets",
            _squared_error,
            unit="squared target units",
            scale=_variance,
        ),
        Loss(
            "binary_cross_entropy",
            "two classes with one output",
            _binary_cross_entropy,
            unit="nats",
            scale=lambda y: 1.0,
            probabilities=lambda f: expit(f * [-1, 1]),
            two_classes=True,
        ),
    )
}


def find_loss(name):
    """The record of a name; InputError for another one."""
    return LOSSES[check_choice("loss", name, tuple(LOSSES))]


def default_loss(data):
    """The loss for a `Dataset` where none is named: the first that is for such data."""
    return next(r for r in LOSSES.values() if r.takes_labels == data.is_classification)
