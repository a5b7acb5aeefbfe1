"""Trained networks in files: arrays of NumPy, state dicts of torch, safetensors. No pickles."""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import Array
from ..errors import InputError

__all__ = ["MODEL_FILES", "read_model"]

_UNSAFE = (".pkl", ".pickle", ".joblib", ".skops")
_NESTED = ("state_dict", "model_state_dict", "model")  # where checkpoints have it


def read_model(path: Path, shapes: dict[str, tuple[int, ...]]) -> Array:
    """The parameter vector of a network in a file.

    Parameters
    ----------
    path : pathlib.Path
        By its suffix one of `MODEL_FILES`: the vector itself, or arrays of weights and
        biases, layer by layer, in the shapes of ``torch.nn.Linear``. Parameters of the
        landscape's names are taken by name, others in their order.
    shapes : dict of str to tuple of int
        Of the landscape's parameters, in the order of the vector.

    Returns
    -------
    ndarray, shape (n_parameters,)

    Raises
    ------
    InputError
        In one line, if the file cannot be read without trust, is of another network, or
        holds numbers that are not finite.
    """
    if path.suffix in _UNSAFE:
        raise InputError(
            f"{path} is a pickle, and to read one can run any program: where you trust it, convert "
            "it in Python, by nnpotential.from_sklearn(net, model) for instance, and "
            "numpy.save('model.npy', x)"
        )
    if path.suffix not in MODEL_FILES:
        raise InputError(f"{path} is of no known kind: a model is one of {', '.join(MODEL_FILES)}")
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        arrays = MODEL_FILES[path.suffix](path)
    except InputError:
        raise
    except Exception as error:  # zipfile, torch and safetensors raise many kinds
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be read: {type(error).__name__}: {why}") from None
    x = _vector(path, arrays, shapes)
    if not np.isfinite(x).all():
        at = int(np.flatnonzero(~np.isfinite(x))[0])
        raise InputError(f"{path}: parameter {at} is {x[at]}: all must be finite")
    return x


def _vector(path: Path, arrays: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> Array:
    if set(arrays) == set(shapes):
        arrays = {name: arrays[name] for name in shapes}
    parts = list(arrays.values())
    for name, part in arrays.items():
        if part.dtype.kind not in "fiu":
            raise InputError(f"{path}: {name or 'the array'} is of no real numbers ({part.dtype})")
    n = sum(int(np.prod(shape)) for shape in shapes.values())
    found, wanted = [part.shape for part in parts], list(shapes.values())
    if found not in ([(n,)], wanted):
        raise InputError(
            f"{path} holds {_shown(found)}; the landscape's networks have {_shown(wanted)}, or as "
            f"one vector {n}"
        )
    return np.concatenate([part.ravel() for part in parts]).astype(np.float64)


def _shown(shapes: list[tuple[int, ...]]) -> str:
    text = ", ".join("x".join(map(str, shape)) or "one number" for shape in shapes[:12])
    return (text or "nothing") + (", ..." if len(shapes) > 12 else "")


def _npy(path: Path) -> dict[str, Any]:
    return {"": _plain(path, lambda: np.load(path, allow_pickle=False))}


def _npz(path: Path) -> dict[str, Any]:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is no npz file")
    with np.load(path, allow_pickle=False) as file:
        return _plain(path, lambda: dict(file))


def _plain(path: Path, load: Callable[[], Any]) -> Any:
    """What NumPy loads, without its advice to trust what is no plain array."""
    try:
        return load()
    except ValueError:
        raise InputError(f"{path} holds no plain arrays of numbers, as of numpy.save") from None


def _torch(path: Path) -> dict[str, Any]:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path} needs torch, which cannot be imported ({error}): pip install "
            "'nnpotential[torch]'"
        ) from None
    try:
        with warnings.catch_warnings(action="ignore"):  # the line below says it all
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # of many kinds, with advice to trust the file
        raise InputError(
            f"{path} is no state dict that torch reads without trust (weights_only=True): save one "
            "by torch.save(module.state_dict(), path)"
        ) from None
    for name in _NESTED:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if isinstance(found, torch.Tensor):
        found = {"": found}
    if not isinstance(found, dict) or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise InputError(
            f"{path} holds no state dict: save one by torch.save(module.state_dict(), path)"
        )
    return {
        str(name): (value.double() if value.is_floating_point() else value).detach().numpy()
        for name, value in found.items()
    }


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise InputError(f"{path} needs the package safetensors: pip install safetensors") from None
    return load_file(path)


# by suffix, how a file is read
MODEL_FILES: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".pt": _torch,
    ".pth": _torch,
    ".safetensors": _safetensors,
}
