"""Explorers: random graphs that are mixed with the generator's proposals, and how often (epsilon)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from search_spaces import RandWire
from search_spaces.random_graphs import erdos_renyi, watts_strogatz

EXPLORERS = ("auto", "uniform", "erdos-renyi", "watts-strogatz", "labels")
SCHEDULES = ("step", "linear", "geometric")

MAX_TRIES = 10_000
"""Random graphs of one size that are drawn until one is valid."""

Explorer = Callable[[np.random.Generator, int], list[Architecture]]
"""Makes a number of random architectures, some of which may break a rule of the space."""


def epsilon_at(step: int, schedule: str, start: float, end: float, steps: int, factor: float) -> float:
    """The probability of exploring in an update.

    Args:
        step: Number of earlier updates.
        schedule: ``"step"``: ``start`` for ``steps`` updates, then ``end``. ``"linear"``: from ``start`` to
            ``end`` over ``steps`` updates. ``"geometric"``: ``start``, times ``factor`` every ``steps``
            updates, but at least ``end``.
        start: Value at the beginning.
        end: Value at the end.
        steps: Length in updates; 0 means ``end`` from the beginning, or a change in every update if
            geometric.
        factor: Factor of the geometric schedule.

    Raises:
        InvalidArgument: An unknown schedule.
    """
    if schedule == "step":
        return start if step < steps else end
    if schedule == "linear":
        return start + (end - start) * min(1.0, step / steps if steps else 1.0)
    if schedule == "geometric":
        return float(max(end, start * factor ** (step // max(1, steps))))
    raise InvalidArgument(f"epsilon_schedule must be one of {SCHEDULES}, got {schedule!r}")


def make_explorer(
    space: GraphSpace,
    name: str,
    *,
    edge_probability: tuple[float, float] = (0.25, 0.25),
    neighbors: tuple[int, int] = (2, 6),
    rewiring_probability: tuple[float, float] = (0.2, 0.8),
    sizes: tuple[int, int] | None = None,
) -> Explorer:
    """The explorer called ``name``.

    - ``"uniform"``: the space's own sampler.
    - ``"labels"``: operations and edge labels uniform among their choices, but never "no edge" (``none``) if
      an edge has several other labels: the explorer for NAS-Bench-201.
    - ``"erdos-renyi"`` and ``"watts-strogatz"``: edges from the random graph where the space leaves a choice,
      labels and operations uniform.
    - ``"auto"``: ``"labels"`` in a space that labels edges, ``"uniform"`` in others.

    Where each stage of a network has a graph of its own (RandWire with ``stages``), each of them is drawn by
    itself, with parameters of its own.

    With ``sizes``, for spaces of graphs of several sizes, an Erdos-Renyi graph has a number of nodes drawn
    uniformly from that range, and is drawn again until it is valid, each node but the first has an input and
    each but the last an output: the explorer for NAS-Bench-101.

    Args:
        space: The search space.
        name: One of :data:`EXPLORERS`.
        edge_probability: Range of the Erdos-Renyi edge probability, drawn uniformly for each graph.
        neighbors: Range of Watts and Strogatz's k; the even numbers in it are drawn.
        rewiring_probability: Range of Watts and Strogatz's p.
        sizes: Smallest and largest number of nodes.

    Raises:
        InvalidArgument: Another name, or an empty range.
    """
    if name not in EXPLORERS:
        raise InvalidArgument(f"explorer must be one of {EXPLORERS}, got {name!r}")
    if name == "auto":
        name = "labels" if len(space.edge_ops) > 2 else "uniform"
    if name == "uniform":
        return lambda rng, n: space.sample_batch(rng, n).to_architectures()
    ranges = {"edge_probability": edge_probability, "rewiring_probability": rewiring_probability}
    for what, (low, high) in ranges.items():
        if not 0 <= low <= high <= 1:
            raise InvalidArgument(f"{what} must be a range within 0..1, got {(low, high)}")
    if sizes is not None and not 2 <= sizes[0] <= sizes[1] <= space.max_nodes:
        raise InvalidArgument(f"explorer sizes must be within 2..{space.max_nodes}, got {sizes}")
    whole = space.whole
    stages = whole.stages if isinstance(whole, RandWire) else 1
    n = space.max_nodes // stages
    ks = np.arange(neighbors[0], min(neighbors[1], n - 1) + 1)
    ks = ks[ks % 2 == 0].astype(np.int64)
    if name == "watts-strogatz" and not len(ks):
        raise InvalidArgument(f"neighbors {neighbors} has no even number below {n}")
    fill = _Fill(space)

    def edges(rng: np.random.Generator, count: int, size: int) -> NDArray[np.int8]:
        if name == "labels":
            return np.broadcast_to(np.triu(np.ones((size, size), np.int8), 1), (count, size, size))
        if name == "erdos-renyi":
            return erdos_renyi(rng, size, rng.uniform(*edge_probability, count))
        return watts_strogatz(rng, size, rng.choice(ks, count), rng.uniform(*rewiring_probability, count))

    def graphs(rng: np.random.Generator, count: int) -> NDArray[np.int8]:
        parts = edges(rng, count * stages, n).reshape(count, stages, n, n)
        together = np.zeros((count, stages * n, stages * n), np.int8)
        for stage in range(stages):
            part = slice(stage * n, (stage + 1) * n)
            together[:, part, part] = parts[:, stage]
        return together

    if sizes is None or name != "erdos-renyi":
        binary = name == "labels"
        return lambda rng, count: fill(rng, graphs(rng, count), binary_uniform=binary)
    smallest, largest = sizes

    def of_sizes(rng: np.random.Generator, count: int) -> list[Architecture]:
        accepted = []
        for size in rng.integers(smallest, largest + 1, size=count).tolist():
            for _ in range(MAX_TRIES // 16):
                drawn = fill(rng, edges(rng, 16, size))
                whole = next((a for a in drawn if _connected(a) and space.is_valid(a)), None)
                if whole is not None:
                    accepted.append(space.completed(whole))
                    break
        return accepted

    return of_sizes


def _connected(architecture: Architecture) -> bool:
    """Whether every node but the first has an input, and every node but the last an output."""
    edges = architecture.adjacency != 0
    return bool(edges[:, 1:].any(0).all() and edges[:-1].any(1).all())


class _Fill:
    """Turns graphs into architectures: labels and operations uniform among what the space allows."""

    def __init__(self, space: GraphSpace) -> None:
        self.layout = space.layout
        self.label_counts = self.layout.allowed_edges[..., 1:].sum(2).tolist()

    def __call__(
        self, rng: np.random.Generator, graphs: NDArray[np.int8], *, binary_uniform: bool = False
    ) -> list[Architecture]:
        """Architectures with the edges of ``graphs`` (B, n, n).

        With ``binary_uniform``, edges that have no more than one label are drawn with probability one half.
        """
        count, n = graphs.shape[:2]
        adjacency = np.zeros((count, n, n), np.int8)
        operations = np.zeros((count, n), np.int16)
        for j in range(n):
            # The last node of a smaller graph is the output too.
            operations[:, j] = _pick(rng, self.layout.allowed_nodes[-1 if j == n - 1 else j], count)
            for i in range(j):
                labels, allowed = self.label_counts[i][j], self.layout.allowed_edges[i, j]
                if not labels:
                    continue
                present = graphs[:, i, j] > 0
                if not allowed[0]:
                    present = np.ones(count, bool)
                elif binary_uniform and labels == 1:
                    present = np.asarray(rng.random(count) < 0.5)
                adjacency[:, i, j] = np.where(present, 1 + _pick(rng, allowed[1:], count), 0)
        return [
            Architecture.from_trusted(a.copy(), o.copy()) for a, o in zip(adjacency, operations, strict=True)
        ]


def _pick(rng: np.random.Generator, allowed: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """``count`` positions at which ``allowed`` is true, drawn uniformly."""
    positions = np.flatnonzero(allowed)
    return positions[rng.integers(len(positions), size=count)]
