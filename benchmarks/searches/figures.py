"""Figures of repeated searches: the best value by queries, regret, hypervolume, and the leader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.harness.sections import mean_and_deviation
from benchmarks.searches.runs import Run

CLOSE = 1e-6
FEW = 5
"""A method with fewer runs is not compared with the others."""


def within_limit(run: Run, limit: float) -> Run:
    """The same run with a value of 0 for each architecture whose reported figure is over the limit."""
    pairs = zip(run.values, run.reported, strict=True)
    return replace(
        run, values=[0.0 if figure is None or figure > limit else value for value, figure in pairs]
    )


def best_so_far(values: Sequence[float], queries: int) -> NDArray[np.float64]:
    """The best value after 1, 2, ..., ``queries`` evaluations; it stays the same once a search has ended.

    Returns:
        ``(queries,)``.
    """
    best = np.maximum.accumulate(np.asarray(values, float)[:queries])
    return np.pad(best, (0, queries - len(best)), mode="edge")


def selected(run: Run, queries: int) -> tuple[float, float]:
    """Value and reported figure of the architecture with the best value among the first ``queries``."""
    best = int(np.argmax(run.values[:queries]))
    reported = run.reported[best]
    return run.values[best], float("nan") if reported is None else reported


def queries_to(values: Sequence[float], optimum: float) -> float:
    """Number of evaluations up to the first that reaches ``optimum``; infinity if none does."""
    hits = np.flatnonzero(np.asarray(values) >= optimum - CLOSE)
    return float(hits[0] + 1) if len(hits) else float("inf")


def hypervolume(first: ArrayLike, second: ArrayLike, reference: tuple[float, float]) -> float:
    """Area that the points dominate, up to ``reference``; ``first`` is maximised and ``second`` minimised.

    Args:
        first: First objective, ``(n,)``.
        second: Second objective, ``(n,)``.
        reference: A point; points that are not better in both objectives add nothing.
    """
    gain = np.maximum(np.asarray(first, float) - reference[0], 0.0)
    cost = np.minimum(np.asarray(second, float), reference[1])
    order = np.lexsort((-gain, cost))
    gain, cost = np.maximum.accumulate(gain[order]), cost[order]
    return float((gain * np.diff(np.append(cost, reference[1]))).sum()) if len(gain) else 0.0


def hypervolume_so_far(run: Run, reference: tuple[float, float], queries: int) -> NDArray[np.float64]:
    """:func:`hypervolume` of the first 1, 2, ..., ``queries`` evaluations, ``(queries,)``."""
    first, second = np.asarray(run.values), np.asarray(run.reported, float)
    counts = np.minimum(np.arange(1, queries + 1), len(first))
    return np.array([hypervolume(first[:n], second[:n], reference) for n in counts.tolist()])


def one_objective(runs: Sequence[Run], budgets: Sequence[int], optimum: float) -> dict[str, Any]:
    """The figures of a method on a task with one objective.

    Args:
        runs: Its runs.
        budgets: Numbers of queries; those that not every run was allowed are left out.
        optimum: The best value in the table.
    """
    queries = min(run.queries for run in runs)
    needed = _needed(runs, queries, optimum)
    at: dict[str, Any] = {}
    for budget in _within(budgets, queries):
        value, reported = zip(*(selected(run, budget) for run in runs), strict=True)
        at[str(budget)] = {
            "value": mean_and_deviation(value),
            "reported": None if np.isnan(reported).any() else mean_and_deviation(reported),
            "found": float(np.mean([count <= budget for count in needed])),
        }
        if all(run.validation for run in runs):
            best = [run.validation[int(np.argmax(run.values[:budget]))] for run in runs]
            at[str(budget)]["validation"] = mean_and_deviation(best)
    return {
        **_common(runs, queries),
        "budgets": at,
        "median_queries": _median(needed),
        **_curve(np.array([optimum - best_so_far(run.values, queries) for run in runs])),
    }


def reached(runs: Sequence[Run], value: float) -> dict[str, Any]:
    """The share of a method's runs that find ``value`` or better, and the median queries until they do."""
    needed = _needed(runs, min(run.queries for run in runs), value)
    return {"found": float(np.isfinite(needed).mean()), "median_queries": _median(needed)}


def two_objectives(
    runs: Sequence[Run], budgets: Sequence[int], reference: tuple[float, float], whole: float
) -> dict[str, Any]:
    """The figures of a method on a task with two objectives, as shares of the hypervolume ``whole``."""
    queries = min(run.queries for run in runs)
    shares = np.array([hypervolume_so_far(run, reference, queries) for run in runs]) / whole
    at = {
        str(budget): {"hypervolume": mean_and_deviation(shares[:, budget - 1])}
        for budget in _within(budgets, queries)
    }
    return {**_common(runs, queries), "budgets": at, **_curve(shares)}


def _needed(runs: Sequence[Run], queries: int, value: float) -> list[float]:
    return [queries_to(run.values[:queries], value) for run in runs]


def _median(needed: Sequence[float]) -> float | None:
    """None if fewer than half of the runs get there."""
    median = float(np.median(needed))
    return median if np.isfinite(median) else None


def _within(budgets: Sequence[int], queries: int) -> list[int]:
    return [budget for budget in budgets if budget <= queries] or [queries]


def _common(runs: Sequence[Run], queries: int) -> dict[str, Any]:
    return {
        "seeds": len(runs),
        "queries": queries,
        "seconds_per_trial": float(np.mean([run.seconds / run.trials for run in runs])),
        "trials": float(np.mean([run.trials for run in runs])),
    }


def _curve(rows: NDArray[np.float64]) -> dict[str, list[float]]:
    """Mean over the runs and its standard error, query by query, ``rows`` being ``(runs, queries)``."""
    error = rows.std(0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.zeros(rows.shape[1])
    return {"curve": np.round(rows.mean(0), 5).tolist(), "curve_error": np.round(error, 5).tolist()}


def who_leads(
    summary: dict[str, dict[str, Any]], method: str, start: int, *, larger: bool = False
) -> list[tuple[int, int, str]]:
    """Which method has the best mean curve after each number of queries from ``start`` on.

    Args:
        summary: The figures of each method, from :func:`one_objective` or :func:`two_objectives`.
        method: Wins ties; curves are compared up to the end of its own.
        start: The first number of queries.
        larger: Whether larger is better.

    Returns:
        First and last number of queries of each stretch, and its leader. Methods with fewer than
        :data:`FEW` runs do not count, unless ``method`` has as few.
    """
    if method not in summary:
        return []
    few = min(FEW, summary[method]["seeds"])
    curves = {name: row["curve"] for name, row in summary.items() if row["seeds"] >= few}
    stretches: list[tuple[int, int, str]] = []
    for queries in range(start, len(curves[method]) + 1):
        known = {name: curve[queries - 1] for name, curve in curves.items() if len(curve) >= queries}
        sign = 1 if larger else -1
        leader = max(known, key=lambda name: (round(sign * known[name], 6), name == method))
        if stretches and stretches[-1][2] == leader:
            stretches[-1] = (stretches[-1][0], queries, leader)
        else:
            stretches.append((queries, queries, leader))
    return stretches
