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
    from graphnas.graph.product import ProductSpace as ProductSpace
    from graphnas.graph.properties import GraphProperties as GraphProperties
    from graphnas.graph.properties import graph_properties as graph_properties
    from graphnas.graph.restricted import RestrictedSpace as RestrictedSpace
    from graphnas.graph.space import GraphSpace as GraphSpace
    from graphnas.graph.wl import WeisfeilerLehman as WeisfeilerLehman
    from graphnas.graph.wl import wl_hash as wl_hash

_HOMES = {
    "Architecture": "graphnas.graph.architecture",
    "ArchitectureBatch": "graphnas.graph.batch",
    "Evaluation": "graphnas.graph.evaluation",
    "GraphProperties": "graphnas.graph.properties",
    "GraphSpace": "graphnas.graph.space",
    "OperationFeatures": "graphnas.graph.operation_features",
    "ProductSpace": "graphnas.graph.product",
    "RestrictedSpace": "graphnas.graph.restricted",
    "WeisfeilerLehman": "graphnas.graph.wl",
    "canonical_key": "graphnas.graph.canonical",
    "graph_properties": "graphnas.graph.properties",
    "wl_hash": "graphnas.graph.wl",
}
__all__ = [
    "Architecture",
    "ArchitectureBatch",
    "Evaluation",
    "GraphProperties",
    "GraphSpace",
    "OperationFeatures",
    "ProductSpace",
    "RestrictedSpace",
    "WeisfeilerLehman",
    "canonical_key",
    "graph_properties",
    "wl_hash",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
