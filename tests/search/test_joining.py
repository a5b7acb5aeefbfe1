"""Which pairs are tried where two minima are to be joined, on a graph made by hand."""

from types import SimpleNamespace

import networkx as nx
import pytest

from nnpotential.search.forest import Forest
from nnpotential.search.joining import Joining
from nnpotential.search.pairs import Attempts

PLACES = {0: 0.0, 1: 20.0, 2: 4.0, 3: 9.0, 4: 14.0}


class Line(Joining):
    """Of the minima 0 and 1, on a line."""

    def _ids(self, known):
        return [0, 1]


def tried(attempts, limit):
    """The pairs that are tried until a band along a jump of at most six has joined all."""
    graph = nx.Graph()
    graph.add_nodes_from((i, {"energy": 0.1 * i}) for i in PLACES)
    graph.add_edges_from([(2, 3), (3, 4)], energy=1.0)
    known = SimpleNamespace(
        pending=[],
        forest=Forest(graph),
        attempts=Attempts(),
        distances=lambda pairs: [abs(PLACES[i] - PLACES[j]) for i, j in pairs],
    )
    search, choose, pairs = (
        SimpleNamespace(connection_attempts=limit),
        Line(None, None, attempts),
        [],
    )
    while (job := choose(known, search, ())) is not None:
        kind, i, j, *_ = job
        assert kind == "connect"
        pairs.append({i, j})
        found = abs(PLACES[i] - PLACES[j]) <= 6
        known.attempts.begin(i, j)
        known.attempts.end(i, j, int(found))
        if found:
            known.forest.join(i, j, 1.0)
    return pairs, 1 in known.forest.component(0)


@pytest.mark.parametrize("limit", [0, 1, 6])
def test_where_neighbours_give_up_it_goes_on_over_what_was_met(limit):
    """First the two themselves; with no neighbours at all only stepping stones are left."""
    pairs, joined = tried(100, limit)
    assert pairs[0] == {0, 1} and joined
    assert {0, 2} in pairs and {1, 4} in pairs


def test_no_more_attempts_than_are_allowed():
    pairs, joined = tried(2, 6)
    assert len(pairs) == 2 and not joined
