"""The candidates of latent Bayesian optimisation: real architectures, their changes, and decoded points."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from graphnas.autoencoders.base import GraphAutoencoder, Graphs
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.candidates import changed_candidates, whole_space
from graphnas.methods.latent.config import LatentBOConfig
from graphnas.methods.latent.surrogate import Acquisition
from graphnas.seeds import drawn_seed, torch_generator
from graphnas.surrogate.training_set import TrainingSet

Matrix = NDArray[np.float64]

ELITES = 10
"""Number of best architectures whose surroundings are candidates too."""

POINTS = 20
"""Points of the trust region drawn for each one that is decoded."""


def latent_means(model: GraphAutoencoder, architectures: Graphs) -> Matrix:
    """Posterior means ``(B, d)`` in double precision, of at least one architecture."""
    return model.encode(architectures)[0].double().cpu().numpy()


class Pool:
    """Candidates and their latents.

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
        trained_on: ArchitectureBatch,
    ) -> None:
        self.space, self.config, self.model = space, config, model
        known = latent_means(model, trained_on)
        self.deviation = known.std(0)
        self.low, self.high = known.min(0), known.max(0)
        whole = whole_space(space, config.enumerate_up_to)
        self._whole = None if whole is None else (whole, latent_means(model, whole))

    def candidates(
        self, data: TrainingSet, latents: Matrix, score: Acquisition, rng: np.random.Generator
    ) -> tuple[ArchitectureBatch, Matrix]:
        """Candidates and their latents; where the space is small, all of it.

        Elsewhere: random architectures, changes of the best ones, and what points around the best ones decode
        to. Decoded architectures are valid, and are scored by their own encoding rather than by the point
        that they came from.

        Args:
            data: What was evaluated.
            latents: ``(n, d)`` of it.
            score: Scores points of the latent space, to choose which of them to decode.
            rng: Of all draws.
        """
        if self._whole is not None:
            return self._whole
        config = self.config
        parts = [self.space.sample_batch(rng, config.candidates)]
        preferred = data.scores - (np.ptp(data.scores) + 1) * ~data.feasible
        best = np.argsort(-preferred, kind="stable")[:ELITES]
        if config.local_candidates:
            parents = [data.architectures[k] for k in best]
            parts.append(self._valid(changed_candidates(self.space, parents, config.local_candidates, rng)))
        if config.decoded_candidates:
            parts.append(self._decoded(latents[best], score, rng))
        pool = ArchitectureBatch.cat([part for part in parts if len(part)])
        return pool, latent_means(self.model, pool)

    def _valid(self, batch: ArchitectureBatch) -> ArchitectureBatch:
        """Those that obey the space's rule: an autoencoder may not be able to read the others."""
        return batch[np.array([self.space.is_valid(architecture) for architecture in batch], bool)]

    def _decoded(self, centres: Matrix, score: Acquisition, rng: np.random.Generator) -> ArchitectureBatch:
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
        found = [architecture for architecture in decoded.architectures if architecture is not None]
        if not found:
            empty = np.zeros((0, self.space.max_nodes, self.space.max_nodes), np.int8)
            return ArchitectureBatch.from_arrays(empty, np.zeros(empty.shape[:2], np.int16))
        return ArchitectureBatch.from_architectures(found, self.space.max_nodes)
