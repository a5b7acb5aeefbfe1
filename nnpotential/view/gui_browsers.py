"""pele's browsers of bands, modes, trees and the like, mended for landscapes of any scale."""

import networkx as nx
import numpy as np
from pele.gui._cv_viewer import HeatCapacityViewer
from pele.gui._rate_gui import RateViewer
from pele.gui.connect_explorer_dlg import ConnectExplorerDialog
from pele.gui.graph_viewer import GraphViewDialog
from pele.gui.neb_explorer import NEBExplorer
from pele.gui.normalmode_browser import NormalmodeBrowser
from pele.gui.show3d import Show3D
from pele.gui.takestep_explorer import TakestepExplorer
from pele.gui.ui.dgraph_dlg import DGraphDialog, DGraphWidget
from PyQt5 import QtCore, QtWidgets

from ..points.connect import refined
from .gui_points import Known, figures, known_graph

__all__ = [
    "BandExplorer",
    "FigureTable",
    "GraphBrowser",
    "HeatCapacity",
    "ModeBrowser",
    "Rates",
    "StepExplorer",
    "Tree",
    "TreeBrowser",
]

_BETWEEN = 8  # points between two images of a band at which the loss is computed
_LEVELS = 100
_NEAR = 0.02  # of the width of a tree: as near as a click must be to a branch


class FigureTable(QtWidgets.QTableWidget):
    """The figures of one point."""

    def __init__(self, system, parent=None):
        super().__init__(0, 1, parent)
        self._system = system
        self.horizontalHeader().hide()
        self.horizontalHeader().setStretchLastSection(True)
        self.setEditTriggers(self.NoEditTriggers)
        self.setWordWrap(True)

    def show_point(self, point):
        """The figures of a minimum or transition state, or nothing for None."""
        rows = [] if point is None else [("id", str(point.id())), *figures(self._system, point)]
        self.setRowCount(len(rows))
        self.setVerticalHeaderLabels([name for name, _ in rows])
        for i, (_, value) in enumerate(rows):
            item = QtWidgets.QTableWidgetItem(value)
            item.setToolTip(value)
            self.setItem(i, 0, item)
        self.resizeRowsToContents()


class _Stopped(Exception):
    """The window of a band was closed while it ran."""


class BandExplorer(NEBExplorer):
    """Bands, with the true loss along them: what lies between two images is seen too."""

    def __init__(self, system, app, parent):
        super().__init__(parent=parent, system=system, app=app)
        self.setWindowTitle("Band explorer")
        self.resize(1100, 700)
        self._closed = False
        for view, title in (
            (self.view_k, "force constant"),
            (self.view_nimages, "images"),
            (self.view_rms, "rms force"),
            (self.view_3d, "band"),
        ):
            view.setWindowTitle(title)
        # after the widgets have drawn what pele shows
        self.nebrunner.on_update_gui.connect(self._draw_loss)

    def _draw_loss(self, runner):
        if self._closed:
            raise _Stopped
        at, losses = loss_along(self.system.potential, np.asarray(runner.path))
        # pele's k is that of the last run alone, None where the band has no event for it
        axes = self.energies.axes
        axes.plot(at, losses, "-", color="black", linewidth=0.8, label="loss along the band")
        axes.set_ylabel(self.system.energy_label)
        axes.legend(loc="best", fontsize=8)
        self.energies.fig.tight_layout()
        self.energies.draw()

    def on_actionRun_triggered(self, checked=None):
        if checked is None:
            return
        self._closed = False
        try:
            super().on_actionRun_triggered(checked)
        except _Stopped:
            pass
        else:
            band = self.nebrunner.energies[-1]
            self.statusBar().showMessage(f"highest image: {max(band):.8g}")

    def on_actionTS_triggered(self, checked=None):
        if checked is None:
            return
        if not hasattr(self, "local_connect_explorer"):
            self.local_connect_explorer = _SaddleExplorer(self.system, self.app, parent=self)
        super().on_actionTS_triggered(checked)

    def showEvent(self, event):
        self._closed = False
        super().showEvent(event)

    def closeEvent(self, event):
        self._closed = True  # a band that runs ends at its next event
        super().closeEvent(event)


def loss_along(potential, path):
    """The loss on straight lines between the images of a band.

    Parameters
    ----------
    potential : LandscapePotential
    path : ndarray, shape (n_images, n_dof)

    Returns
    -------
    distances, losses : ndarray
        Along the band, images included.
    """
    shares = np.arange(_BETWEEN + 1)[:, None] / (_BETWEEN + 1)
    points = [a + shares * (b - a) for a, b in zip(path[:-1], path[1:], strict=True)]
    points = np.concatenate([*points, path[-1:]])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]), potential.energies_gradients(points)[0]


class _SaddleExplorer(ConnectExplorerDialog):
    """Transition states refined from single images.

    pele's own search screens for a second unstable mode with an absolute
    tolerance as large as the curvatures of a loss.
    """

    def __init__(self, system, app, parent):
        super().__init__(system, app, parent=parent)
        self.setWindowTitle("Transition states from a band")

    def set_nebrunner(self, nebrunner):
        super().set_nebrunner(nebrunner)
        self.nebwgt.axes.set_ylabel(self.system.energy_label)
        self.nebwgt.draw()

    def refine_transition_state(self, nebindex=None):
        if nebindex is None:
            if self.oglview != "neb":
                self.ui.label.setText("Choose an image of the band first")
                return
            nebindex = self.oglwgt.get_slider_index()
        path = np.asarray(self.nebrunner.path)
        ends = path[max(nebindex - 1, 0)], path[min(nebindex + 1, len(path) - 1)]
        tangent = ends[1] - ends[0]
        search = self.system.params.double_ended_connect.local_connect_params.tsSearchParams
        failures = []
        found = refined(self.system, path[nebindex], tangent, search, failures)
        self.nebwgt.highlight_point(nebindex)
        if not found:
            self.ui.label.setText(f"image {nebindex}: {failures[0].reason}")
            return
        [triple] = found
        down = self.system.smooth_path([triple.minimum1.coords, triple.coords, triple.minimum2.coords])
        self.ts_coordspath = np.array(self.system.smooth_path([path[nebindex], triple.coords]))
        self.pushoff_coordspath = np.array(down)
        self.ts_labels = self._labels(self.ts_coordspath)
        self.pushoff_labels = self._labels(self.pushoff_coordspath)
        self.ui.label.setText(f"image {nebindex}: transition state {triple.energy:.8g}")
        self.show_TS_path()
        self._list(nebindex)

    def _labels(self, path):
        energies = self.system.potential.energies_gradients(path)[0]
        return [f"{self.system.energy_label}: {energy:.8g}" for energy in energies]

    def _list(self, nebindex):
        from pele.gui.connect_explorer_dlg import _TSListItem

        paths = self.ts_coordspath, self.ts_labels, self.pushoff_coordspath, self.pushoff_labels
        self.ts_list.addItem(_TSListItem(nebindex, *paths))


class ModeBrowser(NormalmodeBrowser):
    """Normal modes, the zero modes told by the system's identity."""

    def __init__(self, parent, system, app):
        super().__init__(parent, system, app)
        self.ui.label.setText("Eigenvalues")
        # the bare Hessian has its zero modes somewhere near zero: the list below has them exactly
        self.ui.actionHessian_eigs.setVisible(False)
        self.ui.actionShow_energies.setChecked(True)

    def set_coords(self, coords, normalmodes=None):
        super().set_coords(coords, normalmodes)
        n = self.system.identity.zero_modes(coords).shape[1]
        values = np.array([value for value, _ in self.normalmodes])
        negative = int((values < 0).sum())
        self.statusBar().showMessage(
            f"{values.size} modes: {n} zero modes by symmetry, {negative} negative"
        )
        self.ui.listNormalmodes.setCurrentRow(0)

    def on_listNormalmodes_currentItemChanged(self, newsel):
        # pele takes the zero modes out of every mode: of a zero mode nothing would be left
        self._params["remove_known_zeroev"] = newsel is not None and newsel.get_freq() != 0.0
        super().on_listNormalmodes_currentItemChanged(newsel)

    def draw_energy_plot(self):
        super().draw_energy_plot()
        self.ui.mplwidget.axes.set_ylabel(self.system.energy_label)
        self.ui.mplwidget.fig.tight_layout()
        self.ui.mplwidget.draw()


class Tree(DGraphWidget):
    """The disconnectivity graph of what is known, with branches that can be clicked."""

    def __init__(self, system, database, parent=None):
        super().__init__(None, params={"nlevels": _LEVELS}, parent=parent)
        self._system, self._known = system, database
        self.ui.chkbx_order_by_energy.setChecked(True)
        self.canvas.mpl_connect("button_press_event", self._on_click)

    def _build_disconnectivity_graph(self, **params):
        # pele's draws points that failed verification too
        self.graph, unverified = known_graph(self._known)
        self.remark = f"{unverified} points not verified yet" if unverified else ""
        super()._build_disconnectivity_graph(**params)

    def _draw_disconnectivity_graph(self, *args, **kwargs):
        super()._draw_disconnectivity_graph(*args, **kwargs)
        axes = self.canvas.axes
        axes.set_ylabel(self._system.energy_label)
        axes.set_xlabel(self.remark)
        axes.ticklabel_format(axis="y", useOffset=False)
        self.canvas.fig.tight_layout()
        self.canvas.draw()

    def _on_click(self, event):
        """A click on a branch is one on the minimum at its end; pele hears of the ends alone."""
        if event.inaxes is not self.canvas.axes or event.button != 1 or not hasattr(self, "dg"):
            return
        leaves = [
            leaf
            for leaf in self.dg.tree_graph.leaf_iterator()
            if leaf.parent is not None
            and leaf.data["minimum"].energy < event.ydata <= leaf.parent.data["ethresh"]
        ]
        if not leaves:
            return
        left, right = self.canvas.axes.get_xlim()
        nearest = min(leaves, key=lambda leaf: abs(leaf.data["x"] - event.xdata))
        minimum = nearest.data["minimum"]
        if abs(nearest.data["x"] - event.xdata) <= _NEAR * (right - left):
            self._on_left_click_minimum(minimum)


class TreeBrowser(DGraphDialog):
    """The disconnectivity graph, and beside it the point that was clicked."""

    def __init__(self, system, database, parent):
        super().__init__(None, graph=nx.Graph(), parent=parent)
        self.dgraph_widget = Tree(system, database, parent=self)
        self.setCentralWidget(self.dgraph_widget)
        self.picture, self.table = Show3D(self), FigureTable(system, self)
        self.picture.setSystem(system)
        for title, widget in (("Minimum", self.picture), ("Figures", self.table)):
            dock = QtWidgets.QDockWidget(title, self)
            dock.setFeatures(dock.DockWidgetMovable | dock.DockWidgetFloatable)
            dock.setWidget(widget)
            self.addDockWidget(QtCore.Qt.RightDockWidgetArea, dock)
        self.dgraph_widget.minimum_selected.connect(self._show)
        self.resize(1250, 720)

    def _show(self, minimum):
        self.picture.setCoords(minimum.coords)
        self.table.show_point(minimum)


class GraphBrowser(GraphViewDialog):
    """The graph of what is known."""

    def __init__(self, system, database, parent, app):
        super().__init__(database, parent=parent, app=app)
        self._system = system
        self.resize(800, 700)
        widget = self.widget

        def make_graph(database=None, minima=None):
            # pele's holds points that failed verification, and loops
            widget.full_graph, _ = known_graph(self.widget.database)
            joined = [m for m, degree in widget.full_graph.degree() if degree]
            widget.graph = widget.full_graph.subgraph(joined)

        widget.make_graph = make_graph


class StepExplorer(TakestepExplorer):
    """Single steps of basin-hopping."""

    def __init__(self, system, database, parent, app, may_write):
        self._may_write = may_write
        super().__init__(parent=parent, system=system, app=app, database=database)
        self.setWindowTitle("Steps of basin-hopping")

    def on_actionQuench_triggered(self, checked=None):
        if checked is None or self.coords is None or not self._may_write():
            return
        # our quench has no events to make a path of
        result = self.system.get_minimizer()(self.coords)
        if not result.success:
            self.ui.label.setText(f"the quench failed: {result.message}")
            return
        self.quenched, self.coords = result.coords, None
        self.database.addMinimum(result.energy, result.coords)
        self.update_view()


class HeatCapacity(HeatCapacityViewer):
    """The heat capacity, from temperatures on the scale of the landscape."""

    def __init__(self, system, database, parent):
        known = Known(database)
        super().__init__(system, known, parent=parent)
        low, high = _temperatures(known)
        self.cv_widget.ui.lineEdit_Tmin.setText(f"{low:.3g}")
        self.cv_widget.ui.lineEdit_Tmax.setText(f"{high:.3g}")
        plot = self.cv_widget._plot_cv

        def labelled():
            plot()
            axes = self.cv_widget.axes
            axes.set_xlabel("temperature, in units of the " + system.energy_label)
            axes.set_ylabel("heat capacity (k)")
            axes.figure.tight_layout()
            self.cv_widget.canvas.draw()

        self.cv_widget._plot_cv = labelled


def _temperatures(known):
    """From where the lowest minimum holds all, to where the highest takes part.

    pele's own are 0.01 and 1, which suit atoms.
    """
    energies = [m.energy for m in known.minima()]
    spread = max(energies, default=1.0) - min(energies, default=0.0) or 1.0
    return 1e-3 * spread, spread


class Rates(RateViewer):
    """Rates between two minima, at the temperature of basin-hopping on this landscape."""

    def __init__(self, system, database, parent):
        super().__init__(system, Known(database), parent=parent)
        self.resize(600, 400)
        self.rate_widget.ui.lineEdit_T.setText(f"{system.params.basinhopping.temperature:g}")
