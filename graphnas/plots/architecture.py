"""Drawing of one architecture as a layered graph: operations by colour, from the input to the output."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from graphnas.plots.layout import Point, layered_layout
from graphnas.plots.style import FAINT, INK, NEUTRAL, colour, ink_on, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_NAMED = 12
"""Up to this many nodes a node carries the name of its operation; beyond, its number, and a legend tells."""

RADIUS = 0.17
"""Radius of a node without a name. All sizes are in inches; one unit of the axes is one inch."""


@dataclass(frozen=True)
class _ArchitectureInfo:
    """What to draw.

    Attributes:
        title: Name of the space and size of the graph.
        positions: ``(n, 2)`` layer and height of each node.
        node_ops: For each node, the label of its operation.
        node_names: Names of all node labels; one name means that nodes have nothing to tell apart.
        edges: For each edge ``(source, target, label)``.
        edge_names: Names of all edge labels, "no edge" first; two names mean edges have no operation.
        routes: For each edge, the points that it passes, in the units of ``positions``.
        arcs: Whether edges are arcs over a line of nodes.
        built: For each node, whether it is part of the network.
        tints: For each node its colour, where that does not tell the operation; empty if it does.
    """

    title: str
    positions: NDArray[np.float64]
    node_ops: tuple[int, ...]
    node_names: tuple[str, ...]
    edges: tuple[tuple[int, int, int], ...]
    edge_names: tuple[str, ...]
    routes: tuple[tuple[Point, ...], ...]
    arcs: bool
    built: tuple[bool, ...]
    tints: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Whether nodes carry the names of their operations."""
        return len(self.node_names) > 1 and len(self.node_ops) <= LARGEST_NAMED and not self.arcs

    @property
    def labelled_edges(self) -> bool:
        """Whether the operations are on the edges."""
        return len(self.edge_names) > 2


def plot_architecture(architecture: Architecture, space: GraphSpace) -> Figure:
    """Draw ``architecture`` from left to right in layers by longest path.

    Colours tell operations: of nodes, or of edges where the space keeps them there. In a space that drops
    nodes (it has ``prune``), those that no data reaches from node 0 are faint. A graph that is too dense to
    route its edges becomes an arc diagram: nodes in a row, edges as arcs in the colour of their source.

    Args:
        architecture: A member of ``space``.
        space: Gives the names of the operations.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArchitecture: The architecture is not in the space.
        MissingExtra: matplotlib is not installed.
    """
    return _get_architecture_plot(_get_architecture_info(architecture, space))


def _get_architecture_info(architecture: Architecture, space: GraphSpace) -> _ArchitectureInfo:
    """What the drawing of an architecture shows.

    Raises:
        InvalidArchitecture: The architecture is not in the space.
    """
    space.validate(architecture)
    edges = architecture.labelled_edges()
    layout = layered_layout(architecture.num_nodes, [(source, target) for source, target, _ in edges])
    built = [not hasattr(space, "prune")] * architecture.num_nodes
    built[0] = True
    for source, target, _ in edges:  # sorted by source, so what reaches a source is settled
        built[target] |= built[source]
    return _ArchitectureInfo(
        title=f"{space.name}: {architecture.num_nodes} nodes, {len(edges)} edges",
        positions=layout.nodes,
        node_ops=tuple(int(label) for label in architecture.operations),
        node_names=tuple(space.node_ops),
        edges=tuple(edges),
        edge_names=tuple(space.edge_ops),
        routes=layout.routes,
        arcs=layout.arcs,
        built=tuple(built),
    )


# ---------------------------------------------------------------- drawing


def _get_architecture_plot(info: _ArchitectureInfo) -> Figure:
    texts = [
        f"{node}  {info.node_names[op]}" if info.named else str(node) for node, op in enumerate(info.node_ops)
    ]
    # 9 points of a proportional font are about 0.075 inches a character.
    halves = [0.0375 * len(text) + 0.12 if info.named else RADIUS for text in texts]
    labels = max((len(info.edge_names[label]) for *_, label in info.edges), default=0)
    between = 0.075 * labels + 0.55 if info.labelled_edges else 0.25 if info.arcs else 0.6
    scale = np.array([2 * max(halves) + between, 0.62 if info.arcs or not info.labelled_edges else 0.8])
    centres = info.positions * scale
    routes = [np.array(route) * scale for route in info.routes]
    left, right = centres[:, 0].min() - 0.3, centres[:, 0].max() + 0.3
    left, right = left - max(halves), right + max(halves)
    heights = np.concatenate([centres[:, 1], *[route[:, 1] for route in routes]])
    spans = [route[-1, 0] - route[0, 0] for route in routes]
    # The top of a Bezier curve lies at three quarters of the height of its two inner points.
    reach = np.abs(heights).max() + 0.4 + (0.75 * rise(max(spans, default=0.0)) if info.arcs else 0.0)
    legend = _legend_entries(info)
    width, height, footer = (
        max(right - left, 5.6 if legend else 4.0),
        2 * reach + 0.45,
        0.35 if legend else 0.0,
    )
    figure = new_figure(width, height + footer)
    axes = figure.add_axes((0, footer / (height + footer), 1, 2 * reach / (height + footer)))
    middle = (left + right) / 2
    axes.set(xlim=(middle - width / 2, middle + width / 2), ylim=(-reach, reach))
    axes.set_axis_off()
    figure.text(
        0.5, 1 - 0.25 / (height + footer), info.title, ha="center", va="center", fontsize=11, color=INK
    )
    for edge, route in zip(info.edges, routes, strict=True):
        if not info.arcs:
            route = past_columns(route, halves[edge[0]], max(halves), halves[edge[1]])
        _draw_edge(axes, info, edge, route)
    for node, (x, y) in enumerate(centres):
        _draw_node(axes, info, node, texts[node], float(x), float(y), halves[node])
    if legend:
        patch = require("matplotlib.patches", "plots").Patch
        handles = [patch(facecolor=tint, edgecolor=INK, label=name) for name, tint in legend]
        figure.legend(
            handles=handles, loc="lower center", ncols=min(5, len(legend)), frameon=False, fontsize=9
        )
    return figure


def node_tint(info: _ArchitectureInfo, node: int) -> str:
    """Colour of a node; input, output and nodes without an operation have none of their own."""
    if info.tints:
        return info.tints[node]
    name = info.node_names[info.node_ops[node]]
    operations = [other for other in info.node_names if other not in ("input", "output")]
    plain = len(info.node_names) == 1 or name not in operations
    return NEUTRAL if plain else colour(operations.index(name))


def edge_tint(info: _ArchitectureInfo, edge: tuple[int, int, int]) -> str:
    """Colour of an edge: of its operation, of the node it comes from, or a plain one."""
    source, _, label = edge
    if not info.built[source]:
        return FAINT
    if info.labelled_edges:
        return colour(label - 1)
    if info.arcs and node_tint(info, source) != NEUTRAL:
        return node_tint(info, source)
    return "#555555"


def edge_curves(info: _ArchitectureInfo, edge: tuple[int, int, int], route: NDArray[Any]) -> NDArray[Any]:
    """The curve of an edge along ``route`` as cubic Bezier curves, ``(k, 4, 2)``, one after the other."""
    source, target, _ = edge
    return _arc(route, above=(target - source) % 2 == 1) if info.arcs else _smooth(route)


def edge_path(info: _ArchitectureInfo, edge: tuple[int, int, int], route: NDArray[Any]) -> Any:
    """The same as a matplotlib path."""
    path = require("matplotlib.path", "plots").Path
    curves = edge_curves(info, edge, route)
    vertices = [curves[0, 0], *(point for curve in curves for point in curve[1:])]
    return path(vertices, [path.MOVETO] + [path.CURVE4] * 3 * len(curves))


def _draw_edge(axes: Any, info: _ArchitectureInfo, edge: tuple[int, int, int], route: NDArray[Any]) -> None:
    source, _, label = edge
    tint, path = edge_tint(info, edge), edge_path(info, edge, route)
    patches = require("matplotlib.patches", "plots")
    style = {"color": tint, "zorder": 1 if info.built[source] else 0}
    if info.arcs:
        axes.add_patch(patches.PathPatch(path, fill=False, linewidth=0.8, alpha=0.55, **style))
    else:
        width = 1.8 if info.labelled_edges else 1.2
        axes.add_patch(
            patches.FancyArrowPatch(
                path=path, arrowstyle="-|>", mutation_scale=10, linewidth=width, joinstyle="miter", **style
            )
        )
    if info.labelled_edges:
        x, y = _middle(route)
        box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": tint, "linewidth": 0.8}
        axes.text(
            x, y, info.edge_names[label], fontsize=8, color=INK, ha="center", va="center", bbox=box, zorder=2
        )


def past_columns(route: NDArray[Any], first: float, column: float, last: float) -> NDArray[Any]:
    """The route from border to border, level wherever it passes a column of nodes, so that it meets none."""
    inner = [(x + side * column, y) for x, y in route[1:-1] for side in (-1, 1)]
    (x0, y0), (x1, y1) = route[0], route[-1]
    return np.array([(x0 + first, y0), *inner, (x1 - last, y1)])


def _middle(route: NDArray[Any]) -> tuple[float, float]:
    """The point half-way along the route, where the name of the edge goes."""
    half = len(route) // 2
    x, y = route[half] if len(route) % 2 else (route[half - 1] + route[half]) / 2
    return float(x), float(y)


def _smooth(route: NDArray[Any]) -> NDArray[Any]:
    """A curve through all points of ``route`` that leaves and reaches each of them horizontally."""
    curves = []
    for a, b in pairwise(route):
        bend = np.array([(b[0] - a[0]) * 0.45, 0.0])
        curves.append([a, a + bend, b - bend, b])
    return np.array(curves)


def _arc(route: NDArray[Any], *, above: bool) -> NDArray[Any]:
    """An arc between two points of a line."""
    start, end = route[0], route[-1]
    span = float(end[0] - start[0])
    bend = np.array([0.12 * span, 0.0])
    top = np.array([0.0, rise(span) if above else -rise(span)])
    return np.array([[start, start + bend + top, end - bend + top, end]])


def rise(span: float) -> float:
    """Height of the inner points of an arc; it grows slower than its span, to keep the drawing flat."""
    return float(0.55 * span**0.85)


def _draw_node(
    axes: Any, info: _ArchitectureInfo, node: int, text: str, x: float, y: float, half: float
) -> None:
    patches = require("matplotlib.patches", "plots")
    built = info.built[node]
    tint = node_tint(info, node) if built else "#F6F6F6"
    style = {"facecolor": tint, "edgecolor": INK if built else FAINT, "linewidth": 1.0, "zorder": 3}
    if info.named:
        shape = patches.FancyBboxPatch(
            (x - half, y - RADIUS), 2 * half, 2 * RADIUS, boxstyle="round,pad=0,rounding_size=0.07", **style
        )
    else:
        shape = patches.Circle((x, y), half, **style)
    axes.add_patch(shape)
    axes.text(
        x,
        y,
        text,
        fontsize=9,
        ha="center",
        va="center_baseline",
        zorder=4,
        color=ink_on(tint) if built else "#999999",
    )


def _legend_entries(info: _ArchitectureInfo) -> list[tuple[str, str]]:
    entries = []
    if len(info.node_names) > 1 and not info.named and not info.tints:
        first = {op: node for node, op in reversed(list(enumerate(info.node_ops)))}
        entries = [(info.node_names[op], node_tint(info, first[op])) for op in sorted(first)]
    if not all(info.built):
        entries.append(("dropped: no input", "#F6F6F6"))
    return entries
