"""Periodic glasses: binary Lennard-Jones, and the symmetry of atoms in a periodic cube."""

from math import ceil

import numpy as np
from pele.potentials import BLJCut

from ..contract import Scales
from ..drawing import atoms_picture, box_picture, paint
from .atoms import AtomicSymmetry, AtomicSystem, check_atoms, scatter

__all__ = ["BinaryLennardJones", "PeriodicSymmetry"]

_DENSITY = 1.2
_LONGEST, _SHORTEST = 2.5, 1.5  # cut-offs: the usual one; below, less than a third of the well
_HARD_CORE = 0.7  # of random starts, which at this density can still be placed one by one
_LOOSE = 5  # tolerances: what a shift from one atom may leave between atoms that match
_FIRSTS, _FINALISTS = 4, 3  # translations worked out: atoms laid on others, likeliest of each


class PeriodicSymmetry(AtomicSymmetry):
    """Translation, and permutation of the atoms within a species, in a periodic cube.

    The cube's own rotations and reflections, which leave the energy as it is,
    are not counted: two points that differ by one of them are two.

    Parameters
    ----------
    species : list of list of int
        The atoms of each species.
    length : float
        Of the edge of the cube.
    tolerance : float
        Largest displacement of an atom between two identical points.
    """

    def __init__(self, species, length, tolerance=Scales.tolerance):
        super().__init__(species, tolerance)
        self.length = length
        self._rarest = min(self.species, key=len)

    def minimum_image(self, displacements):
        """The shortest of all periodic images."""
        return displacements - self.length * np.rint(displacements / self.length)

    def are_same(self, x1, x2):
        return next(self._operations(_rows(x1), _rows(x2)), None) is not None

    def n_self_images(self, x):
        """Number of translations within the cube that leave the point as it is."""
        X = _rows(x)
        return sum(1 for _ in self._operations(X, X))

    def zero_modes(self, x):
        """The three translations."""
        return np.tile(np.eye(3), (self.n_atoms, 1)) / np.sqrt(self.n_atoms)

    def _images(self, x1, x2, quick):
        X1, X2 = _rows(x1), _rows(x2)
        exact = next(self._operations(X1, X2), None)
        found = [] if exact is None else [self._superposed(X1, X2, *exact)]
        if not found or not quick:
            found += [self._relaxed(X1, X2, shift) for shift in self._shifts(X1, X2, quick)]
        found.sort(key=lambda image: image[0])
        return [(distance, Y.ravel()) for distance, Y in found]

    def _shifts(self, X1, X2, quick):
        """Translations of `X2` to begin from; none at all is always among them."""
        yield np.zeros(3)
        few = self._rarest
        for atom in few[: 1 if quick else _FIRSTS]:
            shifts = X1[atom] - X2[few]
            squares = self._squares(X1, X2 + shifts[:, None])
            yield from shifts[self._likeliest(squares, _FINALISTS)]

    def _relaxed(self, X1, X2, shift):
        """The nearest image for the best permutation and the best translation in turn."""
        nearest = np.inf, X2
        while True:
            order = self._permutation(self._squares(X1, X2 + shift))
            shift = self._centred(X1, X2[order], shift)
            image = self._superposed(X1, X2, shift, order)
            if not image[0] < nearest[0] - self.tolerance:
                return min(image, nearest, key=lambda pair: pair[0])
            nearest = image

    def _operations(self, X1, X2):
        """Translations and permutations that map `X2` onto `X1`."""
        few, gate = self._rarest, _LOOSE * self.tolerance
        shifts = X1[few[0]] - X2[few]
        # nearly all of them fail on the rarest species already
        gaps = self._squares(X1[few], X2[few] + shifts[:, None]).min(2).max(1)
        for shift in shifts[gaps <= gate**2]:
            order = self._neighbours(self._squares(X1, X2 + shift), gate)
            if order is None:
                continue
            shift = self._centred(X1, X2[order], shift)
            gaps = self.minimum_image(X2[order] + shift - X1)
            if np.linalg.norm(gaps, axis=1).max() <= self.tolerance:
                yield shift, order

    def _squares(self, X1, X2):
        """Squared distances by minimum image, rows by the atoms of `X1`; of a stack a stack."""
        gaps = self.minimum_image(X1[:, None] - X2[..., None, :, :])
        return np.einsum("...k,...k->...", gaps, gaps)

    def _centred(self, X1, X2, shift):
        """The translation that takes away the mean of the displacements."""
        return shift + self.minimum_image(X1 - X2 - shift).mean(0)

    def _superposed(self, X1, X2, shift, order):
        gaps = self.minimum_image(X2[order] + shift - X1)
        return float(np.linalg.norm(gaps)), X1 + gaps


class BinaryLennardJones(AtomicSystem):
    """The Kob-Andersen mixture in a periodic cube, at number density 1.2.

    Four A atoms to one B (the nearest whole number). With s = sigma / r,
    ``4 epsilon (s**12 - s**6)`` plus ``a + b r**2`` up to ``cutoff * sigma``,
    zero beyond; a and b, different for each kind of pair, make energy and force
    continuous there (Stoddard and Ford), the second derivative is not. Energies
    and lengths in units of AA; AB: epsilon 1.5, sigma 0.8; BB: 0.5, 0.88.

    The cut-off is 2.5, or half the edge of the cube where that is less, as each
    atom may see only one image of another: 1.842 for 60 atoms, 2.5 from 150 on.

    Parameters
    ----------
    n_atoms : int
        At least 33, where the cut-off has come down to 1.5.
    seed : int

    Attributes
    ----------
    length : float
        Of the edge of the cube.
    cutoff : float
        In units of sigma of each kind of pair.

    Notes
    -----
    W. Kob and H. C. Andersen, Phys. Rev. E 51, 4626 (1995); S. D. Stoddard and
    J. Ford, Phys. Rev. A 8, 1504 (1973).
    """

    kind = "binary_lennard_jones"

    def __init__(self, n_atoms, seed=0):
        n_atoms = check_atoms(
            n_atoms,
            ceil(_DENSITY * (2 * _SHORTEST) ** 3),
            "a binary Lennard-Jones glass",
            f": at density {_DENSITY} half the box would be shorter than a cut-off of {_SHORTEST}",
        )
        self.n_large = n_atoms - round(n_atoms / 5)
        self.length = (n_atoms / _DENSITY) ** (1 / 3)
        self.cutoff = min(_LONGEST, self.length / 2)
        self._large, self._small = range(self.n_large), range(self.n_large, n_atoms)
        symmetry = PeriodicSymmetry([self._large, self._small], self.length)
        super().__init__(n_atoms, symmetry, seed)
        self.starts = {"box": self._in_the_box}
        # Bands between two minima of a glass find others than these; more bands take minutes.
        self.params.double_ended_connect.niter = 3
        self.params.basinhopping.temperature = 1.0
        self.params.takestep.stepsize = 0.3

    def _pele_potential(self):
        box = [self.length] * 3
        return BLJCut(self.n_atoms, self.n_large, boxvec=box, rcut=self.cutoff)

    def _in_the_box(self, rng):
        def place():
            return rng.uniform(-self.length / 2, self.length / 2, 3)

        return scatter(self.n_atoms, place, self.identity.minimum_image, _HARD_CORE)

    def describe(self):
        return {
            self.kind: {
                "n_atoms": self.n_atoms,
                "n_large": self.n_large,
                "density": _DENSITY,
                "cutoff": self.cutoff,
                "shift": "quadratic",
            }
        }

    def get_system_properties(self):
        """What a database of this system records, named as in pele's `BLJBulk`."""
        return {
            "natoms": self.n_atoms,
            "ntypeA": self.n_large,
            "potential": "BLJ Bulk",
            "boxlength": self.length,
            "rcut": self.cutoff,
        }

    def draw(self, coords, index):
        """Spheres in the box in pele's GUI, all atoms within it."""
        from pele.systems._opengl_tools import draw_atomic_binary  # needs OpenGL

        inside = self.identity.minimum_image(np.asarray(coords))
        draw_atomic_binary(inside, index, self._large, self._small)
        # pele's box turns four of its edges the wrong way
        paint(box_picture(self.length), 1, to_scale=True)

    def picture(self, x):
        """Spheres in the box, those of the small species in another colour."""
        small = np.arange(self.n_atoms) >= self.n_large
        inside = self.identity.minimum_image(_rows(x))
        return atoms_picture(inside, small, box_picture(self.length).lines)


def _rows(x):
    return np.asarray(x, dtype=float).reshape(-1, 3)
