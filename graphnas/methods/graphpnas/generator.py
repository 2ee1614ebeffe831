"""ArchitectureGenerator: a distribution over the architectures of a space that can be sampled and fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace


@dataclass(frozen=True)
class LogLikelihood:
    """The log-likelihood of ``B`` architectures, row by row: row i holds the decisions made at node i.

    Decisions that the space leaves no choice in (forced edges, operations and labels) count nothing.

    Attributes:
        edges: ``(B, N)``, log-probability of which earlier nodes feed node i (GraphPNAS, eq. 2).
        operations: ``(B, N)``, log-probability of node i's operation (eq. 5).
        labels: ``(B, N)``, sum over the present edges into node i of the log-probability of their label.
        num_nodes: ``(B,)``, number of nodes.
        num_labels: ``(B, N)``, number of present edges into node i whose label was a choice.
    """

    edges: Tensor
    operations: Tensor
    labels: Tensor
    num_nodes: Tensor
    num_labels: Tensor

    def total(self) -> Tensor:
        """log P(A, X) of each architecture, ``(B,)``."""
        return (self.edges + self.operations + self.labels).sum(1)


class ArchitectureGenerator(nn.Module, ABC):
    """A distribution over the graphs of ``space``, factorised node by node in topological order.

    It gives no probability to what ``node_choices`` and ``edge_choices`` of the space forbid. Rules beyond
    them (:meth:`GraphSpace.check`) are left to rejection: see :func:`.sampling.sample_valid`.

    Args:
        space: The search space.
    """

    def __init__(self, space: GraphSpace) -> None:
        super().__init__()
        self.space = space

    @abstractmethod
    def log_likelihood(self, batch: ArchitectureBatch) -> LogLikelihood:
        """Exact and differentiable; all rows of all graphs at once (teacher forcing)."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> ArchitectureBatch:
        """``n`` ancestral samples, drawn jointly; some may break a rule of the space beyond its choices."""

    def log_prob(self, batch: ArchitectureBatch) -> Tensor:
        """log P of each architecture, ``(B,)``, before any rejection."""
        return self.log_likelihood(batch).total()

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(self.parameters()).device
