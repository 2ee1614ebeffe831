"""Hyper-parameters beside the architecture: which ones a study has, and their values in its trials."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from graphnas.graph.evaluation import Settings
from graphnas.hyperparameters import Category, HyperParameters, Number

TAUGHT = (TrialState.COMPLETE, TrialState.PRUNED)


def settings_of(params: Mapping[str, Any], block: Container[str]) -> Settings:
    """The parameters of a trial that are not in ``block``, those of the architecture."""
    return tuple(sorted((name, value) for name, value in params.items() if name not in block))


def common_parameters(trials: Sequence[FrozenTrial], block: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """What every finished or pruned trial with an architecture suggested beside it, in the same range.

    Parameters of some trials only (conditional ones, or added later), those whose range changes and those
    without a choice are left out.

    Args:
        trials: The trials of a study.
        block: The parameters of the architecture.
    """
    common: dict[str, BaseDistribution] | None = None
    for trial in trials:
        if trial.state not in TAUGHT or not block.keys() <= trial.distributions.keys():
            continue
        known = trial.distributions
        if common is None:
            common = {n: d for n, d in known.items() if n not in block and _dimension(n, d) is not None}
        else:
            common = {n: d for n, d in common.items() if known.get(n) == d}
        if not common:
            break
    return dict(sorted((common or {}).items()))


def hyperparameters(distributions: Mapping[str, BaseDistribution]) -> HyperParameters:
    """The distributions, each with a choice, as one block of hyper-parameters."""
    return HyperParameters(
        d for d in map(_dimension, *zip(*distributions.items(), strict=True)) if d is not None
    )


def _dimension(name: str, distribution: BaseDistribution) -> Number | Category | None:
    if distribution.single():
        return None
    if isinstance(distribution, CategoricalDistribution):
        return Category(name, tuple(distribution.choices))
    if isinstance(distribution, FloatDistribution | IntDistribution):
        integer = isinstance(distribution, IntDistribution)
        step = None if distribution.log else distribution.step
        return Number(name, distribution.low, distribution.high, distribution.log, step, integer)
    return None
