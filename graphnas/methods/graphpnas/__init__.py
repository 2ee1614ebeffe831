"""GraphPNAS: a GNN generator of architectures that learns a distribution of good ones (TMLR 2023)."""

from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.distribution import LearnedDistribution
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.methods.graphpnas.graph_generator import GeneratorConfig, GraphGenerator
from graphnas.methods.graphpnas.likelihood import LogLikelihood
from graphnas.methods.graphpnas.pham import PhamGenerator
from graphnas.methods.graphpnas.replay import Buffer
from graphnas.methods.graphpnas.rnn import RNNGenerator
from graphnas.methods.graphpnas.sampling import sample_valid
from graphnas.methods.graphpnas.search import GraphPNAS
from graphnas.methods.graphpnas.stages import StagedGenerator
from graphnas.methods.graphpnas.supernet_search import SupernetSearch, SupernetSearchConfig
from graphnas.methods.graphpnas.training import fit

__all__ = [
    "ArchitectureGenerator",
    "Buffer",
    "GeneratorConfig",
    "GraphGenerator",
    "GraphPNAS",
    "GraphPNASConfig",
    "LearnedDistribution",
    "LogLikelihood",
    "PhamGenerator",
    "RNNGenerator",
    "StagedGenerator",
    "SupernetSearch",
    "SupernetSearchConfig",
    "fit",
    "sample_valid",
]
