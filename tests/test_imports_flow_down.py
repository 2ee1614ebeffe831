"""Imports flow only downwards, as the drawing of the rooms says, and importing us loads nothing heavy."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]

# Each room and the other rooms it may use. A module is in the room with the longest matching name.
FOUNDATION = {
    "graphnas.configuration",
    "graphnas.data_directory",
    "graphnas.dry_run",
    "graphnas.errors",
    "graphnas.files",
    "graphnas.hyperparameters",
    "graphnas.importable",
    "graphnas.lazy",
    "graphnas.optional",
    "graphnas.seeds",
}
BUILDING = FOUNDATION | {"graphnas.graph", "search_spaces"}
MEASURING = BUILDING | {"graphnas.training"}
LEARNING = MEASURING | {"graphnas.evaluate", "graphnas.surrogate"}
SEARCHING = LEARNING | {"graphnas.autoencoders"}
METHODS = ("baselines", "graphbo", "graphpnas", "latent", "nasgem")
DOORS = SEARCHING | {"graphnas.methods"} | {f"graphnas.methods.{method}" for method in METHODS}
METHOD = SEARCHING | {"graphnas.methods"}
"""What a method may use: no method imports another's internals."""
ALLOWED: dict[str, set[str]] = {
    "graphnas.dry_run": set(),
    "graphnas.errors": set(),
    "graphnas.files": set(),
    "graphnas.lazy": set(),
    "graphnas.importable": {"graphnas.errors"},
    "graphnas.optional": {"graphnas.errors"},
    "graphnas.data_directory": {"graphnas.errors"},
    "graphnas.configuration": {"graphnas.errors"},
    "graphnas.seeds": {"graphnas.errors"},
    "graphnas.hyperparameters": {"graphnas.errors"},
    "graphnas.graph": FOUNDATION,
    "search_spaces": FOUNDATION | {"graphnas.graph"},
    "graphnas.training": BUILDING,
    "graphnas.evaluate": MEASURING,
    "graphnas.surrogate": BUILDING,
    "graphnas.autoencoders": MEASURING | {"graphnas.surrogate"},
    **{f"graphnas.methods.{method}": METHOD for method in METHODS},
    "graphnas.methods": SEARCHING | {f"graphnas.methods.{method}" for method in METHODS},
    "graphnas.plots": DOORS,
    "graphnas.timm": MEASURING,
    "graphnas.detection": MEASURING | {"graphnas.evaluate", "graphnas.plots"},
    "graphnas.export": MEASURING | {"graphnas.plots", "graphnas.timm"},
    "optuna_graphnas": DOORS | {"graphnas.plots"},
    "nni_graphnas": DOORS,
    "graphnas.cli": DOORS
    | {
        "graphnas",
        "graphnas.detection",
        "graphnas.export",
        "graphnas.plots",
        "optuna_graphnas",
        "nni_graphnas",
    },
    "graphnas.__main__": {"graphnas.cli"},
    # The package itself only re-exports.
    "graphnas": {"graphnas.graph", "graphnas.lazy", "graphnas.methods"},
}
HOSTS = {"optuna", "nni"}
HOSTS_ALLOWED = {"optuna_graphnas": {"optuna"}, "nni_graphnas": {"nni"}, "graphnas.cli": HOSTS}

PACKAGES = ("graphnas", "search_spaces", "optuna_graphnas", "nni_graphnas")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PROGRAMS = sorted(path for folder in ("benchmarks", "examples") for path in (ROOT / folder).rglob("*.py"))


def room_of(module: str) -> str:
    """The room a module of ours is in, or the first part of the name of anybody else's."""
    rooms = [room for room in ALLOWED if module == room or module.startswith(room + ".")]
    return max(rooms, key=len) if rooms else module.split(".")[0]


def imported(tree: ast.AST, package: str, *, types: bool = True) -> Iterator[tuple[int, str, str | None]]:
    """Line, module and imported name of all imports, those inside functions and by name included.

    Without ``types``, those under ``if TYPE_CHECKING`` are left out.
    """
    nodes = [tree]
    while nodes:
        node = nodes.pop(0)
        only_types = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        nodes += node.orelse if only_types and not types else ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            function = (
                node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            )
            first = node.args[0]
            if function in ("import_module", "require", "__import__", "importorskip") and isinstance(
                first, ast.Constant
            ):
                yield node.lineno, str(first.value), None


def used_rooms(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and room of each import; a name taken from a package counts where the package has it from."""
    for line, module, name in imported(ast.parse(source), package):
        homes = getattr(importlib.import_module(module), "_HOMES", {}) if module == "graphnas" else {}
        if name is not None and module in PACKAGES:
            yield line, room_of(homes.get(name, f"{module}.{name}"))
        else:
            yield line, room_of(module)


def complaints(source: str, module: str, package: str) -> list[str]:
    room = room_of(module)
    found = []
    for line, used in used_rooms(source, package):
        if used in ALLOWED and used != room and used not in ALLOWED[room]:
            found.append(f"line {line}: {room} imports {used}")
        if used in HOSTS and used not in HOSTS_ALLOWED.get(room, set()):
            found.append(f"line {line}: {room} imports {used}")
    return found


def names(path: Path) -> tuple[str, str]:
    """The dotted name of a module of ours and of the package it is in."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    package = ".".join(parts[:-1])
    return (package if parts[-1] == "__init__" else ".".join(parts)), package


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_never_point_up(path: Path):
    module, package = names(path)
    assert room_of(module) in ALLOWED
    assert module.count(".") == 0 or room_of(module) != "graphnas", (
        f"{module} is in no room: add it to ALLOWED"
    )
    assert complaints(path.read_text(encoding="utf-8"), module, package) == []


@pytest.mark.parametrize(
    ("source", "module", "expected"),
    [
        ("from graphnas.methods.base import SearchMethod", "graphnas.graph.wl", "graphnas.methods"),
        ("def f():\n    import search_spaces", "graphnas.graph.wl", "search_spaces"),
        ("from graphnas import SearchMethod", "search_spaces.x", "graphnas.methods"),
        ("from ..methods import base", "graphnas.graph.wl", "graphnas.methods"),
        ("import optuna.samplers", "graphnas.methods.x", "optuna"),
        ("from nni import nas", "search_spaces.x", "nni"),
        ("from graphnas.optional import require\nrequire('optuna', 'optuna')", "graphnas.plots.x", "optuna"),
        (
            "import importlib\nimportlib.import_module('graphnas.cli.main')",
            "optuna_graphnas.x",
            "graphnas.cli",
        ),
        ("import nni", "optuna_graphnas.x", "nni"),
    ],
)
def test_an_arrow_that_points_up_is_found(source, module, expected):
    (complaint,) = complaints(source, module, module.rpartition(".")[0])
    assert complaint.endswith(f"imports {expected}")


def test_arrows_that_point_down_are_not_complained_of():
    source = "from graphnas import SearchMethod\nfrom search_spaces import get_space\nimport optuna\n"
    assert complaints(source, "optuna_graphnas.sampler", "optuna_graphnas") == []


# ---------------------------------------------------------------- circles


def homes_in(source: str) -> dict[str, str]:
    """The module that each lazy name of a package comes from."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOMES":
            return ast.literal_eval(node.value)
    return {}


def import_graph(sources: dict[str, str], packages: set[str]) -> dict[str, set[str]]:
    """The modules that each module imports, anywhere in its code but for type checking.

    Args:
        sources: The code of each module of ours by its dotted name.
        packages: Which of them are packages.
    """
    homes = {name: homes_in(sources[name]) for name in packages}

    def home(module: str, name: str | None) -> str:
        if f"{module}.{name}" in sources:
            return f"{module}.{name}"
        if name in homes.get(module, {}):  # a lazy name counts as an import of the module that has it
            return home(homes[module][name], name)
        return module

    graph = {}
    for module, source in sources.items():
        package = module if module in packages else module.rpartition(".")[0]
        found = imported(ast.parse(source), package, types=False)
        graph[module] = {home(used, name) for _, used, name in found} & sources.keys() - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """The sets of modules that reach each other (strongly connected components of more than one)."""
    names = sorted(graph)
    reach = np.array([[to in graph[of] for to in names] for of in names])
    for k in range(len(names)):
        reach |= reach[:, [k]] & reach[[k]]
    mutual = reach & reach.T
    return {frozenset(np.array(names)[row].tolist()) for row in mutual if row.sum() > 1}


FLUENT = frozenset({"graphnas.graph.space", "graphnas.graph.restricted"})
"""``space.restricted_to(table)`` returns a subclass of the space's class."""


def test_imports_form_no_circles():
    sources = {names(path)[0]: path.read_text(encoding="utf-8") for path in MODULES}
    packages = {names(path)[0] for path in MODULES if path.stem == "__init__"}
    found = circles(import_graph(sources, packages))
    assert found == {FLUENT}


def test_a_circle_is_found():
    sources = {
        "p": "_HOMES = {'x': 'p.a'}",
        "p.a": "def f():\n    from p.b import g",
        "p.b": "from p import c, d",
        "p.c": "from p import x",
        "p.d": "if TYPE_CHECKING:\n    from p import a\nelse:\n    import p.e",
        "p.e": "import os",
    }
    graph = import_graph(sources, {"p"})
    assert graph["p.d"] == {"p.e"}
    assert circles(graph) == {frozenset({"p.a", "p.b", "p.c"})}


# ---------------------------------------------------------------- length and words


def test_modules_are_short():
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}
    assert np.median(list(lengths.values())) < 150


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings(path: Path):
    """A module opens with one sentence; no description of an argument begins with "Of"."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    opening = (ast.get_docstring(tree) or "").partition("\n\n")[0]
    assert opening.endswith(".")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        text = (ast.get_docstring(node) or "") if isinstance(node, documented) else ""
        assert not re.findall(r"^ +\w+: Of .*", text, re.MULTILINE), f"{path.name}, line {node.lineno}"


PAPERS = ("nasgem", "pnas", "dvae", "vsgae", "svae")


@pytest.mark.parametrize("folder", ["graphnas/surrogate", "graphnas/methods/graphbo"])
def test_what_methods_share_bears_no_name_of_a_paper(folder):
    for path in (ROOT / folder).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        for name in (path.stem, *classes):
            assert not any(paper in name.lower() for paper in PAPERS), f"{path}: {name}"


def private_names(source: str) -> list[str]:
    """Names of ours that begin with an underscore and are imported or reached for."""
    tree = ast.parse(source)
    found = []
    ours: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            ours |= {
                alias.asname or alias.name.split(".")[0]
                for alias in node.names
                if alias.name.split(".")[0] in PACKAGES
            }
    for line, module, name in imported(tree, ""):
        if module.split(".")[0] in PACKAGES:
            parts = [*module.split("."), *([name] if name else [])]
            found += [f"line {line}: {'.'.join(parts)}" for part in parts if part.startswith("_")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            base = node.value
            while isinstance(base, ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name) and base.id in ours:
                found.append(f"line {node.lineno}: {node.attr}")
    return found


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_benchmarks_and_examples_use_only_public_names(path: Path):
    assert private_names(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from graphnas.graph.wl import _PAIRS",
        "from search_spaces._hidden import thing",
        "import graphnas\ngraphnas._HOMES",
        "def f():\n    from optuna_graphnas import _x",
    ],
)
def test_a_private_name_is_found(source):
    assert len(private_names(source)) == 1


HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "onnx",
    "nni",
    "torch_geometric",
    "mmdet",
    "mmcv",
    "botorch",
    "gpytorch",
    "matplotlib",
)


@pytest.mark.parametrize(
    ("modules", "also_absent"),
    [
        ("graphnas, search_spaces, graphnas.graph", ("optuna",)),
        ("graphnas, optuna_graphnas, search_spaces", ()),
    ],
)
def test_importing_us_loads_nothing_heavy(modules, also_absent):
    script = f"import sys, {modules}; print(*(m for m in {(*HEAVY, *also_absent)} if m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
