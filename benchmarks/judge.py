"""What any program has found, judged by one rule: convergence, index, identity, true ends.

A few Newton steps polish a point, which may not move by more than 1e-3; then its rms gradient
must be at most 1e-9, the next step at most 1e-7, and its Hessian have no negative eigenvalue, or
one; images under the network's symmetry count once. A transition state joins the minima to
which the gradient flow of `nnpotential.verification` leads from it, whatever the program says.
"""

from dataclasses import dataclass, field

import networkx as nx
import numpy as np

from nnpotential.analysis.passes import heights_from
from nnpotential.findings import Connection, Point
from nnpotential.verification.verify import verify_transition_state

RMS, STEP, FARTHEST = 1e-9, 1e-7, 1e-3
SAME_LOSS = 1e-9


class Points:
    """Stationary points that pass the check, images of one counted once."""

    def __init__(self, system, index):
        self.potential, self.symmetry = system.potential, system.identity
        self.index = index
        self.n_verified = 0
        self.distinct = []  # (loss, coords)
        self.seconds = []  # at which each of these was found

    def add(self, x, seconds=0.0):
        """The number of the point, None if it does not pass."""
        x = self._polished(x)
        if x is None:
            return None
        self.n_verified += 1
        loss = self.potential.getEnergy(x)
        for number, (other_loss, other) in enumerate(self.distinct):
            if abs(other_loss - loss) < SAME_LOSS and self.symmetry.are_same(x, other):
                return number
        self.distinct.append((loss, x))
        self.seconds.append(seconds)
        return len(self.distinct) - 1

    def _polished(self, start):
        x = np.array(start)
        for _ in range(6):
            _, gradient, hessian = self.potential.getEnergyGradientHessian(x)
            step = np.linalg.solve(hessian, gradient)
            # verification asks for more than a small gradient, and programs for no more
            if np.sqrt(np.mean(gradient**2)) <= RMS and np.linalg.norm(step) <= STEP:
                negative = (np.linalg.eigvalsh(hessian) < 0).sum()
                return x if negative == self.index else None
            x = x - step
            if not np.linalg.norm(x - start) <= FARTHEST:
                return None
        return None


@dataclass
class Judged:
    """What a program found in a search, after the check.

    ``rows`` has one (seconds, number, true ends) for each transition state that passed, the
    first time it was found; ``triples`` counts all that it gave, ``rejected`` those that did
    not pass or whose descent was undecided, ``misnamed`` those with other ends than it says.
    """

    spent: float
    rows: list = field(default_factory=list)
    triples: int = 0
    rejected: int = 0
    misnamed: int = 0


class Judge:
    """One landscape; points get one number, whoever finds them.

    Parameters
    ----------
    system : NNSystem
    minima : sequence of ndarray
        The common list; these have the numbers 0, 1, ...
    """

    def __init__(self, system, minima):
        self.system = system
        self.minima, self.states = Points(system, 0), Points(system, 1)
        self.common = [self.minima.add(x) for x in minima]
        self._ends = {}  # by number of the transition state

    def judge(self, found):
        """What `Contestant` runs give, as `Judged`."""
        judged, seen = Judged(float(found["spent"])), set()
        named = {}  # a program names the same minimum many times
        for seconds, x, two in zip(found["seconds"], found["states"], found["ends"], strict=True):
            judged.triples += 1
            number = self.states.add(x)
            ends = None if number is None else self._true_ends(number)
            if ends is None:
                judged.rejected += 1
                continue
            says = [self._number(end, named) for end in two]
            judged.misnamed += set(says) != set(ends)
            if number not in seen:
                seen.add(number)
                judged.rows.append((float(seconds), number, ends))
        return judged

    def _number(self, x, named):
        key = x.tobytes()
        if key not in named:
            named[key] = self.minima.add(x)
        return named[key]

    def _true_ends(self, number):
        if number not in self._ends:
            energy, x = self.states.distinct[number]
            _, vectors = np.linalg.eigh(self.system.potential.getHessian(x))
            here = Point(energy, x)
            connection = Connection(energy, x, np.nan, vectors[:, 0], here, here)
            ends = verify_transition_state(self.system, connection).ends
            self._ends[number] = tuple(self.minima.add(end.coords) for end in ends) or None
        return self._ends[number]

    def barriers(self, rows, until=np.inf):
        """Barrier of each of the common minima to the lowest of them, NaN if not joined."""
        graph = nx.Graph()
        graph.add_nodes_from(self.common)
        for seconds, number, (i, j) in rows:
            energy = self.states.distinct[number][0]
            lower = graph.has_edge(i, j) and graph.edges[i, j]["energy"] <= energy
            if seconds <= until and i != j and not lower:
                graph.add_edge(i, j, energy=energy, number=number)
        loss = [energy for energy, _ in self.minima.distinct]
        lowest = min(self.common, key=loss.__getitem__)
        highest = heights_from(nx.minimum_spanning_tree(graph, weight="energy"), lowest)
        found = [highest.get(i, np.nan) - loss[i] for i in self.common if i != lowest]
        return np.array(found)
