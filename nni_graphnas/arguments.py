"""Arguments of tuners and strategies: the space, the method and its configuration that they describe."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphnas.configuration import Configuration, configured, replaced
from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.methods.registry import configuration_of, make_method
from graphnas.seeds import checked_seed
from graphnas.surrogate.prior import PriorTask
from nni_graphnas.journal import checked_mode
from search_spaces import get_space

MethodMaker = Callable[..., SearchMethod]
"""Makes a search method when called with a space and ``seed=...``, as the class of a method does."""


def method_maker(
    name: str,
    config: Configuration | None = None,
    preset: str | None = None,
    changes: Mapping[str, Any] | None = None,
    prior: Sequence[PriorTask] = (),
) -> MethodMaker:
    """Makes the search method called ``name``, whose configuration is checked here.

    Args:
        name: As in :func:`graphnas.methods.registry.make_method`.
        config: The method's configuration; cannot be combined with ``preset``.
        preset: The name of one of its settings.
        changes: Single fields of the configuration to replace.
        prior: What is known of other tasks.

    Raises:
        InvalidArgument: An unknown method, preset or field, or a value out of range.
    """
    kind = configuration_of(name)
    if kind is None and (config is not None or preset is not None or changes):
        raise InvalidArgument(f"{name} has no configuration")
    if kind is None:
        return functools.partial(make_method, name, prior=prior)
    settings = replaced(configured(kind, config, preset), **(changes or {}))
    return functools.partial(make_method, name, config=settings, prior=prior)


def checked_arguments(
    method: str,
    space: object,
    space_options: Mapping[str, Any] | None = None,
    preset: str | None = None,
    config: Mapping[str, Any] | None = None,
    seed: int | None = None,
    optimize_mode: str = "maximize",
    prior: Sequence[str] = (),
) -> tuple[GraphSpace, MethodMaker]:
    """The space and the method that a tuner's arguments describe.

    Raises:
        InvalidArgument: A value out of range, or prior data for a method that cannot use them.
        DataNotFound: A file of ``prior`` is not there.
        CorruptData: A file of ``prior`` cannot be read.
    """
    minimize = checked_mode(optimize_mode)
    if seed is not None:
        checked_seed(seed)
    made = named_space(space, space_options)
    if isinstance(prior, str) or not all(isinstance(path, str) for path in prior):
        raise InvalidArgument(f"prior must be a list of files, got {prior!r}")
    tasks = [PriorTask.from_file(Path(path).expanduser(), made, minimize=minimize) for path in prior]
    maker = method_maker(method, preset=preset, changes=config, prior=tasks)
    if tasks:
        maker(made, seed=0)  # refuses them now
    return made, maker


def named_space(space: object, options: Mapping[str, Any] | None) -> GraphSpace:
    """One of our spaces by name, or a user's by ``package.module:Class``.

    Raises:
        InvalidArgument: There is none of this name, or it does not take the options.
    """
    if not isinstance(space, str):
        raise InvalidArgument(f"space must be a name, got {space!r}")
    if ":" not in space:
        return get_space(space, **dict(options or {}))
    module, _, name = space.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)(**dict(options or {}))
    except (ImportError, AttributeError, TypeError) as error:
        raise InvalidArgument(f"space {space!r}: {error}") from error
    if not isinstance(made, GraphSpace):
        raise InvalidArgument(f"space {space!r} makes a {type(made).__name__}, which is no GraphSpace")
    return made
