"""Rates between sets of minima: harmonic transition state theory and graph transformation."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import networkx as nx
import numpy as np
from scipy.special import softmax

from ..checks import check_integer
from ..errors import InputError
from .thermodynamics import check_temperature, log_occupations

__all__ = ["Rates", "log_rate_constants", "rates"]

_FEW = 16  # neighbours up to which a minimum is removed from a sparse network
_FAINTEST = 1e-280  # of rates: what is slower may be lost in double precision


@dataclass(frozen=True)
class Rates:
    """Between two sets of minima, A and B.

    Attributes
    ----------
    a_from_b, b_from_a : float
        Rate constants into the first set from the second, ``sum_b p_b / (p_B t_b)``, where t_b
        is the mean time from b to the first arrival in A. Per unit of time: that of the
        square roots of eigenvalues of the Hessian, for Lennard-Jones atoms of mass 1
        ``sqrt(m sigma^2 / epsilon)``; without determinants and masses it is arbitrary.
    time_a_from_b, time_b_from_a : float
        Mean first passage times, ``sum_b p_b t_b / p_B``.
    """

    a_from_b: float
    b_from_a: float
    time_a_from_b: float
    time_b_from_a: float


def log_rate_constants(network, temperature):
    """Logarithms of the rate constants between neighbouring minima.

    Harmonic transition state theory: across the transition state s from the minimum a ::

        k = (o_a / o_s) sqrt(det H_a / det H_s) exp(-(E_s - E_a) / T) / 2 pi,

    with o the orders of point groups and det H the product of the positive eigenvalues, and
    the sum of these over all transition states between two minima. A degenerate rearrangement
    leads nowhere and is left out. Where a determinant is not known, all are taken to be equal.

    Parameters
    ----------
    network : TransitionNetwork
    temperature : float

    Returns
    -------
    dict of (int, int) to float
        By positions of the minima, first that from which the step starts.

    References
    ----------
    D. J. Wales, "Energy Landscapes", Cambridge University Press (2003), section 7.3.
    """
    temperature = check_temperature(temperature)
    minima, states = network.minima, network.states
    proper = network.ends[:, 0] != network.ends[:, 1]
    found = {}
    for ends in (network.ends, network.ends[:, ::-1]):
        start = ends[:, 0]
        logs = np.log(minima.orders[start] / states.orders / (2 * np.pi))
        logs -= (states.energies - minima.energies[start]) / temperature
        if _has_determinants(network):
            logs += (minima.log_determinants[start] - states.log_determinants) / 2
        for pair, log in zip(map(tuple, ends[proper].tolist()), logs[proper], strict=True):
            found[pair] = np.logaddexp(found.get(pair, -np.inf), log)
    return found


def rates(network, a, b, temperature):
    """Rate constants and mean first passage times between two sets of minima.

    By graph transformation, exact for the network: minima are removed one by one, and the
    steps across them and the time that they take given to those that are left. As Grassmann,
    Taksar and Heyman have it nothing is ever subtracted, so that no digit is lost where a
    system returns a billion times before it gets on.

    Parameters
    ----------
    network : TransitionNetwork
    a, b : sequence of int
        Positions of minima; no minimum is in both.
    temperature : float
        Above 0, in units of the energy.

    Returns
    -------
    Rates

    Raises
    ------
    InputError
        If a set is empty or holds what is no minimum, the two share one, no path joins them
        all, or the rates are too small for double precision.

    References
    ----------
    D. J. Wales, J. Chem. Phys. 130, 204111 (2009), eqs. 18 to 20; W. K. Grassmann, M. I.
    Taksar and D. P. Heyman, Oper. Res. 33, 1107 (1985).
    """
    temperature = check_temperature(temperature)
    a, b = _checked_sets(network, a, b)
    logs = log_rate_constants(network, temperature)
    fastest = max(logs.values())
    steps = {pair: np.exp(log - fastest) for pair, log in logs.items()}
    within = nx.node_connected_component(network.graph(), a[0])
    steps = {pair: step for pair, step in steps.items() if pair[0] in within}
    weights = _weights(network, temperature)
    k_ab, t_ab, k_ba, t_ba = *_from_to(steps, weights, b, a), *_from_to(steps, weights, a, b)
    # of what is left where others were lost in double precision nothing can be said
    lost = not all(np.isfinite(k) and k > _FAINTEST for k in (k_ab, k_ba))
    scale = np.exp(fastest)
    if lost or not all(_FAINTEST < k * scale < 1 / _FAINTEST for k in (k_ab, k_ba)):
        raise InputError(
            f"the rates at the temperature {temperature:g} are too small for double precision: "
            "give a higher temperature"
        )
    return Rates(*(float(x) for x in (k_ab * scale, k_ba * scale, t_ab / scale, t_ba / scale)))


def _from_to(steps, weights, start, goal):
    """Rate constant and mean first passage time from one set to another."""
    with np.errstate(divide="ignore", invalid="ignore"):
        times = _first_passage_times(steps, start, goal)
        shares = softmax([weights[k] for k in start])
        return float(shares @ (1 / times)), float(shares @ times)


def _first_passage_times(steps, start, goal):
    """Mean times t from each minimum of `start` to the first arrival in `goal`.

    They solve ``sum_v k_uv (t_u - t_v) = c_u`` with c = 1, and t = 0 in the goal. A minimum x is
    removed by setting in what it says of its t: k_uv grows by k_ux k_xv / K_x and c_u by
    k_ux c_x / K_x, where K_x is the sum of the rates from x to what is left.
    """
    goal, start = set(goal), list(start)
    rates, exits = {}, {}
    for (u, v), k in steps.items():
        if u not in goal:
            rates.setdefault(u, {})
            exits.setdefault(u, 0.0)
            if v in goal:
                exits[u] += k
            else:
                rates[u][v] = k
    waits = dict.fromkeys(rates, 1.0)
    _remove_sparsely(rates, exits, waits, set(start))
    order = [u for u in rates if u not in set(start)] + start
    place = {u: k for k, u in enumerate(order)}
    table = np.zeros((len(order), len(order)))
    for u, row in rates.items():
        table[place[u], [place[v] for v in row]] = list(row.values())
    return _remove_densely(
        table, np.array([exits[u] for u in order]), np.array([waits[u] for u in order]), len(start)
    )


def _remove_sparsely(rates, exits, waits, kept):
    """Remove minima with few neighbours, those with the fewest first."""
    queue = [(len(row), u) for u, row in rates.items() if u not in kept]
    heapify(queue)
    while queue:
        neighbours, x = heappop(queue)
        if neighbours != len(rates[x]):
            heappush(queue, (len(rates[x]), x))
            continue
        if neighbours > _FEW:
            return
        row, exit_, wait = rates.pop(x), exits.pop(x), waits.pop(x)
        total = np.float64(sum(row.values()) + exit_)
        for u in row:  # steps go both ways
            share = rates[u].pop(x) / total
            exits[u] += share * exit_
            waits[u] += share * wait
            for v, k in row.items():
                if v != u:
                    rates[u][v] = rates[u].get(v, 0.0) + share * k


def _remove_densely(table, exits, waits, n):
    """Remove all minima in their order, and return the times of the last n."""
    size = len(exits)
    totals = np.empty(size)
    for x in range(size):
        onward = table[x, x + 1 :]
        totals[x] = onward.sum() + exits[x]
        shares = table[x + 1 :, x] / totals[x]
        table[x + 1 :, x + 1 :] += np.outer(shares, onward)  # the diagonal is never read
        exits[x + 1 :] += shares * exits[x]
        waits[x + 1 :] += shares * waits[x]
    times = np.zeros(size)
    for x in range(size - 1, size - n - 1, -1):
        times[x] = (waits[x] + table[x, x + 1 :] @ times[x + 1 :]) / totals[x]
    return times[size - n :]


def _weights(network, temperature):
    """Logarithms of equilibrium weights that agree with the rate constants."""
    logs = log_occupations(network, temperature)
    if network.minima.determinants_known and not _has_determinants(network):
        logs = logs + network.minima.log_determinants / 2
    return logs


def _has_determinants(network):
    return network.minima.determinants_known and network.states.determinants_known


def _checked_sets(network, *sets):
    """Two sets of positions as lists, between which there are paths."""
    checked = []
    for name, members in zip("AB", sets, strict=True):
        members = sorted({check_integer("the position of a minimum", k, 0) for k in members})
        if not members:
            raise InputError(f"the set {name} is empty: name at least one minimum")
        if members[-1] >= len(network):
            raise InputError(
                f"the set {name} names the minimum at position {members[-1]}, but there are "
                f"{len(network)}, counted from 0"
            )
        checked.append(members)
    ids = network.minima.ids
    if both := set(checked[0]) & set(checked[1]):
        raise InputError(f"the minimum {ids[min(both)]} is in both sets, A and B")
    graph = network.graph()
    first = checked[0][0]
    within = nx.node_connected_component(graph, first)
    if apart := [k for members in checked for k in members if k not in within]:
        raise InputError(
            f"no known path joins the minima {ids[first]} and {ids[apart[0]]}: rates are between "
            "sets of minima that are all connected"
        )
    return checked
