"""The log-likelihood of architectures, row by row, and what the generator minimises: eq. 12, or REINFORCE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LOSSES = ("reweighted", "reinforce")
PROBABILITIES = ("decision", "graph")

NODE_WEIGHT = 0.5
LABEL_WEIGHT = 0.125

MOST_LIKELY = 1e-6
"""A probability counts as at most ``1 - MOST_LIKELY``, so that log(1 - p) is finite."""


@dataclass(frozen=True)
class LogLikelihood:
    """The log-likelihood of ``B`` architectures, row by row: row i holds the decisions made at node i.

    Decisions that the space forces (edges, operations and labels without a choice) do not count.

    Attributes:
        terms: ``(3, B, N)`` log-probabilities: of which earlier nodes feed node i (GraphPNAS, eq. 2), of node
            i's operation (eq. 5), and summed over the present edges into node i, of their labels.
        weights: ``(3, B, N)``, the weight of each of them in the loss; see :func:`decision_weights`.
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

    def loss(self, probability: str) -> Tensor:
        """``-log p`` of each architecture, ``(B,)``.

        Args:
            probability: ``"graph"``: p is P(A, X). ``"decision"``: p is the geometric mean of the decisions'
                probabilities, weighted as in :func:`decision_weights`.
        """
        return -self.total() if probability == "graph" else (self.terms * self.weights).sum((0, 2))


def decision_weights(num_nodes: Tensor, num_labels: Tensor, dtype: torch.dtype) -> Tensor:
    """The weight of each row's log-probability in the loss per decision, ``(3, B, N)``, negative.

    The loss is ``L_edge + 0.5 L_node + 0.125 L_label``, weighted as in the released code: L_edge is the sum
    over rows divided by the number of pairs, self pairs included, N(N+1)/2; L_node is the mean over nodes;
    L_label is the sum over rows of the mean over the row's present edges.

    Args:
        num_nodes: ``(B,)``, number of nodes.
        num_labels: ``(B, N)``, number of present edges into node i whose label was a choice.
        dtype: Type of the weights.
    """
    nodes = num_nodes.to(dtype)
    weights = torch.empty(3, *num_labels.shape, dtype=dtype, device=nodes.device)
    weights[0] = (-2 / (nodes * (nodes + 1)))[:, None]
    weights[1] = (-NODE_WEIGHT / nodes)[:, None]
    weights[2] = -LABEL_WEIGHT / num_labels.clamp(min=1)
    return weights


def log_one_minus(loss: Tensor) -> Tensor:
    """``log(1 - p)`` of ``p = exp(-loss)``, stable where p is near 0 or near 1; p is at most 1 - 1e-6."""
    return torch.log(-torch.expm1(-loss.clamp(min=MOST_LIKELY)))


def reweighted_loss(
    likelihood: LogLikelihood, rewards: Tensor, *, beta: float, probability: str = "decision"
) -> Tensor:
    """GraphPNAS, eq. 12: graphs of positive reward become likelier, those of negative reward less likely.

    The mean over graphs of ``-r log p`` where the reward r is positive and ``beta r log(1 - p)`` where it is
    negative, both to be minimised.

    With ``probability="graph"`` p is P(A, X), as eq. 12 has it. That is 1e-5 to 1e-100, so that log(1 - p)
    and its gradient vanish and negative rewards do nothing. ``"decision"`` is the released code's choice
    (which has no beta: it is 1).

    Args:
        likelihood: Likelihood of ``B`` graphs.
        rewards: ``(B,)``.
        beta: Weight of the second branch; 0.05 in the paper.
        probability: One of :data:`PROBABILITIES`, see :meth:`LogLikelihood.loss`.
    """
    loss = likelihood.loss(probability)
    return torch.where(rewards > 0, rewards * loss, beta * rewards * log_one_minus(loss)).mean()


def reinforce_loss(likelihood: LogLikelihood, rewards: Tensor, *, probability: str = "decision") -> Tensor:
    """The score function estimator on the kept graphs: the mean of ``-r log p`` (section 3.2).

    A baseline must be part of ``rewards``, as in standardised ones. The loss is unbounded below if a reward
    is negative, so clip the gradient.
    """
    return (rewards * likelihood.loss(probability)).mean()
