"""Checks as jobs of a search: what they say is merged, whatever happened in between."""

import pytest
from landscapes import SEARCH, replace

from nnpotential import Landscape
from nnpotential.search.journal import Journal


def test_corrected_connections(tmp_path, net, ljat, monkeypatch):
    """Search descents that lead elsewhere are overruled by the gradient."""
    import nnpotential.points.connect as connect

    land = Landscape.create(tmp_path / "a", net, ljat, regularization=1e-3, seed=3, **SEARCH)
    true_descend, ends = connect.descend, []

    def wrong(*args, **kwargs):
        result = true_descend(*args, **kwargs)
        ends.append(result)
        return ends[0]  # always the first minimum that was ever reached

    monkeypatch.setattr(connect, "descend", wrong)
    land.explore(connection_attempts=1)
    summary = land.summary()
    assert summary["corrected_connections"] > 0
    assert {outcome for *_, outcome in land.verify()} == {"ok"}


def test_verify_between_two_parts_of_a_search(tmp_path, net, ljat, explored):
    """What `verify` finds while checks are pending must not trip the search that goes on."""
    path = tmp_path / "a"
    land = Landscape.create(path, net, ljat, regularization=1e-3, seed=3, **SEARCH)

    def interrupt(*_):
        if land.database.number_of_minima() >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt)
    pending = [job.args[0] for job in Journal(land.database).pending() if "minimum" in job.kind]
    assert pending
    spoilt = next(m for m in land.database.minima() if m.id() in pending)
    replace(land, spoilt, spoilt.coords + 1e-4)
    land.database.session.commit()
    assert "not converged" in {outcome for *_, outcome in land.verify()}
    land.close()
    land = Landscape.open(path)
    figures = land.explore()
    assert figures["jobs_pending"] == 0
    assert figures["verified"]["not converged"] == 1
