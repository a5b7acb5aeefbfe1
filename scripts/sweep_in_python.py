"""Many landscapes over a grid of settings: copy this file and edit it.

Every setting may be a list; the grid is their product. Run it again to go on after an
interruption: nothing that is finished is repeated.
"""

import nnpotential as nnp

DEFINITION = {
    "seed": [0, 1],  # of data and search: error bars
    "dataset": {"name": "xor", "n_train": [20, 40], "n_test": 100},
    "network": {"hidden": [[3], [2, 2]]},  # a list of lists, as one value is a list
    "potential": {"regularization": 1e-2},
    "search": {
        "quenches": 8,
        "basin_hopping_runs": 0,
        "untrap_attempts": 0,
        "audit_sample": 0,
        "soft_modes": 0,
    },
    # "zip": [["hidden", "n_train"]] would take these two together, not each with each
}


def show(run):
    """Called twice a second."""
    if run.last is not None:
        print(f"{run.n_done} of {run.n_points} points, last {run.last['name']}", flush=True)


if __name__ == "__main__":  # worker processes import this file
    sweep = nnp.Sweep("runs/sweep", DEFINITION)
    # workers=8 for so many processes; scheduler="tcp://10.0.0.1:8786" for a Dask cluster
    counts = sweep.run(show)
    print(counts)

    # the figures: summaries.csv, or a pandas DataFrame
    try:
        table = sweep.table()
    except nnp.InputError as error:
        print(error)
    else:
        of = table.groupby(["network.hidden", "dataset.n_train"])["n_minima"]
        print(of.agg(["mean", "std"]))

    # each point is a landscape like any other; its name is in the table
    land = sweep.landscape("n_train-20_hidden-3_seed-0")
    print(land.summary()["n_minima"], "minima in", land.path)
    print("to look at:", sweep.path / "sweep.html")
