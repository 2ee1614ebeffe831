from __future__ import annotations

from collections.abc import Sequence

from graphnas.evaluate import TabularEvaluator
from optuna_graphnas.problem import TableProblem
from search_spaces import TransNASBench101
from search_spaces.tables.transnasbench101 import TASKS


class Problem(TableProblem):
    """Cells with one of four operations on each of six edges."""

    available_tasks = TASKS

    def __init__(
        self,
        task: str = "class_scene",
        metric_names: Sequence[str] = ("value",),
        data_dir: str | None = None,
    ) -> None:
        table = TabularEvaluator(TransNASBench101(), dataset=task, data_dir=data_dir)
        super().__init__(table, metric_names)
