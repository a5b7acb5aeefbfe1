"""The kinds of job that verify what a search or another program has stored."""

from ..findings import Connection, Point, Verdict
from ..search.kinds import Kind
from ..storage import NOT_CHECKED, record_outcome
from .verify import is_duplicate, verify_point, verify_transition_state, why_degenerate

__all__ = ["CHECKS", "CheckMinimum", "CheckTransitionState"]

_FAILED = Verdict(NOT_CHECKED)  # the check itself, as often as it is tried


class CheckMinimum(Kind):
    """Whether a stored point is a minimum; in the merge, whether it is a new one."""

    name, stage = "check_minimum", "verify"

    def needs(self, known, number):
        return Point.of(known.minimum(number))

    @staticmethod
    def run(system, energy, coords):
        outcome = verify_point(system, Point(energy, coords), index=0)
        return Verdict(outcome, why_degenerate(system, coords) if outcome == "degenerate" else None)

    def record(self, system, database, minimum, verdict):
        """Note what the check of a minimum says, None if it failed."""
        outcome, why, _ = verdict or _FAILED
        if outcome == "ok" and is_duplicate(system, database, minimum):
            outcome = "duplicate"
        record_outcome(minimum, outcome, why)

    def merge(self, known, result, number):
        minimum = known.minimum(number)
        counted = not minimum.invalid  # `verify` may have been there in between
        self.record(known.system, known.database, minimum, result)
        if counted and minimum.invalid:
            known.count_out(minimum)
        elif not counted and not minimum.invalid:
            known.count_in(minimum)
        return 1


class CheckTransitionState(Kind):
    """Whether a stored point is a transition state, and between which minima."""

    name, stage = "check_transition_state", "verify"

    def needs(self, known, number):
        return Connection.of(known.transition_state(number))

    @staticmethod
    def run(system, *connection):
        return verify_transition_state(system, Connection(*connection))

    def record(self, system, database, ts, verdict):
        """Note what the check of a transition state says, None if it failed."""
        record_outcome(ts, (verdict or _FAILED).outcome)

    def merge(self, known, result, number):
        """Where the gradient leads elsewhere than the search's descents, it counts."""
        outcome, _, ends = result or _FAILED
        ts = known.transition_state(number)
        if outcome == "descends elsewhere":
            known.part(ts)
            minima = [known.add_minimum(end, "connections") for end in ends]
            ts.minimum1, ts.minimum2 = sorted(minima, key=lambda m: m.id())
            known.journal.tally["corrected"] += 1
            above = all(ts.energy > m.energy for m in minima)
            outcome = "ok" if above else "not above"
        record_outcome(ts, outcome)
        (known.part if ts.invalid else known.join)(ts)
        return 1


CHECKS = CheckMinimum(), CheckTransitionState()
