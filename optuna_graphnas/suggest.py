"""An architecture as parameters of an Optuna trial: suggested, read back, or completed if partly fixed."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Literal

import numpy as np
import optuna
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.study import Study
from optuna.trial import BaseTrial, FrozenTrial

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

TRIES = 1000
"""Random architectures tried, each with the fixed part put in, until one is new."""


def suggest_architecture(
    trial: BaseTrial, space: GraphSpace, *, on_invalid: Literal["prune", "raise"] = "prune"
) -> Architecture:
    """Suggest one architecture, as one categorical parameter for each of ``space.parameters()``.

    Our samplers propose valid architectures only. Other samplers do not know the space's rule and may draw a
    combination that it refuses; such a trial is pruned, so that the sampler learns to avoid it.

    Args:
        trial: A running trial, or a ``FixedTrial`` or ``FrozenTrial`` that holds the parameters.
        space: The search space.
        on_invalid: Treatment of a refused combination: ``"prune"`` raises ``optuna.TrialPruned``,
            ``"raise"`` raises ``InvalidArchitecture``.

    Raises:
        optuna.TrialPruned: The combination is refused and ``on_invalid`` is ``"prune"``.
        InvalidArchitecture: The combination is refused and ``on_invalid`` is ``"raise"``.
        InvalidArgument: ``on_invalid`` is neither.
    """
    if on_invalid not in ("prune", "raise"):
        raise InvalidArgument(f"on_invalid must be 'prune' or 'raise', got {on_invalid!r}")
    values = {name: trial.suggest_categorical(name, choices) for name, choices in space.parameters().items()}
    try:
        return space.from_parameters(values)  # type: ignore[arg-type]
    except InvalidArchitecture as error:
        if on_invalid == "raise":
            raise
        raise optuna.TrialPruned(str(error)) from error


def architecture_of(trial: FrozenTrial, space: GraphSpace) -> Architecture:
    """The architecture that a stored trial, such as ``study.best_trial``, evaluated.

    Raises:
        InvalidArchitecture: The trial lacks a parameter of the space, or the space refuses the combination.
    """
    return space.from_parameters(trial.params)


# ---------------------------------------------------------------- partly fixed architectures


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
    all_fixed = space.parameters().keys() <= fixed.keys()
    for attempt in range(1 if all_fixed else TRIES):
        candidate = proposal if attempt == 0 else space.sample(rng)
        try:
            architecture = space.from_parameters({**space.to_parameters(candidate), **fixed})
        except InvalidArchitecture:
            continue
        if space.key(architecture) not in seen:
            return architecture
        valid = valid or architecture
    return proposal if valid is None else valid
