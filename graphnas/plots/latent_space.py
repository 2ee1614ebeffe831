"""A latent space in two dimensions, coloured by accuracy, one panel per epoch (VS-GAE, Figs. 9-10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.plots.style import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROJECTIONS = ("pca", "tsne")
COLUMNS = 4


@dataclass(frozen=True)
class _LatentSpaceInfo:
    """What to draw.

    Attributes:
        names: Title of each panel.
        points: ``(n, 2)`` projected latents of each panel.
        values: ``(n,)`` colour of each point, the same in all panels.
        order: ``(n,)`` order of drawing: the best last, so that nothing covers them.
        limits: Values at the ends of the colour scale; outliers beyond them take the end's colour.
        axes: Labels of the two directions of each panel.
        value_name: Meaning of the values.
    """

    names: tuple[str, ...]
    points: tuple[NDArray[np.float64], ...]
    values: NDArray[np.float64]
    order: NDArray[np.int64]
    limits: tuple[float, float]
    axes: tuple[tuple[str, str], ...]
    value_name: str


def plot_latent_space(
    latents: ArrayLike | Mapping[str, ArrayLike],
    values: ArrayLike,
    *,
    projection: str = "pca",
    value_name: str = "accuracy",
    seed: int = 0,
    max_points: int = 5000,
) -> Figure:
    """Plot latents in two dimensions.

    Args:
        latents: ``(n, d)``, or one such array per panel under its title, such as ``{"epoch 1": ...,
            "epoch 10": ...}`` for the latents of the same architectures in the course of training.
        values: ``(n,)`` what colours the points.
        projection: ``"pca"``, the two directions of largest variance, or ``"tsne"`` (van der Maaten and
            Hinton, JMLR 2008), which takes some seconds per thousand points.
        value_name: Label of the colour bar.
        seed: Seed of the choice of points and of t-SNE.
        max_points: More points are thinned out at random to so many.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No panel, shapes that do not fit, fewer than 3 points, or an unknown projection.
        MissingExtra: matplotlib is not installed.
    """
    return _get_latent_space_plot(
        _get_latent_space_info(
            latents, values, projection=projection, value_name=value_name, seed=seed, max_points=max_points
        )
    )


def _get_latent_space_info(
    latents: ArrayLike | Mapping[str, ArrayLike],
    values: ArrayLike,
    *,
    projection: str = "pca",
    value_name: str = "accuracy",
    seed: int = 0,
    max_points: int = 5000,
) -> _LatentSpaceInfo:
    if projection not in PROJECTIONS:
        raise InvalidArgument(f"projection must be one of {PROJECTIONS}, got {projection!r}")
    if max_points < 3:
        raise InvalidArgument(f"max_points must be at least 3, got {max_points}")
    panels = latents if isinstance(latents, Mapping) else {"": latents}
    if not panels:
        raise InvalidArgument("latents must hold at least one panel, got none")
    colours = np.asarray(values, float)
    tables = {name: np.asarray(table, float) for name, table in panels.items()}
    for name, table in tables.items():
        if table.ndim != 2 or colours.shape != table.shape[:1] or len(table) < 3 or table.shape[1] < 1:
            raise InvalidArgument(
                f"latents {name!r} must be (n, d) with one value each and n of at least 3, "
                f"got {table.shape} and {colours.shape}"
            )
    chosen = np.arange(len(colours))
    if len(chosen) > max_points:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(chosen))[:max_points])
    panes = [projected(table[chosen], projection, seed) for table in tables.values()]
    kept = colours[chosen]
    low, high = np.nanquantile(kept, [0.02, 1.0])
    return _LatentSpaceInfo(
        names=tuple(tables),
        points=tuple(points for points, _ in panes),
        values=kept,
        order=np.argsort(kept, kind="stable"),
        limits=(float(low), float(high)),
        axes=tuple(labels for _, labels in panes),
        value_name=value_name,
    )


def projected(
    table: NDArray[np.float64], projection: str, seed: int
) -> tuple[NDArray[np.float64], tuple[str, str]]:
    """Rows of ``table`` in two dimensions, ``(n, 2)``, and the names of the two directions."""
    if projection == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(table) - 1) / 3)
        embedded = TSNE(2, init="pca", perplexity=perplexity, random_state=seed).fit_transform(
            table if table.shape[1] > 1 else np.repeat(table, 2, axis=1)
        )
        return np.asarray(embedded, float), ("t-SNE 1", "t-SNE 2")
    centred = table - table.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    # The sign of a direction is arbitrary: its largest entry is made positive.
    left = left * np.sign(left[np.abs(left).argmax(0), np.arange(left.shape[1])])
    points = np.zeros((len(table), 2))
    points[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    shares = np.zeros(2)
    shares[: min(2, len(sizes))] = (sizes**2 / max(float((sizes**2).sum()), 1e-300))[:2]
    first, second = (f"component {k + 1} ({share:.0%})" for k, share in enumerate(shares))
    return points, (first, second)


def _get_latent_space_plot(info: _LatentSpaceInfo) -> Figure:
    columns = min(COLUMNS, len(info.names))
    rows = -(-len(info.names) // columns)
    figure = new_figure(3.4 * columns + 1.0, 3.3 * rows)
    figure.set_layout_engine("constrained")
    grid = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axes in grid[len(info.names) :]:
        axes.set_axis_off()
    drawn: Any = None
    for axes, name, points, labels in zip(grid, info.names, info.points, info.axes, strict=False):
        drawn = axes.scatter(
            *points[info.order].T,
            c=info.values[info.order],
            cmap="viridis",
            vmin=info.limits[0],
            vmax=info.limits[1],
            s=max(3.0, min(16.0, 8000 / len(points))),
            linewidths=0,
        )
        axes.set_title(name, fontsize=10, color=INK)
        axes.set_xlabel(labels[0], fontsize=9, color=INK)
        axes.set_ylabel(labels[1], fontsize=9, color=INK)
        axes.set(xticks=[], yticks=[])
        axes.spines[["top", "right"]].set_visible(False)
    figure.colorbar(drawn, ax=list(grid), label=info.value_name, extend="min", shrink=0.85)
    return figure
