"""One line a minimum: loss, barrier, curvature, and all that the system measures."""

import numpy as np
from pele.storage import Minimum

from ..contract import SPECTRUM_LIMIT
from ..errors import InputError
from ..resampling import LEVEL, interval, rank_correlation
from .transition_network import TransitionNetwork

__all__ = ["CURVATURE", "coordinates", "correlations", "minima_table"]

CURVATURE = ("trace", "log_determinant", "largest_eigenvalue")
_AT_ONCE = 200  # points read
_CURVATURES = (*CURVATURE, "smallest_eigenvalue")


def minima_table(system, database, report, network=None, *, curvature=True, measured=True):
    """Every verified minimum, from the lowest on.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
    report : callable
        ``report(stage, done, total, text)``.
    network : TransitionNetwork, optional
        Of the database, where it is at hand.
    curvature : bool
        Whether what needs a Hessian is in it, too.
    measured : bool
        Whether the system's measures are in it, too.

    Returns
    -------
    dict
        Arrays of equal length: ``id``, ``loss`` (the energy, penalty included),
        ``barrier`` to the lowest (NaN where none is known), ``hits`` (independent quenches
        that ended there); of the Hessian without its zero modes ``trace``,
        ``log_determinant``, ``largest_eigenvalue`` and ``smallest_eigenvalue`` (NaN where
        it is too large); and each of the system's measures that is defined.
    """
    if network is None:
        network = TransitionNetwork.of_database(database, verified=True)
    if not len(network):
        raise InputError("there is no verified minimum to measure: run 'nnpotential explore' first")
    order = np.argsort(network.minima.energies, kind="stable")
    ids = network.minima.ids[order]
    defined = {name: m for name, m in system.measures.items() if not m.lacking}
    measures = defined if measured else {}
    names = (*(_CURVATURES if curvature else ()), *measures)
    rows = np.empty((len(ids), len(names)))
    for k, (number, x) in enumerate(coordinates(database, ids.tolist())):
        values = [float(measure.function(x)) for measure in measures.values()]
        rows[k] = [*(_curvature(system, x) if curvature else ()), *values]
        report("minima", k + 1, len(ids), f"minimum {number}")
    hits = np.zeros(len(network), int) if network.hits is None else network.hits
    return {
        "id": ids,
        "loss": network.minima.energies[order],
        "barrier": network.barriers()[order],
        "hits": hits[order],
        **dict(zip(names, rows.T, strict=True)),
    }


def coordinates(database, ids, kind=Minimum):
    """Minima, or transition states, from the database, some at a time.

    Parameters
    ----------
    database : pele.storage.Database
    ids : list of int
    kind : {Minimum, TransitionState}

    Yields
    ------
    int, ndarray
        In the order that was asked for.

    Raises
    ------
    InputError
        If one is not there.
    """
    for at in range(0, len(ids), _AT_ONCE):
        some = ids[at : at + _AT_ONCE]
        rows = database.session.query(kind._id, kind.coords).filter(kind._id.in_(some))
        found = {number: np.asarray(coords) for number, coords in rows}
        for number in some:
            if number not in found:
                raise InputError(f"point {number} is gone: the database was changed; try again")
            yield number, found[number]


def _curvature(system, x):
    if x.size > SPECTRUM_LIMIT:
        return [np.nan] * len(_CURVATURES)
    # the known zero modes have eigenvalue 0 exactly
    values = system.get_normalmodes(x)[0]
    values = values[values != 0.0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return [values.sum(), np.log(values).sum(), values.max(), values.min()]


def correlations(system, table):
    """Spearman's correlation of loss and curvature with each measure of the system.

    Parameters
    ----------
    system : LandscapeSystem
    table : dict
        From `minima_table`.

    Returns
    -------
    dict
        By measure and by ``loss``, ``trace``, ``log_determinant``, ``largest_eigenvalue``:
        ``correlation`` and ``interval``, a bootstrap over minima at the level ``LEVEL``;
        None where one of the two is the same for all.
    """
    found = {}
    for name in (name for name in system.measures if name in table):
        found[name] = {}
        for other in ("loss", *CURVATURE):
            pair = table[other], table[name]
            value = float(rank_correlation(*pair)) if len(pair[0]) > 1 else np.nan
            known = np.isfinite(value) and all(np.isfinite(part).all() for part in pair)
            found[name][other] = {
                "correlation": value if known else None,
                "interval": interval(rank_correlation, *pair, paired=True) if known else None,
                "level": LEVEL,
            }
    return found
