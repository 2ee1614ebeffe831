"""ArchitectureBatch: many architectures as padded tensors, the input of every network here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture


class ArchitectureBatch:
    """``B`` architectures padded to ``N`` nodes.

    Attributes:
        adjacency: ``(B, N, N)`` int8, edge labels (0: no edge); rows and columns of padding are 0.
        operations: ``(B, N)`` int16, node labels; 0 at padding (read it together with :attr:`mask`).
        num_nodes: ``(B,)`` int64.
    """

    __slots__ = ("adjacency", "num_nodes", "operations")

    def __init__(self, adjacency: Tensor, operations: Tensor, num_nodes: Tensor | None = None) -> None:
        if adjacency.ndim != 3 or adjacency.shape[1] != adjacency.shape[2]:
            raise InvalidArgument(f"adjacency must have shape (B, N, N), got {tuple(adjacency.shape)}")
        if operations.shape != adjacency.shape[:2]:
            raise InvalidArgument(
                f"operations must have shape {tuple(adjacency.shape[:2])}, got {tuple(operations.shape)}"
            )
        self.adjacency = adjacency
        self.operations = operations
        if num_nodes is None:
            num_nodes = torch.full((len(adjacency),), adjacency.shape[1], device=adjacency.device)
        if num_nodes.shape != adjacency.shape[:1]:
            raise InvalidArgument(
                f"num_nodes must have shape ({len(adjacency)},), got {tuple(num_nodes.shape)}"
            )
        self.num_nodes = num_nodes

    @classmethod
    def from_architectures(
        cls, architectures: Sequence[Architecture], max_nodes: int | None = None
    ) -> ArchitectureBatch:
        """Stack architectures, padded to ``max_nodes`` (by default the largest of them).

        Raises:
            InvalidArgument: The sequence is empty, or an architecture has more than ``max_nodes`` nodes.
        """
        if not architectures:
            raise InvalidArgument("a batch needs at least one architecture")
        sizes = np.fromiter((len(a.operations) for a in architectures), np.int64, len(architectures))
        width = int(sizes.max()) if max_nodes is None else max_nodes
        if sizes.max() > width:
            raise InvalidArgument(f"an architecture has {sizes.max()} nodes, more than max_nodes={width}")
        adjacency = np.zeros((len(sizes), width, width), np.int8)
        operations = np.zeros((len(sizes), width), np.int16)
        if (sizes == width).all():
            np.stack([a.adjacency for a in architectures], out=adjacency)
            np.stack([a.operations for a in architectures], out=operations)
        else:
            for k, architecture in enumerate(architectures):
                n = sizes[k]
                adjacency[k, :n, :n] = architecture.adjacency
                operations[k, :n] = architecture.operations
        return cls.from_arrays(adjacency, operations, sizes)

    @classmethod
    def from_arrays(
        cls,
        adjacency: NDArray[np.int8],
        operations: NDArray[np.int16],
        num_nodes: NDArray[np.int64] | None = None,
    ) -> ArchitectureBatch:
        """Wrap arrays of the shapes above without copying them, unless they are read-only.

        Raises:
            InvalidArgument: A shape does not fit, or a size is not in 1..N.
        """
        if num_nodes is not None and len(num_nodes):
            low, high = int(num_nodes.min()), int(num_nodes.max())
            if low < 1 or high > adjacency.shape[-1]:
                raise InvalidArgument(
                    f"num_nodes must be in 1..{adjacency.shape[-1]}, got {low if low < 1 else high}"
                )
        return cls(_tensor(adjacency), _tensor(operations), None if num_nodes is None else _tensor(num_nodes))

    def to_arrays(self) -> tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.int64]]:
        """``adjacency, operations, num_nodes`` as NumPy arrays (sharing memory on the CPU)."""
        return (
            self.adjacency.cpu().numpy().astype(np.int8, copy=False),
            self.operations.cpu().numpy().astype(np.int16, copy=False),
            self.num_nodes.cpu().numpy().astype(np.int64, copy=False),
        )

    def to_architectures(self) -> list[Architecture]:
        """The architectures, without padding."""
        adjacency, operations, num_nodes = self.to_arrays()
        return [
            Architecture.from_trusted(adjacency[k, :n, :n].copy(), operations[k, :n].copy())
            for k, n in enumerate(num_nodes.tolist())
        ]

    def architecture(self, index: int) -> Architecture:
        """The architecture at ``index``, without padding."""
        return self[[index]].to_architectures()[0]

    @property
    def mask(self) -> Tensor:
        """``(B, N)`` bool, true at real nodes."""
        positions = torch.arange(self.adjacency.shape[1], device=self.adjacency.device)
        return positions[None, :] < self.num_nodes[:, None]

    @property
    def max_nodes(self) -> int:
        """The padded size ``N``."""
        return int(self.adjacency.shape[1])

    def to(self, device: torch.device | str) -> ArchitectureBatch:
        """The same batch on ``device``."""
        return ArchitectureBatch(
            self.adjacency.to(device), self.operations.to(device), self.num_nodes.to(device)
        )

    def __len__(self) -> int:
        return int(self.adjacency.shape[0])

    def __getitem__(
        self, index: slice | Tensor | Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]
    ) -> ArchitectureBatch:
        """A part of the batch: a slice, a boolean mask or indices."""
        if not isinstance(index, slice):
            index = torch.as_tensor(index, device=self.adjacency.device)
        return ArchitectureBatch(self.adjacency[index], self.operations[index], self.num_nodes[index])

    def __iter__(self) -> Iterator[Architecture]:
        return iter(self.to_architectures())

    def __repr__(self) -> str:
        return f"ArchitectureBatch({len(self)} architectures of at most {self.max_nodes} nodes)"

    @staticmethod
    def cat(batches: Sequence[ArchitectureBatch]) -> ArchitectureBatch:
        """Concatenate batches, padding to the widest.

        Raises:
            InvalidArgument: The sequence is empty.
        """
        if not batches:
            raise InvalidArgument("nothing to concatenate")
        if len(batches) == 1:
            return batches[0]
        width = max(batch.max_nodes for batch in batches)

        def widen(batch: ArchitectureBatch) -> tuple[Tensor, Tensor]:
            extra = width - batch.max_nodes
            pad = torch.nn.functional.pad
            return pad(batch.adjacency, (0, extra, 0, extra)), pad(batch.operations, (0, extra))

        widened = [widen(batch) for batch in batches]
        return ArchitectureBatch(
            torch.cat([a for a, _ in widened]),
            torch.cat([o for _, o in widened]),
            torch.cat([batch.num_nodes for batch in batches]),
        )


def _tensor(array: NDArray[Any]) -> Tensor:
    # torch warns about read-only arrays, because a tensor could write to their memory.
    return torch.from_numpy(array if array.flags.writeable else array.copy())
