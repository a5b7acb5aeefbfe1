"""The activations: one record each, with all that is to be known outside the kernel.

The kernel has the same names, and a trait of each (``cython/activations.hpp``).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from ..checks import check_choice
from ..errors import InputError

__all__ = ["ACTIVATIONS", "SMOOTH", "Activation", "find_activation"]


@dataclass(frozen=True)
class Activation:
    """What the hidden units do.

    Parameters
    ----------
    name : str
        As in the kernel.
    function : callable
        ``s(z)`` of an array.
    center : float, optional
        The number for which ``s(z) - center`` is odd: 0 where changing the
        sign of a unit leaves the network as it is, another one where it does
        so together with a bias of the next layer. None where there is none.
    smooth : bool
        Whether there is a second derivative everywhere.
    """

    name: str
    function: Callable
    center: float | None = None
    smooth: bool = True

    def require_smooth(self, purpose):
        """Raise InputError where there is no second derivative; `purpose` says who needs one."""
        if not self.smooth:
            raise InputError(f"{self.name} has no second derivative{purpose}: use {SMOOTH}")


ACTIVATIONS = {
    record.name: record
    for record in (
        Activation("tanh", np.tanh, center=0.0),
        Activation("sigmoid", expit, center=0.5),
        Activation("softplus", lambda z: np.logaddexp(0, z)),
        Activation("silu", lambda z: z * expit(z)),
        Activation("gelu", lambda z: z * ndtr(z)),
        Activation("relu", lambda z: np.maximum(z, 0), smooth=False),
    )
}

_smooth = [record.name for record in ACTIVATIONS.values() if record.smooth]
SMOOTH = f"{', '.join(_smooth[:-1])} or {_smooth[-1]}"  # for messages


def find_activation(name):
    """The record of a name; InputError for another one."""
    return ACTIVATIONS[check_choice("activation", name, tuple(ACTIVATIONS))]
