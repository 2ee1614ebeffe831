"""Batch Bayesian optimisation over the latent space as D-VAE does it: rounds of points, each decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize

from graphnas.graph.architecture import Architecture
from graphnas.methods.latent.config import LatentBOConfig
from graphnas.methods.latent.pool import LatentPool
from graphnas.methods.model_based import Finished
from graphnas.seeds import drawn_seed, torch_generator
from graphnas.surrogate.acquisition import log_expected_improvement
from graphnas.surrogate.kernels import Kernel, SquaredExponential
from graphnas.surrogate.regression import GaussianProcess
from graphnas.surrogate.sparse import SparseGP
from graphnas.surrogate.training_set import TrainingSet

Matrix = NDArray[np.float64]

POLISH_ITERATIONS = 150
_STEP = 1e-5
"""Length of the differences in a gradient, in units of the box."""


def make_process(config: LatentBOConfig, seed: int) -> GaussianProcess | SparseGP:
    """The Gaussian process on latents that ``config`` names; ``seed`` chooses its inducing points."""
    if config.surrogate == "sparse":
        return SparseGP(config.inducing, ard=config.ard, seed=seed)
    return GaussianProcess(Kernel(SquaredExponential(ard=config.ard, standardized=False)))


class Rounds:
    """The rounds of one search, in order; each depends on those before it and on its data.

    As in D-VAE's code (methods of Snoek et al., 2012): the surrogate is fitted anew to all data, the
    incumbent is the largest posterior mean, points are uniform in the box of the training latents, the best
    by expected improvement is polished by L-BFGS-B, and further points are found after adding the earlier
    ones with their predicted value. Each point is decoded many times and its most common valid decoding is
    evaluated (what the paper says; the released code takes the first under Python 3). The pair that enters
    the data is the point as selected, not the encoding of what it decoded to; a point that decodes to nothing
    valid enters with the worst score. Architectures from other sources enter with their encoding.

    In a space that was restricted to the rows of a table, a point that decodes to none of them stands for the
    known architecture whose encoding is nearest; the paper has no such case.

    Args:
        config: Counts, and which surrogate.
        seed: Seed of the search.
        pool: The trained autoencoder with the box of its training latents.
        key: The space's key of an architecture.
    """

    def __init__(
        self,
        config: LatentBOConfig,
        seed: int,
        pool: LatentPool,
        key: Callable[[Architecture], str],
    ) -> None:
        self.config, self.seed, self.pool, self.key = config, seed, pool, key
        self._known: Finished = ()
        self._sizes: list[int] = []
        self._proposals: list[list[Architecture]] = []
        self._selected: dict[str, Matrix] = {}
        self._undecodable: list[Matrix] = []

    def __len__(self) -> int:
        return len(self._proposals)

    def proposals(self, number: int) -> list[Architecture]:
        """What round ``number`` decoded: the most common decoding of each point, then the rarer ones."""
        return self._proposals[number]

    def belongs_to(self, seed: int, finished: Finished, updates: Sequence[int]) -> bool:
        """Whether these are the first rounds of a search with this seed, these evaluations and updates."""
        planned = self.seed == seed and self._sizes == list(updates[: len(self)])
        return planned and self._known == finished[: len(self._known)]

    def plan(self, known: Finished, data: TrainingSet, rng: np.random.Generator) -> None:
        """Add the next round, which follows from the evaluations ``known``, as ``data``."""
        latents = self.pool.encode(data.architectures)
        for row, architecture in zip(latents, data.architectures, strict=True):
            selected = self._selected.get(self.key(architecture))
            if selected is not None:
                row[:] = selected
        worst = float(data.scores.min())
        scores = np.where(data.violating, worst, data.scores)
        points = np.concatenate([latents, *(z[None] for z in self._undecodable)])
        scores = np.concatenate([scores, np.full(len(self._undecodable), worst)])
        targets = (scores - scores.mean()) / max(float(scores.std()), 1e-12)
        process = make_process(self.config, self.seed).fit([points], targets)
        box = self.pool.low, self.pool.high
        chosen = select_points(process, self.config.batch_size, self.config.grid, box, rng)
        self._known = known
        self._sizes.append(len(data))
        self._proposals.append(self._decode(chosen, rng))

    def _decode(self, points: Matrix, rng: np.random.Generator) -> list[Architecture]:
        repeated = torch.from_numpy(points).float().repeat_interleave(self.config.decodings, 0)
        decoded = self.pool.model.decode(repeated, torch_generator(drawn_seed(rng))).architectures
        ranked: list[list[Architecture]] = []
        for k, point in enumerate(points):
            part = decoded[k * self.config.decodings : (k + 1) * self.config.decodings]
            counts = Counter(architecture for architecture in part if architecture is not None)
            options = [architecture for architecture, _ in counts.most_common()]
            ranked.append(options or self.pool.nearest(point))
            if ranked[-1]:
                self._selected.setdefault(self.key(ranked[-1][0]), point)
            else:
                self._undecodable.append(point)
        first = [options[0] for options in ranked if options]
        return first + [architecture for options in ranked for architecture in options[1:]]


def select_points(
    process: GaussianProcess | SparseGP,
    count: int,
    grid_size: int,
    box: tuple[Matrix, Matrix],
    rng: np.random.Generator,
) -> Matrix:
    """``count`` points ``(count, d)`` of the box, one after the other by expected improvement.

    Args:
        process: Fitted; it is changed, because every selected point is added to it (kriging believer).
        count: Number of points.
        grid_size: Uniform points that a search starts from.
        box: Lowest and highest coordinates ``(d,)``.
        rng: Source of the uniform points.
    """
    low, high = box
    grid = low + (high - low) * rng.random((grid_size, len(low)))
    mean = process.predict([grid])[0]
    incumbent = _polished(lambda x: process.predict([x])[0], grid[mean.argmax()], box)
    best = max(float(process.predict([incumbent[None]])[0][0]), float(mean.max()))
    selected: list[Matrix] = []
    for _ in range(count):

        def improvement(x: Matrix) -> Matrix:
            return log_expected_improvement(*process.predict([x]), best)

        start = grid[improvement(grid).argmax()]
        point = _polished(improvement, start, box)
        selected.append(point)
        process.believe([point[None]])
    return np.stack(selected)


def _polished(function: Callable[[Matrix], Matrix], start: Matrix, box: tuple[Matrix, Matrix]) -> Matrix:
    """A local maximum of ``function`` in the box, by L-BFGS-B; forward differences, all in one call."""
    low, high = box
    size = np.where(high > low, high - low, 1.0)

    def loss(unit: Matrix) -> tuple[float, Matrix]:
        # Differences point into the box.
        steps = np.where(unit < 0.5, _STEP, -_STEP)
        values = function(low + size * np.vstack([unit, unit + np.diag(steps)]))
        return -float(values[0]), -(values[1:] - values[0]) / steps

    bounds = [(0.0, 1.0) if h > lo else (0.0, 0.0) for lo, h in zip(low, high, strict=True)]
    result = optimize.minimize(
        loss,
        (start - low) / size,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": POLISH_ITERATIONS},
    )
    return np.asarray(low + size * np.clip(result.x, 0.0, 1.0))
