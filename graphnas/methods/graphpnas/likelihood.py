"""LogLikelihood: what a generator says of architectures row by row, and what each row counts in the loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NODE_WEIGHT = 0.5
LABEL_WEIGHT = 0.125


@dataclass(frozen=True)
class LogLikelihood:
    """The log-likelihood of ``B`` architectures, row by row: row i holds the decisions made at node i.

    Decisions that the space leaves no choice in (forced edges, operations and labels) count nothing.

    Attributes:
        terms: ``(3, B, N)`` log-probabilities: of which earlier nodes feed node i (GraphPNAS, eq. 2), of node
            i's operation (eq. 5), and summed over the present edges into node i, of their labels.
        weights: ``(3, B, N)``, what each of them counts in the loss; see :func:`decision_weights`.
    """

    terms: Tensor
    weights: Tensor

    @property
    def edges(self) -> Tensor:
        """``(B, N)``, the first of the terms."""
        return self.terms[0]

    @property
    def operations(self) -> Tensor:
        """``(B, N)``, the second."""
        return self.terms[1]

    @property
    def labels(self) -> Tensor:
        """``(B, N)``, the third."""
        return self.terms[2]

    def total(self) -> Tensor:
        """Log P(A, X) of each architecture, ``(B,)``."""
        return self.terms.sum((0, 2))


def decision_weights(num_nodes: Tensor, num_labels: Tensor, dtype: torch.dtype) -> Tensor:
    """What the log-probability of each row counts in the loss per decision, ``(3, B, N)``, negative.

    The loss is ``L_edge + 0.5 L_node + 0.125 L_label``, weighted as in the released code: L_edge is the sum
    over rows divided by the number of pairs, self pairs included, N(N+1)/2; L_node is the mean over nodes;
    L_label is the sum over rows of the mean over the row's present edges.

    Args:
        num_nodes: ``(B,)``, number of nodes.
        num_labels: ``(B, N)``, number of present edges into node i whose label was a choice.
        dtype: Of the weights.
    """
    nodes = num_nodes.to(dtype)
    weights = torch.empty(3, *num_labels.shape, dtype=dtype, device=nodes.device)
    weights[0] = (-2 / (nodes * (nodes + 1)))[:, None]
    weights[1] = (-NODE_WEIGHT / nodes)[:, None]
    weights[2] = -LABEL_WEIGHT / num_labels.clamp(min=1)
    return weights
