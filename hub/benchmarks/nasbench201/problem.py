from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from graphnas.evaluate import TabularEvaluator
import optuna
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna_graphnas.problem import TableProblem
from search_spaces import NASBench201
from search_spaces.nasbench201 import OPERATIONS


class Problem(TableProblem):
    """Cells with one of five operations on each of six edges."""

    available_dataset_names = ("cifar10", "cifar100", "imagenet16-120")

    def __init__(
        self,
        dataset_id: int = 0,
        metric_names: Sequence[str] = ("value",),
        graph_parameters: bool = False,
        data_dir: str | None = None,
    ) -> None:
        names = self.available_dataset_names
        if not 0 <= dataset_id < len(names):
            raise ValueError(f"dataset_id must be in 0..{len(names) - 1}, got {dataset_id}")
        self.dataset_name = names[dataset_id]
        self.graph_parameters = graph_parameters
        table = TabularEvaluator(NASBench201(), dataset=self.dataset_name, data_dir=data_dir)
        super().__init__(table, metric_names)

    @property
    def search_space(self) -> dict[str, BaseDistribution]:
        """The choices of every parameter."""
        if self.graph_parameters:
            return super().search_space
        choices = range(len(OPERATIONS))
        return {f"Op{edge}_index": CategoricalDistribution(list(choices)) for edge in range(6)}

    def __call__(self, trial: optuna.trial.BaseTrial) -> float | list[float]:
        """Suggest a cell and look it up."""
        if self.graph_parameters:
            return super().__call__(trial)
        choices = list(range(len(OPERATIONS)))
        params = {
            name: trial.suggest_categorical(name, choices) for name in sorted(self.search_space)
        }
        return self.evaluate(params)

    def evaluate(self, params: Mapping[str, Any]) -> float | list[float]:
        """Look up the cell of ``params``, a number or one for each metric."""
        if self.graph_parameters:
            return super().evaluate(params)
        # The edges in the order of the official string; the first varies slowest.
        index = 0
        for edge in range(6):
            index = index * len(OPERATIONS) + params[f"Op{edge}_index"]
        return super().evaluate(self.space.to_parameters(self.space.at(index)))
