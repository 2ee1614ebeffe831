"""Graph autoencoders (D-VAE, GCN, S-VAE, GraphRNN, DVAE-EMB, GCN-EMB) and search in their latent spaces."""

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
from graphnas.methods.latent.svae import SVAE
from graphnas.methods.latent.vertices import VertexAdapter, same_graphs

MODELS: dict[str, type[GraphAutoencoder]] = {
    model.__name__: model for model in (DVAE, DVAEEmb, GCN, GCNEmb, SVAE, GraphRNN, FeatureVAE)
}
"""The models by the names of their classes, which saved files hold."""

__all__ = [
    "DVAE",
    "ELBO",
    "GCN",
    "MODELS",
    "SVAE",
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
    "TrainingConfig",
    "VertexAdapter",
    "same_graphs",
]
