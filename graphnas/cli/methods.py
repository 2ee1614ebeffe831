"""The search methods by the names of the command line, as Optuna samplers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.optional import require

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from graphnas.methods import SearchMethod

WITH_PRESETS = ("graphbo", "nasgem", "graphpnas", "latentbo")
"""Methods whose configuration has presets, our recommendation first."""

WITH_STARTUP = (*WITH_PRESETS, "tpe")
"""Methods that begin with a number of random trials."""

WITH_MODEL = ("latentbo",)
"""Methods that search in the latent space of an autoencoder."""

WITH_PRIOR = ("graphbo",)
"""Methods that can use prior tasks."""

CLASSES = {
    "graphbo": "GraphBO",
    "nasgem": "NASGEM",
    "graphpnas": "GraphPNAS",
    "latentbo": "LatentBO",
    "random": "RandomSearch",
    "evolution": "RegularizedEvolution",
    "local_search": "LocalSearch",
}
"""The classes in :mod:`graphnas.methods`."""

SAMPLERS = {name: f"{kind}Sampler" for name, kind in CLASSES.items()} | {
    "random": "RandomArchitectureSampler"
}
METHODS = (*CLASSES, "tpe")
"""Ours, and Optuna's TPE to compare with, which sees the same parameters but not the graph."""


def make_sampler(
    method: str,
    space: GraphSpace,
    *,
    seed: int,
    preset: str | None = None,
    startup: int | None = None,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> BaseSampler:
    """The sampler of ``method``.

    Args:
        method: One of :data:`METHODS`.
        space: The search space.
        seed: Seed of everything random.
        preset: A preset of the configuration, for a method in :data:`WITH_PRESETS`.
        startup: Random trials at the beginning, for a method in :data:`WITH_STARTUP`.
        model: The autoencoder of latentbo: one of :data:`graphnas.autoencoders.MODELS`, or the file of one.
        settings: Fields of the configuration to replace, for a method in :data:`WITH_PRESETS`.

    Raises:
        InvalidArgument: An unknown method, or an option that the method does not have.
        MissingExtra: Optuna is not installed.
    """
    options = _options(method, preset, startup, model, settings)
    samplers = require("optuna.samplers", "optuna")
    import optuna_graphnas

    sampler: BaseSampler
    if method == "tpe":
        sampler = samplers.TPESampler(seed=seed, **options)
    else:
        sampler = getattr(optuna_graphnas, SAMPLERS[method])(space, seed=seed, **options)
    return sampler


def make_search_method(
    method: str,
    space: GraphSpace,
    *,
    seed: int,
    preset: str | None = None,
    startup: int | None = None,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> SearchMethod:
    """The method itself, without Optuna; the arguments are those of :func:`make_sampler`.

    Raises:
        InvalidArgument: A method that is not ours, or an option that it does not have.
    """
    from graphnas.methods.registry import make_method

    options = _options(method, preset, startup, model, settings)
    if method not in CLASSES:
        raise InvalidArgument(f"{method} is none of graphnas's methods: {', '.join(CLASSES)}")
    return make_method(CLASSES[method], space, seed=seed, **options)


def _options(
    method: str,
    preset: str | None,
    startup: int | None,
    model: str | None,
    settings: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Arguments of a sampler or a method beside the space and the seed."""
    if method not in METHODS:
        raise InvalidArgument(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    settings = dict(settings or {})
    for option, value, methods in (
        ("--preset", preset, WITH_PRESETS),
        ("--startup", startup, WITH_STARTUP),
        ("--model", model, WITH_MODEL),
        ("--config", next(iter(settings), None), WITH_PRESETS),
    ):
        if value is not None and method not in methods:
            raise InvalidArgument(f"{option} {value} is for {', '.join(methods)}, not for {method}")
    if method not in WITH_PRESETS:
        return {} if startup is None else {"n_startup_trials": startup}
    from graphnas.methods.registry import configuration_of

    kind = configuration_of(CLASSES[method])
    assert kind is not None
    if model is not None:
        settings["model"] = model
    if startup is not None:
        settings["n_startup_trials"] = startup
    # Lists, as JSON has them, are tuples in configurations.
    settings = {name: _as_tuple(value) for name, value in settings.items()}
    return {"config": kind.preset(preset or "default", **settings)}


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
