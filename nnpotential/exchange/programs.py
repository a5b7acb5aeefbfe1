"""A network as GMIN, OPTIM and PATHSAMPLE have it: their keywords, data and parameter vectors."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract import LandscapeSystem
from ..errors import InputError
from ..networks.datasets import MEAN_ABSOLUTE, Dataset, mean_absolute
from ..networks.mlp import MLP
from ..networks.system import NNSystem
from .pathsample import fortran_number, fortran_text, lines_of

__all__ = [
    "INPUTS",
    "optim_input",
    "parameter_order",
    "pathsample_input",
    "read_network",
    "their_order",
    "why_no_inputs",
    "write_inputs",
    "write_loss",
]

_DATA, _LAYERS = "MLPdata", "DLhiddendata"
_PATHSAMPLE = "pathdata"  # its keywords lack MLPNORM and NOREGBIAS
_KEYWORDS = ("data", "odata", "odata.connect", _PATHSAMPLE)
INPUTS = (*_KEYWORDS, _DATA, _LAYERS)

_NUMBERS = "n_in 1 n_hidden n_out n_data lambda"

_GMIN_TEXT = """\
{loss}
SLOPPYCONV 1.0D-9
TIGHTCONV 1.0D-9
SAVE 1000
UPDATES 500
MAXIT 5000 5000
EDIFF 1.0D-9
STEPS 1000 1.0
STEP 2.0
TEMPERATURE 0.01
DUMPINT 100000000
FIXBOTH
"""
_OPTIM_TEXT = """\
{loss}
STEPMIN 100
NEWCONNECT 100 1 10.0 20.0 50 5.0 0.025
MAXERISE 1.0D-6 1.0D-3
REOPTIMISEENDPOINTS
NEWNEB {band}
DIJKSTRA EXP
MAXBFGS 0.1 0.1
EDIFFTOL {window}
GEOMDIFFTOL 1.0D2
DUMPALLPATHS
MAXSTEP 0.01
MAXMAX 0.2
TRAD 1.0
NEBK 50.0
BFGSTS 5000 1 10 0.002
NOIT
UPDATES 10 10
BFGSMIN 1.0D-9
CONVERGE 1.0 1.0D-9
PUSHOFF 0.2
STEPS 1000
BFGSSTEPS 50000
VARIABLES
"""
# a Hessian's eigenvalues, and the point itself
_LOOK_TEXT = """\
{loss}
SEARCH 0
ENDHESS
MAXBFGS 0.1 0.1
UPDATES 1000 1000
BFGSMIN 1.0D-9
STEPS 10000
VARIABLES
"""
_PATHSAMPLE_TEXT = """\
{loss}
ALLTS
EVCUT 1.0D-7
COPYFILES {files}
EDIFFTOL {window}
GEOMDIFFTOL 1.0D2
EXEC {optim}
TEMPERATURE 0.1
PAIRLIST 1
SLEEPTIME 0.0 0.0
{mode}
SEED {seed}
"""


def parameter_order(layer_sizes: Iterable[int]) -> NDArray[np.int64]:
    """Which of our parameters stands where among theirs: ``theirs = ours[order]``.

    With one hidden layer theirs are the weights of both layers, then both biases
    (``MLPVB3``); with several, layer by layer, the bias and the transposed weights
    (``DL``).
    """
    at, layers = 0, []
    for n_in, n_out in pairwise(layer_sizes):
        weights = np.arange(at, at + n_in * n_out).reshape(n_out, n_in)
        at += weights.size
        layers.append((weights, np.arange(at, at + n_out)))
        at += n_out
    if len(layers) == 2:
        parts = [weights.ravel() for weights, _ in layers] + [bias for _, bias in layers]
    else:
        parts = [part for weights, bias in layers for part in (bias, weights.T.ravel())]
    return np.concatenate(parts)


def why_no_inputs(system: LandscapeSystem) -> str | None:
    """What the programs lack for a system, the end of a sentence, or None if nothing.

    They know fully connected networks with biases, tanh and cross-entropy.
    """
    if not isinstance(system, NNSystem):
        return f"no keyword for a system of the kind {system.kind!r} is known"
    net = system.net
    for wrong, why in (
        (len(net.layer_sizes) == 2, "they have no network without a hidden layer"),
        (net.activation != "tanh", f"they have tanh, not {net.activation}"),
        (not net.bias, "they have no networks without biases"),
        (
            system.settings.loss != "cross_entropy",
            f"they have cross_entropy, not {system.settings.loss}",
        ),
        (
            len(net.layer_sizes) > 3 and not system.settings.regularize_bias,
            "with several hidden layers they always regularize biases",
        ),
    ):
        if wrong:
            return why
    return None


def their_order(system: LandscapeSystem) -> NDArray[np.int64]:
    """The order in which the programs have a system's coordinates: ``theirs = ours[order]``.

    It is ours, but of networks that they have too.
    """
    if isinstance(system, NNSystem) and why_no_inputs(system) is None:
        return parameter_order(system.net.layer_sizes)
    return np.arange(system.n_dof)


def optim_input(loss: str, band: str = "15 60 0.001", window: str = "1.0D-9") -> str:
    """OPTIM's keywords for a connection; the coordinates follow, one a line.

    Parameters
    ----------
    loss : str
        As from `write_loss`.
    band : str
        Images of the band, iterations and rms force.
    window : str
        Of energies within which two points are one.
    """
    return _OPTIM_TEXT.format(loss=loss, band=band, window=window)


def pathsample_input(
    loss: str,
    files: str,
    *,
    window: str = "1.0D-9",
    optim: str = "OPTIM",
    mode: str = "CYCLES 0",
    seed: int = 1,
) -> str:
    """PATHSAMPLE's keywords.

    Parameters
    ----------
    loss, files : str
        As from `write_loss`.
    window : str
        As for `optim_input`.
    optim : str
        OPTIM's path, of less than 80 characters.
    mode : str
        What to do.
    seed : int
    """
    loss = loss.splitlines()[0]
    return _PATHSAMPLE_TEXT.format(
        loss=loss, files=files, window=window, optim=optim, mode=mode, seed=seed
    )


def write_loss(
    folder: Path,
    layer_sizes: Iterable[int],
    X: NDArray[np.float64],
    y: NDArray[np.int64],
    regularization: float,
    regularize_bias: bool = True,
) -> tuple[str, str]:
    """Write the files of the loss.

    Returns
    -------
    keywords, files : str
        Its lines for GMIN and OPTIM, of which PATHSAMPLE takes the first; the names of the
        files.
    """
    n_in, *hidden, n_out = layer_sizes
    rows = (
        "\t".join([str(int(label)), *map(fortran_text, x)]) for label, x in zip(y, X, strict=True)
    )
    (folder / _DATA).write_text("\n".join(rows) + "\n", encoding="ascii")
    penalty = fortran_text(regularization)
    numbers = f"{n_in} 1 {hidden[0]} {n_out} {len(y)} {penalty}"
    keyword, files = f"MLPVB3 {numbers}", _DATA
    if len(hidden) > 1:
        sizes = "\n".join(map(str, [len(hidden), *hidden]))
        (folder / _LAYERS).write_text(f"{sizes}\n", encoding="ascii")
        keyword, files = f"DL {numbers}", f"{_DATA} {_LAYERS}"
    return keyword + ("" if regularize_bias else "\nNOREGBIAS"), files


def write_inputs(
    folder: Path, system: NNSystem, energies: NDArray[np.float64], minima: Any
) -> list[str]:
    """Write the inputs of the three programs for a network.

    GMIN and OPTIM begin at the lowest minimum, PATHSAMPLE's sets A and B are the two lowest.

    Parameters
    ----------
    folder : path
    system : NNSystem
        For which `why_no_inputs` has nothing to say.
    energies, minima : ndarray, shape (n,) and (n, n_dof)
        In the order of ``min.data``, coordinates in theirs.

    Returns
    -------
    list of str
        The names of the files.
    """
    data, settings = system.data, system.settings
    loss, files = write_loss(
        folder,
        system.net.layer_sizes,
        data.X_train,
        data.y_train,
        settings.regularization,
        settings.regularize_bias,
    )
    lines = np.argsort(energies, kind="stable") + 1
    coords = "".join(f"{fortran_text(value)}\n" for value in minima[lines[0] - 1])
    texts = {
        "data": _GMIN_TEXT.format(loss=loss),
        "coords": coords,
        "odata": _LOOK_TEXT.format(loss=loss) + coords,
        "odata.connect": optim_input(loss),
        _PATHSAMPLE: pathsample_input(loss, files),
        "min.A": f"1\n{lines[0]}\n",
        "min.B": f"1\n{lines[:2][-1]}\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="ascii")
    return [*files.split(), *texts]


@dataclass(frozen=True)
class _Loss:
    """What a file of keywords says of a network."""

    keyword: str
    n_in: int
    first: int
    n_hidden: int
    n_out: int
    n_data: int
    regularization: float


def read_network(files: Mapping[str, Path], seed: int = 0) -> tuple[NNSystem, list[str]]:
    """The network that inputs of GMIN or OPTIM describe.

    Parameters
    ----------
    files : mapping
        Paths by name; names that are none of `INPUTS` are left alone.
    seed : int
        Of the system.

    Returns
    -------
    system : NNSystem
    notes : list of str
        What a reader has to know.

    Raises
    ------
    InputError
        Naming file and line, if a file is missing or malformed.
    """
    keywords = [files[name] for name in _KEYWORDS if name in files]
    if not keywords:
        raise InputError(f"the network is described by one of {', '.join(_KEYWORDS)}: give that")
    if _DATA not in files:
        raise InputError(f"{keywords[0]} needs the data set {_DATA}: give that too")
    losses: dict[Path, _Loss] = {}
    flags: dict[Path, tuple[bool, bool]] = {}
    for path in keywords:
        losses[path], found = _read_keywords(path)
        if path.name != _PATHSAMPLE:
            flags[path] = found
    loss = _the_same(losses, f"another {losses[keywords[0]].keyword} line")
    if not flags:
        raise InputError(
            f"{keywords[0]} alone does not say whether inputs are divided (MLPNORM) and biases "
            "regularized (NOREGBIAS): give GMIN's data, or OPTIM's odata, too"
        )
    normalized, regularize_bias = _the_same(flags, "other lines MLPNORM or NOREGBIAS")
    X, y, notes = _read_data(files[_DATA], loss)
    if loss.keyword == "DL" and not regularize_bias:
        regularize_bias = True
        notes.append("biases are regularized, as the programs ignore NOREGBIAS with DL")
    details: dict[str, Any] = {"standardize": False}
    if normalized:
        X = X / mean_absolute(X, files[_DATA])
        details["standardize"] = MEAN_ABSOLUTE
    nothing = np.empty(0)
    data = Dataset(X, y, nothing, nothing, name=_DATA, details=details)
    system = NNSystem(
        MLP((loss.n_in, *_hidden(files, loss), loss.n_out)),
        data,
        regularization=loss.regularization,
        regularize_bias=regularize_bias,
        seed=seed,
    )
    return system, notes


def _the_same(found: dict[Path, Any], what: str) -> Any:
    (first, value), *others = found.items()
    for path, other in others:
        if other != value:
            raise InputError(f"{path} has {what} than {first}: give the files of one network")
    return value


def _read_keywords(path: Path) -> tuple[_Loss, tuple[bool, bool]]:
    loss, normalized, regularize_bias = None, False, True
    for number, words in lines_of(path):
        keyword = words[0].upper()
        if keyword in ("MLPVB3", "DL"):
            if loss is not None:
                raise InputError(f"{path}, line {number}: a second network; one is expected")
            loss = _read_loss(f"{path}, line {number}", keyword, words[1:])
        elif keyword == "MLPNORM":
            if loss is not None:
                raise InputError(
                    f"{path}, line {number}: MLPNORM must stand before {loss.keyword}; the "
                    "programs stop there, or ignore it"
                )
            normalized = True
        elif keyword == "NOREGBIAS":
            regularize_bias = False
        elif keyword == "MLPNEWREG":
            raise InputError(
                f"{path}, line {number}: another penalty, {keyword}, is not known here"
            )
        elif keyword == "VARIABLES":
            break  # coordinates follow
    if loss is None:
        raise InputError(f"{path} has no line MLPVB3 or DL, which would describe a network")
    return loss, (normalized, regularize_bias)


def _read_loss(where: str, keyword: str, words: list[str]) -> _Loss:
    sizes = [int(w) for w in words[:5] if re.fullmatch("0*[1-9][0-9]*", w)]
    penalty = fortran_number(words[5]) if len(words) == 6 else None
    if penalty is None or penalty < 0 or len(sizes) < 5:
        raise InputError(
            f"{where}: {keyword} is followed by {_NUMBERS}, not by {' '.join(words) or 'nothing'}"
        )
    n_in, first, n_hidden, n_out, n_data = sizes
    return _Loss(keyword, n_in, first, n_hidden, n_out, n_data, penalty)


def _hidden(files: Mapping[str, Path], loss: _Loss) -> list[int]:
    if loss.keyword == "MLPVB3":
        return [loss.n_hidden]
    if _LAYERS not in files:
        raise InputError(f"DL needs {_LAYERS}, the sizes of the hidden layers: give that too")
    path, sizes = files[_LAYERS], []
    for number, words in lines_of(path):
        for word in words:
            if not re.fullmatch("[0-9]+", word) or not int(word):
                raise InputError(f"{path}, line {number}: {word!r} is no number of units or layers")
            sizes.append(int(word))
    if not sizes or len(sizes) != sizes[0] + 1:
        raise InputError(
            f"{path} holds the number of hidden layers, then the size of each; it has "
            f"{' '.join(map(str, sizes)) or 'nothing'}"
        )
    return sizes[1:]


def _read_data(path: Path, loss: _Loss) -> tuple[NDArray, NDArray, list[str]]:
    """Inputs and labels of the samples that the keyword asks for."""
    labels: list[int] = []
    rows: list[Any] = []
    left_out = 0
    for number, words in lines_of(path):
        if len(rows) == loss.n_data:
            left_out += 1
            continue
        where = f"{path}, line {number}"
        if len(words) < loss.first + loss.n_in:
            raise InputError(
                f"{where}: {len(words)} columns; a label and {loss.first + loss.n_in - 1} inputs "
                "are expected"
            )
        label, *values = map(fortran_number, words[: loss.first + loss.n_in])
        if label is None or label not in range(loss.n_out):
            raise InputError(f"{where}: {words[0]!r} is no label from 0 to {loss.n_out - 1}")
        if None in values:
            word = words[1 + values.index(None)]
            raise InputError(f"{where}: {word!r} is no finite number")
        labels.append(int(label))
        rows.append(values[loss.first - 1 :])
    if len(rows) < loss.n_data:
        raise InputError(f"{path} has {len(rows)} samples; {loss.keyword} asks for {loss.n_data}")
    notes = []
    if left_out:
        notes.append(f"the last {left_out} samples of {path} are left out, as {loss.keyword} says")
    return np.array(rows), np.array(labels, dtype=np.int64), notes
