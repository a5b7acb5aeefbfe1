"""Runs that are started in pele's GUI, without a window."""

from types import SimpleNamespace

import pytest

pytest.importorskip("PyQt5")
runs = pytest.importorskip("nnpotential.view.gui_runs")


def test_lists_are_sorted_again_after_a_run_that_cannot_be_stored(box, monkeypatch):
    sorting = []

    def fails(*_):
        sorting.append(box.params.gui._sort_lists)
        raise RuntimeError

    monkeypatch.setattr(runs, "store_minimum", fails)
    runner = runs._Runner.__new__(runs._Runner)
    runner.system, runner.database = box, box.create_database()
    point = SimpleNamespace(id=lambda: 1, energy=0.0, coords=None)
    with pytest.raises(RuntimeError):
        runner.add_minima_transition_states([point], [])
    assert sorting == [False] and box.params.gui._sort_lists
