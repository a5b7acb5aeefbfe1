"""One search: a fixed number of jobs under way, merged in the order in which they went out.

Each is merged in one transaction together with the choice of the jobs that
follow from it. So the same seed gives the same landscape for any number of
workers, and a search that was stopped anywhere goes on where it was.
"""

from functools import partial
from time import perf_counter

from threadpoolctl import threadpool_limits

from ..interrupts import uninterrupted
from ..sessions import hold
from .choice import next_job
from .kinds import SEARCHES
from .known import Known
from .settings import STAGES
from .workers import Crew, JobFailed

__all__ = ["SILENCE", "Exploration", "waiting_text"]

SILENCE = 2.0  # seconds after which a job says what it is doing
_COMMIT_INTERVAL = 0.2  # seconds of work that a crash may cost


class Exploration:
    """One search of one landscape.

    Parameters
    ----------
    system : LandscapeSystem
    database : pele.storage.Database
        Holds what is found, and the journal of the work.
    search : SearchSettings
    seed : int
    checks : sequence of Kind
        The jobs that verify what is found: ``"check_minimum"`` and
        ``"check_transition_state"``.
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total, text)``; `total` is None
        where it is not known.
    """

    def __init__(self, system, database, search, seed, checks, on_progress=None):
        self.system, self.search = system, search.of(system)
        self._report = on_progress or (lambda stage, done, total, text: None)
        self._session = database.session
        self._committed = perf_counter()
        self._whole = True  # nothing is half merged or half written
        self._uncommitted = False  # something is merged that others do not see yet
        self._choose = next_job
        joined = self.search.n_joined(system.n_dof)
        self.known = Known(system, database, (*SEARCHES, *checks), seed, joined)

    def run(self, crew=None, stages=STAGES, max_seconds=None, choose=next_job):
        """Do all that is still to do; continue what was begun.

        Parameters
        ----------
        crew : Crew, optional
            Who does the work; by default this process.
        stages : sequence of str
            Some of `STAGES`.
        max_seconds : float, optional
            Hand out nothing more after this time.
        choose : callable
            What to do next, as `next_job` says it.
        """
        began, self._choose = perf_counter(), choose
        known = self.known
        with threadpool_limits(1), crew or Crew(self.system) as crew:
            try:
                with uninterrupted():
                    known.ask_outsiders()
                    self._fill(stages)
                    for job in known.pending:
                        self._submit(crew, job)
                while known.pending:
                    if max_seconds is not None and perf_counter() - began > max_seconds:
                        break
                    self._step(crew, stages)
            finally:
                if self._whole:
                    with uninterrupted():
                        self._commit()

    def _fill(self, stages):
        """Hand out jobs until enough are under way, or none follows from what is known."""
        while len(self.known.pending) < self.search.lookahead:
            chosen = self._choose(self.known, self.search, stages)
            if chosen is None:
                return
            self.known.ask(*chosen)

    def _submit(self, crew, job):
        kind = self.known.kinds[job.kind]
        crew.submit(job.id, kind, kind.needs(self.known, *job.args))

    def _step(self, crew, stages):
        """Merge the first job that is under way, and hand out those that follow."""
        job = self.known.pending[0]
        try:
            result, seconds = crew.result(job.id, partial(self._wait, job))
            reason = None
        except JobFailed as error:
            result, seconds, reason = None, 0.0, str(error)
        with uninterrupted():
            self._finish(job, result, seconds, reason, crew, stages)
            progress = self._progress(job)
        self._report(*progress)

    def _wait(self, job, seconds, told):
        """A job takes its time: say so, and keep nothing from others meanwhile."""
        if self._uncommitted:
            with uninterrupted():
                self._commit()
        if seconds > SILENCE:
            *progress, _ = self._progress(job)
            self._report(*progress, waiting_text(job.kind, seconds, told))

    def _progress(self, job):
        """What to report: stage, done, total, text."""
        kind = self.known.kinds[job.kind]
        return kind.stage, *kind.progress(self.known, self.search)

    def _finish(self, job, result, seconds, reason, crew, stages):
        self._whole = False
        started = perf_counter()
        hold(self.known.database)
        known, kind = self.known, self.known.kinds[job.kind]
        underway = len(known.pending) - 1
        found = kind.merge(known, result, *job.args)
        kind.end(known, found, *job.args)
        known.journal.close(job, found, reason)
        del known.pending[0]
        self._fill(stages)
        for new in known.pending[underway:]:
            self._submit(crew, new)
        known.journal.count_seconds(kind.stage, seconds)
        known.journal.count_seconds("merge", perf_counter() - started)
        self._whole = True
        self._uncommitted = True
        # each commit waits for the disk
        if perf_counter() - self._committed > _COMMIT_INTERVAL:
            self._commit()

    def _commit(self):
        self._whole = False
        self.known.journal.save()
        self._session.commit()
        self._whole, self._uncommitted = True, False
        self._committed = perf_counter()


def waiting_text(kind, seconds, told):
    """What to show of a job that takes its time."""
    return f"{told or kind.replace('_', ' ')}, {seconds:.0f} s"
