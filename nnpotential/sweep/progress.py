"""What a terminal shows of a sweep: a live line for each running point; and a pipe, lines."""

from time import monotonic

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..view.terminal import duration, say

__all__ = ["SweepReporter", "progress_lines"]

_LEAST_LINES = 4  # of a terminal, kept for running points


class SweepReporter:
    """Progress on standard error. A context manager, to be given to `Sweep.run`."""

    interval = 10.0  # seconds between lines where there is no terminal

    def __init__(self):
        console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        self._live, self._due, self._last = None, 0.0, None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self):
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Leave the terminal as it was."""
        if self._live:
            self._live.stop()

    def __call__(self, run):
        ended = run.last is not self._last
        self._last = run.last
        if self._live:
            if ended and run.last["state"] == "failed":
                self._live.console.print(_ended(run.last))
            room = max(_LEAST_LINES, self._live.console.height - 2)
            lines = progress_lines(run.n_done, run.n_points, run.running, run.seconds_left(), room)
            text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
            self._live.update(text, refresh=True)
        elif monotonic() > self._due or (ended and run.last["state"] == "failed"):
            if not ended and not run.running:
                return
            self._due = monotonic() + self.interval
            first, *rest = progress_lines(run.n_done, run.n_points, run.running, run.seconds_left())
            say(f"{first}; last {_ended(run.last)}" if ended else first)
            for line in rest if not ended else ():
                say(line)


def progress_lines(n_done, n_points, running, seconds_left, most=10):
    """The state of a sweep, and of each point under way.

    Parameters
    ----------
    n_done, n_points : int
    running : dict
        What each point under way is doing, by name.
    seconds_left : float or None
    most : int
        Lines for points under way.

    Returns
    -------
    list of str
    """
    left = (
        "" if not seconds_left or n_done == n_points else f", about {duration(seconds_left)} left"
    )
    lines = [f"{n_done} of {n_points} points{left}"]
    width = max(map(len, running), default=0)
    for name, text in list(running.items())[:most]:
        lines.append(f"  {name:<{width}}  {text or 'begins'}")
    if len(running) > most:
        lines.append(f"  and {len(running) - most} more")
    return lines


def _ended(last):
    if last["state"] == "failed":
        return f"{last['name']} failed: {last['error']}"
    figures = last["figures"]
    return (
        f"{last['name']}: {figures['n_minima']} minima, {figures['n_transition_states']} "
        f"transition states, {last['seconds']:.1f} s"
    )
