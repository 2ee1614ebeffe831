"""The critic: a predictor of everything evaluated chooses among many samples which one to evaluate next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.sampling import valid_by_key
from graphnas.surrogate.graph_surrogate import GraphSurrogate
from graphnas.surrogate.training_set import TrainingSet


class Candidates:
    """The valid ones of random architectures, each network once, in their order.

    Args:
        space: The search space.
        architectures: Architectures, some of which may break a rule of the space.
    """

    def __init__(self, space: GraphSpace, architectures: Iterable[Architecture]) -> None:
        valid = valid_by_key(space, architectures)
        self.keys = list(valid)
        # Proposals are completed architectures.
        completed = [space.completed(architecture) for architecture in valid.values()]
        self.batch = ArchitectureBatch.from_architectures(completed, space.max_nodes) if completed else None

    def unseen(self, seen: Collection[str]) -> ArchitectureBatch | None:
        """Those whose key is not in ``seen``; None if there are none."""
        index = np.array([k for k, key in enumerate(self.keys) if key not in seen], np.int64)
        return None if self.batch is None or not len(index) else self.batch[index]


class Critic:
    """Constrained expected improvement under a Gaussian process on graph kernels.

    GraphPNAS evaluates what its generator samples. The generator learns from the few best architectures only,
    and its samples are many and cheap, so a predictor that learns from all evaluations, the bad ones too, can
    choose among them: our departure from the paper, which has none. ``benchmarks/REPORT.md`` compares the
    search with and without it.

    Args:
        space: The search space.
    """

    def __init__(self, space: GraphSpace) -> None:
        self._model = GraphSurrogate(space, operations=False, noise="included")

    def best(
        self, data: TrainingSet, pending: Sequence[Architecture], candidates: ArchitectureBatch
    ) -> Architecture:
        """The candidate of the largest score, the first of equals.

        Args:
            data: At least two evaluated architectures.
            pending: Architectures that count as evaluated with their predicted value.
            candidates: At least one.
        """
        (scores,) = self._model.score(data, pending, [candidates])
        return candidates.architecture(int(np.argmax(scores)))
