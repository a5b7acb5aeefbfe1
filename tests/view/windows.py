"""What a user does in the GUI, in a process of its own: ``python windows.py STEPS DIR SHOTS``.

A fault of OpenGL or Qt ends the process that has it, and the display belongs to it.
"""

import sys
import traceback
from itertools import combinations
from pathlib import Path

import matplotlib.image
import numpy as np
from PyQt5.QtCore import QPoint, Qt, QTimer
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QMessageBox

from nnpotential.__main__ import main as command
from nnpotential.contract import is_large
from nnpotential.drawing import NEGATIVE, POSITIVE
from nnpotential.storage import notes, store_minimum
from nnpotential.view.gui_points import browsed_graph

STEPS = {}


def steps(function):
    STEPS[function.__name__] = function
    return function


class User:
    """Hands and eyes at the main window."""

    def __init__(self, window, shots):
        self.window, self.ui, self.shots = window, window.ui, shots
        self.system, self.database = window.system, window.system.database

    def click(self, widget, at=None, button=Qt.LeftButton):
        assert widget.isEnabled() and widget.isVisible(), widget.objectName()
        QTest.mouseClick(widget, button, Qt.NoModifier, at or QPoint())

    def choose(self, view, row):
        """Click a row of a list."""
        index = view.model().index(row, 0)
        view.scrollTo(index)
        self.click(view.viewport(), view.visualRect(index).center())
        return view.model().minimum_from_index(index)

    def invite(self, name, widget, at):
        """Say in a file where on the screen somebody else is to click, once it is to be seen."""
        self.wait(lambda: widget.isEnabled() and not widget.visibleRegion().isEmpty())
        widget.repaint()
        QTest.qWait(100)
        place = widget.mapToGlobal(at)
        atomic = self.shots / f"{name}.new"
        atomic.write_text(f"{place.x()} {place.y()}", encoding="utf-8")
        atomic.rename(self.shots / name)

    def wait(self, condition, seconds=30.0):
        for _ in range(int(10 * seconds)):
            if condition():
                return
            QTest.qWait(100)
        raise AssertionError(f"waited {seconds} s in vain")

    def look(self, window, name):
        """A screenshot of a window, shape (height, width, 3), kept; no part may be missing."""
        window.window().raise_()
        QTest.qWait(300)
        path = self.shots / f"{name}.png"
        assert QApplication.primaryScreen().grabWindow(window.winId()).save(str(path))
        image = matplotlib.image.imread(path)[:, :, :3]
        assert len(np.unique(np.round(image.reshape(-1, 3), 1), axis=0)) > 8, f"{name} is blank"
        return image

    def message(self):
        return self.window.statusBar().currentMessage()

    def boxes(self):
        found = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
        return [box.text() for box in found if box.isVisible()]


def has(image, colour):
    """Whether a part of a picture is of a colour, such as a thick line."""
    return (np.abs(image - colour).max(axis=2) < 0.2).mean() > 5e-4


def has_network(image):
    return has(image, POSITIVE) and has(image, NEGATIVE)


def figures(table):
    return {table.item(i, 0).text(): table.item(i, 1).text() for i in range(table.rowCount())}


def row_of(view, minimum):
    rows = range(view.model().rowCount())
    points = [view.model().minimum_from_index(view.model().index(row, 0)) for row in rows]
    return points.index(minimum)


@steps
def minima(user):
    """The list, the picture, the figures; normal modes."""
    window, ui, system = user.window, user.ui, user.system
    stored = user.database.minima()
    assert has_network(user.look(ui.ogl_main, "start"))
    assert figures(window.figures)["id"] == str(stored[0].id())
    shown = [ui.list_minima_main.model().index(i, 0) for i in range(len(stored))]
    assert len(shown) == ui.list_minima_main.model().rowCount()
    for row in (0, len(stored) - 1):
        minimum = user.choose(ui.list_minima_main, row)
        assert has_network(user.look(window.ui.ogl_main, f"minimum-{row}"))
        told = figures(window.figures)
        assert told["id"] == str(minimum.id())
        assert abs(float(told[system.energy_label]) - minimum.energy) < 1e-9
        for name in ("test-auc", "test-accuracy", "test-loss"):
            measure = system.measures[name]
            assert abs(float(told[measure.axis]) - measure.function(minimum.coords)) < 1e-5
        lowest = np.linalg.eigvalsh(system.potential.getHessian(minimum.coords))[0]
        assert abs(float(told["lowest eigenvalues"].split(",")[0]) / lowest - 1) < 1e-2
        assert told["verification"].startswith("ok")
    model = ui.list_minima_main.model()
    assert model.headerData(0, Qt.Horizontal, Qt.DisplayRole) == "regularised loss"
    user.look(window, "minima")
    user.click(ui.pushNormalmodesMin)
    modes = window.normalmode_explorer
    assert modes.ui.listNormalmodes.count() == system.n_dof
    assert modes.statusBar().currentMessage() == (
        f"{system.n_dof} modes: 0 zero modes by symmetry, 0 negative"
    )
    modes.ui.listNormalmodes.setCurrentRow(3)
    user.look(modes, "modes")
    ui.tabWidget.setCurrentIndex(2)
    state = user.choose(ui.list_TS, 0)
    assert has_network(user.look(ui.oglTS, "transition-state"))
    told = figures(window.state_figures)
    assert abs(float(told[system.energy_label]) - state.energy) < 1e-9
    assert told["joins"] == f"{state.minimum1.id()} and {state.minimum2.id()}"
    user.click(ui.pushNormalmodesTS)
    assert modes.statusBar().currentMessage().endswith(" 1 negative")
    user.look(window, "transition-states")
    user.click(modes.ui.pushClose)
    assert not modes.isVisible()


@steps
def paths(user):
    """The film of a path, alignment, bands with the true loss along them, transition states."""
    window, ui, system = user.window, user.ui, user.system
    ui.tabWidget.setCurrentIndex(1)
    state = min(browsed_graph(user.database).edges(data="ts"), key=lambda edge: edge[2].energy)[2]
    ends = state.minimum1, state.minimum2
    for view, end in zip((ui.listMinima1, ui.listMinima2), ends, strict=True):
        user.choose(view, row_of(view, end))
    assert has_network(user.look(ui.oglPath, "two-minima"))
    user.click(ui.btnConnect)
    film = ui.oglPath.coordspath
    assert len(film) > 5
    for point, end in zip((film[0], film[-1]), ends, strict=True):
        assert system.identity.are_same(point, end.coords)
    steps = np.linalg.norm(np.diff(film, axis=0), axis=1)
    assert steps.max() < 0.5  # no jump to an image elsewhere
    heights = np.array([float(label.split()[-1]) for label in ui.oglPath.messages])
    # the film goes straight from point to point, and may be higher beside the transition state
    assert np.abs(heights - state.energy).min() < 1e-6
    user.click(ui.oglPath.ui.btn_animate)
    at = ui.oglPath.get_slider_index()
    user.wait(lambda: ui.oglPath.get_slider_index() != at)
    user.click(ui.oglPath.ui.btn_animate)
    user.look(window, "film")
    user.click(ui.btnAlign)
    assert user.message().startswith("the nearest images found are ")
    user.click(ui.btnNEB)
    band = window.nebexplorer
    band.on_actionRun_triggered(True)
    images = np.asarray(band.nebrunner.path)
    curve = band.energies.axes.lines[-1]
    at, losses = curve.get_data()
    assert len(at) == 9 * (len(images) - 1) + 1
    assert abs(losses[9 * 4] - system.potential.getEnergy(images[4])) < 1e-12
    between = images[4] + (images[5] - images[4]) * 5 / 9
    assert abs(losses[9 * 4 + 5] - system.potential.getEnergy(between)) < 1e-12
    user.look(band, "band")
    band.on_actionTS_triggered(True)
    saddles = band.local_connect_explorer
    user.click(saddles.ui.pushButton)
    assert saddles.ts_list.count() >= 1
    found = [float(saddles.pushoff_labels[i].split()[-1]) for i in (0, -1)]
    assert max(found) < float(saddles.ts_labels[-1].split()[-1])
    user.look(saddles, "saddles")
    # a band that runs does not hold up the end
    QTimer.singleShot(0, window.close)
    band.nebrunner.frq = 1
    params = system.params.double_ended_connect.local_connect_params.NEBparams
    params.update(iter_density=1e9, NEBquenchParams={"tol": 0.0})
    band.on_actionRun_triggered(True)


@steps
def graphs(user):
    """The tree whose branches can be clicked, the graph, heat capacity and rates."""
    window, ui = user.window, user.ui
    ui.tabWidget.setCurrentIndex(1)
    user.click(ui.btnDisconnectivity_graph)
    tree, graph = window.dgraph_dlg, browsed_graph(user.database)
    widget = tree.dgraph_widget
    user.look(tree, "tree")
    leaves = [leaf for leaf in widget.dg.tree_graph.leaf_iterator()]
    assert {leaf.data["minimum"] for leaf in leaves} == {m for m, d in graph.degree() if d}
    leaf = max(leaves, key=lambda leaf: leaf.parent.data["ethresh"] - leaf.data["minimum"].energy)
    minimum = leaf.data["minimum"]
    middle = 0.5 * (leaf.parent.data["ethresh"] + minimum.energy)
    x, y = widget.canvas.axes.transData.transform((leaf.data["x"], middle))
    user.click(widget.canvas, QPoint(round(x), round(widget.canvas.height() - y)))
    assert figures(tree.table)["id"] == str(minimum.id())
    assert has_network(user.look(tree.picture, "tree-network"))
    assert ui.ogl_main.minima[1] == minimum
    user.look(tree, "tree-clicked")
    window._SelectMinimum2(None)
    user.click(ui.btnShowGraph)
    user.look(window.graphview, "graph")
    user.choose(ui.listMinima1, 0)
    user.choose(ui.listMinima2, 1)
    user.click(ui.btn_rates)
    rates = window.rate_viewer.rate_widget
    alien = store_minimum(user.database, user.system.identity, 9.0, np.ones(user.system.n_dof))[0]
    window._SelectMinimum2(alien)
    user.click(rates.ui.btn_compute)
    assert rates.ui.label_status.text().endswith(f" to {alien.id()}: connect them first")
    user.choose(ui.listMinima2, 1)
    user.click(rates.ui.btn_compute)
    user.wait(lambda: "rate" in rates.ui.textBrowser.toPlainText())
    numbers = [float(line.split()[-1]) for line in rates.ui.textBrowser.toPlainText().splitlines()]
    assert len(numbers) == 2 and all(np.isfinite(numbers)) and min(numbers) > 0
    user.look(window.rate_viewer, "rates")
    ui.tabWidget.setCurrentIndex(0)
    user.click(ui.btn_heat_capacity)
    heat = window.cv_viewer.cv_widget
    user.wait(lambda: "showing" in heat.ui.label_status.text())
    assert np.isfinite(heat.Cv).all() and heat.Cv.max() > user.system.n_dof
    user.look(window.cv_viewer, "heat-capacity")
    user.click(ui.pushTakestepExplorer)
    explorer = window.takestep_explorer
    explorer.ui.listMinima.setCurrentRow(0)
    explorer.on_actionDisplace_triggered(True)
    user.look(explorer, "steps")
    n = user.database.number_of_minima()
    explorer.on_actionQuench_triggered(True)
    assert user.database.number_of_minima() in (n, n + 1) and explorer.coords is None
    window.ui.action_edit_params.trigger()
    user.look(window.paramsdlg, "parameters")
    ui.tabWidget.setCurrentIndex(1)
    user.click(ui.btn_close_all)
    assert not tree.isVisible() and not explorer.isVisible()


@steps
def runs(user):
    """Basin-hopping and connect runs; what they find is stored, and not verified yet."""
    window, ui, database = user.window, user.ui, user.database
    before = {m.id() for m in database.minima()}
    ui.lineEdit_bh_nsteps.setText("6")
    user.click(ui.btn_start_basinhopping)
    user.click(ui.btn_start_basinhopping)
    first, second = window.bhmanager.workers
    states = [worker.system.rng.bit_generator.state for worker in (first, second)]
    assert states[0] != states[1]
    user.look(window, "basin-hopping")
    for _ in range(10):  # runs are random: some find only what is known
        user.wait(lambda: not window.bhmanager.number_of_workers(), 120)
        new = [m for m in database.minima() if m.id() not in before]
        if len(new) >= 2:
            break
        user.click(ui.btn_start_basinhopping)
    assert len(new) >= 2, f"only {len(new)} new minima"
    assert all("verified" not in notes(m) for m in new)
    assert "are not verified yet" in user.message()
    ui.tabWidget.setCurrentIndex(1)
    for pair in combinations([*new[:2], *database.minima()[:3]], 2):
        if pair[0] == pair[1]:
            continue
        for view, minimum in zip((ui.listMinima1, ui.listMinima2), pair, strict=True):
            user.choose(view, row_of(view, minimum))
        user.click(ui.btnReconnect)
        run = window.double_ended_connect_runs[-1]
        user.wait(lambda run=run: not run.decrunner.is_running, 120)
        assert run.decrunner.error is None, run.decrunner.error
        if run.decrunner.newtransition_states:
            break
    assert run.decrunner.newtransition_states, "no pair was connected"
    assert "double ended connect" in run.textEdit.toPlainText()
    user.look(run, "connect")
    user.click(ui.btn_connect_all)
    every = window.connect_all
    user.wait(lambda: len(every.connect_summary.attempts) >= 2, 120)
    every.ui.actionD_Graph.setChecked(True)
    user.look(every, "connect-all")
    every.on_actionKill_triggered(True)
    user.wait(lambda: not every.decrunner.is_running)
    ui.tabWidget.setCurrentIndex(0)
    ui.lineEdit_bh_nsteps.setText("100000")
    user.click(ui.btn_start_basinhopping)  # goes on when the window is closed
    assert not user.boxes()


@steps
def reading(user):
    """While another process works on the landscape nothing can be started."""
    window, ui = user.window, user.ui
    assert "[read-only: " in window.windowTitle()
    assert " is being worked on by process " in window.windowTitle()
    for tab, button in (
        (0, ui.btn_start_basinhopping),
        (1, ui.btnReconnect),
        (1, ui.btn_connect_all),
    ):
        ui.tabWidget.setCurrentIndex(tab)
        if tab:
            user.choose(ui.listMinima1, 0)
            user.choose(ui.listMinima2, 1)
        user.click(button)
        [text] = user.boxes()
        assert text.startswith("nothing can be started here: ")
        user.look(window, "refused")
        for box in QApplication.topLevelWidgets():
            if isinstance(box, QMessageBox):
                box.close()
    assert window.bhmanager is None and not window.double_ended_connect_runs
    ui.tabWidget.setCurrentIndex(0)
    user.click(ui.btn_heat_capacity)
    heat = window.cv_viewer.cv_widget
    user.wait(lambda: "showing" in heat.ui.label_status.text())
    n = ui.list_minima_main.model().rowCount()
    QTest.keyClick(window, Qt.Key_F5)
    assert ui.list_minima_main.model().rowCount() == n
    window.complain("a box that is open does not hold up the end")


@steps
def any_system(user):
    """Points of any system are drawn, and its zero modes are told."""
    window, ui, system = user.window, user.ui, user.system
    minimum = user.choose(ui.list_minima_main, ui.list_minima_main.model().rowCount() - 1)
    picture = user.look(ui.ogl_main, "minimum")
    assert (picture.min(axis=2) < 0.8).sum() > 300
    user.look(window, "window")
    told = figures(window.figures)
    n = system.identity.zero_modes(minimum.coords).shape[1]
    assert told["zero modes"] == str(n)
    if not is_large(system.n_dof):
        user.click(ui.pushNormalmodesMin)
        modes = window.normalmode_explorer
        assert f"{n} zero modes" in modes.statusBar().currentMessage()
        zero = [value for value, _ in modes.normalmodes if value == 0.0]
        assert len(zero) == n
        user.look(modes, "modes")
        user.click(ui.btn_heat_capacity)  # in forked processes
        heat = window.cv_viewer.cv_widget
        user.wait(lambda: "showing" in heat.ui.label_status.text(), 60)
    ui.tabWidget.setCurrentIndex(1)
    user.choose(ui.listMinima1, 0)
    user.choose(ui.listMinima2, ui.listMinima2.model().rowCount() - 1)
    user.look(window, "connect")


@steps
def waiting(user):
    """A basin-hopping run is under way until something from outside ends it."""
    user.ui.lineEdit_bh_nsteps.setText("100000")
    user.click(user.ui.btn_start_basinhopping)
    before = user.database.number_of_minima()
    user.wait(lambda: user.database.number_of_minima() > before)
    [worker] = user.window.bhmanager.workers
    (user.shots / "worker").write_text(str(worker.bhprocess.pid), encoding="utf-8")
    while user.window.isVisible():
        QTest.qWait(100)


@steps
def clicked(user):
    """Somebody else clicks, where and when this says that there is something to be clicked."""
    window, ui = user.window, user.ui
    assert QTest.qWaitForWindowExposed(window)
    view = ui.list_minima_main
    last = view.model().index(view.model().rowCount() - 1, 0)
    minimum = view.model().minimum_from_index(last)
    view.scrollTo(last)
    user.invite("row", view.viewport(), view.visualRect(last).center())
    user.wait(lambda: figures(window.figures)["id"] == str(minimum.id()), 60)
    user.invite("button", ui.pushNormalmodesMin, ui.pushNormalmodesMin.rect().center())
    user.wait(lambda: hasattr(window, "normalmode_explorer"), 60)
    while window.isVisible():
        QTest.qWait(100)


def main(name, directory, shots):
    """Run the command ``gui``, and one of the steps at its window."""
    shots = Path(shots)
    shots.mkdir(parents=True, exist_ok=True)
    app = QApplication(["windows"])
    failed = []

    def act():
        [window] = [w for w in app.topLevelWidgets() if type(w).__name__ == "LandscapeWindow"]
        try:
            STEPS[name](User(window, shots))
        except BaseException:
            failed.append(traceback.format_exc())
        window.close()

    QTimer.singleShot(500, act)
    sys.argv = ["nnpotential", "gui", directory]
    try:
        command()
    except SystemExit as end:
        failed += [f"the command ended with {end.code}"] if end.code else []
    sys.stderr.write("".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
