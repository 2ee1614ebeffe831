"""Graph-based neural architecture search for Optuna and NNI.

The public names are imported on first use, so that ``import graphnas`` (and ``import optuna_graphnas``)
stays quick: torch is loaded by the first thing that needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphnas.graph import Architecture as Architecture
    from graphnas.graph import ArchitectureBatch as ArchitectureBatch
    from graphnas.graph import Evaluation as Evaluation
    from graphnas.graph import GraphSpace as GraphSpace
    from graphnas.methods.base import SearchMethod as SearchMethod

_HOMES = {
    "Architecture": "graphnas.graph.architecture",
    "ArchitectureBatch": "graphnas.graph.batch",
    "Evaluation": "graphnas.graph.evaluation",
    "GraphSpace": "graphnas.graph.space",
    "SearchMethod": "graphnas.methods.base",
}
__all__ = ["Architecture", "ArchitectureBatch", "Evaluation", "GraphSpace", "SearchMethod", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
