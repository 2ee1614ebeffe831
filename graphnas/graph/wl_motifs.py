"""Motifs of the Weisfeiler-Lehman kernel: whose label is which, how often, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.graph.wl_labels import refined_labels

NOTHING = "nothing"
"""What stands in place of no neighbours."""

Labels = NDArray[np.uint64]


class Motifs:
    """The labels that the Weisfeiler-Lehman kernels of a space give to the nodes of a batch.

    A label of round 0 is an operation, one of round 1 an operation with its inputs and with what its output
    goes to, and so on. Graphs are those of :meth:`GraphSpace.active_batch`, with operations on nodes, and
    labels are those that :class:`~graphnas.graph.wl.WeisfeilerLehman` counts by default.

    Args:
        space: The search space.
        batch: ``B`` architectures.
        rounds: Rounds of refinement.

    Attributes:
        labels: ``(B, rounds + 1, N)`` the label of each node after each round; 0 where there is no node.
        active: The graphs whose nodes these are.
    """

    def __init__(self, space: GraphSpace, batch: ArchitectureBatch, rounds: int) -> None:
        self.space = space
        self.active = space.active_batch(batch)
        self.labels = refined_labels(*self.active.to_arrays(), rounds)

    def of_round(self, number: int) -> Labels:
        """The different labels of a round, ascending."""
        labels = np.unique(self.labels[:, number])
        return np.asarray(labels[labels != 0])

    def counts(self, number: int, labels: Labels) -> NDArray[np.float64]:
        """``(B, len(labels))``: how often each of ``labels``, which ascend, occurs in a round."""
        found = self.labels[:, number]
        rows, nodes = np.nonzero(found)
        values = found[rows, nodes]
        columns = np.minimum(np.searchsorted(labels, values), len(labels) - 1)
        known = labels[columns] == values
        counts = np.zeros((len(found), len(labels)))
        np.add.at(counts, (rows[known], columns[known]), 1.0)
        return counts

    def names(self, number: int, labels: Iterable[int]) -> list[str]:
        """What each of ``labels``, all of which occur in the round, means: see :meth:`name`."""
        found = self.labels[:, number]
        values, first = np.unique(found, return_index=True)
        places = dict(zip(values.tolist(), first.tolist(), strict=True))
        nodes = (divmod(places[int(label)], found.shape[1]) for label in labels)
        return [self.name(graph, node, number) for graph, node in nodes]

    def name(self, graph: int, node: int, number: int) -> str:
        """The label of a node in words.

        The operation alone in round 0; in round 1 ``a, 2 b → c → d``: operation c, whose inputs are the
        outputs of a and of two b, and whose own output goes to d. In later rounds its neighbours are
        described the same way, in brackets. A node without inputs, or whose output goes nowhere, has
        ``nothing`` there.
        """
        adjacency, operations, _ = self._arrays
        own = str(self.space.node_labelled_ops[operations[graph, node]])
        if number == 0:
            return own
        sides = [
            self._neighbours(graph, np.flatnonzero(others), number - 1)
            for others in (adjacency[graph, :, node], adjacency[graph, node])
        ]
        # That the input has no inputs, and the output goes nowhere, need not be said.
        kind = own.rpartition(":")[2]  # without the part of a product that it belongs to
        before = "" if kind == "input" and not sides[0] else f"{sides[0] or NOTHING} → "
        after = "" if kind == "output" and not sides[1] else f" → {sides[1] or NOTHING}"
        return f"{before}{own}{after}"

    def _neighbours(self, graph: int, nodes: NDArray[np.int64], number: int) -> str:
        names = Counter(self.name(graph, node, number) for node in nodes.tolist())
        form = "{}" if number == 0 else "[{}]"
        return ", ".join(
            f"{count} {form.format(name)}" if count > 1 else form.format(name)
            for name, count in sorted(names.items())
        )

    @property
    def _arrays(self) -> tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.int64]]:
        return self.active.to_arrays()
