"""Predicted against true values, with their errors (VS-GAE, Figs. 4-5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.plots.style import FAINT, INK, colour, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class _PredictionInfo:
    """One panel per model.

    Attributes:
        names: Title of each.
        predicted: ``(n,)`` of each.
        true: ``(n,)``, the same for all.
        rmse: Root mean squared error of each.
        pearson: Correlation of each; NaN where something does not vary.
        limits: Both axes of all panels.
        value_name: Name of the predicted quantity.
    """

    names: tuple[str, ...]
    predicted: tuple[NDArray[np.float64], ...]
    true: NDArray[np.float64]
    rmse: tuple[float, ...]
    pearson: tuple[float, ...]
    limits: tuple[float, float]
    value_name: str


def plot_prediction(
    predicted: ArrayLike | Mapping[str, ArrayLike], true: ArrayLike, *, value_name: str = "accuracy"
) -> Figure:
    """Plot predictions against what they should be; a perfect one lies on the diagonal.

    Args:
        predicted: ``(n,)``, or several such arrays under the names of their models.
        true: ``(n,)``.
        value_name: Label of the axes.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No model, or arrays that are empty or do not fit.
        MissingExtra: matplotlib is not installed.
    """
    return _get_prediction_plot(_get_prediction_info(predicted, true, value_name=value_name))


def _get_prediction_info(
    predicted: ArrayLike | Mapping[str, ArrayLike], true: ArrayLike, *, value_name: str = "accuracy"
) -> _PredictionInfo:
    panels = predicted if isinstance(predicted, Mapping) else {"": predicted}
    if not panels:
        raise InvalidArgument("predicted must hold at least one model, got none")
    wanted = np.asarray(true, float)
    tables, errors, correlations = [], [], []
    for name, columns in panels.items():
        values = np.asarray(columns, float)
        if values.shape != wanted.shape or values.ndim != 1 or not len(values):
            raise InvalidArgument(
                f"predicted {name!r} must be as many numbers as true, got {values.shape} and {wanted.shape}"
            )
        tables.append(values)
        errors.append(float(np.sqrt(np.mean((values - wanted) ** 2))))
        varies = values.std() > 0 and wanted.std() > 0
        correlations.append(float(np.corrcoef(values, wanted)[0, 1]) if varies else float("nan"))
    everything = np.concatenate([wanted, *tables])
    margin = 0.04 * max(float(np.ptp(everything)), 1e-9)
    return _PredictionInfo(
        names=tuple(panels),
        predicted=tuple(tables),
        true=wanted,
        rmse=tuple(errors),
        pearson=tuple(correlations),
        limits=(float(everything.min()) - margin, float(everything.max()) + margin),
        value_name=value_name,
    )


def _get_prediction_plot(info: _PredictionInfo) -> Figure:
    figure = new_figure(3.6 * len(info.names) + 0.4, 3.9)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(info.names), squeeze=False)[0]
    for k, (axes, name, values) in enumerate(zip(panels, info.names, info.predicted, strict=True)):
        axes.plot(info.limits, info.limits, color=FAINT, linewidth=1, zorder=0)
        axes.scatter(info.true, values, s=6, alpha=0.4, linewidths=0, color=colour(k))
        title = f"RMSE {info.rmse[k]:.3g}, r {info.pearson[k]:.3f}"
        axes.set_title(f"{name}\n{title}" if name else title, fontsize=10, color=INK)
        axes.set(xlim=info.limits, ylim=info.limits, aspect="equal")
        axes.set_xlabel(f"true {info.value_name}", color=INK)
        axes.set_ylabel(f"predicted {info.value_name}", color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
