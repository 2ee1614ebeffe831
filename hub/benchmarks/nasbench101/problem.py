from __future__ import annotations

from collections.abc import Sequence

from graphnas.evaluate import TabularEvaluator
from optuna_graphnas.problem import TableProblem
from search_spaces import NASBench101


class Problem(TableProblem):
    """Cells of up to seven nodes; a choice that is no cell of the benchmark is pruned."""

    def __init__(
        self,
        metric: str = "test_accuracy",
        metric_names: Sequence[str] = ("value",),
        data_dir: str | None = None,
    ) -> None:
        table = TabularEvaluator(NASBench101(), metric=metric, data_dir=data_dir)
        super().__init__(table, metric_names)
