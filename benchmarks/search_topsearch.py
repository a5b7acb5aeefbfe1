"""TopSearch's part of `search.py`, run by a Python that has TopSearch 0.0.3.

    python search_topsearch.py minima|transition_states|search SECONDS TASK.npz FOUND.npz

`search` is a whole one from given minima, for `barriers.py`. Images of a point, which TopSearch
cannot recognise, count as one there by their loss alone, and the minima are handed over aligned.

Two things of TopSearch cannot be set and are replaced here. It stops every
L-BFGS run after 200 steps, fewer than a loss needs: the minimisations of the loss
get more, those of bands and eigenvectors do not. And L-BFGS keeps 5 corrections;
here 30. What it finds is noted at once, so that being cut off loses nothing.
"""

import sys
from itertools import count

from common import Finds, Triples, numpy_loss

# isort: split
import numpy as np
from topsearch.data.coordinates import StandardCoordinates
from topsearch.data.kinetic_transition_network import KineticTransitionNetwork
from topsearch.global_optimisation.basin_hopping import BasinHopping
from topsearch.global_optimisation.perturbations import StandardPerturbation
from topsearch.minimisation import lbfgs
from topsearch.potentials.potential import Potential
from topsearch.sampling.exploration import NetworkSampling
from topsearch.similarity.similarity import StandardSimilarity
from topsearch.transition_states.hybrid_eigenvector_following import HybridEigenvectorFollowing
from topsearch.transition_states.nudged_elastic_band import NudgedElasticBand

BOUND = 10.0  # the parameters of the minima stay below 4


class Loss(Potential):
    def __init__(self, task):
        super().__init__()
        self.loss = numpy_loss(task["sizes"], task["X"], task["y"], float(task["regularization"]))

    def function(self, position):
        return self.loss(position)[0]

    def gradient(self, position):
        return self.loss(position)[1]

    def function_gradient(self, position):
        return self.loss(position)


class NotingNetwork(KineticTransitionNetwork):
    def __init__(self, finds):
        super().__init__()
        self.finds = finds

    def add_minimum(self, min_coords, energy):
        super().add_minimum(min_coords, energy)
        self.finds.add(min_coords)


class NotingSearch(HybridEigenvectorFollowing):
    def __init__(self, finds, *args, **options):
        super().__init__(*args, **options)
        self.finds = finds

    def run(self, coords):
        result = super().run(coords)
        if result[0] is not None:
            self._note(result)
        return result

    def _note(self, result):
        self.finds.add(result[0])


class NotingTriples(NotingSearch):
    def _note(self, result):
        self.finds.add(result[0], result[2], result[4])


def patch_minimiser(potential, steps=20_000, memory=30):
    minimise = lbfgs.minimise

    def patient(func_grad, **options):
        if func_grad == potential.function_gradient:
            options["n_steps"] = steps
        return minimise(func_grad, history_size=memory, **options)

    lbfgs.minimise = patient


def find_minima(sampling, task, finds):
    sampling.coords.position = task["start"].copy()
    sampling.get_minima(
        sampling.coords,
        n_steps=10**9,
        conv_crit=1e-7,
        temperature=float(task["temperature"]),
        test_valid=False,
    )


def find_transition_states(sampling, task, finds):
    for pair in task["pairs"]:
        sampling.ktn.reset_network()
        for x in pair:
            sampling.ktn.add_minimum(x, sampling.single_ended_search.potential.function(x))
        sampling.connection_attempt([0, 1])
        finds.pairs += 1


def search(sampling, task, finds):
    """Every minimum to its nearest, and what is not joined yet; the next nearest, and so on."""
    for x in task["minima"]:
        sampling.ktn.add_minimum(x, sampling.single_ended_search.potential.function(x))
    for neighbours in count(1):
        sampling.get_transition_states("ClosestEnumeration", neighbours)
        sampling.get_transition_states("ConnectUnconnected", neighbours)


def main():
    what, budget, task, found = sys.argv[1:]
    task = dict(np.load(task))
    np.random.seed(int(task.get("seed", 0)))  # noqa: NPY002 (it draws from the global state)
    potential = Loss(task)
    patch_minimiser(potential)
    whole = what == "search"
    finds = Triples() if whole else Finds()
    ktn = NotingNetwork(finds) if what == "minima" else KineticTransitionNetwork()
    similarity = StandardSimilarity(
        distance_criterion=1e3 if whole else 1e-3, energy_criterion=1e-8
    )
    # it displaces by half of this to either side
    step = StandardPerturbation(max_displacement=2 * float(task.get("displacement", 0)))
    single_ended = (NotingTriples if whole else NotingSearch)(
        finds,
        potential,
        ts_conv_crit=1e-7,
        ts_steps=75,
        pushoff=1.0,
        steepest_descent_conv_crit=1e-7,
        max_uphill_step_size=0.3,
        eigenvalue_conv_crit=1e-3,
    )
    n = task["minima"].shape[1] if whole else task["start"].size
    sampling = NetworkSampling(
        ktn,
        StandardCoordinates(n, [(-BOUND, BOUND)] * n),
        BasinHopping(ktn, potential, similarity, step),
        single_ended,
        NudgedElasticBand(
            potential, force_constant=0.01, image_density=3.0, max_images=30, neb_conv_crit=1e-5
        ),
        similarity,
    )
    find = {
        "minima": find_minima,
        "transition_states": find_transition_states,
        "search": search,
    }[what]
    with finds.within(float(budget)):
        find(sampling, task, finds)
    if whole:
        return finds.save(found)
    np.savez(found, points=finds.points, seconds=finds.seconds, took=finds.took, pairs=finds.pairs)


if __name__ == "__main__":
    main()
