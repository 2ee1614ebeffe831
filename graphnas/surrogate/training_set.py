"""TrainingSet: what a model learns from, made from the observations of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.surrogate.objectives import scalarize

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingSet:
    """What a model learns from.

    Attributes:
        architectures: ``n`` evaluated architectures.
        scores: (n,) one number each, larger is better.
        violations: (n, c) constraint values, satisfied at most 0; c may be 0.
        values: (n, m) the objectives that the scores were made of; None where they are not kept.
    """

    architectures: Sequence[Architecture]
    scores: Vector
    violations: NDArray[np.float64]
    values: NDArray[np.float64] | None = None

    @classmethod
    def from_observations(cls, observations: Sequence[Observation], rng: np.random.Generator) -> TrainingSet:
        """Finished observations as one score each; several objectives are scalarised with weights of ``rng``.

        Args:
            observations: At least one, none of them failed. One without a constraint that others have
                satisfies it.
            rng: For :func:`graphnas.surrogate.objectives.scalarize`.
        """
        values = np.array([o.values for o in observations], float)
        width = max(len(o.constraints) for o in observations)
        violations = np.zeros((len(observations), width))
        for row, observation in zip(violations, observations, strict=True):
            row[: len(observation.constraints)] = observation.constraints
        return cls([o.architecture for o in observations], scalarize(values, rng), violations, values)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """(n,) whether every constraint is satisfied."""
        return np.asarray((self.violations <= 0).all(1))
