"""GraphBO: Bayesian optimisation with a Gaussian process on graph features, the method we recommend."""

from graphnas.methods.graphbo.config import GraphBOConfig
from graphnas.methods.graphbo.search import GraphBO

__all__ = ["GraphBO", "GraphBOConfig"]
