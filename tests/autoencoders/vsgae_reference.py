"""VS-GAE once more, slow and obvious: one graph, one vertex, one message at a time."""

from __future__ import annotations

import torch
from latent_reference import START, Graph, bit_loss, gru_cell, type_loss
from torch import Tensor


def passed(layer, states: list[Tensor], edges: set[tuple[int, int]]) -> list[Tensor]:
    """One round of messages, edge by edge, in both directions."""
    found = []
    for v, state in enumerate(states):
        total = torch.zeros(2 * len(state))
        for i, j in sorted(edges):
            if j == v:
                total = total + layer.forward_message(torch.cat([states[i], state]))
            if i == v:
                total = total + layer.reverse_message(torch.cat([states[j], state]))
        found.append(gru_cell(layer.gru, total, state))
    return found


def read(head, states: list[Tensor]) -> Tensor:
    return sum(torch.sigmoid(head.gate(h)) * head.value(h) for h in states)


def encoded_states(encoder, graph: Graph) -> list[Tensor]:
    states = [encoder.embedding.weight[t] for t in graph.types]
    for layer in [encoder.first_layer, *encoder.layers]:
        states = passed(layer, states, graph.edges)
    return states


def encode(model, graph: Graph) -> tuple[Tensor, Tensor]:
    encoder = model.encoder
    states = encoded_states(encoder, graph)
    return read(encoder.mean, states), read(encoder.log_variance, states)


def run(model, graph: Graph, z: Tensor, longest: int):
    """Each step's type logits, candidate states, new state and graph state; a short graph is padded."""
    decoder = model.decoder
    types = graph.types + [START] * (longest - graph.size)
    states = [decoder.start(torch.cat([decoder.embedding.weight[START], z]))]
    for v in range(1, longest):
        if v == 1:
            summary, init = decoder.graph_state.value(states[0]), decoder.init_state.value(states[0])
        else:
            edges = {(i, j) for i, j in graph.edges if j < v} if v <= graph.size else {(0, 1)}
            for layer in decoder.layers:
                states = passed(layer, states, edges)
            summary, init = read(decoder.graph_state, states), read(decoder.init_state, states)
        logits = decoder.add_node(torch.cat([summary, z]))
        new = decoder.init_node(torch.cat([decoder.embedding.weight[types[v]], init, z]))
        yield v, logits, states, new, summary
        states = [*states, new]


def losses(model, graphs: list[Graph], codes: Tensor, *, tiling: bool = False) -> Tensor:
    """The loss of each graph of a batch; ``tiling`` gives row r of a step the context of graph r mod B."""
    longest = max(graph.size for graph in graphs)
    runs = [list(run(model, graph, z, longest)) for graph, z in zip(graphs, codes, strict=True)]
    found = []
    for b, graph in enumerate(graphs):
        loss = torch.zeros(())
        for v, logits, states, new, _ in runs[b][: graph.size - 1]:
            loss = loss + type_loss(logits, graph.types[v])
            if v == 1 and model.decoder.first_edge_given:
                continue
            for u in range(v):
                other = (b * v + u) % len(graphs) if tiling else b
                row = torch.cat([states[u], new, runs[other][v - 1][4], codes[other]])
                share = 1 / v if model.decoder.mean_of_edges else 1
                loss = loss + share * bit_loss(model.decoder.add_edges(row)[0], (u, v) in graph.edges)
        found.append(loss)
    return torch.stack(found)
