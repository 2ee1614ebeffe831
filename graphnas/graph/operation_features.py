"""OperationFeatures: numbers that say which operations a network applies, how often, and along which paths.

They need no weights, no data and no knowledge of what an operation does, so that a regression on a few
evaluated architectures can find out. Those over sets of operations follow Kadlecova et al., "Surprisingly
Strong Performance Prediction with Neural Graph Features" (ICML 2024, arXiv 2404.16551), section 3: numbers of
operations, and path lengths and degrees within every set of operations. Those over paths and random walks
are ours; on NAS-Bench-101 they raise Kendall's tau by .02 (``benchmarks/predictor_quality.py``).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flow import FlowGraphs, chosen_operations, flow_graphs
from graphnas.graph.flow_paths import depths, limited_paths, path_shares, path_sums
from graphnas.graph.flow_walks import walk_counts, walk_transitions, walks
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
        self.operations = chosen_operations(space)
        count = len(self.operations)
        sizes = range(count + 1) if count <= ALL_SETS else (0, 1, 2, count)
        sets = [chosen for size in sizes for chosen in itertools.combinations(range(count), size)]
        self._sets = np.array([[k in chosen for k in range(count)] for chosen in sets])
        few = [len(chosen) in (1, 2, count) for chosen in sets]
        self._few = np.flatnonzero(few)
        names = [space.node_labelled_ops[label] for label in self.operations]
        self._set_names = ["+".join(names[k] for k in chosen) or "nothing" for chosen in sets]
        self._classes = ["input", *names, "output"]
        edge_labelled = len(space.edge_ops) > 2
        nodes = space.max_nodes * (space.max_nodes - 1) // 2 if edge_labelled else space.max_nodes
        self._beyond = nodes + 1
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
        sets = max(len(self._sets), 1)
        step = max(16, _ENTRIES // (sets * (self._beyond + 2)))
        rows = np.empty((len(batch), len(self.names)), np.float32)
        for start in range(0, len(batch), step):
            active = self.space.active_batch(batch[start : start + step])
            rows[start : start + step] = self._rows(active)
        return rows

    def _rows(self, active: ArchitectureBatch) -> Floats:
        graphs = flow_graphs(active, self.operations)
        in_set = np.einsum("sk,bkn->bsn", self._sets, graphs.operations)
        parts = self._by_set(graphs, in_set)
        parts += path_sums(graphs.edges, in_set[:, self._few])
        below, above = depths(graphs.edges)
        parts += self._by_operation(graphs, below, above)
        marks = np.zeros((len(in_set), len(self._classes), in_set.shape[2]), bool)
        marks[:, 1:-1] = graphs.operations
        marks[:, 0, 0] = marks[:, -1, -1] = True
        walk = walks(graphs.edges)
        dense = marks.astype(np.float32)
        edges = dense @ graphs.edges.astype(np.float32) @ dense.transpose(0, 2, 1)
        steps = walk_transitions(walk, marks)
        parts += [matrix[:, :-1, 1:].reshape(len(matrix), -1) for matrix in (edges, steps)]
        width = np.stack(
            [((below == d) & graphs.inner).sum(1) for d in range(1, below.shape[1])] or [below[:, 0]]
        ).max(0)
        nodes, number = graphs.inner.sum(1), graphs.edges.sum((1, 2))
        scalars = [
            nodes,
            number,
            width,
            (path_shares(graphs.edges) * graphs.inner).sum(1),
            number / ((nodes + 2) * (nodes + 1) / 2),
            clustering_coefficient(active),
            (walk.backward * graphs.inner).sum(1),
            (walk.forward * graphs.inner).sum(1),
        ]
        return np.concatenate([*parts, np.stack(scalars, 1)], axis=1, dtype=np.float32)

    def _by_set(self, graphs: FlowGraphs, in_set: NDArray[np.bool_]) -> list[Floats]:
        other = graphs.inner & ~graphs.operations.any(1)
        paths = limited_paths(graphs.edges, in_set | other[:, None, :])
        none = paths.number == 0
        parts = [
            np.where(none, self._beyond, paths.shortest),
            np.where(none, 0, paths.longest),
            np.log1p(paths.number),
        ]
        members = in_set[:, 1:].astype(np.float32)
        count = members.sum(2)
        into = graphs.edges.sum(1, dtype=np.float32)
        out = graphs.edges.sum(2, dtype=np.float32)
        for ends in (graphs.edges[:, :, -1], graphs.edges[:, 0, :]):
            parts.append((members * ends[:, None, :]).sum(2))
        for degree in (into, out):
            parts.append((members * degree[:, None, :]).sum(2) / np.maximum(count, 1))
        return [*parts[:3], count, *parts[3:]]

    def _by_operation(self, graphs: FlowGraphs, below: Floats, above: Floats) -> list[Floats]:
        marks = graphs.operations.astype(np.float32)
        count = np.maximum(marks.sum(2), 1)
        last, first = graphs.edges[:, :, -1], graphs.edges[:, 0, :]
        walk = walks(graphs.edges)
        met = walk_counts(graphs.edges, graphs.operations, walk)

        def share(of: NDArray[np.bool_]) -> Floats:
            return np.asarray((marks * of[:, None, :]).sum(2) / np.maximum(of.sum(1), 1)[:, None], np.float32)

        return [
            (marks * below[:, None, :]).sum(2) / count,
            (marks * above[:, None, :]).sum(2) / count,
            share(graphs.inner),
            share(last),
            share(first),
            met.mean,
            (marks * walk.forward[:, None, :]).sum(2),
            met.deviation,
            met.absent,
            met.chain,
        ]
