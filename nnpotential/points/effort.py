"""What a job costs: its evaluations, which are the same on every machine."""

from pele.potentials import BasePotential

from ..contract import single

__all__ = ["Counted"]

# A product with a vector is two sweeps over the data, a Hessian one for a few parameters each.
_PRODUCT, _PARAMETERS_A_SWEEP = 2.0, 8.0
_SINGLE = 0.5  # of the same in double precision


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
        self._price, self._account = 1.0, self

    def __getattr__(self, name):
        return getattr(self.uncounted, name)

    def _pay(self, gradients):
        self._account.cost += self._price * gradients

    def single(self):
        rough = Counted(single(self.uncounted))
        if rough.uncounted is self.uncounted:
            return self
        rough._price, rough._account = _SINGLE, self._account
        return rough

    def getEnergy(self, x):
        self._pay(1)
        return self.uncounted.getEnergy(x)

    def getGradient(self, x):
        self._pay(1)
        return self.uncounted.getGradient(x)

    def getEnergyGradient(self, x):
        self._pay(1)
        return self.uncounted.getEnergyGradient(x)

    def energies_gradients(self, X):
        self._pay(len(X))
        return self.uncounted.energies_gradients(X)

    def getEnergyGradientHessian(self, x):
        self._pay(1 + x.size / _PARAMETERS_A_SWEEP)
        return self.uncounted.getEnergyGradientHessian(x)

    def getHessian(self, x):
        return self.getEnergyGradientHessian(x)[2]

    def hessian_vector_product(self, x, v):
        self._pay(_PRODUCT * (v.size // x.size))
        return self.uncounted.hessian_vector_product(x, v)
