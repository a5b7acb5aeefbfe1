"""A system whose jobs fail; workers import it by name."""

import builtins
import os
import signal
import time
from pathlib import Path

import nnpotential as nnp


class FaultySystem(nnp.NNSystem):
    """Every quench from a start whose first parameter is above `bound` goes wrong.

    `times` is how often each does before it goes well, counted in `directory`.
    """

    how, bound, times, directory = "raise", 0.5, 1, None

    def get_minimizer(self, **kwargs):
        minimizer = super().get_minimizer(**kwargs)

        def quench(coords):
            if coords[0] > self.bound and self._count(coords[0]) <= self.times:
                if self.how == "raise":
                    raise RuntimeError("out of order")
                if self.how.endswith("Error"):
                    raise getattr(builtins, self.how)("a mistake")
                if self.how == "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(1000)
            return minimizer(coords)

        return quench

    def _count(self, number):
        counter = Path(self.directory) / f"{number:.17g}"
        with open(counter, "a") as file:
            file.write("x")
        return counter.stat().st_size
