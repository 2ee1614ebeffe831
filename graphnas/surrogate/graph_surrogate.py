"""GraphSurrogate: scores batches of architectures by an ImprovementModel on graph kernels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.graph_kernels import GraphKernels
from graphnas.surrogate.improvement import ImprovementModel
from graphnas.surrogate.kernels import Inputs, Kernel, Vector, take
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
            lambda: GaussianProcess(self.kernel()),
            noise=noise,
            two_objectives=two_objectives,
            refit_growth=refit_growth,
        )
        self._fixed: tuple[ArchitectureBatch, Inputs] | None = None

    @cached_property
    def kernels(self) -> GraphKernels:
        """The features, made on first use: standardising them samples the space."""
        return GraphKernels(self._space, self._depths, operations=self._operations)

    def kernel(self) -> Kernel:
        """A new kernel on the features."""
        return self.kernels.kernel()

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
                self._fixed = pool, self.kernels.fit(pool)(pool)
            return self.kernels(batch), [self._fixed[1]]
        self.kernels.fit(batch)
        return self.kernels(batch), [self.kernels(pool) for pool in pools]
