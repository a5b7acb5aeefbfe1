"""The measures of the field, all of them at once, as plain numbers."""

import numpy as np

from ..errors import InputError
from ..resampling import LEVEL
from . import funnel, thermodynamics
from .figures import distinct_energies, quantiles
from .rates import rates
from .thermodynamics import (
    as_low_as_the_lowest,
    check_minima,
    check_temperature,
    default_temperatures,
    heat_capacity,
    heat_capacity_peaks,
    share_without_barrier,
)
from .uncertainty import bands, heat_capacity_curve, missing_minima, with_missing_minima

__all__ = ["measures", "with_labels"]

_BY_TEMPERATURE = {
    "shannon_entropy": thermodynamics.shannon_entropy,
    "frustration": thermodynamics.frustration,
    "frustration_normalised": lambda *args: thermodynamics.frustration(*args, normalised=True),
    "occupation_lowest": thermodynamics.occupation_lowest,
    "heat_capacity": heat_capacity,
    "mean_energy": thermodynamics.mean_energy,
}
_LEVELS = 30  # of superbasins
_NAMED = 10  # minima that gain or lose weight


def measures(network, temperatures=None, a=None, b=None):
    """All measures of a transition network.

    Parameters
    ----------
    network : TransitionNetwork
    temperatures : sequence of float or str, optional
        In units of the energy; by default what `default_temperatures` chooses.
    a, b : sequence of int, optional
        Ids of minima: rates between these two sets.

    Returns
    -------
    dict
        Plain numbers, None where one is not defined. By temperature, as given:
        ``shannon_entropy``, ``frustration``, ``frustration_normalised``,
        ``occupation_lowest``, ``heat_capacity``, ``mean_energy``, ``bands``, ``rates``.
        Without temperature: ``monotonic_sequence_basins`` and their sizes, ``superbasins`` by
        energy, quantiles of ``barrier_ratios``, ``downhill_barriers`` and the same over
        ``spread``; ``heat_capacity_curve`` with its band and ``heat_capacity_peaks`` with the
        minima that gain and lose weight there. ``units`` and ``remarks`` say how to read
        them. Each is defined in `nnpotential.analysis.thermodynamics`, ``funnel``, ``rates`` or
        ``uncertainty``.

    Raises
    ------
    InputError
        If there is no minimum, a temperature is not above 0, or rates are asked for between
        sets that cannot be.
    """
    check_minima(network)
    chosen = temperatures is None or not len(temperatures)
    peaks = heat_capacity_peaks(network)
    by_label = with_labels(default_temperatures(network, peaks) if chosen else temperatures)
    sets = _sets(network, a, b)
    copies = with_missing_minima(network)
    proper = int((network.ends[:, 0] != network.ends[:, 1]).sum())
    energies, spread = network.minima.energies, funnel.spread(network)
    ratios, downhill = funnel.barrier_ratios(network), funnel.downhill_barriers(network)
    _, sizes = np.unique(funnel.monotonic_sequence_basins(network), return_counts=True)
    found = {
        "temperatures": list(by_label.values()),
        "temperatures_chosen": bool(chosen),
        "n_minima": len(network),
        "n_minima_by_energy": distinct_energies(energies),
        "n_transition_states": proper,
        "n_degenerate_rearrangements": len(network.states) - proper,
        "n_unconnected": int(np.isnan(network.barriers()).sum()),
        "n_vibrations": network.n_vibrations,
        "kinetic": network.kinetic,
        "lowest_energy": float(energies.min()),
        "lowest_minimum": int(network.minima.ids[network.lowest]),
        "spread": spread,
        "monotonic_sequence_basins": len(sizes),
        "monotonic_sequence_basin_sizes": sorted(sizes.tolist(), reverse=True),
        "superbasins": _superbasins(network),
        "barrier_ratios": _quantiles(ratios),
        "downhill_barriers": _quantiles(downhill),
        "downhill_barriers_over_spread": _quantiles(downhill / spread) if spread > 0 else {},
        **{
            name: {label: _plain(measure(network, t)) for label, t in by_label.items()}
            for name, measure in _BY_TEMPERATURE.items()
        },
        "heat_capacity_peaks": [_peak(network, peak) for peak in peaks],
        "heat_capacity_curve": heat_capacity_curve(network, copies),
        "missing_minima": missing_minima(network),
        "barrier_audit": network.audit or None,
        "bands": {
            "level": LEVEL,
            **_turned({label: bands(network, t, copies) for label, t in by_label.items()}),
        },
    }
    if sets:
        found["rates"] = {label: vars(rates(network, *sets, t)) for label, t in by_label.items()}
    found["units"] = _units(network)
    found["remarks"] = _remarks(network, by_label)
    return found


def with_labels(temperatures):
    """Temperatures as numbers, by how they were given.

    Parameters
    ----------
    temperatures : sequence of float or str

    Returns
    -------
    dict of str to float

    Raises
    ------
    InputError
        If one is not a number above 0.
    """
    found = {}
    for given in temperatures:
        label = str(given).strip()
        try:
            number = float(label)
        except ValueError:
            raise InputError(f"temperature must be a number above 0, not {given!r}") from None
        found[label] = check_temperature(number)
    return found


def _sets(network, a, b):
    """Positions of the minima in the two sets between which there are rates."""
    if (a is None) != (b is None):
        raise InputError("rates are between two sets of minima: give both, A and B")
    if a is None:
        return None
    place = {i: k for k, i in enumerate(network.minima.ids.tolist())}
    for i in (*a, *b):
        if i not in place:
            raise InputError(f"there is no minimum {i}: rates are between minima that are known")
    return [place[i] for i in a], [place[i] for i in b]


def _superbasins(network):
    states = network.states.energies[network.ends[:, 0] != network.ends[:, 1]]
    energies = network.minima.energies
    top = max(energies.max(), states.max(initial=-np.inf))
    levels = np.linspace(energies.min(), top, _LEVELS)
    return {
        "energies": levels.tolist(),
        "numbers": funnel.superbasins(network, levels).tolist(),
    }


def _peak(network, peak):
    def named(ranked):
        ids, energies = network.minima.ids, network.minima.energies
        return [
            {"minimum": int(ids[k]), "energy": float(energies[k]), "share": share}
            for k, share in ranked[:_NAMED]
        ]

    return {
        "temperature": peak.temperature,
        "heat_capacity": peak.heat_capacity,
        "gaining": named(peak.gaining),
        "losing": named(peak.losing),
    }


def _turned(by_label):
    """By measure, then by temperature."""
    names = dict.fromkeys(name for entry in by_label.values() for name in entry)
    return {
        name: {label: entry[name] for label, entry in by_label.items() if name in entry}
        for name in names
    }


def _quantiles(values):
    return quantiles(values[np.isfinite(values)])


def _plain(value):
    return float(value) if np.isfinite(value) else None


def _units(network):
    none = "none (a ratio)"
    return {
        "energy": network.energy_label,
        "temperature": f"of the energy: {network.energy_label}, Boltzmann's constant is 1",
        "shannon_entropy": "nats",
        "frustration": none,
        "frustration_normalised": none,
        "occupation_lowest": "none (a probability)",
        "heat_capacity": "Boltzmann's constant",
        "barrier_ratios": none,
        "downhill_barriers": "of the energy",
        "downhill_barriers_over_spread": none,
        "rates": "one over time, that of the square roots of the Hessian's eigenvalues",
    }


def _remarks(network, by_label):
    """What a reader has to know besides, one sentence each."""
    minima, states, ends = network.minima, network.states, network.ends
    said = []
    lowest = int(as_low_as_the_lowest(network).sum())
    if lowest > 1:
        said.append(
            f"the lowest minimum is not unique: {lowest} are equally low and count together as "
            "the lowest"
        )
    unknown = [
        f"{np.isnan(points.log_determinants).sum()} of {len(points)} {name}"
        for points, name in ((minima, "minima"), (states, "transition states"))
        if not points.determinants_known
    ]
    if unknown:
        said.append(
            f"the determinant of the Hessian is not known for {' and '.join(unknown)}: where one "
            "is missing, all are taken to be equal"
        )
    if network.n_vibrations is None:
        said.append(
            "the number of vibrations is not known: heat capacity and mean energy are without "
            "their part"
        )
    elif not network.kinetic:
        said.append(
            "nothing moves here, so that heat capacity and mean energy have no kinetic half: "
            "kappa / 2 in place of kappa"
        )
    lost = int(np.isnan(network.barriers()).sum())
    if lost and len(network) > 1:
        at = ", ".join(
            f"{share_without_barrier(network, t):.2g} at {label}" for label, t in by_label.items()
        )
        said.append(
            f"{'1 minimum is' if lost == 1 else f'{lost} minima are'} not connected to the lowest, "
            f"without a term in the frustration; the system is there with probability {at}"
        )
    below = states.energies < minima.energies[ends].max(axis=1, initial=-np.inf)
    if below.any():
        said.append(
            f"{int(below.sum())} transition states lie below a minimum that they join: check where "
            "they come from"
        )
    missing = missing_minima(network)
    if missing is None:
        said.append(
            "no independent quenches are known, so that nothing can be said of minima that are "
            "missing"
        )
    else:
        said.append(
            f"{100 * missing['unseen_mass']:.2g} % of further quenches would end in minima that "
            f"none has found, at least {missing['n_unseen']:.0f}: the bands say what these could "
            "change if none is lower than the lowest, and are too narrow where it is most of them"
        )
    if len(network) > 1 and not network.audit:
        said.append(
            "the barriers are not audited: each is an upper bound, and so is the frustration"
        )
    return said
