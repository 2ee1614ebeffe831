"""The interface of all graph autoencoders, and a base of those that decode step by step."""

from __future__ import annotations

import functools
import os
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphnas.autoencoders.config import AutoencoderConfig
from graphnas.autoencoders.drawing import DrawingMasks, GraphDrawing
from graphnas.autoencoders.model import CHUNK, GraphModel, Graphs
from graphnas.autoencoders.trainer import train
from graphnas.autoencoders.vertices import VertexAdapter
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch

REDRAWS = 20
"""How often constrained decoding redraws graphs that the masks alone did not make valid."""


class ELBO(NamedTuple):
    """The two parts of the negative evidence lower bound, each ``(B,)``, in nats."""

    reconstruction: Tensor
    kl: Tensor


@dataclass(frozen=True)
class Decoded:
    """``B`` decoded graphs.

    Attributes:
        graphs: Vertex graphs, see :mod:`.vertices`; compare them with :func:`.vertices.same_graphs`.
        adapter: Turns them into architectures.
    """

    graphs: ArchitectureBatch
    adapter: VertexAdapter

    @functools.cached_property
    def architectures(self) -> list[Architecture | None]:
        """The architecture of each graph; None for a graph that is not one of the space."""
        return self.adapter.to_architectures(self.graphs)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``(B,)``: which graphs are architectures of the space."""
        return np.array([architecture is not None for architecture in self.architectures], bool)

    def __len__(self) -> int:
        return len(self.graphs)

    def with_rows(self, rows: Tensor, others: Self) -> Self:
        """The same graphs, except that ``others`` replace those at ``rows``."""
        mine, theirs = self.graphs, others.graphs
        graphs = ArchitectureBatch(
            mine.adjacency.index_copy(0, rows, theirs.adjacency),
            mine.operations.index_copy(0, rows, theirs.operations),
            mine.num_nodes.index_copy(0, rows, theirs.num_nodes),
        )
        return replace(self, graphs=graphs)


class GraphAutoencoder(GraphModel):
    """A variational autoencoder of a space's architectures; arguments as in :class:`.model.GraphModel`.

    Attributes:
        history: As in :class:`.model.GraphModel`, with ``reconstruction`` and ``kl``; all losses are means
            per graph, in nats.
    """

    config_class = AutoencoderConfig
    config: AutoencoderConfig

    # ---------------------------------------------------------------- what a model defines

    @abstractmethod
    def _encode(self, graphs: ArchitectureBatch) -> tuple[Tensor, Tensor]:
        """Mean and log-variance ``(B, d)`` of vertex graphs on the model's device."""

    @abstractmethod
    def _reconstruction(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        """Negative log-likelihood ``(B,)`` of vertex graphs given ``z`` ``(B, d)``, with teacher forcing."""

    @abstractmethod
    def _decode(
        self, z: Tensor, rng: torch.Generator, *, stochastic: bool, constrained: bool, flatten: float
    ) -> Decoded:
        """One graph for each row of ``z`` ``(B, d)``, drawn once; see :meth:`decode`.

        With ``constrained``, whatever can be masked is masked; :meth:`decode` redraws what still breaks the
        space's rule. ``flatten`` in 0..1 says how close to uniform the draws are.
        """

    def _read(self, architectures: Graphs) -> ArchitectureBatch:
        """The graphs that the model works on."""
        return self.adapter.to_vertices(architectures)

    def unused_in_release(self) -> dict[str, int]:
        """Parameters that the released code allocates but never uses; this model does not have them."""
        return {}

    def parameter_count(self, *, released: bool = False) -> int:
        """Number of parameters.

        Args:
            released: Also count :meth:`unused_in_release`, which gives the count of the released code.
        """
        return super().parameter_count() + (sum(self.unused_in_release().values()) if released else 0)

    # ---------------------------------------------------------------- training

    def fit(
        self,
        architectures: Graphs,
        *,
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        on_epoch: Callable[[Self, dict[str, float]], None] | None = None,
    ) -> Self:
        """Train from fresh weights as ``config.training`` says.

        Args:
            architectures: The training set.
            progress: Show a bar.
            checkpoint: A file written after every epoch. If it exists, training resumes from it and, on the
                CPU, ends with the same weights to the last bit as without the interruption.
            on_epoch: Called after each epoch with the model, in evaluation mode, and the entry of
                :attr:`history`.

        Raises:
            InvalidArgument: There are no architectures, or the checkpoint belongs to another training.
            InvalidArchitecture: A label that the space does not have.
            CorruptData: The checkpoint is damaged.
            TrainingFailed: The loss is no longer finite.
        """
        graphs = self._read(architectures)
        train(self, graphs, progress=progress, checkpoint=checkpoint, on_epoch=on_epoch)
        return self

    def elbo(self, architectures: Graphs, generator: torch.Generator | None = None) -> ELBO:
        """Both parts of the negative evidence lower bound, with gradients.

        Args:
            architectures: ``B`` architectures.
            generator: Generator of the noise; None uses the posterior mean, as in evaluation.
        """
        return self._elbo(self._read(architectures).to(self.device), generator)

    def _elbo(self, graphs: ArchitectureBatch, generator: torch.Generator | None) -> ELBO:
        mean, log_variance = self._encode(graphs)
        mean, log_variance = mean.float(), log_variance.float()
        z = self._sample(mean, log_variance, generator)
        return ELBO(self._reconstruction(graphs, z), divergence(mean, log_variance))

    def _sample(self, mean: Tensor, log_variance: Tensor, generator: torch.Generator | None) -> Tensor:
        """Latents from the posterior, with its deviation times ``config.noise``."""
        if generator is None or not self.config.noise:
            return mean
        noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean.device)
        return mean + self.config.noise * torch.exp(0.5 * log_variance) * noise

    def loss(self, elbo: ELBO) -> Tensor:
        """What training minimises, as a mean per graph: ``reconstruction + beta kl``."""
        return (elbo.reconstruction + self.config.beta * elbo.kl).mean()

    def batch_losses(self, graphs: ArchitectureBatch, noise: torch.Generator) -> dict[str, Tensor]:
        """The weighted loss, and both parts of the bound without weights."""
        elbo = self._elbo(graphs, noise)
        return {
            "loss": self.loss(elbo),
            "reconstruction": elbo.reconstruction.mean(),
            "kl": elbo.kl.mean(),
        }

    # ---------------------------------------------------------------- use

    @torch.no_grad()
    def encode(self, architectures: Graphs) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the posterior, each ``(B, d)`` float32 on the model's device."""
        graphs = self._read(architectures)
        parts = [
            self._encode(graphs[start : start + CHUNK].to(self.device))
            for start in range(0, len(graphs), CHUNK)
        ]
        return torch.cat([mean for mean, _ in parts]), torch.cat([variance for _, variance in parts])

    @torch.no_grad()
    def decode(
        self, z: Tensor, rng: torch.Generator, *, constrained: bool = False, stochastic: bool = True
    ) -> Decoded:
        """One graph for each latent.

        Args:
            z: ``(B, d)``; repeat rows to decode a latent several times.
            rng: Source of all draws.
            constrained: Whether to draw only what the space allows. Types and edges that it never has are
                masked; graphs that still break its rule are redrawn, at most :data:`REDRAWS` times, each time
                from a flatter distribution until the last is uniform over what the masks allow. All graphs
                are then valid unless even that draw breaks the rule (see :attr:`Decoded.valid`).
            stochastic: Whether to draw types and edges from their distribution, as the papers' tests do, or
                take the most likely type, and edges with a probability above one half. Redraws are always
                random.

        Raises:
            InvalidArgument: ``z`` has another shape, or no rows.
        """
        if z.ndim != 2 or z.shape[1] != self.config.latent:
            raise InvalidArgument(f"z must have shape (B, {self.config.latent}), got {tuple(z.shape)}")
        if not len(z):
            raise InvalidArgument("z must have at least one row")
        z = z.to(self.device, torch.float32)
        decoded = self._decode(z, rng, stochastic=stochastic, constrained=constrained, flatten=0.0)
        for attempt in range(1, REDRAWS + 1 if constrained else 0):
            rows = torch.from_numpy(np.flatnonzero(~decoded.valid))
            if not len(rows):
                break
            again = self._decode(
                z[rows.to(z.device)], rng, stochastic=True, constrained=True, flatten=attempt / REDRAWS
            )
            decoded = decoded.with_rows(rows, again)
        return decoded


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence ``(B,)`` of normals ``(B, d)`` from the standard normal."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)


class StepwiseAutoencoder(GraphAutoencoder):
    """A graph autoencoder whose decoder draws a graph vertex by vertex, with the edges into each."""

    @abstractmethod
    def _generate(self, z: Tensor, drawing: GraphDrawing) -> None:
        """Decode ``z`` ``(B, d)`` into ``drawing``, step by step."""

    def _decode(
        self, z: Tensor, rng: torch.Generator, *, stochastic: bool, constrained: bool, flatten: float
    ) -> Decoded:
        masks = self._masks if constrained else None
        parts = []
        for part in torch.split(z, CHUNK):
            drawing = GraphDrawing(
                self.adapter,
                len(part),
                rng,
                self.device,
                stochastic=stochastic,
                masks=masks,
                flatten=flatten,
            )
            self._generate(part, drawing)
            parts.append(drawing.graphs().to("cpu"))
        return Decoded(ArchitectureBatch.cat(parts), self.adapter)

    @functools.cached_property
    def _masks(self) -> DrawingMasks:
        return DrawingMasks(self.adapter)
