"""Measure an architecture: look it up in a table, or train it.

Names are imported on first use, so that a table can be read without loading torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphnas.evaluate.base import Evaluator as Evaluator
    from graphnas.evaluate.oracle import OracleEvaluator as OracleEvaluator
    from graphnas.evaluate.score import efficiency_score as efficiency_score
    from graphnas.evaluate.tabular import TabularEvaluator as TabularEvaluator

_HOMES = {
    "Evaluator": "base",
    "OracleEvaluator": "oracle",
    "TabularEvaluator": "tabular",
    "efficiency_score": "score",
}
__all__ = ["Evaluator", "OracleEvaluator", "TabularEvaluator", "efficiency_score"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"graphnas.evaluate.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
