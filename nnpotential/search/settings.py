"""How much to search: each option once, with its default, its meaning and what it may be."""

from dataclasses import Field, asdict, dataclass, field, fields, replace
from textwrap import fill
from typing import Any, Self

from ..checks import check_choice, check_integer, check_number
from ..contract import LandscapeSystem
from ..errors import InputError

__all__ = [
    "AUDIT_SAMPLE",
    "AUTO",
    "STAGES",
    "WALKS_TIMES_COORDINATES",
    "SearchSettings",
    "option_text",
]

STAGES = ("minima", "connections", "audit")

AUTO = "auto"  # of an option that the search chooses as it goes, where None cannot be written

AUDIT_SAMPLE = 20
TRIALS = 12  # connections of neighbours, and so many more for each join, that tell that they fail
ASTRAY = 6  # of these, where bands shorten no way, tell as much
GROWN_MINIMA = 300  # where they do not
GROWN_MODES = 3  # of each minimum, both ways

# What a search spends on further transition states that was not told: 500 walks of eight atoms.
WALKS_TIMES_COORDINATES = 12_000


# Minima that a search joins which was not told, times the cube of the coordinates: a path
# between two costs about so much more. Four of 760 coordinates, 100 of 260.
_JOINED_TIMES_CUBE = 1_800_000_000
_LEAST_JOINED = 2
_ATTEMPTS_EACH = 4  # to lower their barriers, at most, where no number is given


def _option(default: Any, text: str, *stages: str, **what: Any) -> Any:
    return field(default=default, metadata={"text": text, "stages": stages, **what})


@dataclass(frozen=True)
class SearchSettings:
    """How much to search; whatever is wrong is an `InputError`.

    An integer that may be None may be `AUTO` as well.

    Parameters
    ----------
    """

    quenches: int = _option(100, "Independent quenches from random starts.", "minima", least=0)
    until_coverage: float = _option(
        0.0,
        "Where above 0, as in 0.95, quenches go on beyond that number until the Good-Turing "
        "coverage is at least this; given up where a hundred quenches found no minimum.",
        "minima",
    )
    initializations: tuple | None = _option(
        None,
        "How random starts of quenches are drawn, in turn: names among the starts of the system, "
        "by default all.",
        "minima",
    )
    basin_hopping_runs: int = _option(
        5, "Basin-hopping runs, each from a random start of its own.", "minima", least=0
    )
    basin_hopping_steps: int = _option(20, "Steps of each basin-hopping run.", "minima", least=0)
    connection_attempts: int = _option(
        6,
        "Partners tried for a group of minima that is not connected to the lowest.",
        "connections",
        least=0,
    )
    joined: int | None = _option(
        None,
        "Minima that have to be joined to the lowest: the first so many that quenches found, an "
        "independent sample. Barriers and their audit are of these. By default as many as "
        f"{_JOINED_TIMES_CUBE:g}, divided by the cube of the number of coordinates, allow, at "
        f"least {_LEAST_JOINED}: all of a small landscape, 4 where there are 760 coordinates.",
        *STAGES,
        least=1,
        later=True,
    )
    untrap_attempts: int | None = _option(
        None,
        "Attempts in all to lower the barriers of the minima that quenches found, or that were "
        "grown: bands across their highest transition states, walks uphill from behind them, bands "
        "between neighbours. By default until another round of them gains less than two per cent, "
        f"at most {_ATTEMPTS_EACH} for each minimum that is joined by default.",
        "connections",
        least=0,
    )
    audit_sample: int = _option(
        AUDIT_SAMPLE,
        "Bottlenecks that are audited at the end, drawn by the sum of the barriers that they "
        "make: each gets eight attempts more, and how far these barriers fall tells how far all "
        "may still fall.",
        "audit",
        least=0,
    )
    until_barrier: float = _option(
        0.0,
        "Where above 0, as in 0.05, barriers are lowered, beyond that number of attempts, until "
        "the audit expects their mean to fall by no more than this share.",
        "audit",
    )
    soft_modes: int | None = _option(
        None,
        "Softest modes of every minimum followed uphill, both ways, for further transition states. "
        f"By default as many as {WALKS_TIMES_COORDINATES} walks, divided by the number of "
        "coordinates, allow: all of a small landscape, where bands between images of one minimum "
        "then follow until they find nothing new, and none of a large one. Where the landscape "
        f"is grown, those of each minimum that growth walks from, {GROWN_MODES} by default.",
        "connections",
        least=0,
    )
    grow: int | None = _option(
        None,
        "Where above 0, soft modes are followed not from every minimum, but from the lowest minima "
        "that are joined to the lowest of all, until such walks have reached this many: the "
        "surroundings of the lowest, connected by construction, and no independent sample. With "
        "quenches = 1 and no basin-hopping, all of the landscape. By default "
        f"{GROWN_MINIMA} where fewer than one in {TRIALS} of the connections joins what quenches "
        "found, else none.",
        "connections",
        least=0,
        later=True,
    )
    lookahead: int = _option(
        16,
        "Jobs under way at once; the landscape depends on it, so that it does not depend on the "
        "workers. Not below their number.",
        *STAGES,
        least=1,
    )

    def __post_init__(self) -> None:
        for option in fields(self):
            value, least = getattr(self, option.name), option.metadata.get("least")
            if least is None:
                continue
            if isinstance(value, str) and value == AUTO and option.default is None:
                value = None
            if (value, option.default) != (None, None):
                value = check_integer(option.name, value, least)
            object.__setattr__(self, option.name, value)
        for name in ("until_coverage", "until_barrier"):
            share = check_number(
                name, getattr(self, name), "at least 0 and below 1", lambda share: 0 <= share < 1
            )
            object.__setattr__(self, name, share)
        if self.until_barrier and not self.audit_sample:
            raise InputError(
                f"until_barrier = {self.until_barrier:g} needs the audit: audit_sample must be at "
                "least 1, not 0"
            )
        if self.grow and self.soft_modes == 0:
            raise InputError(
                f"grow = {self.grow} needs walks: soft_modes must be at least 1, not 0"
            )
        if self.initializations is None:
            return
        try:
            names = () if isinstance(self.initializations, str) else tuple(self.initializations)
        except TypeError:
            names = ()
        if not names:
            raise InputError(
                f"initializations must be a list of names, not {self.initializations!r}"
            )
        object.__setattr__(self, "initializations", names)

    @classmethod
    def given(cls, **options: Any) -> Self:
        """Settings from options by name, as a user gave them.

        Raises
        ------
        InputError
            If there is no option of a name, or a value is wrong.
        """
        unknown = sorted(set(options) - {option.name for option in fields(cls)})
        if unknown:
            raise InputError(f"unknown search setting {unknown[0]!r}")
        return cls(**options)

    def of(self, system: LandscapeSystem) -> Self:
        """The settings for a system, whose starts are named; by default all of them.

        Raises
        ------
        InputError
            If it has no start of a name.
        """
        starts = tuple(system.starts)
        names = starts if self.initializations is None else self.initializations
        return replace(
            self,
            initializations=tuple(check_choice("initialization", name, starts) for name in names),
        )

    def n_to_grow(self, apart: bool) -> int:
        """How many minima growth is to reach, by default some where quenches stay apart."""
        if self.grow is None:
            return GROWN_MINIMA if apart and self.soft_modes != 0 else 0
        return self.grow

    @property
    def grown_modes(self) -> int:
        """How many modes of a minimum growth follows."""
        return GROWN_MODES if self.soft_modes is None else self.soft_modes

    def n_joined(self, n_dof: int) -> int:
        """How many minima of so many coordinates have to be joined, at most."""
        return _affordable(n_dof) if self.joined is None else self.joined

    def n_untrap_attempts(self, n_dof: int) -> int:
        """How many attempts to lower barriers there may be, whatever they gain."""
        if self.untrap_attempts is None:
            return _ATTEMPTS_EACH * _affordable(n_dof)
        return self.untrap_attempts

    def check_workers(self, workers: int) -> None:
        """Refuse more workers than there are jobs under way."""
        if workers > self.lookahead:
            raise InputError(
                f"{workers} workers need a lookahead of at least as many, not {self.lookahead}: "
                "raise lookahead, or take fewer workers"
            )

    def as_toml(self) -> dict[str, Any]:
        """The section ``[search]`` of ``settings.toml``, `AUTO` for what was left to the search."""
        entries = {name: AUTO if v is None else v for name, v in asdict(self).items()}
        return {**entries, "initializations": list(self.initializations or ())}


def _affordable(n_dof: int) -> int:
    return max(_LEAST_JOINED, _JOINED_TIMES_CUBE // n_dof**3)


def option_text(option: Field[Any]) -> str:
    """What a field of `SearchSettings` means, and its default where that is a figure."""
    default = f" [default: {option.default:g}]" if option.default is not None else ""
    return option.metadata["text"] + default


def _documented(cls: type) -> None:
    indent = " " * 8
    entries = (
        f"    {option.name} : {getattr(option.type, '__name__', option.type)}\n"
        + fill(option_text(option), 84, initial_indent=indent, subsequent_indent=indent)
        for option in fields(cls)
    )
    cls.__doc__ = (cls.__doc__ or "").rstrip() + "\n" + "\n".join(entries) + "\n"


_documented(SearchSettings)
