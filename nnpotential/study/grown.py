"""Landscapes grown from their lowest minimum, all by one protocol: networks, clusters, a glass.

Two minima of a glass are joined by so many others that independent quenches of it stay apart.
Walks up soft modes from what is joined to the lowest minimum give a network that is connected
by construction (as in V. K. de Souza and D. J. Wales, J. Chem. Phys. 129, 164507 (2008)); so that
barriers of a glass can be set beside those of networks, these are grown in the same way.
"""

import os
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import permutations, product
from pathlib import Path

import numpy as np

from ..interrupts import uninterrupted
from ..landscape import Landscape
from ..networks.datasets import load_dataset
from ..networks.mlp import MLP
from ..networks.system import NNSystem
from ..settings import SETTINGS
from ..storage import store_minimum
from ..systems.registry import named_system

__all__ = ["GROWN", "Seedling", "grow", "grown", "two_funnels"]

GROWN = "grown"  # the folder
SEARCH = {
    "quenches": 1,
    "basin_hopping_runs": 0,
    "grow": 300,
    "soft_modes": 3,
    "untrap_attempts": 200,
    "audit_sample": 10,
}
SEEDS = range(3)
QUICK = SEARCH | {"grow": 40, "untrap_attempts": 20, "audit_sample": 3}


def two_funnels():
    """Minima in both funnels of 38 Lennard-Jones atoms.

    Returns
    -------
    list of ndarray, shape (114,)
        The truncated octahedron, which is the lowest minimum, and a part of the
        icosahedron of 55 atoms; as built, to be quenched.

    References
    ----------
    J. P. K. Doye, M. A. Miller and D. J. Wales, J. Chem. Phys. 110, 6896 (1999).
    """
    corners = ((1, 0, 0), (1, 1, 1), (2, 1, 0))
    signs = np.array(list(product((1, -1), repeat=3)))
    lattice = np.vstack([signs * p for corner in corners for p in permutations(corner)])
    octahedron = np.unique(lattice, axis=0) * 2 ** (1 / 6) / np.sqrt(2)
    golden = (1 + np.sqrt(5)) / 2
    inner = [np.roll((0, a, b * golden), k) for k in range(3) for a in (1, -1) for b in (1, -1)]
    inner = np.array(inner) / np.hypot(1, golden)
    gaps = np.linalg.norm(inner[:, None] - inner, axis=2)
    edges = np.argwhere(np.triu(gaps < 1.01 * gaps[gaps > 0.1].min(), 1))
    outer = np.vstack([2 * inner, inner[edges].sum(1)])
    height = outer @ inner[0]  # layers of 1, 5, 10, 10, 10, 5 and 1 atoms
    kept = outer[(np.abs(height) < 0.5) | (height > 0.5) & (height < 1.9)]
    icosahedron = 1.08 * np.vstack([np.zeros(3), inner, kept])
    return [octahedron.ravel(), icosahedron.ravel()]


@dataclass(frozen=True)
class Seedling:
    """A landscape that is to be grown.

    Parameters
    ----------
    name : str
        Of its folder, with the seed.
    title : str
    hidden : list of int, optional
        Of a network on `ljat`; without it `name` is that of atoms.
    regularization : float, optional
    n_train : int, optional
    begin : callable, optional
        Gives where to quench from, in place of a random start; then seeds differ in little,
        and one is enough.
    seed : int
        Of data and search.
    """

    name: str
    title: str
    hidden: tuple = ()
    regularization: float = 0.0
    n_train: int = 0
    begin: object = None
    seed: int = 0

    @property
    def folder(self):
        """Of its landscape."""
        return f"{self.name}_seed-{self.seed}"

    def system(self):
        """What is mapped."""
        if not self.hidden:
            return named_system(self.name, self.seed)
        data = load_dataset("ljat", n_train=self.n_train, n_test=1000, seed=self.seed)
        options = {"regularization": self.regularization, "seed": self.seed}
        return NNSystem(MLP([3, *self.hidden, 4]), data, **options)


def _network(hidden, n, regularization):
    sizes = "-".join(map(str, hidden))
    title = f"3-{sizes}-4, N={n}, penalty {regularization:g}"
    return Seedling(f"ljat-{sizes}-{n}-{regularization:g}", title, tuple(hidden), regularization, n)


# from the second to the third the prior stays the same
NETWORKS = [
    _network(hidden, *at)
    for at in ((100, 1e-4), (100, 1e-3), (1000, 1e-4))
    for hidden in ([10], [5, 5, 5])
]
ATOMS = [
    Seedling("blj60", "glass, 60 atoms"),
    Seedling("lj13", "LJ13"),
    Seedling("lj38", "LJ38", begin=two_funnels),
]


def _seedlings(seeds):
    """In the order in which they are worth having."""
    every = [*ATOMS, *NETWORKS]
    return [
        replace(one, seed=seed)
        for seed in seeds
        for one in every
        if one.begin is None or seed == seeds[0]
    ]


def grow(folder, quick=False, *, workers=None, max_seconds=np.inf, reporter=None):
    """Map what is not finished yet; stopped, the next call goes on.

    Parameters
    ----------
    folder : pathlib.Path
        Of the study.
    quick : bool
        Few minima, of a network, the cluster with one funnel and the glass.
    workers : int, optional
        By default one for each core.
    max_seconds : float
    reporter : callable, optional
        Makes a context manager that is told of the progress of one, such as a `Reporter`.
    """
    end, workers = time.monotonic() + max_seconds, workers or os.cpu_count() or 1
    for seedling in [ATOMS[0], *NETWORKS[:1], ATOMS[1]] if quick else _seedlings(SEEDS):
        left = end - time.monotonic()
        if left <= 0:
            return
        with reporter() if reporter else nullcontext() as report:
            _grow(folder / GROWN / seedling.folder, seedling, quick, workers, left, report)


def _grow(place, seedling, quick, workers, left, report):
    def tell(stage, *progress):
        report(f"{seedling.folder} {stage}", *progress)

    search = QUICK if quick else SEARCH
    if seedling.begin is not None:
        search = search | {"quenches": 0}
    place.parent.mkdir(parents=True, exist_ok=True)
    land = Landscape.open_or_create(place, seedling.system(), seed=seedling.seed, **search)
    try:
        if seedling.begin is not None and not land.database.number_of_minima():
            for x in seedling.begin():
                found = land.system.get_minimizer()(x)
                store_minimum(land.database, land.system.identity, found.energy, found.coords)
            with uninterrupted():
                land.database.session.commit()
        seconds = None if left == np.inf else left
        land.explore(report and tell, workers=workers, max_seconds=seconds, **search)
    finally:
        land.close()


def grown(folder):
    """The landscapes that are finished, seed by seed, each in the order in which they are shown.

    Yields
    ------
    Seedling, pathlib.Path
    """
    for seedling in _seedlings(SEEDS):
        place = Path(folder) / GROWN / seedling.folder
        if not (place / SETTINGS).is_file():
            continue
        land = Landscape.open(place)
        try:
            figures = land.summary()
        finally:
            land.close()
        if figures["n_minima"] and not figures["jobs_pending"]:
            yield seedling, place
