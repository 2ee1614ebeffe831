"""Scores of candidates in a latent space: constrained log expected improvement under Gaussian processes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from graphnas.methods.latent.config import LatentBOConfig
from graphnas.surrogate.acquisition import log_expected_improvement, normal_scores, probability_below
from graphnas.surrogate.gp import ExactGP
from graphnas.surrogate.sparse_gp import SparseGP
from graphnas.surrogate.training_set import TrainingSet

Matrix = NDArray[np.float64]
Surrogate = ExactGP | SparseGP
Acquisition = Callable[[Matrix], Matrix]


def make_surrogate(config: LatentBOConfig, seed: int) -> Surrogate:
    """The Gaussian process that ``config`` names."""
    if config.surrogate == "sparse":
        return SparseGP(config.inducing, ard=config.ard, seed=seed)
    return ExactGP(ard=config.ard)


def acquisition(
    config: LatentBOConfig, seed: int, data: TrainingSet, latents: Matrix, waiting: Matrix
) -> Acquisition:
    """Fit to everything that is known; the result scores latents ``(B, d)``, larger is better.

    Targets are the normal scores of the values' ranks. Every constraint has a process of its own, whose
    probability of being satisfied is multiplied with the improvement (Gardner et al., ICML 2014). What is
    pending counts as evaluated with the predicted value (the kriging believer).

    Args:
        config: Which process.
        seed: Of the sparse process's inducing points.
        data: ``n`` evaluated architectures.
        latents: ``(n, d)`` of them.
        waiting: ``(p, d)`` of what is pending; p may be 0.
    """

    def posterior(targets: Matrix) -> Surrogate:
        process = make_surrogate(config, seed).fit(latents, targets)
        return process.believe(waiting) if len(waiting) else process

    targets = normal_scores(data.scores)
    improvement = posterior(targets) if data.feasible.any() else None
    best = float(targets[data.feasible].max()) if improvement is not None else 0.0
    limits = []
    for column in data.violations.T:
        scale = max(float(column.std()), 1e-12)
        limits.append((posterior((column - column.mean()) / scale), -float(column.mean()) / scale))

    def score(points: Matrix) -> Matrix:
        total = np.zeros(len(points))
        if improvement is not None:
            total += log_expected_improvement(*improvement.predict(points), best)
        for process, threshold in limits:
            total += np.log(np.maximum(probability_below(*process.predict(points), threshold), 1e-300))
        return total

    return score
