"""What is installed is what was built: metadata, and the files of packages."""

import re
import tomllib
from pathlib import Path

import pytest

from nnpotential import _kernel

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pele_of(requirements):
    (found,) = (r for r in requirements if r.startswith("pele"))
    return found


def test_the_pele_of_the_build_is_that_of_the_installation():
    pin = f"pele=={_kernel.PELE_VERSION}"
    assert pele_of(PROJECT["build-system"]["requires"]) == pin
    assert pele_of(PROJECT["project"]["dependencies"]) == pin


@pytest.mark.skipif(not (ROOT / "conda").is_dir(), reason="the source is not here")
def test_the_conda_recipe_asks_for_what_the_package_asks():
    recipe = (ROOT / "conda" / "recipe.yaml").read_text("utf-8")
    context = dict(re.findall(r'^  (\w+): "(.*)"$', recipe, re.MULTILINE))
    assert context["version"] == PROJECT["project"]["version"]
    assert context["pele"] == _kernel.PELE_VERSION
    run = recipe.partition("\n  run:\n")[2].partition("\n\n")[0]
    asked = {line.split("#")[0].strip(" -") for line in run.splitlines()}
    for requirement in PROJECT["project"]["dependencies"]:
        name, relation, version = re.match(r"([\w-]+)([=>]=)(.+)", requirement).groups()
        name = {"matplotlib": "matplotlib-base"}.get(name, name)
        version = "${{ pele }}" if name == "pele" else version
        assert f"{name} {relation}{version}" in asked
