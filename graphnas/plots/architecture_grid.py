"""Many architectures as a grid of small drawings: those of a list, or samples of a learned distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from graphnas.plots.architecture import (
    RADIUS,
    _ArchitectureInfo,
    _get_architecture_info,
    edge_path,
    edge_tint,
    node_tint,
    past_columns,
    rise,
)
from graphnas.plots.style import FAINT, INK, colour, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graphnas.methods.graphpnas.distribution import LearnedDistribution

ZOOM = 0.55
"""Inches per unit of a cell; one unit is an inch where an architecture is drawn alone."""

WIDEST = 3.0
"""Inches that a cell may be wide; larger graphs are drawn smaller."""

STEP = np.array([0.75, 0.5])
"""Distance of layers, and of nodes within a layer, in units."""


@dataclass(frozen=True)
class _GridInfo:
    """What to draw.

    Attributes:
        title: Above the grid.
        cells: The graphs, row by row.
        captions: Below each.
        columns: Number of columns of the grid.
        operations: Name and colour of each operation that occurs.
    """

    title: str
    cells: tuple[_ArchitectureInfo, ...]
    captions: tuple[str, ...]
    columns: int
    operations: tuple[tuple[str, str], ...]


def plot_architectures(
    architectures: Sequence[Architecture],
    space: GraphSpace,
    *,
    captions: Sequence[str] = (),
    columns: int = 4,
    title: str = "",
) -> Figure:
    """Draw architectures side by side, all at the same scale; colours tell operations.

    Args:
        architectures: Members of ``space``.
        space: Gives the names of the operations.
        captions: One for each, or none at all.
        columns: Number of columns of the grid.
        title: Above the grid; by default the name of the space and their number.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No architecture, no column, or another number of captions.
        InvalidArchitecture: An architecture is not in the space.
        MissingExtra: matplotlib is not installed.
    """
    info = _get_grid_info(architectures, space, captions=captions, columns=columns, title=title)
    return _get_grid_plot(info)


def plot_samples(
    distribution: LearnedDistribution, n: int = 12, *, seed: int = 0, columns: int = 4
) -> Figure:
    """Draw samples of a learned distribution, each with the natural logarithm of its probability.

    Args:
        distribution: A distribution from ``GraphPNAS.distribution()`` or a file.
        n: Number of samples.
        seed: Seed of the samples.
        columns: Number of columns of the grid.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: ``n`` or ``columns`` is not positive.
        SpaceExhausted: Too few samples are valid architectures.
        MissingExtra: matplotlib is not installed.
    """
    return _get_grid_plot(_get_samples_info(distribution, n, seed=seed, columns=columns))


def _get_samples_info(distribution: LearnedDistribution, n: int, *, seed: int, columns: int) -> _GridInfo:
    samples = distribution.sample(n, seed)
    captions = [f"log p = {score:.1f}" for score in distribution.log_prob(samples)]
    title = f"{distribution.space.name}: {n} samples of the learned distribution"
    return _get_grid_info(samples, distribution.space, captions=captions, columns=columns, title=title)


def _get_grid_info(
    architectures: Sequence[Architecture],
    space: GraphSpace,
    *,
    captions: Sequence[str] = (),
    columns: int = 4,
    title: str = "",
) -> _GridInfo:
    if not architectures:
        raise InvalidArgument("architectures must hold at least one, got none")
    if columns < 1:
        raise InvalidArgument(f"columns must be at least 1, got {columns}")
    if captions and len(captions) != len(architectures):
        raise InvalidArgument(f"{len(architectures)} architectures, but {len(captions)} captions")
    cells = tuple(_get_architecture_info(architecture, space) for architecture in architectures)
    return _GridInfo(
        title=title or f"{space.name}: {len(cells)} architectures",
        cells=cells,
        captions=tuple(captions) or ("",) * len(cells),
        columns=min(columns, len(cells)),
        operations=_operations(cells),
    )


def _operations(cells: Sequence[_ArchitectureInfo]) -> tuple[tuple[str, str], ...]:
    """Name and colour of the operations that occur, in the order of their labels."""
    legend: dict[int, tuple[str, str]] = {}
    for cell in cells:
        if cell.labelled_edges:
            legend.update({label: (cell.edge_names[label], colour(label - 1)) for *_, label in cell.edges})
        elif len(cell.node_names) > 1 and not cell.tints:
            legend.update(
                {op: (cell.node_names[op], node_tint(cell, node)) for node, op in enumerate(cell.node_ops)}
            )
    return tuple(legend[label] for label in sorted(legend))


# ---------------------------------------------------------------- drawing


def _get_grid_plot(info: _GridInfo) -> Figure:
    halves = np.array([half_size(cell) for cell in info.cells]).max(0)
    zoom = min(ZOOM, WIDEST / (2 * halves[0]))
    columns, rows = info.columns, -(-len(info.cells) // info.columns)
    caption = 0.28 if any(info.captions) else 0.08
    cell = 2 * halves * zoom + np.array([0.1, caption])
    header, footer = 0.45, 0.45 if info.operations else 0.1
    width = max(columns * cell[0], 5.6)
    height = rows * cell[1] + header + footer
    margin = (width - columns * cell[0]) / 2
    figure = new_figure(width, height)
    figure.text(0.5, 1 - 0.24 / height, info.title, ha="center", va="center", fontsize=11, color=INK)
    for number, (graph, text) in enumerate(zip(info.cells, info.captions, strict=True)):
        row, column = divmod(number, columns)
        left = margin + column * cell[0]
        bottom = height - header - (row + 1) * cell[1]
        box = (
            (left + 0.05) / width,
            (bottom + caption) / height,
            2 * halves[0] * zoom / width,
            2 * halves[1] * zoom / height,
        )
        axes = figure.add_axes(box)
        axes.set(xlim=(-halves[0], halves[0]), ylim=(-halves[1], halves[1]))
        axes.set_axis_off()
        _draw_graph(axes, graph, zoom / ZOOM)
        place = ((left + cell[0] / 2) / width, (bottom + caption / 2) / height)
        figure.text(*place, text, ha="center", va="center", fontsize=8, color=INK)
    if info.operations:
        patch = require("matplotlib.patches", "plots").Patch
        handles = [patch(facecolor=tint, edgecolor=INK, label=name) for name, tint in info.operations]
        columns = min(len(handles), max(2, int(width / 1.3)))
        figure.legend(handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=8)
    return figure


def placed(cell: _ArchitectureInfo) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Centres of the nodes, and routes of the edges, in units around the middle of the drawing."""
    step = STEP * (0.55, 1) if cell.arcs else STEP
    shift = np.array([(cell.positions[:, 0].min() + cell.positions[:, 0].max()) / 2, 0.0])
    return (cell.positions - shift) * step, [(np.array(route) - shift) * step for route in cell.routes]


def half_size(cell: _ArchitectureInfo) -> tuple[float, float]:
    """Half of the width and of the height that a drawing takes."""
    centres, routes = placed(cell)
    points = np.concatenate([centres, *routes])
    half = np.abs(points).max(0) + RADIUS + 0.12
    if cell.arcs:
        # The top of a Bezier curve lies at three quarters of the height of its two inner points.
        half[1] += 0.75 * rise(max((route[-1, 0] - route[0, 0] for route in routes), default=0.0))
    return float(half[0]), float(half[1])


def _draw_graph(axes: Any, cell: _ArchitectureInfo, thin: float) -> None:
    """Draw one graph around the origin of ``axes``, with lines ``thin`` times as wide as usual."""
    patches = require("matplotlib.patches", "plots")
    centres, routes = placed(cell)
    for edge, route in zip(cell.edges, routes, strict=True):
        style = {"color": edge_tint(cell, edge), "zorder": 1 if cell.built[edge[0]] else 0}
        if cell.arcs:
            path = edge_path(cell, edge, route)
            axes.add_patch(patches.PathPatch(path, fill=False, linewidth=0.5, alpha=0.6, **style))
        else:
            path = edge_path(cell, edge, past_columns(route, RADIUS, RADIUS, RADIUS))
            width = thin * (1.6 if cell.labelled_edges else 0.9)
            axes.add_patch(
                patches.FancyArrowPatch(
                    path=path,
                    arrowstyle="-|>",
                    mutation_scale=6 * thin,
                    linewidth=width,
                    joinstyle="miter",
                    **style,
                )
            )
    for node, centre in enumerate(centres):
        built = cell.built[node]
        tint = node_tint(cell, node) if built else "#F6F6F6"
        edge_colour = INK if built else FAINT
        axes.add_patch(
            patches.Circle(
                centre, RADIUS, facecolor=tint, edgecolor=edge_colour, linewidth=0.8 * thin, zorder=3
            )
        )
