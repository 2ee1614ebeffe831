"""The errors that the packages raise on purpose, read from their source: class, text and place.

The text of an error is a template: what the program fills in stands as ``...``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphnas import errors

PACKAGES = ("graphnas", "search_spaces", "optuna_graphnas", "nni_graphnas")
CLASSES = frozenset(
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.GraphNASError)
)
GAP = "..."
"""Stands for what the program fills in."""


@dataclass(frozen=True)
class Message:
    """One place that raises an error.

    Attributes:
        kind: The class of the error.
        text: Its message with ``...`` for what is filled in; the message of a variable is ``...`` alone.
        module: Where it is raised.
    """

    kind: str
    text: str
    module: str


def messages(root: Path) -> list[Message]:
    """All of them, in the order of the files."""
    found = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            found += [Message(kind, text, module) for kind, text in _raised(path.read_text("utf-8"))]
    return found


def _raised(source: str) -> Iterator[tuple[str, str]]:
    tree = ast.parse(source)
    for scope in _scopes(tree):
        assigned = _texts_of_names(scope)
        for node in _own_nodes(scope):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES:
                for text in _templates(node.args[0], assigned) if node.args else ():
                    if text.replace(GAP, "").strip(" :;,."):
                        yield node.func.id, text


def _scopes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope, without those of the functions in it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting = [*ast.iter_child_nodes(node), *waiting]


def _texts_of_names(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """What the names of a scope are assigned, for messages that are put together before they are raised."""
    names: dict[str, list[ast.expr]] = {}
    for node in _own_nodes(scope):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).append(node.value)
    return names


def _templates(node: ast.expr, names: dict[str, list[ast.expr]]) -> list[str]:
    """The texts that an expression may be."""
    if isinstance(node, ast.Name) and node.id in names:
        known = {text: None for value in names[node.id] for text in _templates(value, {})}
        return list(known)
    if isinstance(node, ast.IfExp):
        return [*_templates(node.body, names), *_templates(node.orelse, names)]
    return [re.sub(r"(\.\.\.)+", GAP, " ".join(_text(node).split()))]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return GAP


def pattern(text: str) -> re.Pattern[str]:
    """What a message of this template looks like."""
    parts = [re.escape(part) for part in " ".join(text.split()).split(GAP)]
    return re.compile(".*".join(parts), re.DOTALL)


def is_raised(quoted: str, known: list[Message]) -> bool:
    """Whether some place raises what a page quotes: a template of the source, or the beginning of one."""
    wanted = " ".join(quoted.split())
    return any(message.text == wanted or message.text.startswith(wanted) for message in known)
