"""The spanning forest that is kept: at any time that of its graph, made from nothing."""

import networkx as nx
import numpy as np
import pytest

from nnpotential.search.forest import Forest


def by_kruskal(graph):
    """All groups that take part in the lowest one's growth, with their members copied."""
    energy = graph.nodes(data="energy")
    lowest = min(graph, key=lambda i: (energy[i], i), default=None)
    group, steps = {i: [i] for i in graph}, []
    for top, *edge in sorted((e, min(i, j), max(i, j)) for i, j, e in graph.edges(data="energy")):
        one, other = (group[i] for i in edge)
        if one is other:
            continue
        ground = group[lowest]
        if ground is one or ground is other:
            inside = other if ground is one else one
            steps.append(((top, *edge), list(inside), list(ground)))
        if len(one) < len(other):
            one, other = other, one
        one += other
        for i in other:
            group[i] = one
    return lowest, steps


def agree(forest):
    graph = forest.graph
    lowest, expected = by_kruskal(graph)
    found = list(forest.passes(set(graph)))
    assert [(edge, list(inside), list(ground)) for edge, _, inside, ground in found] == expected
    assert forest.lowest() == lowest
    for _, behind, *groups in found:
        assert behind == sorted(groups[0])
        for members in groups:
            there = list(members)
            assert [members[k] for k in range(len(members))] == there
            assert members.take(range(len(members))) == there
            assert members.take([len(there) - 1, 0, 0]) == [there[-1], there[0], there[0]]
            assert members.take([]) == []
    some = set(list(graph)[::3])
    kept = [(edge, sorted(some.intersection(inside))) for edge, inside, _ in expected]
    asked = [(edge, behind) for edge, behind, *_ in forest.passes(some)]
    assert asked == [step for step in kept if step[1]]
    groups = sorted(map(sorted, nx.connected_components(graph)))
    assert sorted(map(sorted, forest.components())) == groups
    assert all(forest.component(i) == nx.node_connected_component(graph, i) for i in graph)
    assert set(forest) == set(graph) and len(forest) == len(graph)
    some = sorted(graph)[::3]
    assert forest.n_groups(some) == sum(not set(some).isdisjoint(group) for group in groups)


@pytest.mark.parametrize("seed", range(20))
def test_after_any_change_it_is_that_of_the_graph(seed):
    rng = np.random.default_rng(seed)
    forest, n = Forest(), 0
    shares = [0.3, 0.6, 0.03, 0.07] if seed % 2 else [0.2, 0.7, 0.02, 0.08]
    for step in range(150):
        what = rng.choice(4, p=shares)
        there = sorted(forest)
        if what == 0 or len(there) < 2:
            n += 1
            forest.add(n, round(float(rng.random()), 1))  # some as low as others
            continue
        i, j = map(int, rng.choice(there, 2, replace=False))
        if what == 1:
            forest.join(i, j, 1 + round(float(rng.random()), 1))
        elif what == 2:
            forest.remove(i)
        else:
            forest.part(i, j)
        if step % 3 == 0 or seed < 4:  # and where several changes come together
            agree(forest)
    agree(forest)
    assert len(forest) > 10


@pytest.mark.parametrize("seed", range(5))
def test_what_is_derived_may_be_kept_while_nothing_counts_as_changed(seed):
    rng = np.random.default_rng(seed)
    forest = Forest()
    kept = quiet = 0
    for i in range(40):
        forest.add(i, float(rng.random()))
    for _ in range(200):
        before, changes = by_kruskal(forest.graph), forest.changes
        list(forest.passes(()))
        i, j = map(int, rng.choice(40, 2, replace=False))
        if rng.random() < 0.1:
            forest.part(i, j)
        else:
            forest.join(i, j, 1 + float(rng.random()))
        if forest.changes == changes:
            assert by_kruskal(forest.graph) == before
            quiet += 1
        kept += 1
    assert 0 < quiet < kept


def test_a_higher_transition_state_of_a_pair_is_not_taken():
    forest = Forest()
    for i in (1, 2):
        forest.add(i, 0.0)
    for energy, lowest in ((2.0, 2.0), (3.0, 2.0), (1.0, 1.0)):
        forest.join(2, 1, energy)
        assert forest.graph.edges[1, 2]["energy"] == lowest
        assert [edge for edge, *_ in forest.passes({2})] == [(lowest, 1, 2)]


@pytest.mark.parametrize("seed", range(10))
def test_outward_by_distance_and_then_by_number(seed):
    rng = np.random.default_rng(seed)
    forest = Forest()
    for i in rng.permutation(30).tolist():
        forest.add(i, round(float(rng.random()), 1))
    energy = forest.energy
    for level in (-1.0, 0.5, *energy.values(), 2.0):
        expected = sorted(forest, key=lambda i: (abs(energy[i] - level), i))
        assert list(forest.outward(level)) == expected


def test_of_nothing_nothing_follows():
    forest = Forest()
    assert forest.lowest() is None and list(forest.passes({1})) == []
    assert list(forest.components()) == list(forest.outward(0.0)) == []
