"""JointSurrogate: scores architectures together with hyper-parameters by an ImprovementModel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.evaluation import Proposal
from graphnas.hyperparameters import HyperParameters, Rows
from graphnas.surrogate.graph_surrogate import GraphSurrogate
from graphnas.surrogate.joint_kernel import JointKernel
from graphnas.surrogate.kernels import Identity, Kernel, SquaredExponential, Vector, join, take
from graphnas.surrogate.training_set import TrainingSet

PairScore = Callable[[NDArray[np.int64], Rows], Vector]
"""Scores (B,) of the candidates at positions (B,) with rows of hyper-parameters (B, width)."""


class JointSurrogate(GraphSurrogate):
    """A :class:`.GraphSurrogate` whose kernel is a :class:`.JointKernel`; it takes the same arguments."""

    def kernel(self) -> JointKernel:
        """A new kernel on the hyper-parameters, the bits once more, and the features."""
        architecture = Kernel(Identity(), *super().kernel().correlations)
        return JointKernel(architecture, SquaredExponential(ard=True, standardized=True))

    def fit(
        self,
        data: TrainingSet,
        rows: Rows,
        pending: Sequence[Proposal],
        pools: Sequence[ArchitectureBatch],
        parameters: HyperParameters,
        *,
        fixed: bool = False,
    ) -> PairScore:
        """Fit to all evaluations; the result scores pairs of a candidate and hyper-parameters.

        Args:
            data: ``n`` evaluated architectures.
            rows: Their hyper-parameters ``(n, width)``.
            pending: What is being evaluated.
            pools: The candidates, counted through.
            parameters: The hyper-parameters.
            fixed: As in :meth:`.GraphSurrogate.score`.
        """
        architectures = [*data.architectures, *(p.architecture for p in pending)]
        known, candidates = self.features(architectures, pools, fixed=fixed)
        waiting = parameters.encode([dict(p.settings) for p in pending])
        known = [parameters.features(np.concatenate([rows, waiting])), known[0], *known]
        pool = candidates[0]
        for part in candidates[1:]:
            pool = join(pool, part)
        count = len(data)
        score = self._model.fit(
            data, take(known, slice(count)), take(known, slice(count, None)) if pending else None
        )

        def scored(index: NDArray[np.int64], settings: Rows) -> Vector:
            chosen = take(pool, index)
            return score([parameters.features(settings), chosen[0], *chosen])

        return scored
