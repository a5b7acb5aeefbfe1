"""What to do next. It follows from what is known and what is under way, and from nothing else."""

import numpy as np

from .barriers import barriers_of
from .kinds import BY_THE_WAY, LINK, NEIGHBOURS
from .lowering import next_attempt
from .pairs import missing_connection, missing_link
from .settings import WALKS_TIMES_COORDINATES
from .ways import WAYS

__all__ = ["next_job"]

_HOPELESS = 100  # quenches without a minimum after which coverage will never come
_SOURCES = {"quench", "hop"}
_FURTHER = {"single_ended", "rearrange"}
_GROWING = {"grow", "check_minimum", "check_transition_state"}
_BY_THE_WAY = 20, 0.5  # attempts to join what connections found on their way: at least, a target
_LINKS = 8  # times as many attempts for each minimum of a sample: they are far apart
_LOWER, _AUDIT_SAMPLE, _AUDIT = 3, 4, 5  # what a derived seed is for
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
    if underway & _SOURCES or known.trial.is_open:
        return None
    for stage, part, beside in (
        ("connections", _connection, None),
        ("connections", _growth, _GROWING if search.n_to_grow(known.trial.is_lost) else None),
        ("connections", _lowering, {"connect", "lower", *_FURTHER, "audit"}),
        ("connections", _by_the_way, None),
        ("connections", _further, {*_FURTHER, "audit"}),
        ("audit", _audit, {"audit"}),
    ):
        if stage in stages:
            # what follows depends on what others under way still bring
            if beside is not None and not underway <= beside:
                return None
            chosen = part(known, search)
            if chosen is not None:
                return chosen
    if set(stages) >= {"connections", "audit"} and known.audit.is_short_of(search.until_barrier):
        known.lowering.unsettle()
        known.audit.discard()
        return next_job(known, search, stages)
    return None


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


def _connection(known, search):
    targets, limit = known.targets(), search.connection_attempts
    if known.is_sample():
        return _link(known, _LINKS * limit * len(targets))
    if not targets <= known.joined() and not known.trial.is_lost:
        pair = missing_connection(known.forest, known.attempts, known.distances, limit, targets)
        if pair is not None:
            return "connect", *pair, NEIGHBOURS
        if not any(job.kind == "connect" and NEIGHBOURS in job.args for job in known.pending):
            chosen = _link(known, limit * _worth_linking(known.forest, targets))
            if chosen is not None:
                return chosen
        return _by_the_way(known, search)  # what was met may lie between
    return None


def _by_the_way(known, search):
    """Two of the minima that connections only met: no barrier waits for them where all have one."""
    few, each = _BY_THE_WAY
    if known.is_sample() or known.trial.is_lost:
        return None  # each may find more than it joins
    if known.n_by_the_way >= few + each * len(known.targets()):
        return None
    limit = search.connection_attempts
    pair = missing_connection(known.forest, known.attempts, known.distances, limit)
    return None if pair is None else ("connect", *pair, BY_THE_WAY)


def _link(known, limit):
    """An attempt on the way between groups, over what was met in between."""
    if known.n_links >= limit:
        return None
    pair = missing_link(known.forest, known.attempts, known.distances, known.targets())
    return None if pair is None else ("connect", *pair, LINK)


def _worth_linking(forest, targets):
    """As for how many minima links are tried where bands to neighbours have left some apart.

    Where they joined next to nothing, there are no ways that links could complete.
    """
    wanted = {*targets, forest.lowest()}
    joined = max(len(wanted.intersection(group)) for group in forest.components())
    return min(joined, _LINKS * (len(wanted) - joined))


def _growth(known, search):
    """A walk up the softest mode that is left of the lowest minimum joined to the lowest of all."""
    if known.n_grown() >= search.n_to_grow(known.trial.is_lost):
        return None
    n_modes, joined = search.grown_modes, known.joined()
    for i in known.forest.upward():
        way = known.mode_left(i) if i in joined else None
        if way is not None and way[0] < n_modes:
            return "grow", i, *way
    return None


def _lowering(known, search):
    lowering, limit = known.lowering, search.n_untrap_attempts(known.system.n_dof)
    settled = lowering.is_settled(known.n_joined())
    over = lowering.n_given_out >= limit and (settled or not search.until_barrier)
    if search.untrap_attempts is None:
        over = over or settled
    if over:
        return None
    draw = _draw(known, _LOWER, lowering.n_given_out)
    attempt = next_attempt(known, known.bottlenecks(), lowering.ways(), draw)
    if attempt is None:
        return None
    lowering.charge(attempt[0])
    return "lower", *attempt


def _audit(known, search):
    audit, size = known.audit, search.audit_sample
    targets = known.targets()
    if not size:
        return None
    if not audit.is_of(len(targets)):
        found = known.bottlenecks()
        if known.pending or not any(barriers_of(found).values()):
            return None
        audit.begin(found, len(targets), size, _draw(known, _AUDIT_SAMPLE, audit.round))
    while (turn := audit.next()) is not None:
        minima, first = turn
        ways = sorted(WAYS, key=lambda way: way != first)
        draw = _draw(known, _AUDIT, audit.round, audit.n_given_out)
        attempt = next_attempt(known, known.bottlenecks(set(minima)), ways, draw)
        audit.give_out()
        if attempt is not None:
            return "audit", minima[0], *attempt
        known.merge_audit(new=None)
    return None


def _draw(known, *purpose):
    return np.random.default_rng(np.random.SeedSequence(known.seed, spawn_key=purpose))


def _further(known, search):
    """More transition states than connections need: up the soft modes, then between images."""
    if search.n_to_grow(known.trial.is_lost):
        return None
    affordable = _affordable_modes(known) if search.soft_modes is None else search.soft_modes
    for i in sorted(known.forest):
        for mode in range(min(affordable, known.n_modes(i))):
            for side in (1, -1):
                if (i, mode, side) not in known.followed:
                    return "single_ended", i, mode, side
    if search.soft_modes is not None:
        return None
    if any(known.n_modes(i) > affordable for i in known.forest):
        return None
    return _rearrangement(known)


def _affordable_modes(known):
    """How many modes of each minimum a search follows that was not told."""
    return WALKS_TIMES_COORDINATES // (2 * known.system.n_dof * max(len(known.forest), 1))


def _rearrangement(known):
    patience = _IN_VAIN + _IN_VAIN_EACH * known.n_transition_states()
    if not known.forest or known.n_in_vain >= patience:
        return None
    if sum(known.rearranged.values()) * known.system.n_dof >= WALKS_TIMES_COORDINATES:
        return None
    i = min(known.forest, key=lambda i: (known.rearranged[i], i))
    return "rearrange", i, known.rearranged[i]
