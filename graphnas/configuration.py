"""How a method or a sampler gets its configuration: from one given, or from the name of a preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, Self, TypeVar

from graphnas.errors import InvalidArgument


class Configuration(Protocol):
    """A frozen dataclass with settings, some of them under the name of a preset."""

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named setting, with single fields changed."""


def check_choices(config: object, allowed: Mapping[str, Sequence[object]]) -> None:
    """Refuse fields of ``config`` that are none of what is allowed.

    Raises:
        InvalidArgument: Naming the first such field.
    """
    for name, values in allowed.items():
        if getattr(config, name) not in values:
            raise InvalidArgument(f"{name} must be one of {values}, got {getattr(config, name)!r}")


def check_least(config: object, least: Mapping[str, float]) -> None:
    """Refuse fields of ``config`` that are less than they may be.

    Raises:
        InvalidArgument: Naming the first such field.
    """
    for name, bound in least.items():
        if not getattr(config, name) >= bound:
            raise InvalidArgument(f"{name} must be at least {bound}, got {getattr(config, name)}")


C = TypeVar("C", bound=Configuration)


def from_preset(
    kind: type[C], presets: Mapping[str, Mapping[str, Any]], name: str, changes: Mapping[str, Any]
) -> C:
    """``kind``'s default with the fields of a preset, and of these single ones changed.

    Raises:
        InvalidArgument: An unknown preset.
    """
    if name not in presets:
        raise InvalidArgument(f"preset must be one of {tuple(presets)}, got {name!r}")
    made: C = replace(kind(), **{**presets[name], **changes})  # type: ignore[type-var]
    return made


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
