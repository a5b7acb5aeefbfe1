"""A small convolutional PyTorch network on digits: copy this file and edit it.

Needs ``pip install 'nnpotential[torch]'``. Everything found is kept in the
directory; run it again to go on. The argument is how many seconds it may take.
"""

import sys
from pathlib import Path
from time import perf_counter, process_time

import nnpotential as nnp

directory = Path("runs/torch-digits")
seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 180


def create():
    import torch
    from torch import nn

    torch.manual_seed(0)
    # inputs are rows of 64 pixels: the module itself makes images of them
    module = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 6, 3, stride=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(54, 10),
    )
    data = nnp.load_dataset("digits", n_train=100, n_test=1000, seed=0)
    system = nnp.TorchSystem(module, "cross_entropy", data, regularization=1e-2)
    # so large a network has more minima than anyone can list: a few, and what is around them
    limits = {
        "quenches": 3,
        "basin_hopping_runs": 0,
        "connection_attempts": 0,
        "untrap_attempts": 0,
        "audit_sample": 0,
        "soft_modes": 2,
    }
    return nnp.Landscape.create(directory, system, seed=0, **limits)


if __name__ == "__main__":
    land = nnp.Landscape.open(directory) if directory.exists() else create()
    print(f"{land.system}: {land.system.n_dof} parameters")
    print(f"{land.system.identity.log_n_images:.1f} is the logarithm of its number of symmetries")
    began, used = perf_counter(), process_time()
    figures = land.explore(max_seconds=seconds)
    print(f"{perf_counter() - began:.0f} s, {process_time() - used:.0f} s of them at work")
    print(figures["n_minima"], "minima,", figures["n_transition_states"], "transition states")
    print("verified:", figures["verified"])
    print("lowest loss:", figures["lowest_loss"], "nats per sample")
