"""The graph neural network of GraphPNAS: message passing with attention and a GRU (eq. 7-10).

The first linear layer of messages and gates acts on ``[h_s - h_d, e]``. It is split: its part for ``h`` is
computed per node, where subtraction is cheap, and its part for the few-hot edge features ``e`` is a table.
The derivative is written by hand, see :mod:`.by_hand`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.methods.graphpnas.adam import gradient_for
from graphnas.methods.graphpnas.by_hand import sigmoid_backward, sum_rows, tanh_backward, threshold_backward
from graphnas.methods.graphpnas.subgraphs import Wiring

Backward = Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]
"""Gradients of the inputs and of the weights, from that of the states."""
ROUND = 256
"""Nodes and edges are filled up to multiples of it in bfloat16: matrix products there are compiled anew for
each size that did not come lately, which costs more than the product."""


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

        def draw(bound: float, *shape: int) -> Tensor:
            return torch.empty(steps, *shape).uniform_(-bound, bound, generator=generator)

        # Of messages, then of gates.
        self.first = nn.Parameter(draw(of_pair, h, 2 * h))
        # Of the GRU, what acts on the past state: reset, update, new.
        self.state = nn.Parameter(draw(of_hidden, h, 3 * h))
        self.first_bias = nn.Parameter(draw(of_pair, 1, 2 * h))
        self.marker = nn.Parameter(draw(of_pair, 3 + num_labels + 1, 2 * h))
        self.position = nn.Parameter(draw(of_pair, num_nodes, 2 * h))
        self.state_bias = nn.Parameter(draw(of_hidden, 3 * h))
        self.second = nn.Parameter(draw(of_hidden, 2, h, h))
        self.second_bias = nn.Parameter(draw(of_hidden, 2, 1, h))
        # What acts on the sum of the messages: new, reset, update. Beside the past's in this order, the gates
        # of both stand together.
        self.gathered = nn.Parameter(draw(of_hidden, h, 3 * h).roll(h, -1))
        self.gathered_bias = nn.Parameter(draw(of_hidden, 3 * h).roll(h, -1))
        self.register_buffer("code", _edge_code(num_labels), persistent=False)

    code: Tensor

    def weights(self) -> tuple[Tensor, ...]:
        """What is learned."""
        return (
            *(self.marker, self.first_bias, self.position, self.first, self.second, self.second_bias),
            *(self.state, self.state_bias, self.gathered, self.gathered_bias),
        )

    @torch.no_grad()
    def forward(self, x: Tensor, wiring: Wiring) -> Tensor:
        """States of the nodes after S rounds, ``(V, H)``, from their inputs ``(V, H)``, without gradients."""
        return _propagate(x, wiring, self.code, *self.weights(), saved=None)

    def with_backward(self, x: Tensor, wiring: Wiring) -> tuple[Tensor, Backward]:
        """The same, and its derivative."""
        saved: list[tuple[Tensor, ...]] = []
        states = _propagate(x, wiring, self.code, *self.weights(), saved=saved)

        def backward(d_h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            matrices = self.first, self.second, self.state, self.gathered
            return _propagate_backward(d_h, wiring, self.code, matrices, saved)

        return states, backward

    @torch.no_grad()
    def rounded(self) -> Callable[[Tensor, Wiring], Tensor]:
        """What :meth:`forward` does with the weights of now, in bfloat16 and without gradients.

        Several times faster on processors with matrix units for bfloat16. Weights and states have 8 bits
        then, so that the states are right to about a percent.
        """
        code = self.code.bfloat16()
        weights = tuple(weight.bfloat16() for weight in self.weights())

        def states(x: Tensor, wiring: Wiring) -> Tensor:
            filled = wiring.filled(ROUND)
            more = len(filled.node) - len(x)
            h = _propagate(F.pad(x.bfloat16(), (0, 0, 0, more)), filled, code, *weights, saved=None)
            return h[: len(x)].to(x.dtype)

        return states


def _edge_code(num_labels: int) -> Tensor:
    """Markers and labels of each edge type, ``(L+2, 3+L+1)``, as in the released code.

    Slot 0 or 1 says that the source is old or new, slot 1 or 2 that the target is; the label of an edge that
    touches the new node is 0.
    """
    labels = torch.eye(num_labels + 1)
    markers = torch.tensor([[1.0, 1.0, 0.0]] * num_labels + [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    return torch.cat([markers, torch.cat([labels[1:], labels[:1], labels[:1]])], 1)


def _relu_(x: Tensor) -> Tensor:
    """ReLU in place; of bfloat16 by its bits, which are those of a negative integer where it is negative."""
    if x.dtype == torch.bfloat16:
        # Several times faster than by way of float32, and the same but for the sign of 0.
        x.view(torch.int16).clamp_min_(0)
        return x
    return x.relu_()


def _propagate(
    x: Tensor,
    wiring: Wiring,
    code: Tensor,
    marker: Tensor,
    first_bias: Tensor,
    position: Tensor,
    first: Tensor,
    second: Tensor,
    second_bias: Tensor,
    state: Tensor,
    state_bias: Tensor,
    gathered: Tensor,
    gathered_bias: Tensor,
    *,
    saved: list[tuple[Tensor, ...]] | None,
) -> Tensor:
    """All rounds; where ``saved`` is a list, what the backward pass needs of each is put there."""
    (nodes, width), steps, edges, kinds = x.shape, len(first), len(wiring.target), len(code)
    every = torch.arange(max(3 * edges, kinds), device=x.device)
    ends, each = every[: 3 * edges : 3].contiguous(), every[:edges]
    signs = wiring.end_signs.to(x.dtype)
    # First layers of what does not depend on the states: of edge types, then of the numbers of nodes.
    fixed = x.new_empty(steps, kinds + position.shape[1], 2 * width)
    torch.baddbmm(first_bias, code.expand(steps, -1, -1), marker, out=fixed[:, :kinds])
    torch.neg(position, out=fixed[:, kinds:])
    which = torch.cat([every[:kinds], wiring.node + kinds])
    gates_bias = state_bias.clone()
    gates_bias[:, : 2 * width] += gathered_bias[:, width:]
    table, sent = x.new_empty(kinds + nodes, 2 * width), x.new_empty(edges, width)
    of_node = table[kinds:]
    h = x
    weights = (fixed, first, second, second_bias, state, gates_bias, gathered, gathered_bias[:, :width])
    for step, (rows, to_first, to_both, edge_bias, to_past, past_bias, to_sum, sum_bias) in enumerate(
        zip(*(w.unbind() for w in weights), strict=True)
    ):
        if step:
            h = _relu_(h)
        torch.index_select(rows, 0, which, out=table)
        of_node.addmm_(h, to_first)
        hidden = _relu_(sum_rows(table, wiring.ends, ends, signs))
        halves = hidden.view(edges, 2, width).transpose(0, 1)
        message, gate = torch.baddbmm(edge_bias, halves, to_both).unbind()
        gate.sigmoid_()
        total = sum_rows(torch.mul(message, gate, out=sent), each, wiring.begin)
        past = torch.addmm(past_bias, h, to_past)
        gates = past[:, : 2 * width].addmm_(total, to_sum[:, width:]).sigmoid_()
        reset, update, old = past.view(nodes, 3, width).unbind(1)
        new = torch.addmm(sum_bias, total, to_sum[:, :width]).addcmul_(reset, old).tanh_()
        if saved is not None:
            saved.append((h, hidden, halves, message, gate, total, gates, reset, update, old, new))
        h = torch.lerp(new, h, update)
    return h


def _propagate_backward(
    d_h: Tensor,
    wiring: Wiring,
    code: Tensor,
    matrices: tuple[Tensor, ...],
    saved: list[tuple[Tensor, ...]],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Gradients of x and of the weights of :func:`_propagate`, of which ``matrices`` are needed."""
    (nodes, width), steps, edges = d_h.shape, len(matrices[0]), len(wiring.target)
    signs = wiring.around_signs.to(d_h.dtype)
    around = 2 * wiring.begin
    kind, number = wiring.kind.to(d_h.dtype).t(), wiring.number.to(d_h.dtype).t()
    d_first, d_second, d_state, d_gathered = map(gradient_for, matrices)
    d_second_bias = d_h.new_empty(steps, 2, 1, width)
    d_bias = d_h.new_empty(steps, 4 * width)
    d_kinds = d_h.new_empty(steps, len(code), 2 * width)
    d_numbers = d_h.new_empty(steps, len(number), 2 * width)
    found = (d_first, d_second, d_state, d_gathered, d_second_bias, d_bias, d_kinds, d_numbers)
    back = zip(*(w.transpose(-1, -2).unbind() for w in matrices), strict=True)
    rounds = list(zip(saved, back, zip(*(d.unbind() for d in found), strict=True), strict=True))
    # Places for the gradients of what a round computes. Of nodes: new, reset, update, old, of which the
    # first three come from the sum of messages and the last three from the past state.
    d_node = d_h.new_empty(nodes, 4 * width)
    d_sum, d_past, d_gates = d_node[:, : 3 * width], d_node[:, width:], d_node[:, width : 3 * width]
    d_new, d_reset, d_update, d_old = d_node.view(nodes, 4, width).unbind(1)
    d_sent, d_both = d_h.new_empty(edges, width), d_h.new_empty(2, edges, width)
    d_message, d_gate = d_both.unbind()
    d_hidden = d_h.new_empty(edges, 2 * width)
    d_halves = d_hidden.view(edges, 2, width).transpose(0, 1)
    for of_round, (from_node, from_both, from_past, from_sum), of in reversed(rounds):
        h, hidden, halves, message, gate, total, gates, reset, update, old, new = of_round
        d_of_first, d_of_both, d_of_past, d_of_sum, d_edge_bias, d_of_bias, d_kind, d_number = of
        # The GRU: h' = update h + (1 - update) new.
        d_kept = d_h * update
        tanh_backward(d_h - d_kept, new, grad_input=d_new)
        torch.mul(d_new, old, out=d_reset)
        torch.mul(d_h, h - new, out=d_update)
        sigmoid_backward(d_gates, gates, grad_input=d_gates)
        torch.mul(d_new, reset, out=d_old)
        torch.mm(total.t(), d_sum, out=d_of_sum)
        torch.mm(h.t(), d_past, out=d_of_past)
        torch.sum(d_node, 0, out=d_of_bias)
        # The messages.
        torch.index_select(torch.mm(d_sum, from_sum), 0, wiring.target, out=d_sent)
        torch.mul(d_sent, gate, out=d_message)
        sigmoid_backward(d_sent.mul_(message), gate, grad_input=d_gate)
        torch.bmm(halves.transpose(1, 2), d_both, out=d_of_both)
        torch.sum(d_both, 1, keepdim=True, out=d_edge_bias)
        torch.bmm(d_both, from_both, out=d_halves)
        threshold_backward(d_hidden, hidden, 0, grad_input=d_hidden)
        torch.mm(kind, d_hidden, out=d_kind)
        d_first_layer = sum_rows(d_hidden, wiring.around, around, signs)
        torch.mm(number, d_first_layer, out=d_number)
        torch.mm(h.t(), d_first_layer, out=d_of_first)
        d_h = d_kept.addmm_(d_first_layer, from_node).addmm_(d_past, from_past)
        if of_round is not saved[0]:
            threshold_backward(d_h, h, 0, grad_input=d_h)
    return d_h, (
        *(torch.matmul(code.t(), d_kinds), d_kinds.sum(1, keepdim=True), d_numbers.neg_()),
        *(d_first, d_second, d_second_bias),
        *(d_state, d_bias[:, width:].contiguous(), d_gathered, d_bias[:, : 3 * width].contiguous()),
    )
