"""Figures and tables as plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace


def count(number: float | None) -> str:
    """A count in at most three digits and a unit: 950, 27.1 k, 1.23 M; a dash where it is not known."""
    if number is None:
        return "-"
    size, units = float(number), ["", " k", " M", " G", " T"]
    while abs(size) >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop(0)
    digits = 0 if not units[0] or size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{size:.{digits}f}{units[0]}"


def figure(value: float, unit: str) -> str:
    """A value to be compared with others: two decimals of a percentage, four of any other unit."""
    return f"{value:.{2 if unit == '%' else 4}f}"


def big_number(number: int | None) -> str:
    """A number of any size: in full below a million, then as a power of ten."""
    if number is None:
        return "not known"
    if number < 1_000_000:
        return f"{number:,}"
    exponent = int(math.log10(number))  # Python's log10 takes integers of any size
    return f"{number // 10 ** max(0, exponent - 1) / 10:.1f}e{exponent}"


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool] | None = None
) -> str:
    """Columns as wide as their longest cell, two blanks apart.

    Args:
        header: Name of each column.
        rows: Cells of each row.
        right: For each column, whether it is aligned to the right, as numbers are; by default none is.
    """
    sides = right or [False] * len(header)
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if side else cell.ljust(width)
            for cell, width, side in zip(line, widths, sides, strict=True)
        ).rstrip()
        for line in lines
    )


def architecture_text(architecture: Architecture, space: GraphSpace) -> str:
    """One line per node with its operation and its inputs; an edge's operation follows its source."""
    on_edges = len(space.edge_ops) > 2
    rows = []
    for node in range(architecture.num_nodes):
        inputs = [
            f"{source}:{space.edge_ops[architecture.adjacency[source, node]]}" if on_edges else str(source)
            for source in range(node)
            if architecture.adjacency[source, node]
        ]
        row = [str(node), space.node_ops[architecture.operations[node]], " ".join(inputs) or "-"]
        rows.append([row[0], row[2]] if len(space.node_ops) == 1 else row)
    if len(space.node_ops) == 1:
        return table(["node", "inputs"], rows, right=[True, False])
    return table(["node", "operation", "inputs"], rows, right=[True, False, False])
