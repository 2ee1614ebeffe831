"""Subgraphs: the partial graphs that the generator reads, one for each step, as one sparse structure.

At step i the network sees the nodes 0..i-1 with the edges between them, both ways, and the new node i, joined
both ways to each of them. Steps of different graphs that see the same share one sub-graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Integers = NDArray[np.int64]
Part = TypeVar("Part", bound="DataclassInstance")


@dataclass(frozen=True)
class Subgraphs:
    """``T`` sub-graphs with ``V`` nodes and ``E`` directed edges in all, numbered within each sub-graph.

    Edges are sorted by target, so that those into a node are contiguous. With L labels, edge type l-1 is an
    edge between old nodes with label l; type L is one from the new node, L+1 one to it.

    Attributes:
        node_start: ``(T+1,)``, where the nodes of each sub-graph begin.
        edge_start: ``(T+1,)``, where its edges begin.
        node: ``(V,)``, number of the node in its graph.
        features: ``(V, F)`` float32, the input of each node, zeros at the new ones; see :func:`features_of`.
        in_degree: ``(V,)``, edges into each node.
        source: ``(E,)``, the node that an edge comes from.
        target: ``(E,)``, the node that it goes to.
        reverse: ``(E,)``, the number of the edge that goes the other way.
        kind: ``(E,)``, the type.
        num_numbers: N.
    """

    node_start: Integers
    edge_start: Integers
    node: Integers
    features: NDArray[np.float32]
    in_degree: Integers
    source: Integers
    target: Integers
    reverse: Integers
    kind: Integers
    num_numbers: int

    @classmethod
    def of(cls, rows: Integers, steps: Integers, features: NDArray[np.float32], num_labels: int) -> Subgraphs:
        """The sub-graph that step ``steps[t]`` of each graph t sees.

        Args:
            rows: ``(T, N, N)``, ``rows[t, i, j]`` the label of the edge from node j to i.
            steps: ``(T,)``, the number of the new node.
            features: ``(T, N, F)``, inputs of the nodes.
            num_labels: L.
        """
        count, n = rows.shape[:2]
        position = np.arange(n)
        old = position < steps[:, None]
        known = rows * (old[:, :, None] & old[:, None, :])
        kinds = known + known.transpose(0, 2, 1)  # [t, target, source]; 0 where there is no edge
        which = np.arange(count)
        kinds[which, :, steps] = (num_labels + 1) * old
        kinds[which, steps] = (num_labels + 2) * old
        graph, target, source = np.nonzero(kinds)
        number = np.zeros(kinds.shape, np.int64)
        edge_start = np.concatenate([[0], np.cumsum(np.bincount(graph, minlength=count))])
        number[graph, target, source] = np.arange(len(graph)) - edge_start[graph]
        there = position <= steps[:, None]
        owner, node = np.nonzero(there)
        return cls(
            node_start=np.concatenate([[0], np.cumsum(steps + 1)]),
            edge_start=edge_start,
            node=node,
            features=(features * old[..., None])[owner, node].astype(np.float32),
            in_degree=(kinds != 0).sum(2)[owner, node],
            source=source,
            target=target,
            reverse=number[graph, source, target],
            kind=kinds[graph, target, source] - 1,
            num_numbers=n,
        )


def features_of(rows: Integers, operations: Integers, num_operations: int, which: str) -> NDArray[np.float32]:
    """The network's input for each node, ``(B, N, F)``: a one, its inputs or operation, its number.

    Args:
        rows: ``(B, N, N)`` labels of the edges into each node.
        operations: ``(B, N)``.
        num_operations: C.
        which: ``"inputs"`` (the released code), ``"operation"`` (the paper's h0) or ``"both"``.
    """
    count, n = operations.shape
    parts = [np.ones((count, n, 1), np.float32)]
    if which != "operation":
        parts.append((rows != 0).astype(np.float32))
    if which != "inputs":
        parts.append(np.eye(num_operations, dtype=np.float32)[operations])
    parts.append(np.broadcast_to(np.eye(n, dtype=np.float32), (count, n, n)))
    return np.concatenate(parts, 2)


def ragged(start: Integers, chosen: Integers) -> tuple[Integers, Integers, Integers]:
    """The places of the elements of the ``chosen`` segments, one segment after the other.

    Args:
        start: ``(T+1,)``, where each segment begins.
        chosen: ``(I,)`` numbers of segments.

    Returns:
        The places ``(n,)``, the lengths of the chosen segments ``(I,)``, and their new starts ``(I+1,)``.
    """
    lengths = start[chosen + 1] - start[chosen]
    begin = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(start[chosen] - begin[:-1], lengths) + np.arange(begin[-1])
    return places, lengths, begin


@dataclass(frozen=True)
class Wiring:
    """Sub-graphs as the network reads them, with ``V`` nodes and ``E`` edges numbered consecutively.

    :attr:`ends` are rows of a table that has the edge types first and then the nodes.

    Attributes:
        node: ``(V,)``, number of each node in its graph.
        number: ``(V, N)`` float, the same one-hot.
        features: ``(V, F)``.
        ends: ``(3E,)``, for each edge its source, its target and its type.
        end_signs: ``(3E,)`` float, their weights 1, -1 and 1.
        begin: ``(V,)``, the first edge into each node.
        target: ``(E,)``.
        around: ``(2E,)``, for each edge the one in the other direction and itself.
        around_signs: ``(2E,)`` float, their weights 1 and -1.
        kind: ``(E, kinds)`` float, one-hot types.
        graph: ``(V,)``, the sub-graph of each node.
        newest: ``(V,)``, the new node of that sub-graph.
        new: ``(T,)``, the new node of each sub-graph.
        size: ``(T, 1)`` float, how many nodes each sub-graph has.
    """

    node: Tensor
    number: Tensor
    features: Tensor
    ends: Tensor
    end_signs: Tensor
    begin: Tensor
    target: Tensor
    around: Tensor
    around_signs: Tensor
    kind: Tensor
    graph: Tensor
    newest: Tensor
    new: Tensor
    size: Tensor

    def padded(self, multiple: int) -> Wiring:
        """Padded with nodes (at least one) and edges up to a multiple, for message passing without gradients.

        The additional edges go to the first additional node, so that the states of all others stay the same.
        Only ``node``, ``ends``, ``end_signs``, ``begin`` and ``target`` are padded.
        """
        nodes, edges = len(self.node), len(self.target)
        more_nodes, more_edges = multiple - nodes % multiple, -edges % multiple
        begin = self.begin.new_full((more_nodes,), edges + more_edges)
        begin[0] = edges
        return replace(
            self,
            node=functional.pad(self.node, (0, more_nodes)),
            ends=functional.pad(self.ends, (0, 3 * more_edges)),
            end_signs=functional.pad(self.end_signs, (0, 3 * more_edges)),
            begin=torch.cat([self.begin, begin]),
            target=functional.pad(self.target, (0, more_edges), value=nodes),
        )


@dataclass(frozen=True)
class Wirings:
    """Chosen sub-graphs, divided into groups that the network reads one at a time.

    Attributes:
        whole: All groups one after the other; numbers count from the beginning of each group.
        nodes: ``(G+1,)``, where the nodes of each group begin.
        edges: ``(G+1,)``, its edges.
        graphs: ``(G+1,)``, its sub-graphs.
        node_start: ``(I,)``, where the nodes of each sub-graph begin, counted from its group.
    """

    whole: Wiring
    nodes: list[int]
    edges: list[int]
    graphs: list[int]
    node_start: Integers

    def to(self, device: torch.device) -> Wirings:
        """A copy on ``device``."""
        whole = Wiring(**{name: getattr(self.whole, name).to(device) for name in Wiring.__annotations__})
        return replace(self, whole=whole)

    @classmethod
    def of(
        cls, subgraphs: Subgraphs, chosen: Integers, groups: Integers, num_groups: int, num_labels: int
    ) -> Wirings:
        """The ``chosen`` sub-graphs ``(I,)``; the k-th is in group ``groups[k]`` (ascending)."""
        graphs = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=num_groups))])
        nodes, node_count, node_begin = ragged(subgraphs.node_start, chosen)
        edges, edge_count, edge_begin = ragged(subgraphs.edge_start, chosen)
        node_base = node_begin[:-1] - node_begin[graphs[:-1]][groups]
        edge_base = edge_begin[:-1] - edge_begin[graphs[:-1]][groups]
        of_edge = np.repeat(node_base, edge_count)
        kinds = num_labels + 2
        source, target = subgraphs.source[edges] + of_edge, subgraphs.target[edges] + of_edge
        kind = subgraphs.kind[edges]
        reverse = subgraphs.reverse[edges] + np.repeat(edge_base, edge_count)
        in_degree = subgraphs.in_degree[nodes]
        begin = np.cumsum(in_degree) - in_degree
        begin -= np.repeat(edge_begin[graphs[:-1]][groups], node_count)
        own = np.arange(len(edges)) - np.repeat(edge_begin[graphs[:-1]][groups], edge_count)
        new = node_base + node_count - 1
        whole = Wiring(
            node=torch.from_numpy(subgraphs.node[nodes]),
            number=torch.from_numpy(np.eye(subgraphs.num_numbers, dtype=np.float32)[subgraphs.node[nodes]]),
            features=torch.from_numpy(subgraphs.features[nodes]),
            ends=torch.from_numpy(np.stack([source + kinds, target + kinds, kind], 1).reshape(-1)),
            end_signs=torch.tensor([1.0, -1.0, 1.0]).repeat(len(edges)),
            begin=torch.from_numpy(begin),
            target=torch.from_numpy(target),
            around=torch.from_numpy(np.stack([reverse, own], 1).reshape(-1)),
            around_signs=torch.tensor([1.0, -1.0]).repeat(len(edges)),
            kind=torch.from_numpy(np.eye(kinds, dtype=np.float32)[kind]),
            graph=torch.from_numpy(np.repeat(np.arange(len(chosen)) - graphs[groups], node_count)),
            newest=torch.from_numpy(np.repeat(new, node_count)),
            new=torch.from_numpy(new),
            size=torch.from_numpy(node_count.astype(np.float32)[:, None]),
        )
        return cls(
            whole=whole,
            nodes=node_begin[graphs].tolist(),
            edges=edge_begin[graphs].tolist(),
            graphs=graphs.tolist(),
            node_start=node_base,
        )

    def split(self) -> Iterator[Wiring]:
        """The wiring of each group (views)."""
        nodes, edges, graphs = map(np.diff, (self.nodes, self.edges, self.graphs))
        lengths = dict.fromkeys(("node", "number", "features", "begin", "graph", "newest"), nodes)
        lengths |= dict.fromkeys(("ends", "end_signs"), 3 * edges) | dict.fromkeys(("target", "kind"), edges)
        lengths |= dict.fromkeys(("around", "around_signs"), 2 * edges)
        lengths |= dict.fromkeys(("new", "size"), graphs)
        return pieces(self.whole, lengths)


def pieces(whole: Part, lengths: Mapping[str, Integers]) -> Iterator[Part]:
    """A dataclass of tensors split into several: each tensor into views of the lengths under its name."""
    names = [field.name for field in fields(whole)]
    cut = [torch.split(getattr(whole, name), lengths[name].tolist()) for name in names]
    return map(type(whole), *cut)
