"""Search methods: they propose architectures and learn from what they are told.

The names are imported on first use, so that importing this package does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.methods.base import Observation as Observation
    from graphnas.methods.base import SearchMethod as SearchMethod
    from graphnas.methods.evolution import RegularizedEvolution as RegularizedEvolution
    from graphnas.methods.graphpnas import GraphPNAS as GraphPNAS
    from graphnas.methods.graphpnas import GraphPNASConfig as GraphPNASConfig
    from graphnas.methods.graphpnas import LearnedDistribution as LearnedDistribution
    from graphnas.methods.graphpnas import SupernetSearch as SupernetSearch
    from graphnas.methods.graphpnas import SupernetSearchConfig as SupernetSearchConfig
    from graphnas.methods.latent.bo_config import LatentBOConfig as LatentBOConfig
    from graphnas.methods.latent.search import LatentBO as LatentBO
    from graphnas.methods.local_search import LocalSearch as LocalSearch
    from graphnas.methods.nasgem import NASGEM as NASGEM
    from graphnas.methods.nasgem import NASGEMConfig as NASGEMConfig
    from graphnas.methods.random_search import RandomSearch as RandomSearch
    from graphnas.methods.trees import TreeSearch as TreeSearch

_HOMES = {
    "GraphPNAS": "graphnas.methods.graphpnas",
    "GraphPNASConfig": "graphnas.methods.graphpnas",
    "LearnedDistribution": "graphnas.methods.graphpnas",
    "LatentBO": "graphnas.methods.latent.search",
    "LatentBOConfig": "graphnas.methods.latent.bo_config",
    "LocalSearch": "graphnas.methods.local_search",
    "NASGEM": "graphnas.methods.nasgem",
    "NASGEMConfig": "graphnas.methods.nasgem",
    "Observation": "graphnas.methods.base",
    "RandomSearch": "graphnas.methods.random_search",
    "RegularizedEvolution": "graphnas.methods.evolution",
    "SearchMethod": "graphnas.methods.base",
    "SupernetSearch": "graphnas.methods.graphpnas",
    "SupernetSearchConfig": "graphnas.methods.graphpnas",
    "TreeSearch": "graphnas.methods.trees",
}
__all__ = [
    "NASGEM",
    "GraphPNAS",
    "GraphPNASConfig",
    "LatentBO",
    "LatentBOConfig",
    "LearnedDistribution",
    "LocalSearch",
    "NASGEMConfig",
    "Observation",
    "RandomSearch",
    "RegularizedEvolution",
    "SearchMethod",
    "SupernetSearch",
    "SupernetSearchConfig",
    "TreeSearch",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
