"""Baselines to compare every learned method with.

Names are imported on first use, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.methods.baselines.evolution import RegularizedEvolution as RegularizedEvolution
    from graphnas.methods.baselines.local_search import LocalSearch as LocalSearch
    from graphnas.methods.baselines.random_search import RandomSearch as RandomSearch
    from graphnas.methods.baselines.trees import TreeSearch as TreeSearch

_HOMES = {
    "LocalSearch": "graphnas.methods.baselines.local_search",
    "RandomSearch": "graphnas.methods.baselines.random_search",
    "RegularizedEvolution": "graphnas.methods.baselines.evolution",
    "TreeSearch": "graphnas.methods.baselines.trees",
}
__all__ = [
    "LocalSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "TreeSearch",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
