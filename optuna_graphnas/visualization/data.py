"""The data halves: what a study's plots show, whatever draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study, StudyDirection

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.graph.wl import WeisfeilerLehman
from graphnas.plots.architecture_grid import _get_grid_info, _GridInfo
from graphnas.plots.effects import _EffectsInfo, _get_contributions_info, _get_effects_info
from graphnas.plots.generations import _GenerationsInfo, _get_generations_info
from graphnas.plots.latent_space import _get_latent_space_info, _LatentSpaceInfo
from graphnas.plots.motifs import _get_motifs_info, _MotifsInfo
from graphnas.plots.ranking import best_once
from graphnas.plots.search_curve import _get_search_curve_info, _SearchCurveInfo
from optuna_graphnas.evaluated import evaluated
from optuna_graphnas.explanation import explain

WL_ITERATIONS = 2
"""Rounds of refinement of the features that stand for a latent space where there is no encoder."""


class Encoder(Protocol):
    """A graph autoencoder."""

    def encode(self, architectures: Sequence[Architecture], /) -> Any:
        """Mean and logarithm of the variance of each latent, ``(B, d)`` tensors."""


def architectures_info(
    study: Study,
    space: GraphSpace,
    *,
    count: int = 6,
    columns: int = 3,
    name: str | None = None,
    objective: int = 0,
) -> _GridInfo:
    """The best architectures, isomorphic ones once."""
    if count < 1:
        raise InvalidArgument(f"count must be at least 1, got {count}")
    found = evaluated(study, space, name=name, objective=objective)
    chosen = best_once(found.architectures, found.values, space, count, minimize=found.minimize)
    if not chosen:
        raise InvalidArgument(f"no trial of the study {study.study_name!r} has a value")
    return _get_grid_info(
        [found.architectures[k] for k in chosen],
        space,
        captions=[f"{found.value_name} {found.values[k]:.4g}, trial {found.numbers[k]}" for k in chosen],
        columns=columns,
        title=f"{space.name}: the best {len(chosen)} of {len(found.numbers)} trials",
    )


def latent_space_info(
    study: Study,
    space: GraphSpace,
    *,
    encoder: Encoder | None = None,
    projection: str = "pca",
    seed: int = 0,
    name: str | None = None,
    objective: int = 0,
) -> tuple[_LatentSpaceInfo, tuple[int, ...]]:
    """Latents in two dimensions, and the number of the trial of each point."""
    found = evaluated(study, space, name=name, objective=objective)
    known = np.flatnonzero(np.isfinite(found.values))
    architectures = [found.architectures[k] for k in known]
    if len(known) < 3:
        raise InvalidArgument(
            f"a latent space needs at least 3 trials with a value, {study.study_name!r} has {len(known)}"
        )
    latents = wl_features(architectures, space) if encoder is None else _encoded(encoder, architectures)
    info = _get_latent_space_info(
        latents,
        found.values[known],
        projection=projection,
        value_name=found.value_name,
        seed=seed,
        max_points=len(known),
    )
    return info, tuple(found.numbers[k] for k in known)


def _encoded(encoder: Encoder, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
    mean = encoder.encode(architectures)[0]
    return np.asarray(mean.detach().cpu().numpy() if hasattr(mean, "detach") else mean, float)


def wl_features(architectures: Sequence[Architecture], space: GraphSpace) -> NDArray[np.float64]:
    """Normalised Weisfeiler-Lehman counts of the part that computes, ``(n, features)``: close if alike."""
    from graphnas.graph.batch import ArchitectureBatch

    batch = space.active_batch(ArchitectureBatch.from_architectures(list(architectures)))
    kernel = WeisfeilerLehman(WL_ITERATIONS, include_initial=True)
    counts = np.asarray(kernel.fit_transform(batch).toarray(), float)
    return counts / np.sqrt(np.maximum(kernel.self_kernel(batch), 1.0))[:, None]


def motifs_info(
    study: Study,
    space: GraphSpace,
    *,
    count: int = 12,
    least: int = 3,
    name: str | None = None,
    objective: int = 0,
) -> _MotifsInfo:
    """Motifs with the difference that goes with them."""
    found = evaluated(study, space, name=name, objective=objective)
    return _get_motifs_info(
        found.architectures,
        found.values,
        space,
        count=count,
        least=least,
        value_name=found.value_name,
        minimize=found.minimize,
    )


def effects_info(study: Study, space: GraphSpace, *, count: int = 16, **options: Any) -> _EffectsInfo:
    """Motifs with what they do to the value; ``options`` are those of :func:`optuna_graphnas.explain`."""
    return _get_effects_info(explain(study, space, **options), count=count)


def contributions_info(
    study: Study, space: GraphSpace, *, count: int = 4, columns: int = 2, **options: Any
) -> _GridInfo:
    """The best architectures with the effects of their motifs; see :func:`effects_info`."""
    return _get_contributions_info(explain(study, space, **options), count=count, columns=columns)


def generations_info(
    study: Study, space: GraphSpace, *, size: int = 10, name: str | None = None, objective: int = 0
) -> _GenerationsInfo:
    """Values and operations by generation."""
    found = evaluated(study, space, name=name, objective=objective)
    return _get_generations_info(
        found.architectures, found.values, space, size=size, value_name=found.value_name
    )


def regret_info(
    study: Study, *, optimum: float | None = None, objective: int = 0
) -> tuple[_SearchCurveInfo, bool]:
    """The best value so far, or its distance to ``optimum``; and whether it is the distance."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    values = np.array([trial.values[objective] if trial.values else math.nan for trial in trials], float)
    if not np.isfinite(values).any():
        raise InvalidArgument(f"no trial of the study {study.study_name!r} has a value")
    minimize = study.directions[objective] == StudyDirection.MINIMIZE
    names = study.metric_names
    label = names[objective] if names else "value"
    if optimum is not None:
        values, minimize, label = np.abs(values - optimum), True, f"distance to {optimum:g}"
    info = _get_search_curve_info({study.study_name: values}, value_name=label, minimize=minimize)
    return info, optimum is not None
