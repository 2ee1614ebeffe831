"""The graph neural network of GraphPNAS: message passing with attention and a GRU (eq. 7-10).

The first linear layer of messages and gates acts on ``[h_s - h_d, e]``. It is split: its part for ``h`` is
computed per node, where subtraction is cheap, and its part for the few-hot edge features ``e`` is a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from graphnas.methods.graphpnas.subgraphs import Wiring

ROUND = 256
"""In bfloat16, nodes and edges are padded to multiples of it: matrix products are compiled anew there for
each size that was not seen recently, which costs more than the product."""


class MessagePassing(nn.Module):
    """S rounds of message passing over sub-graphs, each with weights of its own (GraphPNAS, eq. 7-10).

    Round by round, for the edges from s to d::

        m = MLP([h_s - h_d, e]),  a = sigmoid(MLP([h_s - h_d, e])),  h_d <- GRU(sum over s of a * m, h_d)

    and ReLU between the rounds. MLPs have one hidden layer of H units; a is a vector. The edge features e are
    whether source and target are old or new, the label of an edge between old nodes, and the numbers of both
    nodes. That e enters both MLPs is the released code's choice; the paper has 1_ij and u_i. The code's gate
    has 128 hidden units whatever H is, here H: the same where H is the paper's 128.

    Args:
        num_nodes: N, the largest number of nodes.
        num_labels: L, the number of edge labels.
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

        # First layers of messages and gates, side by side: their parts for h and for e.
        self.first = nn.Parameter(draw(of_pair, h, 2 * h))
        # The GRU's weights on the previous state: reset, update, new.
        self.state = nn.Parameter(draw(of_hidden, h, 3 * h))
        bias = draw(of_pair, 1, 2 * h)
        marker, position = draw(of_pair, 3 + num_labels + 1, 2 * h), draw(of_pair, num_nodes, 2 * h)
        self.feature = nn.Parameter(torch.cat([bias, marker, position], 1))
        self.state_bias = nn.Parameter(draw(of_hidden, 3 * h))
        self.second = nn.Parameter(draw(of_hidden, 2, h, h))
        self.second_bias = nn.Parameter(draw(of_hidden, 2, 1, h))
        # The GRU's weights on the sum of the messages: new, reset, update. In this order the gates of both
        # are neighbours when the new state's two parts are put at the ends.
        self.gathered = nn.Parameter(draw(of_hidden, h, 3 * h).roll(h, -1))
        self.gathered_bias = nn.Parameter(draw(of_hidden, 3 * h).roll(h, -1))
        self.register_buffer("code", _feature_code(num_nodes, num_labels), persistent=False)

    code: Tensor

    def forward(self, x: Tensor, wiring: Wiring) -> Tensor:
        """States ``(V, H)`` of the nodes after S rounds from their inputs ``(V, H)``; differentiable once."""
        if not torch.is_grad_enabled():
            return _propagate(x, wiring, *self._weights())
        states: Tensor = _Propagate.apply(x, wiring, *self._weights())  # type: ignore[no-untyped-call]
        return states

    def _weights(self) -> tuple[Tensor, ...]:
        """The arguments of :func:`_propagate` after the first two."""
        return (
            *(self.code, self.feature, self.first, self.second, self.second_bias),
            *(self.state, self.state_bias, self.gathered, self.gathered_bias),
        )

    @torch.no_grad()
    def rounded(self) -> Callable[[Tensor, Wiring], Tensor]:
        """What :meth:`forward` computes with the present weights, in bfloat16 and without gradients.

        Several times faster on processors with matrix units for bfloat16. Weights and states have 8 bits
        then, so that the states are right to about a percent.
        """
        weights = tuple(weight.bfloat16() for weight in self._weights())

        def states(x: Tensor, wiring: Wiring) -> Tensor:
            padded = wiring.padded(ROUND)
            more = len(padded.node) - len(x)
            h = _propagate(F.pad(x.bfloat16(), (0, 0, 0, more)), padded, *weights)
            return h[: len(x)].to(x.dtype)

        return states


def _feature_code(num_nodes: int, num_labels: int) -> Tensor:
    """The first layers' input e for each edge type, then for each node number, ``(L+2+N, 1+3+L+1+N)``.

    An edge type has a one (for the bias), three markers and the label, as in the released code. Marker 0 or 1
    says that the source is old or new, marker 1 or 2 that the target is; the label of an edge that touches
    the new node is 0. A node number counts negatively: e has the target's minus the source's, where h has the
    source's minus the target's.
    """
    labels = torch.eye(num_labels + 1)[[*range(1, num_labels + 1), 0, 0]]
    markers = torch.tensor([[1.0, 1.0, 0.0]] * num_labels + [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    types = torch.cat([torch.ones(num_labels + 2, 1), markers, labels], 1)
    code: Tensor = torch.block_diag(types, -torch.eye(num_nodes))  # type: ignore[no-untyped-call]
    return code


def _relu_(x: Tensor) -> Tensor:
    """ReLU in place; in bfloat16 by the bits, which are those of a negative integer where x is negative."""
    if x.dtype == torch.bfloat16:
        # Several times faster than by way of float32, and the same but for the sign of 0.
        x.view(torch.int16).clamp_min_(0)
        return x
    return x.relu_()


def sum_rows(table: Tensor, index: Tensor, begin: Tensor, signs: Tensor | None = None) -> Tensor:
    """Sums of rows of ``table``: those of ``index`` from ``begin[k]`` to ``begin[k+1]`` make row k.

    Args:
        table: ``(R, C)``.
        index: ``(n,)`` rows.
        begin: ``(m,)``, ascending; the last sum goes to the end of ``index``.
        signs: ``(n,)`` weights of the rows.
    """
    # One call, where gathering, subtracting and adding up would be five.
    return F.embedding_bag(index, table, begin, mode="sum", per_sample_weights=signs)


class _Propagate(torch.autograd.Function):
    """:func:`_propagate` with its derivative written by hand.

    A training on small graphs is thousands of updates of a few hundred operations of microseconds each, so
    that their number counts: with automatic differentiation an update takes 1.2 to 2.6 times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, wiring: Wiring, *weights: Tensor) -> Tensor:
        ctx.wiring, ctx.rounds = wiring, []
        ctx.save_for_backward(*weights)
        return _propagate(x, wiring, *weights, rounds=ctx.rounds)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor) -> tuple[Tensor | None, ...]:
        code, _, first, second, _, state, _, gathered, _ = ctx.saved_tensors
        matrices = first, second, state, gathered
        d_x, *gradients = _propagate_backward(d_h, ctx.wiring, code, matrices, ctx.rounds)
        return d_x, None, None, *gradients


def _propagate(
    x: Tensor,
    wiring: Wiring,
    code: Tensor,
    feature: Tensor,
    first: Tensor,
    second: Tensor,
    second_bias: Tensor,
    state: Tensor,
    state_bias: Tensor,
    gathered: Tensor,
    gathered_bias: Tensor,
    *,
    rounds: list[tuple[Tensor, ...]] | None = None,
) -> Tensor:
    """All rounds of message passing; what the backward pass needs of each is appended to ``rounds``."""
    (nodes, width), edges = x.shape, len(wiring.target)
    fixed = code @ feature  # what the first layers add for an edge's type and its nodes' numbers
    kinds = len(code) - wiring.number.shape[1]
    new_bias, gates_bias = torch.split_with_sizes(gathered_bias, (width, 2 * width), 1)
    past_bias = state_bias.clone()
    past_bias[:, : 2 * width] += gates_bias
    every = torch.arange(max(3 * edges, kinds), device=x.device)
    ends, each = every[: 3 * edges : 3].contiguous(), every[:edges]
    signs = wiring.end_signs.to(x.dtype)
    which = torch.cat([every[:kinds], wiring.node + kinds])
    table, sent = x.new_empty(kinds + nodes, 2 * width), x.new_empty(edges, width)
    of_node = table[kinds:]
    h = x
    new_part, gates_part = torch.split_with_sizes(gathered, (width, 2 * width), 2)
    weights = (fixed, first, second, second_bias, state, past_bias, gates_part, new_part, new_bias)
    for step, (rows, to_first, to_both, edge_bias, to_past, of_past, to_gates, to_new, of_new) in enumerate(
        zip(*(weight.unbind() for weight in weights), strict=True)
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
        past = torch.addmm(of_past, h, to_past)
        gates = past[:, : 2 * width].addmm_(total, to_gates).sigmoid_()
        reset, update, old = past.view(nodes, 3, width).unbind(1)
        new = torch.addmm(of_new, total, to_new).addcmul_(reset, old).tanh_()
        if rounds is not None:
            rounds.append((h, hidden, halves, message, gate, total, gates, reset, update, old, new))
        h = torch.lerp(new, h, update)
    return h


def _propagate_backward(
    d_h: Tensor,
    wiring: Wiring,
    code: Tensor,
    matrices: tuple[Tensor, ...],
    rounds: list[tuple[Tensor, ...]],
) -> tuple[Tensor, ...]:
    """Gradients of x and all weights of :func:`_propagate`; d_y is the gradient of y."""
    (nodes, width), steps, edges = d_h.shape, len(rounds), len(wiring.target)
    signs = wiring.around_signs.to(d_h.dtype)
    around = 2 * wiring.begin
    kind, number = wiring.kind.to(d_h.dtype).t(), wiring.number.to(d_h.dtype).t()
    d_fixed = d_h.new_empty(steps, len(code), 2 * width)
    d_kinds, d_numbers = torch.split_with_sizes(d_fixed, (len(kind), len(number)), 1)
    d_first, d_second, d_state, d_gathered = map(torch.empty_like, matrices)
    d_second_bias = d_h.new_empty(steps, 2, 1, width)
    d_bias = d_h.new_empty(steps, 4 * width)
    gradients = d_kinds, d_numbers, d_first, d_second, d_second_bias, d_state, d_gathered, d_bias
    back = zip(*(w.transpose(-1, -2).unbind() for w in matrices), strict=True)
    steps_back = list(zip(rounds, back, zip(*(d.unbind() for d in gradients), strict=True), strict=True))
    # Room for the gradients of what a round computes. Per node: new, reset, update, old, of which the first
    # three come from the sum of messages and the last three from the past state.
    d_node = d_h.new_empty(nodes, 4 * width)
    d_sum, d_past, d_gates = d_node[:, : 3 * width], d_node[:, width:], d_node[:, width : 3 * width]
    d_new, d_reset, d_update, d_old = d_node.view(nodes, 4, width).unbind(1)
    d_sent, d_both = d_h.new_empty(edges, width), d_h.new_empty(2, edges, width)
    d_message, d_gate = d_both.unbind()
    d_hidden = d_h.new_empty(edges, 2 * width)
    d_halves = d_hidden.view(edges, 2, width).transpose(0, 1)
    one = d_h.new_ones(())
    for of_round, (from_node, from_both, from_past, from_sum), of in reversed(steps_back):
        h, hidden, halves, message, gate, total, gates, reset, update, old, new = of_round
        d_kind, d_number, d_of_first, d_of_both, d_edge_bias, d_of_past, d_of_sum, d_of_bias = of
        # The GRU: h' = update h + (1 - update) new. tanh has the derivative 1 - tanh^2, a sigmoid s s - s^2.
        d_kept = d_h * update
        torch.addcmul(one, new, new, value=-1, out=d_new).mul_(d_h - d_kept)
        torch.mul(d_new, old, out=d_reset)
        torch.mul(d_h, h - new, out=d_update)
        d_gates.mul_(torch.addcmul(gates, gates, gates, value=-1))
        torch.mul(d_new, reset, out=d_old)
        torch.mm(total.t(), d_sum, out=d_of_sum)
        h_t = h.t()
        torch.mm(h_t, d_past, out=d_of_past)
        torch.sum(d_node, 0, out=d_of_bias)
        # The messages. A ReLU has as derivative the sign of its value.
        torch.index_select(torch.mm(d_sum, from_sum), 0, wiring.target, out=d_sent)
        torch.mul(d_sent, gate, out=d_message)
        torch.mul(d_message, message, out=d_gate).addcmul_(d_gate, gate, value=-1)
        torch.bmm(halves.transpose(1, 2), d_both, out=d_of_both)
        torch.sum(d_both, 1, keepdim=True, out=d_edge_bias)
        torch.bmm(d_both, from_both, out=d_halves)
        d_hidden.mul_(hidden.sign())
        torch.mm(kind, d_hidden, out=d_kind)
        d_first_layer = sum_rows(d_hidden, wiring.around, around, signs)
        torch.mm(number, d_first_layer, out=d_number)
        torch.mm(h_t, d_first_layer, out=d_of_first)
        d_h = d_kept.addmm_(d_first_layer, from_node).addmm_(d_past, from_past)
        if of_round is not rounds[0]:
            d_h.mul_(h.sign())
    return (
        *(d_h, code.t() @ d_fixed, d_first, d_second, d_second_bias),
        *(d_state, d_bias[:, width:].contiguous(), d_gathered, d_bias[:, : 3 * width].contiguous()),
    )
