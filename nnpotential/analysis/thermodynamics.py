"""Equilibrium thermodynamics in the harmonic superposition approximation.

Temperatures are in units of the energy (Boltzmann's constant is 1). Each function takes
``copies``, for questions of the form "what if there were more minima like these": how many
minima each one stands for, one by default; leading axes are cases of their own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import entr, log_softmax

from ..checks import check_number
from ..errors import InputError

__all__ = [
    "HeatCapacityPeak",
    "as_low_as_the_lowest",
    "check_minima",
    "check_temperature",
    "default_temperatures",
    "frustration",
    "heat_capacity",
    "heat_capacity_peaks",
    "log_occupations",
    "mean_energy",
    "occupation_derivatives",
    "occupation_lowest",
    "shannon_entropy",
    "share_without_barrier",
    "temperature_range",
]

_EQUAL = 1e-9  # of the spread of energies: minima so near the lowest are as low
_PROMINENCE = 0.01  # of a peak, in units of k
_MOST_TEMPERATURES = 2000  # of a curve
_SCHOTTKY = 2.4  # two minima of equal weight: their energies differ by so many T at the peak


def check_temperature(temperature):
    """Return a temperature as a float.

    Raises
    ------
    InputError
        If it is not above 0 and finite.
    """
    return check_number("temperature", temperature, "above 0 and finite", lambda t: 0 < t < np.inf)


def check_minima(network):
    """Raise InputError if there is no minimum."""
    if not len(network):
        raise InputError("there is no minimum, so there is nothing to measure")


def log_occupations(network, temperature):
    """Logarithm of the probability of each minimum.

    ``p_a`` is proportional to ``exp(-E_a / T) / (o_a sqrt(det H_a))``: with o_a the order of
    the point group a minimum has a number of images in proportion to 1 / o_a. Where the
    determinant of one minimum is not known, all are taken to be equal.

    Parameters
    ----------
    network : TransitionNetwork
    temperature : float
        Above 0, in units of the energy.

    Returns
    -------
    ndarray, shape (n_minima,)

    References
    ----------
    F. H. Stillinger and T. A. Weber, Phys. Rev. A 25, 978 (1982); D. J. Wales, Mol. Phys. 78,
    151 (1993).
    """
    check_minima(network)
    return _log_shares(network, temperature, np.ones(len(network), dtype=bool))


def mean_energy(network, temperature, copies=None):
    """Mean energy: ``sum p_a E_a + kappa T``, and half of the second where nothing moves.

    The second part is left out where ``n_vibrations`` is not known.

    Returns
    -------
    float, in units of the energy
    """
    shares = np.exp(log_occupations(network, temperature))
    energies = network.minima.energies
    lowest = energies.min()
    mean = _sum(shares * (energies - lowest), copies) / _sum(shares, copies)
    return lowest + mean + _of_vibrations(network) * temperature


def heat_capacity(network, temperature, copies=None):
    """Heat capacity ``C_v / k = kappa + Var(E) / T^2``.

    kappa is the number of vibrations, ``n_vibrations``, half of it each from kinetic and
    potential energy; of a network, where nothing moves, only the latter: ``kappa / 2``. It is
    left out where it is not known. The variance is that of the energies of minima, over their
    occupations.

    Returns
    -------
    float, in units of k
    """
    shares = np.exp(log_occupations(network, temperature))
    energies = network.minima.energies
    here = shares > 0
    mean = shares @ (energies - energies.min())
    offsets = np.zeros(len(network))
    offsets[here] = (energies[here] - energies.min() - mean) / temperature
    total = _sum(shares, copies)
    first = _sum(shares * offsets, copies) / total
    variance = _sum(shares * offsets**2, copies) / total - first**2
    return _of_vibrations(network) + variance


def shannon_entropy(network, temperature, copies=None):
    """Shannon entropy ``S = -sum p_a ln p_a`` of the occupations.

    Returns
    -------
    float, in nats (units of k)

    References
    ----------
    V. K. de Souza, J. D. Stevenson, S. P. Niblett, J. D. Farrell, D. J. Wales, J. Chem.
    Phys. 146, 124103 (2017).
    """
    shares = np.exp(log_occupations(network, temperature))
    total = _sum(shares, copies)
    return np.log(total) + _sum(entr(shares), copies) / total


def occupation_lowest(network, temperature, copies=None):
    """Probability of the lowest minimum, or of all that are as low as it.

    Returns
    -------
    float
    """
    shares = np.exp(log_occupations(network, temperature))
    lowest = as_low_as_the_lowest(network)
    return _sum(np.where(lowest, shares, 0.0), copies) / _sum(shares, copies)


def frustration(network, temperature, copies=None, *, normalised=False):
    """Frustration ``f = sum_{a != gm} p_a (E_ts(a) - E_a) / (E_a - E_gm)``.

    gm is the lowest minimum, and E_ts(a) the height of the highest transition state on the
    path from a to gm for which that is lowest. Minima as low as gm (within 1e-9 of the range
    of energies) count as gm, as PATHSAMPLE has it. Minima that are not connected to gm have no
    term; see `share_without_barrier`.

    Parameters
    ----------
    network, temperature, copies
    normalised : bool
        Divide by ``sum_{a != gm} p_a``, with the minima that are not connected: the mean
        over where the system is when it is not in gm.

    Returns
    -------
    float, without unit
        NaN where no barrier to gm is known; and, if normalised, where all minima are gm.

    References
    ----------
    V. K. de Souza, J. D. Stevenson, S. P. Niblett, J. D. Farrell, D. J. Wales, J. Chem.
    Phys. 146, 124103 (2017).
    """
    others = ~as_low_as_the_lowest(network)
    barriers = network.barriers()
    connected = others & np.isfinite(barriers)
    if others.any() and not connected.any():
        return _unknown(copies)
    gaps = network.minima.energies - network.minima.energies.min()
    terms = np.zeros(len(network))
    terms[connected] = barriers[connected] / gaps[connected]
    if not normalised:
        shares = np.exp(log_occupations(network, temperature))
        return _sum(shares * terms, copies) / _sum(shares, copies)
    if not others.any():
        return _unknown(copies)
    shares = np.exp(_log_shares(network, temperature, others))
    return _sum(shares * terms, copies) / _sum(shares, copies)


def share_without_barrier(network, temperature):
    """Probability of the minima that are not connected to the lowest: they have no term in f.

    Returns
    -------
    float
    """
    lost = np.isnan(network.barriers()) & ~as_low_as_the_lowest(network)
    return float(np.exp(log_occupations(network, temperature))[lost].sum())


def as_low_as_the_lowest(network):
    """Which minima have the lowest energy, within 1e-9 of the range of energies; boolean."""
    check_minima(network)
    energies = network.minima.energies
    return energies - energies.min() <= _EQUAL * np.ptp(energies)


def occupation_derivatives(network, temperature):
    """How occupations change with temperature: ``dp_a / dT = p_a (E_a - <E>) / T^2``.

    Returns
    -------
    ndarray, shape (n_minima,), one over energy
        Their sum is 0.
    """
    shares = np.exp(log_occupations(network, temperature))
    offsets = network.minima.energies - network.minima.energies.min()
    here = shares > 0
    change = np.zeros(len(network))
    change[here] = shares[here] * (offsets[here] - shares @ offsets) / temperature / temperature
    return change


@dataclass(frozen=True)
class HeatCapacityPeak:
    """A maximum of the heat capacity, and the minima between which the weight moves there.

    Attributes
    ----------
    temperature, heat_capacity : float
    derivatives : ndarray, shape (n_minima,)
        dp_a / dT: minima that gain weight with temperature have a positive one.
    """

    temperature: float
    heat_capacity: float
    derivatives: np.ndarray

    @property
    def gaining(self):
        """Positions of minima that gain weight, and the share of the gain of each, first the most.

        Returns
        -------
        list of (int, float)
        """
        return _ranked(self.derivatives)

    @property
    def losing(self):
        """Likewise of those that lose it."""
        return _ranked(-self.derivatives)


def heat_capacity_peaks(network, between=None):
    """Maxima of the heat capacity by temperature, at least 0.01 k above their surroundings.

    Parameters
    ----------
    network : TransitionNetwork
    between : (float, float), optional
        Where to look, by default `temperature_range`.

    Returns
    -------
    list of HeatCapacityPeak
        By temperature.

    References
    ----------
    D. J. Wales, Phys. Rev. E 95, 030105(R) (2017).
    """
    from scipy.signal import find_peaks  # here, as it takes half a second

    temperatures = _grid(network, between)
    curve = np.array([heat_capacity(network, t) for t in temperatures])
    found, _ = find_peaks(curve, prominence=_PROMINENCE)
    peaks = []
    for k in found:
        bounds = np.log(temperatures[[k - 1, k + 1]])
        best = minimize_scalar(
            lambda x: -heat_capacity(network, np.exp(x)), bounds=bounds, method="bounded"
        )
        at = float(np.exp(best.x))
        derivatives = occupation_derivatives(network, at)
        peaks.append(HeatCapacityPeak(at, float(heat_capacity(network, at)), derivatives))
    return peaks


def temperature_range(network):
    """Temperatures between which the occupations change.

    From a quarter of the lowest at which all others together could take over from the lowest
    minimum, to the range of energies.

    Returns
    -------
    low, high : float
        Both 1 where all energies are the same.
    """
    gaps, prefactors = _above_lowest(network)
    if not gaps.size:
        return 1.0, 1.0
    low = (gaps / np.maximum(prefactors + np.log(gaps.size), _SCHOTTKY)).min() / 4
    return float(low), float(max(gaps.max(), low))


def default_temperatures(network, peaks=None):
    """Temperatures that a landscape itself suggests: its scales, to four digits.

    Where the heat capacity has its peaks, the highest two, and the standard deviation of
    the energies of minima.

    Parameters
    ----------
    network : TransitionNetwork
    peaks : list of HeatCapacityPeak, optional
        If they are known already.

    Returns
    -------
    list of float
        Rising; 1 where all energies are the same.
    """
    if not _above_lowest(network)[0].size:
        return [1.0]
    peaks = heat_capacity_peaks(network) if peaks is None else peaks
    peaks = sorted(peaks, key=lambda peak: -peak.heat_capacity)[:2]
    scales = [*(peak.temperature for peak in peaks), network.minima.energies.std()]
    return sorted({float(f"{t:.4g}") for t in scales})


def _log_shares(network, temperature, among):
    """Logarithms of the occupations of some minima, of which these have all; -inf elsewhere."""
    temperature = check_temperature(temperature)
    energies = network.minima.energies[among]
    shares = np.full(len(network), -np.inf)
    with np.errstate(over="ignore"):  # what is so far above has no weight
        exponents = -(energies - energies.min()) / temperature
    shares[among] = log_softmax(exponents + _log_prefactors(network)[among])
    return shares


def _log_prefactors(network):
    """What the occupations hold besides the energies."""
    minima = network.minima
    factors = -np.log(minima.orders)
    if minima.determinants_known:
        factors -= (minima.log_determinants - minima.log_determinants[network.lowest]) / 2
    return factors


def _above_lowest(network):
    """Gaps and logarithms of prefactors, both to the lowest, of minima above it."""
    above = ~as_low_as_the_lowest(network)
    factors = _log_prefactors(network)
    gaps = network.minima.energies - network.minima.energies.min()
    return gaps[above], (factors - factors[network.lowest])[above]


def _grid(network, between):
    """Temperatures so close that no peak falls between two of them."""
    low, high = temperature_range(network) if between is None else map(check_temperature, between)
    _, prefactors = _above_lowest(network)
    # where N minima of weight g take over, the logarithm of T changes by some 1 / ln(N g)
    steepest = max(prefactors.max(initial=0) + np.log(max(prefactors.size, 1)), _SCHOTTKY)
    number = int(min(max(np.log(high / low) * 8 * steepest, 50), _MOST_TEMPERATURES))
    return np.geomspace(low, high, number)


def _sum(terms, copies):
    return terms.sum() if copies is None else copies @ terms


def _unknown(copies):
    return np.nan if copies is None else np.full(np.shape(copies)[:-1], np.nan)


def _of_vibrations(network):
    if network.n_vibrations is None:
        return 0.0
    return network.n_vibrations * (1.0 if network.kinetic else 0.5)


def _ranked(derivatives):
    order = np.argsort(-derivatives, kind="stable")
    order = order[derivatives[order] > 0]
    total = derivatives[order].sum()
    return [(int(k), float(derivatives[k] / total)) for k in order]
