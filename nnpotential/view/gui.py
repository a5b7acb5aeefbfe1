"""pele's GUI on a landscape: what it needs, how it starts and ends. Needs the extra ``[gui]``."""

import os
import signal
import sqlite3
import subprocess
import sys
import traceback
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from time import strftime

from threadpoolctl import threadpool_limits

from ..errors import InputError
from ..lock import held

__all__ = ["check_gui", "open_gui"]

_EXTRA = ("PyQt5", "OpenGL")
# All that the windows need, tried where it can do no harm: Qt without a display aborts the
# process, and OpenGL without a driver is a null pointer.
_TRIAL = """
import os, sys
def end(why=""):
    sys.stderr.write(why)
    sys.stderr.flush()
    os._exit(bool(why))  # Qt, taken down piece by piece, may crash or hang
from PyQt5.QtOpenGL import QGLWidget
from PyQt5.QtWidgets import QApplication
application = QApplication(["nnpotential"])
widget = QGLWidget()
if not widget.isValid():
    end("the display has no OpenGL (GLX)")
widget.makeCurrent()
from OpenGL import GL, GLU, GLUT
from OpenGL.error import NullFunctionError
for library, function in (
    ("GLU", GLU.gluNewQuadric), ("freeglut", GLUT.glutInit), ("OpenGL", GL.glFlush)
):
    try:
        function()
    except NullFunctionError:
        end(f"the library {library} is not installed")
end()
"""
_TRIAL_SECONDS = 60.0
_TICK = 200  # milliseconds after which Python looks for signals


def check_gui():
    """Refuse where the GUI cannot open its windows.

    Raises
    ------
    InputError
        That says what is missing: the extra, a display, a library.
    """
    if not all(find_spec(name) for name in _EXTRA):
        raise InputError(
            "the GUI needs PyQt5 and PyOpenGL, which are not installed: "
            "pip install 'nnpotential[gui]'"
        )
    if sys.platform.startswith("linux"):
        if not os.environ.get("DISPLAY"):
            raise InputError(
                "the GUI needs a display, and DISPLAY is not set: run it in a graphical session, "
                "through 'ssh -X', or under 'xvfb-run'"
            )
        # Qt and OpenGL must speak one protocol; left alone they choose each for itself
        os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
        os.environ.setdefault("PYOPENGL_PLATFORM", "glx")
    try:
        trial = subprocess.run(
            [sys.executable, "-c", _TRIAL], capture_output=True, text=True, timeout=_TRIAL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"the GUI cannot open a window: the display did not answer in {_TRIAL_SECONDS:.0f} s"
        ) from None
    if trial.returncode:
        raise InputError(f"the GUI cannot open a window: {_reason(trial.stderr)}")


def _reason(text):
    """The line of a failed trial that says why."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    of_qt = [line for line in lines if line.startswith("qt.qpa")]
    return (of_qt or lines or ["no reason given"])[-1 if not of_qt else 0]


def open_gui(land):
    """Open pele's GUI on a landscape; returns when its window is closed.

    What is found there is stored at once, and is polished, verified and merged
    by the next `Landscape.explore` or ``verify(repair=True)``. A landscape that
    another process works on, or that cannot be written, is shown as it is now.

    Parameters
    ----------
    land : Landscape

    Raises
    ------
    InputError
        If the extra ``[gui]`` or a display is missing.
    """
    check_gui()
    with ExitStack() as stack:
        reading = ""
        try:
            stack.enter_context(held(land.path))
        except InputError as error:
            reading = str(error)
        stack.enter_context(threadpool_limits(1))
        stack.enter_context(_end_with_parent())
        # pele tells on standard output whatever it does
        stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        _run(land, reading)
        if not reading:
            land.write_summary()


def _run(land, reading):
    from PyQt5.QtCore import QTimer
    from PyQt5.QtWidgets import QApplication

    from .gui_window import LandscapeWindow

    app = QApplication.instance() or QApplication(["nnpotential"])
    if reading:
        window = LandscapeWindow(app, land, lambda: _copy(land), f"{reading}; as of {_now()}")
    else:
        window = LandscapeWindow(app, land, lambda: land.database)
    # Qt waits in C++, where Python sees no signal
    tick = QTimer()
    with _signals() as received, _faults(window):
        # those that wait for an answer are closed first
        tick.timeout.connect(lambda: app.closeAllWindows() if received else None)
        tick.start(_TICK)
        window.show()
        app.exec_()
        tick.stop()
    window.deleteLater()
    app.processEvents()


def _now():
    return strftime("%H:%M:%S")


def _copy(land):
    """The database as it is now, in memory: a reader of the file would hold up the search."""
    copy = land.system.create_database()
    path = Path(land.database.engine.url.database)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source:
        source.backup(copy.engine.raw_connection().dbapi_connection)
    return copy


@contextmanager
def _signals():
    """Note Ctrl-C and the like; a process forked from this one they end.

    A signal is served between any two lines of Python, such as while pele holds
    the lock of its database: what is to be done waits for the event loop.
    """
    here, received = os.getpid(), []

    def note(number, _):
        if os.getpid() != here:
            os._exit(128 + number)
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _faults(window):
    """Show what goes wrong in a window; left alone, PyQt5 aborts the process."""

    def show(kind, error, trace):
        if issubclass(kind, KeyboardInterrupt):
            window.close()
            return
        details = ""
        if not isinstance(error, (InputError, OSError)):
            details = "".join(traceback.format_exception(kind, error, trace))
            sys.stderr.write(details)
        window.complain(" ".join(str(error).split()) or kind.__name__, details)

    before, sys.excepthook = sys.excepthook, show
    try:
        yield
    finally:
        sys.excepthook = before


_parents = []  # processes whose forks are to end with them


@contextmanager
def _end_with_parent():
    """Let no run outlive the GUI: pele's, left alone, wait for ever where its end was sudden."""
    import threading
    from time import sleep

    def watch(parent):
        while os.getppid() == parent:
            sleep(1.0)
        os._exit(1)

    def after_fork():
        if _parents:
            threading.Thread(target=watch, args=(_parents[0],), daemon=True).start()

    if not hasattr(_end_with_parent, "known"):
        os.register_at_fork(after_in_child=after_fork)  # cannot be undone
        _end_with_parent.known = True
    _parents.append(os.getpid())
    try:
        yield
    finally:
        _parents.clear()
