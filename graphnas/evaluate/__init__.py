"""Measure architectures: look them up, train them, and weigh accuracy against cost.

Names are imported on first use, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.evaluate.base import Evaluator as Evaluator
    from graphnas.evaluate.oracle import OracleEvaluator as OracleEvaluator
    from graphnas.evaluate.score import EfficiencyScore as EfficiencyScore
    from graphnas.evaluate.score import efficiency_score as efficiency_score
    from graphnas.evaluate.supernet import SupernetEvaluator as SupernetEvaluator
    from graphnas.evaluate.supernet_config import SupernetConfig as SupernetConfig
    from graphnas.evaluate.tabular import TabularEvaluator as TabularEvaluator
    from graphnas.evaluate.zero_cost import ZeroCostFeatures as ZeroCostFeatures

_HOMES = {
    "EfficiencyScore": "graphnas.evaluate.score",
    "Evaluator": "graphnas.evaluate.base",
    "OracleEvaluator": "graphnas.evaluate.oracle",
    "SupernetConfig": "graphnas.evaluate.supernet_config",
    "SupernetEvaluator": "graphnas.evaluate.supernet",
    "TabularEvaluator": "graphnas.evaluate.tabular",
    "ZeroCostFeatures": "graphnas.evaluate.zero_cost",
    "efficiency_score": "graphnas.evaluate.score",
}
__all__ = [
    "EfficiencyScore",
    "Evaluator",
    "OracleEvaluator",
    "SupernetConfig",
    "SupernetEvaluator",
    "TabularEvaluator",
    "ZeroCostFeatures",
    "efficiency_score",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
