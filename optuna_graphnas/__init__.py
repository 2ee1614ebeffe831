"""Graph-based architecture search in Optuna: samplers, `suggest_architecture` and a ready objective.

The names are imported on first use, so that importing this package loads neither Optuna nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphnas.optional import require

if TYPE_CHECKING:
    from optuna_graphnas.objective import Objective as Objective
    from optuna_graphnas.sampler import GraphSampler as GraphSampler
    from optuna_graphnas.samplers import GraphPNASSampler as GraphPNASSampler
    from optuna_graphnas.samplers import LatentBOSampler as LatentBOSampler
    from optuna_graphnas.samplers import LocalSearchSampler as LocalSearchSampler
    from optuna_graphnas.samplers import NASGEMSampler as NASGEMSampler
    from optuna_graphnas.samplers import RandomArchitectureSampler as RandomArchitectureSampler
    from optuna_graphnas.samplers import RegularizedEvolutionSampler as RegularizedEvolutionSampler
    from optuna_graphnas.suggest import architecture_of as architecture_of
    from optuna_graphnas.suggest import suggest_architecture as suggest_architecture

_HOMES = {
    "GraphPNASSampler": "optuna_graphnas.samplers",
    "GraphSampler": "optuna_graphnas.sampler",
    "LatentBOSampler": "optuna_graphnas.samplers",
    "LocalSearchSampler": "optuna_graphnas.samplers",
    "NASGEMSampler": "optuna_graphnas.samplers",
    "Objective": "optuna_graphnas.objective",
    "RandomArchitectureSampler": "optuna_graphnas.samplers",
    "RegularizedEvolutionSampler": "optuna_graphnas.samplers",
    "architecture_of": "optuna_graphnas.suggest",
    "suggest_architecture": "optuna_graphnas.suggest",
}
__all__ = [
    "GraphPNASSampler",
    "GraphSampler",
    "LatentBOSampler",
    "LocalSearchSampler",
    "NASGEMSampler",
    "Objective",
    "RandomArchitectureSampler",
    "RegularizedEvolutionSampler",
    "architecture_of",
    "suggest_architecture",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("optuna", "optuna")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
