"""The search methods by the names of the command line, as Optuna samplers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.optional import require

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

METHODS = {
    "nasgem": "NASGEMSampler",
    "graphpnas": "GraphPNASSampler",
    "latentbo": "LatentBOSampler",
    "random": "RandomArchitectureSampler",
    "evolution": "RegularizedEvolutionSampler",
    "local_search": "LocalSearchSampler",
    "tpe": "optuna.samplers.TPESampler",
}
"""Our samplers, and Optuna's TPE to compare with: it sees the same parameters, but not the graph."""


STARTUP = ("nasgem", "graphpnas", "latentbo", "tpe")
"""Methods that begin with a number of random trials."""

PRESETS = ("nasgem", "graphpnas", "latentbo")
"""Methods whose configuration has presets."""


def make_sampler(
    method: str, space: GraphSpace, *, seed: int, preset: str | None = None, startup: int | None = None
) -> BaseSampler:
    """The sampler of ``method``.

    Args:
        method: One of :data:`METHODS`.
        space: The search space.
        seed: Seed of everything random.
        preset: A preset of the configuration of a method in :data:`PRESETS`.
        startup: Random trials at the beginning, of a method in :data:`STARTUP`.

    Raises:
        InvalidArgument: Another method, or an option for a method that does not have it.
        MissingExtra: Optuna is not installed.
    """
    if method not in METHODS:
        raise InvalidArgument(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    if preset is not None and method not in PRESETS:
        raise InvalidArgument(
            f"--preset {preset} is for the methods {' and '.join(PRESETS)}, not for {method}"
        )
    if startup is not None and method not in STARTUP:
        raise InvalidArgument(
            f"--startup {startup} is for the methods {', '.join(STARTUP)}, not for {method}"
        )
    require("optuna", "optuna")
    options: dict[str, Any] = {"seed": seed}
    if preset is not None:
        options["preset"] = preset
    if startup is not None:
        options["n_startup_trials"] = startup
    home, _, name = METHODS[method].rpartition(".")
    sampler: BaseSampler
    if home:
        sampler = getattr(importlib.import_module(home), name)(**options)
    else:
        sampler = getattr(importlib.import_module("optuna_graphnas"), name)(space, **options)
    return sampler
