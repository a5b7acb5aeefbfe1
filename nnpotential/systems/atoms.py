"""What clusters and glasses share: atoms of several species, which of them are alike."""

from abc import abstractmethod
from math import isclose

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..checks import check_integer
from ..contract import Identity, LandscapeSystem, Scales, adapt
from ..errors import InputError

__all__ = ["AtomicSymmetry", "AtomicSystem", "check_atoms", "scatter"]

_MOST = 2000  # atoms: their Hessian takes 300 MB, and each pair of them is looked at
_TRIES = 1000  # places tried for an atom before it takes the next, however close
_ROUNDING = 1.0 + 1e-6  # on tests that identical points must pass


class AtomicSymmetry(Identity):
    """Atoms of one species may change places.

    Parameters
    ----------
    species : list of list of int
        The atoms of each species.
    tolerance : float
        Largest displacement of an atom between two identical points.
    """

    def __init__(self, species, tolerance=Scales.tolerance):
        self.species = [np.asarray(atoms, dtype=int) for atoms in species]
        self.n_atoms = sum(map(len, self.species))
        listed = np.sort(np.concatenate(self.species))
        if not np.array_equal(listed, np.arange(self.n_atoms)):
            raise InputError("species must list every atom from 0 on once")
        self.tolerance = tolerance
        self._slack = _ROUNDING * tolerance
        kinds = np.empty(self.n_atoms, dtype=int)
        for kind, atoms in enumerate(self.species):
            kinds[atoms] = kind
        self._alike = kinds[:, None] == kinds

    @abstractmethod
    def _images(self, x1, x2, quick):
        """Images of `x2` near `x1` with their distances, the nearest first."""

    def align(self, x1, x2, quick=False):
        return self._images(x1, x2, quick)[0]

    def align_second(self, x1, x2):
        """The next nearest image; one at the same distance would be the same way elsewhere."""
        (nearest, _), *others = self._images(x1, x2, quick=False)
        return next((o for o in others if o[0] > nearest + 100 * self.tolerance), None)

    def _neighbours(self, squares, gate):
        """For each row the one column within `gate`, or None where that is no permutation."""
        squares = np.where(self._alike, squares, np.inf)
        columns = squares.argmin(1)
        if squares[np.arange(len(columns)), columns].max() > gate**2:
            return None
        if np.bincount(columns, minlength=len(columns)).max() == 1:
            return columns
        columns = self._permutation(squares)  # atoms closer to each other than the gate
        near = squares[np.arange(len(columns)), columns].max() <= gate**2
        return columns if near else None

    def _permutation(self, squares):
        """The permutation within species of the least sum of squared distances."""
        columns = np.empty(self.n_atoms, dtype=int)
        for atoms in self.species:
            columns[atoms] = atoms[linear_sum_assignment(squares[np.ix_(atoms, atoms)])[1]]
        return columns

    def _likeliest(self, squares, n):
        """Of stacked squared distances the `n` with the nearest atoms of the same species."""
        unlikeness = 0.0
        for atoms in self.species:
            block = squares[:, atoms[:, None], atoms]
            unlikeness = unlikeness + block.min(1).sum(1) + block.min(2).sum(1)
        return np.argsort(unlikeness, kind="stable")[:n]


class AtomicSystem(LandscapeSystem):
    """Atoms, energies in units of epsilon, lengths in units of sigma, of the larger species.

    Parameters
    ----------
    n_atoms : int
    identity : AtomicSymmetry
    seed : int
        Of the random starts and steps.
    """

    energy_label = "energy (epsilon)"

    def __init__(self, n_atoms, identity, seed):
        super().__init__(seed)
        self.n_atoms, self.n_dof = n_atoms, 3 * n_atoms
        self.potential = adapt(self._pele_potential())
        self.identity = identity
        self.scales = Scales(energy=1.0, tolerance=identity.tolerance)
        p = self.params
        # L-BFGS as pele uses it on atoms: a fraction of their distance at a time.
        p.structural_quench_params.update(memory=10, maxstep=0.1)
        local = p.double_ended_connect.local_connect_params
        # Of steps up to 0.05, 0.1, 0.3 and 1 these found most of the twelve of seven atoms.
        local.tsSearchParams.update(radius=0.1, max_radius=0.1)
        # pele's own band for atoms (springs, images), but quiet and not unending.
        local.NEBparams.update(k=100.0, image_density=10.0, max_images=30, iter_density=10.0)
        local.NEBparams.update(dneb=True, verbose=-1)
        local.NEBparams.NEBquenchParams = {"tol": 1e-2, "maxErise": 100.0, "maxstep": 0.1}

    @abstractmethod
    def _pele_potential(self):
        """pele's potential, with an analytic Hessian; made anew where a pickle is opened."""

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "potential"}

    def __setstate__(self, state):
        vars(self).update(state)
        self.potential = adapt(self._pele_potential())

    @classmethod
    def load(cls, directory, settings):
        section = settings[cls.kind]
        system = cls(section.get("n_atoms"), seed=settings.get("seed", 0))
        for name, value in system.describe()[cls.kind].items():
            if not _agree(section.get(name, value), value):
                raise InputError(
                    f"{directory} has [{cls.kind}] {name} = {section[name]}; "
                    f"with {system.n_atoms} atoms it is {value}"
                )
        return system


def _agree(found, value):
    if isinstance(found, float) and isinstance(value, float):
        return isclose(found, value, rel_tol=1e-9)  # powers differ by a bit between machines
    return found == value


def check_atoms(n_atoms, minimum, what, why=""):
    """Return `n_atoms` as an int, not below `minimum`, and not beyond what can be searched."""
    n_atoms = check_integer("n_atoms", n_atoms, -np.inf)
    if n_atoms > _MOST:
        raise InputError(f"{what} of {n_atoms} atoms is too large to search: at most {_MOST}")
    if n_atoms < minimum:
        raise InputError(f"{what} needs at least {minimum} atoms, not {n_atoms}{why}")
    return n_atoms


def scatter(n_atoms, place, gap, least):
    """Random places, none closer to another than `least` as far as there is room.

    Parameters
    ----------
    n_atoms : int
    place : callable
        ``place() -> ndarray, shape (3,)``.
    gap : callable
        Displacements as rows to those to measure, such as by minimum image.
    least : float

    Returns
    -------
    ndarray, shape (n_atoms * 3,)
    """
    X = np.empty((n_atoms, 3))
    for i in range(n_atoms):
        for _ in range(_TRIES):
            X[i] = place()
            if (np.linalg.norm(gap(X[:i] - X[i]), axis=1) >= least).all():
                break
    return X.ravel()
