"""Fixed parameters: proposals for trials of which the user has fixed a part of the architecture."""

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
"""Random architectures tried for one that is new once the fixed part is put in."""


def fixed_parameters(study: Study, trial: FrozenTrial, names: Container[str]) -> dict[str, Any]:
    """The parameters among ``names`` whose values are not the sampler's to choose.

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


def with_fixed(
    space: GraphSpace,
    proposal: Architecture,
    fixed: dict[str, Any],
    seen: set[str],
    rng: np.random.Generator,
) -> Architecture:
    """An architecture with the ``fixed`` values: ``proposal``, if that is valid and new with them.

    Otherwise a random one that is, otherwise one that is at least valid; and where none is found, the
    proposal as it is, which the objective will then complete to something that the space refuses.
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
