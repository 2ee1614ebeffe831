"""Evaluation, the result of measuring one architecture, and Observation, what a method learns from it."""

from __future__ import annotations

import decimal
import logging
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.hyperparameters import Value

_logger = logging.getLogger(__name__)

Settings = tuple[tuple[str, Value], ...]
"""Names, in alphabetical order, and values of the hyper-parameters beside an architecture."""


@dataclass(frozen=True)
class Evaluation:
    """The result of one evaluation, in Python's own numbers, which every storage takes.

    Scalars of NumPy, torch and others become those. A metric that is no number is left out with a warning:
    it must not cost the value that was measured with it.

    Attributes:
        value: The objective of the search, by default an accuracy; NaN when the evaluation failed.
        parameters: Trainable parameters of the network, if counted.
        macs: Multiply-accumulates of one forward pass of one input, if counted.
        seconds: Wall-clock seconds the evaluation took (or, from a table, the recorded cost), if known.
        metrics: Any further figures by name, such as ``test_accuracy``.
        reason: Why the evaluation failed; empty when it did not.

    Raises:
        InvalidArgument: ``value``, ``parameters``, ``macs`` or ``seconds`` is no number.
    """

    value: float
    parameters: int | None = None
    macs: int | None = None
    seconds: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        """Turn what is stored into plain numbers."""
        set_field = object.__setattr__  # the class is frozen
        set_field(self, "value", float(_number("value", self.value)))
        for name in ("parameters", "macs", "seconds"):
            if getattr(self, name) is not None:
                number = _number(name, getattr(self, name))
                counted = name != "seconds" and float(number).is_integer()
                set_field(self, name, int(number) if counted else float(number))
        metrics: dict[str, float] = {}
        for name, figure in self.metrics.items():
            try:
                metrics[str(name)] = _number(str(name), figure)
            except InvalidArgument as error:
                _logger.warning("a metric is left out: %s", error)
        set_field(self, "metrics", metrics)
        set_field(self, "reason", str(self.reason))

    @property
    def failed(self) -> bool:
        """Whether there is no usable value."""
        return not math.isfinite(self.value)

    @classmethod
    def failure(cls, reason: str, **known: float | int | None) -> Evaluation:
        """A failed evaluation with its reason and whatever was measured before it failed."""
        return cls(value=math.nan, reason=reason, **known)  # type: ignore[arg-type]


def _number(name: str, given: object) -> int | float:
    """``given`` as an int or a float.

    Raises:
        InvalidArgument: It is neither a number nor an array or tensor of a single one.
    """
    try:
        plain = given.item() if hasattr(given, "item") else given
        if isinstance(plain, numbers.Real | decimal.Decimal):
            number = float(plain)
            return int(plain) if isinstance(plain, numbers.Integral) else number
    except (TypeError, ValueError, RuntimeError, OverflowError):  # as several elements give
        pass
    raise InvalidArgument(f"{name} must be a number, got {given!r}")


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
    def informative(self) -> bool:
        """Whether it has a value, or had one when it was pruned."""
        return self.values is not None or self.pruned

    @property
    def violating(self) -> bool:
        """Whether a constraint is known to be violated; NaN violates that of a measured evaluation."""
        return any(c > 0 or (self.values is not None and math.isnan(c)) for c in self.constraints)

    @property
    def feasible(self) -> bool:
        """Whether it has values and every constraint is satisfied."""
        return self.values is not None and not self.violating


@dataclass(frozen=True)
class Proposal:
    """An architecture to evaluate, with hyper-parameters beside it.

    Attributes:
        architecture: The architecture.
        settings: The hyper-parameters; not those that the search does not choose.
    """

    architecture: Architecture
    settings: Settings = ()
