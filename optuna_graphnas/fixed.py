"""Architectures of which a part is fixed: enqueued, suggested before, or held by a PartialFixedSampler."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

TRIES = 1000
"""Random architectures tried, each with the fixed part put in, until one is new."""


def fixed_parameters(study: Study, trial: FrozenTrial, names: Container[str]) -> dict[str, Any]:
    """The parameters among ``names`` that the sampler must not choose, with their values.

    They were enqueued, suggested before, or fixed by a ``PartialFixedSampler`` around the sampler.
    """
    fixed: dict[str, Any] = {}
    sampler: BaseSampler = study.sampler
    while isinstance(sampler, PartialFixedSampler):
        fixed = sampler._fixed_params | fixed  # the outer one has the last word
        sampler = sampler._base_sampler
    fixed |= trial.system_attrs.get("fixed_params", {})
    fixed |= trial.params
    return {name: value for name, value in fixed.items() if name in names}


def fixed_architecture(space: GraphSpace, fixed: dict[str, Any]) -> Architecture | None:
    """The architecture that the ``fixed`` values are, if they are all of one that the space allows."""
    if not space.parameters().keys() <= fixed.keys():
        return None
    try:
        return space.from_parameters(fixed)
    except InvalidArchitecture:
        return None


def with_fixed(
    space: GraphSpace,
    proposal: Architecture,
    fixed: dict[str, Any],
    seen: set[str],
    rng: np.random.Generator,
) -> Architecture:
    """An architecture with the ``fixed`` values, preferably one that is not in ``seen``.

    It is ``proposal`` with these values, or else a random architecture with them. If no valid one turns up,
    ``proposal`` is returned as it is; with the fixed values, the space will then refuse it in the objective.
    """
    valid: Architecture | None = None
    for attempt in range(TRIES):
        candidate = proposal if attempt == 0 else space.sample(rng)
        try:
            architecture = space.from_parameters({**space.to_parameters(candidate), **fixed})
        except InvalidArchitecture:
            continue
        if space.key(architecture) not in seen:
            return architecture
        valid = valid or architecture
    return proposal if valid is None else valid
