"""How a search moves: values and operations of architectures in the order of their evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.plots.style import COLOURS, INK, colour, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the values of a generation."""


@dataclass(frozen=True)
class _GenerationsInfo:
    """What to draw, for ``g`` generations.

    Attributes:
        last: ``(g,)`` number of the last evaluation in each generation, from 1 on.
        values: ``(g, 5)`` the :data:`QUANTILES` of its values.
        edges: ``(g,)`` mean number of edges.
        operations: Names of the operations.
        shares: ``(g, operations)`` share of each among all operations of the generation; rows add up to 1.
        value_name: Meaning of the values.
    """

    last: NDArray[np.int64]
    values: NDArray[np.float64]
    edges: NDArray[np.float64]
    operations: tuple[str, ...]
    shares: NDArray[np.float64]
    value_name: str


def plot_generations(
    architectures: Sequence[Architecture],
    values: ArrayLike,
    space: GraphSpace,
    *,
    size: int = 10,
    value_name: str = "value",
) -> Figure:
    """Plot how values and operations change from one generation of ``size`` evaluations to the next.

    On the left the median of the values with the middle half and the extremes as bands, on the right the
    share of each operation in the part of the networks that data flows through.

    Args:
        architectures: The evaluated architectures in their order.
        values: One number each; NaN where an evaluation failed, which counts for the operations alone.
        space: Gives the names of the operations.
        size: Evaluations in a generation; the last one may have fewer.
        value_name: Meaning of the values.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No architecture, another number of values, or a size that is not positive.
        MissingExtra: matplotlib is not installed.
    """
    return _get_generations_plot(
        _get_generations_info(architectures, values, space, size=size, value_name=value_name)
    )


def _get_generations_info(
    architectures: Sequence[Architecture],
    values: ArrayLike,
    space: GraphSpace,
    *,
    size: int = 10,
    value_name: str = "value",
) -> _GenerationsInfo:
    numbers = np.asarray(values, float)
    if not architectures or numbers.shape != (len(architectures),):
        raise InvalidArgument(
            f"{len(architectures)} architectures need as many values and at least one, got {numbers.shape}"
        )
    if size < 1:
        raise InvalidArgument(f"size must be at least 1, got {size}")
    batch = space.active_batch(ArchitectureBatch.from_architectures(architectures))
    _, operations, sizes = batch.to_arrays()
    labels = space.operation_labels
    names = tuple(space.node_labelled_ops[label] for label in labels)
    real = np.arange(operations.shape[1]) < sizes[:, None]
    counts = np.stack([((operations == label) & real).sum(1) for label in labels], axis=1)
    starts = range(0, len(architectures), size)
    rows = [slice(start, start + size) for start in starts]
    sums = np.stack([counts[row].sum(0) for row in rows]).astype(float)
    return _GenerationsInfo(
        last=np.array([min(start + size, len(architectures)) for start in starts]),
        values=np.stack([_quantiles(numbers[row]) for row in rows]),
        edges=np.array([np.mean([a.num_edges for a in architectures[row]]) for row in rows]),
        operations=names,
        shares=sums / np.maximum(sums.sum(1, keepdims=True), 1.0),
        value_name=value_name,
    )


def _quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = values[np.isfinite(values)]
    return np.quantile(known, QUANTILES) if len(known) else np.full(len(QUANTILES), np.nan)


def _get_generations_plot(info: _GenerationsInfo) -> Figure:
    figure = new_figure(9.0, 3.8)
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2)
    low, lower, middle, upper, high = info.values.T
    left.fill_between(info.last, low, high, color=COLOURS[0], alpha=0.12, linewidth=0, label="all")
    left.fill_between(info.last, lower, upper, color=COLOURS[0], alpha=0.3, linewidth=0, label="middle half")
    left.plot(info.last, middle, color=COLOURS[0], linewidth=2, marker="o", markersize=3, label="median")
    left.set_ylabel(info.value_name, color=INK)
    left.legend(frameon=False, fontsize=8)
    shares = [info.shares[:, k] for k in range(len(info.operations))]
    tints = [colour(k) for k in range(len(info.operations))]
    right.stackplot(info.last, *shares, colors=tints, labels=info.operations, alpha=0.85)
    right.set_ylabel("share of the operations", color=INK)
    right.set_ylim(0, 1)
    handles, names = right.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=min(5, len(names)), frameon=False, fontsize=8
    )
    for axes in (left, right):
        axes.set_xlabel("evaluations", color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
