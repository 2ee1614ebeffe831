"""Evaluation, the result of measuring one architecture, and Observation, what a method learns from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphnas.graph.architecture import Architecture
from graphnas.hyperparameters import Value

Settings = tuple[tuple[str, Value], ...]
"""Names, in alphabetical order, and values of the hyper-parameters beside an architecture."""


@dataclass(frozen=True)
class Evaluation:
    """The result of one evaluation.

    Attributes:
        value: The objective of the search, by default an accuracy; NaN when the evaluation failed.
        parameters: Trainable parameters of the network, if counted.
        macs: Multiply-accumulates of one forward pass of one input, if counted.
        seconds: Wall-clock seconds the evaluation took (or, from a table, the recorded cost), if known.
        metrics: Any further figures by name, such as ``test_accuracy``.
        reason: Why the evaluation failed; empty when it did not.
    """

    value: float
    parameters: int | None = None
    macs: int | None = None
    seconds: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is no usable value."""
        return not math.isfinite(self.value)

    @classmethod
    def failure(cls, reason: str, **known: float | int | None) -> Evaluation:
        """A failed evaluation with its reason and whatever was measured before it failed."""
        return cls(value=math.nan, reason=reason, **known)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Observation:
    """One finished evaluation, as a search method learns from it.

    Attributes:
        architecture: The evaluated architecture.
        values: One number per objective, each to be maximised; None when the trial was pruned or failed.
        constraints: One number per constraint, satisfied where it is at most 0; NaN if not measured.
        curve: Steps, rising, and the finite values reported at them, to be maximised like the objective.
        pruned: Whether it was ended early because of its curve, rather than failed.
        settings: The hyper-parameters beside the architecture.
    """

    architecture: Architecture
    values: tuple[float, ...] | None
    constraints: tuple[float, ...] = ()
    curve: tuple[tuple[int, float], ...] = ()
    pruned: bool = False
    settings: Settings = ()

    @property
    def feasible(self) -> bool:
        """Whether it has values and every constraint is satisfied."""
        return self.values is not None and all(c <= 0 for c in self.constraints)


@dataclass(frozen=True)
class Proposal:
    """An architecture to evaluate, with hyper-parameters beside it.

    Attributes:
        architecture: The architecture.
        settings: The hyper-parameters; not those that the search does not choose.
    """

    architecture: Architecture
    settings: Settings = ()
