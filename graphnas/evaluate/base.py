"""Evaluator: what measures an architecture."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation


@runtime_checkable
class Evaluator(Protocol):
    """Anything with :meth:`evaluate`: a table, a training run, a supernet, or a user's own."""

    def evaluate(self, architecture: Architecture) -> Evaluation:
        """Measure ``architecture``; a run that failed is an :class:`Evaluation` with a reason, no exception.

        Raises:
            InvalidArchitecture: The architecture is not in the evaluator's space.
        """
        ...
