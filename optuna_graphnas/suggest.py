"""An architecture as parameters of an Optuna trial: suggesting one, and reading one back."""

from __future__ import annotations

from typing import Literal

import optuna
from optuna.trial import BaseTrial, FrozenTrial

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace


def suggest_architecture(
    trial: BaseTrial, space: GraphSpace, *, on_invalid: Literal["prune", "raise"] = "prune"
) -> Architecture:
    """Suggest one architecture, as one categorical parameter for each of ``space.parameters()``.

    Our samplers propose valid architectures only. Other samplers do not know the space's rule and may draw a
    combination that it refuses; such a trial is pruned, so that the sampler learns to avoid it.

    Args:
        trial: A running trial, or a ``FixedTrial`` or ``FrozenTrial`` that holds the parameters.
        space: The search space.
        on_invalid: What to do with a refused combination: ``"prune"`` raises ``optuna.TrialPruned``,
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
