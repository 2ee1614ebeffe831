"""What flows through graphnas: architectures, batches of them, their kernel features, and the space contract.

Names are imported on first use, so that code which needs no tensors does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphnas.graph.architecture import Architecture as Architecture
    from graphnas.graph.batch import ArchitectureBatch as ArchitectureBatch
    from graphnas.graph.canonical import canonical_key as canonical_key
    from graphnas.graph.evaluation import Evaluation as Evaluation
    from graphnas.graph.operation_features import OperationFeatures as OperationFeatures
    from graphnas.graph.properties import GraphProperties as GraphProperties
    from graphnas.graph.properties import graph_properties as graph_properties
    from graphnas.graph.restricted import RestrictedSpace as RestrictedSpace
    from graphnas.graph.space import GraphSpace as GraphSpace
    from graphnas.graph.wl import WeisfeilerLehman as WeisfeilerLehman
    from graphnas.graph.wl import wl_hash as wl_hash

_HOMES = {
    "Architecture": "architecture",
    "ArchitectureBatch": "batch",
    "Evaluation": "evaluation",
    "GraphProperties": "properties",
    "GraphSpace": "space",
    "OperationFeatures": "operation_features",
    "RestrictedSpace": "restricted",
    "WeisfeilerLehman": "wl",
    "canonical_key": "canonical",
    "graph_properties": "properties",
    "wl_hash": "wl",
}
__all__ = [
    "Architecture",
    "ArchitectureBatch",
    "Evaluation",
    "GraphProperties",
    "GraphSpace",
    "OperationFeatures",
    "RestrictedSpace",
    "WeisfeilerLehman",
    "canonical_key",
    "graph_properties",
    "wl_hash",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"graphnas.graph.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
