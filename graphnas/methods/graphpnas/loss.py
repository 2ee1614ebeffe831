"""What the generator minimises: the re-weighted log-likelihood of the kept graphs (eq. 12), or REINFORCE."""

from __future__ import annotations

import torch
from torch import Tensor

from graphnas.methods.graphpnas.likelihood import LogLikelihood

LOSSES = ("reweighted", "reinforce")
PROBABILITIES = ("decision", "graph")

MOST_LIKELY = 1e-6
"""A probability counts as at most ``1 - MOST_LIKELY``, beyond which log(1 - p) has no use."""


def decision_loss(likelihood: LogLikelihood) -> Tensor:
    """The negative log-likelihood per decision, ``(B,)``; see :func:`.likelihood.decision_weights`."""
    return (likelihood.terms * likelihood.weights).sum((0, 2))


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
    and its gradient vanish and negative rewards do nothing. With ``"decision"`` p is the geometric mean of
    the decisions' probabilities, :func:`decision_loss`, as in the released code (which has no beta: it is 1).

    Args:
        likelihood: Of ``B`` graphs.
        rewards: ``(B,)``.
        beta: Weight of the second branch; 0.05 in the paper.
        probability: One of :data:`PROBABILITIES`.
    """
    loss = -likelihood.total() if probability == "graph" else decision_loss(likelihood)
    return torch.where(rewards > 0, rewards * loss, beta * rewards * log_one_minus(loss)).mean()


def reinforce_loss(likelihood: LogLikelihood, rewards: Tensor, *, probability: str = "decision") -> Tensor:
    """The score function estimator on the kept graphs: the mean of ``-r log p`` (section 3.2).

    A baseline belongs into ``rewards``; standardised ones have it. Nothing bounds it from below where a
    reward is negative, so clip the gradient.
    """
    shares = likelihood.weights if probability == "decision" else -torch.ones_like(likelihood.weights)
    shares = (shares * (rewards / len(rewards))[:, None]).to(likelihood.terms.dtype)
    return torch.dot(likelihood.terms.flatten(), shares.flatten())
