"""Graph autoencoders: D-VAE, GCN, S-VAE, GraphRNN, operation embeddings, VS-GAE and FeatureVAE, our own.

Names are imported on first use, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.autoencoders.base import ELBO as ELBO
    from graphnas.autoencoders.base import Decoded as Decoded
    from graphnas.autoencoders.base import GraphAutoencoder as GraphAutoencoder
    from graphnas.autoencoders.config import AutoencoderConfig as AutoencoderConfig
    from graphnas.autoencoders.config import DVAEConfig as DVAEConfig
    from graphnas.autoencoders.config import DVAEEmbConfig as DVAEEmbConfig
    from graphnas.autoencoders.config import GCNConfig as GCNConfig
    from graphnas.autoencoders.config import GCNEmbConfig as GCNEmbConfig
    from graphnas.autoencoders.config import TrainingConfig as TrainingConfig
    from graphnas.autoencoders.dvae import DVAE as DVAE
    from graphnas.autoencoders.dvae import DVAEEmb as DVAEEmb
    from graphnas.autoencoders.feature_vae import FeatureVAE as FeatureVAE
    from graphnas.autoencoders.feature_vae import FeatureVAEConfig as FeatureVAEConfig
    from graphnas.autoencoders.gcn import GCN as GCN
    from graphnas.autoencoders.gcn import GCNEmb as GCNEmb
    from graphnas.autoencoders.loading import load_autoencoder as load_autoencoder
    from graphnas.autoencoders.model import GraphModel as GraphModel
    from graphnas.autoencoders.performance import PerformancePredictor as PerformancePredictor
    from graphnas.autoencoders.performance import PredictorConfig as PredictorConfig
    from graphnas.autoencoders.sequence import SVAE as SVAE
    from graphnas.autoencoders.sequence import GraphRNN as GraphRNN
    from graphnas.autoencoders.vertices import VertexAdapter as VertexAdapter
    from graphnas.autoencoders.vertices import same_graphs as same_graphs
    from graphnas.autoencoders.vsgae import VSGAE as VSGAE
    from graphnas.autoencoders.vsgae import VSGAEConfig as VSGAEConfig

_HOMES = {
    "AutoencoderConfig": "graphnas.autoencoders.config",
    "DVAE": "graphnas.autoencoders.dvae",
    "DVAEConfig": "graphnas.autoencoders.config",
    "DVAEEmb": "graphnas.autoencoders.dvae",
    "DVAEEmbConfig": "graphnas.autoencoders.config",
    "Decoded": "graphnas.autoencoders.base",
    "ELBO": "graphnas.autoencoders.base",
    "FeatureVAE": "graphnas.autoencoders.feature_vae",
    "FeatureVAEConfig": "graphnas.autoencoders.feature_vae",
    "GCN": "graphnas.autoencoders.gcn",
    "GCNConfig": "graphnas.autoencoders.config",
    "GCNEmb": "graphnas.autoencoders.gcn",
    "GCNEmbConfig": "graphnas.autoencoders.config",
    "GraphAutoencoder": "graphnas.autoencoders.base",
    "GraphModel": "graphnas.autoencoders.model",
    "GraphRNN": "graphnas.autoencoders.sequence",
    "PerformancePredictor": "graphnas.autoencoders.performance",
    "PredictorConfig": "graphnas.autoencoders.performance",
    "SVAE": "graphnas.autoencoders.sequence",
    "TrainingConfig": "graphnas.autoencoders.config",
    "VSGAE": "graphnas.autoencoders.vsgae",
    "VSGAEConfig": "graphnas.autoencoders.vsgae",
    "VertexAdapter": "graphnas.autoencoders.vertices",
    "load_autoencoder": "graphnas.autoencoders.loading",
    "same_graphs": "graphnas.autoencoders.vertices",
}
__all__ = [
    "DVAE",
    "ELBO",
    "GCN",
    "MODELS",
    "SVAE",
    "VSGAE",
    "AutoencoderConfig",
    "DVAEConfig",
    "DVAEEmb",
    "DVAEEmbConfig",
    "Decoded",
    "FeatureVAE",
    "FeatureVAEConfig",
    "GCNConfig",
    "GCNEmb",
    "GCNEmbConfig",
    "GraphAutoencoder",
    "GraphModel",
    "GraphRNN",
    "PerformancePredictor",
    "PredictorConfig",
    "TrainingConfig",
    "VSGAEConfig",
    "VertexAdapter",
    "load_autoencoder",
    "same_graphs",
]

MODELS = {
    "features": "FeatureVAE",
    "dvae": "DVAE",
    "dvae_emb": "DVAEEmb",
    "gcn": "GCN",
    "gcn_emb": "GCNEmb",
    "svae": "SVAE",
    "graphrnn": "GraphRNN",
    "vsgae": "VSGAE",
}
"""The class of each model by its name in configurations and on the command line."""

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
