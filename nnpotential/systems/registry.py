"""Kinds of system by name, so that a landscape's directory says what it holds."""

import re
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from ..contract import LandscapeSystem
from ..errors import InputError

_Kind = TypeVar("_Kind", bound=type[Any])

__all__ = [
    "IMPORT_FIRST",
    "SYSTEMS",
    "import_user_module",
    "is_system",
    "named_system",
    "register",
    "registered_module",
    "system_class",
    "system_options",
]

_HOMES = {
    "network": ("networks.system", "NNSystem"),
    "lennard_jones": ("systems.clusters", "LennardJonesCluster"),
    "binary_lennard_jones": ("systems.glass", "BinaryLennardJones"),
    "linear_autoencoder": ("systems.functions", "LinearAutoencoder"),
    "egg_box": ("systems.functions", "EggBox"),
    "torch": ("systems.torch_system", "TorchSystem"),
}
# names as in 'nnpotential explore lj13': the kind, made with the number of atoms
_ATOMS = {"lj": "lennard_jones", "blj": "binary_lennard_jones"}

_FUNCTIONS = ("egg_box", "linear_autoencoder")

SYSTEMS = (*(f"{letters}N" for letters in _ATOMS), *_FUNCTIONS)  # N atoms; for messages

IMPORT_FIRST = (
    "first import the module that defines it and registers it by nnpotential.register; on the "
    "command line by 'nnpotential --import MODULE ...'"
)

_registered: dict[str, type[LandscapeSystem]] = {}


def register(system: _Kind) -> _Kind:
    """Make a kind of system known, so that its landscapes can be opened. A class decorator.

    Parameters
    ----------
    system : type
        A `LandscapeSystem` with a `kind` of its own.

    Raises
    ------
    InputError
        If the kind is taken by another class.
    """
    kind = getattr(system, "kind", None)
    if not isinstance(kind, str) or not kind:
        raise InputError(f"{system.__name__} needs a kind, the name that its landscapes carry")
    known = _registered.get(kind)
    same = known is not None and (known.__module__, known.__qualname__) == (
        system.__module__,
        system.__qualname__,
    )
    if kind in _HOMES or (known is not None and not same):
        raise InputError(f"the kind {kind!r} is taken: choose another for {system.__name__}")
    _registered[kind] = system
    return system


def system_class(kind: str) -> type[Any]:
    """The class of a kind of system.

    Raises
    ------
    InputError
        If the kind is unknown, or needs what is not installed.
    """
    if kind in _registered:
        return _registered[kind]
    if kind not in _HOMES:
        known = ", ".join([*_HOMES, *_registered])
        raise InputError(f"unknown kind of system {kind!r} (known: {known}): {IMPORT_FIRST}")
    module, name = _HOMES[kind]
    return getattr(import_module(f"nnpotential.{module}"), name)


def registered_module(kind: str) -> str | None:
    """The module of a kind of system that the user registered, None of any other."""
    return _registered[kind].__module__ if kind in _registered else None


def import_user_module(name: str) -> None:
    """Import a module, or a Python file, that registers systems.

    Its folder joins the path, so that workers find it too.

    Raises
    ------
    InputError
        If it cannot be imported, whatever it raised.
    """
    path = Path(name)
    if path.suffix == ".py":
        if not path.is_file():
            raise InputError(f"there is no file {name}")
        folder, name = path.parent, path.stem
    else:
        folder = Path()
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        module = import_module(name)
        if path.suffix == ".py" and Path(module.__file__ or "").resolve() != path.resolve():
            raise InputError(
                f"{path} has the name of another module ({module.__file__}): rename the file"
            )
    except BaseException as error:
        sys.path.remove(place)  # or else workers would find there what stands in for other modules
        if isinstance(error, InputError) or not isinstance(error, Exception):
            raise
        raise InputError(f"{name} cannot be imported ({type(error).__name__}: {error})") from error


def system_options(name: str) -> dict[str, Any]:
    """What may be set of a system that `named_system` makes: names, and what they are by default.

    An option without a default has `inspect.Parameter.empty`.
    """
    if name not in (*_FUNCTIONS, *_registered):
        return {}
    given = signature(system_class(name)).parameters.values()
    return {option.name: option.default for option in given if option.name != "seed"}


def _cluster(name: str) -> re.Match[str] | None:
    return re.fullmatch(r"(lj|blj)([0-9]+|\w)", name)


def is_system(name: object) -> bool:
    """Whether `named_system` knows a name, be there such a system or not."""
    known = (*_FUNCTIONS, *_registered)
    return isinstance(name, str) and (name in known or _cluster(name) is not None)


def named_system(name: str, seed: int = 0, **options: Any) -> LandscapeSystem | None:
    """The system that a name means, or None: ``lj13``, ``blj60``, ``egg_box`` and the like.

    Parameters
    ----------
    name : str
        Or the kind of a system that the user registered.
    seed : int
    **options
        Some of `system_options`.

    Raises
    ------
    InputError
        If there is no such system of that many atoms, or an option is wrong.
    """
    if name in (*_FUNCTIONS, *_registered):
        try:
            return system_class(name)(**options, seed=seed)
        except TypeError as error:
            raise InputError(f"{name} cannot be made: {error}") from error
    match = _cluster(name)
    if match is None:  # what only begins alike, such as ljat, is a data set
        return None
    letters, number = match.groups()
    if re.fullmatch("[0-9]+", number) is None:
        example = {"lj": "lj13", "blj": "blj60"}[letters]
        raise InputError(f"{name!r} is no cluster: give the number of atoms, as in {example}")
    return system_class(_ATOMS[letters])(int(number), seed=seed)
