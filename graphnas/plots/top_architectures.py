"""The best architectures of a search side by side, each with its value (DVAE-EMB, Figs. 5-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.plots.architecture import plot_architecture
from graphnas.plots.ranking import best_once, checked_values
from graphnas.plots.style import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 5.0
"""Inches of a panel."""


@dataclass(frozen=True)
class _TopArchitecturesInfo:
    """What to draw.

    Attributes:
        space: Space of the architectures.
        architectures: Best first, no two isomorphic.
        values: One each.
        value_name: Meaning of the values.
        columns: Panels in a row.
    """

    space: GraphSpace
    architectures: tuple[Architecture, ...]
    values: tuple[float, ...]
    value_name: str
    columns: int


def plot_top_architectures(
    architectures: Sequence[Architecture],
    values: ArrayLike,
    space: GraphSpace,
    *,
    count: int = 4,
    columns: int = 2,
    value_name: str = "accuracy",
    minimize: bool = False,
) -> Figure:
    """Draw the best architectures, each as :func:`plot_architecture` does.

    Args:
        architectures: The evaluated architectures; the best of isomorphic ones counts.
        values: One number each; NaN where an evaluation failed.
        space: Gives the names of the operations.
        count: Largest number of drawings.
        columns: Panels in a row.
        value_name: Meaning of the values.
        minimize: Whether smaller is better.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: Another number of values, none that is a number, or a count that is not positive.
        InvalidArchitecture: An architecture is not in the space.
        MissingExtra: matplotlib is not installed.
    """
    return _get_top_architectures_plot(
        _get_top_architectures_info(
            architectures,
            values,
            space,
            count=count,
            columns=columns,
            value_name=value_name,
            minimize=minimize,
        )
    )


def _get_top_architectures_info(
    architectures: Sequence[Architecture],
    values: ArrayLike,
    space: GraphSpace,
    *,
    count: int = 4,
    columns: int = 2,
    value_name: str = "accuracy",
    minimize: bool = False,
) -> _TopArchitecturesInfo:
    numbers = checked_values(architectures, values)
    if count < 1 or columns < 1:
        raise InvalidArgument(f"count and columns must be at least 1, got {count} and {columns}")
    chosen = best_once(architectures, numbers, space, count, minimize=minimize)
    if not chosen:
        raise InvalidArgument("no architecture has a value")
    return _TopArchitecturesInfo(
        space=space,
        architectures=tuple(architectures[k] for k in chosen),
        values=tuple(float(numbers[k]) for k in chosen),
        value_name=value_name,
        columns=min(columns, len(chosen)),
    )


def _get_top_architectures_plot(info: _TopArchitecturesInfo) -> Figure:
    titles = [f"{rank}. {info.value_name} {value:.4g}" for rank, value in enumerate(info.values, start=1)]
    drawings = [plot_architecture(architecture, info.space) for architecture in info.architectures]
    return panels(drawings, titles, info.columns)


def panels(drawings: Sequence[Figure], titles: Sequence[str], columns: int) -> Figure:
    """Drawings of architectures side by side, each at a scale of its own below its title."""
    images = [_image(drawing) for drawing in drawings]
    tallest = max(image.shape[0] / image.shape[1] for image in images)
    rows = -(-len(images) // columns)
    figure = new_figure(WIDTH * columns, rows * (min(WIDTH * tallest, 6.0) + 0.4))
    figure.set_layout_engine("constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, title in zip(grid, images, titles, strict=False):
        axes.imshow(image, interpolation="antialiased")
        axes.set_title(title, fontsize=10, color=INK)
    return figure


def _image(figure: Any) -> NDArray[np.uint8]:
    """A drawing as pixels ``(height, width, 4)``."""
    figure.set_dpi(150)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).copy()
