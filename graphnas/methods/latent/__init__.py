"""Bayesian optimisation in the latent space of a graph autoencoder."""

from graphnas.methods.latent.config import LatentBOConfig
from graphnas.methods.latent.search import LatentBO

__all__ = ["LatentBO", "LatentBOConfig"]
