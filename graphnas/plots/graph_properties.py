"""Average path length against clustering coefficient of architectures, coloured by how good they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.plots.style import FAINT, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "average_path_length": "average path length",
    "average_path_length_reachable": "average path length (connected pairs)",
    "clustering": "clustering coefficient",
    "density": "density",
    "longest_path": "longest path",
    "mean_path": "mean path",
    "num_paths": "number of paths",
}
"""The properties and how an axis calls them; see :class:`graphnas.graph.properties.GraphProperties`."""


@dataclass(frozen=True)
class _GroupInfo:
    """One panel.

    Attributes:
        name: Name of the group.
        x: ``(n,)`` one property of each architecture.
        y: ``(n,)`` another.
        values: ``(n,)`` what the colour shows, ascending, so that good ones are drawn on top; NaN, first.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class _GraphPropertiesInfo:
    """All panels and what axes and colours say."""

    groups: tuple[_GroupInfo, ...]
    x_name: str
    y_name: str
    value_name: str


def plot_graph_properties(
    groups: Mapping[str, tuple[Sequence[Architecture], ArrayLike]],
    *,
    x: str = "average_path_length",
    y: str = "clustering",
    value_name: str = "accuracy (%)",
) -> Figure:
    """Plot two graph properties of architectures against each other, coloured by their values.

    GraphPNAS (TMLR 2023), Fig. 3, shows where in the plane of average path length and clustering coefficient
    the architectures of each method lie, and how accurate they are. Edges count whatever their label.

    Args:
        groups: For each panel, architectures and their values, NaN where an evaluation failed.
        x: Property on the horizontal axis, a field of :class:`graphnas.graph.properties.GraphProperties`.
        y: Property on the vertical axis.
        value_name: Label of the colours.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No group, a group without architectures or with another number of values, or an
            unknown property.
        MissingExtra: matplotlib is not installed.
    """
    return _get_graph_properties_plot(_get_graph_properties_info(groups, x=x, y=y, value_name=value_name))


def _get_graph_properties_info(
    groups: Mapping[str, tuple[Sequence[Architecture], ArrayLike]],
    *,
    x: str = "average_path_length",
    y: str = "clustering",
    value_name: str = "accuracy (%)",
) -> _GraphPropertiesInfo:
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.properties import graph_properties

    if not groups:
        raise InvalidArgument("groups must hold at least one, got none")
    for axis, name in (("x", x), ("y", y)):
        if name not in NAMES:
            raise InvalidArgument(f"{axis} must be one of {tuple(NAMES)}, got {name!r}")
    points = []
    for name, (architectures, measured) in groups.items():
        values = np.asarray(measured, dtype=float)
        if len(architectures) == 0 or values.shape != (len(architectures),):
            raise InvalidArgument(
                f"group {name!r} must have at least one architecture and a value for each, got "
                f"{len(architectures)} and values of shape {values.shape}"
            )
        properties = graph_properties(ArchitectureBatch.from_architectures(list(architectures)))
        order = np.argsort(np.where(np.isnan(values), -np.inf, values), kind="stable")
        points.append(
            _GroupInfo(name, getattr(properties, x)[order], getattr(properties, y)[order], values[order])
        )
    return _GraphPropertiesInfo(tuple(points), NAMES[x], NAMES[y], value_name)


def _get_graph_properties_plot(info: _GraphPropertiesInfo) -> Figure:
    count = len(info.groups)
    figure = new_figure(3.4 * count + 1.6, 3.8)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, count, sharex=True, sharey=True, squeeze=False)[0]
    values = np.concatenate([group.values for group in info.groups])
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    points: Any = None
    for axes, group in zip(panels, info.groups, strict=True):
        known = np.isfinite(group.values)
        axes.scatter(group.x[~known], group.y[~known], s=14, color=FAINT, marker="x", linewidths=0.8)
        points = axes.scatter(
            group.x[known], group.y[known], c=group.values[known], s=22, vmin=low, vmax=high, linewidths=0
        )
        axes.set_title(f"{group.name} ({len(group.values)})", fontsize=10, color=INK)
        axes.set_xlabel(info.x_name, color=INK)
        axes.grid(color="#E3E3E3", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(info.y_name, color=INK)
    figure.colorbar(points, ax=list(panels), label=info.value_name)
    return figure
