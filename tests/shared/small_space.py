"""A small space and its objective; neither torch nor a host is imported, so that a trial starts quickly."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

if TYPE_CHECKING:
    from torch import nn

ARCHITECTURES = 174
"""Members of the space up to isomorphism; a test counts them."""

BEST = 6.5
"""The largest quality; a test checks it."""


class SmallSpace(GraphSpace):
    """Cells of four nodes: 224 combinations that the rule accepts, 174 up to isomorphism."""

    name = "small"
    node_ops = ("input", "conv", "pool", "output")
    max_nodes = 4

    def node_choices(self, node: int) -> Sequence[int]:
        return (0,) if node == 0 else (3,) if node == 3 else (1, 2)

    def check(self, architecture: Architecture) -> None:
        if architecture.num_nodes != 4 or not architecture.adjacency[:3, 3].any():
            raise InvalidArchitecture(f"{self.name}: nothing feeds the output")

    def size(self) -> int:
        return 4 * 2**3 * 7

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> nn.Module:
        from torch import nn

        self.validate(architecture)
        return nn.Linear(int(architecture.adjacency.sum()), num_classes, **shape)


def quality(architecture: Architecture) -> float:
    """A value with one best architecture: many edges, convolutions late."""
    edges = architecture.adjacency.sum()
    late = sum(k * (architecture.operations[k] == 1) for k in (1, 2))
    return float(edges + 0.5 * late - 2.0 * architecture.adjacency[0, 3])


def fingerprint(architecture: Architecture) -> float:
    """A value that no two architectures share, so that a wrong pair shows."""
    digest = hashlib.sha256(architecture.to_json().encode()).digest()
    return int.from_bytes(digest[:5], "big") / 2**20
