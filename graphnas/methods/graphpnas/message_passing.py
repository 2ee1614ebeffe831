"""The graph neural network of GraphPNAS: message passing with attention and a GRU (eq. 7-10).

The first linear layer of messages and gates acts on ``[h_s - h_d, e]``. It is split: its part for ``h`` is
computed per node, where subtraction is cheap, and its part for the few-hot edge features ``e`` is a table.
The backward pass is written by hand: on one core a training step is a few hundred small operations, and
recording them would cost as much as running them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from graphnas.methods.graphpnas.subgraphs import Wiring

# Signs of the ends of an edge (source, target, type) and of the edges around a node (outgoing, incoming).
_END_SIGNS = (1.0, -1.0, 1.0)
_AROUND_SIGNS = (1.0, -1.0)


class MessagePassing(nn.Module):
    """S rounds of message passing over sub-graphs, each with weights of its own (GraphPNAS, eq. 7-10).

    Round by round, for the edges from s to d::

        m = MLP([h_s - h_d, e]),  a = sigmoid(MLP([h_s - h_d, e])),  h_d <- GRU(sum over s of a * m, h_d)

    and ReLU between the rounds. MLPs have one hidden layer of H units; a is a vector. The edge features e are
    whether source and target are old or new, the label of an edge between old nodes, and the numbers of both
    nodes. That e enters both MLPs is the released code's choice; the paper has 1_ij and u_i. The code's gate
    has 128 hidden units whatever H is, here H: the same where H is the paper's 128.

    Args:
        num_nodes: N, the numbers that nodes may have.
        num_labels: L, the labels of edges.
        hidden_size: H.
        steps: S.
        generator: Source of the initial weights, on the CPU.
    """

    def __init__(
        self, num_nodes: int, num_labels: int, hidden_size: int, steps: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        h = hidden_size
        of_pair, of_hidden = 1 / math.sqrt(2 * h), 1 / math.sqrt(h)  # as nn.Linear: 1 / sqrt(fan_in)

        def draw(bound: float, *shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(steps, *shape).uniform_(-bound, bound, generator=generator))

        # Messages first, then gates, side by side.
        self.first = draw(of_pair, h, 2 * h)
        self.first_bias = draw(of_pair, 1, 2 * h)
        self.marker = draw(of_pair, 3 + num_labels + 1, 2 * h)
        self.position = draw(of_pair, num_nodes, 2 * h)
        self.second = draw(of_hidden, 2, h, h)
        self.second_bias = draw(of_hidden, 2, 1, h)
        # The GRU: reset, update, new.
        self.aggregate = draw(of_hidden, h, 3 * h)
        self.aggregate_bias = draw(of_hidden, 3 * h)
        self.state = draw(of_hidden, h, 3 * h)
        self.state_bias = draw(of_hidden, 3 * h)
        self.register_buffer("code", _edge_code(num_labels), persistent=False)
        self.register_buffer("signs", torch.empty(0), persistent=False)

    code: Tensor
    signs: Tensor

    def forward(self, x: Tensor, wiring: Wiring) -> Tensor:
        """States of the nodes after S rounds, ``(V, H)``, from their inputs ``(V, H)``."""
        kinds = self.code @ self.marker + self.first_bias
        parameters = (
            *(kinds, self.position, self.first, self.second, self.second_bias),
            *(self.aggregate, self.aggregate_bias, self.state, self.state_bias),
        )
        states: Tensor = _Propagate.apply(x, wiring, *parameters)  # type: ignore[no-untyped-call]
        return states


def _edge_code(num_labels: int) -> Tensor:
    """Markers and labels of each edge type, ``(L+2, 3+L+1)``, as in the released code.

    Slot 0 or 1 says that the source is old or new, slot 1 or 2 that the target is; the label of an edge that
    touches the new node is 0.
    """
    labels = torch.eye(num_labels + 1)
    markers = torch.tensor([[1.0, 1.0, 0.0]] * num_labels + [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    return torch.cat([markers, torch.cat([labels[1:], labels[:1], labels[:1]])], 1)


def _sum_rows(table: Tensor, index: Tensor, begin: Tensor, signs: Tensor | None = None) -> Tensor:
    """Sums of rows of ``table``: those of ``index`` from ``begin[k]`` to ``begin[k+1]`` make row k."""
    # Mode 0 is the sum. One call, where gathering and subtracting would be five.
    return torch.embedding_bag(table, index, begin, False, 0, False, signs)[0]


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        wiring: Wiring,
        kinds: Tensor,
        position: Tensor,
        first: Tensor,
        second: Tensor,
        second_bias: Tensor,
        aggregate: Tensor,
        aggregate_bias: Tensor,
        state: Tensor,
        state_bias: Tensor,
    ) -> Tensor:
        needed = any(ctx.needs_input_grad)
        width = x.shape[1]
        edges = len(wiring.target)
        num_kinds = kinds.shape[1]
        end_signs = x.new_tensor(_END_SIGNS).repeat(edges)
        every_third = torch.arange(0, 3 * edges, 3, device=x.device)
        every = torch.arange(edges, device=x.device)
        own = position.index_select(1, wiring.node).neg_()
        saved = []
        h = x
        for step in range(len(first)):
            table = torch.cat([kinds[step], own[step]])
            table[num_kinds:].addmm_(h, first[step])
            hidden = _sum_rows(table, wiring.ends, every_third, end_signs).relu_()
            both = torch.baddbmm(
                second_bias[step], hidden.view(edges, 2, width).transpose(0, 1), second[step]
            )
            message, gate = both[0], both[1].sigmoid_()
            gathered = _sum_rows(message * gate, every, wiring.begin)
            new = torch.addmm(aggregate_bias[step], gathered, aggregate[step])
            past = torch.addmm(state_bias[step], h, state[step])
            gates = (new[:, : 2 * width] + past[:, : 2 * width]).sigmoid_()
            past_new = past[:, 2 * width :]
            candidate = torch.addcmul(new[:, 2 * width :], gates[:, :width], past_new).tanh_()
            after = torch.lerp(candidate, h, gates[:, width:])
            if needed:
                saved.append((h, hidden, message, gate, gathered, gates, past_new, candidate))
            h = after.relu_() if step + 1 < len(first) else after
        if needed:
            ctx.saved, ctx.wiring, ctx.every_third = saved, wiring, every_third
            ctx.save_for_backward(x, kinds, position, first, second, aggregate, state)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_after: Tensor) -> tuple[Tensor | None, ...]:
        x, kinds, position, first, second, aggregate, state = ctx.saved_tensors
        wiring: Wiring = ctx.wiring
        width, edges = x.shape[1], len(wiring.target)
        d_kinds, d_first, d_second = map(torch.empty_like, (kinds, first, second))
        d_aggregate, d_state = torch.empty_like(aggregate), torch.empty_like(state)
        d_second_bias = second.new_empty(len(first), 2, 1, width)
        d_aggregate_bias, d_state_bias = (aggregate.new_empty(len(first), 3 * width) for _ in range(2))
        d_own = x.new_empty(len(first), len(x), 2 * width)
        around_signs = x.new_tensor(_AROUND_SIGNS).repeat(edges)
        around_begin = 2 * wiring.begin
        kind = wiring.kind.to(x.dtype).t()
        for step in reversed(range(len(first))):
            h, hidden, message, gate, gathered, gates, past_new, candidate = ctx.saved[step]
            reset, update = gates[:, :width], gates[:, width:]
            # The GRU.
            d_h = d_after * update
            d_new = x.new_empty(len(x), 3 * width)
            d_candidate = torch.ops.aten.tanh_backward(d_after - d_h, candidate)
            d_new[:, 2 * width :] = d_candidate
            torch.mul(d_candidate, past_new, out=d_new[:, :width])
            torch.mul(d_after, h - candidate, out=d_new[:, width : 2 * width])
            d_gates = torch.ops.aten.sigmoid_backward(d_new[:, : 2 * width], gates)
            d_new[:, : 2 * width] = d_gates
            d_past = torch.cat([d_gates, d_candidate * reset], 1)
            torch.mm(gathered.t(), d_new, out=d_aggregate[step])
            torch.sum(d_new, 0, out=d_aggregate_bias[step])
            torch.mm(h.t(), d_past, out=d_state[step])
            torch.sum(d_past, 0, out=d_state_bias[step])
            d_h.addmm_(d_past, state[step].t())
            # The messages.
            d_sent = torch.mm(d_new, aggregate[step].t()).index_select(0, wiring.target)
            d_both = x.new_empty(2, edges, width)
            torch.mul(d_sent, gate, out=d_both[0])
            d_both[1] = torch.ops.aten.sigmoid_backward(d_sent.mul_(message), gate)
            halves = hidden.view(edges, 2, width).transpose(0, 1)
            torch.bmm(halves.transpose(1, 2), d_both, out=d_second[step])
            torch.sum(d_both, 1, keepdim=True, out=d_second_bias[step])
            d_hidden = torch.empty_like(hidden)
            torch.bmm(
                d_both, second[step].transpose(1, 2), out=d_hidden.view(edges, 2, width).transpose(0, 1)
            )
            d_hidden = torch.ops.aten.threshold_backward(d_hidden, hidden, 0)
            torch.mm(kind, d_hidden, out=d_kinds[step])
            d_table = _sum_rows(d_hidden, wiring.around, around_begin, around_signs)
            d_own[step] = d_table
            torch.mm(h.t(), d_table, out=d_first[step])
            d_h.addmm_(d_table, first[step].t())
            d_after = torch.ops.aten.threshold_backward(d_h, h, 0) if step else d_h
        numbers = torch.nn.functional.one_hot(wiring.node, position.shape[1]).to(x.dtype)
        d_position = torch.matmul(numbers.t(), d_own).neg_()
        return (
            *(d_after, None, d_kinds, d_position, d_first, d_second, d_second_bias),
            *(d_aggregate, d_aggregate_bias, d_state, d_state_bias),
        )
