"""OperationFeatures: numbers that say which operations a network applies, how often, and along which paths.

They need no weights, no data and no knowledge of what an operation does, so that a regression on a few
evaluated architectures can find out. Those over sets of operations follow Kadlecova et al., "Surprisingly
Strong Performance Prediction with Neural Graph Features" (ICML 2024, arXiv 2404.16551), section 3: numbers of
operations, and path lengths and degrees within every set of operations. Those over paths and random walks
are ours; on NAS-Bench-101 they raise Kendall's tau by .02 (``benchmarks/surrogates/predictor_quality.py``).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flow import FlowGraphs, flow_graphs
from graphnas.graph.flow_paths import depths, limited_paths, path_shares, path_sums
from graphnas.graph.flow_walks import Walks, between_classes, walk_counts, walks
from graphnas.graph.properties import clustering_coefficient
from graphnas.graph.space import GraphSpace

Floats = NDArray[np.float32]

ALL_SETS = 4
"""Up to so many operations all sets of them are looked at, beyond that sets of up to two, and all."""

_ENTRIES = 2**18
"""Entries of an intermediate array handled at a time, so that they stay in the cache."""


class OperationFeatures:
    """Maps architectures of a space to vectors; isomorphic ones to the same vector.

    What is described is :meth:`GraphSpace.active_batch`, in the form of :mod:`graphnas.graph.flow`.

    Args:
        space: The search space.
    """

    def __init__(self, space: GraphSpace) -> None:
        self.space = space
        self.operations = space.operation_labels
        count = len(self.operations)
        sizes = range(count + 1) if count <= ALL_SETS else (0, 1, 2, count)
        sets = [chosen for size in sizes for chosen in itertools.combinations(range(count), size)]
        self._sets = np.array([[k in chosen for k in range(count)] for chosen in sets])
        few = [len(chosen) in (1, 2, count) for chosen in sets]
        self._few = np.flatnonzero(few)
        names = [space.node_labelled_ops[label] for label in self.operations]
        self._set_names = ["+".join(names[k] for k in chosen) or "nothing" for chosen in sets]
        self._classes = ["input", *names, "output"]
        edges = space.max_nodes * (space.max_nodes - 1) // 2 if len(space.edge_ops) > 2 else 0
        nodes = space.max_nodes if not edges or len(space.node_ops) > 1 else 0
        self._beyond = nodes + edges + 1
        self.names = self._names(names)
        """What each column is."""

    def _names(self, operations: list[str]) -> tuple[str, ...]:
        sets = self._set_names
        names = [f"{what} through {s}" for what in ("shortest", "longest", "log paths") for s in sets]
        kinds = ("number of", "output's inputs from", "input's outputs to", "inputs of", "outputs of")
        names += [f"{what} {s}" for what in kinds for s in sets[1:]]
        few = [sets[k] for k in self._few]
        names += [f"{what} {s} on a path" for what in ("fewest", "most", "mean") for s in few]
        kinds = ("depth of", "height of", "share of", "share of output's inputs", "share of input's outputs")
        names += [f"{what} {o}" for what in kinds for o in operations]
        kinds = ("visits of", "forward visits of", "deviation of visits of", "avoidance of", "chain of")
        names += [f"{what} {o}" for what in kinds for o in operations]
        pairs = list(itertools.product(self._classes[:-1], self._classes[1:]))
        names += [f"{what} {a} -> {b}" for what in ("edges", "steps") for a, b in pairs]
        names += ["nodes", "edges", "width", "mean path", "density", "clustering", "walk", "forward walk"]
        return tuple(names)

    def __call__(self, batch: ArchitectureBatch) -> Floats:
        """Features ``(B, F)`` float32 of the architectures, columns as in :attr:`names`."""
        step = max(64, _ENTRIES // (len(self._sets) * (self._beyond + 2)))
        rows = np.empty((len(batch), len(self.names)), np.float32)
        for start in range(0, len(batch), step):
            active = self.space.active_batch(batch[start : start + step])
            rows[start : start + step] = self._columns(active).T
        return rows

    def _columns(self, active: ArchitectureBatch) -> Floats:
        """``(F, B)``."""
        graphs = flow_graphs(active, self.operations)
        edges = graphs.edges.astype(np.float32)
        walk = walks(graphs.edges)
        below, above = depths(graphs.edges)
        in_set = np.stack([graphs.operations[:, chosen].any(1) for chosen in self._sets], axis=1)
        ends = np.zeros((len(edges), 2, len(active)), np.float32)
        ends[0, 0] = ends[-1, 1] = 1
        classes = np.concatenate([ends[:, :1], graphs.operations, ends[:, 1:]], axis=1, dtype=np.float32)
        pairs = [between_classes(w, classes)[:-1, 1:] for w in (edges, walk.steps * walk.backward)]
        nodes, number = graphs.inner.sum(0), edges.sum((0, 1))
        width = [((below == depth) & graphs.inner).sum(0) for depth in range(1, len(below))]
        scalars = [
            nodes,
            number,
            np.max(width, axis=0),
            (path_shares(graphs.edges) * graphs.inner).sum(0),
            number / ((nodes + 2) * (nodes + 1) / 2),
            clustering_coefficient(active),
            (walk.backward * graphs.inner).sum(0),
            (walk.forward * graphs.inner).sum(0),
        ]
        parts = [
            *self._by_set(graphs, in_set),
            *path_sums(graphs.edges, in_set[:, self._few]),
            *_by_operation(graphs, walk, below, above),
            *(matrix.reshape(-1, len(active)) for matrix in pairs),
            np.stack(scalars),
        ]
        return np.concatenate(parts, dtype=np.float32)

    def _by_set(self, graphs: FlowGraphs, in_set: NDArray[np.bool_]) -> list[Floats]:
        other = graphs.inner & ~graphs.operations.any(1)
        paths = limited_paths(graphs.edges, in_set | other[:, None])
        none = paths.number == 0
        members = in_set[:, 1:].astype(np.float32)
        count = members.sum(0)
        into = graphs.edges.sum(0, dtype=np.float32)
        out = graphs.edges.sum(1, dtype=np.float32)
        return [
            np.where(none, np.float32(self._beyond), paths.shortest),
            np.where(none, np.float32(0), paths.longest),
            np.log1p(paths.number),
            count,
            _total(members, graphs.edges[:, -1]),
            _total(members, graphs.edges[0]),
            _total(members, into) / np.maximum(count, 1),
            _total(members, out) / np.maximum(count, 1),
        ]


def _by_operation(graphs: FlowGraphs, walk: Walks, below: Floats, above: Floats) -> list[Floats]:
    marks = graphs.operations.astype(np.float32)
    count = np.maximum(marks.sum(0), 1)
    met = walk_counts(graphs.edges, graphs.operations, walk)
    shares = [
        _total(marks, of) / np.maximum(of.sum(0), 1)
        for of in (graphs.inner, graphs.edges[:, -1], graphs.edges[0])
    ]
    return [
        _total(marks, below) / count,
        _total(marks, above) / count,
        *shares,
        met.mean,
        _total(marks, walk.forward),
        met.deviation,
        met.absent,
        met.chain,
    ]


def _total(marked: Floats, values: NDArray[Any]) -> Floats:
    """Sum of ``values`` (n, B) over the marked nodes (n, S, B): ``(S, B)``."""
    return np.asarray(np.einsum("isb,ib->sb", marked, values.astype(np.float32)), np.float32)
