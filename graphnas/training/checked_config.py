"""CheckedConfig: the checks of a configuration's fields, made before any work is spent."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from graphnas.errors import InvalidArgument


@dataclass(frozen=True)
class CheckedConfig:
    """Base of the configurations of training; a subclass checks its fields in ``__post_init__``."""

    def _boolean(self, name: str) -> None:
        if not isinstance(getattr(self, name), bool):
            raise InvalidArgument(f"{name} must be True or False, got {getattr(self, name)!r}")

    def _integer(self, name: str, lowest: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise InvalidArgument(f"{name} must be an integer of at least {lowest}, got {value!r}")

    def _number(self, name: str, allowed: str, test: Callable[[Any], bool]) -> None:
        value = getattr(self, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not test(value):
            raise InvalidArgument(f"{name} must be a number {allowed}, got {value!r}")

    def _one_of(self, name: str, allowed: tuple[str, ...]) -> None:
        if getattr(self, name) not in allowed:
            raise InvalidArgument(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed.

        Raises:
            InvalidArgument: An unknown field or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(known)}"
                raise InvalidArgument(f"unknown training option {name!r}; {hint}")
        return dataclasses.replace(self, **changes)
