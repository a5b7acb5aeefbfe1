"""What a disconnectivity graph is drawn from, and what its minima are coloured or ordered by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np
from pele.storage import Database, Minimum
from sqlalchemy.orm import undefer

from ..analysis.figures import audited_barriers
from ..analysis.funnel import monotonic_sequence_basins
from ..analysis.transition_network import TransitionNetwork
from ..checks import check_choice
from ..contract import LandscapeSystem, Measure
from ..errors import InputError

__all__ = [
    "OF_EVERY_NETWORK",
    "OF_ONE_NETWORK",
    "Source",
    "Values",
    "check_colour",
    "check_measure",
    "values_of",
]

# of a network alone, without coordinates
OF_ONE_NETWORK = ("basin", "component")  # groups, named by their lowest minimum
OF_EVERY_NETWORK = ("energy", "barrier", "hits", "log-determinant", *OF_ONE_NETWORK)
_FEW = 500  # minima of which coordinates are asked by id
_UNSEEN = 1e-6  # of the height of the graph: no fault of an edge


@dataclass(frozen=True)
class Source:
    """A network, and what else is known of its minima.

    Attributes
    ----------
    network : TransitionNetwork
    title : str
        What it is called where there are several.
    names : sequence, or None
        Of the minima, by which a reader finds them again; else the ids of the network.
    system : LandscapeSystem, optional
    database : pele.storage.Database, optional
        Has the coordinates.
    attributes : dict
        What else is known of each minimum, by name.
    """

    network: TransitionNetwork
    title: str = ""
    names: Any = None
    system: LandscapeSystem | None = None
    database: Database | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_landscape(cls, system, database, title=""):
        """The verified points of a landscape."""
        network = TransitionNetwork.of_database(
            database, verified=True, energy_label=system.energy_label
        )
        return cls(network, title, system=system, database=database)

    def called(self):
        """The name of each minimum."""
        return self.network.minima.ids.tolist() if self.names is None else list(self.names)

    def place(self, name):
        """The position of a minimum.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        called = self.called()
        for wanted in (name, str(name)):
            for k, other in enumerate(called):
                if other == wanted or str(other) == wanted:
                    return k
        some = ", ".join(str(other) for other in called[:3])
        raise InputError(
            f"there is no minimum {name!r} among the {len(called)} that are known"
            + (f" ({some}, ...)" if called else "")
        )

    def coords(self, positions):
        """The coordinates of minima, by position, one after the other."""
        ids = self.network.minima.ids[positions].tolist()
        query = self.database.session.query(Minimum).options(undefer(Minimum.coords))
        if len(ids) <= _FEW:
            query = query.filter(Minimum._id.in_(ids))
        found = {m.id(): m for m in query}
        return [np.asarray(found[i].coords) for i in ids]

    def audited(self):
        """The mean barrier and its audit; see `audited_barriers`. None without a system."""
        if self.system is None or self.database is None:
            return None
        network, barriers = self.network, self.network.barriers()
        known = np.isfinite(barriers) & (np.arange(len(network)) != network.lowest)
        known &= False if network.measured is None else network.measured
        return audited_barriers(self.database, barriers[known].tolist())

    def check(self):
        """Refuse what is no landscape.

        Raises
        ------
        InputError
            If there is no minimum, or a transition state lies below a minimum that it joins.
        """
        network, ends = self.network, self.network.ends
        if not len(network):
            raise InputError(
                "there is no verified minimum to draw: run 'nnpotential explore' first"
                if self.system is not None
                else f"there is no minimum to draw{self.title and f' in {self.title}'}"
            )
        if not len(ends):
            return
        energies, heights = network.minima.energies, network.states.energies
        below = energies[ends].max(axis=1) - heights
        below[ends[:, 0] == ends[:, 1]] = -np.inf  # joins nothing
        worst = int(below.argmax())
        if below[worst] > _UNSEEN * (max(energies.max(), heights.max()) - energies.min()):
            called, (one, two) = self.called(), ends[worst]
            raise InputError(
                f"the edge between {called[one]} and {called[two]} has the energy "
                f"{heights[worst]:.9g}, below that of its minimum "
                f"{called[max((one, two), key=lambda k: energies[k])]}, "
                f"{energies[[one, two]].max():.9g}: a transition state lies above its minima"
            )


@dataclass(frozen=True)
class Values:
    """Something of each minimum.

    Attributes
    ----------
    label : str
    values : ndarray
        Numbers, NaN where one is not known; or, of groups, their names.
    grouped : bool
    """

    label: str
    values: np.ndarray
    grouped: bool = False


def check_measure(name, system):
    """A measure of a system, by name, or one of one's own.

    Raises
    ------
    InputError
        If it is no measure of the system, or not defined for it; says what is lacking.
    """
    if isinstance(name, Measure):
        return name
    return _defined(name, system, "measure", tuple(system.measures))


def check_colour(colour, system):
    """Refuse what the minima of a system cannot be coloured by.

    Raises
    ------
    InputError
        As from `check_measure`.
    """
    if not isinstance(colour, Measure | Mapping) and colour not in OF_EVERY_NETWORK:
        _defined(colour, system, "colour", (*system.measures, *OF_EVERY_NETWORK))


def values_of(source, wanted, positions, what="colour"):
    """What the minima at some positions are coloured or ordered by.

    Parameters
    ----------
    source : Source
    wanted : str, Measure or mapping
        A measure of the system or of every network, an attribute of nodes, or values by minimum.
    positions : ndarray of int
    what : str
        The option that asks, for messages.

    Returns
    -------
    Values

    Raises
    ------
    InputError
        If there is no such thing, or it is no number.
    """
    if isinstance(wanted, Mapping):
        chosen = np.full(len(source.network), None, dtype=object)
        for name, value in wanted.items():
            chosen[source.place(name)] = value
        return _given("", chosen[positions])
    if isinstance(wanted, str) and wanted in source.attributes:
        return _given(wanted, np.array(source.attributes[wanted], dtype=object)[positions])
    if isinstance(wanted, str) and wanted in OF_EVERY_NETWORK:
        return _of_network(source, wanted, positions)
    measures = {} if source.system is None else source.system.measures
    choices = (*measures, *source.attributes, *OF_EVERY_NETWORK)
    if source.database is None and not isinstance(wanted, Measure):
        known = ", ".join((*source.attributes, *OF_EVERY_NETWORK))
        raise InputError(
            f"{source.title or 'the network'} has no coordinates, by which minima could be "
            f"coloured or ordered by {wanted!r}: without them there are {known}"
        )
    if source.database is None:
        raise InputError(
            f"{source.title or 'the network'} has no coordinates, by which minima could be "
            f"coloured or ordered by {wanted.label!r}"
        )
    measure = wanted if isinstance(wanted, Measure) else None
    if measure is None:
        check_choice(what, wanted, choices)
        measure = _defined(wanted, source.system, what, choices)
    ids = source.network.minima.ids[positions]
    found = [
        _number(measure, x, i) for x, i in zip(source.coords(positions), ids.tolist(), strict=True)
    ]
    return Values(measure.axis, np.array(found))


def _defined(name, system, what, choices):
    check_choice(what, name, choices)
    lacking = system.measures[name].lacking
    if lacking:
        raise InputError(f"{name} {lacking}")
    return system.measures[name]


def _number(measure, x, number):
    value = np.asarray(measure.function(x))
    if value.shape != () or value.dtype.kind not in "biuf" or not np.isfinite(value):
        raise InputError(
            f"the measure {measure.label!r} must give one finite number, but gives "
            f"{' '.join(str(value).split())[:80]} for minimum {number}"
        )
    return float(value)


def _given(label, values):
    """Numbers if all that are given are such, else names of groups."""
    known = [value for value in values if value is not None]
    if all(
        isinstance(v, int | float | np.integer | np.floating) and not isinstance(v, bool)
        for v in known
    ):
        numbers = [np.nan if value is None else float(value) for value in values]
        return Values(label, np.array(numbers, dtype=float))
    names = np.array(["" if value is None else str(value) for value in values], dtype=object)
    return Values(label, names, grouped=True)


def _of_network(source, name, positions):
    network, unit = source.network, source.network.energy_label
    if name == "energy":
        return Values(unit, network.minima.energies[positions])
    if name == "barrier":
        paren = unit.partition(" (")
        barriers = network.barriers()
        barriers[network.lowest] = np.nan  # it has none
        return Values("barrier to the lowest" + "".join(paren[1:]), barriers[positions])
    if name == "hits":
        if network.hits is None:
            raise InputError("no independent quenches are known, by whose hits to colour or order")
        return Values("quenches that ended there", network.hits[positions].astype(float))
    if name == "log-determinant":
        if np.isnan(network.minima.log_determinants[positions]).all():
            raise InputError("no determinant of a Hessian is known here to colour or order by")
        return Values("ln det of the Hessian", network.minima.log_determinants[positions])
    called = source.called()
    if name == "basin":
        bottoms = monotonic_sequence_basins(network)
        label = "monotonic sequence basin of"
    else:
        bottoms, label = np.empty(len(network), dtype=int), "component of"
        for part in nx.connected_components(network.graph()):
            members = sorted(part)
            bottoms[members] = members[int(np.argmin(network.minima.energies[members]))]
    names = np.array([str(called[bottom]) for bottom in bottoms[positions]], dtype=object)
    return Values(label, names, grouped=True)
