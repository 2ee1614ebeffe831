"""load_autoencoder: a saved autoencoder of any class."""

from __future__ import annotations

import os

import torch

# Importing a model registers its class.
import graphnas.autoencoders.dvae
import graphnas.autoencoders.feature_vae
import graphnas.autoencoders.gcn
import graphnas.autoencoders.sequence
import graphnas.autoencoders.vsgae  # noqa: F401
from graphnas.autoencoders.base import GraphAutoencoder
from graphnas.graph.space import GraphSpace


def load_autoencoder(
    path: str | os.PathLike[str], *, space: GraphSpace | None = None, device: torch.device | str = "cpu"
) -> GraphAutoencoder:
    """The autoencoder in a file that its ``save`` wrote, whatever its class.

    Arguments and errors are those of :meth:`.model.GraphModel.load`, which reads models of one class. A class
    that is not part of graphnas must have been imported.
    """
    return GraphAutoencoder.load(path, space=space, device=device)
