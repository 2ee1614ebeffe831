"""The networks of NAS-Bench-Graph, made of the layers of torch_geometric (extra ``pyg``).

Qin et al. (NeurIPS 2022), section 3.1: an operation with normalisation on each node of the tree, the leaves
concatenated, a linear classifier. The released figures fix the rest: with the settings of :data:`SHAPES`, the
number of parameters is the benchmark's, less one normalisation for each skip connection, which copies here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from graphnas.errors import InvalidArgument
from graphnas.optional import require
from search_spaces.staged_network import check_sizes


class Shape(NamedTuple):
    """What the benchmark's networks for one data set are built with; ``_asdict()`` goes to ``build``."""

    num_classes: int
    in_channels: int
    width: int
    pre_layer: bool
    post_layer: bool


SHAPES = {
    "cora": Shape(7, 1433, 256, False, True),
    "citeseer": Shape(6, 3703, 256, False, True),
    "pubmed": Shape(3, 500, 128, False, False),
    "cs": Shape(15, 6805, 128, True, False),
    "physics": Shape(5, 8415, 256, True, False),
    "photo": Shape(8, 745, 128, False, False),
    "computers": Shape(10, 767, 64, True, True),
    "arxiv": Shape(40, 128, 128, False, True),
    "proteins": Shape(112, 8, 256, True, True),
}


class GraphNetwork(nn.Module):
    """A tree of graph layers.

    Args:
        links: The node that each of the nodes 1 to 4 reads; 0 is the input.
        operations: Their operations; skip connections of the raw features come first.
        num_classes: Size of the output.
        in_channels: Features of a node of the graph.
        width: Features after each operation.
        pre_layer: Whether a fully connected layer comes before the tree.
        post_layer: Whether one comes after it.
        dropout: Probability of dropping a feature before each operation.

    Raises:
        InvalidArgument: A size is not positive, ``width`` is odd, or ``dropout`` is not in 0..1.
        MissingExtra: torch_geometric is not installed.
    """

    def __init__(
        self,
        links: Sequence[int],
        operations: Sequence[str],
        num_classes: int,
        in_channels: int,
        width: int,
        pre_layer: bool,
        post_layer: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        check_sizes(num_classes=num_classes, in_channels=in_channels, width=width)
        if width % 2:
            raise InvalidArgument(f"width must be even (attention has two heads), got {width}")
        if not 0 <= dropout < 1:
            raise InvalidArgument(f"dropout must be at least 0 and less than 1, got {dropout}")
        self.links, self.dropout = list(links), nn.Dropout(dropout)
        self.pre = nn.Sequential(nn.Linear(in_channels, width), nn.ReLU()) if pre_layer else nn.Identity()
        widths = [width if pre_layer else in_channels]
        self.layers, self.norms = nn.ModuleList(), nn.ModuleList()
        self.uses_edges = [operation not in ("fc", "skip") for operation in operations]
        for link, operation in zip(links, operations, strict=True):
            self.layers.append(_layer(operation, widths[link], width))
            skip = operation == "skip"
            self.norms.append(nn.Identity() if skip else nn.Sequential(nn.BatchNorm1d(width), nn.ReLU()))
            widths.append(widths[link] if skip else width)
        self.leaves = [node for node in range(1, len(widths)) if node not in self.links]
        joined = sum(widths[leaf] for leaf in self.leaves)
        self.post = nn.Sequential(nn.Linear(joined, width), nn.ReLU()) if post_layer else nn.Identity()
        self.classifier = nn.Linear(width if post_layer else joined, num_classes)

    def forward(self, features: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``(N, num_classes)``.

        Args:
            features: ``(N, in_channels)`` of the graph's nodes.
            edge_index: ``(2, E)`` source and target of each edge.
        """
        nodes = [self.pre(features)]
        for link, layer, norm, uses_edges in zip(
            self.links, self.layers, self.norms, self.uses_edges, strict=True
        ):
            x = nodes[link]
            if not isinstance(layer, nn.Identity):
                x = self.dropout(x)
                x = layer(x, edge_index) if uses_edges else layer(x)
            nodes.append(norm(x))
        logits: Tensor = self.classifier(self.post(torch.cat([nodes[leaf] for leaf in self.leaves], 1)))
        return logits


def _layer(operation: str, before: int, width: int) -> nn.Module:
    if operation == "skip":
        return nn.Identity()
    if operation == "fc":
        return nn.Linear(before, width)
    layers: Any = require("torch_geometric.nn", "pyg")
    if operation == "gat":
        layer = layers.GATConv(before, width // 2, heads=2)
    elif operation == "gin":
        layer = layers.GINConv(nn.Linear(before, width))
    elif operation == "cheb":
        layer = layers.ChebConv(before, width, K=2)
    else:
        kinds = {"gcn": "GCNConv", "sage": "SAGEConv", "arma": "ARMAConv", "graph": "GraphConv"}
        layer = getattr(layers, kinds[operation])(before, width)
    module: nn.Module = layer
    return module
