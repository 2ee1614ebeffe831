"""``graphnas spaces``: the search spaces, their sizes and operations."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from graphnas.cli.text import big_number, table
from graphnas.errors import CorruptData, DataNotFound
from graphnas.graph.space import GraphSpace
from search_spaces import get_space, space_names
from search_spaces.tables import SPACES_WITH_TABLES, open_table


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser("spaces", help="list the search spaces", description=__doc__)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    rows, notes = [], []
    for name in space_names():
        space = get_space(name)
        operations = space.edge_ops[1:] if len(space.edge_ops) > 2 else space.node_ops
        where = "on edges" if len(space.edge_ops) > 2 else "on nodes"
        rows.append(
            [
                name,
                str(space.max_nodes),
                big_number(space.size()),
                _table(space),
                f"{', '.join(operations)} ({where})",
            ]
        )
        notes.append(f"  {name}: {_summary(space)}")
        if space.arguments():
            options = ", ".join(f"{key}={value}" for key, value in space.arguments().items())
            notes.append(f"    options: {options}")
    print(
        table(
            ["space", "nodes", "architectures", "table", "operations"],
            rows,
            right=[False, True, True, False, False],
        )
    )
    print("\n" + "\n".join(notes))
    return 0


def _summary(space: GraphSpace) -> str:
    """The first line of the documentation, without its markup."""
    return (inspect.getdoc(type(space)) or "").partition("\n")[0].replace("`", "")


def _table(space: GraphSpace) -> str:
    if space.name not in SPACES_WITH_TABLES:
        return "-"
    try:
        open_table(space)
    except DataNotFound:
        return "not found"
    except CorruptData:
        return "damaged"
    return "found"
