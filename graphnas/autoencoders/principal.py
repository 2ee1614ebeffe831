"""Principal components of graph features: architectures as vectors whose distances follow graph kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg, sparse

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.graph_kernels import GraphKernels

Matrix = NDArray[np.float64]
_BLOCK = 4096
_LEAST_SHARE = 1e-9
"""Components with a smaller share of the largest one's variance are rounding errors."""


class PrincipalFeatures:
    """The first principal components of bits and Weisfeiler-Lehman counts (linear kernel PCA).

    The features are those of the graph kernels (:class:`.GraphKernels`): the flattened bits, which differ
    between any two architectures, and normalised WL counts of each depth, which are equal for isomorphic
    graphs. Each kind is scaled to unit total variance, so squared distances between components approximate
    the sum of the kernels' distances.

    Args:
        space: The search space.
        components: Largest number of components.
        depths: Weisfeiler-Lehman depths.
    """

    def __init__(self, space: GraphSpace, components: int, depths: Sequence[int] = (0, 1)) -> None:
        self.features = GraphKernels(space, depths, operations=False)
        self.components = components
        self.projection: Matrix | None = None

    def fit(self, batch: ArchitectureBatch) -> PrincipalFeatures:
        """Compute the components of ``batch``; few graphs may have fewer components than asked for.

        This decomposes a matrix with a row per graph, so use at most a few thousand graphs.
        """
        self.features.fit(batch)
        parts = self._parts(batch)
        self.scales = np.array([_scale(part) for part in parts])
        rows = self._stack(parts)
        mean = np.asarray(rows.mean(0)).reshape(-1)
        gram = np.asarray((rows @ rows.T).todense())
        gram -= gram.mean(0)
        gram -= gram.mean(1)[:, None]
        count = min(self.components, len(gram))
        values, vectors = linalg.eigh(gram, subset_by_index=[len(gram) - count, len(gram) - 1])
        values, vectors = values[::-1], vectors[:, ::-1]
        kept = values > _LEAST_SHARE * max(values[0], 1e-300)
        if not kept.any():  # all graphs are equal: keep one component, which is constant
            kept = np.arange(count) == 0
            values = np.maximum(values, 1.0)
        # The sign of an eigenvector is arbitrary: make its largest entry positive.
        vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(count)])
        self.projection = np.asarray(rows.T @ (vectors[:, kept] / np.sqrt(values[kept])))
        self.offset = mean @ self.projection
        return self

    def __call__(self, batch: ArchitectureBatch) -> Matrix:
        """Components of each graph, ``(B, components)``.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if self.projection is None:
            raise InvalidArgument("PrincipalFeatures is not fitted: call fit(batch) first")
        blocks = [batch[start : start + _BLOCK] for start in range(0, len(batch), _BLOCK)]
        return np.concatenate([self._stack(self._parts(b)) @ self.projection - self.offset for b in blocks])

    def state(self) -> dict[str, Any]:
        """What :meth:`load` needs, as tensors."""
        if self.projection is None:
            raise InvalidArgument("PrincipalFeatures is not fitted: call fit(batch) first")
        vocabularies = [kernel.vocabulary.view(np.int64) for kernel in self.features.wl]
        return {
            "scales": torch.from_numpy(self.scales),
            "projection": torch.from_numpy(self.projection),
            "offset": torch.from_numpy(self.offset),
            "vocabularies": [torch.from_numpy(vocabulary.copy()) for vocabulary in vocabularies],
        }

    def load(self, state: dict[str, Any]) -> PrincipalFeatures:
        """The inverse of :meth:`state`."""
        self.scales = state["scales"].cpu().numpy()
        self.projection = state["projection"].cpu().numpy()
        self.offset = state["offset"].cpu().numpy()
        for kernel, vocabulary in zip(self.features.wl, state["vocabularies"], strict=True):
            kernel.vocabulary = vocabulary.cpu().numpy().view(np.uint64)
        return self

    def _parts(self, batch: ArchitectureBatch) -> list[sparse.csr_array]:
        return [sparse.csr_array(part) for part in self.features(batch)]

    def _stack(self, parts: list[sparse.csr_array]) -> sparse.csr_array:
        scaled = [part * scale for part, scale in zip(parts, self.scales, strict=True)]
        return sparse.csr_array(sparse.hstack(scaled))


def _scale(part: sparse.csr_array) -> float:
    """One over the square root of the total variance of the columns; 1 if nothing varies."""
    mean = np.asarray(part.mean(0)).reshape(-1)
    variance = float((part.multiply(part)).sum() / part.shape[0] - mean @ mean)
    return 1 / np.sqrt(variance) if variance > 1e-12 else 1.0
