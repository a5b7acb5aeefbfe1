"""pele's browsers of bands, modes, trees and the like, mended for landscapes of any scale."""

import networkx as nx
import numpy as np
from pele.gui._cv_viewer import HeatCapacityViewer
from pele.gui._rate_gui import RateViewer, RateWidget
from pele.gui.connect_explorer_dlg import ConnectExplorerDialog
from pele.gui.graph_viewer import GraphViewDialog, GraphViewWidget
from pele.gui.neb_explorer import NEBDistanceWidget, NEBEnergyWidget, NEBExplorer
from pele.gui.normalmode_browser import NormalmodeBrowser
from pele.gui.show3d import Show3D
from pele.gui.takestep_explorer import TakestepExplorer
from pele.gui.ui.dgraph_dlg import DGraphDialog, DGraphWidget
from pele.utils.rotations import aa2mx
from PyQt5 import QtCore, QtWidgets

from ..analysis.figures import lowest_minimum
from ..contract import rms
from ..points.connect import refined
from .gui_points import (
    WithoutFailed,
    browsed_graph,
    count_unverified,
    figures,
    loss_along,
    lowest_path,
    name_of_energy,
)
from .tree import LEVELS

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
    "look_from",
]

_ABOVE = aa2mx(np.array([-0.7, 0.0, 0.0]))
_NEAR = 0.02  # of the width of a tree: as near as a click must be to a branch


class FigureTable(QtWidgets.QTableWidget):
    """The figures of one point."""

    def __init__(self, system, parent=None):
        super().__init__(0, 2, parent)
        self._system = system
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.hide()
        self.horizontalHeader().setSectionResizeMode(self.horizontalHeader().Stretch)
        self.verticalHeader().setSectionResizeMode(self.verticalHeader().ResizeToContents)
        self.setEditTriggers(self.NoEditTriggers)
        self.setWordWrap(True)

    def show_point(self, point):
        """The figures of a minimum or transition state, or nothing for None."""
        rows = [("", "none is chosen")]
        if point is not None:
            rows = [("id", str(point.id())), *figures(self._system, point)]
        self.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                self.setItem(i, j, QtWidgets.QTableWidgetItem(text))


def look_from(view, above):
    """Turn a view: from above where one of two pictures stands behind the other, or to the front.

    Parameters
    ----------
    view : Show3D
    above : bool
    """
    view.rotation, view.zoom = (_ABOVE, 0.75) if above else (np.eye(3), 1.0)


class _Stopped(Exception):
    """The window of a band was closed while it ran."""


class _LossPlot(NEBEnergyWidget):
    """The images of a band, and the true loss between them."""

    def __init__(self, system):
        super().__init__()
        self._system = system
        _fit(self)

    def update_gui(self, nebrunner):
        super().update_gui(nebrunner)
        at, losses = loss_along(self._system.potential, np.asarray(nebrunner.path))
        between = f"{name_of_energy(self._system)} along the band"
        self.axes.plot(at, losses, "-", color="black", linewidth=0.8, label=between)
        self.axes.set_ylabel(self._system.energy_label)
        self.axes.legend(loc="best", fontsize=8, framealpha=0.5)
        self.draw()


class _DistancePlot(NEBDistanceWidget):
    """Distances between neighbouring images; pele's names the axes the wrong way round."""

    def __init__(self):
        super().__init__()
        _fit(self)

    def update_gui(self, nebrunner):
        super().update_gui(nebrunner)
        self.axes.set_title("")
        self.axes.set_xlabel("image")
        self.axes.set_ylabel("distance to the next")
        # pele's limits hide a line of equal distances
        self.axes.set_ylim(0, 1.1 * max(line.get_ydata().max() for line in self.axes.lines))
        self.draw()


class BandExplorer(NEBExplorer):
    """Bands, with the true loss along them: what lies between two images is seen too."""

    def __init__(self, system, app, parent):
        super().__init__(parent=parent, system=system, app=app)
        self.setWindowTitle("Band explorer")
        self.resize(1100, 700)
        self._closed = False
        self._replace(self.view_distances, _DistancePlot())
        self.energies = self._replace(self.view_energies, _LossPlot(system))
        self.energies.on_neb_pick.connect(self.show3d.showFrame)
        for view, title in (
            (self.view_k, "force constant"),
            (self.view_nimages, "images"),
            (self.view_rms, "rms force"),
        ):
            view.setWindowTitle(title)
            _fit(view.widget())
        self.view_energies.setWindowTitle(name_of_energy(system))
        self.view_distances.setWindowTitle("distances")
        self.view_3d.setWindowTitle("band")
        for action in (self.ui.actionK, self.ui.actionNimages):
            action.setChecked(False)  # constant, unless parameters are changed
        self.ui.action3D.setChecked(True)
        self.nebrunner.on_update_gui.connect(self._go_on)

    def _replace(self, view, widget):
        self.nebrunner.on_update_gui.disconnect(view.widget().update_gui)
        view.setWidget(widget)
        self.nebrunner.on_update_gui.connect(widget.update_gui)
        return widget

    def _go_on(self, runner):
        if self._closed:
            raise _Stopped

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


def _fit(plot):
    """Keep what is written around a plot within its window, also of a small one."""
    plot.fig.set_layout_engine("tight")


class _SaddleExplorer(ConnectExplorerDialog):
    """Transition states refined from single images.

    pele's own search screens for a second unstable mode with an absolute
    tolerance as large as the curvatures of a loss.
    """

    def __init__(self, system, app, parent):
        super().__init__(system, app, parent=parent)
        self.setWindowTitle("Transition states from a band")
        _fit(self.nebwgt)

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
        down = self.system.smooth_path(
            [triple.minimum1.coords, triple.coords, triple.minimum2.coords]
        )
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
        self.setWindowTitle("Normal modes")
        self.ui.label.setText("Eigenvalues")
        # the bare Hessian has its zero modes somewhere near zero: the list below has them exactly
        self.ui.actionHessian_eigs.setVisible(False)
        self.ui.actionShow_energies.setChecked(True)
        self.resize(1000, 800)
        _fit(self.ui.mplwidget)

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
        axes = self.ui.mplwidget.axes
        axes.set_ylabel(self.system.energy_label, fontsize=8)
        if axes.lines:  # a mode is chosen
            axes.lines[0].set_label(name_of_energy(self.system))
            axes.legend(loc="best")
        self.ui.mplwidget.draw()


class Tree(DGraphWidget):
    """The disconnectivity graph of what is known, with branches that can be clicked."""

    def __init__(self, system, database, parent=None):
        super().__init__(None, params={"nlevels": LEVELS}, parent=parent)
        self._system, self._database = system, database
        self.ui.chkbx_order_by_energy.setChecked(True)
        self.ui.chkbx_order_by_basin_size.setChecked(False)
        self.ui.splitter.setSizes([600, 200])
        _fit(self.canvas)
        self.canvas.mpl_connect("button_press_event", self._on_click)

    def _build_disconnectivity_graph(self, **params):
        # pele's draws points that failed verification too
        graph = browsed_graph(self._database)
        n_minima = len(graph)
        if graph and "subgraph_size" not in params:
            # else the levels reach up to what is not joined to the rest
            graph = graph.subgraph(nx.node_connected_component(graph, lowest_minimum(graph)))
        energies = [ts.energy for _, _, ts in graph.edges(data="ts")]
        if energies:
            # pele's levels end below the highest, and leave out what it joins
            low, high = min(energies), max(energies)
            span = max(high - low, 1e-3 * (high - min(m.energy for m in graph)))
            params.setdefault("Emax", high + span / LEVELS)
        self.graph = graph
        self.remark = f"{len(graph)} of {n_minima} minima"
        if unverified := count_unverified(graph):
            # on a line of its own: the window may be narrow
            self.remark += f"\n{unverified} points not verified yet"
        super()._build_disconnectivity_graph(**params)

    def _draw_disconnectivity_graph(self, *args, **kwargs):
        super()._draw_disconnectivity_graph(*args, **kwargs)
        axes = self.canvas.axes
        axes.set_ylabel(self._system.energy_label)
        axes.set_xlabel(self.remark)
        axes.ticklabel_format(axis="y", useOffset=False)
        self.canvas.draw()

    def _on_left_click_minimum(self, minimum):
        super()._on_left_click_minimum(minimum)
        self.ui.label_selected_minimum.setText(f"{minimum.energy:.8g} ({minimum.id()})")

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
        docks = [QtWidgets.QDockWidget(title, self) for title in ("Minimum", "Figures")]
        for dock, widget in zip(docks, (self.picture, self.table), strict=True):
            dock.setFeatures(dock.DockWidgetMovable | dock.DockWidgetFloatable)
            dock.setWidget(widget)
            self.addDockWidget(QtCore.Qt.RightDockWidgetArea, dock)
        self.dgraph_widget.minimum_selected.connect(self._show)
        self.resize(1300, 720)
        self.resizeDocks(docks, [400, 400], QtCore.Qt.Horizontal)

    def _show(self, minimum):
        self.picture.setCoords(minimum.coords)
        self.table.show_point(minimum)


class _Graph(GraphViewWidget):
    """The graph of what is known; pele's holds points that failed verification, and loops."""

    def __init__(self, system, database, parent, app):
        super().__init__(database=database, parent=parent, app=app)
        self._system = system
        _fit(self)

    def make_graph(self, database=None, minima=None):
        self.full_graph = browsed_graph(self.database)
        joined = [m for m, degree in self.full_graph.degree() if degree]
        self.graph = self.full_graph.subgraph(joined)

    def show_graph(self, fixed=False, show_ids=True):
        super().show_graph(fixed, show_ids)
        self.axes.set_xticks([])
        self.axes.set_yticks([])
        self._minima_points.set_cmap("viridis")  # as the printed graph
        if self._minima_color_value is None:
            self.colorbar.set_label(self._system.energy_label)
        self.colorbar.ax.ticklabel_format(axis="y", useOffset=False)
        self.canvas.draw()


class GraphBrowser(GraphViewDialog):
    """The graph of minima and transition states."""

    def __init__(self, system, database, parent, app):
        super().__init__(database, parent=parent, app=app)
        self.widget = _Graph(system, database, self, app)
        self.setCentralWidget(self.widget)
        self.resize(850, 700)

    def show_between(self, min1, min2):
        """The path between two minima, or all where there is none."""
        self.widget.make_graph()
        path = None
        if min1 is not None and min2 is not None and min1 != min2:
            path = lowest_path(self.widget.full_graph, min1, min2)
        if path is None:
            self.widget.show_all()
        else:
            self.widget._show_minimum_energy_path(min1, min2)


class StepExplorer(TakestepExplorer):
    """Single steps of basin-hopping."""

    def __init__(self, system, database, parent, app, may_write):
        self._may_write = may_write
        super().__init__(parent=parent, system=system, app=app, database=database)
        self.setWindowTitle("Steps of basin-hopping")
        look_from(self.ui.show3d.oglwgt, above=True)
        self.ui.actionShow_path.setVisible(False)  # our quench has no events to make one of
        self.ui.label_2.setText(f"{name_of_energy(system)} (id)")

    def update_view(self, with_path=False):
        super().update_view(with_path)
        said = []
        for what, x in (("quenched", self.quenched), ("displaced", self.coords)):
            if x is not None:
                energy, gradient = self.system.potential.getEnergyGradient(x)
                name = name_of_energy(self.system)
                said.append(f"{what}: {name} {energy:.8g}, rms gradient {rms(gradient):.1e}")
        self.ui.label.setText("\n".join(said))

    def NewMinimum(self, minimum, sort_items=True):
        super().NewMinimum(minimum, sort_items=False)
        item = self.ui.listMinima.item(self.ui.listMinima.count() - 1)
        item.setText(f"{minimum.energy:.8g} ({minimum.id()})")  # pele's has four digits
        if sort_items:
            self.ui.listMinima.sortItems(1)

    def on_actionQuench_triggered(self, checked=None):
        if checked is None or self.coords is None or not self._may_write():
            return
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
        known = WithoutFailed(database)
        super().__init__(system, known, parent=parent)
        low, high = _temperatures(known)
        self.cv_widget.ui.lineEdit_Tmin.setText(f"{low:.3g}")
        self.cv_widget.ui.lineEdit_Tmax.setText(f"{high:.3g}")
        self.cv_widget.ui.lineEdit_nT.setText("400")
        _fit(self.cv_widget.canvas)
        plot = self.cv_widget._plot_cv

        def labelled():
            plot()
            axes = self.cv_widget.axes
            axes.set_xlabel("temperature, in units of the " + system.energy_label)
            axes.set_ylabel("heat capacity (k)")
            self.cv_widget.canvas.draw()

        self.cv_widget._plot_cv = labelled


def _temperatures(known):
    """From where the lowest minimum holds all, to where the highest takes part.

    pele's own are 0.01 and 1, which suit atoms.
    """
    energies = [m.energy for m in known.minima()]
    spread = max(energies, default=1.0) - min(energies, default=0.0) or 1.0
    return 1e-3 * spread, spread


class _RateWidget(RateWidget):
    """pele's fails without a word where there is no path, and writes all digits there are."""

    def update_selected_text(self):
        super().update_selected_text()
        for line, chosen in ((self.ui.lineEdit_A, self.A), (self.ui.lineEdit_B, self.B)):
            for minimum in chosen:
                line.setText(f"{minimum.energy:.8g} ({minimum.id()})")

    def compute_rates(self):
        ends = [*self.A, *self.B]
        if len(ends) == 2 and lowest_path(browsed_graph(self.database), *ends) is None:
            one, two = (minimum.id() for minimum in ends)
            self._show_error(
                f"no transition states lead from minimum {one} to {two}: connect them first"
            )
            return
        super().compute_rates()

    def _add_result(self, A, B, rAB, rBA):
        one, two = ([minimum.id() for minimum in chosen] for chosen in (A, B))
        for start, end, rate in ((one, two, rAB), (two, one, rBA)):
            self.ui.textBrowser.append(f"rate {start} -> {end} = {rate:.6g}")
        self.ui.textBrowser.append("")


class Rates(RateViewer):
    """Rates between two minima, at the temperature of basin-hopping on this landscape."""

    def __init__(self, system, database, parent):
        super().__init__(system, WithoutFailed(database), parent=parent)
        self.rate_widget = _RateWidget(system, WithoutFailed(database), parent=self)
        self.setCentralWidget(self.rate_widget)
        for name in ("update_A", "update_B", "compute_rates"):
            setattr(self, name, getattr(self.rate_widget, name))
        self.resize(600, 400)
        self.rate_widget.ui.lineEdit_T.setText(f"{system.params.basinhopping.temperature:g}")
