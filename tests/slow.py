"""A system whose quenches take their time; workers import it by name."""

import time

import nnpotential as nnp
from nnpotential import pulse


class SlowSystem(nnp.NNSystem):
    """Every quench takes some seconds, and says so."""

    seconds = 3.0

    def get_minimizer(self, **kwargs):
        minimizer = super().get_minimizer(**kwargs)

        def quench(coords):
            until, n = time.monotonic() + self.seconds, 0
            while time.monotonic() < until:
                n += 1
                pulse.tell("walking", n, 0.5)
                time.sleep(0.01)
            return minimizer(coords)

        return quench
