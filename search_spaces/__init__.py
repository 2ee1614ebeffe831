"""The search spaces: what may be built, the module each architecture builds, and the tables of known results.

The spaces are imported on first use and load torch only when they build or batch something.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphnas.errors import InvalidArgument
from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.graph.space import GraphSpace
    from search_spaces.enas import ENASMacro as ENASMacro
    from search_spaces.enas import ENASMacro6 as ENASMacro6
    from search_spaces.gemnet import GEMNet as GEMNet
    from search_spaces.nasbench101 import NASBench101 as NASBench101
    from search_spaces.nasbench201 import NASBench201 as NASBench201
    from search_spaces.nasbench_graph import NASBenchGraph as NASBenchGraph
    from search_spaces.randwire import RandWire as RandWire
    from search_spaces.transnasbench101 import TransNASBench101 as TransNASBench101

_HOMES = {
    "ENASMacro": "search_spaces.enas",
    "ENASMacro6": "search_spaces.enas",
    "GEMNet": "search_spaces.gemnet",
    "NASBench101": "search_spaces.nasbench101",
    "NASBench201": "search_spaces.nasbench201",
    "NASBenchGraph": "search_spaces.nasbench_graph",
    "RandWire": "search_spaces.randwire",
    "TransNASBench101": "search_spaces.transnasbench101",
}
_NAMES = {"ENASMacro": "enas", "ENASMacro6": "enas6"}
"""Spaces whose name is not that of their class in lower case."""

__all__ = [
    "ENASMacro",
    "ENASMacro6",
    "GEMNet",
    "NASBench101",
    "NASBench201",
    "NASBenchGraph",
    "RandWire",
    "TransNASBench101",
    "get_space",
    "space_names",
]


def space_names() -> tuple[str, ...]:
    """Names that :func:`get_space` knows, sorted."""
    return tuple(sorted(_NAMES.get(public, public.lower()) for public in _HOMES))


def get_space(name: str, **kwargs: Any) -> GraphSpace:
    """The search space called ``name``.

    Args:
        name: One of :func:`space_names` or the class's name. Case, dashes, underscores and blanks do not
            matter: ``NAS-Bench-201`` works too.
        **kwargs: Passed on to the space, such as ``num_nodes=8`` for GEMNet.

    Raises:
        InvalidArgument: There is no such space, or it does not take these arguments.
    """
    wanted = "".join(c for c in name.lower() if c not in "-_ ")
    for public, home in _HOMES.items():
        if wanted in (public.lower(), _NAMES.get(public)):
            space_class = getattr(importlib.import_module(home), public)
            try:
                space: GraphSpace = space_class(**kwargs)
            except TypeError as error:
                raise InvalidArgument(f"space {name!r}: {error}") from error
            return space
    raise InvalidArgument(f"unknown search space {name!r}; known: {', '.join(space_names())}")


__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
