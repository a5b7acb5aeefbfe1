"""A system of one's own through the engine, here a Morse cluster: copy this file and edit it."""

import numpy as np
from pele.potentials import BasePotential

import nnpotential as nnp
from nnpotential.systems.atoms import AtomicSystem
from nnpotential.systems.clusters import ClusterSymmetry

RHO = 6.0  # the larger, the shorter the range


class Morse(BasePotential):
    """A pele potential: sum over pairs of ``e (e - 2)`` with ``e = exp(RHO (1 - r))``."""

    def getEnergy(self, x):
        return self.getEnergyGradientHessian(x)[0]

    def getEnergyGradient(self, x):
        return self.getEnergyGradientHessian(x)[:2]

    def getEnergyGradientHessian(self, x):
        n, diagonal = x.size // 3, np.arange(x.size // 3)
        D = x.reshape(n, 1, 3) - x.reshape(n, 3)
        r = np.linalg.norm(D, axis=2) + np.eye(n)
        e = np.exp(RHO * (1 - r)) * (1 - np.eye(n))
        first, second = 2 * RHO * (e - e * e) / r, 2 * RHO**2 * (2 * e * e - e)
        K = np.einsum("ij,ija,ijb->ijab", (first - second) / r**2, D, D)
        K -= first[:, :, None, None] * np.eye(3)
        K[diagonal, diagonal] = -K.sum(axis=1)  # moved together, atoms feel nothing
        gradient = (first[:, :, None] * D).sum(axis=1).ravel()
        hessian = K.transpose(0, 2, 1, 3).reshape(x.size, x.size)
        return 0.5 * float((e * (e - 2)).sum()), gradient, hessian


@nnp.register  # so that its landscapes open where this file has been imported
class MorseCluster(AtomicSystem):  # which has all that systems of atoms share
    kind = "morse"

    def __init__(self, n_atoms, seed=0):
        super().__init__(n_atoms, ClusterSymmetry([range(n_atoms)]), seed)
        self.starts = {"cube": self._in_a_cube}
        self.params.basinhopping.temperature = 0.5  # pele's parameters

    def _pele_potential(self):
        return Morse()

    def _in_a_cube(self, rng):
        return self.n_atoms ** (1 / 3) * rng.uniform(-0.6, 0.6, self.n_dof)

    def describe(self):  # its section of settings.toml
        return {self.kind: {"n_atoms": self.n_atoms}}


if __name__ == "__main__":
    land = nnp.Landscape.create("runs/morse-7", MorseCluster(7), seed=0, quenches=30, soft_modes=2)
    figures = land.explore()
    print(figures["n_minima"], "minima,", figures["n_transition_states"], "transition states")
    print("lowest energy:", figures["lowest_loss"])
