"""Double-ended connection: pele's search with this project's transition states."""

import logging

from pele.landscape import DoubleEndedConnect, LocalConnect

from .band import BandDriver
from .saddle import descend, find_transition_state
from .storage import store_minimum, store_transition_state

__all__ = ["NNDoubleEndedConnect", "NNLocalConnect"]

logger = logging.getLogger("nnpotential")


class NNLocalConnect(LocalConnect):
    """One band between two minima, its maxima refined by eigenvector following.

    pele's refinement screens for a second unstable mode with an absolute
    tolerance as large as the curvatures of a loss; this one diagonalises the
    exact Hessian. A triple is handed on only if the transition state has
    converged with index one and both descents have converged to minima below.

    Parameters
    ----------
    pot : NNPotential
    mindist : callable
    symmetry : Symmetry
    **kwargs
        As for pele's `LocalConnect`; ``tsSearchParams`` go to
        `find_transition_state`, ``pushoff_params`` to `descend`.
    """

    def __init__(self, pot, mindist, symmetry, *, create_neb=BandDriver, **kwargs):
        super().__init__(pot, mindist, create_neb=create_neb, **kwargs)
        self.symmetry = symmetry

    def connect(self, min1, min2):
        distance, _, _ = self.mindist(min1.coords, min2.coords)
        if distance <= self.symmetry.tolerance:
            self.res.success = False
            return self.res
        return super().connect(min1, min2)

    def _refineTransitionStates(self, neb, climbing_images):
        zero_modes = self.symmetry.zero_modes
        for _, i in climbing_images[: self.nrefine_max]:
            tangent = neb.tangent(
                neb.energies[i],
                neb.energies[i - 1],
                neb.energies[i + 1],
                neb.coords[i] - neb.coords[i - 1],
                neb.coords[i] - neb.coords[i + 1],
            )
            found = find_transition_state(
                neb.coords[i], self.pot, zero_modes, direction=tangent, **self.tsSearchParams
            )
            if not found.success:
                logger.info("transition state search failed: %s", found.message)
                continue
            ends = [
                descend(
                    found.coords, side * found.eigenvec, self.pot, zero_modes, **self.pushoff_params
                )
                for side in (1, -1)
            ]
            if not all(end.success and end.energy < found.energy for end in ends):
                logger.info("descent from a transition state failed")
                continue
            self.res.new_transition_states.append((found, *ends))
        return bool(self.res.new_transition_states)


class NNDoubleEndedConnect(DoubleEndedConnect):
    """pele's `DoubleEndedConnect` with exact identity of points.

    Degenerate rearrangements, which pele drops, are stored as transition
    states whose two minima are one.

    Parameters
    ----------
    min1, min2, pot, mindist, database
        As for pele's class.
    symmetry : Symmetry
    **kwargs
        As for pele's class.
    """

    def __init__(self, min1, min2, pot, mindist, database, symmetry, **kwargs):
        self.symmetry = symmetry
        super().__init__(min1, min2, pot, mindist, database, **kwargs)

    def _getLocalConnectObject(self):
        return NNLocalConnect(
            self.pot, self.mindist, symmetry=self.symmetry, **self.local_connect_params
        )

    def _addTransitionState(self, ts_ret, min_ret1, min_ret2):
        found = (ts_ret, min_ret1, min_ret2)
        if not all(c(energy=r.energy, coords=r.coords) for c in self.conf_checks for r in found):
            return False
        minima = []
        for ret in (min_ret1, min_ret2):
            minimum, _ = store_minimum(self.database, self.symmetry, ret.energy, ret.coords)
            minima.append(minimum)
        ts, _ = store_transition_state(
            self.database,
            self.symmetry,
            ts_ret.energy,
            ts_ret.coords,
            *minima,
            ts_ret.eigenval,
            ts_ret.eigenvec,
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
