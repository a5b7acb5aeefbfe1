"""Whether this installation finds what is known exactly; its report belongs to a bug report."""

import os
import platform
import tempfile
import traceback
from importlib.metadata import version
from itertools import pairwise
from time import perf_counter

import numpy as np
from scipy.special import log_softmax

from .analysis.figures import barriers_to_lowest
from .errors import InputError
from .files import absolute
from .landscape import Landscape
from .networks.datasets import Dataset
from .networks.mlp import MLP
from .networks.potential import NNPotential
from .networks.system import NNSystem
from .systems.functions import EggBox, LinearAutoencoder

__all__ = ["run"]

_EXACT = 1e-9  # largest difference from a formula
_STEP = 1e-5  # of finite differences, whose errors stay below
_NUMERICAL = 1e-8
# every soft mode of every minimum is followed, so that nothing is left to chance
_SEARCH = {
    "quenches": 60,
    "basin_hopping_runs": 1,
    "basin_hopping_steps": 5,
    "untrap_attempts": 5,
    "audit_sample": 0,
    "soft_modes": 6,
}

# exclusive or, its corners moved so that no symmetry of the data is left
_XOR = (((-1.0, -1.0), 0), ((-0.9, 1.2), 1), ((1.1, -0.8), 1), ((1.3, 1.0), 0))
# A 2-2-2 network on it with regularization 0.02: its minima, and what joins two of them, found
# by Newton's method from many thousand points and confirmed in other arithmetic by the tests.
XOR_MINIMA = (
    0.4544404776013,
    0.4677373739205,
    0.5863249836974,
    0.6113007671970,
    0.6189279420127,
    0.6381746264440,
)
XOR_STATES = (
    (0.5971319331535, 0, 2),
    (0.6122261975761, 1, 2),
    (0.6178638412062, 0, 3),
    (0.6280790824862, 1, 4),
    (0.6318375866635, 0, 4),
    (0.6331690451721, 1, 3),
    (0.6465537512002, 1, 5),
    (0.6487611014394, 0, 5),
)


def run(directory=None, report=print):
    """Check the compiled kernel, and map landscapes that are known.

    Parameters
    ----------
    directory : path, optional
        Where to leave the landscapes, new or empty; by default nothing is left.
    report : callable
        Is given each line of the report.

    Returns
    -------
    bool
        Whether everything agrees.

    Raises
    ------
    InputError
        If the directory is taken.
    """
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="nnpotential-") as temporary:
            return run(temporary, report)
    directory = absolute(directory)
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise InputError(f"{directory} holds something already: choose a new or empty directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{directory} cannot be made: {error.strerror}") from None
    if not os.access(directory, os.W_OK):
        raise InputError(f"{directory} cannot be written")
    checks = _Checks(report)
    for line in _installation():
        report(line)
    checks.attempt("kernel", _check_kernel)
    for system in (LinearAutoencoder(), EggBox()):
        checks.attempt(system.kind, _check_landscape, system, directory / system.kind)
    checks.attempt("network", _check_network, directory / "network")
    n = len(checks.passed)
    report(
        f"all {n} checks agree"
        if all(checks.passed)
        else f"{checks.passed.count(False)} of {n} checks DIFFER: please report all of this"
    )
    return all(checks.passed)


class _Checks:
    """What was compared, a line each."""

    def __init__(self, report):
        self._report, self.passed, self._subject = report, [], ""

    def attempt(self, subject, check, *args):
        """Run checks; a failure of the program itself is one of them."""
        self._subject, began = subject, perf_counter()
        try:
            check(self, *args)
        except Exception:
            self.note(False, "the program failed:\n" + traceback.format_exc().rstrip())
        self._report(f"        {subject}: {perf_counter() - began:.1f} s")

    def note(self, good, what):
        """One line; `good` says whether it agrees."""
        self.passed.append(bool(good))
        self._report(f"{'ok' if good else 'DIFFERS':8}{self._subject}: {what}")

    def number(self, what, found, expected, tolerance=_EXACT):
        """A number against the one expected."""
        gap = abs(found - expected)
        self.note(
            gap <= tolerance, f"{what} {found:.12g}, expected {expected:.12g} (off by {gap:.1e})"
        )

    def count(self, what, found, expected):
        """Something that must be equal."""
        self.note(found == expected, f"{what} {found}, expected {expected}")

    def small(self, what, gap, tolerance=_NUMERICAL):
        """A difference that must be small."""
        self.note(gap <= tolerance, f"{what}: off by {gap:.1e}, at most {tolerance:.0e} expected")


def _installation():
    packages = ("nnpotential", "pele", "numpy", "scipy")
    yield ", ".join(
        [f"python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    )
    yield f"kernel engine {_network().engine}, {platform.machine()}, {platform.platform()}"


# The kernel


def _network(loss="cross_entropy", activation="tanh"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    y = rng.integers(3, size=20) if loss == "cross_entropy" else rng.normal(size=(20, 3))
    net = MLP([3, 4, 4, 3], activation=activation)
    return NNPotential(net, X, y, loss=loss, regularization=1e-3)


def _check_kernel(checks):
    """Loss against NumPy, derivatives against central differences."""
    for loss, activation in (("cross_entropy", "tanh"), ("squared_error", "softplus")):
        potential = _network(loss, activation)
        x = np.random.default_rng(1).normal(size=potential.net.n_parameters)
        energy, gradient, hessian = potential.getEnergyGradientHessian(x)
        name = f"{loss}, {activation}"
        checks.number(f"{name}: loss", energy, _loss(loss, activation, x), 1e-12)
        shifts = _STEP * np.eye(x.size)
        slopes = [potential.getEnergy(x + h) - potential.getEnergy(x - h) for h in shifts]
        checks.small(
            f"{name}: gradient against differences of the loss",
            np.abs(np.array(slopes) / (2 * _STEP) - gradient).max(),
        )
        slopes = [potential.getGradient(x + h) - potential.getGradient(x - h) for h in shifts]
        checks.small(
            f"{name}: Hessian against differences of the gradient",
            np.abs(np.array(slopes) / (2 * _STEP) - hessian).max(),
        )
        checks.small(
            f"{name}: product with a vector against the Hessian",
            np.abs(potential.hessian_vector_product(x, gradient) - hessian @ gradient).max(),
            1e-12,
        )


def _loss(loss, activation, x):
    """The loss of `_network` in NumPy."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    sizes, at, h = (3, 4, 4, 3), 0, X
    for depth, (n_in, n_out) in enumerate(pairwise(sizes)):
        W = x[at : at + n_out * n_in].reshape(n_out, n_in)
        at += W.size
        h = h @ W.T + x[at : at + n_out]
        at += n_out
        if depth < 2:
            h = np.tanh(h) if activation == "tanh" else np.logaddexp(0, h)
    if loss == "cross_entropy":
        mean = -log_softmax(h, axis=1)[np.arange(20), rng.integers(3, size=20)].mean()
    else:
        mean = ((h - rng.normal(size=(20, 3))) ** 2).mean()
    return mean + 1e-3 * x @ x


# The landscapes


def xor_system():
    """The network whose landscape is `XOR_MINIMA` and `XOR_STATES`."""
    X, y = (np.array(column) for column in zip(*_XOR, strict=True))
    data = Dataset(X, y, np.empty((0, 2)), np.empty(0, dtype=int))
    return NNSystem(MLP([2, 2, 2]), data, regularization=0.02)


def _check_network(checks, path):
    """The same search on a network, whose landscape was found by other means."""
    land = Landscape.create(path, xor_system(), seed=0, **_SEARCH)
    try:
        land.explore(draw=False)
        checks.count("outcomes of verification", set(land.summary()["verified"]), {"ok"})
        minima = sorted(land.database.minima(), key=lambda m: m.energy)
        checks.count("minima", len(minima), len(XOR_MINIMA))
        for i, (found, expected) in enumerate(zip(minima, XOR_MINIMA, strict=False)):
            checks.number(f"minimum {i} has loss", found.energy, expected)
        number = {m.id(): i for i, m in enumerate(minima)}
        states = sorted(
            (ts.energy, *sorted((number[ts.minimum1.id()], number[ts.minimum2.id()])))
            for ts in land.database.transition_states()
            if ts.minimum1 != ts.minimum2
        )
        checks.count("transition states", len(states), len(XOR_STATES))
        for i, (found, expected) in enumerate(zip(states, XOR_STATES, strict=False)):
            checks.number(f"transition state {i} has loss", found[0], expected[0])
            checks.count(f"transition state {i} joins minima", found[1:], expected[1:])
    finally:
        land.close()


def _check_landscape(checks, system, path):
    """A default search, a little shorter, against the formula."""
    land = Landscape.create(path, system, seed=0, **_SEARCH)
    try:
        land.explore(draw=False)
        _compare(checks, land)
    finally:
        land.close()


def _compare(checks, land):
    system, summary = land.system, land.summary()
    points, connections = system.stationary_points(), system.connections()
    minima = [i for i, point in enumerate(points) if point.index == 0]
    degenerate = sum(i == j for _, i, j in connections)
    checks.count("outcomes of verification", set(summary["verified"]), {"ok"})
    checks.count("minima", summary["n_minima"], len(minima))
    checks.count("transition states", summary["n_transition_states"], len(connections) - degenerate)
    checks.count("degenerate rearrangements", summary["n_degenerate_rearrangements"], degenerate)
    checks.count("connected components", summary["n_components"], 1)

    stored = {i: _image(system, land.database.minima(), points[i]) for i in minima}
    number = {m.id(): i for i, m in stored.items() if m is not None}
    for i, found in stored.items():
        _check_point(checks, system, f"minimum {i}", found, points[i])
    for ts, i, j in connections:
        found = _image(system, land.database.transition_states(), points[ts])
        what = f"transition state {ts}"
        _check_point(checks, system, what, found, points[ts])
        if found is not None:
            ends = [number.get(m.id(), -1) for m in (found.minimum1, found.minimum2)]
            checks.count(f"{what} joins minima", sorted(ends), sorted((i, j)))

    barriers = barriers_to_lowest(land.graph())
    barriers = {number[m.id()]: height for m, height in barriers.items() if m.id() in number}
    for i, expected in system.barriers().items():
        checks.number(f"barrier from minimum {i}", barriers.get(i, np.inf), expected)


def _image(system, stored, point):
    """The stored point that is an image of one known by its formula, or None."""
    same = system.identity.are_same
    return next((found for found in stored if same(found.coords, point.x)), None)


def _check_point(checks, system, what, found, point):
    if found is None:
        checks.note(False, f"{what} of energy {point.energy:.12g} was not found")
        return
    checks.number(f"{what} has energy", found.energy, point.energy)
    negative = int((np.linalg.eigvalsh(system.potential.getHessian(found.coords)) < 0).sum())
    checks.count(f"{what} has index", negative, point.index)
