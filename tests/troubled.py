"""A system whose points go wrong as asked; workers import it by name."""

import os
import signal
from pathlib import Path

import nnpotential as nnp


@nnp.register
class Troubled(nnp.EggBox):
    """`how` is "well", "TypeError" or "die"; `times` is how often, counted in `directory`."""

    kind = "troubled"

    def __init__(self, how="well", times=1000, directory="", seed=0):
        super().__init__(depths=(1.0, 1.5), tilts=(0.5, 0.9), seed=seed)
        self.how, self.times, self.directory = how, times, directory

    def get_minimizer(self, **kwargs):
        if self.how != "well" and self._count() <= self.times:
            if self.how == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            raise TypeError("a mistake")
        return super().get_minimizer(**kwargs)

    def _count(self):
        with open(Path(self.directory) / "count", "a") as file:
            file.write("x")
        return (Path(self.directory) / "count").stat().st_size

    def describe(self):
        return {self.kind: {"how": self.how, "times": self.times, "directory": str(self.directory)}}
