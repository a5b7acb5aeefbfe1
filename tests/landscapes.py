"""What the tests of landscapes share."""

from nnpotential.search.journal import Journal

SEARCH = {
    "quenches": 8,
    "basin_hopping_runs": 2,
    "basin_hopping_steps": 4,
    "untrap_attempts": 2,
    "soft_modes": 1,
}
FEW = {**SEARCH, "soft_modes": 0}


def contents(land):
    """All that a search decides, without times: minima, transition states, work done."""
    minima = [(m.id(), m.energy, m.coords.tobytes(), m.user_data) for m in land.database.minima()]
    states = [
        (t.id(), t.energy, t.coords.tobytes(), t.minimum1.id(), t.minimum2.id(), t.user_data)
        for t in land.database.transition_states()
    ]
    journal = Journal(land.database)
    del journal.tally["seconds"]
    return minima, states, journal.tally, journal.all_jobs()
