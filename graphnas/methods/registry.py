"""The search methods by name, for callers that know only a name: samplers, strategies, commands."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphnas.configuration import Configuration, close_match, configured
from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod

if TYPE_CHECKING:
    from graphnas.surrogate.prior import PriorTask

METHODS = (
    "GraphBO",
    "NASGEM",
    "GraphPNAS",
    "LatentBO",
    "RandomSearch",
    "RegularizedEvolution",
    "LocalSearch",
    "TreeSearch",
)
"""Names of the classes in :mod:`graphnas.methods`, our recommendation first."""


def method_class(name: str) -> type[SearchMethod]:
    """The class called ``name``, imported only now because most methods load torch.

    Raises:
        InvalidArgument: ``name`` is not one of :data:`METHODS`.
    """
    if name not in METHODS:
        raise InvalidArgument(f"unknown search method {name!r}; {close_match(name, METHODS)}")
    method: type[SearchMethod] = getattr(importlib.import_module("graphnas.methods"), name)
    return method


def configuration_of(name: str) -> type[Configuration] | None:
    """The class of the method's configuration, ``<name>Config``; None if the method has none.

    Raises:
        InvalidArgument: ``name`` is not one of :data:`METHODS`.
    """
    method_class(name)
    kind: type[Configuration] | None
    kind = getattr(importlib.import_module("graphnas.methods"), f"{name}Config", None)
    return kind


def make_method(
    name: str,
    space: GraphSpace,
    *,
    seed: int,
    config: Configuration | None = None,
    preset: str | None = None,
    prior: Sequence[PriorTask] = (),
    **options: Any,
) -> SearchMethod:
    """The search method called ``name``.

    Args:
        name: One of :data:`METHODS`.
        space: The search space.
        seed: Seed of every random choice.
        config: The method's configuration; cannot be combined with ``preset``.
        preset: Name of a preset of the configuration.
        prior: What is known of other tasks; see :meth:`SearchMethod.use_prior`.
        **options: Fields of the configuration to replace; for a method without a configuration, arguments of
            its class.

    Raises:
        InvalidArgument: An unknown method, preset or option, a configuration of another method or for one
            that has none, a value out of range, or prior tasks for a method that cannot use them.
    """
    method, kind = method_class(name), configuration_of(name)
    if kind is not None:
        options = {"config": configured(kind, config, preset, **options)}
    elif config is not None or preset is not None:
        raise InvalidArgument(f"{name} has no configuration and no presets")
    try:
        made = method(space, seed=seed, **options)
    except TypeError as error:
        if kind is not None:
            raise
        raise InvalidArgument(f"{name}: {error}") from error
    if prior:
        made.use_prior(prior)
    return made
