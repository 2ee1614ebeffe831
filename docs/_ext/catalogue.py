"""The catalogue of search spaces: for each its size, its parameters and a drawing of a few members."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from graphnas import GraphSpace
from graphnas.plots import plot_architectures
from search_spaces import get_space, space_names
from search_spaces.tables import SPACES_WITH_TABLES

DRAWN_SIZES: dict[str, dict[str, Any]] = {"gemnet": {"num_nodes": 8}, "randwire": {"num_nodes": 12}}
"""Sizes that a drawing can show, where the default is larger."""
DRAWN = 4


def write_catalogue(folder: Path) -> None:
    """Write ``spaces.md`` and a drawing of each space into ``folder``."""
    lines = ["# Search spaces", ""]
    lines += [
        "The spaces of `search_spaces`, each with four random members. `get_space(NAME)` makes one, the",
        "command line takes the name in `--space`, and `graphnas spaces` prints this list. [A search space",
        "of your own](../how-to/own-space.md) takes about 30 lines; `ProductSpace` joins several.",
        "",
    ]
    for name in space_names():
        space = get_space(name)
        lines += [f"## {type(space).__name__}", "", summary(space), "", *_facts(name, space), ""]
        drawing = folder / f"space-{name}.png"
        draw(get_space(name, **DRAWN_SIZES.get(name, {})), drawing)
        lines += [f"![Four members of {name}]({drawing.name})", ""]
    page = folder / "spaces.md"
    text = "\n".join(lines)
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def summary(space: GraphSpace) -> str:
    """The first paragraph of the documentation of a space."""
    return (inspect.getdoc(type(space)) or "").partition("\n\n")[0].replace("``", "`")


def _facts(name: str, space: GraphSpace) -> list[str]:
    size = space.size()
    on_edges = len(space.edge_ops) > 2
    operations = space.edge_ops[1:] if on_edges else space.node_ops
    parameters = list(space.parameters().items())
    example, choices = parameters[-1]
    rows = [
        ("name", f"`{name}`"),
        ("nodes", f"up to {space.max_nodes}"),
        ("architectures", "not counted" if size is None else f"{size:,}" if size < 10**12 else f"{size:.1e}"),
        (
            "operations",
            ", ".join(f"`{op}`" for op in operations) + (" on edges" if on_edges else " on nodes"),
        ),
        ("parameters", f"{len(parameters)}, such as `{example}` of {', '.join(f'`{c}`' for c in choices)}"),
        ("table of results", "yes" if space.name in SPACES_WITH_TABLES else "no"),
        ("options", ", ".join(f"`{key}={value}`" for key, value in space.arguments().items()) or "none"),
    ]
    return ["| | |", "|---|---|", *(f"| {label} | {text} |" for label, text in rows)]


def draw(space: GraphSpace, path: Path) -> None:
    """Draw a few random members, always the same ones."""
    rng = np.random.default_rng(0)
    members = [space.sample(rng) for _ in range(DRAWN)]
    plot_architectures(members, space, columns=2).savefig(path, dpi=110, bbox_inches="tight")
