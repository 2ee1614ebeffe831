"""Architectures of a study as graphs, drawn by plotly: the pointer on a node says what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study

from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from graphnas.plots.architecture import (
    RADIUS,
    _ArchitectureInfo,
    edge_curves,
    edge_tint,
    node_tint,
    past_columns,
)
from graphnas.plots.architecture_grid import _GridInfo, half_size, placed
from graphnas.plots.style import FAINT, INK
from optuna_graphnas.visualization.data import architectures_info, contributions_info
from optuna_graphnas.visualization.figures import bare_axis, new_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STEPS = 8
"""Straight pieces that stand for a piece of a curve."""
PIXELS = 70.0
"""Of one unit of a drawing."""


def plot_architectures(
    study: Study,
    space: GraphSpace,
    *,
    count: int = 6,
    columns: int = 3,
    name: str | None = None,
    objective: int = 0,
) -> Figure:
    """Draw the best architectures of a study side by side; colours tell operations.

    Args:
        study: The study.
        space: The space of its architectures.
        count: Largest number of drawings; of isomorphic architectures the best counts.
        columns: Drawings in a row.
        name: As in :func:`optuna_graphnas.suggest_architecture`.
        objective: Which of several objectives ranks them.

    Returns:
        A ``plotly.graph_objects.Figure``.

    Raises:
        InvalidArgument: No finished trial has a value and an architecture of the space, no such objective, or
            a count that is not positive.
        MissingExtra: plotly is not installed.
    """
    info = architectures_info(study, space, count=count, columns=columns, name=name, objective=objective)
    return _get_architectures_plot(info)


def plot_contributions(
    study: Study, space: GraphSpace, *, count: int = 4, columns: int = 2, **options: Any
) -> Figure:
    """Draw the best architectures of a study, each node in the colour of the effect of the motif around it.

    See :func:`graphnas.plots.plot_contributions` for what the colours say.

    Args:
        study: The study.
        space: The space of its architectures.
        count: Largest number of drawings; of isomorphic architectures the best counts.
        columns: Drawings in a row.
        **options: Those of :func:`optuna_graphnas.explain`.

    Returns:
        A ``plotly.graph_objects.Figure``.

    Raises:
        InvalidArgument: As :func:`optuna_graphnas.explain`, or a count that is not positive.
        MissingExtra: plotly is not installed.
    """
    return _get_architectures_plot(contributions_info(study, space, count=count, columns=columns, **options))


def _get_architectures_plot(info: _GridInfo) -> Figure:
    require("plotly", "plots")
    halves = np.array([half_size(cell) for cell in info.cells]).max(0) + np.array([0.15, 0.35])
    rows = -(-len(info.cells) // info.columns)
    width, height = 2 * halves * (info.columns, rows)
    figure = new_figure(
        title={"text": info.title},
        height=int(PIXELS * height * min(1.0, 12 / width)) + 130,
        showlegend=bool(info.operations),
        legend={"orientation": "h", "y": -0.02, "yanchor": "top"},
        xaxis=bare_axis(range=[0, width]),
        yaxis=bare_axis(range=[-height, 0], scaleanchor="x"),
        hovermode="closest",
    )
    for number, (cell, caption) in enumerate(zip(info.cells, info.captions, strict=True)):
        row, column = divmod(number, info.columns)
        middle = np.array([(2 * column + 1) * halves[0], -(2 * row + 1) * halves[1]])
        _draw(figure, cell, middle)
        figure.add_annotation(
            x=middle[0], y=middle[1] - halves[1] + 0.1, text=caption, showarrow=False, font={"size": 11}
        )
    for operation, tint in info.operations:
        marker = {"color": tint, "size": 11, "line": {"color": INK, "width": 1}}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=operation, marker=marker)
    return figure


def _draw(figure: Figure, cell: _ArchitectureInfo, middle: NDArray[np.float64]) -> None:
    """Add a graph around ``middle``: a line for each colour of edges, arrow heads, and the nodes."""
    centres, routes = placed(cell)
    lines: dict[str, list[NDArray[np.float64]]] = {}
    for edge, route in zip(cell.edges, routes, strict=True):
        if not cell.arcs:
            route = past_columns(route, RADIUS, RADIUS, RADIUS)
        lines.setdefault(edge_tint(cell, edge), []).append(_points(edge_curves(cell, edge, route)) + middle)
    for tint, curves in lines.items():
        gap = np.full((1, 2), np.nan)
        joined = np.concatenate([part for curve in curves for part in (curve, gap)])
        figure.add_scatter(
            x=_numbers(joined[:, 0]),
            y=_numbers(joined[:, 1]),
            mode="lines",
            line={"color": tint, "width": 2 if cell.labelled_edges else 1.2},
            opacity=0.55 if cell.arcs else 1.0,
            hoverinfo="skip",
            showlegend=False,
        )
        if not cell.arcs:
            ends = np.array([curve[-1] for curve in curves])
            before = np.array([curve[-2] for curve in curves])
            angles = 90 - np.degrees(np.arctan2(*(ends - before).T[::-1]))
            figure.add_scatter(
                x=_numbers(ends[:, 0]),
                y=_numbers(ends[:, 1]),
                mode="markers",
                marker={"symbol": "arrow", "size": 8, "angle": _numbers(angles), "color": tint},
                hoverinfo="skip",
                showlegend=False,
            )
    if cell.labelled_edges:
        _label_edges(figure, cell, routes, middle)
    tints = [node_tint(cell, node) if cell.built[node] else "#F6F6F6" for node in range(len(centres))]
    figure.add_scatter(
        x=_numbers(centres[:, 0] + middle[0]),
        y=_numbers(centres[:, 1] + middle[1]),
        mode="markers",
        marker={
            "size": 16,
            "color": tints,
            "line": {"color": [INK if built else FAINT for built in cell.built], "width": 1},
        },
        text=[f"{node}: {cell.node_names[op]}" for node, op in enumerate(cell.node_ops)],
        hoverinfo="text",
        showlegend=False,
    )


def _label_edges(
    figure: Figure, cell: _ArchitectureInfo, routes: list[NDArray[np.float64]], middle: NDArray[np.float64]
) -> None:
    """Points in the middle of the edges, which say their operation under the pointer."""
    if not cell.edges:
        return
    curves = [_points(edge_curves(cell, e, route)) for e, route in zip(cell.edges, routes, strict=True)]
    places = np.array([curve[len(curve) // 2] + middle for curve in curves])
    figure.add_scatter(
        x=_numbers(places[:, 0]),
        y=_numbers(places[:, 1]),
        mode="markers",
        marker={"size": 9, "color": [edge_tint(cell, edge) for edge in cell.edges], "symbol": "square"},
        text=[f"{source} to {target}: {cell.edge_names[label]}" for source, target, label in cell.edges],
        hoverinfo="text",
        showlegend=False,
    )


def _points(curves: NDArray[Any]) -> NDArray[np.float64]:
    """Points on cubic Bezier curves ``(k, 4, 2)``, ``(k * STEPS + 1, 2)``."""
    t = np.linspace(0, 1, STEPS + 1)[:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    pieces = [sum(w * point for w, point in zip(weights, curve, strict=True)) for curve in curves]
    return np.concatenate([pieces[0][:1], *(piece[1:] for piece in pieces)])


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Rounded and without NaN, so that a stored figure stays small and is JSON."""
    return [None if np.isnan(value) else round(float(value), 3) for value in values]
