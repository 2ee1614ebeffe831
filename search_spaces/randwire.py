"""RandWire: randomly wired networks, the DAGs of N nodes that all have the same operation.

Sources: Xie et al., "Exploring Randomly Wired Neural Networks for Image Recognition" (ICCV 2019); the search
space, its two networks (Table 7) and the ranges of the random explorers are those of GraphPNAS (TMLR 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.canonical import canonical_key
from graphnas.graph.space import GraphSpace
from search_spaces.random_graphs import (
    barabasi_albert,
    barabasi_albert_singly,
    erdos_renyi,
    watts_strogatz,
    watts_strogatz_singly,
)

if TYPE_CHECKING:
    from torch import nn

    from graphnas.graph.batch import ArchitectureBatch

PRIORS: dict[str, dict[str, tuple[float, float]]] = {
    "erdos-renyi": {"edge_probability": (0.1, 0.5)},
    "watts-strogatz": {"neighbors": (2, 6), "rewiring_probability": (0.2, 0.8)},
    "barabasi-albert": {"attachments": (1, 7)},
}
"""The distributions of random graphs and the ranges of their parameters.

Those of the first two are GraphPNAS's; it has none for Barabasi-Albert graphs, so that range is ours.
"""

NETWORKS: dict[str, dict[str, tuple[int, ...]]] = {
    "base": {"stem_widths": (32, 64), "widths": (64, 128, 256), "strides": (2, 2, 2)},
    "large": {"stem_widths": (48, 96), "widths": (192, 288, 384, 586), "strides": (2, 2, 1, 2)},
}
"""GraphPNAS, Table 7; the network's input has 224 x 224 pixels, and the stem's strides are 2 and 2."""

FEW = 4
"""Largest number of graphs made one by one, which is quicker than array operations on so few."""


class RandWire(GraphSpace):
    """DAGs of ``num_nodes`` nodes, each of them ReLU, 3x3 depthwise-separable convolution, BN.

    Any node may feed any later one, and every such graph is valid, the one without edges included: a node
    without inputs (a source) reads the input of its stage, and the output of a stage is the mean of its nodes
    without outputs (its sinks). An isolated node is both: it reads the stage's input and is part of the mean.
    So no node is ever dropped, and the space has ``2^(N(N-1)/2)`` architectures for each graph.

    By default one graph is shared by all stages of the network, as in GraphPNAS. With ``stages=n`` each of
    the n stages has its own. The architecture is then one block-diagonal DAG of ``n N`` nodes, the nodes of
    stage s being s N to (s + 1) N - 1. So an architecture remains one graph that every method can read, and
    edges between stages are not parameters. :meth:`active_batch` gives the graph in which the stages are
    connected.

    Parameters are ``randwire/edge_3_17``, or ``randwire/stage_0/edge_3_17`` with ``stages`` above 1.

    Args:
        num_nodes: Nodes ``N`` of a graph; 32 in both papers.
        stages: 1 for one graph shared by the stages, else the number of stages, each with its own graph.
        prior: Distribution that :meth:`sample` draws from, one of :data:`PRIORS`.
        prior_ranges: Other ranges for the parameters of ``prior``, ``{name: (low, high)}``. For each graph
            they are drawn uniformly: probabilities from the interval, ``attachments`` (m) from the integers
            in it, ``neighbors`` (k) from the even ones. Integers too large for ``num_nodes`` are left out.

    Raises:
        InvalidArgument: Fewer than 2 nodes, no stage, an unknown prior, or a range with nothing to draw.
    """

    name = "randwire"
    node_ops = ("sepconv3x3",)

    def __init__(
        self,
        num_nodes: int = 32,
        *,
        stages: int = 1,
        prior: str = "watts-strogatz",
        prior_ranges: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        if num_nodes < 2:
            raise InvalidArgument(f"num_nodes must be at least 2, got {num_nodes}")
        if stages < 1:
            raise InvalidArgument(f"stages must be at least 1, got {stages}")
        if prior not in PRIORS:
            raise InvalidArgument(f"prior {prior!r} is not one of {', '.join(PRIORS)}")
        self.num_nodes = num_nodes
        self.stages = stages
        self.prior = prior
        self.max_nodes = num_nodes * stages
        self.prior_ranges = _checked_ranges(prior, prior_ranges or {})
        for name in ("neighbors", "attachments"):
            if name in self.prior_ranges and not len(self._integers(name)):
                raise InvalidArgument(
                    f"{prior} graphs: {name} {self.prior_ranges[name]} has no "
                    f"{'even ' if name == 'neighbors' else ''}integer below num_nodes={num_nodes}"
                )

    def arguments(self) -> dict[str, Any]:
        """``num_nodes``, ``stages``, ``prior`` and ``prior_ranges``."""
        return {
            "num_nodes": self.num_nodes,
            "stages": self.stages,
            "prior": self.prior,
            "prior_ranges": {name: list(bounds) for name, bounds in self.prior_ranges.items()},
        }

    # ---------------------------------------------------------------- membership and identity

    def check(self, architecture: Architecture) -> None:
        """Every architecture has all nodes."""
        if architecture.num_nodes != self.max_nodes:
            raise InvalidArchitecture(
                f"{self.name}: expected {self.max_nodes} nodes"
                + (f" ({self.stages} stages of {self.num_nodes})" if self.stages > 1 else "")
                + f", got {architecture.num_nodes}"
            )

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """The rule of :meth:`check`."""
        return batch.to_arrays()[2] == self.max_nodes

    def stage_graphs(self, architecture: Architecture) -> list[Architecture]:
        """The graph of each stage; a single one if the stages share it.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        if self.stages == 1:
            return [architecture]
        n = self.num_nodes
        return [architecture.subgraph(range(s * n, (s + 1) * n)) for s in range(self.stages)]

    def key(self, architecture: Architecture) -> str:
        """The canonical keys of the stages' graphs, in order, joined by dashes."""
        return "-".join(canonical_key(graph) for graph in self.stage_graphs(architecture))

    def complete(self) -> Architecture:
        """The architecture with every edge: the fully connected DAG in every stage."""
        full = np.triu(np.ones((self.num_nodes, self.num_nodes), np.int8), 1)
        return self.from_matrix(np.kron(np.eye(self.stages, dtype=np.int8), full))

    @property
    def node_labelled_ops(self) -> tuple[str, ...]:
        """The labels of :meth:`active_batch`."""
        return (*self.node_ops, "input")

    def active_batch(self, batch: ArchitectureBatch) -> ArchitectureBatch:
        """The graphs as they compute: before each stage's nodes, a node labelled ``"input"``.

        It feeds the sources of its stage and, from the second stage on, is fed by the sinks of the stage
        before. Labels: 0 the operation, 1 the input; ``(N + 1) stages`` nodes.
        """
        from graphnas.graph.batch import ArchitectureBatch

        edges, _, _ = batch.to_arrays()
        n, count = self.num_nodes, len(edges)
        adjacency = np.zeros((count, (n + 1) * self.stages, (n + 1) * self.stages), np.int8)
        operations = np.zeros(adjacency.shape[:2], np.int16)
        sinks = None
        for stage in range(self.stages):
            start = stage * (n + 1)
            block = edges[:, stage * n : (stage + 1) * n, stage * n : (stage + 1) * n]
            operations[:, start] = 1
            adjacency[:, start + 1 : start + 1 + n, start + 1 : start + 1 + n] = block
            adjacency[:, start, start + 1 : start + 1 + n] = ~block.any(1)
            if sinks is not None:
                adjacency[:, start - n : start, start] = sinks
            sinks = ~block.any(2)
        return ArchitectureBatch.from_arrays(adjacency, operations)

    # ---------------------------------------------------------------- parameters of the host

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        """Any edge within a stage; none between stages."""
        return range(2) if source // self.num_nodes == target // self.num_nodes else range(1)

    def _places(self) -> list[tuple[str, int, int]]:
        n = self.num_nodes
        places = []
        for stage in range(self.stages):
            prefix = self.name if self.stages == 1 else f"{self.name}/stage_{stage}"
            for j in range(n):
                places += [(f"{prefix}/edge_{i}_{j}", stage * n + i, stage * n + j) for i in range(j)]
        return places

    # ---------------------------------------------------------------- moving about in the space

    def size(self) -> int:
        """``2^(stages N(N-1)/2)``; isomorphic architectures are counted separately."""
        return 2 ** (self.stages * (self.num_nodes * (self.num_nodes - 1) // 2))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A random architecture from :attr:`prior`, see :mod:`search_spaces.random_graphs`.

        The parameters of the prior are drawn from :attr:`prior_ranges` for each graph, so also for each stage
        of an architecture.
        """
        adjacency, operations = self._sample_arrays(rng, 1)
        return Architecture.from_trusted(adjacency[0].copy(), operations[0].copy())

    def sample_with_parameters(
        self, rng: np.random.Generator, size: int
    ) -> tuple[ArchitectureBatch, list[dict[str, float]]]:
        """Random architectures as :meth:`sample` draws them, and the parameters that each was drawn with.

        So the best parameters of a prior can be told, as GraphPNAS's ER-BEST and WS-BEST need (Table 2).

        Args:
            rng: Source of randomness.
            size: Number of architectures.

        Returns:
            The architectures, and for each the value of every name in :attr:`prior_ranges`.

        Raises:
            InvalidArgument: Each stage has a graph, and so parameters, of its own.
        """
        from graphnas.graph.batch import ArchitectureBatch

        if self.stages > 1:
            raise InvalidArgument(f"stages must be 1 for parameters of an architecture, got {self.stages}")
        parameters = self._draw_parameters(rng, size)
        graphs = self._graphs(rng, size, parameters)
        operations = np.zeros((size, self.max_nodes), np.int16)
        rows = [dict(zip(parameters, row, strict=True)) for row in zip(*parameters.values(), strict=True)]
        return (
            ArchitectureBatch.from_arrays(graphs, operations),
            [{name: value.item() for name, value in row.items()} for row in rows],
        )

    def _sample_arrays(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        count = size * self.stages
        graphs = self._graphs(rng, count, self._draw_parameters(rng, count))
        operations = np.zeros((size, self.max_nodes), np.int16)
        if self.stages == 1:
            return graphs, operations
        n = self.num_nodes
        blocks = graphs.reshape(size, self.stages, n, n)
        adjacency = np.zeros((size, self.max_nodes, self.max_nodes), np.int8)
        for stage in range(self.stages):
            part = slice(stage * n, (stage + 1) * n)
            adjacency[:, part, part] = blocks[:, stage]
        return adjacency, operations

    def _draw_parameters(self, rng: np.random.Generator, count: int) -> dict[str, NDArray[Any]]:
        """``(count,)`` values of each parameter of the prior."""
        return {
            name: rng.uniform(*bounds, count) if "probability" in name else self._draw(name, rng, count)
            for name, bounds in self.prior_ranges.items()
        }

    def _graphs(
        self, rng: np.random.Generator, count: int, parameters: Mapping[str, NDArray[Any]]
    ) -> NDArray[np.int8]:
        """A graph ``(N, N)`` for each row of parameters."""
        n, one_by_one = self.num_nodes, count <= FEW
        if self.prior == "erdos-renyi":
            return erdos_renyi(rng, n, parameters["edge_probability"])
        if self.prior == "barabasi-albert":
            return (barabasi_albert_singly if one_by_one else barabasi_albert)(
                rng, n, parameters["attachments"]
            )
        return (watts_strogatz_singly if one_by_one else watts_strogatz)(
            rng, n, parameters["neighbors"], parameters["rewiring_probability"]
        )

    def _draw(self, name: str, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        values = self._integers(name)
        return values[rng.integers(len(values), size=count)]

    def _integers(self, name: str) -> NDArray[np.int64]:
        """The allowed values of ``neighbors`` or ``attachments``."""
        low, high = self.prior_ranges[name]
        values = np.arange(int(np.ceil(low)), min(int(high), self.num_nodes - 1) + 1, dtype=np.int64)
        return values[values % 2 == 0] if name == "neighbors" else values

    # ---------------------------------------------------------------- the network

    def build(  # type: ignore[override]  # names what **shape takes
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        in_channels: int = 3,
        network: str = "base",
        stem_widths: Sequence[int] | None = None,
        stem_strides: Sequence[int] = (2, 2),
        widths: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        head_width: int = 1280,
        aggregation: str = "weighted_sum",
    ) -> nn.Module:
        """The base or the large network of GraphPNAS, Table 7, for images of 224 x 224 pixels.

        On small images give smaller ``stem_strides``: with the default, the last map has 1/32 of the input's
        height and width.

        Args:
            architecture: A member of the space.
            num_classes: Size of the output; 200 for Tiny-ImageNet in the paper.
            in_channels: Channels of the images.
            network: ``base`` (about 3.3 M parameters for 200 classes) or ``large`` (about 20 M). The paper
                prints 586 for the last width of the large one; the sizes that it reports fit 576 better.
            stem_widths: Widths of the two 3x3 convolutions before the first stage, instead of the network's.
            stem_strides: Their strides.
            widths: Width of each stage, instead of the network's.
            strides: Stride of each stage; by default the network's, or 2 for another number of ``widths``.
            head_width: Width of the 1x1 convolution before the classifier.
            aggregation: ``weighted_sum`` (each edge has a weight in 0..1, the sigmoid of a parameter; Xie et
                al.) or ``sum``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: An unknown network or aggregation, a size that is not positive, or a number of
                widths other than that of strides, or of graphs if each stage has its own.
        """
        graphs = self.stage_graphs(architecture)
        from search_spaces.backbone import node_inputs
        from search_spaces.randwire_network import RandWireNetwork

        if network not in NETWORKS:
            raise InvalidArgument(f"network {network!r} is not one of {', '.join(NETWORKS)}")
        widths = NETWORKS[network]["widths"] if widths is None else widths
        if strides is None:
            strides = NETWORKS[network]["strides"]
            strides = strides if len(strides) == len(widths) else (2,) * len(widths)
        if self.stages > 1 and len(widths) != self.stages:
            raise InvalidArgument(
                f"the architecture has {self.stages} graphs, one per stage, but the network has "
                f"{len(widths)} stages of widths {tuple(widths)}"
            )
        inputs = [node_inputs(graph.adjacency) for graph in graphs]
        return RandWireNetwork(
            inputs if self.stages > 1 else inputs * len(widths),
            num_classes,
            in_channels,
            NETWORKS[network]["stem_widths"] if stem_widths is None else stem_widths,
            stem_strides,
            widths,
            strides,
            head_width,
            aggregation,
        )

    def __repr__(self) -> str:
        return f"RandWire(num_nodes={self.num_nodes}, stages={self.stages}, prior={self.prior!r})"


def _checked_ranges(prior: str, changes: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    ranges = dict(PRIORS[prior])
    for name, bounds in changes.items():
        if name not in ranges:
            raise InvalidArgument(f"{prior} graphs have no {name!r}; known: {', '.join(ranges)}")
        lowest, highest = (0.0, 1.0) if "probability" in name else (1.0, np.inf)
        if len(bounds) != 2 or not lowest <= bounds[0] <= bounds[1] <= highest:
            raise InvalidArgument(
                f"{name} must be (low, high) with {lowest:g} <= low <= high"
                f"{' <= 1' if highest == 1 else ''}, got {tuple(bounds)}"
            )
        ranges[name] = (bounds[0], bounds[1])
    return ranges
