"""What to do next. It follows from what is known and what is under way, and from nothing else."""

from .pairs import missing_connection, trapped_connection

__all__ = ["next_job"]

_HOPELESS = 100  # quenches without a minimum after which coverage will never come
_SOURCES = {"quench", "hop"}


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
    if chosen is None and underway <= {"single_ended"}:
        return _soft_mode(known, search)
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


def _soft_mode(known, search):
    if search.soft_modes == 0:
        return None
    for i in sorted(known.graph):
        barren = known.system.identity.barren_modes(known.coords(i)).shape[1]
        for mode in range(min(search.soft_modes, known.system.n_dof - barren)):
            for side in (1, -1):
                if (i, mode, side) not in known.followed:
                    return "single_ended", i, mode, side
    return None
