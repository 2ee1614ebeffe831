"""How a method or a sampler gets its configuration: from one given, or from the name of a preset."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol, Self, TypeVar

from graphnas.errors import InvalidArgument


class Configuration(Protocol):
    """A frozen dataclass with settings, some of them under the name of a preset."""

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named setting, with single fields changed."""


C = TypeVar("C", bound=Configuration)


def configured(kind: type[C], config: C | None, preset: str | None, n_startup_trials: int | None = None) -> C:
    """The configuration meant by what a user gave; ``kind``'s default if nothing.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, an unknown preset, or fields out of range.
    """
    if config is not None and preset is not None:
        raise InvalidArgument("give either config or preset, not both")
    config = config or kind.preset(preset or "default")
    if n_startup_trials is None:
        return config
    changed: C = replace(config, n_startup_trials=n_startup_trials)  # type: ignore[type-var]
    return changed
