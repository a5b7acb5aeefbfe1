"""Each search option: checked, documented, and the same on the command line."""

import tomllib
from dataclasses import fields

import numpy as np
import pytest
import tomli_w
import typer.main

from nnpotential import InputError
from nnpotential.cli import app
from nnpotential.search.settings import AUTO, STAGES, SearchSettings, option_text
from nnpotential.view.terminal import plan_text

OPTIONS = {option.name: option for option in fields(SearchSettings)}
COUNTS = {name: o.metadata["least"] for name, o in OPTIONS.items() if "least" in o.metadata}


def flag_of(name):
    """Of an option that may be given several times the name is in the singular."""
    return "--" + name.replace("_", "-").replace("initializations", "initialization")


@pytest.mark.parametrize(("name", "least"), COUNTS.items())
def test_counts_are_integers_not_below_their_least(name, least):
    assert getattr(SearchSettings(**{name: np.int16(least)}), name) == least
    for wrong, message in (
        (least - 1, f"^{name} must be at least {least}, not {least - 1}$"),
        (least + 0.5, f"^{name} must be an integer, not {least + 0.5}$"),
        (True, f"^{name} must be an integer, not True$"),
        ("7", f"^{name} must be an integer, not '7'$"),
        (AUTO, f"^{name} must be an integer, not 'auto'$"),
        (None, f"^{name} must be an integer, not None$"),
    ):
        if wrong in (None, AUTO) and OPTIONS[name].default is None:
            assert getattr(SearchSettings(**{name: wrong}), name) is None  # left to the search
            continue
        with pytest.raises(InputError, match=message):
            SearchSettings(**{name: wrong})


def test_settings_hold_every_option_and_give_the_same_again():
    for settings in (
        SearchSettings(initializations=["gaussian"]),
        SearchSettings(initializations=["gaussian"], soft_modes=0, joined=3),
    ):
        written = tomllib.loads(tomli_w.dumps(settings.as_toml()))
        assert set(written) == set(OPTIONS)
        assert SearchSettings(**written) == settings


def test_every_option_is_checked():
    """Of whatever kind: no field takes an object."""
    for name in OPTIONS:
        with pytest.raises(InputError, match=f"^{name} must be "):
            SearchSettings(**{name: object()})


@pytest.mark.parametrize("name", ["until_coverage", "until_barrier"])
@pytest.mark.parametrize("share", [-0.1, 1, 1.0, float("nan"), True, "0.5", None])
def test_no_share_of_one_or_more(name, share):
    with pytest.raises(InputError, match=rf"^{name} must be at least 0 and below 1, not "):
        SearchSettings(**{name: share})
    assert getattr(SearchSettings(**{name: 0.999}), name) == 0.999


def test_what_waits_for_the_audit_needs_one():
    with pytest.raises(InputError, match=r"^until_barrier = 0.05 needs the audit: audit_sample "):
        SearchSettings(until_barrier=0.05, audit_sample=0)
    assert SearchSettings(audit_sample=0).until_barrier == 0.0


def test_settings_of_older_landscapes():
    """They have a number of attempts and know of no audit."""
    old = {"quenches": 9, "untrap_attempts": 20, "lookahead": 16}
    search = SearchSettings.given(**old)
    assert search.untrap_attempts == 20
    assert search.audit_sample == SearchSettings().audit_sample and search.until_barrier == 0.0


def test_search_settings_are_plain():
    search = SearchSettings(quenches=np.int8(3), until_coverage=np.float16(0.5), lookahead=True + 1)
    assert type(search.quenches) is int
    assert type(search.until_coverage) is float


def test_starts_are_those_of_the_system(system):
    names = tuple(system.starts)
    assert SearchSettings().of(system).initializations == names
    chosen = SearchSettings(initializations=names[::-1]).of(system)
    assert chosen.initializations == names[::-1]
    assert SearchSettings(**chosen.as_toml()) == chosen
    with pytest.raises(InputError, match=r"^unknown initialization 'box': choose from "):
        SearchSettings(initializations=["box"]).of(system)


def test_unknown_options_are_refused():
    assert SearchSettings.given(quenches=3) == SearchSettings(quenches=3)
    with pytest.raises(InputError, match=r"^unknown search setting 'hops'$"):
        SearchSettings.given(quenches=3, hops=2)


def test_what_is_joined_by_default_falls_with_the_number_of_coordinates():
    search = SearchSettings()
    wanted = [search.n_joined(n) for n in (24, 120, 260, 760, 3466)]
    assert wanted == sorted(wanted, reverse=True) and wanted[-2:] == [4, 2]
    assert wanted[1] > 1000 and wanted[2] >= search.quenches  # all of a small landscape
    assert [search.n_untrap_attempts(n) for n in (760, 3466)] == [16, 8]
    assert SearchSettings(joined=40, untrap_attempts=3).n_joined(760) == 40
    assert plan_text(search, 120) is None
    assert "760 coordinates: the first 4 of the minima that 100 quenches" in plan_text(search, 760)
    assert SearchSettings(joined=40, untrap_attempts=3).n_untrap_attempts(760) == 3


def test_no_more_workers_than_jobs_under_way():
    search = SearchSettings(lookahead=3)
    search.check_workers(3)
    with pytest.raises(InputError, match="4 workers need a lookahead of at least as many, not 3"):
        search.check_workers(4)


@pytest.mark.parametrize("option", OPTIONS.values(), ids=list(OPTIONS))
def test_every_option_is_documented(option):
    """In the docstring by name, type, meaning and default."""
    _, _, entry = SearchSettings.__doc__.partition(f"\n    {option.name} : ")
    kind, *lines = entry.splitlines()
    assert kind == getattr(option.type, "__name__", str(option.type))
    text = option_text(option)
    written = "".join("".join(lines).split())  # lines may break at a hyphen
    assert written.startswith("".join(text.split()))
    if option.default is not None:
        assert text.endswith(f" [default: {option.default:g}]")
    assert option.metadata["stages"] and set(option.metadata["stages"]) <= set(STAGES)


@pytest.mark.parametrize(
    ("command", "stages"), [("explore", STAGES), ("connect", ("connections",))]
)
def test_the_command_line_has_one_option_for_each(command, stages):
    """With its own help, no default of its own, and none for other stages."""
    params = typer.main.get_command(app).commands[command].params
    for name, option in OPTIONS.items():
        found = [param for param in params if param.name == name]
        if not set(option.metadata["stages"]) & set(stages):
            assert not found
            continue
        [param] = found
        assert param.help.startswith(option_text(option))
        assert param.default is None
        assert param.opts == [flag_of(name)]
        assert param.multiple == (name == "initializations")


@pytest.mark.parametrize(("name", "least"), COUNTS.items())
def test_the_command_line_names_the_option_that_is_wrong(run, name, least):
    code, out, err = run("explore", "xor", flag_of(name), least - 1)
    assert code == 2 and out == ""
    assert flag_of(name) in err and len(err.splitlines()) == 1


def test_the_command_line_hands_them_on(run, tmp_path, monkeypatch):
    """Each as it was given, and only those that were given."""
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(
        "nnpotential.cli.mapping.SearchSettings", lambda **options: seen.append(options) or 1 / 0
    )
    given = {name: least + 2 for name, least in COUNTS.items()}
    given |= {"until_coverage": 0.25, "initializations": ["gaussian", "he_normal"]}
    arguments = []
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            arguments += [flag_of(name), each]
    for options, expected in ((arguments, given), (arguments[:2], {"quenches": 2})):
        with pytest.raises(ZeroDivisionError):
            run("explore", "xor", *options)
        assert seen.pop() == expected
