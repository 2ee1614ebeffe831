"""Tables of known results as benchmark problems of OptunaHub."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import StudyDirection

from graphnas.errors import InvalidArgument
from graphnas.evaluate.tabular import TabularEvaluator
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from optuna_graphnas.suggest import suggest_architecture

require("optunahub", "hub")

from optunahub.benchmarks import BaseProblem  # noqa: E402

SMALLER_IS_BETTER = ("latency", "energy", "parameters", "macs", "seconds")


class TableProblem(BaseProblem):
    """A table of results as an objective: ``study.optimize(problem, n_trials=100)``.

    Its parameters are those of the space, so that every sampler of Optuna runs on it, and those of
    :mod:`optuna_graphnas`, made with :attr:`space`, see the graph.

    Args:
        table: The table.
        metric_names: What is returned, in this order: ``value``, ``parameters``, ``macs``, ``seconds`` or a
            metric of the table, such as ``test_accuracy`` or, where it was opened for a device, ``latency``.

    Raises:
        InvalidArgument: No metric, or one that the table does not have.
    """

    def __init__(self, table: TabularEvaluator, metric_names: Sequence[str] = ("value",)) -> None:
        self.table = table
        self.metric_names = tuple(metric_names)
        if not self.metric_names:
            raise InvalidArgument("metric_names must name at least one metric, got none")
        unknown = [name for name in self.metric_names if name not in self.available_metric_names]
        if unknown:
            raise InvalidArgument(
                f"metric {unknown[0]!r} is not one of {', '.join(self.available_metric_names)}"
            )

    @property
    def space(self) -> GraphSpace:
        """The search space, for samplers that see the graph."""
        return self.table.space

    @property
    def available_metric_names(self) -> tuple[str, ...]:
        """What ``metric_names`` may hold."""
        device = ("latency", "energy") if self.table.device is not None else ()
        return ("value", *self.table.table.metrics, *device, "parameters", "macs", "seconds")

    @property
    def search_space(self) -> dict[str, BaseDistribution]:
        """The choices of every parameter."""
        return {name: CategoricalDistribution(choices) for name, choices in self.space.parameters().items()}

    @property
    def directions(self) -> list[StudyDirection]:
        """One for each metric: costs are minimised, all else is maximised."""
        minimize, maximize = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
        return [minimize if name in SMALLER_IS_BETTER else maximize for name in self.metric_names]

    def __call__(self, trial: optuna.trial.BaseTrial) -> float | list[float]:
        """Suggest an architecture and look it up.

        Raises:
            optuna.TrialPruned: The sampler chose what the space does not hold, as those may that choose
                parameter by parameter.
        """
        return self._looked_up(suggest_architecture(trial, self.space))

    def evaluate(self, params: Mapping[str, Any]) -> float | list[float]:
        """Look up the architecture of ``params``.

        Returns:
            A number, or one for each metric; NaN where the table has none.

        Raises:
            InvalidArchitecture: A parameter is missing, or the space does not hold this combination.
        """
        return self._looked_up(self.space.from_parameters(params))

    def _looked_up(self, architecture: Architecture) -> float | list[float]:
        evaluation = self.table.evaluate(architecture)
        fields = {name: getattr(evaluation, name) for name in ("value", "parameters", "macs", "seconds")}
        figures = {**evaluation.metrics, **{k: v for k, v in fields.items() if v is not None}}
        values = [float(figures.get(name, math.nan)) for name in self.metric_names]
        return values[0] if len(values) == 1 else values
