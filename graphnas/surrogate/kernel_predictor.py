"""A predictor: a Gaussian process whose kernel is a learned sum of graph kernels.

NASGEM trains an encoder so that the cosine of two embeddings follows the Weisfeiler-Lehman kernel, and a
perceptron on the embedding. A Gaussian process with that kernel needs no embedding: it is the same guidance
without its approximation error, it reads the operations, and it knows how uncertain it is. It is our
departure from the paper; ``preset="paper"`` keeps encoder and perceptron, and the default predictor adds
features of the graph (:mod:`graphnas.surrogate.feature_predictor`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flatten import Flattener
from graphnas.graph.space import GraphSpace
from graphnas.graph.wl import WeisfeilerLehman
from graphnas.surrogate.marginal_likelihood import NOISE_FLOOR, fit_weights

Matrix = NDArray[np.float64]
Features = list[Any]

MAX_FIT = 200
"""Points used to fit the kernel's weights; the posterior uses all of them."""


class KernelFeatures:
    """The explicit features behind each kernel of the sum.

    One positional kernel ``exp(-d^2 / slots)``, where ``d^2`` is the squared distance of the flattened bits,
    and one normalised Weisfeiler-Lehman kernel per depth: depth 0 counts operations, depth ``h`` the
    refinements 1..h, on the graphs of :meth:`GraphSpace.active_batch`.

    Args:
        space: The search space.
        depths: WL depths, each a kernel of its own.
    """

    def __init__(self, space: GraphSpace, depths: Sequence[int] = (0, 1)) -> None:
        self.space = space
        self.flatten = Flattener(space)
        self.kernels = [WeisfeilerLehman(depth, include_initial=depth == 0) for depth in depths]

    def fit(self, batch: ArchitectureBatch) -> KernelFeatures:
        """Take the WL labels that occur in ``batch`` as columns; others can match nothing anyway."""
        active = self.space.active_batch(batch)
        for kernel in self.kernels:
            kernel.fit(active)
        return self

    def __call__(self, batch: ArchitectureBatch) -> Features:
        """Bits (B, width) and, per WL kernel, features whose inner products are the normalised kernel."""
        active = self.space.active_batch(batch)
        features: Features = [self.flatten(batch)]
        for kernel in self.kernels:
            counts = kernel.transform(active)
            norms = np.sqrt(np.maximum(kernel.self_kernel(active), 1e-12))
            features.append(sparse.csr_array(sparse.diags_array(1 / norms) @ counts))
        return features

    def products(self, a: Features, b: Features) -> list[Matrix]:
        """One kernel matrix (len(a), len(b)) per kernel of the sum."""
        left, right = a[0], b[0]
        squared = (left**2).sum(1)[:, None] + (right**2).sum(1)[None, :] - 2 * left @ right.T
        positional = np.exp(-squared / max(self.flatten.slots, 1)).astype(float)
        return [positional] + [
            np.asarray(p @ q.T.toarray(), dtype=float) for p, q in zip(a[1:], b[1:], strict=True)
        ]


def select_features(features: Features, index: NDArray[np.int64]) -> Features:
    """The rows ``index`` of every kernel's features."""
    return [part[index] for part in features]


class KernelPredictor:
    """Gaussian process regression with the kernels of :class:`KernelFeatures`.

    The weights of the kernels and the noise maximise the marginal likelihood (Rasmussen and Williams, 2006,
    eq. 5.8-5.9) from a fixed start, so a fit depends on its data only.

    Args:
        features: The feature map, already fitted.
        max_fit: Points used to fit the kernel's weights; the posterior uses all of them.
    """

    def __init__(self, features: KernelFeatures, max_fit: int = MAX_FIT) -> None:
        self.features = features
        self.max_fit = max_fit
        self._train: Features | None = None

    def fit(self, train: Features, targets: ArrayLike) -> KernelPredictor:
        """Fit on features of ``n`` architectures and their standardised ``targets`` (n,).

        Raises:
            InvalidArgument: Fewer than 2 points, or lengths that differ.
        """
        y = np.asarray(targets, float)
        if y.ndim != 1 or len(y) < 2 or len(y) != train[0].shape[0]:
            raise InvalidArgument(
                f"at least 2 points with one target each are needed, got {train[0].shape[0]} and {y.shape}"
            )
        if len(y) > self.max_fit:
            # Evenly over the ranks, so that the subset has the shape of the whole.
            ranks = np.linspace(0, len(y) - 1, self.max_fit).astype(int)
            chosen = np.argsort(y, kind="stable")[ranks]
            self._learn(select_features(train, chosen), y[chosen])
        else:
            self._learn(train, y)
        return self.condition(train, y)

    def condition(self, train: Features, targets: ArrayLike) -> KernelPredictor:
        """Replace the data but keep the fitted kernel and noise."""
        self._train = train
        covariance = self._covariance(train, train)
        covariance[np.diag_indices_from(covariance)] += self.noise + NOISE_FLOOR
        self._cholesky = linalg.cholesky(covariance, lower=True)
        self._alpha = linalg.cho_solve((self._cholesky, True), np.asarray(targets, float))
        return self

    def predict(self, features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior mean and standard deviation of the noise-free function, both (B,).

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        mean, deviation = np.empty((2, features[0].shape[0]))
        for part, cross in self._cross(features):
            mean[part] = cross @ self._alpha
            explained = linalg.solve_triangular(self._cholesky, cross.T, lower=True)
            deviation[part] = np.sqrt(np.maximum(self._variance - (explained**2).sum(0), 1e-9))
        return mean, deviation

    def mean(self, features: Features) -> NDArray[np.float64]:
        """The mean of :meth:`predict` alone, in a fraction of the time.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        return np.concatenate([cross @ self._alpha for _, cross in self._cross(features)])

    def _cross(self, features: Features) -> Iterator[tuple[NDArray[np.int64], Matrix]]:
        """Covariances with the training points, a part of the rows at a time."""
        if self._train is None:
            raise InvalidArgument(f"{type(self).__name__} is not fitted: call fit(features, targets) first")
        size = features[0].shape[0]
        for start in range(0, size, 8192):
            part = np.arange(start, min(start + 8192, size))
            yield part, self._covariance(select_features(features, part), self._train)

    # ---------------------------------------------------------------- what another kernel replaces

    def _learn(self, train: Features, targets: NDArray[np.float64]) -> None:
        self.weights, self.noise = fit_weights(self.features.products(train, train), targets)

    def _covariance(self, a: Features, b: Features) -> Matrix:
        return np.asarray(np.tensordot(self.weights, np.stack(self.features.products(a, b)), 1))

    @property
    def _variance(self) -> float:
        return float(self.weights.sum())
