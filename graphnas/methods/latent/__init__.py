"""Graph autoencoders (D-VAE, GCN, S-VAE, GraphRNN, operation embeddings, VS-GAE), search in latent spaces."""

from graphnas.methods.latent.base import ELBO, Decoded, GraphAutoencoder
from graphnas.methods.latent.config import (
    AutoencoderConfig,
    DVAEConfig,
    DVAEEmbConfig,
    GCNConfig,
    GCNEmbConfig,
    TrainingConfig,
)
from graphnas.methods.latent.dvae import DVAE, DVAEEmb
from graphnas.methods.latent.feature_vae import FeatureVAE, FeatureVAEConfig
from graphnas.methods.latent.gcn import GCN, GCNEmb
from graphnas.methods.latent.graphrnn import GraphRNN
from graphnas.methods.latent.performance import PerformancePredictor, PredictorConfig
from graphnas.methods.latent.svae import SVAE
from graphnas.methods.latent.vertices import VertexAdapter, same_graphs
from graphnas.methods.latent.vsgae import VSGAE, VSGAEConfig

MODELS: dict[str, type[GraphAutoencoder]] = {
    model.__name__: model for model in (DVAE, DVAEEmb, GCN, GCNEmb, SVAE, GraphRNN, VSGAE, FeatureVAE)
}
"""The models by the names of their classes, which saved files hold."""

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
    "GraphRNN",
    "PerformancePredictor",
    "PredictorConfig",
    "TrainingConfig",
    "VSGAEConfig",
    "VertexAdapter",
    "same_graphs",
]
