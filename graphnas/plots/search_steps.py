"""The learning curve of searches in steps: mean and best value of the architectures of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.optional import require
from graphnas.plots.style import INK, colour, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class _StepsInfo:
    """One method: ``(steps,)`` mean, deviation and best of the values of each step, NaN where all failed."""

    name: str
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    best: NDArray[np.float64]


def plot_search_steps(
    values: Mapping[str, Sequence[Sequence[float]]], *, value_name: str = "value"
) -> Figure:
    """Plot what a method proposes against the steps of its search, as GraphPNAS shows its generator learning.

    Args:
        values: For each method the values of each of its steps, NaN where an evaluation failed; of several
            runs, the values of all of them.
        value_name: Label of the vertical axis.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window: means with one standard deviation, and the
        best of each step, dashed.

    Raises:
        InvalidArgument: No method, or one without steps.
        MissingExtra: matplotlib is not installed.
    """
    return _get_steps_plot(_get_steps_info(values), value_name)


def _get_steps_info(values: Mapping[str, Sequence[Sequence[float]]]) -> list[_StepsInfo]:
    if not values:
        raise InvalidArgument("values must hold at least one method, got none")
    found = []
    for name, steps in values.items():
        if not steps:
            raise InvalidArgument(f"values[{name!r}] must hold at least one step, got none")
        known = [np.asarray(step, float)[~np.isnan(np.asarray(step, float))] for step in steps]
        mean, deviation, best = (
            np.array([function(step) if len(step) else np.nan for step in known], float)
            for function in (np.mean, np.std, np.max)
        )
        found.append(_StepsInfo(name, mean, deviation, best))
    return found


def _get_steps_plot(info: Sequence[_StepsInfo], value_name: str) -> Figure:
    figure = new_figure(7.0, 4.2)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for k, method in enumerate(info):
        steps, tint = np.arange(1, len(method.mean) + 1), colour(k)
        axes.plot(steps, method.mean, color=tint, linewidth=2, label=f"{method.name}, mean")
        axes.plot(steps, method.best, color=tint, linewidth=1, linestyle="--", label=f"{method.name}, best")
        low, high = method.mean - method.deviation, method.mean + method.deviation
        axes.fill_between(steps, low, high, color=tint, alpha=0.15, linewidth=0)
    axes.set_xlabel("steps", color=INK)
    axes.set_ylabel(value_name, color=INK)
    axes.grid(color="#E3E3E3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(require("matplotlib.ticker", "plots").MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=min(4, 2 * len(info)), frameon=False)
    return figure
