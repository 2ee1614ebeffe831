from __future__ import annotations

from collections.abc import Sequence

from graphnas.evaluate import TabularEvaluator
from optuna_graphnas.problem import TableProblem
from search_spaces import NASBenchGraph


class Problem(TableProblem):
    """Cells of four operations, each of which reads one earlier node."""

    def __init__(
        self,
        dataset: str = "cora",
        metric_names: Sequence[str] = ("value",),
        data_dir: str | None = None,
    ) -> None:
        table = TabularEvaluator(
            NASBenchGraph(), dataset=dataset, data_dir=data_dir, device=f"gpu_{dataset}"
        )
        super().__init__(table, metric_names)
