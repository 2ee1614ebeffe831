"""Classes and functions by the module that holds them, so that what is stored can name them."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from graphnas.errors import InvalidArgument


def home_of(thing: Any) -> str:
    """``module:name`` of a class or function, from which :func:`import_home` finds it.

    Raises:
        InvalidArgument: It is not found there, as a lambda or what a function defines is not.
    """
    home = f"{getattr(thing, '__module__', None)}:{getattr(thing, '__qualname__', None)}"
    try:
        found = import_home(home)
    except InvalidArgument:
        found = None
    if found is not thing:
        raise InvalidArgument(f"{thing!r} cannot be found again: define it at the top of a module")
    return home


def import_home(home: str) -> Any:
    """The class or function at ``module:name``.

    Raises:
        InvalidArgument: There is none.
    """
    module, _, name = home.partition(":")
    try:
        return functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidArgument(f"there is no {home!r} (module:name): {error}") from error
