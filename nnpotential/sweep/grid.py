"""A sweep's definition: any setting may be a list, and the grid is their product."""

import hashlib
import logging
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from inspect import Parameter
from itertools import combinations, islice, product
from math import prod
from pathlib import Path

from ..checks import check_choice, plain
from ..errors import InputError
from ..networks.datasets import DATASETS, GENERATED, load_dataset
from ..pulse import tell
from ..request import silent
from ..search.settings import SearchSettings
from ..systems.registry import (
    IMPORT_FIRST,
    SYSTEMS,
    is_system,
    named_system,
    registered_module,
)
from .point import DEFAULTS, Point, default_settings, is_file, point_request

__all__ = ["Grid", "read_definition"]

MOST_POINTS = 10**6
_ALL_CHECKED = 2000  # systems beyond which pairs of values are checked, not all combinations
_LONGEST = 150  # of a directory's name
_SAMPLES = 100  # of made data, enough to see inputs and classes
# settings whose value is a list itself: one of them is an axis only as a list of lists
_LISTS = ("network.hidden", "search.initializations")
_SECTIONS = ("system", *DEFAULTS)
_TOP = ("seed", "zip", "slurm", *_SECTIONS)


def read_definition(path):
    """The definition in a TOML file; data files are found from its folder.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            definition = tomllib.load(file)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from None
    dataset = definition.get("dataset")
    if isinstance(dataset, dict) and "name" in dataset:
        names = dataset["name"]
        many = isinstance(names, list)
        found = [_beside(path, name) for name in (names if many else [names])]
        dataset["name"] = found if many else found[0]
    return definition


def _beside(path, name):
    return str(path.resolve().parent / name) if is_file(name) and Path(name).suffix else name


@dataclass(frozen=True)
class _Axis:
    """What varies together: one setting, or several of a zip."""

    names: tuple  # "section.key", or "seed"
    values: tuple  # of each step a tuple, one value a name

    @cached_property
    def labels(self):
        """What a directory's name says of each step."""
        return ["_".join(map(_label, self.names, step)) for step in self.values]

    def check_labels(self):
        seen = {}
        for label, step in zip(self.labels, self.values, strict=True):
            other = seen.setdefault(label.casefold(), step)
            if other is not step:
                hint = ", or rename its file" if any(map(is_file, step)) else ""
                raise InputError(
                    f"{' with '.join(self.names)}: {_shown(other)} and {_shown(step)} would have "
                    f"one name, {label!r}: leave one out{hint}"
                )


def _shown(step):
    return repr(step[0]) if len(step) == 1 else repr(list(step))


def _label(name, value):
    """What a directory's name says of a setting."""
    key = name.split(".")[-1]
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, list):
        text = "x".join(_label("", entry) for entry in value) or "none"
    elif isinstance(value, str):
        stem = Path(value).stem if is_file(value) and Path(value).suffix else value
        text = re.sub(r"[^\w+-]", "_", stem)
    else:
        text = re.sub(r"[^\w+.-]", "_", str(value))
    return text if key in ("", "name") else f"{key}-{text}"


class Grid:
    """The points of a sweep, made where they are asked for; a sequence.

    Parameters
    ----------
    definition : dict
        As in SWEEP.toml.

    Raises
    ------
    InputError
        If anything of it is wrong, before any work.
    """

    def __init__(self, definition):
        definition = plain(definition)
        _check_keys(definition)
        self.definition = definition
        self.slurm = definition.get("slurm", {})
        self._fixed, lists = _split(definition)
        self.axes = _zipped(lists, definition.get("zip", False))
        if len(self) > MOST_POINTS:
            shape = " x ".join(str(len(axis.values)) for axis in self.axes)
            raise InputError(
                f"the grid has {shape} = {len(self)} points; at most {MOST_POINTS} are possible: "
                "shorten the lists, or zip some of them"
            )
        for axis in self.axes:
            axis.check_labels()
        self._sizes = {}
        self._check_search()
        self._check_systems()

    def __len__(self):
        return prod(len(axis.values) for axis in self.axes)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._point(index)

    def __iter__(self):
        return map(self._point, range(len(self)))

    def _steps(self, index):
        steps = []
        for axis in reversed(self.axes):  # the last varies fastest
            index, step = divmod(index, len(axis.values))
            steps.append(step)
        return steps[::-1]

    def _point(self, index):
        steps = self._steps(index)
        settings = self._settings(steps)
        label = "_".join(axis.labels[step] for axis, step in zip(self.axes, steps, strict=True))
        if len(label) > _LONGEST:
            digest = hashlib.sha256(label.encode()).hexdigest()[:8]
            label = f"{label[:_LONGEST]}_{digest}"
        name = settings.get("dataset", {}).get("name")
        sha256 = _checksum(name) if is_file(name) else None
        return Point(index, label or "point", settings, sha256)

    def _settings(self, steps):
        settings = {k: dict(v) if isinstance(v, dict) else v for k, v in self._fixed.items()}
        for axis, step in zip(self.axes, steps, strict=True):
            for name, value in zip(axis.names, axis.values[step], strict=True):
                section, _, key = name.rpartition(".")
                if section:
                    settings.setdefault(section, {})[key] = value
                else:
                    settings[key] = value
        return settings

    def size(self, point):
        """The numbers of parameters and of training samples of a point, None where it has none."""
        settings = {k: v for k, v in point.settings.items() if k not in ("seed", "search")}
        key = repr(settings)
        if key not in self._sizes:
            system = _small_system(settings)
            data = getattr(system, "data", None)
            n_samples = None
            if data is not None:
                asked = settings["dataset"].get("n_train")
                made = settings["dataset"]["name"] in GENERATED
                n_samples = (asked or 1000) if made else len(data.X_train)
            self._sizes[key] = (int(system.n_dof), n_samples)
        return self._sizes[key]

    @staticmethod
    def module(point):
        """The module that registers the kind of system of a point, None for ours."""
        return _module(point.settings.get("system", {}).get("name"))

    @property
    def modules(self):
        """The modules that register the kinds of its systems, besides ours."""
        names = self.definition.get("system", {}).get("name")
        found = map(_module, names if isinstance(names, list) else [names])
        return sorted(set(found) - {None})

    def _check_search(self):
        for settings in self._combinations({"search"}):
            with _blaming(settings, "search"):
                SearchSettings.given(**settings.get("search", {}))

    def _check_systems(self):
        sections = {"system", "dataset", "network", "potential"}
        for i, settings in enumerate(self._combinations({"seed", *sections})):
            tell("the grid is checked", i, unit="systems")
            with _blaming(settings, *sections):
                self.size(Point(0, "", settings))
        starts = {}
        for settings in self._combinations({"system", "search"}):
            search = SearchSettings(**settings.get("search", {}))
            if search.initializations is not None:
                with _blaming(settings, "search"):
                    key = repr(settings.get("system"))
                    if key not in starts:
                        starts[key] = _small_system(settings)
                    search.of(starts[key])

    def _combinations(self, sections):
        """Settings with all combinations of values of some sections, all else as at the first.

        Where these are too many, all pairs of values.
        """
        first = [0] * len(self.axes)
        vary = [
            i
            for i, axis in enumerate(self.axes)
            if {name.split(".")[0] for name in axis.names} & sections
        ]
        # seeds change no system, but a wrong one is to be found
        seeds = [i for i in vary if self.axes[i].names == ("seed",)]
        vary = [i for i in vary if i not in seeds]
        for i in seeds:
            for value in self.axes[i].values:
                _check_seed(value[0])
        lengths = [len(self.axes[i].values) for i in vary]
        if prod(lengths) <= _ALL_CHECKED or len(vary) < 2:
            groups = [vary]
        else:
            groups = list(map(list, combinations(vary, 2)))
        seen = set()
        for group in groups:
            for choice in product(*(range(len(self.axes[i].values)) for i in group)):
                steps = list(first)
                for i, step in zip(group, choice, strict=True):
                    steps[i] = step
                if tuple(steps) not in seen:
                    seen.add(tuple(steps))
                    yield self._settings(steps)


def _module(name):
    module = registered_module(name) if name is not None else None
    return None if module == "__main__" else module


def _check_keys(definition):
    for key, value in definition.items():
        check_choice("setting", key, _TOP)
        if key in (*_SECTIONS, "slurm") and not isinstance(value, dict):
            raise InputError(f"{key} must be a section, as in [{key}], not {value!r}")
        if key in ("seed", "zip") and isinstance(value, dict):
            raise InputError(f"{key} stands at the top of the file; it is no section")
    if ("name" in definition.get("system", {})) == ("name" in definition.get("dataset", {})):
        raise InputError(
            "name what to map: [dataset] name for a network (one of "
            f"{', '.join(DATASETS)}, or a file), or [system] name ({', '.join(SYSTEMS)}), not both"
        )
    if "system" in definition:
        for section in ("dataset", "network", "potential"):
            if section in definition:
                raise InputError(f"[{section}] is for networks; with [system] leave it out")
        _check_system_keys(definition["system"])
    for section in DEFAULTS:
        for key in definition.get(section, {}):
            check_choice(f"setting of [{section}]", key, DEFAULTS[section])


def _check_system_keys(section):
    names = section["name"] if isinstance(section["name"], list) else [section["name"]]
    for name in names:
        if isinstance(name, str) and name in DATASETS:
            raise InputError(f"{name} is a data set: name it under [dataset]")
        if not is_system(name):
            try:
                check_choice("system", name, SYSTEMS)
            except InputError as error:
                raise InputError(f"{error}; one of your own: {IMPORT_FIRST}") from None
        known = default_settings({"system": {"name": name}})["system"]
        for key in section:
            check_choice(f"setting of {name}", key, known)
        for key, default in known.items():
            if default is Parameter.empty and key not in section:
                raise InputError(f"[system] {key} is missing: {name} needs it")


def _split(definition):
    """What is fixed, and the lists by name, the seeds last."""
    fixed, lists = {}, {}
    for section in _SECTIONS:
        for key, value in definition.get(section, {}).items():
            name = f"{section}.{key}"
            values = _values(name, value, _is_list(definition, section, key))
            if values is None:
                fixed.setdefault(section, {})[key] = value
            else:
                lists[name] = values
    seed = definition.get("seed", 0)
    if (seeds := _values("seed", seed, False)) is None:
        _check_seed(seed)
        fixed["seed"] = seed
    else:
        lists["seed"] = seeds
    return fixed, lists


def _check_seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed must be an integer not below 0, or a list of these, not {seed!r}")


def _is_list(definition, section, key):
    """Whether one value of a setting is a list."""
    if section == "system" and key != "name":
        names = definition["system"]["name"]
        name = names[0] if isinstance(names, list) and names else names
        return isinstance(default_settings({"system": {"name": name}})["system"][key], tuple | list)
    return f"{section}.{key}" in _LISTS


def _values(name, value, is_list):
    """The values of an axis, or None where a setting is one value."""
    if not isinstance(value, list):
        if is_list:
            raise InputError(f"{name} must be a list, not {value!r}")
        return None
    if not value:
        hint = " (no hidden layer is hidden = [[]])" if name == "network.hidden" else ""
        raise InputError(f"{name} is an empty list: give at least one value{hint}")
    nested = [isinstance(entry, list) for entry in value]
    if is_list and not any(nested):
        return None
    if any(nested) and not (is_list and all(nested)):
        raise InputError(
            f"{name} mixes lists and single values: {value!r}"
            if is_list
            else f"{name} must be one value, or a list of values; {value!r} holds lists"
        )
    return value


def _zipped(lists, zipped):
    """The axes: a group of the zip each, or one list."""
    groups = _groups(lists, zipped)
    axes, done = [], set()
    for name in lists:
        if name in done:
            continue
        group = next((group for group in groups if name in group), [name])
        lengths = {member: len(lists[member]) for member in group}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{member} has {n}" for member, n in lengths.items())
            raise InputError(f"zip needs lists of one length: {told}")
        done |= set(group)
        steps = zip(*(lists[member] for member in group), strict=True)
        axes.append(_Axis(tuple(group), tuple(steps)))
    return axes


def _groups(lists, zipped):
    if zipped is False:
        return []
    if zipped is True:  # seeds are an axis of their own
        return [[name for name in lists if name != "seed"]]
    wrong = InputError(
        "zip must be true, or a list of groups such as "
        f'[["network.hidden", "dataset.n_train"]], not {zipped!r}'
    )
    if not isinstance(zipped, list) or not zipped:
        raise wrong
    if all(isinstance(name, str) for name in zipped):
        zipped = [zipped]
    groups = []
    for group in zipped:
        if not isinstance(group, list) or not all(isinstance(name, str) for name in group):
            raise wrong
        groups.append([_listed(name, lists) for name in group])
    members = [name for group in groups for name in group]
    for name in members:
        if members.count(name) > 1:
            raise InputError(f"zip names {name} twice")
    return groups


def _listed(name, lists):
    """The full name of a list that a zip names, with or without its section."""
    found = [full for full in lists if name in (full, full.split(".")[-1])]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"zip names {name!r}, which may be {' or '.join(found)}")
    close = get_close_matches(name, lists, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"lists are {', '.join(lists) or 'none'}"
    raise InputError(f"zip names {name!r}, which is no list here: {hint}")


class _blaming:
    """Say of which settings a complaint is."""

    def __init__(self, settings, *sections):
        self._told = ", ".join(
            f"{section}.{key} = {value!r}"
            for section in sorted(sections)
            for key, value in islice(settings.get(section, {}).items(), 12)
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, InputError):
            raise InputError(f"{error} (in the point with {self._told})") from error


_load = lru_cache(maxsize=8)(load_dataset)


def _small_system(settings):
    """The system of a point, on few samples where its data are made: it has the same shape."""
    settings = {**settings, "seed": 0}
    system = settings.get("system")
    if system is not None:
        name = system["name"]
        options = {key: value for key, value in system.items() if key != "name"}
        return named_system(name, **options)
    dataset = dict(settings["dataset"])
    if dataset["name"] in GENERATED:
        for size, most in (("n_train", _SAMPLES), ("n_test", 10)):
            asked = dataset.get(size, most)
            dataset[size] = min(asked, most) if type(asked) is int else asked
    with silent(logging.getLogger(load_dataset.__module__)):  # the points themselves say it
        return point_request({**settings, "dataset": dataset}, load=_load).system()[0]


@lru_cache(maxsize=1024)
def _checksum(name):
    try:
        return hashlib.sha256(Path(name).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from None
