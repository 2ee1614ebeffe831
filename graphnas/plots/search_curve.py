"""The best value so far against the number of evaluations, for one run or the mean over many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.optional import require
from graphnas.plots.style import INK, colour, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class _CurveInfo:
    """One curve.

    Attributes:
        name: Name of the method.
        evaluations: ``(t,)`` 1, 2, ..., t.
        mean: ``(t,)`` mean over the runs of the best value so far; NaN before any run has one.
        lower: ``(t,)`` mean minus one standard deviation.
        upper: ``(t,)`` mean plus one standard deviation.
        values: ``(t,)`` every single value where there is one run, else None.
    """

    name: str
    evaluations: NDArray[np.int64]
    mean: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    values: NDArray[np.float64] | None


@dataclass(frozen=True)
class _SearchCurveInfo:
    """All curves and what the axis says."""

    curves: tuple[_CurveInfo, ...]
    value_name: str
    runs: tuple[int, ...]


def plot_search_curve(
    values: Mapping[str, ArrayLike], *, value_name: str = "value", minimize: bool = False
) -> Figure:
    """Plot the best value so far against the number of evaluations.

    Args:
        values: For each method, its values in the order of evaluation: ``(trials,)`` for one run or
            ``(runs, trials)`` for several, of which the mean and one standard deviation are drawn. NaN where
            an evaluation failed.
        value_name: Label of the vertical axis.
        minimize: Whether smaller is better.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No method, or values that are not one or two dimensions of at least one number.
        MissingExtra: matplotlib is not installed.
    """
    return _get_search_curve_plot(_get_search_curve_info(values, value_name=value_name, minimize=minimize))


def _get_search_curve_info(
    values: Mapping[str, ArrayLike], *, value_name: str = "value", minimize: bool = False
) -> _SearchCurveInfo:
    if not values:
        raise InvalidArgument("values must hold at least one method, got none")
    curves, runs = [], []
    for name, values_of_runs in values.items():
        table = np.asarray(values_of_runs, dtype=float)
        if table.ndim not in (1, 2) or table.size == 0:
            raise InvalidArgument(
                f"values[{name!r}] must be (trials,) or (runs, trials) and not empty, got shape {table.shape}"
            )
        table = np.atleast_2d(table)
        best = (np.fmin if minimize else np.fmax).accumulate(table, axis=1)
        known = ~np.isnan(best)
        count = known.sum(axis=0)
        mean = np.where(known, best, 0.0).sum(axis=0) / np.where(count, count, np.nan)
        variance = np.where(known, (best - mean) ** 2, 0.0).sum(axis=0) / np.where(count, count, np.nan)
        spread = np.sqrt(variance)
        curves.append(
            _CurveInfo(
                name=name,
                evaluations=np.arange(1, table.shape[1] + 1),
                mean=mean,
                lower=mean - spread,
                upper=mean + spread,
                values=table[0] if len(table) == 1 else None,
            )
        )
        runs.append(len(table))
    return _SearchCurveInfo(tuple(curves), value_name, tuple(runs))


def _get_search_curve_plot(info: _SearchCurveInfo) -> Figure:
    figure = new_figure(7.0, 4.2)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for k, (curve, runs) in enumerate(zip(info.curves, info.runs, strict=True)):
        tint = colour(k)
        label = curve.name if runs == 1 else f"{curve.name} ({runs} runs)"
        axes.plot(curve.evaluations, curve.mean, color=tint, linewidth=2, label=label, drawstyle="steps-post")
        if curve.values is not None:
            axes.scatter(curve.evaluations, curve.values, s=16, color=tint, alpha=0.45, linewidths=0)
        else:
            axes.fill_between(
                curve.evaluations, curve.lower, curve.upper, step="post", color=tint, alpha=0.18, linewidth=0
            )
    axes.set_xlabel("evaluations", color=INK)
    axes.set_ylabel(f"best {info.value_name} so far", color=INK)
    axes.grid(color="#E3E3E3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(require("matplotlib.ticker", "plots").MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=min(4, len(info.curves)), frameon=False)
    return figure
