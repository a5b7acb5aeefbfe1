"""Open pele's GUI on a landscape: copy this file and edit it.

Without an argument it makes a small landscape to look at. Needs the extra [gui]:
pip install 'nnpotential[gui]'.
"""

import sys
from pathlib import Path

import nnpotential as nnp
from nnpotential.view.gui import open_gui

directory = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/gui")

if (directory / "settings.toml").exists():
    land = nnp.Landscape.open(directory)
else:
    data = nnp.load_dataset("ljat", n_train=100, n_test=1000, seed=0)
    land = nnp.Landscape.create(directory, nnp.MLP([3, 5, 4]), data, regularization=1e-3)
    land.explore(quenches=20)

open_gui(land)  # returns when the window is closed; runs started there store what they find

# which is polished, verified and merged here, or by the next land.explore()
outcomes = land.verify(repair=True)
failed = [outcome for *_, outcome in outcomes if outcome != "ok"]
print(
    land.summary()["n_minima"],
    "minima,",
    f"{len(failed)} points failed" if failed else "all verified",
)
