"""NASGEM: kernel-guided encoder, score predictor and bootstrap optimisation (arXiv 2007.04452)."""

from graphnas.methods.nasgem.config import EncoderConfig, NASGEMConfig, PredictorConfig
from graphnas.methods.nasgem.encoder import KernelGuidedEncoder, guiding_kernel
from graphnas.methods.nasgem.pairs import Pairs, pair_up, sample_pairs
from graphnas.methods.nasgem.predictor import MLPPredictor
from graphnas.methods.nasgem.search import NASGEM

__all__ = [
    "NASGEM",
    "EncoderConfig",
    "KernelGuidedEncoder",
    "MLPPredictor",
    "NASGEMConfig",
    "Pairs",
    "PredictorConfig",
    "guiding_kernel",
    "pair_up",
    "sample_pairs",
]
