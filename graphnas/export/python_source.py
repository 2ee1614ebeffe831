"""One Python file that builds a network with torch alone: the definitions that it needs, and its arguments.

The definitions are taken from the modules of the search spaces, so that the file reads as they do: a cell is
a class, and the architecture is one call with the nodes that each node reads.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pprint
import re
from collections.abc import Mapping
from typing import Any

from graphnas.errors import ExportFailed
from graphnas.training import TrainedModel
from search_spaces.backbone import Backbone

WIDTH = 100

HEADER = '''"""{title}

Found and trained with graphnas; this file needs torch alone, and safetensors to load the weights:

    network = load()                               # reads model.safetensors beside this file
    logits = network(normalise(images))            # images (B, {channels}, H, W) with values in 0..{scale:g}
    maps = network.features(normalise(images))     # {maps}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

MEAN = {mean}
STD = {std}
"""Per channel, of images divided by {scale:g}."""

CLASS_NAMES = {class_names}
"""In the order of the outputs; empty if the data set has none."""


def build() -> {network}:
    """The network with random weights."""
    return {network}(
{arguments}
    )


def load(path: str | Path = Path(__file__).with_name("model.safetensors")) -> {network}:
    """The trained network, in evaluation mode."""
    from safetensors.torch import load_file

    network = build()
    network.load_state_dict(load_file(path))
    return network.eval()


def normalise(images: Tensor) -> Tensor:
    """Images ``(B, {channels}, H, W)`` as the network takes them."""
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (MEAN, STD))
    return (images.float() / {scale} - mean) / std
'''


def network_source(trained: TrainedModel) -> str:
    """The text of the file.

    Args:
        trained: A trained model whose network is one of those in :mod:`search_spaces`.

    Raises:
        ExportFailed: The network is of a user's own class.
    """
    network = trained.module
    home = type(network).__module__
    if not isinstance(network, Backbone) or not home.startswith("search_spaces."):
        raise ExportFailed(
            f"a file that builds the network can be written for networks of graphnas, not for "
            f"{home}.{type(network).__qualname__}; the formats onnx, pt2 and torchscript take any"
        )
    definitions = _definitions(type(network).__name__, home)
    maps = ", ".join(
        f"{channels} channels at stride {stride}"
        for channels, stride in zip(network.out_channels, network.strides, strict=True)
    )
    header = HEADER.format(
        title=f"A network of the space {trained.space.name}, trained on {trained.dataset}.",
        channels=trained.image_shape[0],
        scale=trained.normalisation.scale,
        maps=maps if len(maps) < 60 else f"{len(network.strides)} maps at strides {network.strides}",
        mean=trained.normalisation.mean,
        std=trained.normalisation.std,
        class_names=_literal(trained.class_names, WIDTH - 14),
        network=type(network).__name__,
        arguments=_arguments(network.arguments),
    )
    return _used_imports(header + "\n\n" + "\n\n\n".join(definitions) + "\n")


def _arguments(arguments: Mapping[str, Any]) -> str:
    lines = []
    for name, value in arguments.items():
        text = _literal(_plain(value), WIDTH - 12)
        lines.append(f"        {name}={text.replace(chr(10), chr(10) + ' ' * (9 + len(name)))},")
    return "\n".join(lines)


def _literal(value: Any, width: int) -> str:
    text = pprint.pformat(value, width=width, compact=True)
    return text if '"' in text or "\\" in text else text.replace("'", '"')


def _plain(value: Any) -> Any:
    """Numbers, names and lists of them, without numpy's types."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, list):
        return list(map(_plain, value))
    return value.item() if hasattr(value, "item") else value


# ---------------------------------------------------------------- definitions


def _definitions(network: str, home: str) -> list[str]:
    """Classes, functions and constants that ``network`` in the module ``home`` uses, in a working order."""
    modules: dict[str, _Module] = {}
    wanted: set[tuple[str, str]] = set()
    waiting = [(home, network)]
    while waiting:
        place, name = waiting.pop()
        module = modules.setdefault(place, _Module(place))
        if name in module.imported:
            waiting.append((module.imported[name], name))
        elif name in module.sources and (place, name) not in wanted:
            wanted.add((place, name))
            waiting += [(place, used) for used in module.uses[name]]
    # What a module imports comes before it: its classes are derived from those.
    order = sorted(modules, key=lambda place: (place == home, place))
    return [
        modules[place].sources[name]
        for place in order
        for name in modules[place].sources
        if (place, name) in wanted
    ]


class _Module:
    """The definitions of a module of the search spaces.

    Attributes:
        sources: Text of each class, function and constant, in the order of the file.
        uses: The names that each of them uses.
        imported: Module of each name that comes from another module of the search spaces.
    """

    def __init__(self, place: str) -> None:
        self.sources: dict[str, str] = {}
        self.uses: dict[str, set[str]] = {}
        self.imported: dict[str, str] = {}
        text = inspect.getsource(importlib.import_module(place))
        body = ast.parse(text).body
        for number, node in enumerate(body):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("search_spaces."):
                self.imported |= {alias.name: str(node.module) for alias in node.names}
            for name in _defined(node):
                self.sources[name] = _text(text, node, body[number + 1] if number + 1 < len(body) else None)
                # Also in annotations, and after what _text leaves out.
                self.uses[name] = set(re.findall(r"\w+", _code(self.sources[name]))) - {name}


def _code(source: str) -> str:
    """``source`` without its docstrings and comments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                part
                for part in body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    return ast.unparse(tree)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


NOT_NEEDED = ("set_maps", "set_drop_rate", "keep_maps", "drop_head")
"""Methods of a network that only other programs call on it."""


def _text(text: str, node: ast.stmt, after: ast.stmt | None) -> str:
    """The source of ``node`` without what ties it to graphnas."""
    lines = text.splitlines()
    last = node.end_lineno or node.lineno
    if isinstance(node, ast.Assign) and isinstance(after, ast.Expr):  # what a constant means
        last = after.end_lineno or last
    dropped: set[int] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef) and part.name in NOT_NEEDED[1:]:
            dropped |= set(range(part.lineno, (part.end_lineno or part.lineno) + 2))
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    kept = [lines[number - 1] for number in range(first, last + 1) if number not in dropped]
    source = "\n".join(kept).rstrip()
    source = source.replace("(MacroNetwork, Backbone)", "(MacroNetwork)").replace("(Backbone)", "(nn.Module)")
    source = source.replace("InvalidArgument", "ValueError")
    source = re.sub(r"  # type: ignore.*", "", source)
    return re.sub(r":\w+:`[~.]*([^`]+)`", r"``\1``", source)


def _used_imports(text: str) -> str:
    """Without the imported names that the text does not use."""
    lines = []
    for line in text.splitlines():
        if match := re.fullmatch(r"from (collections\.abc) import (.*)", line):
            names = [n for n in match[2].split(", ") if len(re.findall(rf"\b{n}\b", text)) > 1]
            if not names:
                continue
            line = f"from {match[1]} import {', '.join(names)}"
        lines.append(line)
    return "\n".join(lines) + "\n"
