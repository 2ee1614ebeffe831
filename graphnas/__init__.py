"""Graph-based neural architecture search for Optuna and NNI.

The public names are imported on first use, so that ``import graphnas`` (and ``import optuna_graphnas``)
stays quick: torch is loaded by the first thing that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphnas.graph import Architecture as Architecture
    from graphnas.graph import ArchitectureBatch as ArchitectureBatch
    from graphnas.graph import Evaluation as Evaluation
    from graphnas.graph import GraphSpace as GraphSpace
    from graphnas.graph import ProductSpace as ProductSpace
    from graphnas.methods.base import SearchMethod as SearchMethod

_HOMES = {
    "Architecture": "graphnas.graph.architecture",
    "ArchitectureBatch": "graphnas.graph.batch",
    "Evaluation": "graphnas.graph.evaluation",
    "GraphSpace": "graphnas.graph.space",
    "ProductSpace": "graphnas.graph.product",
    "SearchMethod": "graphnas.methods.base",
}
__all__ = [
    "Architecture",
    "ArchitectureBatch",
    "Evaluation",
    "GraphSpace",
    "ProductSpace",
    "SearchMethod",
    "__version__",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
