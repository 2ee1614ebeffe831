"""The decoder of D-VAE: vertices and edges one by one, each accepted edge updating its vertex's state.

For vertex v the type is scored from the graph state, then, for u = v - 1 down to 0, the edge u -> v from the
states of u and v; an accepted edge changes the state of v (Zhang et al., NeurIPS 2019, section 3.3 and their
code). In training, types and edges are given (teacher forcing). The state of v then depends only on the edges
accepted so far, so all states are computed together after one sweep over the vertices:

- cumulative sums of the predecessors' gated messages, in the order of acceptance, are the inputs of the
  intermediate states; later vertices depend only on the last of them;
- a rejected edge does not change the state, so a vertex has 1 + indegree states instead of 1 + v;
- the state before any edge depends only on the type, and is shared by the whole batch;
- the first layer of the edge scorer is split into the halves of u and v, computed once per state.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.networks import EdgeScorer, GatedMessage, GRUStep, mlp
from graphnas.autoencoders.vertices import START
from graphnas.graph.batch import ArchitectureBatch


@dataclass(frozen=True)
class Plan:
    """Row indices of the states and decisions of a batch.

    States are numbered: first one per type (no edge yet), then the intermediate states, then the final ones,
    where vertex v of graph b is at ``v B + b``. Decisions are ordered by v, then by graph, then by descending
    u.

    Attributes:
        intermediate: For each v from 1: row (graph) and column (position from v - 1 down) of the accepted
            edges that are not the last of their vertex.
        target: ``(D,)`` state of v at each decision, as an index into :attr:`used`.
        used: Numbers of the states at which a decision is made.
        source: ``(D,)`` final state of u, as ``u B + b``.
        accepted: ``(D,)`` float, the decision.
        graph: ``(D,)`` graph of each decision.
        typed: ``(R,)`` vertices whose type is predicted, as ``v B + b``.
    """

    intermediate: list[tuple[Tensor, Tensor]]
    target: Tensor
    used: Tensor
    source: Tensor
    accepted: Tensor
    graph: Tensor
    typed: Tensor


def plan_decisions(graphs: ArchitectureBatch, num_types: int) -> Plan:
    """The :class:`Plan` of a batch of vertex graphs."""
    edges, types, sizes = graphs.adjacency > 0, graphs.operations.long(), graphs.num_nodes
    count, device = len(types), types.device
    longest = int(sizes.max())
    rows = torch.arange(count, device=device)
    intermediate, pointers, sources, decisions, owners, typed = [], [], [], [], [], []
    number = num_types
    for v in range(1, longest):
        real = sizes > v
        accepted = edges[:, :v, v].flip(1)
        so_far = accepted.cumsum(1)
        between = accepted & (so_far < so_far[:, -1:])
        graph, place = between.nonzero(as_tuple=True)
        intermediate.append((graph, place))
        # The number of the state that each accepted edge leads to; final states are negative for now, since
        # their numbers follow those of all intermediate ones.
        state = torch.zeros(count, v, dtype=torch.int64, device=device)
        state[graph, place] = torch.arange(number, number + len(graph), device=device)
        number += len(graph)
        final = accepted & ~between
        state = torch.where(final, (-1 - (v * count + rows))[:, None], state)
        # The state before a decision is that after the last accepted edge, or the one without edges.
        places = torch.arange(v, device=device).expand(count, -1)
        last = torch.where(accepted, places, -1).cummax(1).values
        before = torch.cat([torch.full_like(last[:, :1], -1), last[:, :-1]], 1)
        pointer = torch.where(before < 0, types[:, v : v + 1], state.gather(1, before.clamp_min(0)))
        pointers.append(pointer[real].flatten())
        sources.append(((v - 1 - places) * count + rows[:, None])[real].flatten())
        decisions.append(accepted[real].flatten())
        owners.append(rows[real].repeat_interleave(v))
        typed.append((v * count + rows)[real])
    pointer = torch.cat(pointers)
    pointer = torch.where(pointer < 0, number - 1 - pointer, pointer)
    used, target = torch.unique(pointer, return_inverse=True)
    return Plan(
        intermediate,
        target,
        used,
        torch.cat(sources),
        torch.cat(decisions).float(),
        torch.cat(owners),
        torch.cat(typed),
    )


class DVAEDecoder(nn.Module):
    """From a latent to a graph.

    Args:
        hidden: Size ``H`` of the states.
        latent: Size ``d`` of the latent.
        features: Size of a type's input row.
        num_types: Types ``T``.
        summed: Score types from the sum of all vertex states, as in the released code of the GCN variant,
            rather than from the state of the last vertex, as in D-VAE.
    """

    def __init__(self, hidden: int, latent: int, features: int, num_types: int, *, summed: bool) -> None:
        super().__init__()
        self.summed = summed
        self.num_types = num_types
        self.start = nn.Linear(latent, hidden)
        self.gru = GRUStep(features, hidden)
        self.type_scorer = mlp(hidden, 2 * hidden, num_types)
        self.edge_scorer = EdgeScorer(hidden)

    def loss(self, graphs: ArchitectureBatch, z: Tensor, features: Tensor, message: GatedMessage) -> Tensor:
        """Negative log-likelihood ``(B,)`` of types and edges, with teacher forcing.

        The released code also scores the positions after the end of a graph (as type "start" and no edges),
        which are left out here. Graphs of the papers' ENAS data have none.

        Args:
            graphs: ``B`` vertex graphs.
            z: ``(B, d)``.
            features: ``(T, F)``, the input row of each type.
            message: The gated messages, shared with the encoder's forward sweep.
        """
        plan = plan_decisions(graphs, self.num_types)
        edges, types = graphs.adjacency > 0, graphs.operations.long()
        count, longest = len(types), int(graphs.num_nodes.max())
        table, recurrence, send = self.gru.table(features), self.gru.recurrence(), message.prepared(features)
        finals = [self.gru(table[START].expand(count, -1), torch.tanh(self.start(z)), recurrence)]
        messages: list[Tensor] = []
        sums, inputs = [], []
        for v in range(1, longest):
            sender = torch.tensor(v - 1, device=z.device)
            messages.append(send(finals[-1], sender, types[:, v - 1]))
            accepted = edges[:, :v, v].flip(1)
            totals = (torch.stack(messages[::-1], 1) * accepted[:, :, None]).cumsum(1)
            inputs.append(table[types[:, v]])
            finals.append(self.gru(inputs[-1], totals[:, -1], recurrence))
            graph, place = plan.intermediate[v - 1]
            sums.append((totals[graph, place], inputs[-1][graph]))
        final = torch.cat(finals)
        incoming = torch.cat([total for total, _ in sums])
        between = self.gru(torch.cat([row for _, row in sums]), incoming, recurrence)
        states = torch.cat([self.gru.from_zero(table).to(final.dtype), between, final])

        targets = self.edge_scorer.target(states[plan.used])
        sources = self.edge_scorer.source(final[: (longest - 1) * count])
        edge_logits = self.edge_scorer(sources[plan.source], targets[plan.target]).float()
        edge_loss = F.binary_cross_entropy_with_logits(edge_logits, plan.accepted, reduction="none")

        graph_states = final
        if self.summed:
            graph_states = final.view(longest, count, -1).cumsum(0).flatten(0, 1)
        type_logits = self.type_scorer(graph_states[plan.typed - count]).float()
        wanted = types[:, :longest].T.flatten()[plan.typed]
        type_loss = F.cross_entropy(type_logits, wanted, reduction="none")
        total = torch.zeros(count, device=z.device)
        return total.index_add(0, plan.graph, edge_loss).index_add(0, plan.typed % count, type_loss)

    def generate(self, z: Tensor, drawing: GraphDrawing, features: Tensor, message: GatedMessage) -> None:
        """Draw a graph for each row of ``z`` into ``drawing``."""
        table, send = self.gru.table(features), message.prepared(features)
        empty = self.gru.from_zero(table)
        empty_targets = self.edge_scorer.target(empty)
        states = [self.gru(table[START].expand(len(z), -1), torch.tanh(self.start(z)))]
        messages: list[Tensor] = []
        sources: list[Tensor] = []
        graph_state = states[0]
        types = torch.full((len(z),), START, device=z.device)
        for v in range(1, drawing.adapter.max_vertices):
            messages.append(send(states[-1], torch.tensor(v - 1, device=z.device), types))
            sources.append(self.edge_scorer.source(states[-1]))
            types = drawing.draw_types(v, self.type_scorer(graph_state))
            inputs, state, target = table[types], empty[types], empty_targets[types]
            total = torch.zeros_like(state)
            for u in range(v - 1, -1, -1):
                accepted = drawing.draw_edges(u, v, self.edge_scorer(sources[u], target))
                index = accepted.nonzero()[:, 0]
                if not len(index):
                    continue
                total[index] += messages[u][index]
                if u == 0 and v + 1 == drawing.adapter.max_vertices:
                    continue
                new = self.gru(inputs[index], total[index])
                state[index] = new
                if u:
                    target[index] = self.edge_scorer.target(new)
            states.append(state)
            graph_state = graph_state + state if self.summed else state
