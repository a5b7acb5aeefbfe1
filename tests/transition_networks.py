"""Transition networks for the tests of measures: by hand, known exactly, by other programs."""

from pathlib import Path

import networkx as nx
import numpy as np

from nnpotential import TransitionNetwork
from nnpotential.analysis.transition_network import StationaryPoints

ORACLE = Path(__file__).parents[2] / "shared" / "oracle"


def by_hand(**options):
    """Four minima, one that is alone, two ways from b to c, a degenerate rearrangement."""
    graph = nx.MultiGraph()
    for name, energy, log, order in (
        ("a", 0.0, 0.0, 1),
        ("b", 1.0, np.log(4.0), 1),
        ("c", 2.0, 0.0, 2),
        ("alone", 3.0, 0.0, 1),
    ):
        graph.add_node(name, energy=energy, log_determinant=log, order=order)
    for one, two, energy, log, order in (
        ("a", "b", 4.0, np.log(9.0), 1),
        ("b", "c", 5.0, 0.0, 1),
        ("b", "c", 3.0, 0.0, 2),
        ("a", "a", 0.5, 0.0, 1),
    ):
        graph.add_edge(one, two, energy=energy, log_determinant=log, order=order)
    return TransitionNetwork.of_graph(graph, **{"n_vibrations": 3, **options})


def scattered(n=30, seed=0, **options):
    """A connected network at random."""
    draw = np.random.default_rng(seed)
    energies = draw.normal(size=n)
    ends = [(k, int(draw.integers(k))) for k in range(1, n)]
    ends += [tuple(draw.choice(n, 2, replace=False).tolist()) for _ in range(2 * n)]
    tops = [max(energies[i], energies[j]) + draw.exponential() for i, j in ends]
    points = [
        StationaryPoints.of(e, draw.normal(size=len(e)), draw.choice([1, 2, 6], len(e)))
        for e in (energies, tops)
    ]
    return TransitionNetwork(*points, ends, **{"n_vibrations": 7, **options})


def changed(network, energy=lambda e: e, order=None, log_determinant=lambda x: x):
    """The same with other energies, orders or determinants."""
    points = [
        StationaryPoints.of(
            energy(p.energies),
            log_determinant(p.log_determinants),
            p.orders if order is None else p.orders * order,
        )
        for p in (network.minima, network.states)
    ]
    return TransitionNetwork(*points, network.ends, network.n_vibrations, network.kinetic)


def with_hits(network, hits, **options):
    return TransitionNetwork(
        network.minima,
        network.states,
        network.ends,
        n_vibrations=network.n_vibrations,
        hits=np.array(hits),
        **options,
    )


def pathsample(directory, n_vibrations):
    """A network in the format of PATHSAMPLE."""
    minima, states = (np.loadtxt(directory / f"{name}.data") for name in ("min", "ts"))
    return TransitionNetwork(
        StationaryPoints.of(*minima[:, :3].T),
        StationaryPoints.of(*states[:, :3].T),
        states[:, 3:5].astype(int) - 1,
        n_vibrations=n_vibrations,
    )
