"""The pieces of work of a search: pure functions of the system and their arguments.

Each can run in any process, and gives the same result in all of them.
"""

from types import SimpleNamespace

import numpy as np
from pele.basinhopping import BasinHopping

from ..points.connect import connect_pair, polish_transition_state, single_ended
from ..points.quench import newton
from ..verification.verify import verify_point, verify_transition_state, why_degenerate

__all__ = ["JOBS"]

_QUENCH, _BASIN_HOPPING = 0, 1  # what a derived seed is for
_SHORT = 0.1  # longest step of the polishing of a minimum that is nearly one


def _seed(seed, purpose, index):
    return np.random.SeedSequence(seed, spawn_key=(purpose, index))


def quench(system, seed, index, initialization):
    """One independent quench.

    Returns
    -------
    minima : list of (float, ndarray)
        Loss and coordinates; empty if the quench failed.
    failures : list of (str, float)
        What became of each quench that failed, and its last loss.
    """
    rng = np.random.default_rng(_seed(seed, _QUENCH, index))
    start = system.starts[initialization](rng)
    return _found(system.get_minimizer()(start))


def hop(system, seed, index, steps):
    """One basin-hopping run from a random start of its own; as `quench`."""
    system = system.with_seed(_seed(seed, _BASIN_HOPPING, index))
    minimizer, minima, failures = system.get_minimizer(), [], []

    def quench(coords):
        result = minimizer(coords)
        if result.success:
            minima.append((result.energy, result.coords))
        else:
            failures.append((result.message, result.energy))
            result.energy = np.inf  # never accepted
        return result

    run = BasinHopping(
        system.get_random_configuration(),
        system.potential,
        system.get_takestep(),
        quench=quench,
        acceptTest=system.get_accept_test(),
        outstream=None,
    )
    run.run(steps)
    return minima, failures


def connect(system, x1, x2, strategy):
    """Transition states between two minima, as `connect_pair`, and the failures."""
    failures = []
    return connect_pair(system, x1, x2, strategy, failures), failures


def follow(system, x, mode, side):
    """A transition state up a soft mode, as `single_ended`, and the failures."""
    failures = []
    return single_ended(system, x, mode, side, failures), failures


def polish_minimum(system, energy, coords):
    """A minimum found elsewhere to the full standard; as `quench`."""
    result = newton(
        np.asarray(coords, dtype=float),
        system.potential,
        system.identity.zero_modes,
        scales=system.scales,
        max_radius=_SHORT,
    )
    return _found(result)


def _found(result):
    """The minimum that a pele `Result` holds, or why it holds none; as `quench` returns it."""
    if not result.success:
        return [], [(result.message, result.energy)]
    return [(result.energy, result.coords)], []


def polish_state(system, energy, coords, eigenvec):
    """A transition state found elsewhere, as `connect`; see `polish_transition_state`."""
    failures = []
    return polish_transition_state(system, coords, eigenvec, failures), failures


def check_minimum(system, energy, coords):
    """Outcome of verification of one minimum by itself, and why it is degenerate, or None.

    See `verify_point` and `why_degenerate`.
    """
    outcome = verify_point(system, SimpleNamespace(energy=energy, coords=coords), index=0)
    return outcome, why_degenerate(system, coords) if outcome == "degenerate" else None


def check_transition_state(system, energy, coords, minimum1, minimum2):
    """Outcome of verification of one transition state; see `verify_transition_state`.

    The minima are ``(energy, coords)``.
    """
    ends = [SimpleNamespace(energy=e, coords=x) for e, x in (minimum1, minimum2)]
    point = SimpleNamespace(energy=energy, coords=coords, minimum1=ends[0], minimum2=ends[1])
    return verify_transition_state(system, point)


JOBS = {
    "quench": quench,
    "hop": hop,
    "connect": connect,
    "single_ended": follow,
    "polish_minimum": polish_minimum,
    "polish_transition_state": polish_state,
    "check_minimum": check_minimum,
    "check_transition_state": check_transition_state,
}
