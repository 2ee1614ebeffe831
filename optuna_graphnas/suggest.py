"""An architecture as parameters of an Optuna trial: suggested, and read back."""

from __future__ import annotations

from typing import Literal

import optuna
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.trial import BaseTrial, Trial

from graphnas.errors import GraphNASError, InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from optuna_graphnas.block import Block
from optuna_graphnas.bulk import suggest_all

_SUGGESTED = "_graphnas_suggested"


def suggest_architecture(
    trial: BaseTrial,
    space: GraphSpace,
    *,
    name: str | None = None,
    on_invalid: Literal["prune", "raise"] = "prune",
) -> Architecture:
    """Suggest one architecture, as one categorical parameter for each of ``space.parameters()``.

    Our samplers propose valid architectures only. Other samplers do not know the space's rule and may draw a
    combination that it refuses; such a trial is pruned, so that the sampler learns to avoid it.

    An objective may suggest several architectures, each under a name of its own. They are chosen jointly if
    the sampler's space is their product: ``GraphBOSampler(ProductSpace(encoder=space, decoder=space))``. The
    product itself may be suggested as well.

    Args:
        trial: A running trial, or a ``FixedTrial`` or ``FrozenTrial`` that holds the parameters.
        space: The search space.
        name: Stands in the names of the parameters in place of the space's own: ``decoder/op_0``.
        on_invalid: Treatment of a refused combination: ``"prune"`` raises ``optuna.TrialPruned``,
            ``"raise"`` raises ``InvalidArchitecture``.

    Raises:
        optuna.TrialPruned: The combination is refused and ``on_invalid`` is ``"prune"``.
        InvalidArchitecture: The combination is refused and ``on_invalid`` is ``"raise"``.
        InvalidArgument: ``on_invalid`` is neither, the running trial suggested this architecture before, or
            the study was begun with another version of the space.
    """
    if on_invalid not in ("prune", "raise"):
        raise InvalidArgument(f"on_invalid must be 'prune' or 'raise', got {on_invalid!r}")
    block = Block(space, name)
    if isinstance(trial, Trial):
        values = _suggest(trial, block)
    else:
        choices = block.distributions.items()
        values = {parameter: trial.suggest_categorical(parameter, d.choices) for parameter, d in choices}
    try:
        return block.architecture(values)
    except InvalidArchitecture as error:
        if on_invalid == "raise":
            raise
        raise optuna.TrialPruned(str(error)) from error


def architecture_of(trial: BaseTrial, space: GraphSpace, *, name: str | None = None) -> Architecture:
    """The architecture that a trial, such as ``study.best_trial`` or a running one, has suggested.

    Args:
        trial: The trial.
        space: The search space.
        name: As in :func:`suggest_architecture`.

    Raises:
        InvalidArchitecture: The trial lacks a parameter of the space, or the space refuses the combination.
    """
    return Block(space, name).architecture(trial.params)


def _suggest(trial: Trial, block: Block) -> dict[str, object]:
    # Trial.distributions copies them all, which takes longer than everything else here.
    present = getattr(trial, "_cached_frozen_trial", trial).distributions
    new = block.distributions.keys() - present.keys()
    suggested: set[str] = trial.__dict__.setdefault(_SUGGESTED, set())
    if suggested & block.distributions.keys():
        raise InvalidArgument(
            f"trial {trial.number} has suggested an architecture of {block!r} already. Give a second one a "
            "name of its own: suggest_architecture(trial, space, name='decoder'). To read the first again: "
            "architecture_of(trial, space)"
        )
    sampler: BaseSampler = trial.study.sampler
    while isinstance(sampler, PartialFixedSampler):
        sampler = sampler._base_sampler
    check = getattr(sampler, "check_block", None)  # one of ours
    if check is not None and new:
        check(block)
    try:
        values = suggest_all(trial, block.distributions)
    except GraphNASError:
        raise
    except ValueError:
        block.check_study(trial.study)  # says what is wrong, if it is the space
        raise
    suggested |= new
    return values
