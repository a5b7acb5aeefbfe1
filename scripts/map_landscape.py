"""Map one landscape with `Landscape`: copy this file and edit it.

Everything found is kept in the directory; run it again to go on.
"""

from pathlib import Path

import nnpotential as nnp

directory = Path("runs/my-first-landscape")

if directory.exists():
    land = nnp.Landscape.open(directory)
else:
    # any data: a name, a CSV or npz file, or a pair of arrays (X, y)
    data = nnp.load_dataset("ljat", n_train=100, n_test=1000, seed=0)
    net = nnp.MLP([data.n_inputs, 5, data.n_outputs], activation="tanh")
    land = nnp.Landscape.create(directory, net, data, regularization=1e-3, seed=0)

land.explore(quenches=100)  # raise the limit later to look further

figures = land.summary()
print(figures["n_minima"], "minima,", figures["n_transition_states"], "transition states")
print("coverage (Good-Turing):", figures["coverage"]["good_turing"])

# the graph holds plain pele minima and transition states
graph = land.graph()
lowest = min(graph, key=lambda minimum: minimum.energy)
print("lowest loss:", lowest.energy, "with", graph.degree(lowest), "neighbours")

land.draw(colour="test-auc")
print("disconnectivity graph:", directory / "disconnectivity.png")
