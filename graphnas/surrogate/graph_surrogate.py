"""GraphSurrogate: scores batches of architectures by an ImprovementModel on graph kernels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.graph_kernels import GraphKernels
from graphnas.surrogate.improvement import ImprovementModel
from graphnas.surrogate.kernels import Inputs, Vector, take
from graphnas.surrogate.regression import GaussianProcess
from graphnas.surrogate.training_set import TrainingSet


class GraphSurrogate:
    """How promising each candidate is, by Gaussian processes on :class:`.GraphKernels`.

    Args:
        space: The search space.
        depths: Weisfeiler-Lehman depths, each a kernel of its own.
        operations: Whether to add operation features and their kernel.
        noise: As in :class:`.ImprovementModel`.
        two_objectives: As in :class:`.ImprovementModel`.
        refit_growth: As in :class:`.ImprovementModel`.
    """

    def __init__(
        self,
        space: GraphSpace,
        depths: Sequence[int] = (0, 1),
        *,
        operations: bool = True,
        noise: str = "excluded",
        two_objectives: str = "hypervolume",
        refit_growth: float = 0.0,
    ) -> None:
        self._space, self._depths, self._operations = space, depths, operations
        self._model = ImprovementModel(
            lambda: GaussianProcess(self.kernels.kernel()),
            noise=noise,
            two_objectives=two_objectives,
            refit_growth=refit_growth,
        )
        self._fixed: tuple[ArchitectureBatch, Inputs] | None = None

    @cached_property
    def kernels(self) -> GraphKernels:
        """The features, made on first use: standardising them samples the space."""
        return GraphKernels(self._space, self._depths, operations=self._operations)

    def score(
        self,
        data: TrainingSet,
        pending: Sequence[Architecture],
        pools: Sequence[ArchitectureBatch],
        *,
        fixed: bool = False,
    ) -> list[Vector]:
        """The score of each candidate, (B,) for each pool, larger is better.

        Args:
            data: The evaluated architectures.
            pending: The architectures being evaluated.
            pools: The candidates.
            fixed: Whether there is one pool, the same every time; its features are then computed once.
        """
        known = ArchitectureBatch.from_architectures([*data.architectures, *pending], self._space.max_nodes)
        if fixed:
            (pool,) = pools
            if self._fixed is None or self._fixed[0] is not pool:
                self._fixed = pool, self.kernels.fit(pool)(pool)
            candidates = [self._fixed[1]]
        else:
            self.kernels.fit(known)
            candidates = [self.kernels(pool) for pool in pools]
        features, count = self.kernels(known), len(data)
        waiting = take(features, np.arange(count, len(known))) if pending else None
        score = self._model.fit(data, take(features, np.arange(count)), waiting)
        return [score(part) for part in candidates]
