"""What a job costs: its evaluations, which are the same on every machine."""

from pele.potentials import BasePotential

__all__ = ["Counted"]

# A product with a vector is two sweeps over the data, a Hessian one for a few parameters each.
_PRODUCT, _PARAMETERS_A_SWEEP = 2.0, 8.0


class Counted(BasePotential):
    """A potential that counts what is asked of it.

    Parameters
    ----------
    potential : LandscapePotential

    Attributes
    ----------
    cost : float
        In gradients.
    uncounted : LandscapePotential
        What is asked of it is not counted.
    """

    def __init__(self, potential):
        self.uncounted, self.cost = potential, 0.0

    def __getattr__(self, name):
        return getattr(self.uncounted, name)

    def getEnergy(self, x):
        self.cost += 1
        return self.uncounted.getEnergy(x)

    def getGradient(self, x):
        self.cost += 1
        return self.uncounted.getGradient(x)

    def getEnergyGradient(self, x):
        self.cost += 1
        return self.uncounted.getEnergyGradient(x)

    def energies_gradients(self, X):
        self.cost += len(X)
        return self.uncounted.energies_gradients(X)

    def getEnergyGradientHessian(self, x):
        self.cost += 1 + x.size / _PARAMETERS_A_SWEEP
        return self.uncounted.getEnergyGradientHessian(x)

    def getHessian(self, x):
        return self.getEnergyGradientHessian(x)[2]

    def hessian_vector_product(self, x, v):
        self.cost += _PRODUCT * (v.size // x.size)
        return self.uncounted.hessian_vector_product(x, v)
