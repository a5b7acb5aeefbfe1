"""The command that says where a trained network belongs."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..checks import plain
from ..errors import InputError
from ..landscape import Landscape
from ..networks.model_files import MODEL_FILES, read_model
from ..networks.system import LossSystem
from ..view.tables import print_comparison, print_located
from ..view.terminal import Reporter, heard, say
from .shared import (
    AsJson,
    Directory,
    JobTimeout,
    Untrusted,
    Workers,
    app,
    interruptible,
    show_json,
)


@app.command()
def locate(
    directory: Directory,
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL [MODEL2]",
            help=f"Files: {', '.join(MODEL_FILES)}. A parameter vector, or weights and biases "
            "layer by layer, as in a state dict of torch.",
            show_default=False,
        ),
    ],
    store: Annotated[
        bool,
        typer.Option(
            "--store", help="Store minima not known before; the next explore verifies them."
        ),
    ] = False,
    connect: Annotated[
        bool,
        typer.Option(
            "--connect",
            help="Where no path is known between the two minima, or of one model to the lowest, "
            "look for it; what is found is verified and merged.",
        ),
    ] = False,
    attempts: Annotated[int, typer.Option(min=1, help="At most, with --connect.")] = 20,
    workers: Workers = 1,
    job_timeout: JobTimeout = 3600.0,
    untrusted: Untrusted = False,
    as_json: AsJson = False,
):
    """Which minimum does a trained network belong to, and what lies between two of them?

    The network is quenched on the loss of the landscape, penalty included, and its minimum is
    named: a stored one, whatever the order and signs of its units, or a new one. How far above the
    lowest it lies, its barrier to it, train and test figures before and after, and the spectrum of
    the Hessian layer by layer. Two networks are compared after matching their units: the verified
    barrier between their minima, beside the straight line before and after matching. The network
    must have been trained on inputs scaled as in DIR/dataset.npz. docs/locate.md has more.

    \b
    Examples: nnpotential locate runs/first model.npy
              nnpotential locate runs/first one.pt two.pt --connect
    """
    if len(models) > 2:
        raise InputError(f"one model is located or two are compared, not {len(models)}")
    if untrusted and (store or connect):
        raise InputError(
            "an untrusted landscape is left as it is: 'nnpotential import NEW --from untrusted "
            f"{directory}' makes one to store in"
        )
    land = Landscape.open(directory, untrusted=untrusted)
    if not isinstance(land.system, LossSystem):
        raise InputError(f"{directory} is no landscape of a network ({land.system})")
    points = [read_model(model, land.system.shapes) for model in models]
    if connect:
        with Reporter() as reporter, interruptible(reporter, land):
            found = land.locate(
                *points,
                connect=True,
                attempts=attempts,
                on_progress=reporter,
                workers=workers,
                job_timeout=job_timeout,
            )
    else:
        with heard():
            found = land.locate(*points, store=store)
    if as_json:
        show_json(plain(asdict(found)))
    elif len(points) == 1:
        print_located(models[0].name, found, land.system)
    else:
        same = models[0].name == models[1].name
        names = [str(model) if same else model.name for model in models]
        print_comparison(names, found, land.system)
    if store and not connect:
        say(f"new minima count once 'nnpotential explore --output {directory}' has verified them")
