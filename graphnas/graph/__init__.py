"""What flows through graphnas: architectures, batches of them, their kernel features, and the space contract.

Names are imported on first use, so that code which needs no tensors does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(
    __name__, {name: f"graphnas.graph.{home}" for name, home in _HOMES.items()}, __all__
)
