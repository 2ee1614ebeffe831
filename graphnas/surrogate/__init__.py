"""What model-based methods share: Gaussian processes, kernels on graphs, acquisition functions.

Names are imported on first use, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.surrogate.ensemble import FeatureEnsemble as FeatureEnsemble
    from graphnas.surrogate.explanation import Explanation as Explanation
    from graphnas.surrogate.explanation import MotifEffect as MotifEffect
    from graphnas.surrogate.explanation import explain as explain
    from graphnas.surrogate.feature_prior import ArchitectureFeatures as ArchitectureFeatures
    from graphnas.surrogate.feature_prior import prior_of_features as prior_of_features
    from graphnas.surrogate.graph_kernels import GraphKernels as GraphKernels
    from graphnas.surrogate.improvement import ImprovementModel as ImprovementModel
    from graphnas.surrogate.kernels import Kernel as Kernel
    from graphnas.surrogate.kernels import Matern as Matern
    from graphnas.surrogate.kernels import SquaredExponential as SquaredExponential
    from graphnas.surrogate.prior import PriorTask as PriorTask
    from graphnas.surrogate.regression import GaussianProcess as GaussianProcess
    from graphnas.surrogate.sparse import SparseGP as SparseGP
    from graphnas.surrogate.training_set import TrainingSet as TrainingSet
    from graphnas.surrogate.training_set import normal_scores as normal_scores

_HOMES = {
    "ArchitectureFeatures": "graphnas.surrogate.feature_prior",
    "Explanation": "graphnas.surrogate.explanation",
    "FeatureEnsemble": "graphnas.surrogate.ensemble",
    "GaussianProcess": "graphnas.surrogate.regression",
    "GraphKernels": "graphnas.surrogate.graph_kernels",
    "ImprovementModel": "graphnas.surrogate.improvement",
    "Kernel": "graphnas.surrogate.kernels",
    "Matern": "graphnas.surrogate.kernels",
    "MotifEffect": "graphnas.surrogate.explanation",
    "PriorTask": "graphnas.surrogate.prior",
    "SparseGP": "graphnas.surrogate.sparse",
    "SquaredExponential": "graphnas.surrogate.kernels",
    "TrainingSet": "graphnas.surrogate.training_set",
    "explain": "graphnas.surrogate.explanation",
    "normal_scores": "graphnas.surrogate.training_set",
    "prior_of_features": "graphnas.surrogate.feature_prior",
}
__all__ = [
    "ArchitectureFeatures",
    "Explanation",
    "FeatureEnsemble",
    "GaussianProcess",
    "GraphKernels",
    "ImprovementModel",
    "Kernel",
    "Matern",
    "MotifEffect",
    "PriorTask",
    "SparseGP",
    "SquaredExponential",
    "TrainingSet",
    "explain",
    "normal_scores",
    "prior_of_features",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
