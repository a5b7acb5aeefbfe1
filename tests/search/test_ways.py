"""What is tried at a bottleneck, which one comes first, and how the ways run."""

from collections import Counter
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest

from nnpotential.points.connect import connect_band, connect_pair
from nnpotential.search import ways
from nnpotential.search.barriers import bottlenecks
from nnpotential.search.forest import Forest
from nnpotential.search.kinds import SEARCHES, Lower
from nnpotential.search.known import Known
from nnpotential.search.lowering import next_attempt
from nnpotential.search.pairs import Attempts
from nnpotential.search.ways import WAYS


class OnALine:
    """What an attempt is chosen from: minima on a line, those from 10 on behind a high pass."""

    def __init__(self, n_modes=1):
        self.graph = nx.Graph()
        for i in (1, 2, 3, 10, 11, 12):
            self.graph.add_node(i, energy=0.1 * i)
        for i, j, energy in ((1, 2, 1.5), (2, 3, 1.5), (3, 10, 9.0), (10, 11, 1.6), (11, 12, 1.6)):
            self.graph.add_edge(i, j, energy=energy)
        self.attempts, self.followed, self.n_modes = Attempts(), set(), n_modes
        self.lowering = SimpleNamespace(tries=Counter())

    @property
    def forest(self):
        return Forest(self.graph)

    def distances(self, pairs):
        return [abs(i - j) for i, j in pairs]

    def mode_left(self, i):
        sides = ((mode, side) for mode in range(self.n_modes) for side in (1, -1))
        return next(((m, s) for m, s in sides if (i, m, s) not in self.followed), None)

    def next(self, ways, targets=(1, 2, 3, 10, 11, 12)):
        found = bottlenecks(self.forest, set(targets))
        attempt = next_attempt(self, found, ways, np.random.default_rng(0))
        if attempt is not None:
            way, i, j, *what = attempt
            self.lowering.tries[i, j] += 1
            WAYS[way].begin(self, *what)
        return attempt


def test_across_the_highest_pass_between_the_nearest():
    known = OnALine()
    assert known.next(["across"]) == ("across", 3, 10, 10, 3)
    known = OnALine()
    assert known.next(["across"], targets=[2]) == ("across", 1, 2, 2, 1)


def test_uphill_from_behind_it_by_the_softest_mode():
    known = OnALine(n_modes=2)
    seen = [known.next(["uphill"], targets=[12]) for _ in range(7)]
    assert [what for _, _, _, *what in seen] == [
        *([i, 0, side] for i in (10, 11, 12) for side in (1, -1)),
        [10, 1, 1],
    ]


def test_neighbours_of_the_minimum_with_the_fewest_partners():
    known = OnALine()
    # of those behind the pass 10 has the highest barrier, and 11 is nearest
    assert known.next(["neighbours"], targets=[10, 11, 12]) == ("neighbours", 3, 10, 10, 11)
    assert known.next(["neighbours"], targets=[10, 11, 12]) == ("neighbours", 3, 10, 12, 11)


def test_downhill_from_the_highest_barriers_to_the_lowest_minima():
    known = OnALine()
    seen = [tuple(known.next(["downhill"], targets=[11, 12])[3:]) for _ in range(3)]
    assert seen == [(11, 1), (12, 1), (11, 2)]


def test_the_bottleneck_that_matters_most_for_how_often_it_was_tried():
    known = OnALine()
    edges = [tuple(known.next(["across"])[1:3]) for _ in range(10)]
    assert edges[0] == (3, 10)
    assert edges.count((3, 10)) > 5 and len(set(edges)) > 1


@pytest.mark.parametrize("first", WAYS)
def test_a_way_without_anything_left_is_passed_over_and_all_of_it_ends(first):
    known = OnALine()
    ways = sorted(WAYS, key=lambda way: way != first)
    seen = []
    while (attempt := known.next(ways)) is not None:
        seen.append(attempt)
        assert len(seen) < 100
    assert seen[0][0] == first
    tried = [frozenset(what) for way, _, _, *what in seen if way != "uphill"]
    walks = [tuple(what) for way, _, _, *what in seen if way == "uphill"]
    assert len(set(tried)) == len(tried) == 15  # every pair once
    # from every minimum that any pass keeps from the lowest
    assert sorted(walks) == sorted((i, 0, s) for i in (2, 3, 10, 11, 12) for s in (1, -1))


def test_the_same_state_gives_the_same_attempts():
    def all_of(known):
        return [known.next(list(WAYS)) for _ in range(12)]

    assert all_of(OnALine()) == all_of(OnALine())


def test_of_many_minima_some_are_looked_at():
    """Another draw, other minima; the same draw, the same."""
    known, n = OnALine(), 400
    for i in range(100, 100 + n):
        known.forest.graph.add_node(i, energy=8.0)
        known.forest.graph.add_edge(3, i, energy=8.5)
    known.distances = lambda pairs: [(i * 7919 + j * 104729) % 1009 for i, j in pairs]
    [found] = bottlenecks(known.forest, {12})
    picked = [
        next_attempt(known, [found], ["across"], np.random.default_rng(seed))
        for seed in (0, 0, 1, 2, 3)
    ]
    assert picked[0] == picked[1] and len(set(picked)) > 1


def test_nothing_to_lower():
    assert next_attempt(OnALine(), [], list(WAYS), np.random.default_rng(0)) is None


def farthest(land):
    """The two minima that are farthest apart, the lower one last."""
    distance = land.system.identity.distances
    minima = land.database.minima()
    pairs = [(a, b) for k, b in enumerate(minima) for a in minima[k + 1 :]]
    lengths = distance([(a.coords, b.coords) for a, b in pairs])
    return [m.coords for m in pairs[int(np.argmax(lengths))]]


def energies_of(connections):
    return sorted(found.energy for found in connections)


def test_downhill_goes_all_the_way_and_by_what_is_stored(mapped):
    ends, known = farthest(mapped), Known(mapped.system, mapped.database, SEARCHES, seed=0)
    found = Lower.run(mapped.system, "downhill", known.state_energies(), *ends)
    whole = connect_pair(mapped.system, *ends)
    assert energies_of(found.found) == energies_of(whole) and not found.met
    band = Lower.run(mapped.system, "across", known.state_energies(), *ends)
    assert len(band.found) + len(band.met) <= len(connect_band(mapped.system, *ends))
    assert found.cost >= band.cost > 0


def test_downhill_is_one_band_where_a_path_takes_minutes(mapped, monkeypatch):
    ends, none = farthest(mapped), np.array([])
    band = Lower.run(mapped.system, "across", none, *ends)
    monkeypatch.setattr(ways, "is_large", lambda n_dof: True)
    found = Lower.run(mapped.system, "downhill", none, *ends)
    assert energies_of(found.found) == energies_of(band.found) and found.cost == band.cost
