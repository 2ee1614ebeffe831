"""GraphDrawing: turns a decoder's scores, step by step, into a batch of vertex graphs.

This is what all stepwise decoders share: random draws or the most likely choice, the end of a graph, and the
masks of constrained decoding.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from graphnas.autoencoders.vertices import END, FIRST_OPERATION, START, VertexAdapter, slot_ends
from graphnas.graph.batch import ArchitectureBatch


class DrawingMasks:
    """What a space allows at each step.

    Attributes:
        types: ``(N, T)`` bool, types that a vertex may have regardless of what else was drawn; "end" only
            where a graph may end.
        forced: ``(N, N)`` bool, edges ``u -> v`` that every graph has.
        forbidden: ``(N, N)`` bool, edges that no graph has.
        all_active: Whether every vertex but the start must have an in-edge, and every vertex but the end an
            out-edge.
        patterns: For operations on edges, otherwise None: adjacency ``(P, N, N)`` bool, sizes ``(P,)`` and
            allowed types ``(P, N, T)`` of every set of edges. Only graphs that match one of them are drawn.
    """

    def __init__(self, adapter: VertexAdapter) -> None:
        n, t = adapter.max_vertices, adapter.num_types
        types = np.zeros((n, t), bool)
        forced, forbidden = np.zeros((n, n), bool), np.zeros((n, n), bool)
        self.all_active = adapter.reads_active
        self.patterns: tuple[Tensor, Tensor, Tensor] | None = None
        layout = adapter.space.layout
        types[1:-1, FIRST_OPERATION:] = True
        types[-1, END] = True
        if adapter.on_edges:
            types[1:, END] = True
            self.patterns = self._edge_patterns(adapter)
        elif adapter.fixed_size:
            shift = int(adapter.virtual_start)
            for v in range(1, n - 1):
                types[v] = False
                types[v, adapter.type_of[np.flatnonzero(layout.allowed_nodes[v - shift])]] = True
            own = slice(shift, shift + len(layout.operations))
            forced[own, own] = ~layout.allowed_edges[..., 0]
            forbidden[own, own] = np.triu(~layout.allowed_edges[..., 1:].any(2), 1)
        else:
            types[1:, END] = True
        self.types = torch.from_numpy(types)
        self.forced, self.forbidden = torch.from_numpy(forced), torch.from_numpy(forbidden)

    @staticmethod
    def _edge_patterns(adapter: VertexAdapter) -> tuple[Tensor, Tensor, Tensor]:
        n = adapter.max_vertices
        edges, sizes = adapter.pattern_graphs
        labels = adapter.space.layout.allowed_edges[slot_ends(adapter.space.max_nodes)]
        # A set is possible where each edge in it has a label, and each edge not in it may be missing.
        possible = np.where(adapter.patterns, labels[:, 1:].any(1), labels[:, 0]).all(1)
        allowed_types = np.zeros((len(sizes), n, adapter.num_types), bool)
        # Vertex k + 1 is the k-th edge present.
        slot_of = np.argsort(~adapter.patterns, axis=1, kind="stable")
        for v in range(1, n):
            allowed_types[sizes == v + 1, v, END] = True
            inner = sizes > v + 1
            if inner.any():
                allowed_types[inner, v, FIRST_OPERATION:] = labels[slot_of[inner, v - 1], 1:]
        allowed_types[:, 0, START] = True
        return (
            torch.from_numpy(edges[possible]),
            torch.from_numpy(sizes[possible]),
            torch.from_numpy(allowed_types[possible]),
        )


class GraphDrawing:
    """``B`` vertex graphs under construction.

    For each vertex v = 1, 2, ... call :meth:`draw_types` and then :meth:`draw_edges` for every u < v, in any
    order; at the end call :meth:`graphs`.

    A graph ends at a vertex of type "end", which the last position always has. In spaces where the end vertex
    is fed by exactly the vertices that feed nothing else, its edges follow from that, as in D-VAE's code.

    Args:
        adapter: Gives sizes and types.
        count: Number of graphs ``B``.
        rng: Source of all draws.
        device: Device of the scores.
        stochastic: Whether to draw from the scores' distribution or take the most likely choice.
        masks: What may be drawn (constrained decoding); None: anything.
        flatten: Weight from 0 to 1 of the uniform distribution over what is allowed, mixed into the draws.
    """

    def __init__(
        self,
        adapter: VertexAdapter,
        count: int,
        rng: torch.Generator,
        device: torch.device,
        *,
        stochastic: bool = True,
        masks: DrawingMasks | None = None,
        flatten: float = 0.0,
    ) -> None:
        self.adapter = adapter
        self.rng, self.device = rng, device
        self.stochastic, self.masks, self.flatten = stochastic, masks, flatten
        n = adapter.max_vertices
        self.types = torch.full((count, n), START, dtype=torch.int64, device=device)
        self.edges = torch.zeros(count, n, n, dtype=torch.bool, device=device)
        self.sizes = torch.full((count,), n, dtype=torch.int64, device=device)
        self.unfinished = torch.ones(count, dtype=torch.bool, device=device)
        self._left = 0
        self._loose = torch.zeros(count, n, dtype=torch.bool, device=device)
        self._alive: Tensor | None = None
        if masks is not None and masks.patterns is not None:
            self._alive = torch.ones(count, len(masks.patterns[0]), dtype=torch.bool, device=device)

    def draw_types(self, v: int, logits: Tensor) -> Tensor:
        """Types ``(B,)`` of vertex ``v`` from scores ``(B, T)``; rows of finished graphs are meaningless."""
        last = v == self.adapter.max_vertices - 1
        logits = logits.float()
        allowed = torch.ones_like(logits, dtype=torch.bool)
        if self.masks is not None:
            allowed = self.masks.types[v].to(self.device).expand_as(logits)
            if self._alive is not None:
                allowed = allowed & _any_pattern(self._alive, self._pattern_types[:, v])
                allowed = allowed | ~allowed.any(1, keepdim=True)  # finished graphs
        logits = logits.masked_fill(~allowed, -torch.inf)
        if last:
            types = torch.full_like(self.sizes, END)
        elif not self.stochastic:
            types = logits.argmax(1)
        else:
            types = (self._mixed(logits, allowed) + self._gumbel(logits.shape)).argmax(1)
        types = torch.where(self.unfinished, types, START)
        self.types[:, v] = types
        ending = self.unfinished & (types == END)
        self.sizes = torch.where(ending, v + 1, self.sizes)
        self._ending, self._left = ending, v
        self._loose = ~self.edges[:, :v].any(2)
        if self._alive is not None:
            fits = self._pattern_types[:, v].T[types]  # (B, P)
            self._alive = self._alive & (fits | ~self.unfinished[:, None])
        return types

    def draw_edges(self, u: int, v: int, logits: Tensor) -> Tensor:
        """Whether ``u`` feeds ``v``, ``(B,)`` bool, from log-odds ``(B,)``; False in finished graphs."""
        probability = torch.sigmoid(logits.float())
        on = off = torch.zeros_like(self.unfinished)
        if self.masks is not None:
            on, off = self._forced(u, v)
            probability = (1 - self.flatten) * probability + self.flatten / 2
        if self.stochastic:
            accepted = self._uniform(logits.shape) < probability
        else:
            accepted = probability > 0.5
        accepted = (accepted | on) & ~off
        if self.adapter.connects_loose_ends:
            accepted = torch.where(self._ending, self._loose[:, u], accepted)
        accepted &= self.unfinished
        self.edges[:, u, v] = accepted
        if self._alive is not None:
            same = self._pattern_edges[:, u, v][None, :] == accepted[:, None]
            self._alive = self._alive & (same | ~self.unfinished[:, None])
        self._left -= 1
        if self._left == 0:
            self.unfinished = self.unfinished & ~self._ending
        return accepted

    def graphs(self) -> ArchitectureBatch:
        """The finished graphs."""
        n = self.adapter.max_vertices
        real = torch.arange(n, device=self.device)[None, :] < self.sizes[:, None]
        return ArchitectureBatch(
            (self.edges & real[:, None, :]).to(torch.int8),
            torch.where(real, self.types, START).to(torch.int16),
            self.sizes,
        )

    # ---------------------------------------------------------------- parts

    def _forced(self, u: int, v: int) -> tuple[Tensor, Tensor]:
        """Which graphs must have the edge, and which must not have it."""
        assert self.masks is not None
        on = torch.full_like(self.unfinished, bool(self.masks.forced[u, v]))
        off = torch.full_like(self.unfinished, bool(self.masks.forbidden[u, v]))
        if self._alive is not None:
            has = self._pattern_edges[:, u, v][None, :]
            on = ~(self._alive & ~has).any(1)
            off = ~(self._alive & has).any(1)
        elif self.masks.all_active:
            on = on | (self._ending & self._loose[:, u])
            if self._left == 1:
                on = on | ~self.edges[:, :, v].any(1)
        return on, off & ~on

    @functools.cached_property
    def _pattern_edges(self) -> Tensor:
        assert self.masks is not None
        assert self.masks.patterns is not None
        return self.masks.patterns[0].to(self.device)

    @functools.cached_property
    def _pattern_types(self) -> Tensor:
        assert self.masks is not None
        assert self.masks.patterns is not None
        return self.masks.patterns[2].to(self.device)

    def _mixed(self, logits: Tensor, allowed: Tensor) -> Tensor:
        """Log-probabilities, mixed with the uniform distribution by the weight ``flatten``."""
        if not self.flatten:
            return logits
        uniform = allowed / allowed.sum(1, keepdim=True)
        return torch.log((1 - self.flatten) * logits.softmax(1) + self.flatten * uniform)

    def _uniform(self, shape: torch.Size) -> Tensor:
        return torch.rand(shape, generator=self.rng, device=self.rng.device).to(self.device)

    def _gumbel(self, shape: torch.Size) -> Tensor:
        return -torch.log(-torch.log(self._uniform(shape).clamp(1e-12, 1 - 1e-7)))


def _any_pattern(alive: Tensor, allowed: Tensor) -> Tensor:
    """``(B, T)``: types that at least one of the patterns still possible allows."""
    return (alive.float() @ allowed.float()) > 0
