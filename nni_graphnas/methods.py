"""Search methods by name and settings, as strategies and tuners are given them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from graphnas.configuration import configured
from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod

MethodMaker = Callable[[GraphSpace, int], SearchMethod]


def method_maker(
    name: str,
    *,
    config: Any = None,
    preset: str | None = None,
    changes: Mapping[str, Any] | None = None,
    **options: Any,
) -> MethodMaker:
    """Makes a method of :mod:`graphnas.methods` from a space and a seed.

    Args:
        name: Name of the class.
        config: Its configuration object; not together with ``preset``.
        preset: Name of a setting.
        changes: Single fields that are other than there.
        **options: Further arguments of the method.

    Raises:
        InvalidArgument: There is no such method, it has no configuration, or a value is not allowed.
    """
    methods = importlib.import_module("graphnas.methods")
    method = getattr(methods, name, None)
    if not (isinstance(method, type) and issubclass(method, SearchMethod)):
        raise InvalidArgument(f"there is no search method {name!r}")
    settings = getattr(methods, f"{name}Config", None)
    if settings is None and (config is not None or preset is not None or changes):
        raise InvalidArgument(f"{name} has no configuration")
    if config is not None and not isinstance(config, settings):  # type: ignore[arg-type]
        raise InvalidArgument(f"config must be a {name}Config, got {type(config).__name__}")
    if settings is not None:
        try:
            options["config"] = replace(configured(settings, config, preset), **(changes or {}))
        except TypeError as error:
            raise InvalidArgument(f"{name}Config: {error}") from error

    def make(space: GraphSpace, seed: int) -> SearchMethod:
        made: SearchMethod = method(space, seed=seed, **options)
        return made

    make.__name__ = name
    return make
