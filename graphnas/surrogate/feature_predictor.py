"""The default predictor: a Gaussian process on graph features, Weisfeiler-Lehman kernels and flattened bits.

To the kernels of :class:`.KernelPredictor` it adds one on the features of
:class:`graphnas.graph.operation_features.OperationFeatures`, whose relevances it learns. It is our departure
from the paper, which compares adjacency matrices only; ``preset="paper"`` keeps encoder and perceptron.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.operation_features import OperationFeatures
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.kernel_predictor import Features, KernelFeatures, KernelPredictor, Matrix
from graphnas.surrogate.relevance import RelevanceKernel, fit_relevances

REFERENCE = 1000
"""Random architectures of the space on which the features get zero mean and unit variance."""

_CONSTANT = 1e-6


class FeatureKernels(KernelFeatures):
    """The explicit features of :class:`.KernelFeatures` and, last, standardised operation features.

    Means and deviations are those of a fixed random sample of the space, which needs no evaluation; what is
    constant there is left out.

    Args:
        space: The search space.
        depths: WL depths, each a kernel of its own.
    """

    def __init__(self, space: GraphSpace, depths: Sequence[int] = (0, 1)) -> None:
        super().__init__(space, depths)
        self.operations = OperationFeatures(space)
        sample = self.operations(space.sample_batch(np.random.default_rng(0), REFERENCE)).astype(float)
        deviation = sample.std(0)
        self.kept = np.flatnonzero(deviation > _CONSTANT)
        self.means = sample.mean(0)[self.kept].astype(np.float32)
        self.deviations = deviation[self.kept].astype(np.float32)
        self._latest: tuple[ArchitectureBatch, NDArray[np.float32]] | None = None

    def fit(self, batch: ArchitectureBatch) -> FeatureKernels:
        """Take the WL labels that occur in ``batch`` as columns; others can match nothing anyway."""
        super().fit(batch)
        return self

    def __call__(self, batch: ArchitectureBatch) -> Features:
        """Bits, normalised WL features, and standardised operation features (B, F)."""
        return [*super().__call__(batch), self.standardized(batch)]

    def standardized(self, batch: ArchitectureBatch) -> NDArray[np.float32]:
        """Standardised operation features (B, F); those of the largest batch so far are kept.

        A search asks for its candidates once more whenever an architecture is pending.
        """
        if self._latest is not None and self._latest[0] is batch:
            return self._latest[1]
        rows: NDArray[np.float32] = (self.operations(batch)[:, self.kept] - self.means) / self.deviations
        if self._latest is None or len(batch) >= len(self._latest[0]):
            self._latest = batch, rows
        return rows

    def products(self, a: Features, b: Features) -> list[Matrix]:
        """One kernel matrix (len(a), len(b)) per kernel that has nothing to learn: the bits' and WL's."""
        return super().products(a[:-1], b[:-1])


class FeaturePredictor(KernelPredictor):
    """Gaussian process regression with :class:`.RelevanceKernel` on :class:`FeatureKernels`.

    Args:
        features: A :class:`FeatureKernels`, already fitted.
        max_fit: Points used to fit the kernel; the posterior uses all of them.
    """

    kernel: RelevanceKernel

    def _learn(self, train: Features, targets: NDArray[np.float64]) -> None:
        self.kernel = fit_relevances(train[-1], self.features.products(train, train), targets)
        self.noise = self.kernel.noise

    def _covariance(self, a: Features, b: Features) -> Matrix:
        return self.kernel(a[-1], b[-1], self.features.products(a, b)).astype(float)

    @property
    def _variance(self) -> float:
        return self.kernel.variance
