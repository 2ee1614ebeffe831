"""GraphSurrogate: scores batches of architectures by an ImprovementModel on graph kernels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.graph_kernels import GraphKernels
from graphnas.surrogate.improvement import ImprovementModel, Process
from graphnas.surrogate.kernels import Inputs, Kernel, Vector, take
from graphnas.surrogate.prior import PriorTask
from graphnas.surrogate.regression import GaussianProcess
from graphnas.surrogate.training_set import TrainingSet
from graphnas.surrogate.transfer import PlainProcess, PriorMeans, TransferProcess


class GraphSurrogate:
    """How promising each candidate is, by Gaussian processes on :class:`.GraphKernels`.

    Args:
        space: The search space.
        depths: Weisfeiler-Lehman depths, each a kernel of its own.
        operations: Whether to add operation features and their kernel.
        noise: As in :class:`.ImprovementModel`.
        two_objectives: As in :class:`.ImprovementModel`.
        refit_growth: As in :class:`.ImprovementModel`.
        prior: Prior tasks; see :mod:`graphnas.surrogate.transfer`.
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
        prior: Sequence[PriorTask] = (),
    ) -> None:
        self._space, self._depths, self._operations = space, depths, operations
        self._prior = tuple(prior)
        self._model = ImprovementModel(
            self._process,
            objective_process=self._objective_process,
            noise=noise,
            two_objectives=two_objectives,
            refit_growth=refit_growth,
        )
        self._fixed: tuple[ArchitectureBatch, Inputs] | None = None

    def _process(self) -> Process:
        return PlainProcess(self.kernel()) if self._prior else GaussianProcess(self.kernel())

    def _objective_process(self, objective: int | None) -> Process:
        if not self._prior:
            return self._process()
        return TransferProcess(self.kernel(), len(self._prior), objective)

    @cached_property
    def kernels(self) -> GraphKernels:
        """The features, made on first use: standardising them samples the space."""
        return GraphKernels(self._space, self._depths, operations=self._operations)

    def kernel(self) -> Kernel:
        """A new kernel on the features."""
        return self.kernels.kernel()

    @cached_property
    def prior_means(self) -> PriorMeans:
        """The posterior means of the prior tasks, of which there must be some; fitted on first use."""
        return PriorMeans(self.kernels, self._prior)

    def expected(self, candidates: ArchitectureBatch) -> Vector:
        """The average prior mean (B,) of each candidate, over tasks and objectives."""
        return np.asarray(self.prior_means(candidates).mean((1, 2)), float)

    def _features(self, batch: ArchitectureBatch) -> list[Any]:
        features = self.kernels(batch)
        return [*features, self.prior_means(batch)] if self._prior else [*features]

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
        known, candidates = self.features([*data.architectures, *pending], pools, fixed=fixed)
        count = len(data)
        waiting = take(known, slice(count, None)) if pending else None
        score = self._model.fit(data, take(known, slice(count)), waiting)
        return [score(part) for part in candidates]

    def features(
        self, known: Sequence[Architecture], pools: Sequence[ArchitectureBatch], *, fixed: bool
    ) -> tuple[Inputs, list[Inputs]]:
        """The features of ``known`` architectures and of the candidates, see :meth:`score`."""
        batch = ArchitectureBatch.from_architectures(known, self._space.max_nodes)
        if fixed:
            (pool,) = pools
            if self._fixed is None or self._fixed[0] is not pool:
                self.kernels.fit(pool)
                self._fixed = pool, self._features(pool)
            return self._features(batch), [self._fixed[1]]
        self.kernels.fit(batch)
        return self._features(batch), [self._features(pool) for pool in pools]
