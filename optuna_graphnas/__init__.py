"""Graph-based architecture search in Optuna: samplers, `suggest_architecture` and a ready objective.

The names are imported on first use, so that importing this package loads neither Optuna nor torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphnas.lazy import lazy_names
from graphnas.optional import require

if TYPE_CHECKING:
    from optuna_graphnas.dashboard import DashboardCallback as DashboardCallback
    from optuna_graphnas.explanation import explain as explain
    from optuna_graphnas.grown import continue_study as continue_study
    from optuna_graphnas.objective import Objective as Objective
    from optuna_graphnas.prior import add_prior as add_prior
    from optuna_graphnas.prior import add_results as add_results
    from optuna_graphnas.prior import prior_of as prior_of
    from optuna_graphnas.sampler import GraphSampler as GraphSampler
    from optuna_graphnas.samplers import GraphBOSampler as GraphBOSampler
    from optuna_graphnas.samplers import GraphPNASSampler as GraphPNASSampler
    from optuna_graphnas.samplers import LatentBOSampler as LatentBOSampler
    from optuna_graphnas.samplers import LocalSearchSampler as LocalSearchSampler
    from optuna_graphnas.samplers import NASGEMSampler as NASGEMSampler
    from optuna_graphnas.samplers import RandomArchitectureSampler as RandomArchitectureSampler
    from optuna_graphnas.samplers import RegularizedEvolutionSampler as RegularizedEvolutionSampler
    from optuna_graphnas.suggest import architecture_of as architecture_of
    from optuna_graphnas.suggest import suggest_architecture as suggest_architecture

__all__ = [
    "DashboardCallback",
    "GraphBOSampler",
    "GraphPNASSampler",
    "GraphSampler",
    "LatentBOSampler",
    "LocalSearchSampler",
    "NASGEMSampler",
    "Objective",
    "RandomArchitectureSampler",
    "RegularizedEvolutionSampler",
    "add_prior",
    "add_results",
    "architecture_of",
    "continue_study",
    "explain",
    "prior_of",
    "suggest_architecture",
]
_HOMES = {
    "DashboardCallback": "optuna_graphnas.dashboard",
    "GraphBOSampler": "optuna_graphnas.samplers",
    "GraphPNASSampler": "optuna_graphnas.samplers",
    "GraphSampler": "optuna_graphnas.sampler",
    "LatentBOSampler": "optuna_graphnas.samplers",
    "LocalSearchSampler": "optuna_graphnas.samplers",
    "NASGEMSampler": "optuna_graphnas.samplers",
    "Objective": "optuna_graphnas.objective",
    "RandomArchitectureSampler": "optuna_graphnas.samplers",
    "RegularizedEvolutionSampler": "optuna_graphnas.samplers",
    "add_prior": "optuna_graphnas.prior",
    "add_results": "optuna_graphnas.prior",
    "architecture_of": "optuna_graphnas.suggest",
    "continue_study": "optuna_graphnas.grown",
    "explain": "optuna_graphnas.explanation",
    "prior_of": "optuna_graphnas.prior",
    "suggest_architecture": "optuna_graphnas.suggest",
}
_lazily, __dir__ = lazy_names(__name__, _HOMES, __all__)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        require("optuna", "optuna")
    return _lazily(name)
