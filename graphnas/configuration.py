"""Configurations: checks of their fields, named presets, and how a method or a sampler gets its own."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from graphnas.errors import InvalidArgument

Presets = Mapping[str, Mapping[str, Any]]


class Configuration:
    """Base of the frozen dataclasses of settings.

    Attributes:
        presets: Named settings, each by the fields in which it differs from the default.
    """

    presets: ClassVar[Presets] = {"default": {}}

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named setting, with single fields changed.

        Raises:
            InvalidArgument: An unknown preset or field, or a value out of range.
        """
        if name not in cls.presets:
            raise InvalidArgument(f"preset must be one of {tuple(cls.presets)}, got {name!r}")
        return replaced(cls(), **{**cls.presets[name], **changes})


C = TypeVar("C", bound=Configuration)
D = TypeVar("D")


def check_choices(config: object, allowed: Mapping[str, Collection[object]]) -> None:
    """Check that each named field of ``config`` has one of the allowed values.

    Raises:
        InvalidArgument: Naming the first field that does not.
    """
    for name, values in allowed.items():
        if getattr(config, name) not in values:
            raise InvalidArgument(f"{name} must be one of {tuple(values)}, got {getattr(config, name)!r}")


def check_booleans(config: object, *names: str) -> None:
    """Check that the named fields of ``config`` are True or False.

    Raises:
        InvalidArgument: Naming the first field that is not.
    """
    for name in names:
        if not isinstance(getattr(config, name), bool):
            raise InvalidArgument(f"{name} must be True or False, got {getattr(config, name)!r}")


def check_integers(config: object, least: Mapping[str, int], *, optional: bool = False) -> None:
    """Check that each named field of ``config`` is an integer (no boolean) of at least its bound.

    Args:
        config: The configuration.
        least: The smallest allowed value of each field.
        optional: Whether the fields may also be None.

    Raises:
        InvalidArgument: Naming the first field that is not.
    """
    for name, bound in least.items():
        value = getattr(config, name)
        if value is None and optional:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < bound:
            raise InvalidArgument(f"{name} must be an integer of at least {bound}, got {value!r}")


def check_numbers(config: object, intervals: Mapping[str, str], *, optional: bool = False) -> None:
    """Check that each named field of ``config`` is a finite number (no boolean) in its interval.

    Args:
        config: The configuration.
        intervals: The interval of each field in the usual notation, such as ``"(0, 1]"`` or ``"[0, inf)"``.
        optional: Whether the fields may also be None.

    Raises:
        InvalidArgument: Naming the first field that is not.
    """
    for name, interval in intervals.items():
        value = getattr(config, name)
        if value is None and optional:
            continue
        low, high = map(float, interval[1:-1].split(","))
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or not (low <= value if interval[0] == "[" else low < value)
            or not (value <= high if interval[-1] == "]" else value < high)
        ):
            raise InvalidArgument(f"{name} must be a number in {interval}, got {value!r}")


def close_match(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown ``name``: the known one that it resembles, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(known)}"


def replaced(config: D, /, **changes: Any) -> D:
    """A copy of the dataclass ``config`` with single fields changed.

    Raises:
        InvalidArgument: An unknown field, or a value out of range.
    """
    known = [field.name for field in dataclasses.fields(config)]  # type: ignore[arg-type]
    for name in changes:
        if name not in known:
            raise InvalidArgument(f"{type(config).__name__} has no {name!r}; {close_match(name, known)}")
    made: D = dataclasses.replace(config, **changes)  # type: ignore[type-var]
    return made


def configured(
    kind: type[C],
    config: C | None,
    preset: str | None,
    /,
    n_startup_trials: int | None = None,
    **changes: Any,
) -> C:
    """The configuration that a user's arguments mean.

    Args:
        kind: The class of the configuration, whose default is used if neither of the next two is given.
        config: A configuration.
        preset: The name of a preset.
        n_startup_trials: Replaces the field of that name; None leaves it.
        **changes: Other fields to replace.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, a ``config`` of another class, an unknown preset or
            field, or a value out of range.
    """
    if config is not None and preset is not None:
        raise InvalidArgument("give either config or preset, not both")
    if config is not None and not isinstance(config, kind):
        raise InvalidArgument(f"config must be a {kind.__name__}, got {type(config).__name__}")
    if n_startup_trials is not None:
        changes["n_startup_trials"] = n_startup_trials
    return replaced(config or kind.preset(preset or "default"), **changes)
