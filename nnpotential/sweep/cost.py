"""What a point may cost beside others: enough to begin with the longest.

Not in seconds: most of the time goes into connecting the minima, and how many there are
is what a search is for. The time of equal settings differs tenfold by that alone.
"""

from ..search.audit import EFFORT
from ..search.settings import WALKS_TIMES_COORDINATES

__all__ = ["relative_cost"]

_CALL = 5e-6  # seconds of one gradient besides its arithmetic
_PRODUCT = 4.5e-10  # seconds a parameter and sample
_GRADIENTS = 4000  # of one quench or connection with its verification


def relative_cost(n_parameters, n_samples, search):
    """The cost of a point, to be compared with that of others.

    Parameters
    ----------
    n_parameters : int
    n_samples : int or None
        Of the training set; None for what has none, where each degree of freedom
        is taken to meet all others.
    search : SearchSettings
    """
    gradient = _CALL + _PRODUCT * n_parameters * (n_samples or 4 * n_parameters)
    found = search.quenches + search.basin_hopping_runs * search.basin_hopping_steps
    connected = found if search.connection_attempts else 0
    modes = search.soft_modes
    if modes is None:  # as many as a budget allows
        modes = WALKS_TIMES_COORDINATES // (2 * n_parameters * max(found, 1))
    # of a grown landscape each minimum takes some two walks
    walks = 2 * (search.grow or found * min(modes, n_parameters))
    lowered = search.untrap_attempts
    if lowered is None:  # rounds until one gains little
        lowered = 100
    audited = EFFORT * min(search.audit_sample, found)
    jobs = found + 2 * connected + lowered + walks + audited
    # a Hessian and its factorisation cost as many gradients as there are parameters
    # at least that of opening and drawing a landscape
    return 0.3 + jobs * gradient * (_GRADIENTS + 10 * n_parameters)
