"""A kinetic transition network: what is left of a landscape without its coordinates."""

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from numbers import Real
from typing import Any, Self

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from pele.storage import Database, Minimum, TransitionState
from sqlalchemy.orm import undefer
from threadpoolctl import threadpool_limits

from ..contract import SPECTRUM_LIMIT, LandscapeSystem
from ..errors import InputError
from ..pulse import tell
from ..search.journal import Journal
from ..sessions import snapshot
from ..storage import is_grown, is_verified, may_count, measured, notes, quench_hits
from .passes import heights_from, unite_upward

__all__ = ["StationaryPoints", "TransitionNetwork"]


@dataclass(frozen=True)
class StationaryPoints:
    """Minima, or transition states, as thermodynamics sees them.

    Attributes
    ----------
    energies : ndarray, shape (n,)
    log_determinants : ndarray, shape (n,)
        The sum of the logarithms of the Hessian's positive eigenvalues, NaN where it is
        not known: PATHSAMPLE's second column, pele's ``fvib``.
    orders : ndarray, shape (n,)
        Of the point group: operations that leave the point as it is.
    ids : ndarray of int, shape (n,)
        By which a reader finds them again: those of pele's database, or lines of a
        file from 1.
    moments : ndarray, shape (n, 3), or None
        Principal moments of inertia, of clusters, where they are known.
    """

    energies: NDArray[np.float64]
    log_determinants: NDArray[np.float64]
    orders: NDArray[np.float64]
    ids: NDArray[np.int64]
    moments: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        energies: Any,
        log_determinants: Any = None,
        orders: Any = None,
        ids: Any = None,
        moments: Any = None,
    ) -> Self:
        """Points from any sequences; what is not given is not known, 1, and counted from 1."""
        energies = np.array(energies, dtype=float).reshape(-1)
        n = energies.size
        parts = (
            np.full(n, np.nan) if log_determinants is None else log_determinants,
            np.ones(n) if orders is None else orders,
        )
        numbers = np.arange(1, n + 1) if ids is None else ids
        points = cls(
            energies,
            *(np.array(part, dtype=float).reshape(-1) for part in parts),
            np.array(numbers, dtype=np.int64).reshape(-1),
            None if moments is None else np.array(moments, dtype=float).reshape(-1, 3),
        )
        points._check()
        return points

    def __len__(self) -> int:
        return self.energies.size

    def at(self, positions: Any) -> Self:
        """Some of the points, by position."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        known = {name: column[positions] for name, column in columns.items() if column is not None}
        return replace(self, **known)

    @property
    def determinants_known(self) -> bool:
        """Whether the determinant of every point is known."""
        return not np.isnan(self.log_determinants).any()

    def _check(self) -> None:
        for name in ("log_determinants", "orders", "ids"):
            if len(getattr(self, name)) != len(self):
                raise InputError(
                    f"there are {len(self)} energies but {len(getattr(self, name))} {name}"
                )
        if self.moments is not None and len(self.moments) != len(self):
            raise InputError(
                f"there are {len(self)} energies but {len(self.moments)} moments of inertia"
            )
        if not np.isfinite(self.energies).all():
            raise InputError("the energies must be finite numbers")
        if not (self.orders >= 1).all():
            raise InputError("the orders of point groups must be at least 1")
        if np.unique(self.ids).size != len(self):
            raise InputError("the ids must be different")


@dataclass(frozen=True)
class TransitionNetwork:
    """Minima and the transition states between them.

    Make one of a landscape (`Landscape.network`), of any pele database
    (`of_database`), of a plain graph (`of_graph`), or of files (`nnpotential.exchange`).

    Attributes
    ----------
    minima, states : StationaryPoints
    ends : ndarray of int, shape (n_states, 2)
        The two minima of each transition state, as positions in `minima`; of a
        degenerate rearrangement both are the same.
    n_vibrations : int or None
        Directions of non-zero curvature, the kappa of the harmonic superposition
        approximation; None where it is not known.
    kinetic : bool
        Whether the energy has a kinetic half: atoms move, networks do not.
    energy_label : str
    hits : ndarray of int, shape (n_minima,), or None
        How many independent quenches ended in each minimum.
    joined : int or None
        How many minima of quenches, the first, had to be joined to the lowest, by default all.
    grown : ndarray of bool, shape (n_minima,), or None
        Which minima were reached by growth from the lowest.
    audit : dict
        The share by which barriers may still fall, see
        `nnpotential.search.audit.barrier_audit`; empty where it is not known.

    References
    ----------
    F. Noe and S. Fischer, Curr. Opin. Struct. Biol. 18, 154 (2008); D. J. Wales,
    "Energy Landscapes", Cambridge University Press (2003).
    """

    minima: StationaryPoints
    states: StationaryPoints
    ends: NDArray[np.int64]
    n_vibrations: int | None = None
    kinetic: bool = True
    energy_label: str = "energy"
    hits: NDArray[np.int64] | None = None
    joined: int | None = None
    grown: NDArray[np.bool_] | None = None
    audit: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ends = np.array(self.ends, dtype=np.int64).reshape(-1, 2)
        if len(ends) != len(self.states):
            raise InputError(
                f"there are {len(self.states)} transition states but the minima of {len(ends)}"
            )
        if ends.size and not (ends.min() >= 0 and ends.max() < len(self.minima)):
            raise InputError(
                f"transition states name minima that are not among the {len(self.minima)}"
            )
        object.__setattr__(self, "ends", ends)

    @classmethod
    def of_graph(cls, graph: nx.Graph, **options: Any) -> Self:
        """The network of a plain graph.

        Parameters
        ----------
        graph : networkx.Graph or networkx.MultiGraph
            Nodes and edges have ``energy``, and may have ``log_determinant`` and ``order``;
            pele's own, of its `Minimum` and with ``ts``, have the energies of these.
        **options
            ``n_vibrations``, ``kinetic``, ``energy_label``.

        Raises
        ------
        InputError
            If an energy is missing, or a number is wrong.
        """
        nodes, edges = list(graph), list(graph.edges(data=True))
        place = {node: k for k, node in enumerate(nodes)}
        return cls(
            _points_of({f"node {node!r}": (data, node) for node, data in graph.nodes(data=True)}),
            _points_of(
                {
                    f"edge {k} between {u!r} and {v!r}": (data, data.get("ts"))
                    for k, (u, v, data) in enumerate(edges)
                }
            ),
            np.array([[place[u], place[v]] for u, v, _ in edges], dtype=np.int64).reshape(-1, 2),
            **options,
        )

    @classmethod
    def of_database(
        cls,
        database: Database,
        system: LandscapeSystem | None = None,
        *,
        verified: bool | None = None,
        **options: Any,
    ) -> Self:
        """The network of a pele database.

        Parameters
        ----------
        database : pele.storage.Database
        system : LandscapeSystem, optional
            Gives determinants and orders; without one they are those that pele keeps
            (``fvib``, ``pgorder``), where they were computed.
        verified : bool, optional
            Whether only points count that have passed verification; else all that are not
            marked as invalid. By default, if any minimum was verified here: the database of
            a landscape may hold nothing yet but points from outside, which do not count.
        **options
            ``n_vibrations``, ``kinetic``, ``energy_label``, ``audit``, in place of the system's.
        """
        session = database.session
        with snapshot(database):
            minima, states = (
                session.query(kind).options(undefer(kind.user_data)).order_by(kind._id).all()
                for kind in (Minimum, TransitionState)
            )
        if verified is None:
            verified = any("verified" in notes(point) for point in minima)
        counts = is_verified if verified else may_count
        minima = list(filter(counts, minima))
        place = {m.id(): k for k, m in enumerate(minima)}
        states = [
            ts
            for ts in states
            if counts(ts) and all(end.id() in place for end in (ts.minimum1, ts.minimum2))
        ]
        if system is not None:
            joined = Journal(database).tally["joined"]
            options = _options_of(system) | {"joined": joined} | options
        with threadpool_limits(1):  # small matrices: threads stand in each other's way
            parts = [
                [_entry(system, point, negative, k) for k, point in enumerate(points, begin)]
                for begin, negative, points in ((0, 0, minima), (len(minima), 1, states))
            ]
        hits = np.array([quench_hits(m) for m in minima], dtype=np.int64)
        grown = np.array([is_grown(m) for m in minima], dtype=bool)
        return cls(
            *(StationaryPoints.of(*_columns(entries)) for entries in parts),
            [[place[ts.minimum1.id()], place[ts.minimum2.id()]] for ts in states],
            hits=hits if hits.any() else None,
            grown=grown if grown.any() else None,
            **options,
        )

    def __len__(self) -> int:
        return len(self.minima)

    def with_moments(self, minima: Any, states: Any) -> Self:
        """The same network with moments of inertia, rows of three in the order of its points."""
        parts = ((self.minima, minima), (self.states, states))
        known = [replace(p, moments=np.array(m, dtype=float).reshape(-1, 3)) for p, m in parts]
        return replace(self, minima=known[0], states=known[1])

    @property
    def lowest(self) -> int:
        """Position of the minimum of lowest energy, the first of equals."""
        return int(np.argmin(self.minima.energies))

    @property
    def measured(self) -> NDArray[np.bool_] | None:
        """Whether each minimum is one whose barriers were searched for, None if none is.

        It is among the first that independent quenches found, or growth from the lowest reached
        it, which makes no independent sample.
        """
        if self.hits is None and self.grown is None:
            return None
        ids = self.minima.ids
        found = (() if part is None else ids[part > 0].tolist() for part in (self.hits, self.grown))
        return np.isin(ids, list(measured(*found, self.joined)))

    def graph(self) -> nx.Graph:
        """The lowest transition state of each pair, between positions of minima.

        Returns
        -------
        networkx.Graph
            Nodes 0, 1, ... with ``energy``; edges with ``energy`` and ``state``, the
            position of the transition state.
        """
        graph = nx.Graph()
        graph.add_nodes_from((k, {"energy": float(e)}) for k, e in enumerate(self.minima.energies))
        for k in np.argsort(-self.states.energies, kind="stable"):
            one, two = map(int, self.ends[k])
            if one != two:
                graph.add_edge(one, two, energy=float(self.states.energies[k]), state=int(k))
        return graph

    def barriers(self) -> NDArray[np.float64]:
        """Barrier from each minimum to the lowest, shape (n_minima,).

        The height of the highest transition state on the path for which that is
        lowest, above the minimum: 0 for the lowest itself, NaN where none is known.
        """
        return self._barriers.copy()

    def among(self, kept: Any) -> Self:
        """The network of some minima alone, with the same barriers between them.

        Of minima that quenches found (`measured`) this is a sample as large as their number;
        what connections met on their way is no sample of anything.

        Parameters
        ----------
        kept : sequence of int
            Positions of minima.

        Returns
        -------
        TransitionNetwork
            Its transition states are the highest on the lowest paths, as few as join
            the minima: a spanning forest.
        """
        kept = np.unique(np.asarray(kept, dtype=np.int64))
        place = {int(k): new for new, k in enumerate(kept)}
        ends, chosen = [], []

        def unite(edge: Any, one: int | None, two: int | None) -> int | None:
            """Of a group, one of those that are kept."""
            if one is None or two is None:
                return two if one is None else one
            ends.append([place[one], place[two]])
            chosen.append(edge[3])
            return one

        edges = [(*pair, d["energy"], d["state"]) for *pair, d in self._tree.edges(data=True)]
        unite_upward({k: k if k in place else None for k in range(len(self))}, edges, unite)
        return replace(
            self,
            minima=self.minima.at(kept),
            states=self.states.at(np.array(chosen, dtype=np.int64)),
            ends=np.array(ends, dtype=np.int64).reshape(-1, 2),
            hits=None if self.hits is None else self.hits[kept],
            grown=None if self.grown is None else self.grown[kept],
        )

    def spanning_tree(self) -> nx.Graph:
        """The transition states that lowest paths cross: the minimum spanning forest of `graph`.

        Returns
        -------
        networkx.Graph
            Frozen; nodes and edges as in `graph`.

        References
        ----------
        J. C. Gower and G. J. S. Ross, Appl. Stat. 18, 54 (1969).
        """
        return self._tree

    @cached_property
    def _tree(self) -> nx.Graph:
        return nx.freeze(nx.minimum_spanning_tree(self.graph(), weight="energy"))

    @cached_property
    def _barriers(self) -> NDArray[np.float64]:
        heights = np.full(len(self), np.nan)
        if len(self):
            found = heights_from(self._tree, self.lowest)
            heights[list(found)] = list(found.values())
            heights[self.lowest] = self.minima.energies[self.lowest]
        return heights - self.minima.energies


def _points_of(entries: dict[str, tuple[dict[str, Any], Any]]) -> StationaryPoints:
    energies = []
    for what, (data, point) in entries.items():
        energy = data.get("energy", getattr(point, "energy", None))
        if not isinstance(energy, Real):
            raise InputError(f"{what} of the graph must have a number as energy, not {energy!r}")
        energies.append(energy)
    return StationaryPoints.of(
        energies,
        [data.get("log_determinant", np.nan) for data, _ in entries.values()],
        [data.get("order", 1) for data, _ in entries.values()],
    )


def _options_of(system: LandscapeSystem) -> dict[str, Any]:
    return {
        "n_vibrations": system.n_dof - system.get_nzero_modes(),
        "kinetic": system.kinetic,
        "energy_label": system.energy_label,
    }


def _entry(system, point, n_negative, done):
    """Energy, log determinant, order and id of a stored point."""
    if system is None:
        known = np.nan if point.fvib is None else point.fvib
        return point.energy, known, point.pgorder or 1, point.id()
    tell("determinants of Hessians", done, unit="points")
    known = np.nan
    if system.n_dof <= SPECTRUM_LIMIT:
        known = system.get_log_product_normalmode_freq(point.coords, n_negative)
    return point.energy, known, system.get_pgorder(point.coords), point.id()


def _columns(entries):
    return list(zip(*entries, strict=True)) or [()]
