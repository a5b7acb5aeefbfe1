"""Every block of code in README.md and docs/ runs, and the site builds without a warning."""

import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from unittest import SkipTest

import pytest

import nnpotential as nnp
from nnpotential.cli import main

pytest.importorskip("sybil", reason="the extra [docs] is not installed")
from sybil import Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _shell(example):
    """Commands of ours, in this process: most of the time of one is its start."""
    for line in filter(None, example.parsed.replace("\\\n", "").splitlines()):
        program, *arguments = shlex.split(line, comments=True)
        assert program == "nnpotential", f"not run by this test: {line}"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stop:
            patch.setattr(sys, "argv", ["nnpotential", *arguments])
            main()
        assert not stop.value.code, line


def _settings(example):
    """Is TOML; if it begins with the name of a file, that file."""
    tomllib.loads(example.parsed)
    name = example.parsed.partition("\n")[0].removeprefix("# ")
    if name.endswith(".toml"):
        Path(name).write_text(example.parsed, encoding="utf-8")


RUN = {"sh": _shell, "toml": _settings}
PARSERS = [PythonCodeBlockParser(), SkipParser()]
PARSERS += [CodeBlockParser(language, run) for language, run in RUN.items()]


def _run(page):
    """Run a page's blocks here; returns how many ran, and why the others did not."""
    document = Sybil(PARSERS, path=str(page.parent)).parse(page)
    document.namespace["no_torch"] = find_spec("torch") is None
    ran, skipped = 0, []
    for example in document.examples():
        try:
            example.evaluate()
            ran += not isinstance(example.parsed, tuple)  # that is the mark of one to skip
        except SkipTest as reason:
            skipped.append(str(reason))
    return ran, skipped


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """What the tutorial left, where all other pages begin, and its count."""
    place = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return place, _run(TUTORIAL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_runs(page, tutorial, tmp_path, monkeypatch, record_property):
    place, counted = tutorial
    if page != TUTORIAL:
        monkeypatch.chdir(copytree(place, tmp_path / "reader"))
        counted = _run(page)
    ran, skipped = counted
    record_property("blocks", counted)  # the summary says them
    fences = [line.strip() for line in page.read_text("utf-8").splitlines() if "```" in line]
    blocks = [fence for fence in fences if fence[3:] in ("python", *RUN)]
    assert ran + len(skipped) == len(blocks)
    # what is in none of these languages is not run: output, and directives of the site
    assert {fence[3:] for fence in fences} - {"python", *RUN} <= {"", "text"} | {
        fence[3:] for fence in fences if fence.startswith("```{")
    }


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="the extra [docs] is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "-d", tmp_path / "trees"]
    done = subprocess.run(
        [*command, ROOT / "docs", tmp_path / "site"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    names = (tmp_path / "site" / "api.html").read_text("utf-8")
    for name in (*nnp.__all__, "TorchSystem"):
        assert f'id="nnpotential.{name}"' in names, name
