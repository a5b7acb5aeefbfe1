"""The main window of pele's GUI on a landscape."""

import numpy as np
from OpenGL import GLUT
from pele.gui.run import MainGUI
from PyQt5 import QtCore, QtWidgets

from ..storage import is_well_formed
from .gui_browsers import (
    BandExplorer,
    FigureTable,
    GraphBrowser,
    HeatCapacity,
    ModeBrowser,
    Rates,
    StepExplorer,
    Tree,
    TreeBrowser,
    look_from,
)
from .gui_points import (
    WithoutFailed,
    browsed_graph,
    count_unverified,
    lowest_path,
    name_of_energy,
)
from .gui_runs import BasinHoppingRuns, ConnectAllWindow, ConnectWindow

__all__ = ["LandscapeWindow"]


class LandscapeWindow(MainGUI):
    """pele's main window on the points of a landscape.

    Parameters
    ----------
    app : QApplication
    land : Landscape
    database : callable
        Gives the database to show, anew when it is to be read again.
    reading : str
        Why nothing may be changed; empty where it may.
    """

    def __init__(self, app, land, database, reading=""):
        self._land, self._database, self.reading = land, database, reading
        land.system.params.gui.use_pymol = False
        if GLUT.glutGet(GLUT.GLUT_INIT_STATE):
            GLUT.glutInit = lambda *_: None  # a second one ends the process
        super().__init__(app, None)
        self.resize(1250, 740)
        mode = f" [read-only: {reading}]" if reading else ""
        self.setWindowTitle(f"{land.path.name}: {land.system}{mode}")
        self._arrange()

    def NewSystem(self):
        self.system = self._land.system
        self.connect_db(self._database())

    def _arrange(self):
        ui = self.ui
        self.figures = FigureTable(self.system, self)
        self.figures.setFixedWidth(340)
        ui.horizontalLayout_3.insertWidget(1, self.figures)
        self.state_figures = FigureTable(self.system, self)
        self.state_figures.setFixedWidth(340)
        ui.verticalLayout_9.insertWidget(1, self.state_figures)
        for view in (ui.list_minima_main, ui.listMinima1, ui.listMinima2, ui.list_TS):
            view.setItemDelegateForColumn(0, _Energy(view))
            view.setColumnWidth(0, 130)
            _name_energies(view.model(), self.system)
            view.setMaximumWidth(340)
            view.setSelectionBehavior(view.SelectRows)
        ui.tabWidget.setTabText(0, "Minima")
        for button, text in (
            (ui.btnNEB, "Band"),
            (ui.btn_heat_capacity, "Heat capacity"),
            (ui.pushNormalmodesMin, "Normal modes"),
            (ui.pushNormalmodesTS, "Normal modes"),
            (ui.pushTakestepExplorer, "Single steps"),
        ):
            button.setText(text)
        # which points are one is decided by exact symmetry, and the search's journal names them:
        # nothing is deleted or merged by hand
        for action in (ui.action_delete_minimum, ui.action_merge_minima, ui.action_db_connect):
            action.setVisible(False)
        ui.btn_connect_in_optim.hide()
        again = QtWidgets.QAction("Read again", self)
        again.setShortcut("F5")
        again.triggered.connect(lambda: self.connect_db(self._database()))
        ui.menuSimulation.addAction(again)
        self.say(f"read-only: {self.reading}" if self.reading else self._count())
        for lowest in self.system.database.minima()[:1]:
            self.SelectMinimum(lowest)

    def _count(self):
        graph = browsed_graph(self.system.database)
        text = f"{len(graph)} minima, {graph.number_of_edges()} of their pairs connected"
        if unverified := count_unverified(graph):
            text += (
                f"; {unverified} points are not verified yet: explore or verify --repair does it"
            )
        return text

    def say(self, text):
        """A line at the foot of the window."""
        self.statusBar().showMessage(text)

    def complain(self, text, details=""):
        """A line in a window of its own, which waits for nobody."""
        box = QtWidgets.QMessageBox(QtWidgets.QMessageBox.Warning, "nnpotential", text, parent=self)
        box.setDetailedText(details)
        box.setAttribute(QtCore.Qt.WA_DeleteOnClose)
        box.setModal(False)
        box.show()
        self.say(text)

    def closeEvent(self, event):
        super().closeEvent(event)
        self.app.quit()  # whatever box is still open

    def may_write(self):
        """Whether the landscape may be changed; if not, say why."""
        if self.reading:
            self.complain(f"nothing can be started here: {self.reading}")
        return not self.reading

    # What is shown of a point.

    def SelectMinimum(self, minimum, set_selected=True):
        minimum = self._drawable(minimum)
        super().SelectMinimum(minimum, set_selected)
        if not set_selected and hasattr(self, "figures"):
            self.figures.show_point(minimum)

    def _SelectMinimum1(self, minimum, set_selected=True):
        look_from(self.ui.oglPath.oglwgt, above=True)
        super()._SelectMinimum1(self._drawable(minimum), set_selected)

    def _SelectMinimum2(self, minimum, set_selected=True):
        look_from(self.ui.oglPath.oglwgt, above=True)
        super()._SelectMinimum2(self._drawable(minimum), set_selected)

    def show_TS(self, ts):
        ts = self._drawable(ts)
        if ts is not None and not (self._drawable(ts.minimum1) and self._drawable(ts.minimum2)):
            ts = None
        super().show_TS(ts)
        if ts is not None:  # pele's labels speak of an energy, in all its digits
            points = [ts.minimum1, ts, ts.minimum2]
            kinds = ["minimum", "transition state", "minimum"]
            name = name_of_energy(self.system)
            labels = [
                f"{kind} {point.id()}: {name} {point.energy:.8g}"
                for kind, point in zip(kinds, points, strict=True)
            ]
            self.ui.oglTS.setCoordsPath(self.tscoordspath, frame=1, labels=labels)
        if hasattr(self, "state_figures"):
            self.state_figures.show_point(ts)

    def _drawable(self, point):
        if point is None or is_well_formed(self.system, point):
            return point
        self.say(f"point {point.id()} has other coordinates than this system: it cannot be drawn")
        return None

    # Windows. Each is made here in place of pele's own, which finds it made.

    def _window(self, name, make):
        if not hasattr(self, name):
            setattr(self, name, make())
        return getattr(self, name)

    def on_btnAlign_clicked(self, clicked=None):
        if clicked is None:
            return
        look_from(self.ui.oglPath.oglwgt, above=True)
        super().on_btnAlign_clicked(clicked)
        distance = np.linalg.norm(np.subtract(*self.get_selected_coords()))
        self.say(f"the nearest images found are {distance:.6g} apart")

    def on_btnNEB_clicked(self, clicked=None):
        if clicked is None:
            return
        self._window("nebexplorer", lambda: BandExplorer(self.system, self.app, self))
        super().on_btnNEB_clicked(clicked)
        self.nebexplorer.raise_()

    def on_pushNormalmodesMin_clicked(self, clicked=None):
        if clicked is not None:
            self._window("normalmode_explorer", self._modes)
            super().on_pushNormalmodesMin_clicked(clicked)

    def on_pushNormalmodesTS_clicked(self, clicked=None):
        if clicked is not None:
            self._window("normalmode_explorer", self._modes)
            super().on_pushNormalmodesTS_clicked(clicked)

    def _modes(self):
        return ModeBrowser(self, self.system, self.app)

    def on_btnDisconnectivity_graph_clicked(self, clicked=None):
        if clicked is None or self._nothing_joined():
            return
        tree = self._window("dgraph_dlg", self._make_tree)
        tree.rebuild_disconnectivity_graph()
        tree.show()

    def _make_tree(self):
        window = TreeBrowser(self.system, self.system.database, self)
        for react in (self.on_minimum_picked, self.SelectMinimum):
            window.dgraph_widget.minimum_selected.connect(react)
        return window

    def on_btnShowGraph_clicked(self, clicked=None):
        if clicked is None or self._nothing_joined():
            return
        if not hasattr(self, "graphview"):
            database = self.system.database
            self.graphview = GraphBrowser(self.system, database, self, self.app)
            for react in (self.on_minimum_picked, self.SelectMinimum):
                self.graphview.widget.on_minima_picked.connect(react)
        selected = self.minima_selection
        self.graphview.show()
        self.graphview.show_between(selected.minimum1, selected.minimum2)

    def _nothing_joined(self):
        graph = browsed_graph(self.system.database)
        if not graph.number_of_edges():
            self.say("no two minima are joined by a transition state yet: connect some first")
        return not graph.number_of_edges()

    def on_btn_heat_capacity_clicked(self, clicked=None):
        if clicked is not None:
            database = self.system.database
            self._window("cv_viewer", lambda: HeatCapacity(self.system, database, self))
            super().on_btn_heat_capacity_clicked(clicked)

    def on_btn_rates_clicked(self, clicked=None):
        if clicked is None:
            return
        if not hasattr(self, "rate_viewer"):
            viewer = self.rate_viewer = Rates(self.system, self.system.database, self)
            viewer.update_A(self.minima_selection.minimum1)
            viewer.update_B(self.minima_selection.minimum2)
            self.on_minimum_1_selected.connect(viewer.update_A)
            self.on_minimum_2_selected.connect(viewer.update_B)
        self.rate_viewer.show()

    def on_pushTakestepExplorer_clicked(self):
        self._window(
            "takestep_explorer",
            lambda: StepExplorer(self.system, self.system.database, self, self.app, self.may_write),
        )
        super().on_pushTakestepExplorer_clicked()

    def compute_thermodynamic_information(self, on_finish=None):
        database = self.system.database
        self.system.database = WithoutFailed(database)
        try:
            super().compute_thermodynamic_information(on_finish)
        finally:
            self.system.database = database

    # Runs.

    def on_btn_start_basinhopping_clicked(self, clicked=None):
        if clicked is None or not self.may_write():
            return
        if self.bhmanager is None:
            self.bhmanager = BasinHoppingRuns(
                self.system, self.system.database, self.set_basinhopping_number_alive
            )
        super().on_btn_start_basinhopping_clicked(clicked)

    def set_basinhopping_number_alive(self, nalive):
        super().set_basinhopping_number_alive(nalive)
        if not nalive:
            self.say(self._count())

    def _doubleEndedConnect(self, reconnect=False, min1min2=None):
        one, two = min1min2 or self.get_selected_minima()
        # pele builds a whole connection to learn whether there is a path, and takes points that
        # failed verification for a way
        graph = browsed_graph(self.system.database)
        path = None if reconnect else lowest_path(graph, one, two)
        if path is not None:
            self._show_path(path)
            return
        if not self.may_write():
            return
        run = ConnectWindow(self.system, self.system.database, one, two, self, self.app)
        run.show()
        run.start()
        self.double_ended_connect_runs.append(run)

    def _show_path(self, points):
        film = np.array(self.system.smooth_path([point.coords for point in points]))
        energies = self.system.potential.energies_gradients(film)[0]
        labels = [f"{self.system.energy_label}: {energy:.8g}" for energy in energies]
        self.nebcoords, self.nebenergies = film, energies
        look_from(self.ui.oglPath.oglwgt, above=False)
        self.ui.oglPath.setCoordsPath(film, frame=0, labels=labels)
        highest, n = max(point.energy for point in points), len(points) // 2
        self.say(
            f"already connected, through {n} transition state{'s' * (n != 1)}; the highest is "
            f"{highest:.8g}, {highest - points[0].energy:.4g} above minimum {points[0].id()}"
        )

    def on_btn_connect_all_clicked(self, checked=None):
        if checked is None or not self.may_write():
            return
        if not hasattr(self, "connect_all"):
            database = self.system.database
            tree = Tree(self.system, database)
            self.connect_all = ConnectAllWindow(self.system, database, tree, self, self.app)
            self.connect_all.show()
            self.connect_all.start()
            return
        super().on_btn_connect_all_clicked(checked)


def _name_energies(model, system):
    """Head the column of a list by what the system calls it; pele's says energy."""
    while hasattr(model, "sourceModel"):
        model = model.sourceModel()
    theirs, ours = model.headerData, name_of_energy(system)

    def header(section, orientation, role=QtCore.Qt.DisplayRole):
        if (section, orientation, role) == (0, QtCore.Qt.Horizontal, QtCore.Qt.DisplayRole):
            return ours
        return theirs(section, orientation, role)

    model.headerData = header


class _Energy(QtWidgets.QStyledItemDelegate):
    """Energies to all the digits in which minima of a loss differ; pele's lists have four."""

    def initStyleOption(self, option, index):
        super().initStyleOption(option, index)
        point = index.model().minimum_from_index(index)
        if point is not None:
            option.text = f"{point.energy:.8g}"
