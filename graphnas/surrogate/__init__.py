"""Surrogates that several methods share: Gaussian processes, graph kernels, acquisitions.

Names are imported on first use, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.surrogate.ensemble import FeatureEnsemble as FeatureEnsemble
    from graphnas.surrogate.feature_predictor import FeatureKernels as FeatureKernels
    from graphnas.surrogate.feature_predictor import FeaturePredictor as FeaturePredictor
    from graphnas.surrogate.gp import ExactGP as ExactGP
    from graphnas.surrogate.kernel_predictor import KernelFeatures as KernelFeatures
    from graphnas.surrogate.kernel_predictor import KernelPredictor as KernelPredictor
    from graphnas.surrogate.sparse_gp import SparseGP as SparseGP

_HOMES = {
    "ExactGP": "graphnas.surrogate.gp",
    "FeatureEnsemble": "graphnas.surrogate.ensemble",
    "FeatureKernels": "graphnas.surrogate.feature_predictor",
    "FeaturePredictor": "graphnas.surrogate.feature_predictor",
    "KernelFeatures": "graphnas.surrogate.kernel_predictor",
    "KernelPredictor": "graphnas.surrogate.kernel_predictor",
    "SparseGP": "graphnas.surrogate.sparse_gp",
}
__all__ = [
    "ExactGP",
    "FeatureEnsemble",
    "FeatureKernels",
    "FeaturePredictor",
    "KernelFeatures",
    "KernelPredictor",
    "SparseGP",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
