"""Data flows one way through the package: no module imports what stands below it."""

import ast
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

import nnpotential

ROOT = Path(nnpotential.__file__).parent
# what each floor may import: itself, and all above it
FLOORS = (
    # what everybody may use, as it knows nothing of landscapes
    ("errors", "_kernel"),
    ("checks", "drawing", "interrupts", "pulse", "quiet", "resampling"),
    ("balls", "files"),
    ("pele_system",),
    ("contract", "findings"),
    # what is found, and where it is kept
    ("storage", "sessions", "index"),
    ("database", "lock", "settings"),
    ("networks",),
    ("systems",),
    ("points",),
    ("search",),
    ("verification",),
    ("analysis",),
    ("view",),
    ("exchange",),
    ("landscape",),
    ("request", "interchange", "sharing", "selftest"),
    ("graphs",),
    ("sweep",),
    ("study",),
    ("cli",),
    ("__init__", "__main__"),
)
# verification shares nothing but potential and identity with what found the points,
# and what searches, verifies, stores and draws knows the contract alone
ENGINE = (
    "pele_system",
    "contract",
    "findings",
    "storage",
    "points",
    "search",
    "verification",
    "analysis",
    "view",
)
APART = {part: {"networks", "systems"} for part in ENGINE}
APART["verification"] |= {"points"}

TESTS = Path(__file__).parent
# what is tested where it is used, in place of a module of tests of its own
ELSEWHERE = {
    "__main__": "test_cli.py",
    **{
        f"cli.{part}": "test_cli.py"
        for part in ["files", "locating", "looking", "mapping", "shared", "sweeps", "training"]
    },
    "errors": "test_checks.py",
    "networks.mlp": "networks/test_system.py",
    "search.joining": "analysis/test_locate.py",
    "search.preloaded": "search/test_workers.py",
    "systems.atoms": "systems/test_clusters.py",
    **{
        f"sweep.{part}": "sweep/test_run.py"
        for part in ["cost", "engines", "point", "progress", "records", "sweep", "table", "work"]
    },
    "view.paths": "analysis/test_paths.py",
    "view.sections": "analysis/test_sections.py",
    "view.canvas": "view/test_disconnectivity.py",
    **{
        f"view.{part}": "test_graphs.py"
        for part in ("annotations", "colouring", "insets", "options", "source")
    },
    "view.trends": "study/test_study.py",
    **{f"study.{part}": "study/test_study.py" for part in ("archetypes", "report", "rows")},
    "view.estimates": "analysis/test_estimates.py",
    "view.page": "view/test_report.py",
    "view.reach": "analysis/test_reach.py",
    "view.tables": "analysis/test_reach.py",
    **{f"view.gui_{part}": "view/test_gui.py" for part in ("browsers", "runs", "window")},
    **{
        f"systems.torch_{part}": "systems/test_torch.py"
        for part in ("potential", "program", "system", "tracing", "units")
    },
}


def home(name):
    return name.split(".")[0]


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield path, name


def imports(path, name):
    """Modules of the package that one imports, wherever in it that stands."""
    package = ".".join(["nnpotential", *name.split(".")[:-1]])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for full in names:
            if full.startswith("nnpotential."):
                yield existing(full.split(".")[1:])


def existing(parts):
    """The module that a dotted name leads to, also where its end is a name within it."""
    while parts:
        path = ROOT.joinpath(*parts)
        if path.with_suffix(".py").exists() or list(path.parent.glob(f"{path.name}.*.so")):
            return ".".join(parts)
        if (path / "__init__.py").exists():
            return ".".join([*parts, "__init__"])
        parts = parts[:-1]
    return "__init__"


def floor(name):
    [number] = [i for i, homes in enumerate(FLOORS) if home(name) in homes]
    return number


@pytest.mark.parametrize(("path", "name"), list(modules()), ids=[name for _, name in modules()])
def test_nothing_imports_what_stands_below_it(path, name):
    if name == "__main__":
        return
    for other in imports(path, name):
        if other != "__init__":  # the version, and public names found where they are used
            assert floor(other) <= floor(name), f"{name} imports {other}"
            assert home(other) not in APART.get(home(name), ())


def test_no_import_runs_in_circles():
    graph = {name: set(imports(path, name)) - {"__init__", name} for path, name in modules()}
    order = list(TopologicalSorter(graph).static_order())  # raises on a circle
    assert {"contract", "points.quench", "search.exploration", "cli.mapping"} <= set(order)


def test_a_module_that_imports_below_itself_is_found(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("def late():\n    from ..search import journal\n", encoding="utf-8")
    assert list(imports(path, "points.wrong")) == ["search.journal"]
    assert floor("search.journal") > floor("points.wrong")


@pytest.mark.parametrize("name", [n for _, n in modules() if not n.endswith("__init__")])
def test_tests_mirror_the_package(name):
    *folders, module = name.split(".")
    own = TESTS.joinpath(*folders, f"test_{module}.py")
    assert own.exists() or (TESTS / ELSEWHERE[name]).exists()
