"""Measure architectures: look them up, train them, and weigh accuracy against cost.

Names are imported on first use, so that looking up a table does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.evaluate.base import Evaluator as Evaluator
    from graphnas.evaluate.datasets import load_dataset as load_dataset
    from graphnas.evaluate.oracle import OracleEvaluator as OracleEvaluator
    from graphnas.evaluate.saved_model import load_model as load_model
    from graphnas.evaluate.saved_model import save_model as save_model
    from graphnas.evaluate.score import efficiency_score as efficiency_score
    from graphnas.evaluate.supernet import SupernetEvaluator as SupernetEvaluator
    from graphnas.evaluate.supernet_config import SupernetConfig as SupernetConfig
    from graphnas.evaluate.tabular import TabularEvaluator as TabularEvaluator
    from graphnas.evaluate.trained_model import TrainedModel as TrainedModel
    from graphnas.evaluate.training_config import TrainingConfig as TrainingConfig

_HOMES = {
    "Evaluator": "base",
    "OracleEvaluator": "oracle",
    "SupernetConfig": "supernet_config",
    "SupernetEvaluator": "supernet",
    "TabularEvaluator": "tabular",
    "TrainedModel": "trained_model",
    "TrainingConfig": "training_config",
    "efficiency_score": "score",
    "load_dataset": "datasets",
    "load_model": "saved_model",
    "save_model": "saved_model",
}
__all__ = [
    "Evaluator",
    "OracleEvaluator",
    "SupernetConfig",
    "SupernetEvaluator",
    "TabularEvaluator",
    "TrainedModel",
    "TrainingConfig",
    "efficiency_score",
    "load_dataset",
    "load_model",
    "save_model",
]

__getattr__, __dir__ = lazy_names(
    __name__, {name: f"graphnas.evaluate.{home}" for name, home in _HOMES.items()}, __all__
)
