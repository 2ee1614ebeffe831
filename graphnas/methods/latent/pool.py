"""LatentPool: a trained autoencoder's latents, and the candidates of latent Bayesian optimisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from graphnas.autoencoders.base import GraphAutoencoder
from graphnas.autoencoders.model import Graphs
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.candidates import ELITES, changed_candidates, whole_space
from graphnas.methods.latent.config import LatentBOConfig
from graphnas.seeds import drawn_seed, torch_generator
from graphnas.surrogate.training_set import TrainingSet

Matrix = NDArray[np.float64]
Score = Callable[[Matrix], Matrix]
"""Scores (B,) of latents (B, d), larger is better."""

POINTS = 20
"""Points of the trust region drawn for each one that is decoded."""


def latent_means(model: GraphAutoencoder, architectures: Graphs) -> Matrix:
    """Posterior means ``(B, d)`` in double precision, of at least one architecture."""
    return model.encode(architectures)[0].double().cpu().numpy()


NEAREST = 50
"""Architectures that a point stands for where it decodes to none of a restricted space."""


class LatentPool:
    """Latents of architectures, and candidates with theirs.

    Args:
        space: The search space.
        config: How many candidates, and of which kind.
        model: The trained autoencoder.
        trained_on: Its training set, which gives the scale and the bounds of the latent space.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: LatentBOConfig,
        model: GraphAutoencoder,
        trained_on: Graphs,
    ) -> None:
        self.space, self.config, self.model = space, config, model
        known = latent_means(model, trained_on)
        self.deviation = known.std(0)
        self.low, self.high = known.min(0), known.max(0)
        whole = whole_space(space, config.enumerate_up_to)
        self._whole = None if whole is None else (whole, latent_means(model, whole))
        self._latents: dict[Architecture, Matrix] = {}

    def encode(self, architectures: Sequence[Architecture]) -> Matrix:
        """Latent means ``(n, d)``; each architecture is encoded once."""
        new = [a for a in dict.fromkeys(architectures) if a not in self._latents]
        if new:
            self._latents.update(zip(new, latent_means(self.model, new), strict=True))
        return np.array([self._latents[a] for a in architectures]).reshape(len(architectures), len(self.low))

    def nearest(self, point: Matrix) -> list[Architecture]:
        """The known architectures whose latents are nearest to a point ``(d,)``, the nearest first.

        Empty but for a space that was restricted to known architectures, of which there are not too many to
        encode: there a decoder trained on the few hardly ever gives one of them.
        """
        if self._whole is None or self.space.whole is self.space:
            return []
        batch, latents = self._whole
        order = np.argsort(((latents - point) ** 2).sum(1), kind="stable")[:NEAREST]
        return batch[torch.from_numpy(order)].to_architectures()

    def candidates(
        self, data: TrainingSet, latents: Matrix, score: Score, rng: np.random.Generator
    ) -> tuple[ArchitectureBatch, Matrix]:
        """Candidates and their latents: all of a small space.

        Of a larger one: random architectures, changed copies of the best, and what points around the best
        decode to. Decoded architectures are valid, and are scored by their own encoding rather than by the
        point that they came from.

        Args:
            data: The evaluated architectures.
            latents: Their latents ``(n, d)``.
            score: Scores points of the latent space, to choose which of them to decode.
            rng: Source of all draws.
        """
        if self._whole is not None:
            return self._whole
        config = self.config
        parts = [self.space.sample_batch(rng, config.candidates)]
        best = data.best(ELITES)
        if config.local_candidates:
            parents = [data.architectures[k] for k in best]
            changed = changed_candidates(self.space, parents, config.local_candidates, rng)
            # An autoencoder may not be able to read those that break the space's rule.
            parts.append(changed[self.space.valid_batch(changed)])
        if config.decoded_candidates:
            decoded = self._decoded(latents[best], score, rng)
            if decoded:
                parts.append(ArchitectureBatch.from_architectures(decoded, self.space.max_nodes))
        pool = ArchitectureBatch.cat([part for part in parts if len(part)])
        return pool, latent_means(self.model, pool)

    def _decoded(self, centres: Matrix, score: Score, rng: np.random.Generator) -> list[Architecture]:
        """Architectures from the best points of the trust region, which is a normal around each centre."""
        count = self.config.decoded_candidates
        around = centres[rng.integers(len(centres), size=POINTS * count)]
        step = self.config.trust_region * self.deviation * rng.standard_normal(around.shape)
        points = np.clip(around + step, self.low, self.high)
        chosen = points[np.argsort(-score(points), kind="stable")[:count]]
        decoded = self.model.decode(
            torch.from_numpy(chosen).float(),
            torch_generator(drawn_seed(rng)),
            constrained=True,
            stochastic=False,
        )
        return [architecture for architecture in decoded.architectures if architecture is not None]
