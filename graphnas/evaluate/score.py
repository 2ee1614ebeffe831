"""The efficiency score of NASGEM: accuracy minus a price on multiply-accumulates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.evaluation import Evaluation


@dataclass(frozen=True)
class EfficiencyScore:
    """The efficiency score of an evaluation, as an objective of a search: NASGEM, eq. 5.

    Attributes:
        weight: lambda, as in :func:`efficiency_score`.

    Raises:
        InvalidArgument: ``weight`` is no number of at least 0.
    """

    weight: float = 0.01

    def __post_init__(self) -> None:
        efficiency_score(0.0, 1.0, weight=self.weight)

    def __call__(self, evaluation: Evaluation) -> float:
        """The score in percentage points.

        Raises:
            InvalidArgument: The multiply-accumulates are not known, or the value is no accuracy in percent.
        """
        if evaluation.macs is None:
            raise InvalidArgument("the efficiency score needs multiply-accumulates, which were not measured")
        return efficiency_score(evaluation.value, evaluation.macs, weight=self.weight)


@overload
def efficiency_score(accuracy: float, macs: float, *, weight: float = 0.01) -> float: ...
@overload
def efficiency_score(
    accuracy: NDArray[np.floating], macs: ArrayLike, *, weight: float = 0.01
) -> NDArray[np.float64]: ...
def efficiency_score(
    accuracy: ArrayLike, macs: ArrayLike, *, weight: float = 0.01
) -> float | NDArray[np.float64]:
    """Score of a network by its accuracy and its cost (NASGEM, eq. 5), to be maximised.

    ``S = ACC - lambda * ln(MAC / 10**6)``. The paper leaves lambda and the base of the logarithm open; the
    base here is e. ``weight`` is lambda for an accuracy that is a fraction in 0..1, whereas accuracies in
    graphnas are percentages, so that ``S = accuracy - 100 * weight * ln(macs / 10**6)`` in percentage points:
    with the default of 0.01, twice the multiply-accumulates cost 0.69 points. The order of networks is the
    same in either unit.

    Args:
        accuracy: Validation accuracy in percent (0..100); a number or an array.
        macs: Multiply-accumulates of one forward pass of one input (not in millions), above 0; broadcast
            against ``accuracy``.
        weight: lambda, at least 0; 0 leaves the accuracy as it is.

    Returns:
        A float for two numbers, otherwise an array of the broadcast shape, in percentage points.

    Raises:
        InvalidArgument: A value out of range or not finite, or shapes that do not broadcast.
    """
    if isinstance(weight, bool) or not isinstance(weight, int | float | np.floating | np.integer):
        raise InvalidArgument(f"weight must be a number of at least 0, got {weight!r}")
    if not math.isfinite(weight) or weight < 0:
        raise InvalidArgument(f"weight must be a number of at least 0, got {weight!r}")
    try:
        accuracies = np.asarray(accuracy, dtype=np.float64)
        operations = np.asarray(macs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"accuracy and macs must be numbers, got {accuracy!r} and {macs!r}") from error
    wrong = ~((accuracies >= 0) & (accuracies <= 100))
    if wrong.any():
        raise InvalidArgument(f"accuracy must be in percent (0..100), got {accuracies[wrong].flat[0]}")
    wrong = ~(np.isfinite(operations) & (operations > 0))
    if wrong.any():
        raise InvalidArgument(f"macs must be above 0 and finite, got {operations[wrong].flat[0]}")
    try:
        score = accuracies - 100 * weight * np.log(operations / 1e6)
    except ValueError as error:
        raise InvalidArgument(
            f"accuracy and macs must broadcast, got shapes {accuracies.shape} and {operations.shape}"
        ) from error
    return float(score) if score.ndim == 0 else score
