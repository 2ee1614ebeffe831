"""The autoencoders by the names of their classes, which saved files hold."""

from __future__ import annotations

from graphnas.autoencoders.base import GraphAutoencoder
from graphnas.autoencoders.dvae import DVAE, DVAEEmb
from graphnas.autoencoders.feature_vae import FeatureVAE
from graphnas.autoencoders.gcn import GCN, GCNEmb
from graphnas.autoencoders.graphrnn import GraphRNN
from graphnas.autoencoders.svae import SVAE
from graphnas.autoencoders.vsgae import VSGAE

MODELS: dict[str, type[GraphAutoencoder]] = {
    model.__name__: model for model in (DVAE, DVAEEmb, GCN, GCNEmb, SVAE, GraphRNN, VSGAE, FeatureVAE)
}
