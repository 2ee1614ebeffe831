"""A search space in a file: the name and arguments from which it is rebuilt."""

from __future__ import annotations

import json
from typing import Any

from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from search_spaces import get_space


def describe_space(space: GraphSpace) -> dict[str, Any]:
    """Name and arguments; the arguments are None if ``get_space`` does not rebuild this space."""
    try:
        again = get_space(space.name, **json.loads(json.dumps(space.arguments())))
    except (InvalidArgument, TypeError, ValueError):
        again = None
    known = type(again) is type(space) and again is not None and again.arguments() == space.arguments()
    return {"name": space.name, "arguments": space.arguments() if known else None}


def described_space(description: dict[str, Any], given: GraphSpace | None, what: str) -> GraphSpace:
    """The space that :func:`describe_space` described.

    Args:
        description: What it returned.
        given: The space itself; needed if ``get_space`` does not know it.
        what: Description of the file's content, for messages.

    Raises:
        InvalidArgument: ``given`` is needed but missing, or is another space.
        KeyError: The description lacks a field.
    """
    if given is not None:
        if given.name != description["name"]:
            raise InvalidArgument(f"{what} is from the space {description['name']!r}, not {given.name!r}")
        return given
    if description["arguments"] is None:
        raise InvalidArgument(
            f"{what} was saved from the space {description['name']!r}, which is not one of graphnas: "
            "give it as space=..."
        )
    return get_space(description["name"], **description["arguments"])
