"""The log-probabilities of the decisions of all rows, from the heads' logits (eq. 2, 4, 5).

Its derivative is written by hand, see :mod:`.by_hand`; d_x is the gradient of x.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from graphnas.methods.graphpnas.by_hand import log_softmax_backward
from graphnas.methods.graphpnas.prepared import Rows
from graphnas.methods.graphpnas.subgraphs import Wiring

Backward = Callable[[Tensor], list[Tensor]]


def mixture(alpha: Tensor, wiring: Wiring, *, mean: bool) -> Tensor:
    """Log-probabilities of the mixture's components ``(T, K)`` from the logits of the pairs (eq. 4).

    Args:
        alpha: ``(P, K)`` or, with the self pair (a difference of 0, the same for all) last, ``(P + 1, K)``.
        wiring: The sub-graphs.
        mean: Divide the sum over the pairs by their number.
    """
    count = len(wiring.pair_graph)
    logits = alpha.new_zeros(len(wiring.new), alpha.shape[1])
    logits.index_add_(0, wiring.pair_graph, alpha[:count])
    if len(alpha) > count:
        logits += alpha[count]
    if mean:
        logits /= _divisor(alpha, wiring)
    return torch.log_softmax(logits, 1)


def row_log_likelihood(
    theta: Tensor,
    alpha: Tensor,
    operations: Tensor,
    labels: Tensor | None,
    wiring: Wiring,
    rows: Rows,
    masks: tuple[Tensor, Tensor],
    size: int,
    *,
    mean: bool,
) -> tuple[Tensor, Backward]:
    """Log-probabilities ``(3, size)`` of edges, operations and labels, each row at its place.

    Of edges it is that of a mixture of Bernoullis: the paper prints the product of theta alone (eq. 2), the
    likelihood is that of ``theta^A (1 - theta)^(1 - A)``.

    Args:
        theta: ``(P, K)`` logits of the pairs' edges (a last one more is not read).
        alpha: See :func:`mixture`.
        operations: ``(T, C)`` logits.
        labels: ``(P, L)`` logits, where labels are chosen.
        wiring: The sub-graphs.
        rows: The decisions.
        masks: What to add to the logits of operations ``(N, C)`` and of labels ``(N N, L)``.
        size: Places, B N.
        mean: See :func:`mixture`.

    Returns:
        Also what gives the gradients of theta, alpha, operations and labels from theirs.
    """
    log_alpha = mixture(alpha, wiring, mean=mean)
    signed = theta.index_select(0, rows.pair).mul_(rows.sign)
    bernoulli = F.logsigmoid(signed).mul_(rows.free)
    components = log_alpha.index_select(0, rows.graph).index_add_(0, rows.row, bernoulli)
    masked = operations.index_select(0, rows.graph).add_(masks[0].index_select(0, rows.node))
    log_operation = torch.log_softmax(masked, 1)
    posterior = torch.log_softmax(components, 1)
    terms = theta.new_zeros(3, len(rows.place))
    # The logarithm of the sum over the components, from the one that counts most.
    torch.sub(components.amax(1), posterior.amax(1), out=terms[0])
    torch.gather(log_operation, 1, rows.operation[:, None], out=terms[1, :, None])
    if labels is not None:
        pair, row = rows.pair.index_select(0, rows.labelled), rows.row.index_select(0, rows.labelled)
        masked = labels.index_select(0, pair).add_(masks[1].index_select(0, rows.slot))
        log_label = torch.log_softmax(masked, 1)
        terms[2].index_add_(0, row, log_label.gather(1, rows.label[:, None])[:, 0])

    def backward(d_placed: Tensor) -> list[Tensor]:
        d_edges, d_operation, d_label = d_placed.index_select(1, rows.place)[..., None].unbind()
        d_components = posterior.exp().mul_(d_edges)
        # log sigmoid(s theta) has the derivative s sigmoid(-s theta).
        d_pairs = d_components.index_select(0, rows.row).mul_(rows.sign * rows.free)
        d_pairs.mul_(torch.sigmoid(-signed))
        d_theta = torch.zeros_like(theta).index_add_(0, rows.pair, d_pairs)
        d_log_alpha = torch.zeros_like(log_alpha).index_add_(0, rows.graph, d_components)
        d_logits = log_softmax_backward(d_log_alpha, log_alpha, 1, log_alpha.dtype)
        if mean:
            d_logits /= _divisor(alpha, wiring)
        d_alpha, pairs = torch.empty_like(alpha), len(wiring.pair_graph)
        torch.index_select(d_logits, 0, wiring.pair_graph, out=d_alpha[:pairs])
        if len(alpha) > pairs:
            torch.sum(d_logits, 0, out=d_alpha[pairs])
        d_operations = _choice_gradient(log_operation, rows.operation, d_operation)
        d_operations = torch.zeros_like(operations).index_add_(0, rows.graph, d_operations)
        gradients = [d_theta, d_alpha, d_operations]
        if labels is not None:
            d_chosen = _choice_gradient(log_label, rows.label, d_label.index_select(0, row))
            gradients.append(torch.zeros_like(labels).index_add_(0, pair, d_chosen))
        return gradients

    return terms.new_zeros(3, size).index_copy_(1, rows.place, terms), backward


def _divisor(alpha: Tensor, wiring: Wiring) -> Tensor:
    """Number of pairs of each sub-graph, ``(T, 1)``; the self pair counts where ``alpha`` has it."""
    own = float(len(alpha) > len(wiring.pair_graph))
    return (wiring.pairs + own).clamp_(min=1)


def _choice_gradient(log_probability: Tensor, chosen: Tensor, d_chosen: Tensor) -> Tensor:
    """Gradient of the logits, for gradients ``(R, 1)`` of the log-probability of what was chosen ``(R,)``."""
    return log_probability.exp().mul_(-d_chosen).scatter_add_(1, chosen[:, None], d_chosen)
