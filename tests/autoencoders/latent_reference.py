"""The graph autoencoders once more, slow and obvious: one graph, one vertex, one edge at a time.

Written from the papers' formulas on plain Python lists of edges; only the weights come from the fast models.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from graphnas import ArchitectureBatch

START, END = 0, 1


class Graph:
    """One vertex graph: types and predecessors."""

    def __init__(self, types: list[int], edges: set[tuple[int, int]]) -> None:
        self.types, self.edges, self.size = types, edges, len(types)

    def predecessors(self, v: int) -> list[int]:
        return [u for u in range(self.size) if (u, v) in self.edges]

    def successors(self, v: int) -> list[int]:
        return [w for w in range(self.size) if (v, w) in self.edges]


def graphs_of(batch: ArchitectureBatch) -> list[Graph]:
    found = []
    for adjacency, types, n in zip(batch.adjacency, batch.operations, batch.num_nodes.tolist(), strict=True):
        edges = {(i, j) for i in range(n) for j in range(n) if adjacency[i, j]}
        found.append(Graph(types[:n].tolist(), edges))
    return found


def one_hot(index: int, length: int) -> Tensor:
    row = torch.zeros(length)
    row[index] = 1
    return row


def gru_cell(cell, x: Tensor, h: Tensor) -> Tensor:
    return torch.gru_cell(x[None], h[None], cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)[0]


def type_row(model, t: int) -> Tensor:
    table = getattr(model, "embedding", None)
    return one_hot(t, model.adapter.num_types) if table is None else table.weight[t]


def gated(model, part, h: Tensor, graph: Graph, u: int) -> Tensor:
    """The message of vertex ``u`` with state ``h``: ``g(x) * m(x)`` of one vector ``x``."""
    size = len(h)
    labels = {
        "state": torch.zeros(0),
        "number": one_hot(u, model.adapter.max_vertices),
        "type": type_row(model, graph.types[u]),
    }
    label = labels[model.config.message]
    weight = part.weight if part.label_weight is None else torch.cat([part.weight, part.label_weight.T], 1)
    both = weight @ torch.cat([h, label])
    return torch.sigmoid(both[:size] + part.bias) * both[size:]


def zero_state(model) -> Tensor:
    return torch.zeros(model.config.hidden)


# ---------------------------------------------------------------- encoders


def encode_dvae(model, graph: Graph) -> Tensor:
    forward: list[Tensor] = []
    for v in range(graph.size):
        total = zero_state(model)
        for u in graph.predecessors(v):
            total = total + gated(model, model.message, forward[u], graph, u)
        forward.append(gru_cell(model.encoder, type_row(model, graph.types[v]), total))
    if not model.config.bidirectional:
        return forward[-1]
    backward: dict[int, Tensor] = {}
    for v in reversed(range(graph.size)):
        total = zero_state(model)
        for w in graph.successors(v):
            total = total + gated(model, model.backward_message, backward[w], graph, w)
        backward[v] = gru_cell(model.backward_encoder, type_row(model, graph.types[v]), total)
    return model.unite(torch.cat([forward[-1], backward[0]]))


def encode_gcn(model, graph: Graph) -> Tensor:
    states = [type_row(model, t) for t in graph.types]
    for number, level in enumerate(model.levels):
        in_place = number > 0 and model.config.propagation == "in_place"
        before = states if in_place else list(states)
        for v in range(graph.size):
            degree = len(graph.predecessors(v)) + 1
            total = before[v] / degree
            for u in graph.predecessors(v):
                total = total + before[u] / math.sqrt((len(graph.successors(u)) + 1) * degree)
            states[v] = torch.relu(level(total))
    total = zero_state(model)
    for v in range(1, graph.size - 1):
        total = total + states[v]
    return total


def token(model, graph: Graph, v: int) -> Tensor:
    bits = torch.zeros(model.adapter.max_vertices - 1)
    if v >= graph.size:
        return torch.cat([one_hot(START, model.adapter.num_types), bits])
    for u in graph.predecessors(v):
        bits[u] = 1
    return torch.cat([one_hot(graph.types[v], model.adapter.num_types), bits])


def encode_sequence(model, graph: Graph) -> Tensor:
    state = zero_state(model)
    for v in range(1, model.adapter.max_vertices):
        state = gru_cell(model.encoder, token(model, graph, v), state)
    return state


# ---------------------------------------------------------------- decoders: negative log-likelihoods


def type_loss(logits: Tensor, wanted: int) -> Tensor:
    return -torch.log_softmax(logits, 0)[wanted]


def bit_loss(logit: Tensor, wanted: bool) -> Tensor:
    p = torch.sigmoid(logit)
    return -torch.log(p if wanted else 1 - p)


def edge_logit(scorer, source: Tensor, target: Tensor) -> Tensor:
    weight = torch.cat([scorer.source.weight, scorer.target.weight], 1)
    hidden = torch.relu(weight @ torch.cat([source, target]) + scorer.target.bias)
    return scorer.output(hidden)[0]


def loss_dvae(model, graph: Graph, z: Tensor) -> Tensor:
    decoder = model.decoder

    def updated(v: int, accepted: list[int]) -> Tensor:
        total = zero_state(model)
        for u in accepted:
            total = total + gated(model, model.message, states[u], graph, u)
        return gru_cell(decoder.gru, type_row(model, graph.types[v]), total)

    states = [gru_cell(decoder.gru, type_row(model, START), torch.tanh(decoder.start(z)))]
    loss = torch.zeros(())
    for v in range(1, graph.size):
        graph_state = torch.stack(states).sum(0) if decoder.summed else states[-1]
        loss = loss + type_loss(decoder.type_scorer(graph_state), graph.types[v])
        accepted: list[int] = []
        states.append(updated(v, accepted))
        for u in range(v - 1, -1, -1):
            wanted = (u, v) in graph.edges
            loss = loss + bit_loss(edge_logit(decoder.edge_scorer, states[u], states[v]), wanted)
            if wanted:
                accepted.append(u)
                states[v] = updated(v, accepted)
    return loss


def losses_svae(model, graph: Graph, z: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of what an order of vertices allows, and that of the bits that it excludes."""
    h0 = torch.relu(model.start(z))
    state, loss, excluded = zero_state(model), torch.zeros(()), torch.zeros(())
    for v in range(1, graph.size):
        state = gru_cell(model.decoder, h0, state)
        loss = loss + type_loss(model.type_scorer(state), graph.types[v])
        logits = model.edge_scorer(state)
        for u in range(model.adapter.max_vertices - 1):
            if u < v:
                loss = loss + bit_loss(logits[u], (u, v) in graph.edges)
            else:
                excluded = excluded + bit_loss(logits[u], False)
    return loss, excluded


def losses_graphrnn(model, graph: Graph, z: Tensor) -> tuple[Tensor, Tensor]:
    state, loss, excluded = torch.relu(model.start(z)), torch.zeros(()), torch.zeros(())
    before = torch.zeros(model.token_width)
    for v in range(1, graph.size):
        state = gru_cell(model.decoder, before, state)
        loss = loss + type_loss(model.type_scorer(state), graph.types[v])
        edge_state, bit = state, torch.zeros(1)
        for u in range(model.adapter.max_vertices - 1):
            edge_state = gru_cell(model.edge_decoder, bit, edge_state)
            wanted = (u, v) in graph.edges
            term = bit_loss(model.edge_scorer(edge_state)[0], wanted)
            loss, excluded = (loss + term, excluded) if u < v else (loss, excluded + term)
            bit = torch.tensor([float(wanted)])
        before = token(model, graph, v)
    return loss, excluded


# ---------------------------------------------------------------- all together

ENCODERS = {
    "DVAE": encode_dvae,
    "DVAEEmb": encode_dvae,
    "GCN": encode_gcn,
    "GCNEmb": encode_gcn,
    "SVAE": encode_sequence,
    "GraphRNN": encode_sequence,
}


def encode(model, graph: Graph) -> tuple[Tensor, Tensor]:
    """Mean and log-variance ``(d,)``."""
    state = ENCODERS[type(model).__name__](model, graph)
    return model.mean(state), model.log_variance(state)


def reconstruction(model, graph: Graph, z: Tensor) -> tuple[Tensor, Tensor]:
    """What generation could draw, and the rest that only the loss counts."""
    name = type(model).__name__
    if name == "SVAE":
        return losses_svae(model, graph, z)
    if name == "GraphRNN":
        return losses_graphrnn(model, graph, z)
    return loss_dvae(model, graph, z), torch.zeros(())
