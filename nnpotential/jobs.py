"""The pieces of work of a search: pure functions of the system and their arguments.

Each can run in any process, and gives the same result in all of them.
"""

from types import SimpleNamespace

import numpy as np
from pele.basinhopping import BasinHopping

from .connect import connect_pair, single_ended
from .verify import verify_point, verify_transition_state

__all__ = ["JOBS"]

_QUENCH, _BASIN_HOPPING = 0, 1  # what a derived seed is for


def _seed(seed, purpose, index):
    return np.random.SeedSequence(seed, spawn_key=(purpose, index))


def quench(system, seed, index, initialization):
    """One independent quench.

    Returns
    -------
    minima : list of (float, ndarray)
        Loss and coordinates; empty if the quench failed.
    n_failed : int
    """
    rng = np.random.default_rng(_seed(seed, _QUENCH, index))
    start = system.net.random_parameters(rng, initialization)
    result = system.get_minimizer()(start)
    return ([(result.energy, result.coords)], 0) if result.success else ([], 1)


def hop(system, seed, index, steps):
    """One basin-hopping run from a random start of its own; as `quench`."""
    system = system.with_seed(_seed(seed, _BASIN_HOPPING, index))
    minimizer, minima = system.get_minimizer(), []
    n_failed = 0

    def quench(coords):
        nonlocal n_failed
        result = minimizer(coords)
        if result.success:
            minima.append((result.energy, result.coords))
        else:
            result.energy = np.inf  # never accepted
            n_failed += 1
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
    return minima, n_failed


def check_minimum(system, energy, coords):
    """Outcome of verification of one minimum by itself; see `verify_point`."""
    return verify_point(system, SimpleNamespace(energy=energy, coords=coords), index=0)


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
    "connect": connect_pair,
    "single_ended": single_ended,
    "check_minimum": check_minimum,
    "check_transition_state": check_transition_state,
}
