"""Motifs that raise and lower a value: effects as bars, and as colours on the best architectures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.plots.architecture import _ArchitectureInfo, _get_architecture_plot
from graphnas.plots.architecture_grid import _GridInfo
from graphnas.plots.layout import layered_layout
from graphnas.plots.motifs import BETTER, WORSE, bars
from graphnas.plots.ranking import best_once
from graphnas.plots.style import NEUTRAL
from graphnas.plots.top_architectures import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graphnas.surrogate.explanation import Explanation, MotifEffect


@dataclass(frozen=True)
class _EffectsInfo:
    """What to draw.

    Attributes:
        effects: From what raises the value most to what lowers it most.
        total: Number of evaluated architectures.
        value_name: Meaning of the values.
        minimize: Whether smaller is better.
    """

    effects: tuple[MotifEffect, ...]
    total: int
    value_name: str
    minimize: bool

    @property
    def labels(self) -> list[str]:
        """What stands beside each bar."""
        return [f"{effect.name}  ({effect.count} of {self.total})" for effect in self.effects]

    @property
    def tints(self) -> list[str]:
        """The colour of each bar: whether the effect is for the better."""
        return [BETTER if (effect.effect > 0) != self.minimize else WORSE for effect in self.effects]

    @property
    def title(self) -> str:
        """What the axis says."""
        return f"change of {self.value_name} by one more (95 % interval)"


def plot_effects(explanation: Explanation, *, count: int = 16) -> Figure:
    """Plot which operations and sub-graphs raise and lower the value most, with intervals.

    Args:
        explanation: What :func:`graphnas.surrogate.explain` found.
        count: Largest number of motifs, half of them those that raise it most, half those that lower it.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: A count that is not positive.
        MissingExtra: matplotlib is not installed.
    """
    return _get_effects_plot(_get_effects_info(explanation, count=count))


def _get_effects_info(explanation: Explanation, *, count: int = 16) -> _EffectsInfo:
    if count < 1:
        raise InvalidArgument(f"count must be at least 1, got {count}")
    return _EffectsInfo(
        effects=tuple(explanation.extremes(count)),
        total=len(explanation.architectures),
        value_name=explanation.value_name,
        minimize=explanation.minimize,
    )


def _get_effects_plot(info: _EffectsInfo) -> Figure:
    effects = [effect.effect for effect in info.effects]
    ends = np.array([[e.effect - e.low, e.high - e.effect] for e in info.effects]).T
    return bars(info.labels, effects, np.maximum(ends, 0.0), info.tints, info.title)


# ---------------------------------------------------------------- on architectures


def plot_contributions(explanation: Explanation, *, count: int = 4, columns: int = 2) -> Figure:
    """Draw the best architectures, each node in the colour of the effect of the motif around it.

    Operations on edges are nodes of their own, and only what computes is drawn. The motif of a node is the
    largest one with the node in its middle whose effect is known. Blue is for the better and orange for the
    worse, the darker the more; a node without a known motif is grey.

    Args:
        explanation: What :func:`graphnas.surrogate.explain` found.
        count: Largest number of drawings; of isomorphic architectures the best counts.
        columns: Drawings in a row.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: A count that is not positive.
        MissingExtra: matplotlib is not installed.
    """
    return _get_contributions_plot(_get_contributions_info(explanation, count=count, columns=columns))


def _get_contributions_info(explanation: Explanation, *, count: int = 4, columns: int = 2) -> _GridInfo:
    if count < 1 or columns < 1:
        raise InvalidArgument(f"count and columns must be at least 1, got {count} and {columns}")
    chosen = best_once(
        explanation.architectures,
        explanation.values,
        explanation.space,
        count,
        minimize=explanation.minimize,
    )
    found = [explanation.of_nodes(explanation.architectures[k]) for k in chosen]
    largest = max(float(np.nanmax(np.abs(effects), initial=0.0)) for _, effects in found)
    sign = -1.0 if explanation.minimize else 1.0
    cells = []
    for graph, effects in found:
        tints = tuple(_tint(sign * effect / (largest or 1.0)) for effect in effects.tolist())
        cells.append(_cell(graph, explanation.space, tints))
    return _GridInfo(
        title=f"{explanation.space.name}: blue for the better, orange for the worse, up to {largest:.3g}",
        cells=tuple(cells),
        captions=tuple(f"{explanation.value_name} {explanation.values[k]:.4g}" for k in chosen),
        columns=min(columns, len(cells)),
        operations=(),
    )


def _get_contributions_plot(info: _GridInfo) -> Figure:
    figure = panels([_get_architecture_plot(cell) for cell in info.cells], info.captions, info.columns)
    figure.suptitle(info.title, fontsize=11)
    return figure


def _cell(graph: Architecture, space: GraphSpace, tints: tuple[str, ...]) -> _ArchitectureInfo:
    """The drawing of a graph with operations on nodes."""
    edges = [(source, target, 1) for source, target, _ in graph.labelled_edges()]
    layout = layered_layout(graph.num_nodes, [(source, target) for source, target, _ in edges])
    return _ArchitectureInfo(
        title="",
        positions=layout.nodes,
        node_ops=tuple(int(label) for label in graph.operations),
        node_names=tuple(space.node_labelled_ops),
        edges=tuple(edges),
        edge_names=("none", "edge"),
        routes=layout.routes,
        arcs=layout.arcs,
        built=(True,) * graph.num_nodes,
        tints=tints,
    )


def _tint(share: float) -> str:
    """From orange at -1 over white to blue at 1; grey for NaN."""
    if np.isnan(share):
        return NEUTRAL
    end = BETTER if share > 0 else WORSE
    mixed = [255 + abs(share) * (int(end[k : k + 2], 16) - 255) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(value):02X}" for value in mixed)
