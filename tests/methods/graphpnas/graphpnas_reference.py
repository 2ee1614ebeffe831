"""GraphPNAS's generator in the slow obvious way: one graph, one step, one edge at a time."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def slow_states(generator, graph, step):
    """States of the nodes 0..step, each a vector, when node ``step`` is new."""
    if generator.config.message_passing == "printed":
        return printed_states(generator, graph, step)
    config, space = generator.config, generator.space
    n, labels, width = space.max_nodes, len(space.edge_ops) - 1, config.hidden_size
    net, dtype = generator.messages, generator.node_input.dtype

    def one_hot(k, size):
        return torch.eye(size, dtype=dtype)[k]

    h = []
    for j in range(step):
        told = [torch.ones(1, dtype=dtype)]
        if config.node_input in ("inputs", "both"):
            inputs = torch.zeros(n, dtype=dtype)
            inputs[:j] = torch.tensor(graph.adjacency[:j, j] != 0)
            told.append(inputs)
        if config.node_input in ("operation", "both"):
            told.append(one_hot(int(graph.operations[j]), len(space.node_ops)))
        h.append(torch.cat([torch.cat(told) @ generator.node_input, generator.number[j].to(dtype)]))
    h.append(torch.zeros(width, dtype=dtype))

    edges = []  # source, target, label
    for j in range(step):
        edges += [(step, j, 0), (j, step, 0)]
        for i in range(j):
            if label := int(graph.adjacency[i, j]):
                edges += [(i, j, label), (j, i, label)]
    for layer in range(config.steps):
        bias, *features = net.feature[layer]
        weight = torch.cat([net.first[layer], torch.stack(features)])
        sums = [torch.zeros(width, dtype=dtype) for _ in h]
        for s, d, label in edges:
            marker = torch.zeros(3, dtype=dtype)
            marker[1 if s == step else 0] = 1
            marker[2 if d == step else 1] = 1
            e = torch.cat([marker, one_hot(label, labels + 1), one_hot(d, n) - one_hot(s, n)])
            hidden = torch.relu(torch.cat([h[s] - h[d], e]) @ weight + bias)
            message = hidden[:width] @ net.second[layer, 0] + net.second_bias[layer, 0, 0]
            gate = torch.sigmoid(hidden[width:] @ net.second[layer, 1] + net.second_bias[layer, 1, 0])
            sums[d] = sums[d] + gate * message
        h = [
            torch.gru_cell(
                total[None],
                state[None],
                net.gathered[layer].roll(-width, 1).t(),
                net.state[layer].t(),
                net.gathered_bias[layer].roll(-width),
                net.state_bias[layer],
            )[0]
            for total, state in zip(sums, h, strict=True)
        ]
        if layer + 1 < config.steps:
            h = [torch.relu(state) for state in h]
    return h


def printed_states(generator, graph, step):
    """The same by eq. 7-10 as the paper prints them."""
    space, net, dtype = generator.space, generator.messages, generator.operation_mask.dtype
    n, labels = space.max_nodes, len(space.edge_ops) - 1
    width = generator.config.hidden_size
    h, u, neighbours = [], [], {}
    for i in range(step + 1):
        position, feeding = torch.zeros(n, dtype=dtype), torch.zeros(n, dtype=dtype)
        position[i] = 1
        h.append(torch.zeros(width, dtype=dtype))
        if i < step:
            h[i] = net.start.weight[:, int(graph.operations[i])]
            for j in range(i):
                feeding[j] = float(graph.adjacency[j, i] != 0)
        u.append(torch.cat([feeding, position]))
        # N(i) with what is known of the edge: whether it leads from j to i, and its label.
        neighbours[i] = {i: (0.0, 0)}
        for j in range(step + 1):
            low, high = min(i, j), max(i, j)
            if i != j and (high == step or graph.adjacency[low, high]):
                label = 0 if high == step else int(graph.adjacency[low, high])
                neighbours[i][j] = (float(j < i), label)
    for _ in range(generator.config.steps):
        new = []
        for i in range(step + 1):
            total = torch.zeros(width, dtype=dtype)
            for j, (direction, label) in neighbours[i].items():
                told = torch.zeros(1 + (labels if labels > 1 else 0), dtype=dtype)
                told[0] = direction
                if labels > 1 and label:
                    told[label] = 1
                message = net.f(torch.cat([h[i] - h[j], told]))
                attention = torch.sigmoid(net.g(torch.cat([h[i], u[i]]) - torch.cat([h[j], u[j]])))
                total = total + attention * message
            new.append(net.gru(total[None], h[i][None])[0])
        h = new
    return h


def slow_head(heads, which, x):
    """One perceptron of several."""
    width = len(x)
    h = torch.relu((x @ heads.first + heads.first_bias)[which * width : (which + 1) * width])
    for weight, bias in zip(heads.hidden, heads.hidden_bias, strict=True):
        h = torch.relu(h @ weight[which] + bias[which, 0])
    begin = sum(heads.outputs[:which])
    own = slice(begin, begin + heads.outputs[which])
    return h @ heads.last[:, own] + heads.last_bias[own]


def slow_log_likelihood(generator, graph):
    """Log-probabilities of each row's edges, operation and labels, and how many labels were a choice."""
    config, space = generator.config, generator.space
    zero = torch.zeros((), dtype=generator.operation_mask.dtype)
    edges, operations, labels, counts = [], [], [], []
    for i in range(graph.num_nodes):
        h = slow_states(generator, graph, i)
        differences = [h[i] - h[j] for j in range(i)]
        alphas = [slow_head(generator.edge_heads, 1, d) for d in differences]
        if config.self_pair:
            alphas.append(slow_head(generator.edge_heads, 1, h[i] - h[i]))
        total = sum(alphas, torch.zeros(config.mixtures, dtype=zero.dtype))
        if config.mixture_logits == "mean":
            total = total / max(1, len(alphas))
        components = torch.log_softmax(total, 0)
        label_sum, count = zero, 0
        free = False
        for j, difference in enumerate(differences):
            theta = slow_head(generator.edge_heads, 0, difference)
            choices = list(space.edge_choices(j, i))
            named = [k for k in choices if k]
            label = int(graph.adjacency[j, i])
            if 0 in choices and named:
                free = True
                components = components + (F.logsigmoid(theta) if label else F.logsigmoid(-theta))
            if label and len(named) > 1:
                logits = slow_head(generator.edge_heads, 2, difference)
                among = torch.log_softmax(logits[[k - 1 for k in named]], 0)
                label_sum = label_sum + among[named.index(label)]
                count += 1
        edges.append(torch.logsumexp(components, 0) if free else zero)
        allowed = list(space.node_choices(i))
        if space.terminal is not None and i:
            allowed = [*allowed, space.terminal] if space.terminal not in allowed else allowed
            allowed = [space.terminal] if i == space.max_nodes - 1 else allowed
        logits = slow_head(generator.operation_head, 0, h[i])[allowed]
        operations.append(torch.log_softmax(logits, 0)[allowed.index(int(graph.operations[i]))])
        labels.append(label_sum)
        counts.append(count)
    return torch.stack(edges), torch.stack(operations), torch.stack(labels), counts
