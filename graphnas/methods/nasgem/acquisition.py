"""The names of :mod:`graphnas.methods.acquisition` that NASGEM uses, where they have always been."""

from graphnas.methods.acquisition import (
    expected_improvement,
    normal_scores,
    probability_below,
    scalarize,
)

__all__ = ["expected_improvement", "normal_scores", "probability_below", "scalarize"]
