"""A system of one's own through the engine, here a Morse cluster: copy this file and edit it."""

import numpy as np
from pele.potentials import BasePotential

import nnpotential as nnp
from nnpotential.systems.atoms import AtomicSystem
from nnpotential.systems.clusters import ClusterSymmetry


class Morse(BasePotential):
    """A pele potential: sum over pairs of ``e (e - 2)`` with ``e = exp(rho (1 - r))``."""

    def __init__(self, rho):
        self.rho = rho

    def getEnergy(self, x):
        return self.getEnergyGradientHessian(x)[0]

    def getEnergyGradient(self, x):
        return self.getEnergyGradientHessian(x)[:2]

    def getEnergyGradientHessian(self, x):
        n, rho = x.size // 3, self.rho
        D = x.reshape(n, 1, 3) - x.reshape(n, 3)
        r = np.linalg.norm(D, axis=2) + np.eye(n)
        e = np.exp(rho * (1 - r)) * (1 - np.eye(n))
        first, second = 2 * rho * (e - e * e) / r, 2 * rho**2 * (2 * e * e - e)
        K = np.einsum("ij,ija,ijb->ijab", (second - first) / r**2, D, D)
        K += first[:, :, None, None] * np.eye(3)
        H = -K.transpose(0, 2, 1, 3).reshape(x.size, x.size)
        for i in range(n):
            H[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] = K[i].sum(axis=0)
        gradient = (first[:, :, None] * D).sum(axis=1).ravel()
        return 0.5 * float((e * (e - 2)).sum()), gradient, H


@nnp.register  # so that its landscapes open where this file has been imported
class MorseCluster(AtomicSystem):
    """`n_atoms` atoms; what all atoms share is in `AtomicSystem`."""

    kind = "morse"

    def __init__(self, n_atoms, rho=6.0, seed=0):
        self.rho = float(rho)  # before the rest, which makes the potential
        super().__init__(n_atoms, ClusterSymmetry([range(n_atoms)]), seed)
        self.starts = {"cube": self._in_a_cube}
        self.params.basinhopping.temperature = 0.5
        self.params.takestep.stepsize = 0.3

    def _pele_potential(self):
        return Morse(self.rho)

    def _in_a_cube(self, rng):
        return self.n_atoms ** (1 / 3) * rng.uniform(-0.6, 0.6, self.n_dof)

    def describe(self):
        return {self.kind: {"n_atoms": self.n_atoms, "rho": self.rho}}

    @classmethod
    def load(cls, directory, settings):
        return cls(**settings[cls.kind], seed=settings["seed"])

    def get_system_properties(self):
        return {"natoms": self.n_atoms, "rho": self.rho}


if __name__ == "__main__":
    limits = {"quenches": 30, "basin_hopping_runs": 1, "soft_modes": 2}
    land = nnp.Landscape.create("runs/morse-7", MorseCluster(7), seed=0, **limits)
    figures = land.explore()
    print(figures["n_minima"], "minima,", figures["n_transition_states"], "transition states")
    print("lowest energy:", figures["lowest_loss"])
