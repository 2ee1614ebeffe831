"""The surface of scores over two principal components of embeddings (NASGEM, Fig. 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.plots.latent_space import projected
from graphnas.plots.style import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Grid = NDArray[np.float64]


@dataclass(frozen=True)
class _ScoreSurfaceInfo:
    """One panel per kind of score, all over the same plane.

    Attributes:
        names: Title of each.
        grid: ``(2, size)`` places along the two directions.
        surfaces: ``(size, size)`` smoothed score of each panel, rows along the second direction; NaN where
            there are no architectures nearby.
        best: ``(2,)`` place of the architecture with the highest score, per panel.
        axes: Names of the two directions.
        score_name: Meaning of the scores.
    """

    names: tuple[str, ...]
    grid: Grid
    surfaces: tuple[Grid, ...]
    best: tuple[Grid, ...]
    axes: tuple[str, str]
    score_name: str


def plot_score_surface(
    embeddings: ArrayLike,
    scores: ArrayLike | Mapping[str, ArrayLike],
    *,
    size: int = 60,
    axis_names: tuple[str, str] | None = None,
    score_name: str = "score",
) -> Figure:
    """Plot scores as a surface over the two directions in which embeddings vary most.

    The surface is the mean of the scores weighted by a Gaussian around each place (Nadaraya and Watson,
    1964), whose width per direction is the standard deviation times ``n ** (-1/6)`` (Scott's rule in two
    dimensions).

    Args:
        embeddings: ``(n, d)``, such as ``encoder.embed(architectures)``.
        scores: ``(n,)``, or several such arrays under their names, such as predicted and true scores;
            architectures that have no score (NaN) in one of them are left out.
        size: Places along each direction.
        axis_names: Names of the two columns of embeddings that are not to be projected.
        score_name: Label of the colour bar.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No panel, shapes that do not fit, fewer than 3 architectures with scores, embeddings
            that are not finite, or a ``size`` below 2.
        MissingExtra: matplotlib is not installed.
    """
    return _get_score_surface_plot(
        _get_score_surface_info(embeddings, scores, size=size, axis_names=axis_names, score_name=score_name)
    )


def _get_score_surface_info(
    embeddings: ArrayLike,
    scores: ArrayLike | Mapping[str, ArrayLike],
    *,
    size: int = 60,
    axis_names: tuple[str, str] | None = None,
    score_name: str = "score",
) -> _ScoreSurfaceInfo:
    if size < 2:
        raise InvalidArgument(f"size must be at least 2, got {size}")
    panels = scores if isinstance(scores, Mapping) else {"": scores}
    if not panels:
        raise InvalidArgument("scores must hold at least one panel, got none")
    table = np.asarray(embeddings, float)
    columns = {name: np.asarray(panel, float) for name, panel in panels.items()}
    for name, column in columns.items():
        if table.ndim != 2 or table.shape[1] < 2 or column.shape != table.shape[:1]:
            raise InvalidArgument(
                f"embeddings must be (n, d) with d of at least 2 and scores {name!r} (n,), "
                f"got {table.shape} and {column.shape}"
            )
    known = ~np.isnan(np.stack(list(columns.values()))).any(0)
    if known.sum() < 3:
        raise InvalidArgument(f"at least 3 architectures with scores are needed, got {known.sum()}")
    table = table[known]
    if not np.isfinite(table).all():
        raise InvalidArgument("embeddings must be finite")
    if axis_names is None:
        points, axes = projected(table, "pca", 0)
    elif table.shape[1] != 2:
        raise InvalidArgument(f"axis_names are for embeddings of 2 columns, got {table.shape[1]}")
    else:
        points, axes = table, axis_names
    grid = np.linspace(points.min(0), points.max(0), size).T
    width = np.maximum(points.std(0), 1e-12) * len(points) ** (-1 / 6)
    weights = [np.exp(-0.5 * ((grid[k][:, None] - points[:, k]) / width[k]) ** 2) for k in (0, 1)]
    total = weights[1] @ weights[0].T
    near = total >= 1  # as much as one architecture at the very place
    kept = [column[known] for column in columns.values()]
    return _ScoreSurfaceInfo(
        names=tuple(columns),
        grid=grid,
        surfaces=tuple(
            np.where(near, (weights[1] * column) @ weights[0].T / np.where(near, total, 1), np.nan)
            for column in kept
        ),
        best=tuple(points[int(np.argmax(column))] for column in kept),
        axes=axes,
        score_name=score_name,
    )


def _get_score_surface_plot(info: _ScoreSurfaceInfo) -> Figure:
    figure = new_figure(3.4 * len(info.names) + 1.0, 3.2)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(info.names), squeeze=False)[0]
    everything = np.stack(info.surfaces)
    low, high = float(np.nanmin(everything)), float(np.nanmax(everything))
    # One scale for all panels: the point of drawing two kinds of score is to compare them.
    levels = np.linspace(low, high if high > low else low + 1, 13)
    drawn: Any = None
    for axes, name, surface, best in zip(panels, info.names, info.surfaces, info.best, strict=True):
        drawn = axes.contourf(*info.grid, surface, levels=levels, cmap="viridis")
        axes.contour(*info.grid, surface, levels=levels, colors="white", linewidths=0.3)
        axes.plot(*best, marker="*", color="#D55E00", markersize=12, markeredgecolor="white")
        axes.set_title(name, fontsize=10, color=INK)
        axes.set_xlabel(info.axes[0], fontsize=9, color=INK)
        axes.set_ylabel(info.axes[1], fontsize=9, color=INK)
        axes.set(xticks=[], yticks=[])
        axes.spines[["top", "right"]].set_visible(False)
    figure.colorbar(drawn, ax=list(panels), label=info.score_name, shrink=0.9, format="%.3g")
    return figure
