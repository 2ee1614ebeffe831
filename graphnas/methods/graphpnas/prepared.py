"""PreparedGraphs: the sub-graphs and decisions of a batch, computed once for all passes of a training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphnas.graph.batch import ArchitectureBatch
from graphnas.methods.graphpnas.decisions import Decisions
from graphnas.methods.graphpnas.generator import PreparedBatch
from graphnas.methods.graphpnas.likelihood import decision_weights
from graphnas.methods.graphpnas.subgraphs import (
    Integers,
    Subgraphs,
    Wiring,
    Wirings,
    features_of,
    pieces,
    ragged,
)


@dataclass(frozen=True)
class Rows:
    """The R rows of a minibatch at which anything is decided, and the decisions.

    Attributes:
        place: ``(R,)``, the place of row i of graph b in ``(B, N)``: b N + i.
        graph: ``(R,)``, the sub-graph that decides.
        node: ``(R,)``, i.
        operation: ``(R,)``, the operation chosen.
        source: ``(Q,)``, for each edge that was a choice, there or not, the node of the sub-graph it is from.
        row: ``(Q,)``, its row.
        sign: ``(Q, 1)`` float, 1 where there is an edge, else -1.
        label_source: ``(M,)``, for each edge whose label was a choice, the node of the sub-graph it is from.
        label_row: ``(M,)``, its row.
        label_slot: ``(M,)``, target N + source.
        label: ``(M,)``, its label less 1.
    """

    place: Tensor
    graph: Tensor
    node: Tensor
    operation: Tensor
    source: Tensor
    row: Tensor
    sign: Tensor
    label_source: Tensor
    label_row: Tensor
    label_slot: Tensor
    label: Tensor


class PreparedGraphs(PreparedBatch):
    """Graphs of a space in the form :class:`.graph_generator.GraphGenerator` trains on.

    Args:
        batch: The graphs.
        decisions: The decisions of their space.
        node_input: See :func:`.subgraphs.features_of`.
        device: Device of the minibatches.

    Raises:
        InvalidArchitecture: A graph that the space's choices forbid.
    """

    def __init__(
        self, batch: ArchitectureBatch, decisions: Decisions, node_input: str, device: torch.device
    ) -> None:
        super().__init__(batch)
        self._decisions = decisions
        self._device = device
        rows, operations, sizes = decisions.arrays(batch)
        features = features_of(rows, operations, decisions.num_operations, node_input)
        n = decisions.num_nodes
        decided = np.zeros(n, bool)
        decided[decisions.rows] = True
        graph, node = np.nonzero(decided & (np.arange(n) < sizes[:, None]))
        first, self._subgraph = _distinct(rows, features, graph, node)
        self._subgraphs = Subgraphs.of(
            rows[graph[first]], node[first], features[graph[first]], decisions.num_labels
        )
        self._sizes = sizes
        self._node = node
        self._operation = operations[graph, node]
        self._row_start = np.concatenate([[0], np.cumsum(np.bincount(graph, minlength=len(sizes)))])
        self._pair_start = np.concatenate([[0], np.cumsum(node)])
        # Q: all earlier nodes of all rows.
        of_row = np.repeat(np.arange(len(node)), node)
        source = np.arange(self._pair_start[-1]) - self._pair_start[of_row]
        self._source = source
        self._label = rows[graph[of_row], node[of_row], source]
        self._free = decisions.edge_free[node[of_row], source]
        chosen = (rows > 0) & decisions.label_free
        self._label_chosen = chosen[graph[of_row], node[of_row], source]
        self._weights = decision_weights(
            torch.from_numpy(sizes), torch.from_numpy(chosen.sum(2)), torch.float32
        ).to(device)

    def minibatches(self, order: Tensor, size: int) -> Iterator[PreparedMinibatch]:
        """One pass: the graphs numbered by ``order``, ``size`` at a time (the last may be smaller)."""
        order = order.cpu()
        chosen = order.numpy().astype(np.int64)
        groups = np.arange(len(chosen)) // size
        count = int(groups[-1]) + 1 if len(groups) else 0
        n = self._decisions.num_nodes
        # The rows of the chosen graphs, and the distinct sub-graphs of each group.
        rows, row_count, row_begin = ragged(self._row_start, chosen)
        row_group = np.repeat(groups, row_count)
        total = len(self._subgraphs.node_start) - 1
        instances, instance = np.unique(row_group * total + self._subgraph[rows], return_inverse=True)
        wirings = Wirings.of(
            self._subgraphs, instances % total, instances // total, count, self._decisions.num_labels
        )
        row_starts = row_begin[np.minimum(np.arange(count + 1) * size, len(chosen))]
        graph_of_row = np.repeat(np.arange(len(chosen)) - groups * size, row_count)
        pairs, pair_count, pair_begin = ragged(self._pair_start, rows)
        pair_starts = pair_begin[row_starts]
        of_row = np.repeat(np.arange(len(rows)), pair_count)
        within = np.arange(pair_begin[-1]) - np.repeat(pair_begin[:-1], pair_count)
        source, row = wirings.node_start[instance[of_row]] + within, of_row - row_starts[row_group[of_row]]
        node, label = self._node[rows], self._label[pairs]
        free, labelled = np.flatnonzero(self._free[pairs]), np.flatnonzero(self._label_chosen[pairs])
        whole = Rows(
            place=self._tensor(graph_of_row * n + node),
            graph=self._tensor(instance - np.array(wirings.graphs)[row_group]),
            node=self._tensor(node),
            operation=self._tensor(self._operation[rows]),
            source=self._tensor(source[free]),
            row=self._tensor(row[free]),
            sign=self._tensor(np.where(label[free] > 0, np.float32(1), np.float32(-1))[:, None]),
            label_source=self._tensor(source[labelled]),
            label_row=self._tensor(row[labelled]),
            label_slot=self._tensor(node[of_row[labelled]] * n + self._source[pairs[labelled]]),
            label=self._tensor(label[labelled] - 1),
        )
        lengths = dict.fromkeys(("place", "graph", "node", "operation"), np.diff(row_starts))
        lengths |= dict.fromkeys(("source", "row", "sign"), np.diff(np.searchsorted(free, pair_starts)))
        lengths |= dict.fromkeys(
            ("label_source", "label_row", "label_slot", "label"),
            np.diff(np.searchsorted(labelled, pair_starts)),
        )
        on_device = order.to(self._device)
        parts = zip(
            torch.split(order, size),
            wirings.to(self._device).split(),
            pieces(whole, lengths),
            torch.split(self._weights.index_select(1, on_device), size, 1),
            strict=True,
        )
        for part in parts:
            yield PreparedMinibatch(self, *part)

    def whole(self) -> PreparedMinibatch:
        """All graphs in their order."""
        return next(self.minibatches(torch.arange(len(self)), len(self)))

    def _tensor(self, array: NDArray[np.int64] | NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(array).to(self._device)


class PreparedMinibatch(PreparedBatch):
    """A part of prepared graphs, ready for the network.

    Args:
        graphs: The prepared graphs.
        index: ``(B,)``, which of them are the part.
        wiring: Their sub-graphs.
        rows: Their decisions.
        weights: As :class:`.likelihood.LogLikelihood` has them.
    """

    def __init__(
        self,
        graphs: PreparedGraphs,
        index: Tensor,
        wiring: Wiring,
        rows: Rows,
        weights: Tensor,
    ) -> None:
        self._graphs = graphs
        self._index = index
        self.wiring = wiring
        self.rows = rows
        self.weights = weights

    @property
    def batch(self) -> ArchitectureBatch:  # type: ignore[override]
        """The architectures."""
        return self._graphs.batch[self._index]

    def __len__(self) -> int:
        return len(self._index)

    def minibatches(self, order: Tensor, size: int) -> Iterator[PreparedMinibatch]:
        """One pass over this part."""
        return self._graphs.minibatches(self._index[order.cpu()], size)


def _distinct(
    rows: Integers, features: NDArray[np.float32], graph: Integers, node: Integers
) -> tuple[Integers, Integers]:
    """The first of each distinct sub-graph, and which one each (graph, node) sees.

    Step i sees what the nodes before i are and how they are connected.
    """
    old = np.arange(rows.shape[1]) < node[:, None]
    count = len(graph)
    seen = np.concatenate(
        [
            node[:, None].astype(np.int16),
            (rows[graph] * old[..., None]).reshape(count, -1).astype(np.int16),
            (features[graph] * old[..., None]).reshape(count, -1).astype(np.int16),
        ],
        1,
    )
    seen = np.ascontiguousarray(seen)
    keys = seen.view(np.dtype((np.void, seen.dtype.itemsize * seen.shape[1])))[:, 0]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first, inverse
