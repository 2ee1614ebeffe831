"""The search methods by the names of the command line, as Optuna samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.optional import require

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

WITH_PRESETS = ("graphbo", "nasgem", "graphpnas", "latentbo")
"""Methods whose configuration has presets, our recommendation first."""

WITH_STARTUP = (*WITH_PRESETS, "tpe")
"""Methods that begin with a number of random trials."""

WITH_MODEL = ("latentbo",)
"""Methods that search in the latent space of an autoencoder."""

WITH_PRIOR = ("graphbo",)
"""Methods that can use prior tasks."""

SAMPLERS = {
    "graphbo": "GraphBOSampler",
    "nasgem": "NASGEMSampler",
    "graphpnas": "GraphPNASSampler",
    "latentbo": "LatentBOSampler",
    "random": "RandomArchitectureSampler",
    "evolution": "RegularizedEvolutionSampler",
    "local_search": "LocalSearchSampler",
}
METHODS = (*SAMPLERS, "tpe")
"""Ours, and Optuna's TPE to compare with, which sees the same parameters but not the graph."""


def make_sampler(
    method: str,
    space: GraphSpace,
    *,
    seed: int,
    preset: str | None = None,
    startup: int | None = None,
    model: str | None = None,
) -> BaseSampler:
    """The sampler of ``method``.

    Args:
        method: One of :data:`METHODS`.
        space: The search space.
        seed: Seed of everything random.
        preset: A preset of the configuration, for a method in :data:`WITH_PRESETS`.
        startup: Random trials at the beginning, for a method in :data:`WITH_STARTUP`.
        model: The autoencoder of latentbo: one of :data:`graphnas.autoencoders.MODELS`, or the file of one.

    Raises:
        InvalidArgument: An unknown method, or an option that the method does not have.
        MissingExtra: Optuna is not installed.
    """
    if method not in METHODS:
        raise InvalidArgument(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    options: dict[str, Any] = {"seed": seed}
    for option, value, name, methods in (
        ("--preset", preset, "preset", WITH_PRESETS),
        ("--startup", startup, "n_startup_trials", WITH_STARTUP),
        ("--model", model, "model", WITH_MODEL),
    ):
        if value is not None and method not in methods:
            raise InvalidArgument(f"{option} {value} is for {', '.join(methods)}, not for {method}")
        if value is not None:
            options[name] = value
    if model is not None:
        from graphnas.methods import LatentBOConfig

        options["config"] = LatentBOConfig.preset(
            options.pop("preset", "default"), model=options.pop("model")
        )
    samplers = require("optuna.samplers", "optuna")
    import optuna_graphnas

    sampler: BaseSampler
    if method == "tpe":
        sampler = samplers.TPESampler(**options)
    else:
        sampler = getattr(optuna_graphnas, SAMPLERS[method])(space, **options)
    return sampler
