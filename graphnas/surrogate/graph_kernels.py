"""GraphKernels: explicit features by which a Gaussian process compares architectures, and their kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flatten import Flattener
from graphnas.graph.operation_features import OperationFeatures
from graphnas.graph.space import GraphSpace
from graphnas.graph.wl import WeisfeilerLehman
from graphnas.surrogate.kernels import Hamming, Kernel, Linear, Matern

REFERENCE = 1000
"""Random architectures of the space on which the operation features get zero mean and unit variance."""

_CONSTANT = 1e-6


class GraphKernels:
    """Features of a batch of architectures, and the kernel that compares them.

    The features are the flattened bits; for each Weisfeiler-Lehman depth, rows whose inner products are the
    normalised kernel on the graphs of :meth:`GraphSpace.active_batch` (depth 0 counts operations, depth ``h``
    the refinements 1..h); and, with ``operations``, standardised
    :class:`~graphnas.graph.operation_features.OperationFeatures`, whose relevances are learned.

    Args:
        space: The search space.
        depths: Weisfeiler-Lehman depths, each a kernel of its own.
        operations: Whether to add operation features and their kernel. They are standardised on a fixed
            random sample of the space, which needs no evaluation; features that are constant there are left
            out.
    """

    def __init__(self, space: GraphSpace, depths: Sequence[int] = (0, 1), *, operations: bool = True) -> None:
        self.space, self.depths = space, depths
        self.flatten = Flattener(space)
        self.wl = [WeisfeilerLehman(depth, include_initial=depth == 0) for depth in depths]
        self.operations = _StandardizedOperations(space) if operations else None

    def kernel(self) -> Kernel:
        """A new kernel on these features."""
        learned = [] if self.operations is None else [Matern(ard=True, standardized=True)]
        return Kernel(Hamming(self.flatten.slots), *(Linear() for _ in self.wl), *learned)

    def sibling(self) -> GraphKernels:
        """Features of the same settings, to be fitted to another batch; operation features are shared."""
        other = GraphKernels(self.space, self.depths, operations=False)
        other.operations = self.operations
        return other

    def fit(self, batch: ArchitectureBatch) -> GraphKernels:
        """Take the WL labels that occur in ``batch`` as columns; no others can match."""
        active = self.space.active_batch(batch)
        for kernel in self.wl:
            kernel.fit(active)
        return self

    def __call__(self, batch: ArchitectureBatch) -> list[NDArray[np.float32] | sparse.csr_array]:
        """Features of ``B`` architectures: bits, WL rows per depth, operation features; ``B`` rows each."""
        active = self.space.active_batch(batch)
        features: list[NDArray[np.float32] | sparse.csr_array] = [self.flatten(batch)]
        for kernel in self.wl:
            counts = kernel.transform(active)
            norms = np.sqrt(np.maximum(kernel.self_kernel(active), 1e-12))
            features.append(sparse.csr_array(sparse.diags_array(1 / norms) @ counts))
        return features if self.operations is None else [*features, self.operations(batch)]


class _StandardizedOperations:
    """Operation features (B, F) of zero mean and unit variance on random architectures of the space."""

    def __init__(self, space: GraphSpace) -> None:
        self._features = OperationFeatures(space)
        sample = self._features(space.sample_batch(np.random.default_rng(0), REFERENCE)).astype(float)
        deviation = sample.std(0)
        self._kept = np.flatnonzero(deviation > _CONSTANT)
        self._means = sample.mean(0)[self._kept].astype(np.float32)
        self._deviations = deviation[self._kept].astype(np.float32)
        self._latest: tuple[ArchitectureBatch, NDArray[np.float32]] | None = None

    def __call__(self, batch: ArchitectureBatch) -> NDArray[np.float32]:
        # Keep the rows of the largest batch: a search asks for its candidates again at every proposal.
        if self._latest is not None and self._latest[0] is batch:
            return self._latest[1]
        rows: NDArray[np.float32] = (self._features(batch)[:, self._kept] - self._means) / self._deviations
        if self._latest is None or len(batch) >= len(self._latest[0]):
            self._latest = batch, rows
        return rows
