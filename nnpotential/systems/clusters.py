"""Atomic clusters: Lennard-Jones, and the symmetry of any cluster in free space."""

import numpy as np
from pele.potentials import LJ
from scipy.spatial.transform import Rotation

from ..contract import Measure
from ..drawing import atoms_picture
from .atoms import AtomicSymmetry, AtomicSystem, check_atoms, scatter

__all__ = ["ClusterSymmetry", "LennardJonesCluster", "radius_of_gyration"]

_FLAT = 10  # tolerances: atoms no further from an axis, or a point, lie on it
_LOOSE = 30  # tolerances: what a frame of two atoms may leave between atoms that match
_ALIGNED, _FINALISTS = 2, 8  # orientations worked out: by principal axes, and of all
_DENSITY = 0.6  # of random starts: loose enough to fill at random, compact enough to cohere
_HARD_CORE = 0.8

# axis x point, for each axis a matrix
_AXES = np.array(
    [
        [[0, 0, 0], [0, 0, 1], [0, -1, 0]],
        [[0, 0, -1], [0, 0, 0], [1, 0, 0]],
        [[0, 1, 0], [-1, 0, 0], [0, 0, 0]],
    ],
    dtype=float,
)
_MIRROR = np.diag([1.0, 1.0, -1.0])
_SIGNS = [np.diag([a, b, c]) for a in (1.0, -1.0) for b in (1.0, -1.0) for c in (1.0, -1.0)]
# enough for one of them to be near any orientation; the same every time
_TURNS = Rotation.from_quat(np.random.default_rng(0).normal(size=(100, 4))).as_matrix()
_ORIENTATIONS = np.concatenate([_TURNS, _TURNS @ _MIRROR])


class ClusterSymmetry(AtomicSymmetry):
    """Translation, rotation, reflection and permutation of the atoms within a species.

    Identity is decided by matching frames: an image of a point maps two of its
    atoms, not in line with the centre, onto two at the same distances. All such
    pairs are tried, both ways round; what is left is a permutation, from the
    nearest atoms, and the least-squares rotation for it.

    Parameters
    ----------
    species : list of list of int
        The atoms of each species.
    tolerance : float
        Largest displacement of an atom between two identical points, after
        the least-squares superposition.
    """

    def are_same(self, x1, x2):
        return next(self._operations(_centred(x1), _centred(x2)), None) is not None

    def n_self_images(self, x):
        """Order of the point group, improper operations included.

        Of a linear cluster, whose group is infinite, the order modulo rotation
        about its axis: 4 with a centre of inversion, 2 without. It enters
        ``2 n! / order``, the number of distinct images, as for any other.
        """
        X = _centred(x)
        return sum(1 for _ in self._operations(X, X))

    def zero_modes(self, x):
        """Translations and rotations: six columns, five for a linear cluster."""
        X = _centred(x)
        shifts = np.tile(np.eye(3), (len(X), 1)) / np.sqrt(len(X))
        turns = (X @ _AXES).reshape(3, -1).T  # np.cross took a third of the time of a walk
        modes, sizes, _ = np.linalg.svd(turns, full_matrices=False)
        return np.hstack([shifts, modes[:, sizes > _FLAT * self.tolerance]])

    def _images(self, x1, x2, quick):
        X1, X2 = _centred(x1), _centred(x2)
        exact = next(self._operations(X1, X2), None)
        found = [] if exact is None else [_superposed(X1, X2, *exact)]
        if not found or not quick:
            found += [self._relaxed(X1, X2, turn) for turn in self._orientations(X1, X2, quick)]
        found.sort(key=lambda image: image[0])
        centre = np.reshape(x1, (-1, 3)).mean(0)
        return [(distance, (Y + centre).ravel()) for distance, Y in found]

    def _orientations(self, X1, X2, quick):
        """Orientations of `X2` to begin from; the one it has is always among them."""
        yield np.eye(3)
        aligned = _principal(X2) @ _SIGNS @ _principal(X1).T
        yield from aligned[self._likeliest(_squares(X1, X2 @ aligned), _ALIGNED)]
        if not quick:
            likeliest = self._likeliest(_squares(X1, X2 @ _ORIENTATIONS), _FINALISTS)
            yield from _ORIENTATIONS[likeliest]

    def _relaxed(self, X1, X2, turn):
        """The nearest image for the best permutation and the best rotation in turn."""
        nearest = np.inf, X2
        while True:
            order = self._permutation(_squares(X1, X2 @ turn))
            turn = _rotation(X2[order], X1)
            image = _superposed(X1, X2, turn, order)
            if not image[0] < nearest[0] - self.tolerance:
                return min(image, nearest, key=lambda pair: pair[0])
            nearest = image

    def _operations(self, X1, X2):
        """Orthogonal matrices and permutations that map `X2` onto `X1`, both centred."""
        radii1, radii2 = np.linalg.norm(X1, axis=1), np.linalg.norm(X2, axis=1)
        for atoms in self.species:
            gaps = np.sort(radii1[atoms]) - np.sort(radii2[atoms])
            if np.abs(gaps).max(initial=0.0) > self._slack:
                return
        for turn in self._frames(X1, X2, radii1, radii2):
            order = self._neighbours(_squares(X1, X2 @ turn), _LOOSE * self.tolerance)
            if order is None:
                continue
            turn = _rotation(X2[order], X1)
            gaps = np.linalg.norm(X2[order] @ turn - X1, axis=1)
            if gaps.max() <= self.tolerance:
                yield turn, order

    def _frames(self, X1, X2, radii1, radii2):
        """Every orientation in which `X2` may lie on `X1`, roughly."""
        flat = _FLAT * self.tolerance
        if radii1.max() <= flat:
            yield from (np.eye(3), -np.eye(3))
            return
        shell = self._alike & (np.abs(radii1[:, None] - radii2) <= self._slack)
        a = _rarest(shell, radii1)
        across = np.linalg.norm(np.cross(X1, X1[a] / radii1[a]), axis=1)
        if across.max() <= flat:
            here = _frame(X1[a])
            pairs = [(i, None) for i in np.flatnonzero(shell[a])]
        else:
            b = _rarest(shell, across)
            here = _frame(X1[a], X1[b])
            length = np.linalg.norm(X1[a] - X1[b])
            lengths = np.linalg.norm(X2[:, None] - X2, axis=2)
            fits = np.abs(lengths - length) <= 2 * self._slack
            pairs = np.argwhere(fits & shell[a][:, None] & shell[b])
        for i, j in pairs:
            there = _frame(X2[i], None if j is None else X2[j])
            if there is not None:
                yield there.T @ here
                yield there.T @ _MIRROR @ here


class LennardJonesCluster(AtomicSystem):
    """A cluster of Lennard-Jones atoms in free space, in units of epsilon and sigma.

    ``E = 4 sum_{i<j} (r_ij**-12 - r_ij**-6)``. Starts are uniform in a sphere,
    no two atoms closer than 0.8: from atoms on top of each other some of the
    others are shot off to infinity.

    Parameters
    ----------
    n_atoms : int
    seed : int

    Examples
    --------
    >>> from nnpotential.systems.clusters import LennardJonesCluster
    >>> system = LennardJonesCluster(13)
    >>> x = system.starts["sphere"](system.rng)
    """

    kind = "lennard_jones"

    def __init__(self, n_atoms, seed=0):
        n_atoms = check_atoms(n_atoms, 2, "a Lennard-Jones cluster")
        super().__init__(n_atoms, ClusterSymmetry([range(n_atoms)]), seed)
        self.starts = {"sphere": self._in_a_sphere}
        self.measures["gyration"] = Measure(radius_of_gyration, "radius of gyration", "sigma")
        self.params.basinhopping.temperature = 1.0
        self.params.takestep.stepsize = 0.4

    def _pele_potential(self):
        return LJ()

    def _in_a_sphere(self, rng):
        radius = (3 * self.n_atoms / (4 * np.pi * _DENSITY)) ** (1 / 3)

        def place():
            direction = rng.normal(size=3)
            return radius * rng.random() ** (1 / 3) * direction / np.linalg.norm(direction)

        return scatter(self.n_atoms, place, lambda displacements: displacements, _HARD_CORE)

    def describe(self):
        return {self.kind: {"n_atoms": self.n_atoms}}

    def get_system_properties(self):
        """What a database of this system records, as pele's `LJCluster` does."""
        return {"natoms": self.n_atoms, "potential": "LJ cluster"}

    def draw(self, coords, index, subtract_com=True):
        """Spheres in pele's GUI."""
        from pele.systems._opengl_tools import draw_atomic_single_atomtype  # needs OpenGL

        draw_atomic_single_atomtype(coords, index, subtract_com=subtract_com)

    def picture(self, x):
        """Spheres, seen along the shortest axis of the cluster."""
        X = _centred(x)
        return atoms_picture(X @ np.linalg.svd(X)[2].T)


def radius_of_gyration(x):
    """Root mean square distance of the atoms from their centre."""
    return float(np.sqrt((_centred(x) ** 2).sum(1).mean()))


def _centred(x):
    X = np.asarray(x, dtype=float).reshape(-1, 3)
    return X - X.mean(0)


def _squares(X1, X2):
    """Squared distances, rows by the atoms of `X1`; of a stack of `X2` a stack."""
    inner = np.swapaxes(X2 @ X1.T, -1, -2)
    sums = (X1**2).sum(1)[:, None] + (X2**2).sum(-1)[..., None, :]
    return np.maximum(sums - 2 * inner, 0.0)


def _rotation(X2, X1):
    """The orthogonal matrix that brings the rows of `X2` nearest to those of `X1`."""
    left, _, right = np.linalg.svd(X2.T @ X1)
    return left @ right


def _superposed(X1, X2, turn, order):
    image = X2[order] @ turn
    return float(np.linalg.norm(image - X1)), image


def _rarest(shell, distances):
    """Of the atoms in the outer half the one that the fewest could be an image of."""
    outer = np.flatnonzero(distances >= 0.5 * distances.max())
    return outer[shell[outer].sum(1).argmin()]


def _frame(u, v=None):
    """Orthonormal rows: along `u`, towards `v` (anywhere by default), and across."""
    first = u / np.linalg.norm(u)
    if v is None:
        v = np.eye(3)[np.abs(first).argmin()]
    second = v - (v @ first) * first
    size = np.linalg.norm(second)
    if size == 0.0:
        return None
    second /= size
    return np.stack([first, second, np.cross(first, second)])


def _principal(X):
    """Principal axes of a centred cluster, as columns."""
    return np.linalg.eigh(X.T @ X)[1]
