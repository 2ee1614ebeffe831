"""ArchitectureGenerator: a distribution over the architectures of a space that can be sampled and fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.likelihood import LogLikelihood


class PreparedBatch:
    """Architectures in the form that a generator reads fastest, for training that reads them many times.

    Made by :meth:`ArchitectureGenerator.prepare`, for that generator and others of its kind and space.

    Attributes:
        batch: The architectures.
    """

    def __init__(self, batch: ArchitectureBatch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch)

    def minibatches(self, order: Tensor, size: int) -> Iterator[PreparedBatch]:
        """One pass: the graphs numbered by ``order``, ``size`` at a time (the last may be smaller).

        Args:
            order: ``(n,)`` integers in any order; graphs may be left out or repeated.
            size: Graphs per minibatch.
        """
        for index in torch.split(order, size):
            yield PreparedBatch(self.batch[index])


class ArchitectureGenerator(nn.Module, ABC):
    """A distribution over the graphs of ``space``, factorised node by node in topological order.

    Graphs that ``node_choices`` and ``edge_choices`` of the space forbid have probability 0. Samples that
    break further rules (:meth:`GraphSpace.check`) have to be rejected: see :func:`.sampling.sample_valid`.

    Args:
        space: The search space.
    """

    def __init__(self, space: GraphSpace) -> None:
        super().__init__()
        self.space = space

    def prepare(self, batch: ArchitectureBatch) -> PreparedBatch:
        """Compute once whatever depends on the graphs alone.

        For training::

            prepared = generator.prepare(batch)
            for _ in range(epochs):
                order = torch.randperm(len(prepared), generator=source)
                for part, index in zip(prepared.minibatches(order, 2), order.split(2)):
                    likelihood = generator.log_likelihood(part)  # of the graphs batch[index]

        Raises:
            InvalidArchitecture: An architecture that the space's choices forbid.
        """
        return PreparedBatch(batch)

    @abstractmethod
    def log_likelihood(self, batch: ArchitectureBatch | PreparedBatch) -> LogLikelihood:
        """Exact and differentiable; all rows of all graphs at once (teacher forcing).

        Args:
            batch: ``B`` architectures; prepared ones are faster where they are used repeatedly.
        """

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> ArchitectureBatch:
        """``n`` ancestral samples, drawn jointly; some may break a rule of the space beyond its choices."""

    def log_prob(self, batch: ArchitectureBatch | PreparedBatch) -> Tensor:
        """Log P of each architecture, ``(B,)``, before any rejection."""
        return self.log_likelihood(batch).total()

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(self.parameters()).device


def uniform(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Uniform numbers in [0, 1), drawn where ``generator`` is, so that they are the same on every device."""
    return torch.rand(shape, generator=generator).to(device)


def categorical(logits: Tensor, generator: torch.Generator) -> Tensor:
    """One draw from each row: the first place at which the cumulative probability exceeds a uniform."""
    cumulative = torch.softmax(logits, -1).cumsum(-1)
    drawn = uniform(logits.shape[:-1], generator, logits.device)[..., None] * cumulative[..., -1:]
    return (cumulative <= drawn).sum(-1).clamp(max=logits.shape[-1] - 1)
