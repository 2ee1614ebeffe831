"""The graph neural network of GraphPNAS: message passing with attention and a GRU (eq. 7-10).

The first linear layer of messages and gates acts on ``[h_s - h_d, e]``. It is split: its part for ``h`` is
computed per node, where subtraction is cheap, and its part for the few-hot edge features ``e`` is a table.
The backward pass is written by hand, since a training step is a few hundred small operations whose number
counts: it fuses what automatic differentiation would do one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from graphnas.methods.graphpnas.adam import gradient_for
from graphnas.methods.graphpnas.subgraphs import Wiring

_glu, _glu_backward = torch.nn.functional.glu, torch.ops.aten.glu_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_threshold_backward = torch.ops.aten.threshold_backward.grad_input
_WEIGHTS = (
    *("marker", "first_bias", "position", "state_bias"),
    *("node", "second", "second_bias", "aggregate", "aggregate_bias"),
)
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

        # What is computed per node: the first layers of messages and gates, then the GRU's part for h.
        self.node = nn.Parameter(torch.cat([draw(of_pair, h, 2 * h), draw(of_hidden, h, 3 * h)], 2))
        self.first_bias = nn.Parameter(draw(of_pair, 1, 2 * h))
        self.marker = nn.Parameter(draw(of_pair, 3 + num_labels + 1, 2 * h))
        self.position = nn.Parameter(draw(of_pair, num_nodes, 2 * h))
        self.state_bias = nn.Parameter(draw(of_hidden, 1, 3 * h))
        # Messages, then gates; of the GRU: reset, update, new.
        self.second = nn.Parameter(draw(of_hidden, 2, h, h))
        self.second_bias = nn.Parameter(draw(of_hidden, 2, 1, h))
        self.aggregate = nn.Parameter(draw(of_hidden, h, 3 * h))
        self.aggregate_bias = nn.Parameter(draw(of_hidden, 3 * h))
        self.register_buffer("code", _edge_code(num_labels), persistent=False)

    code: Tensor

    def forward(self, x: Tensor, wiring: Wiring) -> Tensor:
        """States of the nodes after S rounds, ``(V, H)``, from their inputs ``(V, H)``."""
        weights = tuple(getattr(self, name) for name in _WEIGHTS)
        if torch.is_grad_enabled() and (x.requires_grad or any(w.requires_grad for w in weights)):
            states: Tensor = _Propagate.apply(x, wiring, self.code, *weights)  # type: ignore[no-untyped-call]
            return states
        return _propagate(x, wiring, self.code, *weights, saved=None)

    @torch.no_grad()
    def rounded(self) -> Callable[[Tensor, Wiring], Tensor]:
        """What :meth:`forward` does with the weights of now, in bfloat16 and without gradients.

        Several times faster on processors with matrix units for bfloat16. Weights and states have 8 bits
        then, so that the states are right to about a percent.
        """
        code = self.code.bfloat16()
        weights = tuple(getattr(self, name).bfloat16() for name in _WEIGHTS)

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


def _sum_rows(table: Tensor, index: Tensor, begin: Tensor, signs: Tensor | None = None) -> Tensor:
    """Sums of rows of ``table``: those of ``index`` from ``begin[k]`` to ``begin[k+1]`` make row k."""
    # Mode 0 is the sum. One call, where gathering and subtracting would be five.
    return torch.embedding_bag(table, index, begin, False, 0, False, signs)[0]


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
    state_bias: Tensor,
    node: Tensor,
    second: Tensor,
    second_bias: Tensor,
    aggregate: Tensor,
    aggregate_bias: Tensor,
    *,
    saved: list[tuple[Tensor, ...]] | None,
) -> Tensor:
    """All rounds; where ``saved`` is a list, what the backward pass needs of each is put there."""
    width, edges, kinds = x.shape[1], len(wiring.target), len(code)
    every = torch.arange(max(3 * edges, kinds), device=x.device)
    ends, each = every[: 3 * edges : 3], every[:edges]
    signs = wiring.end_signs.to(x.dtype)
    # What does not depend on the states: of edge types, then of the numbers of nodes beside the GRU's bias.
    base = x.new_zeros(len(node), kinds + position.shape[1], 5 * width)
    torch.baddbmm(first_bias, code.expand(len(node), -1, -1), marker, out=base[:, :kinds, : 2 * width])
    torch.neg(position, out=base[:, kinds:, : 2 * width])
    base[:, kinds:, 2 * width :] = state_bias
    which = torch.cat([every[:kinds], wiring.node + kinds])
    h = x
    weights = zip(
        *(part.unbind() for part in (base, node, second, second_bias, aggregate, aggregate_bias)), strict=True
    )
    for step, (of_row, of_node, of_edge, edge_bias, of_sum, sum_bias) in enumerate(weights):
        if step:
            h = _relu_(h)
        rows = of_row.index_select(0, which)
        per_node = rows[kinds:].addmm_(h, of_node)
        hidden = _relu_(_sum_rows(rows[:, : 2 * width], wiring.ends, ends, signs))
        halves = hidden.view(edges, 2, width).transpose(0, 1)
        both = torch.baddbmm(edge_bias, halves, of_edge)
        sent = _glu(both, 0)[0]  # messages times the sigmoid of gates
        gathered = _sum_rows(sent, each, wiring.begin)
        _, past_gates, past = torch.split(per_node, [2 * width, 2 * width, width], 1)
        new_gates, new = torch.split(torch.addmm(sum_bias, gathered, of_sum), [2 * width, width], 1)
        gates = torch.add(new_gates, past_gates).sigmoid_()
        reset, update = gates.chunk(2, 1)
        candidate = torch.addcmul(new, reset, past).tanh_()
        if saved is not None:
            saved.append((h, hidden, halves, both, gathered, gates, reset, update, past, candidate))
        h = torch.lerp(candidate, h, update)
    return h


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        wiring: Wiring,
        code: Tensor,
        marker: Tensor,
        first_bias: Tensor,
        position: Tensor,
        state_bias: Tensor,
        node: Tensor,
        second: Tensor,
        second_bias: Tensor,
        aggregate: Tensor,
        aggregate_bias: Tensor,
    ) -> Tensor:
        ctx.saved, ctx.wiring = [], wiring
        ctx.save_for_backward(code, node, second, aggregate)
        weights = (
            marker,
            first_bias,
            position,
            state_bias,
            node,
            second,
            second_bias,
            aggregate,
            aggregate_bias,
        )
        return _propagate(x, wiring, code, *weights, saved=ctx.saved)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor) -> tuple[Tensor | None, ...]:
        code, node, second, aggregate = ctx.saved_tensors
        wiring: Wiring = ctx.wiring
        (nodes, width), steps, edges = d_h.shape, len(node), len(wiring.target)
        signs = wiring.around_signs.to(d_h.dtype)
        around = 2 * wiring.begin
        kind, number = wiring.kind.to(d_h.dtype).t(), wiring.number.to(d_h.dtype).t()
        d_weights, d_second, d_aggregate = map(gradient_for, (node, second, aggregate))
        d_second_bias = second.new_empty(steps, 2, 1, width)
        d_aggregate_bias = second.new_empty(steps, 3 * width)
        d_kinds = second.new_empty(steps, len(code), 2 * width)
        d_numbers = second.new_empty(steps, len(number), 5 * width)
        weights = zip(*(w.transpose(-1, -2).unbind() for w in (node, second, aggregate)), strict=True)
        found = (d_weights, d_second, d_second_bias, d_aggregate, d_aggregate_bias, d_kinds, d_numbers)
        rounds = list(zip(ctx.saved, weights, zip(*(d.unbind() for d in found), strict=True), strict=True))
        # Places for the gradients of what a round computes: per node [messages, gates | reset, update, new]
        # of h, the last three of sums too; per edge both halves, before and after the second layer.
        d_node, d_sum = d_h.new_empty(nodes, 5 * width), d_h.new_empty(nodes, 3 * width)
        d_first, d_past_gates, d_past = torch.split(d_node, [2 * width, 2 * width, width], 1)
        d_gates, d_new = torch.split(d_sum, [2 * width, width], 1)
        d_reset, d_update = d_gates.chunk(2, 1)
        d_sent, d_both = d_h.new_empty(edges, width), d_h.new_empty(2, edges, width)
        d_hidden = d_h.new_empty(edges, 2 * width)
        d_halves = d_hidden.view(edges, 2, width).transpose(0, 1)
        for saved, (to_node, to_edge, to_sum), of in reversed(rounds):
            h, hidden, halves, both, gathered, gates, reset, update, past, candidate = saved
            d_of_node, d_of_edge, d_edge_bias, d_of_sum, d_sum_bias, d_kind, d_of_number = of
            # The GRU: h' = update h + (1 - update) candidate.
            d_kept = d_h * update
            _tanh_backward(d_h - d_kept, candidate, grad_input=d_new)
            torch.mul(d_new, past, out=d_reset)
            torch.mul(d_h, h - candidate, out=d_update)
            _sigmoid_backward(d_gates, gates, grad_input=d_gates)
            d_past_gates.copy_(d_gates)
            torch.mul(d_new, reset, out=d_past)
            torch.mm(gathered.t(), d_sum, out=d_of_sum)
            torch.sum(d_sum, 0, out=d_sum_bias)
            # The messages.
            torch.index_select(torch.mm(d_sum, to_sum), 0, wiring.target, out=d_sent)
            _glu_backward(d_sent[None], both, 0, grad_input=d_both)
            torch.bmm(halves.transpose(1, 2), d_both, out=d_of_edge)
            torch.sum(d_both, 1, keepdim=True, out=d_edge_bias)
            torch.bmm(d_both, to_edge, out=d_halves)
            _threshold_backward(d_hidden, hidden, 0, grad_input=d_hidden)
            torch.mm(kind, d_hidden, out=d_kind)
            d_first.copy_(_sum_rows(d_hidden, wiring.around, around, signs))
            torch.mm(number, d_node, out=d_of_number)
            torch.mm(h.t(), d_node, out=d_of_node)
            d_h = d_kept.addmm_(d_node, to_node)
            if saved is not ctx.saved[0]:
                _threshold_backward(d_h, h, 0, grad_input=d_h)
        return (
            *(d_h, None, None),
            *(torch.matmul(code.t(), d_kinds), d_kinds.sum(1, keepdim=True)),
            d_numbers[:, :, : 2 * width].neg(),
            d_numbers[:, :, 2 * width :].sum(1, keepdim=True),
            *(d_weights, d_second, d_second_bias, d_aggregate, d_aggregate_bias),
        )
