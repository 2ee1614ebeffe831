"""The macro search space of ENAS: a chain of layers, each with an operation and skip connections.

Source: Pham et al., "Efficient Neural Architecture Search via Parameter Sharing" (ICML 2018), section 2.3; 12
layers, as GraphPNAS (TMLR 2023) searches, or 6, as D-VAE (NeurIPS 2019) tabulates.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from search_spaces import enas_codes
from search_spaces.enas_codes import FIRST_OPERATION, INPUT, OPERATIONS, OUTPUT

if TYPE_CHECKING:
    from torch import nn

    from graphnas.graph.batch import ArchitectureBatch
    from search_spaces.enas_supernet import ENASSupernet


class ENASMacro(GraphSpace):
    """Chains of ``num_layers`` layers in which a layer may also read any earlier one.

    Node 0 is the input (the stem's output), nodes 1 to L are the layers, and node L + 1 is the output, which
    reads layer L only. Layer ``i`` always reads ``i - 1``; its skips come from the nodes 0 to ``i - 2``,
    hence ``6^L 2^(L(L-1)/2)`` architectures. Every one of them is valid, and no two are isomorphic, because
    the chain fixes the order of the nodes.

    Parameters are ``enas/op_4`` (the operation of layer 4) and ``enas/skip_1_4`` (whether layer 4 also reads
    node 1).

    Args:
        num_layers: Layers ``L``; 12 in ENAS and GraphPNAS.
        skip_probability: Probability of each skip connection of a random architecture. With 0.5 the samples
            are uniform over the space; the explorer of GraphPNAS has 0.4.
        operations: Operations of a layer: a list of them, or a name of
            :data:`search_spaces.enas_codes.OPERATION_LISTS`: ``enas``, or ``graphpnas-footnote``, whose
            kernels are 1 and 5 where ENAS has 3 and 5.

    Raises:
        InvalidArgument: No layer, a probability outside of 0 to 1, or unknown operations.
    """

    name = "enas"
    width = 24
    """Channels of every layer, unless ``build`` gets another ``width``."""

    def __init__(
        self,
        num_layers: int = 12,
        *,
        skip_probability: float = 0.5,
        operations: str | Sequence[str] = OPERATIONS,
    ) -> None:
        if num_layers < 1:
            raise InvalidArgument(f"num_layers must be at least 1, got {num_layers}")
        if not 0 <= skip_probability <= 1:
            raise InvalidArgument(f"skip_probability must be in 0..1, got {skip_probability}")
        self.num_layers = num_layers
        self.skip_probability = float(skip_probability)
        self.operations = enas_codes.chosen_operations(operations)
        self.node_ops = ("input", "output", *self.operations)
        self.max_nodes = num_layers + 2
        self._sources, self._targets = enas_codes.skip_ends(num_layers)

    def arguments(self) -> dict[str, Any]:
        """``num_layers``, ``skip_probability``, and ``operations`` where they are not those of ENAS."""
        own = {} if self.operations == OPERATIONS else {"operations": list(self.operations)}
        return {"num_layers": self.num_layers, "skip_probability": self.skip_probability, **own}

    # ---------------------------------------------------------------- membership and identity

    def check(self, architecture: Architecture) -> None:
        """Every architecture has all nodes; labels and edges follow from the choices."""
        if architecture.num_nodes != self.max_nodes:
            raise InvalidArchitecture(
                f"{self.name}: expected {self.max_nodes} nodes (input, {self.num_layers} layers, output), "
                f"got {architecture.num_nodes}"
            )

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """The rule of :meth:`check`."""
        return batch.to_arrays()[2] == self.max_nodes

    def key(self, architecture: Architecture) -> str:
        """The operation codes, a dash, and the skip bits in the order of :meth:`parameters`."""
        codes, skips = self._read(architecture)
        return "".join(map(str, codes.tolist())) + "-" + "".join(map(str, skips.tolist()))

    def node_choices(self, node: int) -> Sequence[int]:
        """The input first, the output last, any operation in between."""
        if node == 0:
            return (INPUT,)
        if node > self.num_layers:
            return (OUTPUT,)
        return range(FIRST_OPERATION, FIRST_OPERATION + len(self.operations))

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        """The chain is fixed, the output reads nothing else, and every other edge is a choice."""
        if target == source + 1:
            return (1,)
        return (0,) if target > self.num_layers else (0, 1)

    def _places(self) -> list[tuple[str, int, int]]:
        places = []
        for i in range(1, self.num_layers + 1):
            places.append((f"{self.name}/op_{i}", i, i))
            places += [(f"{self.name}/skip_{j}_{i}", j, i) for j in range(i - 1)]
        return places

    # ---------------------------------------------------------------- arrays and text

    def arrays_from_codes(
        self, codes: ArrayLike, skips: ArrayLike
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        """Adjacency ``(B, L+2, L+2)`` and node labels ``(B, L+2)`` of architectures as two tables.

        Args:
            codes: ``(B, L)`` operation codes in 0..5.
            skips: ``(B, L(L-1)/2)`` bits in the order of :mod:`search_spaces.enas_codes`.

        Raises:
            InvalidArchitecture: A wrong shape, code or bit.
        """
        codes, skips = np.asarray(codes), np.asarray(skips)
        expected = (*codes.shape[:1], self.num_layers), (*codes.shape[:1], len(self._sources))
        if (codes.shape, skips.shape) != expected:
            raise InvalidArchitecture(
                f"{self.name}: expected operations and skips of shapes {expected}, "
                f"got {codes.shape} and {skips.shape}"
            )
        for values, limit, what in ((codes, len(self.operations), "operation code"), (skips, 2, "skip bit")):
            wrong = values[~np.isin(values, range(limit))]
            if len(wrong):
                raise InvalidArchitecture(f"{self.name}: {what} {wrong[0]} is not in 0..{limit - 1}")
        return enas_codes.graphs(codes, skips)

    def to_codes(
        self, architectures: Sequence[Architecture] | ArchitectureBatch
    ) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
        """The inverse of :meth:`arrays_from_codes`: operation codes and skip bits of each architecture.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        n = self.max_nodes
        if isinstance(architectures, Sequence):
            for architecture in architectures:
                self.validate(architecture)
            adjacency = np.array([a.adjacency for a in architectures], np.int8).reshape(-1, n, n)
            operations = np.array([a.operations for a in architectures], np.int16).reshape(-1, n)
        else:
            adjacency, operations, _ = architectures.to_arrays()
            if operations.shape[1] != n:
                raise InvalidArchitecture(
                    f"{self.name}: expected graphs of {n} nodes, the batch has {operations.shape[1]}"
                )
        codes = operations[:, 1:-1] - np.int16(FIRST_OPERATION)
        skips = adjacency[:, self._sources, self._targets]
        again = self.arrays_from_codes(codes, skips)
        if not (np.array_equal(again[0], adjacency) and np.array_equal(again[1], operations)):
            raise InvalidArchitecture(f"{self.name}: the batch holds graphs without the chain of layers")
        return codes, skips

    def _read(self, architecture: Architecture) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
        codes: NDArray[np.int16] = architecture.operations[1:-1] - np.int16(FIRST_OPERATION)
        return codes, architecture.adjacency[self._sources, self._targets]

    def to_string(self, architecture: Architecture) -> str:
        """The form of D-VAE's files, such as ``[[1], [4, 0], [5, 0, 1]]`` for three layers.

        Row ``i`` (from 1) holds the operation code of layer ``i`` and its skip bits from the nodes 0 to
        ``i - 2``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        codes, _ = self._read(architecture)
        columns = (architecture.adjacency[: i - 1, i].tolist() for i in range(1, self.num_layers + 1))
        return json.dumps([[code, *bits] for code, bits in zip(codes.tolist(), columns, strict=True)])

    def from_string(self, text: str) -> Architecture:
        """The inverse of :meth:`to_string`.

        Raises:
            InvalidArchitecture: The text is not of that form, or holds an unknown code.
        """
        try:
            rows = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidArchitecture(f"{self.name}: {text[:80]!r} is not a list of layers") from error
        lengths = [len(row) if isinstance(row, list) else 0 for row in rows] if isinstance(rows, list) else []
        if lengths != list(range(1, self.num_layers + 1)):
            raise InvalidArchitecture(
                f"{self.name}: expected {self.num_layers} layers of which number i lists its operation and "
                f"i - 1 bits, got {text[:80]!r}"
            )
        flat = [value for row in rows for value in row]
        if any(type(value) is not int for value in flat):
            raise InvalidArchitecture(f"{self.name}: codes and bits must be integers, got {text[:80]!r}")
        codes = np.array([[row[0] for row in rows]])
        skips = np.array([bit for row in rows for bit in row[1:]], np.int64)[None]
        adjacency, operations = self.arrays_from_codes(codes, skips)
        return Architecture.from_trusted(adjacency[0], operations[0])

    # ---------------------------------------------------------------- moving about in the space

    def size(self) -> int:
        """``6^L 2^(L(L-1)/2)``: 1.6e29 for 12 layers of 6 operations."""
        return len(self.operations) ** self.num_layers * 2 ** len(self._sources)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """An architecture with uniform operations and each skip with :attr:`skip_probability`."""
        adjacency, operations = self._sample_arrays(rng, 1)
        return Architecture.from_trusted(adjacency[0].copy(), operations[0].copy())

    def _sample_arrays(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        codes = rng.integers(len(self.operations), size=(size, self.num_layers), dtype=np.int16)
        skips = rng.random((size, len(self._sources)), np.float32) < self.skip_probability
        return enas_codes.graphs(codes, skips)

    # ---------------------------------------------------------------- the network

    def build(  # type: ignore[override]  # names what **shape takes
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        in_channels: int = 3,
        width: int | None = None,
        dropout: float = 0.0,
    ) -> nn.Module:
        """The network of the architecture, see :mod:`search_spaces.enas_network`.

        Args:
            architecture: A member of the space.
            num_classes: Size of the output.
            in_channels: Channels of the images.
            width: Channels of every layer; by default 24 for :class:`ENASMacro` (the supernet of NNI's ENAS
                example) and 36 for :class:`ENASMacro6` (that of D-VAE).
            dropout: Probability of dropping a feature before the classifier.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: A size is not positive, ``width`` is less than 2, or another ``dropout``.
        """
        self.validate(architecture)
        from search_spaces.enas_network import ENASNetwork, skip_inputs

        codes, _ = self._read(architecture)
        operations = [self.operations[code] for code in codes]
        chosen = self.width if width is None else width
        skips = skip_inputs(architecture.adjacency, len(operations))
        return ENASNetwork(skips, operations, num_classes, in_channels, chosen, dropout)

    def supernet(
        self,
        num_classes: int,
        *,
        in_channels: int = 3,
        width: int | None = None,
        dropout: float = 0.0,
    ) -> ENASSupernet:
        """The network whose weights all architectures share, see :mod:`search_spaces.enas_supernet`.

        The arguments are those of :meth:`build`, and so are the errors.
        """
        from search_spaces.enas_supernet import ENASSupernet

        chosen = self.width if width is None else width
        return ENASSupernet(self, num_classes, in_channels, chosen, dropout)

    def complexity(
        self,
        architecture: Architecture,
        num_classes: int = 10,
        image_size: int | tuple[int, int] = 32,
        *,
        in_channels: int = 3,
        width: int | None = None,
    ) -> tuple[int, int]:
        """Trainable parameters and multiply-accumulates of the network, in closed form.

        It equals :func:`search_spaces.complexity.count_complexity`.

        Args:
            architecture: A member of the space.
            num_classes: Size of the output.
            image_size: Height and width of the images, or the one number that both are.
            in_channels: Channels of the images.
            width: As for :meth:`build`.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        size = (image_size, image_size) if isinstance(image_size, int) else image_size
        operations = [self.operations[code] for code in self._read(architecture)[0]]
        chosen = self.width if width is None else width
        return enas_codes.complexity(operations, num_classes, size, in_channels, chosen)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_layers={self.num_layers})"


class ENASMacro6(ENASMacro):
    """The 6-layer space of D-VAE's table of 19,020 weight-sharing accuracies.

    Its vertices are those of the table (D-VAE, NeurIPS 2019): 0 the input (type 0), 1 to 6 the layers (type:
    code + 2), 7 the output (type 1), whose only input is vertex 6. Parameters are ``enas6/op_4`` and
    ``enas6/skip_1_4``; the table is read by :mod:`search_spaces.tables.enas6`.

    Args:
        skip_probability: As for :class:`ENASMacro`.

    Raises:
        InvalidArgument: A probability outside of 0 to 1.
    """

    name = "enas6"
    width = 36

    def __init__(self, *, skip_probability: float = 0.5) -> None:
        super().__init__(6, skip_probability=skip_probability)

    def arguments(self) -> dict[str, Any]:
        """``skip_probability``."""
        return {"skip_probability": self.skip_probability}

    def __repr__(self) -> str:
        return "ENASMacro6()"
