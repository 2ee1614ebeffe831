"""GEMNet-A and GEMNet-B: the ImageNet networks of NASGEM, as far as they were published.

Source: Cheng et al., "NASGEM: Neural Architecture Search via Graph Embedding Method" (AAAI 2021), Table 1:
4.3 million parameters and 463 million multiply-accumulates for A, 4.5 and 563 million for B, at 224x224. The
paper prints neither the cell nor the widths. Both are ours here: a cell drawn with a fixed seed, and widths
for which the counts agree with the published ones. So these networks have the size and the shape of the
published ones (four stages on maps of 56, 28, 14 and 7 pixels), not their trained accuracy.

The cell is the first that ``GEMNet(edge_probability=(0.15, 0.15))`` draws from seed 0, written out below so
that it does not depend on a random number generator. It has 30 nodes, of which 26 remain after dropping, with
52 edges and 8 leaves. The widths come from ``benchmarks/graphs/gemnet_widths.py``: multiples of 4 that rise
most evenly from stage to stage, with both counts within 1 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphnas.graph.architecture import Architecture
from search_spaces.gemnet import GEMNet

if TYPE_CHECKING:
    from search_spaces.gemnet_network import GEMNetNetwork


class Published(NamedTuple):
    """Parameters and multiply-accumulates in Table 1."""

    parameters: int
    macs: int


TARGETS = {
    "GEMNet-A": Published(4_300_000, 463_000_000),
    "GEMNet-B": Published(4_500_000, 563_000_000),
}
WIDTHS = {
    "GEMNet-A": (16, 44, 108, 228),
    "GEMNet-B": (24, 48, 108, 232),
}
"""Channels of each node in the stages of stride 4, 8, 16 and 32."""

STEM_STRIDE = 4

NAMES = tuple(name.lower() for name in TARGETS)
"""What the networks are called on the command line and in timm."""

CELL = (
    ("input", ()),
    ("sepconv3x3", ()),
    ("sepconv3x3", ()),
    ("sepconv3x3", (1,)),
    ("conv1x1", (0,)),
    ("conv1x1", (0, 1)),
    ("sepconv3x3", (0,)),
    ("sepconv3x3", (1,)),
    ("sepconv3x3", (5,)),
    ("sepconv3x3", (2, 7, 8)),
    ("sepconv3x3", (7, 9)),
    ("conv1x1", (9,)),
    ("conv1x1", (1, 4, 7, 11)),
    ("conv1x1", (1, 9, 12)),
    ("conv1x1", (1, 3, 6, 13)),
    ("sepconv3x3", (1, 3, 13)),
    ("sepconv3x3", (12,)),
    ("conv1x1", (7, 8, 13, 14, 16)),
    ("conv1x1", (4, 9, 13)),
    ("conv1x1", (5, 12)),
    ("conv1x1", (2, 8, 10)),
    ("sepconv3x3", (10,)),
    ("conv1x1", (0, 9, 12, 20)),
    ("conv1x1", (6,)),
    ("conv1x1", (3, 6, 17)),
    ("conv1x1", (3, 17, 19)),
    ("sepconv3x3", (0, 8, 11)),
    ("sepconv3x3", (5, 17)),
    ("sepconv3x3", (13, 14, 19, 22, 24, 25)),
    ("conv1x1", (4, 9, 12, 13, 22)),
)
"""Operation and inputs of nodes 0 to 29; nodes without inputs are dropped, recursively."""


def gemnet_cell() -> Architecture:
    """The cell of both networks, a member of ``GEMNet()``."""
    adjacency = np.zeros((len(CELL), len(CELL)), np.int8)
    for node, (_, inputs) in enumerate(CELL):
        adjacency[list(inputs), node] = 1
    return GEMNet(len(CELL)).from_matrix(adjacency, [operation for operation, _ in CELL])


def gemnet_a(num_classes: int = 1000, *, in_channels: int = 3) -> GEMNetNetwork:
    """GEMNet-A: 4.3 million parameters and 463 million multiply-accumulates at 224x224 and 1000 classes.

    ``network.features(images)`` gives the maps at strides 4, 8, 16 and 32 for detection; they have
    ``network.out_channels`` channels. Weights are random.

    Args:
        num_classes: Size of the output.
        in_channels: Channels of the images.

    Raises:
        InvalidArgument: A size is not positive.
    """
    return _network("GEMNet-A", num_classes, in_channels)


def gemnet_b(num_classes: int = 1000, *, in_channels: int = 3) -> GEMNetNetwork:
    """GEMNet-B: 4.5 million parameters and 563 million multiply-accumulates; otherwise as :func:`gemnet_a`.

    Args:
        num_classes: Size of the output.
        in_channels: Channels of the images.

    Raises:
        InvalidArgument: A size is not positive.
    """
    return _network("GEMNet-B", num_classes, in_channels)


def gemnet_parts(name: str) -> tuple[GEMNet, Architecture, dict[str, Any]]:
    """Space, cell and the arguments of ``space.build`` of one of :data:`TARGETS`, in upper or lower case."""
    widths = {known.lower(): widths for known, widths in WIDTHS.items()}[name.lower()]
    return GEMNet(len(CELL)), gemnet_cell(), {"widths": widths, "stem_stride": STEM_STRIDE}


def _network(name: str, num_classes: int, in_channels: int) -> GEMNetNetwork:
    space, cell, shape = gemnet_parts(name)
    return space.build(cell, num_classes, in_channels=in_channels, **shape)
