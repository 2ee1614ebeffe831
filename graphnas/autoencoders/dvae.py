"""D-VAE, the variational autoencoder of directed acyclic graphs, and DVAE-EMB, its operation embedding.

Sources: Zhang et al., "D-VAE: A Variational Autoencoder for Directed Acyclic Graphs" (NeurIPS 2019); the
operation embedding: Chatzianastasis et al., "Graph-based Neural Architecture Search with Operation
Embeddings" (ICCV Workshops 2021). Where the papers and their code differ, the default follows the code: a
message is computed from the sender's state and number rather than its type (eq. 4 and 10 of the second one).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from graphnas.autoencoders.base import StepwiseAutoencoder
from graphnas.autoencoders.config import DVAEConfig, DVAEEmbConfig, VertexConfig
from graphnas.autoencoders.decoder import DVAEDecoder
from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.model import Graphs
from graphnas.autoencoders.networks import GatedMessage, GRUStep
from graphnas.autoencoders.propagation import backward_order, forward_order, sweep
from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch


class VertexAutoencoder(StepwiseAutoencoder):
    """What D-VAE and its GCN variant share: the decoder, and one-hot or embedded operations."""

    config: VertexConfig
    summed_graph_state: ClassVar[bool]

    def _build(self) -> None:
        config, types = self.config, self.adapter.num_types
        self.embedding = None if config.embedding is None else nn.Embedding(types, config.embedding)
        self.message = self._new_message()
        self.decoder = DVAEDecoder(
            config.hidden, config.latent, self.num_features, types, summed=self.summed_graph_state
        )
        self.mean = nn.Linear(config.hidden, config.latent)
        self.log_variance = nn.Linear(config.hidden, config.latent)

    def _new_message(self) -> GatedMessage:
        return GatedMessage(self.config.hidden, self.config.message, self.num_labels)

    @property
    def num_labels(self) -> int:
        """Length of what a message is computed from besides the sender's state."""
        lengths = {"state": 0, "number": self.adapter.max_vertices, "type": self.num_features}
        return lengths[self.config.message]

    @property
    def num_features(self) -> int:
        """Size of a type's input row."""
        return self.adapter.num_types if self.config.embedding is None else self.config.embedding

    @property
    def features(self) -> Tensor:
        """``(T, F)``: the input row of each type, one-hot or embedded."""
        if self.embedding is None:
            return torch.eye(self.adapter.num_types, device=self.device)
        return self.embedding.weight

    @property
    def rounds(self) -> int:
        """Number of trainings, each of which keeps only the embedding of the previous one."""
        return self.config.rounds

    def kept_between_rounds(self) -> dict[str, Tensor]:
        """The embedding, if there is one."""
        return {} if self.embedding is None else {"embedding.weight": self.embedding.weight.detach()}

    def pretrain_embedding(
        self,
        architectures: Graphs,
        rounds: int,
        *,
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        on_epoch: Callable[[Self, dict[str, float]], None] | None = None,
    ) -> Self:
        """Train ``rounds`` times (T in the paper), each time from new weights except for the embedding.

        The result is the model of the last round: T = 4 costs four times the training of D-VAE.
        ``config.rounds`` is set to ``rounds``; the other arguments are those of :meth:`fit`.

        Raises:
            InvalidArgument: There is no embedding, or ``rounds`` is not positive.
        """
        if self.embedding is None:
            raise InvalidArgument(f"this {type(self).__name__} has one-hot operations and no embedding")
        self.config = replace(self.config, rounds=rounds)
        return self.fit(architectures, progress=progress, checkpoint=checkpoint, on_epoch=on_epoch)

    def _reconstruction(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        return self.decoder.loss(graphs, z, self.features, self.message)

    def _generate(self, z: Tensor, drawing: GraphDrawing) -> None:
        self.decoder.generate(z, drawing, self.features, self.message)


class DVAE(VertexAutoencoder):
    """D-VAE (section 3): asynchronous message passing along the order of the computation.

    The encoder sweeps from start to end with a GRU whose state is the gated sum of the predecessors' messages
    and, with a second GRU and second messages, from end to start; a linear layer combines the states of the
    last vertex of each sweep. The decoder is :class:`.decoder.DVAEDecoder`.

    Without numbers in the messages isomorphic graphs have the same encoding (the paper's theorem 1). With
    them, as in the released code for ENAS, it depends on the order of the vertices.
    """

    config_class = DVAEConfig
    config: DVAEConfig
    summed_graph_state = False

    def _build(self) -> None:
        super()._build()
        config = self.config
        self.encoder = GRUStep(self.num_features, config.hidden)
        if config.bidirectional:
            self.backward_encoder = GRUStep(self.num_features, config.hidden)
            self.backward_message = self._new_message()
            self.unite = nn.Linear(2 * config.hidden, config.hidden)

    def _encode(self, graphs: ArchitectureBatch) -> tuple[Tensor, Tensor]:
        state = sweep(forward_order(graphs), self.features, self.encoder, self.message)
        if self.config.bidirectional:
            back = backward_order(graphs)
            reverse = sweep(back, self.features, self.backward_encoder, self.backward_message)
            state = self.unite(torch.cat([state, reverse], 1))
        return self.mean(state), self.log_variance(state)

    def unused_in_release(self) -> dict[str, int]:
        """``hv_unify``, or the backward sweep if it is switched off."""
        if self.config.bidirectional:
            return {"hv_unify": (2 * self.config.hidden + 1) * self.config.hidden}
        return unused_sweeps(self, forward=False)


class DVAEEmb(DVAE):
    """DVAE-EMB: D-VAE with an embedding of 3 dimensions that encoder and decoder share.

    The paper trains it four times, keeping only the embedding from one training to the next: see the preset
    "paper" and :meth:`pretrain_embedding`.
    """

    config_class = DVAEEmbConfig
    config: DVAEEmbConfig


def unused_sweeps(model: VertexAutoencoder, *, forward: bool) -> dict[str, int]:
    """Sizes of the encoder sweeps of the released code that a model does not have."""
    hidden, features = model.config.hidden, model.num_features
    labels = model.num_labels
    cell = 3 * hidden * (features + hidden) + 6 * hidden
    gate, mapper = (hidden + labels + 1) * hidden, (hidden + labels) * hidden
    unused = {"grue_backward": cell, "gate_backward": gate, "mapper_backward": mapper}
    return {"grue_forward": cell, **unused} if forward else unused
