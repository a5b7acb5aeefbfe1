"""What is mapped: networks of one to three hidden layers, more and fewer data, and atoms."""

from collections import namedtuple

from ..networks.datasets import MEAN_ABSOLUTE

__all__ = ["ATOMS", "DIGITS", "GROUPS", "NETWORKS", "Part", "parts"]

# The same number of coordinates, 84 to 94, in one, two and three hidden layers
HIDDEN = [[10], [6, 6], [5, 5, 5]]
HIDDEN_DIGITS = [[7], [6, 6], [5, 5, 5]]  # 199 to 214
REGULARIZATION = [1e-3, 1e-4, 1e-5]
SEEDS = range(5)
_MANY = 1000  # samples; networks on more come last, as one takes hours where penalties are weak
# Minima that quenches found are a sample whose size does not depend on the landscape;
# so is the effort on the barriers, and the audit says what it leaves.
SEARCH = {
    "quenches": 40,
    "basin_hopping_runs": 0,
    "soft_modes": 0,
    "untrap_attempts": 300,
    "audit_sample": 10,
}
QUICK = SEARCH | {"quenches": 15, "untrap_attempts": 40, "audit_sample": 5}
NETWORKS, DIGITS, ATOMS = "networks", "digits", "atoms"
GROUPS = "mean-absolute"  # inputs and penalty as the published landscapes have them

Part = namedtuple("Part", "folder definition")


def parts(quick=False, seeds=SEEDS, n_train=(100, 1000, 10000), regularization=REGULARIZATION):
    """The sweeps of the study, in the order in which they are worth having.

    Parameters
    ----------
    quick : bool
        Few quenches, one seed, one hidden layer and three, N = 100: some minutes.
    seeds : sequence of int
        Each fixes data and search.
    n_train : sequence of int
        More than 1 000 of `ljat` alone, which has them.
    regularization : sequence of float
        At N times as many samples a penalty N times smaller is the same prior: the
        diagonal of the grid.

    Returns
    -------
    list of Part
        The folder of a sweep, and what is added to it.
    """
    search = QUICK if quick else SEARCH
    if quick:
        grid = [(0, 100)]
        hidden, regularization = [HIDDEN[0], HIDDEN[-1]], [1e-3]
        atoms = [["lj13"]]
    else:
        grid = sorted(((seed, n) for seed in seeds for n in n_train), key=lambda g: (g[0], g[1]))
        hidden, atoms = HIDDEN, [["lj13"], ["blj60"]]

    def networks(folder, dataset, n_test, hidden, seed, n, penalties=None, **more):
        definition = {
            "seed": [seed],
            "dataset": {"name": dataset, "n_train": [n], "n_test": n_test, **more},
            "network": {"hidden": list(hidden)},
            "potential": {"regularization": list(penalties or regularization)},
            "search": search,
        }
        return Part(folder, definition)

    few, more = ([at for at in grid if (at[1] > _MANY) == many] for many in (False, True))
    ljat, dear = ([networks(NETWORKS, "ljat", 1000, hidden, *at) for at in g] for g in (few, more))
    others = [Part(ATOMS, {"seed": [0], "system": {"name": n}, "search": search}) for n in atoms]
    if quick:
        return [ljat[0], *others, *ljat[1:]]
    digits = [networks(DIGITS, "digits_4x4", 797, HIDDEN_DIGITS, *at) for at in few]
    scaled = {"penalties": [1e-5], "standardize": MEAN_ABSOLUTE}
    groups = [networks(GROUPS, "ljat", 1000, hidden, *at, **scaled) for at in few]
    return [ljat[0], *others, *ljat[1:], *groups, *digits, *dear]
