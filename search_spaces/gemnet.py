"""GEMNet: the search space of NASGEM, the sub-graphs of a complete DAG whose nodes are convolutions.

Source: Cheng et al., "NASGEM: Neural Architecture Search via Graph Embedding Method" (AAAI 2021), section
"Search space". The paper fixes the super-graph (the complete DAG of N = 30 nodes), the two operations, the
dropping of nodes without inputs, and both concatenations. The other defaults are ours and marked so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.canonical import canonical_key
from graphnas.graph.space import GraphSpace

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch
    from search_spaces.gemnet_network import GEMNetNetwork

KNOWN_OPERATIONS = ("conv1x1", "conv3x3", "sepconv3x3")
"""Operations of a node: 1x1, 3x3, or 3x3 depthwise-separable convolution, each followed by BN and ReLU."""


class GEMNet(GraphSpace):
    """Cells of ``num_nodes`` nodes in which any node may feed any later one.

    Node 0 is the input of the cell (label 0, ``"input"``); every other node is one of ``operations``. Several
    inputs of a node are concatenated on the channels. Nodes without inputs are dropped, recursively, which
    leaves the nodes that can be reached from node 0. The nodes without outputs are concatenated and squeezed
    by a 1x1 convolution: that is the output of the cell.

    Args:
        num_nodes: Nodes of the super-graph, the input included; 30 in the paper.
        operations: Operations of a node, out of :data:`KNOWN_OPERATIONS`; the default is the paper's pair.
        edge_probability: Bounds of the edge probability ``p`` of a random architecture. Ours: one ``p``
            is drawn uniformly for each graph, which makes sparse and dense graphs equally likely.

    Raises:
        InvalidArgument: Fewer than 2 nodes, no or an unknown operation, or bounds outside of 0 to 1.
    """

    name = "gemnet"

    def __init__(
        self,
        num_nodes: int = 30,
        *,
        operations: Sequence[str] = ("conv1x1", "sepconv3x3"),
        edge_probability: Sequence[float] = (0.1, 0.9),
    ) -> None:
        if num_nodes < 2:
            raise InvalidArgument(f"num_nodes must be at least 2 (the input and one node), got {num_nodes}")
        unknown = [operation for operation in operations if operation not in KNOWN_OPERATIONS]
        if unknown or not operations or len(set(operations)) < len(operations):
            raise InvalidArgument(
                f"operations must be different names out of {KNOWN_OPERATIONS}, got {operations!r}"
            )
        if len(edge_probability) != 2:
            raise InvalidArgument(f"edge_probability must be two numbers, got {edge_probability!r}")
        low, high = edge_probability
        if not 0 <= low <= high <= 1 or high == 0:
            raise InvalidArgument(f"edge_probability must be 0 <= low <= high <= 1, got {edge_probability}")
        self.max_nodes = num_nodes
        self.operations = tuple(operations)
        self.edge_probability = (float(low), float(high))
        self.node_ops = ("input", *operations)

    def arguments(self) -> dict[str, Any]:
        """``num_nodes``, ``operations`` and ``edge_probability``."""
        return {
            "num_nodes": self.max_nodes,
            "operations": list(self.operations),
            "edge_probability": list(self.edge_probability),
        }

    # ---------------------------------------------------------------- membership and identity

    def check(self, architecture: Architecture) -> None:
        """Every architecture has all nodes, and node 0 feeds one of them."""
        if architecture.num_nodes != self.max_nodes:
            raise InvalidArchitecture(
                f"{self.name}: expected {self.max_nodes} nodes, got {architecture.num_nodes}"
            )
        if not architecture.adjacency[0].any():
            raise InvalidArchitecture(f"{self.name}: node 0 feeds no node, so nothing but the input is left")

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """The rule of :meth:`check`."""
        adjacency, _, sizes = batch.to_arrays()
        return (sizes == self.max_nodes) & adjacency[:, 0].any(1)

    def prune(self, architecture: Architecture) -> Architecture:
        """The graph that is built: without the dropped nodes, renumbered from 0.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        kept = np.flatnonzero(_reachable(architecture.adjacency[None])[0])
        return architecture if len(kept) == self.max_nodes else architecture.subgraph(kept.tolist())

    def key(self, architecture: Architecture) -> str:
        """Canonical key of the pruned graph."""
        return canonical_key(self.prune(architecture))

    def active_batch(self, batch: ArchitectureBatch) -> ArchitectureBatch:
        """The pruned graphs of a batch, in the same order; see :meth:`prune`."""
        from graphnas.graph.active import keep_nodes

        return keep_nodes(batch, _reachable(batch.to_arrays()[0]))

    # ---------------------------------------------------------------- parameters of the host

    def node_choices(self, node: int) -> Sequence[int]:
        """The input at node 0, any operation elsewhere."""
        return range(1) if node == 0 else range(1, len(self.node_ops))

    # ---------------------------------------------------------------- moving about in the space

    def size(self) -> int:
        """Architectures in which node 0 feeds a node: ``(2^(N-1) - 1) 2^((N-1)(N-2)/2) |O|^(N-1)``.

        Isomorphic ones, and those that differ only in dropped nodes, are counted separately.
        """
        others = self.max_nodes - 1
        return (2**others - 1) * 2 ** (others * (others - 1) // 2) * len(self.operations) ** others

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A random architecture.

        An edge probability is drawn uniformly from :attr:`edge_probability`, then each edge with it, then
        each operation uniformly (ours; the paper says only "random"). A graph in which node 0 feeds nothing
        is drawn again.
        """
        adjacency, operations = self._sample_arrays(rng, 1)
        return Architecture.from_trusted(adjacency[0].copy(), operations[0].copy())

    def _sample_arrays(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        n = self.max_nodes
        adjacency = np.zeros((size, n, n), np.int8)
        probability = np.empty((size, 1), np.float32)
        todo = np.arange(size)
        while len(todo):
            probability[todo] = rng.uniform(*self.edge_probability, (len(todo), 1))
            first_row = rng.random((len(todo), n - 1), np.float32) < probability[todo]
            adjacency[todo, 0, 1:] = first_row
            todo = todo[~first_row.any(1)]
        # Only the first row decides on validity, so the other rows need not wait for the rejection.
        for i in range(1, n - 1):
            adjacency[:, i, i + 1 :] = rng.random((size, n - 1 - i), np.float32) < probability
        operations = np.zeros((size, n), np.int16)
        operations[:, 1:] = rng.integers(1, len(self.node_ops), size=(size, n - 1), dtype=np.int16)
        return adjacency, operations

    # ---------------------------------------------------------------- the network

    def build(  # type: ignore[override]  # names what **shape takes
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        in_channels: int = 3,
        width: int = 16,
        stages: int = 3,
        widths: Sequence[int] | None = None,
        stem_stride: int = 1,
    ) -> GEMNetNetwork:
        """A network of one cell per stage; all defaults are ours.

        The defaults suit images of 32x32 and, with ``in_channels=1``, the digits of 8x8. The paper's
        ImageNet networks work on maps of 56, 28, 14 and 7 pixels: ``stem_stride=4, stages=4``; see
        :mod:`search_spaces.gemnet_imagenet` for them.

        Args:
            architecture: A member of the space.
            num_classes: Size of the output.
            in_channels: Channels of the images.
            width: Channels of each node in the first stage; they double from stage to stage.
            stages: Number of stages; from the second on, the cell's input node has stride 2.
            widths: Channels of each node per stage, instead of ``width`` and ``stages``.
            stem_stride: 1, 2 or 4, the reduction of the resolution before the first stage.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: A size is not positive, or ``stem_stride`` is not 1, 2 or 4.
        """
        pruned = self.prune(architecture)
        from search_spaces.backbone import node_inputs
        from search_spaces.gemnet_network import GEMNetNetwork

        if widths is None:
            if stages < 1:
                raise InvalidArgument(f"stages must be at least 1, got {stages}")
            widths = [width * 2**stage for stage in range(stages)]
        operations = [self.node_ops[label] for label in pruned.operations]
        inputs = node_inputs(pruned.adjacency)
        return GEMNetNetwork(inputs, operations, num_classes, in_channels, widths, stem_stride)

    def __repr__(self) -> str:
        return f"GEMNet(num_nodes={self.max_nodes}, operations={self.operations})"


def _reachable(adjacency: NDArray[np.int8]) -> NDArray[np.bool_]:
    """``(B, N)``: which nodes of ``(B, N, N)`` graphs node 0 reaches, itself included.

    In topological order, a node survives the recursive dropping exactly if one of its inputs survives.
    """
    reached = np.zeros(adjacency.shape[:2], bool)
    reached[:, 0] = True
    for node in range(1, adjacency.shape[1]):
        reached[:, node] = ((adjacency[:, :node, node] != 0) & reached[:, :node]).any(1)
    return reached
