"""Basin-hopping and connect runs that are started in pele's GUI."""

import logging
from time import monotonic

import numpy as np
from pele.gui.bhrunner import BHManager
from pele.gui.connect_all import ConnectAllDialog
from pele.gui.connect_run_dlg import ConnectViewer
from pele.gui.double_ended_connect_runner import DECRunner, UnboundMinimum
from pele.landscape import ConnectManager

from ..storage import store_minimum, store_transition_state

__all__ = ["BasinHoppingRuns", "ConnectAllWindow", "ConnectWindow"]


class BasinHoppingRuns(BHManager):
    """pele's, each run with random numbers of its own."""

    def start_worker(self, nsteps=None):
        # pele reseeds NumPy's global generator; ours draw from the system's, of which every
        # forked process has the same copy
        self.system = self.system.with_seed(np.random.SeedSequence())
        super().start_worker(nsteps=nsteps)


class _Runner(DECRunner):
    """pele's connect run in a process of its own; what it found is stored as one piece."""

    def start(self):
        # rows of the database, read in the forked process, would use its parent's connection
        self.min1, self.min2 = UnboundMinimum(self.min1), UnboundMinimum(self.min2)
        logger = logging.getLogger("pele")
        level = logger.level
        logger.setLevel(logging.INFO)  # for the window's log: the forked process keeps it
        try:
            super().start()
        finally:
            logger.setLevel(level)

    def add_minima_transition_states(self, new_minima, new_ts):
        # pele takes two transition states of a pair whose energies are close for one, and
        # commits each point
        gui = self.system.params.gui
        gui._sort_lists = False
        try:
            self._store(new_minima, new_ts)
        finally:
            gui._sort_lists = True

    def _store(self, new_minima, new_ts):
        database, identity = self.database, self.system.identity
        stored = {}
        for m in new_minima:
            stored[m.id()], _ = store_minimum(database, identity, m.energy, m.coords)
        self.newminima = set(stored.values())
        for ts in new_ts:
            ends = stored[ts._minimum1_id], stored[ts._minimum2_id]
            found, _ = store_transition_state(
                database, identity, ts.energy, ts.coords, *ends, ts.eigenval, ts.eigenvec
            )
            self.newtransition_states.add(found)
        database.session.commit()


class ConnectWindow(ConnectViewer):
    """One connect run: its log, its path, the loss along it."""

    def __init__(self, system, database, min1, min2, parent, app):
        super().__init__(system, database, parent=parent, app=app)
        self.setWindowTitle(f"Connect {min1.id()} and {min2.id()}")
        self.decrunner = _Runner(system, database, min1, min2, outstream=self.textEdit_writer)
        self.decrunner.on_finished.connect(self.on_finished)

    def on_finished(self):
        super().on_finished()
        text = "connected" if self.decrunner.success else "not connected"
        n = len(self.decrunner.newtransition_states)
        self.statusBar().showMessage(f"{text}; {n} transition state{'s' * (n != 1)} found")

    def on_actionKill_triggered(self, checked=None):
        if checked is not None:  # pele's says so on standard error
            self.decrunner.terminate_early()

    def make_energy_plot(self):
        super().make_energy_plot()
        _label(self.wgt_energies, self.system)


class ConnectAllWindow(ConnectAllDialog):
    """Connect runs one after another."""

    def __init__(self, system, database, tree, parent, app):
        super().__init__(system, database, parent=parent, app=app)
        self.connect_manager = ConnectManager(database, verbosity=0)
        self.wgt_dgraph = tree
        self.view_dgraph.setWidget(tree)

    def do_one_connection(self, min1, min2):
        self.textEdit_summary.append(f"Now connecting minima {min1.id()} and {min2.id()}")
        self.decrunner = _Runner(
            self.system, self.database, min1, min2, outstream=self.textEdit_writer
        )
        self.decrunner.on_finished.connect(self.on_finished)
        self.tstart = monotonic()
        self.decrunner.start()

    def update_energy_view(self):
        super().update_energy_view()
        _label(self.wgt_energies, self.system)


def _label(plot, system):
    plot.axes.set_ylabel(system.energy_label)
    plot.fig.set_layout_engine("tight")
    plot.draw()
