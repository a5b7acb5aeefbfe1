"""Colour a disconnectivity graph by a measure of one's own: copy this file and edit it.

Here it is the share of hidden units that are saturated: for most inputs their tanh is flat.
With a directory as argument it takes the landscape that is there.
"""

import sys
from pathlib import Path

import numpy as np

import nnpotential as nnp

directory = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/own-measure")

if directory.exists():
    land = nnp.Landscape.open(directory)
else:
    data = nnp.load_dataset("ljat", n_train=100, n_test=1000, seed=0)
    few = {"untrap_attempts": 0, "audit_sample": 0, "soft_modes": 0}  # a quick search
    net = nnp.MLP([3, 4, 4])
    land = nnp.Landscape.create(directory, net, data, regularization=1e-3, seed=0, **few)
    land.explore(quenches=20, basin_hopping_runs=0)

net, X = land.system.net, land.system.data.X_train


def saturated(x):
    """The share of hidden units beyond 0.95 for more than half of the samples.

    Parameters
    ----------
    x : ndarray, shape (n_dof,)
        The coordinates of a minimum. One number must come back.
    """
    shares, h = [], X
    *hidden, _ = net.split(x)  # weights and biases, layer by layer
    for weights, bias in hidden:
        h = np.tanh(h @ weights.T + bias)
        shares += list((np.abs(h) > 0.95).mean(axis=0))
    return np.mean(np.array(shares) > 0.5)


measure = nnp.Measure(saturated, "saturated hidden units", "share")
drawn, total = land.draw(colour=measure)
print(f"{drawn} of {total} minima in {directory / 'disconnectivity.png'}")

# the same numbers for a figure or a table of one's own
minima = sorted(land.graph(), key=lambda minimum: minimum.energy)
for minimum in minima[:5]:
    print(f"minimum {minimum.id()}: loss {minimum.energy:.6f}, {saturated(minimum.coords):.0%}")
