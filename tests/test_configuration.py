"""Checks of a configuration's fields, and the configuration that a user's arguments mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest

from graphnas.configuration import (
    Configuration,
    check_booleans,
    check_choices,
    check_integers,
    check_numbers,
    configured,
    replaced,
)
from graphnas.errors import InvalidArgument


@dataclass(frozen=True)
class Config(Configuration):
    """A little of everything."""

    presets: ClassVar = {"default": {}, "paper": {"count": 7}}

    count: int = 1
    rate: float | None = 0.5
    kind: str = "a"
    flag: bool = True
    n_startup_trials: int = 10

    def __post_init__(self) -> None:
        check_integers(self, {"count": 1})
        check_numbers(self, {"rate": "(0, 1]"}, optional=True)
        check_choices(self, {"kind": ("a", "b")})
        check_booleans(self, "flag")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("count", 0, "count must be an integer of at least 1, got 0"),
        ("count", True, "got True"),
        ("count", 2.0, r"got 2\.0"),
        ("count", None, "got None"),
        ("rate", 0, r"rate must be a number in \(0, 1\], got 0"),
        ("rate", 1.5, r"got 1\.5"),
        ("rate", math.nan, "got nan"),
        ("rate", math.inf, "got inf"),
        ("rate", True, "got True"),
        ("rate", "half", "got 'half'"),
        ("kind", "c", r"kind must be one of \('a', 'b'\), got 'c'"),
        ("flag", 1, "flag must be True or False, got 1"),
        ("cuont", 1, "Config has no 'cuont'; did you mean 'count'"),
        ("x", 1, "Config has no 'x'; allowed: count, rate, kind, flag, n_startup_trials"),
    ],
)
def test_a_bad_field_is_named(field, value, message):
    with pytest.raises(InvalidArgument, match=message):
        replaced(Config(), **{field: value})


def test_bounds_that_are_included_and_fields_that_may_be_none():
    assert replaced(Config(), rate=1).rate == 1
    assert replaced(Config(), rate=None).rate is None


def test_the_configuration_that_arguments_mean():
    assert configured(Config, None, None) == Config()
    assert configured(Config, None, "paper") == Config(count=7)
    assert configured(Config, Config(count=3), None, 4, kind="b") == Config(3, kind="b", n_startup_trials=4)
    with pytest.raises(InvalidArgument, match="not both"):
        configured(Config, Config(), "paper")
    with pytest.raises(InvalidArgument, match="config must be a Config, got dict"):
        configured(Config, {}, None)
    with pytest.raises(InvalidArgument, match=r"preset must be one of \('default', 'paper'\), got 'fast'"):
        configured(Config, None, "fast")
