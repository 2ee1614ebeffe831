"""Autoencoders trained for a search on random architectures; each is cached as long as its space lives."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

from graphnas import autoencoders
from graphnas.autoencoders import GraphAutoencoder
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.candidates import whole_space
from graphnas.methods.latent.config import LatentBOConfig

_Known = dict[tuple[Any, ...], tuple[GraphAutoencoder, ArchitectureBatch]]
_known: weakref.WeakKeyDictionary[GraphSpace, _Known] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def training_architectures(space: GraphSpace, size: int, seed: int) -> ArchitectureBatch:
    """``size`` random architectures; the whole space if it has no more."""
    whole = whole_space(space, size)
    return space.sample_batch(np.random.default_rng([seed, 6]), size) if whole is None else whole


def trained_autoencoder(
    space: GraphSpace, config: LatentBOConfig, seed: int
) -> tuple[GraphAutoencoder, ArchitectureBatch]:
    """The autoencoder of a search, and what it was trained on; no accuracy enters.

    It depends on the space, the configuration and the seed only, so every method with the same ones shares
    it, and one in another process trains the same.
    """
    key = (config.model, repr(config.model_config), config.training_size, seed)
    with _lock:  # two threads of one study would otherwise train the same model twice
        known = _known.setdefault(space, {})
        if key not in known:
            architectures = training_architectures(space, config.training_size, seed)
            make = getattr(autoencoders, autoencoders.MODELS[config.model])
            known[key] = make(space, config.model_config, seed=seed).fit(architectures), architectures
        return known[key]
