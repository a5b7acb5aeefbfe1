"""The file ``settings.toml`` of a landscape: every setting as resolved."""

import tomllib

import tomli_w

from .errors import InputError
from .files import atomic_write

__all__ = [
    "DATABASE",
    "LANDSCAPE",
    "NETWORK",
    "SETTINGS",
    "check_same_settings",
    "is_network",
    "read_settings",
    "system_kind",
    "write_settings",
]

SETTINGS = "settings.toml"
DATABASE = "landscape.sqlite"  # beside it

# what a directory holds; of a network without coordinates also its section
LANDSCAPE, NETWORK = "landscape", "transition_network"
_SECTIONS = {LANDSCAPE: ("seed", "search", "versions"), NETWORK: (NETWORK, "versions")}


def write_settings(path, settings):
    """Write the settings of the landscape in a directory."""
    with atomic_write(path / SETTINGS, "wb") as file:
        tomli_w.dump(settings, file)


def is_network(path):
    """Whether a directory holds a network without coordinates."""
    try:
        return NETWORK in _read(path)
    except InputError:
        return False


def read_settings(path, kind=LANDSCAPE):
    """The settings of the landscape in a directory, or of what else it is to hold.

    Raises
    ------
    InputError
        If there is none, or they are damaged.
    """
    settings = _read(path)
    if kind == LANDSCAPE and NETWORK in settings:
        raise InputError(
            f"{path} is a network of stationary points without coordinates: 'graph', 'summary', "
            "'measures' and 'export' take it, what evaluates an energy does not"
        )
    for section in _SECTIONS[kind]:
        if section not in settings:
            raise InputError(f"{path / SETTINGS} lacks {section!r}")
    return settings


def system_kind(settings):
    """The kind of system that settings are of.

    Raises
    ------
    InputError
        If they name none.
    """
    section = settings.get("system", {"kind": "network"})  # 0.1.0 knew no other
    kind = section.get("kind") if isinstance(section, dict) else None
    if not isinstance(kind, str):
        raise InputError(f"{SETTINGS} must name the kind of system: [system] kind")
    return kind


def _read(path):
    if not path.exists():
        raise InputError(f"there is no landscape at {path}")
    if not path.is_dir():
        raise InputError(f"{path} is a file; a landscape is a directory")
    try:
        with open(path / SETTINGS, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise InputError(f"{path} is no landscape: it has no {SETTINGS}") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path / SETTINGS} cannot be read: {error}") from None


def check_same_settings(path, found, asked):
    """Refuse to continue a landscape under other settings.

    Parameters
    ----------
    path : path
    found, asked : dict
        Nested settings; of `asked` every entry must agree.

    Raises
    ------
    InputError
        That names the first difference.
    """
    found = {"system": {"kind": "network"}} | found
    for section, values in asked.items():
        if not isinstance(values, dict):
            section, values, there = None, {section: values}, found
        else:
            there = found.get(section, {})
        for name, value in values.items():
            if there.get(name) != value:
                label = f"{section}.{name}" if section else name
                raise InputError(
                    f"{path} is another landscape: there {label} = {there.get(name)!r}, "
                    f"asked for {value!r}; choose another --output"
                )
