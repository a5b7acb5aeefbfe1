"""What to do next. It follows from what is known and what is under way, and from nothing else."""

from .pairs import missing_connection, trapped_connection
from .settings import WALKS_TIMES_COORDINATES

__all__ = ["next_job"]

_HOPELESS = 100  # quenches without a minimum after which coverage will never come
_SOURCES = {"quench", "hop"}
_FURTHER = {"single_ended", "rearrange"}
# images tried in vain before the search ends, and more for each transition state that is known:
# the more there are, the rarer is the rarest (of the 42 of eight atoms 1 of 80 tries gives it)
_IN_VAIN, _IN_VAIN_EACH = 20, 5


def next_job(known, search, stages):
    """The next job, a kind and its arguments, or None before one under way is merged.

    Parameters
    ----------
    known : Known
    search : SearchSettings
    stages : sequence of str
        Some of `STAGES`.
    """
    underway = {job.kind for job in known.pending}
    if "minima" in stages:
        chosen = _source(known, search)
        if chosen is not None:
            return chosen
    if underway & _SOURCES or "connections" not in stages:
        return None
    chosen = _connection(known, search, underway)
    if chosen is None and underway <= _FURTHER:
        return _further(known, search)
    return chosen


def _source(known, search):
    index = known.given_out["quench"]
    hopeless = known.merged["quench"] >= _HOPELESS and not known.has_minima()
    uncovered = search.until_coverage > known.coverage() and not hopeless
    if index < search.quenches or uncovered:
        names = search.initializations
        return "quench", index, names[index % len(names)]
    index = known.given_out["hop"]
    if index < search.basin_hopping_runs:
        return "hop", index, search.basin_hopping_steps
    return None


def _connection(known, search, underway):
    state = known.graph, known.attempts, known.distance, search.connection_attempts
    pair, purpose = missing_connection(*state), "connect"
    if pair is None:
        # the barriers are known when all that is under way is merged
        if underway - {"connect"} or any(job.args[3] == "connect" for job in known.pending):
            return None
        if known.n_untrapped < search.untrap_attempts:
            pair, purpose = trapped_connection(*state), "untrap"
    return None if pair is None else ("connect", *pair, purpose)


def _further(known, search):
    """More transition states than connections need: up the soft modes, then between images."""
    affordable = _affordable_modes(known) if search.soft_modes is None else search.soft_modes
    for i in sorted(known.graph):
        for mode in range(min(affordable, known.n_modes(i))):
            for side in (1, -1):
                if (i, mode, side) not in known.followed:
                    return "single_ended", i, mode, side
    if search.soft_modes is not None:
        return None
    if any(known.n_modes(i) > affordable for i in known.graph):
        return None
    return _rearrangement(known)


def _affordable_modes(known):
    """How many modes of each minimum a search follows that was not told."""
    return WALKS_TIMES_COORDINATES // (2 * known.system.n_dof * max(len(known.graph), 1))


def _rearrangement(known):
    patience = _IN_VAIN + _IN_VAIN_EACH * known.database.number_of_transition_states()
    if not known.graph or known.n_in_vain >= patience:
        return None
    if sum(known.rearranged.values()) * known.system.n_dof >= WALKS_TIMES_COORDINATES:
        return None
    i = min(known.graph, key=lambda i: (known.rearranged[i], i))
    return "rearrange", i, known.rearranged[i]
