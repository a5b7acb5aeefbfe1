"""Connections: pele's double-ended search, and walks uphill from one minimum."""

from itertools import pairwise

import numpy as np
from pele.landscape import DoubleEndedConnect, LocalConnect
from pele.optimize import Result
from pele.storage import Minimum

from ..checks import check_choice, check_integer
from ..contract import NATS
from ..errors import InputError
from ..findings import Connection, Failure, Point
from ..storage import store_minimum, store_transition_state
from .band import BandDriver
from .curvature import curvature
from .saddle import descend, find_transition_state
from .scratch import Scratch

__all__ = [
    "STRATEGIES",
    "ExactDoubleEndedConnect",
    "ExactLocalConnect",
    "below",
    "connect_band",
    "connect_pair",
    "rearrangements",
    "refined",
    "single_ended",
]

STRATEGIES = ("standard", "alignment", "images", "midpoint")

# Of first steps from 0.1 to 2 this one found most transition states on the
# minimum's own rim; from any of them nearly every walk converged.
_UPHILL = 0.2

# Of two, three and five steps of basin-hopping, twice as long leave more than a tenth of all
# images of small clusters the minimum itself.
_AWAY = 3.0
_MANY_BANDS = 10  # of 614 connections that joined 8 needed more before the way got shorter
_SAME_WAY = 0.3  # of the way to an image, at most, that zero modes leave of one that is no other


class ExactLocalConnect(LocalConnect):
    """One band between two minima, its maxima refined by eigenvector following.

    pele's refinement screens for a second unstable mode with an absolute
    tolerance as large as the curvatures of a loss; this one diagonalises the
    exact Hessian. A triple is handed on only if the transition state has
    converged with index one and both descents have converged to minima below.

    Parameters
    ----------
    pot : NNPotential
    mindist : callable
    identity : Identity
    scales : Scales
    known : list, optional
        Triples found before; new ones are added. A transition state among
        them is not descended from again.
    failures : list, optional
        Is given a `Failure` for each search that failed.
    stored : StoredStates, optional
        Transition states that are not descended from nor handed on.
    **kwargs
        As for pele's `LocalConnect`; ``tsSearchParams`` go to
        `find_transition_state`, ``pushoff_params`` to `descend`.
    """

    def __init__(
        self,
        pot,
        mindist,
        identity,
        *,
        scales=NATS,
        known=None,
        failures=None,
        stored=None,
        create_neb=BandDriver,
        **kwargs,
    ):
        super().__init__(pot, mindist, create_neb=create_neb, **kwargs)
        self.identity, self._stored = identity, stored
        self._refine = Refinement(
            pot,
            identity,
            scales,
            self.tsSearchParams,
            self.pushoff_params,
            known=known,
            failures=failures,
            stored=stored,
        )

    def connect(self, min1, min2):
        distance, _, _ = self.mindist(min1.coords, min2.coords)
        if distance <= self.identity.tolerance:
            self.res.success = False
            return self.res
        return super().connect(min1, min2)

    def _refineTransitionStates(self, neb, climbing_images):
        for _, i in climbing_images[: self.nrefine_max]:
            tangent = neb.tangent(
                neb.energies[i],
                neb.energies[i - 1],
                neb.energies[i + 1],
                neb.coords[i] - neb.coords[i - 1],
                neb.coords[i] - neb.coords[i + 1],
            )
            triple = self._refine(neb.coords[i], tangent)
            found = self.res.new_transition_states
            if triple is not None and not any(triple is other for other in found):
                found.append(triple)
        # if not, pele has another band made, with more images
        met = self._stored is not None and self._stored.met
        return bool(self.res.new_transition_states or met)


class ExactDoubleEndedConnect(DoubleEndedConnect):
    """pele's `DoubleEndedConnect` with exact identity of points.

    Degenerate rearrangements, which pele drops, are stored as transition
    states whose two minima are one.

    Parameters
    ----------
    min1, min2, pot, mindist
        As for pele's class.
    database : pele.storage.Database or Scratch
    identity : Identity
    scales : Scales
    band_mindist : callable, optional
        Aligns the ends of a band in place of `mindist`.
    failures : list, optional
        As for `ExactLocalConnect`.
    **kwargs
        As for pele's class.
    """

    def __init__(
        self,
        min1,
        min2,
        pot,
        mindist,
        database,
        identity,
        *,
        scales=NATS,
        band_mindist=None,
        failures=None,
        **kwargs,
    ):
        self.identity = identity
        self.band_mindist = band_mindist or mindist
        self._shared = {"scales": scales, "known": [], "failures": failures}
        scratch = isinstance(database, Scratch)
        self._points = database if scratch else _Stored(database, identity)
        super().__init__(min1, min2, pot, mindist, database, **kwargs)

    def _getLocalConnectObject(self):
        return ExactLocalConnect(
            self.pot,
            self.band_mindist,
            self.identity,
            **self._shared,
            **self.local_connect_params,
        )

    @property
    def is_astray(self):
        """Whether many bands have made the way no shorter.

        Its length is the sum of the squared jumps that are left, by which bands are chosen.
        """
        if len(self.pairsNEB) < 2 * _MANY_BANDS:  # it holds each both ways round
            return False
        _, jumps = self.dist_graph.shortestPath(self.minstart, self.minend)
        return sum(jumps) >= self.getDist(self.minstart, self.minend) ** 2

    def _addTransitionState(self, ts_ret, min_ret1, min_ret2):
        found = (ts_ret, min_ret1, min_ret2)
        if not all(c(energy=r.energy, coords=r.coords) for c in self.conf_checks for r in found):
            return False
        minima = [self._points.minimum(ret.energy, ret.coords) for ret in (min_ret1, min_ret2)]
        ts = self._points.transition_state(
            ts_ret.energy, ts_ret.coords, *minima, ts_ret.eigenval, ts_ret.eigenvec
        )
        self.database.session.commit()
        for minimum in minima:
            self.graph.addMinimum(minimum)
        if ts.minimum1 == ts.minimum2:
            return False  # kept in the database, but it connects nothing
        self.graph.addTransitionState(ts)
        for minimum in minima:
            self.dist_graph.addMinimum(minimum)
        self.dist_graph.setTransitionStateConnection(ts.minimum1, ts.minimum2)
        return True


class _Stored:
    """A database as `Scratch` is one."""

    def __init__(self, database, identity):
        self._at = database, identity

    def minimum(self, energy, coords):
        return store_minimum(*self._at, energy, coords)[0]

    def transition_state(self, energy, coords, *what):
        return store_transition_state(*self._at, energy, coords, *what)[0]


def connect_pair(system, x1, x2, strategy="standard", failures=None, astray=None):
    """One double-ended connection between two minima.

    What it finds depends on its arguments alone.

    Parameters
    ----------
    system : LandscapeSystem
    x1, x2 : ndarray, shape (n_parameters,)
    strategy : str
        One of `STRATEGIES`: "standard"; for pairs that this does not connect
        "alignment", bands to the second nearest image of a minimum; "images",
        bands of twice as many images, optimised for twice as long; "midpoint",
        the minimum below the middle of the two, if it is a third one, connected
        to both.
    failures : list, optional
        Is given a `Failure` for each search that failed.
    astray : list, optional
        Is given the ends of each search whose way has become no shorter by many bands.

    Returns
    -------
    list of Connection

    Raises
    ------
    InputError
        For an unknown strategy.
    """
    check_choice("strategy", strategy, STRATEGIES)
    same = system.identity.are_same
    if same(x1, x2):
        return []
    stops = [x1, x2]
    if strategy == "midpoint":
        _, image = system.identity.align(x1, x2)
        middle = system.get_minimizer()(0.5 * (x1 + image))
        if not middle.success or any(same(middle.coords, x) for x in stops):
            return []
        stops.insert(1, middle.coords)
    scratch = Scratch(system.identity, system.scales.energy_window)
    minima = [scratch.minimum(system.potential.getEnergy(x), x) for x in stops]
    options = _options(system, strategy)
    for one, two in pairwise(minima):
        search = system.get_double_ended_connect(
            one, two, scratch, verbosity=0, failures=failures, **options
        )
        search.connect()
        if astray is not None and search.is_astray:
            astray.append((one, two))
    return [Connection.of(ts) for ts in scratch.transition_states()]


def connect_band(system, x1, x2, failures=None, stored=None):
    """One band between two minima, and all transition states on it.

    Parameters
    ----------
    system : LandscapeSystem
    x1, x2 : ndarray, shape (n_parameters,)
    failures : list, optional
        As for `connect_pair`.
    stored : StoredStates, optional
        Transition states that are left out.

    Returns
    -------
    list of Connection
        Often between other minima than these.
    """
    return _band(system, x1, x2, system.get_mindist(), failures, stored)


def _band(system, x1, x2, mindist, failures, stored):
    energies = map(system.potential.getEnergy, (x1, x2))
    one, two = (Minimum(energy, x) for energy, x in zip(energies, (x1, x2), strict=True))
    band = ExactLocalConnect(
        system.potential,
        mindist,
        system.identity,
        scales=system.scales,
        failures=failures,
        stored=stored,
        **system.params.double_ended_connect.local_connect_params,
    )
    return [_connection(triple) for triple in band.connect(one, two).new_transition_states]


def _options(system, strategy):
    """What a strategy changes in the parameters of the double-ended search."""
    if strategy == "alignment":
        identity = system.identity

        def mindist(x1, x2):
            distance, image = identity.align_second(x1, x2) or identity.align(x1, x2)
            return distance, x1, image

        return {"band_mindist": mindist}
    if strategy == "images":
        local = system.params.double_ended_connect.local_connect_params
        band = local.NEBparams
        doubled = {k: 2 * band[k] for k in ("image_density", "max_images")}
        return {"local_connect_params": {**local, "NEBparams": {**band, **doubled}}}
    return {}


def single_ended(system, x, mode, side, failures=None, stored=None):
    """Walk from a minimum up one of its soft modes to a transition state.

    Parameters
    ----------
    system : LandscapeSystem
    x : ndarray, shape (n_parameters,)
        A minimum.
    mode : int
        Which eigenvector of the Hessian to follow: 0 is the softest. Those
        along which only the penalty changes are not counted; they lead nowhere.
    side : {1, -1}
        Its sign; the largest component of the eigenvector counts as positive.
    failures : list, optional
        As for `connect_pair`.
    stored : StoredStates, optional
        As for `connect_band`.

    Returns
    -------
    list of Connection
        One, or none if the walk failed. `x` need not be one of its minima.

    Raises
    ------
    InputError
        If there is no such mode or side.
    """
    x = np.asarray(x, dtype=float)
    left_out = system.identity.barren_modes(x)
    n = x.size - left_out.shape[1]
    if check_integer("mode", mode, 0) >= n:
        raise InputError(f"mode must be below {n}, not {mode}")
    if side not in (1, -1):
        raise InputError(f"side must be 1 or -1, not {side!r}")
    local = system.params.double_ended_connect.local_connect_params
    uphill, options = curvature(x.size).uphill(system.potential, x, left_out, mode)
    uphill = uphill * side * np.sign(uphill[np.argmax(np.abs(uphill))])
    search = {**local.tsSearchParams, **options}
    return refined(system, x + _UPHILL * uphill, uphill, search, failures, stored)


def rearrangements(system, x, seed, failures=None, stored=None):
    """Bands from a minimum to another image of itself, one that is drawn at random.

    It is the nearest image to a point some way off. What stands between the two
    is often a degenerate rearrangement, of a symmetry that walks seldom keep,
    and as often the way to and from another minimum.

    Parameters
    ----------
    system : LandscapeSystem
    x : ndarray, shape (n_parameters,)
        A minimum.
    seed : SeedSequence
        Draws the image.
    failures : list, optional
        As for `connect_pair`.
    stored : StoredStates, optional
        As for `connect_band`.

    Returns
    -------
    list of Connection
        Also between other minima; none where the image drawn is `x` itself.
    """
    x = np.asarray(x, dtype=float)
    away, identity = x.copy(), system.identity
    stepsize = _AWAY * system.params.takestep.stepsize
    system.with_seed(seed).get_takestep(stepsize=stepsize).takeStep(away)
    _, image = identity.align(away, x)
    way, zero_modes = image - x, identity.zero_modes(x)
    distance = float(np.linalg.norm(way))
    across = way - zero_modes @ (zero_modes.T @ way)
    if distance <= identity.tolerance or np.linalg.norm(across) <= _SAME_WAY * distance:
        return []
    # aligned they would be one
    return _band(system, x, image, lambda x1, x2: (distance, x1, x2), failures, stored)


def refined(system, x, direction, search, failures=None, stored=None):
    """The transition state that a candidate leads to, and the minima below it.

    Parameters
    ----------
    system : LandscapeSystem
    x : ndarray, shape (n_parameters,)
    direction : ndarray, shape (n_parameters,), or None
        To follow at first.
    search : dict
        Options of `find_transition_state`.
    failures : list, optional
        As for `connect_pair`.
    stored : StoredStates, optional
        As for `connect_band`.

    Returns
    -------
    list of Connection
        One, or none.
    """
    refine = _refinement(system, search, failures, stored)
    return _connections(refine(x, direction))


def below(system, state, failures=None):
    """A transition state with the minima below it.

    Parameters
    ----------
    system : LandscapeSystem
    state : State
    failures : list, optional
        As for `connect_pair`.

    Returns
    -------
    list of Connection
        One, or none.
    """
    return _connections(_refinement(system, {}, failures).descend(Result(**state._asdict())))


def _refinement(system, search, failures, stored=None):
    local = system.params.double_ended_connect.local_connect_params
    return Refinement(
        system.potential,
        system.identity,
        system.scales,
        search,
        local.pushoff_params,
        failures=failures,
        stored=stored,
    )


def _connections(triple):
    return [] if triple is None else [_connection(triple)]


def _connection(triple):
    ts, *ends = triple
    ends = (Point.of(end) for end in ends)
    return Connection(ts.energy, ts.coords, ts.eigenval, ts.eigenvec, *ends)


class Refinement:
    """From a candidate to a transition state and the two minima below it.

    Parameters
    ----------
    potential : LandscapePotential
    identity : Identity
    scales : Scales
    search, pushoff : dict
        Options of `find_transition_state` and of `descend`.
    known, failures, stored
        As for `ExactLocalConnect`.
    """

    def __init__(
        self,
        potential,
        identity,
        scales,
        search,
        pushoff,
        *,
        known=None,
        failures=None,
        stored=None,
    ):
        self._potential, self._identity, self._scales = potential, identity, scales
        self._search, self._pushoff = search, pushoff
        self._known = [] if known is None else known
        self._failures = [] if failures is None else failures
        self._stored = stored

    def __call__(self, candidate, direction):
        """The triple, or None.

        Parameters
        ----------
        candidate, direction : ndarray, shape (n_parameters,)
            Where to begin, and which direction to follow at first.
        """
        identity, own = self._identity, self._identity.barren_modes(candidate)
        candidate = candidate - own @ (own.T @ candidate)
        found = find_transition_state(
            candidate,
            self._potential,
            identity.barren_modes,
            scales=self._scales,
            direction=direction,
            **self._search,
        )
        if not found.success:
            self._failures.append(Failure(found.message, found.energy))
            return None
        for triple in self._known:
            near = abs(triple[0].energy - found.energy) <= self._scales.energy_window
            if near and identity.are_same(triple[0].coords, found.coords):
                return triple
        if self._stored is not None and self._stored.meets(found):
            return None
        return self.descend(found)

    def descend(self, found):
        """A transition state, a pele `Result`, with the minima below it, or None."""
        # whether it is done depends on what else is stored: it does not count as cost
        potential = getattr(self._potential, "uncounted", self._potential)
        ends = [
            descend(
                found.coords,
                side * found.eigenvec,
                potential,
                self._identity.zero_modes,
                scales=self._scales,
                **self._pushoff,
            )
            for side in (1, -1)
        ]
        if not all(end.success and end.energy < found.energy for end in ends):
            lost = next((end.message for end in ends if not end.success), "went up")
            self._failures.append(Failure(f"descent: {lost}", found.energy))
            return None
        self._known.append((found, *ends))
        return self._known[-1]
