"""Why the architectures of a study are good: see :func:`graphnas.surrogate.explain`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from optuna.study import Study

from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.explanation import LEAST_VALUES, Explanation
from graphnas.surrogate.explanation import explain as explain_values
from optuna_graphnas.evaluated import evaluated


def explain(
    study: Study,
    space: GraphSpace,
    *,
    name: str | None = None,
    objective: int = 0,
    depths: Sequence[int] = (0, 1),
    least: int = 3,
    samples: int = 2000,
    refits: int = 12,
    seed: int = 0,
) -> Explanation:
    """Find the operations and sub-graphs that raise and lower an objective of a study.

    Any sampler may have made the study. The Gaussian process of GraphBO is fitted to the complete trials;
    pruned and failed ones, and parameters beside the architecture, do not enter. What an effect is and what
    it does not say: :func:`graphnas.surrogate.explain`.

    Args:
        study: The study.
        space: The space of its architectures.
        name: As in :func:`optuna_graphnas.suggest_architecture`.
        objective: Which of several objectives.
        depths: As in :func:`graphnas.surrogate.explain`, like all that follow.
        least: Architectures that must have a motif another number of times than most have.
        samples: Random architectures that effects are averaged over.
        refits: Processes fitted to resampled evaluations, for the intervals.
        seed: Seed of the random architectures and of the resampling.

    Raises:
        InvalidArgument: No such objective, no trial with an architecture of the space, too few with a
            value, or nothing to explain.
    """
    found = evaluated(study, space, name=name, objective=objective)
    measured = int(np.isfinite(found.values).sum())
    if measured < LEAST_VALUES:
        raise InvalidArgument(
            f"an explanation needs at least {LEAST_VALUES} complete trials, "
            f"the study {study.study_name!r} has {measured}"
        )
    return explain_values(
        found.architectures,
        found.values,
        space,
        depths=depths,
        least=least,
        samples=samples,
        refits=refits,
        seed=seed,
        value_name=found.value_name,
        minimize=found.minimize,
    )
