"""The decoder of VS-GAE: GraphProp, AddNode, InitNode and AddEdges, vertex by vertex.

The steps for vertex v (Friede et al., "A Variational-Sequential Graph Autoencoder for Neural Architecture
Performance Prediction", 2019, its decoder, and their code) are rounds of messages over the vertices so far,
whose new states are kept for the next vertex; two gated read-outs of these states; the type from one; the
state of v from its type and the other; and the edges from all u < v to v, independently of each other, from
the states of u and v. Every scorer also reads the latent.

In training, types and edges are given (teacher forcing), so only the messages and the states of new vertices
have to be computed one vertex after the other. Types and edges of all vertices are then scored together.
First layers are split by their inputs, and each part is multiplied once per distinct row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.networks import mlp
from graphnas.autoencoders.vertices import START
from graphnas.autoencoders.vsgae_layers import LayerProducts, MessageLayer, ReadOut
from graphnas.graph.batch import ArchitectureBatch

CERTAIN = 1e4
"""Log-odds of an edge that every graph has."""


@dataclass(frozen=True)
class Step:
    """What the sequential part computes for the scorers of one vertex v.

    Attributes:
        graphs: ``(k,)``, the graphs that v is added to, as rows of the batch.
        states: ``(k, v, H)``, the states of the vertices before it.
        new: ``(k, H)``, the state of v itself.
    """

    graphs: Tensor
    states: Tensor
    new: Tensor


class VSGAEDecoder(nn.Module):
    """From a latent to a graph.

    Args:
        types: Number of vertex types ``T``.
        hidden: Size ``H`` of a vertex state.
        latent: Size ``d`` of the latent and of the read-outs.
        layers: Rounds of messages per vertex, each with its own weights.
        first_edge_given: Every graph has the edge 0 -> 1, which is then not scored, as in the released code.
        released_tiling: Score edges in the loss as the released code does (see :class:`.vsgae.VSGAE`).
        mean_of_edges: Take the mean over the edges into a vertex, as the released code does, not their sum.
    """

    def __init__(
        self,
        types: int,
        hidden: int,
        latent: int,
        layers: int,
        *,
        first_edge_given: bool,
        released_tiling: bool,
        mean_of_edges: bool,
    ) -> None:
        super().__init__()
        self.first_edge_given, self.released_tiling = first_edge_given, released_tiling
        self.mean_of_edges = mean_of_edges
        self._sizes = hidden, latent
        self.embedding = nn.Embedding(types, hidden)
        self.layers = nn.ModuleList(MessageLayer(hidden) for _ in range(layers))
        self.graph_state = ReadOut(hidden, latent)
        self.init_state = ReadOut(hidden, latent)
        self.start = mlp(hidden + latent, hidden + latent, hidden)
        self.add_node = mlp(2 * latent, latent, types)
        self.init_node = mlp(hidden + 2 * latent, hidden + latent, hidden)
        self.add_edges = mlp(2 * hidden + 2 * latent, hidden + latent, 1)

    # ---------------------------------------------------------------- training

    def loss(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        """``(B,)``: cross-entropies of the types, and of the edges into each vertex (eq. 15 and 16).

        They are summed, as printed; with ``mean_of_edges`` this is not a log-likelihood.

        Args:
            graphs: ``B`` vertex graphs.
            z: ``(B, d)``.
        """
        types, edges = graphs.operations.long(), (graphs.adjacency > 0).float()
        steps = self._unroll(graphs.num_nodes, types, edges, z)
        owners = torch.cat([step.graphs for step in steps])
        vertices = torch.cat([torch.full_like(step.graphs, v) for v, step in enumerate(steps, 1)])
        # With the released tiling, finished graphs go on, but do not count.
        counted = (vertices < graphs.num_nodes[owners]).float()
        contexts = torch.cat([self._summaries(steps), z[owners]], 1)
        type_loss = F.cross_entropy(
            self.add_node(contexts).float(), types[owners, vertices], reduction="none"
        )
        total = torch.zeros(len(z), device=z.device).index_add(0, owners, type_loss * counted)

        # For each edge, the row (of owners, vertices and contexts) of its new vertex and that of its graph.
        first, row = 1 if self.first_edge_given else 0, 0
        targets, sources, wanted, tiled = [], [], [], []
        for v, step in enumerate(steps, 1):
            rows = torch.arange(row, row + len(step.graphs), device=z.device)
            row += len(rows)
            if v > first:
                targets.append(rows.repeat_interleave(v))
                tiled.append(rows.repeat(v) if self.released_tiling else targets[-1])
                sources.append(step.states.flatten(0, 1))
                wanted.append(edges[step.graphs, :v, v].flatten())
        if not targets:
            return total
        target = torch.cat(targets)
        new = torch.cat([step.new for step in steps])
        scores = self._edge_scores(torch.cat(sources), new, contexts, target, torch.cat(tiled)).float()
        edge_loss = F.binary_cross_entropy_with_logits(scores, torch.cat(wanted), reduction="none")
        weights = counted / vertices if self.mean_of_edges else counted
        return total.index_add(0, owners[target], edge_loss * weights[target])

    def _unroll(self, sizes: Tensor, types: Tensor, edges: Tensor, z: Tensor) -> list[Step]:
        """The sequential part, for the vertices from 1 on."""
        largest = int(sizes.max())
        if self.released_tiling:  # it mixes up the rows of the whole batch, so keep their order
            order = torch.arange(len(z), device=z.device)
            growing = [len(z)] * largest
        else:  # sort by size, so that the graphs that still grow come first
            order = sizes.argsort(descending=True, stable=True)
            growing = (sizes.cpu()[None, :] > torch.arange(largest)[:, None]).sum(1).tolist()
        types, edges, z, sizes = types[order], edges[order], z[order], sizes[order]
        hidden, latent = self._sizes
        mix, finish = _first_and_rest(self.init_node)
        of_type, of_state, of_z = torch.split(mix.weight, [hidden, latent, latent], 1)
        typed = F.linear(self.embedding.weight, of_type, mix.bias)
        latents = F.linear(z, of_z)
        products = self._products()
        only_first = torch.zeros_like(edges[:1])
        only_first[:, 0, 1:2] = 1
        states, steps = self._start(z), []
        for v in range(1, largest):
            k = growing[v]
            if v > 1:
                part = edges[:k, :v, :v]
                if self.released_tiling:  # there, finished graphs keep only the edge 0 -> 1
                    part = torch.where((sizes < v)[:, None, None], only_first[:, :v, :v], part)
                states = self._propagate(states[:k], part, products)
            summary = F.linear(self._summary(self.init_state, states), of_state)
            new = finish(typed[types[:k, v]] + summary + latents[:k])
            steps.append(Step(order[:k], states, new))
            states = torch.cat([states, new[:, None]], 1)
        return steps

    def _summaries(self, steps: list[Step]) -> Tensor:
        """The read-outs that types and edges are scored from, concatenated over the steps."""
        single, *grown = [step.states for step in steps]
        summaries = [self._summary(self.graph_state, single)]
        if grown:
            terms = self.graph_state.gated(torch.cat([states.flatten(0, 1) for states in grown]))
            parts = torch.split(terms, [states.shape[0] * states.shape[1] for states in grown])
            for states, part in zip(grown, parts, strict=True):
                summaries.append(part.view(*states.shape[:2], -1).sum(1))
        return torch.cat(summaries)

    # ---------------------------------------------------------------- parts of a step

    def _start(self, z: Tensor) -> Tensor:
        """InitNode of vertex 0: ``(B, 1, H)``."""
        kind = self.embedding.weight[START].expand(len(z), -1)
        start: Tensor = self.start(torch.cat([kind, z], 1))
        return start[:, None]

    def _products(self) -> list[LayerProducts]:
        return [layer.products() for layer in self.layers if isinstance(layer, MessageLayer)]

    def _propagate(self, states: Tensor, edges: Tensor, products: list[LayerProducts]) -> Tensor:
        """GraphProp over at least two vertices."""
        for layer, parts in zip(self.layers, products, strict=True):
            states = layer(states, edges, parts)
        return states

    @staticmethod
    def _summary(read_out: ReadOut, states: Tensor) -> Tensor:
        """``(B, d)``; a single vertex is read without its gate, as in the released code."""
        summary: Tensor = read_out.value(states[:, 0]) if states.shape[1] == 1 else read_out(states)
        return summary

    def _edge_scores(
        self, sources: Tensor, new: Tensor, contexts: Tensor, target: Tensor, graph: Tensor
    ) -> Tensor:
        """AddEdges: log-odds ``(R,)``.

        Args:
            sources: ``(R, H)`` states of u.
            new: ``(S, H)`` states of new vertices.
            contexts: ``(S, 2d)`` read-outs and latents.
            target: ``(R,)`` which of ``new`` each edge leads to.
            graph: ``(R,)`` which of ``contexts`` it uses: the same, except with the released tiling.
        """
        hidden, latent = self._sizes
        mix, finish = _first_and_rest(self.add_edges)
        of_source, of_new, of_graph = torch.split(mix.weight, [hidden, hidden, 2 * latent], 1)
        parts = F.linear(new, of_new, mix.bias), F.linear(contexts, of_graph)
        scores = finish(F.linear(sources, of_source) + parts[0][target] + parts[1][graph])
        return scores.squeeze(-1)

    # ---------------------------------------------------------------- generation

    def generate(self, z: Tensor, drawing: GraphDrawing) -> None:
        """Draw a graph for each row of ``z`` into ``drawing``.

        The released code stops at 20 vertices; here a graph ends at the space's largest size.
        """
        products = self._products()
        states = self._start(z)
        for v in range(1, drawing.adapter.max_vertices):
            if v > 1:
                states = self._propagate(states, drawing.edges[:, :v, :v].float(), products)
            contexts = torch.cat([self._summary(self.graph_state, states), z], 1)
            types = drawing.draw_types(v, self.add_node(contexts))
            summary = self._summary(self.init_state, states)
            new = self.init_node(torch.cat([self.embedding.weight[types], summary, z], 1))
            if v == 1 and self.first_edge_given:
                scores = torch.full_like(z[:, :1], CERTAIN)
            else:
                row = torch.arange(len(z), device=z.device).repeat_interleave(v)
                scores = self._edge_scores(states.flatten(0, 1), new, contexts, row, row).view(-1, v)
            for u in range(v):
                drawing.draw_edges(u, v, scores[:, u])
            if not drawing.unfinished.any():
                break
            states = torch.cat([states, new[:, None]], 1)


def _first_and_rest(perceptron: nn.Sequential) -> tuple[nn.Linear, Callable[[Tensor], Tensor]]:
    """The first layer of a perceptron, and what follows it."""
    first = perceptron[0]
    assert isinstance(first, nn.Linear)
    return first, nn.Sequential(*list(perceptron)[1:])
