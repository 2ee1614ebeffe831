"""The suite's plots: mean normalised regret by queries, and which methods are not told apart."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from benchmarks.harness.drawing import label
from benchmarks.suite.figures import Compared
from benchmarks.suite.statistics import Ranking
from graphnas.plots.style import INK, colour

FLOOR = 1e-4
"""Height at which a regret of zero is drawn on the logarithmic axis."""
FIRST = 10
"""Queries before which all methods are random."""


def draw_regret(axes: Any, compared: Compared, ours: Collection[str]) -> None:
    """Mean normalised regret (logarithmic) of each method by queries, with its interval as a band."""
    start = min(FIRST, compared.queries)
    top = FLOOR
    for k, method in enumerate(compared.methods):
        mean, low, high = (np.maximum(curve, FLOOR) for curve in compared.curve(method))
        queries = np.arange(1, len(mean) + 1)
        axes.plot(
            queries,
            mean,
            color=colour(k),
            linewidth=2.2 if method in ours else 1.2,
            linestyle="-" if method in ours else ("--", ":")[k // 7 % 2],
            label=method,
            drawstyle="steps-post",
            zorder=3 if method in ours else 2,
        )
        top = max(top, float(high[start - 1]))
        axes.fill_between(queries, low, high, step="post", color=colour(k), alpha=0.08, linewidth=0)
    axes.set_yscale("log")
    axes.set_xlim(start, max(compared.queries, start + 1))
    axes.set_ylim(top=1.2 * top)
    label(axes, "queries", "mean normalised regret")


def draw_ranks(axes: Any, ranking: Ranking, title: str) -> None:
    """Mean ranks on a line, best on the left, bars over methods that are not told apart (Demšar, 2006)."""
    colours = {method: colour(k) for k, method in enumerate(ranking.ranks)}
    ordered = sorted(ranking.ranks.items(), key=lambda item: item[1])
    groups = ranking.groups()
    best, worst = 1.0, float(max(len(ordered), 2))
    middle = (len(ordered) + 1) // 2
    top = 0.35 * (len(groups) + 1)
    axes.set_axis_off()
    axes.grid(visible=False)
    axes.set_title(title, color=INK, fontsize=10)
    axes.set_xlim(best - 0.32 * worst, worst + 0.32 * worst)
    axes.set_ylim(-0.5 - 0.5 * middle, top + 1.1)
    axes.plot([best, worst], [top, top], color=INK, linewidth=1)
    for tick in range(int(best), int(worst) + 1):
        axes.plot([tick, tick], [top, top + 0.12], color=INK, linewidth=1)
        axes.text(tick, top + 0.2, str(tick), ha="center", va="bottom", color=INK, fontsize=8)
    for k, (method, rank) in enumerate(ordered):
        left = k < middle
        height = -0.5 * (k + 1 if left else len(ordered) - k)
        end = best - 0.3 if left else worst + 0.3
        axes.plot([rank, rank, end], [top, height, height], color=colours[method], linewidth=0.9)
        text = f"{method} {rank:.1f}" if left else f"{rank:.1f} {method}"
        side = -0.1 if left else 0.1
        axes.text(
            end + side, height, text, ha="right" if left else "left", va="center", color=INK, fontsize=8
        )
    for k, group in enumerate(groups):
        height = top - 0.25 * (k + 1)
        ends = [ranking.ranks[group[0]] - 0.04, ranking.ranks[group[-1]] + 0.04]
        axes.plot(ends, [height, height], color=INK, linewidth=3, solid_capstyle="butt")
    if ranking.critical_difference is not None:
        end = min(best + ranking.critical_difference, worst)
        axes.plot([best, end], [top + 0.75, top + 0.75], color=INK, linewidth=1.5)
        text = f"critical difference {ranking.critical_difference:.1f}"
        axes.text(best, top + 0.8, text, ha="left", va="bottom", color=INK, fontsize=8)
