"""Search methods: they propose architectures and learn from their values.

Names are imported on first use, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.graph.evaluation import Observation as Observation
    from graphnas.methods.base import SearchMethod as SearchMethod
    from graphnas.methods.baselines import LocalSearch as LocalSearch
    from graphnas.methods.baselines import RandomSearch as RandomSearch
    from graphnas.methods.baselines import RegularizedEvolution as RegularizedEvolution
    from graphnas.methods.baselines import TreeSearch as TreeSearch
    from graphnas.methods.graphbo import GraphBO as GraphBO
    from graphnas.methods.graphbo import GraphBOConfig as GraphBOConfig
    from graphnas.methods.graphpnas import GraphPNAS as GraphPNAS
    from graphnas.methods.graphpnas import GraphPNASConfig as GraphPNASConfig
    from graphnas.methods.graphpnas import LearnedDistribution as LearnedDistribution
    from graphnas.methods.graphpnas import SupernetSearch as SupernetSearch
    from graphnas.methods.graphpnas import SupernetSearchConfig as SupernetSearchConfig
    from graphnas.methods.latent import LatentBO as LatentBO
    from graphnas.methods.latent import LatentBOConfig as LatentBOConfig
    from graphnas.methods.nasgem import NASGEM as NASGEM
    from graphnas.methods.nasgem import NASGEMConfig as NASGEMConfig
    from graphnas.surrogate.prior import PriorTask as PriorTask

_HOMES = {
    "GraphBO": "graphnas.methods.graphbo",
    "GraphBOConfig": "graphnas.methods.graphbo",
    "GraphPNAS": "graphnas.methods.graphpnas",
    "GraphPNASConfig": "graphnas.methods.graphpnas",
    "LatentBO": "graphnas.methods.latent",
    "LatentBOConfig": "graphnas.methods.latent",
    "LearnedDistribution": "graphnas.methods.graphpnas",
    "LocalSearch": "graphnas.methods.baselines",
    "NASGEM": "graphnas.methods.nasgem",
    "NASGEMConfig": "graphnas.methods.nasgem",
    "Observation": "graphnas.graph.evaluation",
    "PriorTask": "graphnas.surrogate.prior",
    "RandomSearch": "graphnas.methods.baselines",
    "RegularizedEvolution": "graphnas.methods.baselines",
    "SearchMethod": "graphnas.methods.base",
    "SupernetSearch": "graphnas.methods.graphpnas",
    "SupernetSearchConfig": "graphnas.methods.graphpnas",
    "TreeSearch": "graphnas.methods.baselines",
}
__all__ = [
    "NASGEM",
    "GraphBO",
    "GraphBOConfig",
    "GraphPNAS",
    "GraphPNASConfig",
    "LatentBO",
    "LatentBOConfig",
    "LearnedDistribution",
    "LocalSearch",
    "NASGEMConfig",
    "Observation",
    "PriorTask",
    "RandomSearch",
    "RegularizedEvolution",
    "SearchMethod",
    "SupernetSearch",
    "SupernetSearchConfig",
    "TreeSearch",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
