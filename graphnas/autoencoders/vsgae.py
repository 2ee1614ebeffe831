"""VS-GAE, the variational-sequential graph autoencoder, with its settings.

Source: Friede, Lukasik, Stuckenschmidt and Keuper, "A Variational-Sequential Graph Autoencoder for Neural
Architecture Performance Prediction" (2019), and their code; where the two differ, this follows the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

from torch import Tensor

from graphnas.autoencoders.base import ELBO
from graphnas.autoencoders.config import AutoencoderConfig, TrainingConfig
from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.stepwise import StepwiseAutoencoder
from graphnas.autoencoders.vertices import VertexAdapter
from graphnas.autoencoders.vsgae_decoder import VSGAEDecoder
from graphnas.autoencoders.vsgae_layers import GraphEncoder
from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch

KL_REDUCTIONS = ("mean", "sum")


@dataclass(frozen=True)
class VSGAEConfig(AutoencoderConfig):
    """Settings of :class:`VSGAE`.

    ``preset("paper")`` is the setting of the released code: states of 250, 300 epochs of Adam at 1e-4 in
    batches of 128, the rate divided by 10 when the training loss has not fallen for 10 epochs. The code drops
    the last, smaller batch of an epoch; here it is trained on too.

    Attributes:
        hidden: Size ``H`` of vertex states, 250 in the paper.
        layers: Rounds of messages of the encoder, and of the decoder before each vertex.
        kl_reduction: ``"mean"`` weighs each graph's divergence with ``beta``. ``"sum"`` weighs the sum over
            the batch, beside the mean of the reconstruction losses, as the released code does: at batches of
            128 that is a weight of 0.64 per graph.
        released_tiling: Train with the mistake of the released code, see :class:`VSGAE`.
    """

    hidden: int = 250
    layers: int = 2
    kl_reduction: str = "mean"
    released_tiling: bool = False
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.layers, bool) or not isinstance(self.layers, int) or self.layers < 1:
            raise InvalidArgument(f"layers must be an integer of at least 1, got {self.layers!r}")
        if self.kl_reduction not in KL_REDUCTIONS:
            raise InvalidArgument(f"kl_reduction must be one of {KL_REDUCTIONS}, got {self.kl_reduction!r}")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named setting, with single fields changed.

        Raises:
            InvalidArgument: An unknown preset.
        """
        config = super().preset(name, hidden=250)
        if name == "paper":
            training = TrainingConfig.preset("paper", batch_size=128)
            config = replace(config, kl_reduction="sum", training=training)
        return replace(config, **changes)


class VSGAE(StepwiseAutoencoder):
    """VS-GAE: messages in both directions, a gated read-out, and a decoder that propagates at every vertex.

    The encoder embeds the types, passes messages along the edges and against them, and reads mean and
    log-variance with two gated sums over the vertices (:class:`.vsgae_layers.GraphEncoder`). It is the same
    for isomorphic graphs. The decoder is :class:`.vsgae_decoder.VSGAEDecoder`; it shares nothing with it.

    - Vertices and types are those of :mod:`.vertices`, where "start" is 0 and "end" 1; the paper numbers
      them 1 and 0. Only the rows of the embeddings change places.
    - The edge from vertex 0 to vertex 1 is not decoded but given wherever every graph of the space has it,
      as all cells of NAS-Bench-101 do. In other spaces it is scored like the others.
    - The released code scores edges with a mistake in batches: rows of edges are ordered by graph, but the
      graph states and latents beside them are repeated as if by vertex, so that row r gets those of graph
      ``r mod B``. Its tests decode one graph at a time, where this changes nothing. The default is right;
      ``released_tiling=True`` repeats the mistake in the loss, whose value then depends on the whole batch.
      Decoding is right either way.
    """

    config_class = VSGAEConfig
    config: VSGAEConfig

    def _build(self) -> None:
        config, adapter = self.config, self.adapter
        sizes = adapter.num_types, config.hidden, config.latent, config.layers
        self.encoder = GraphEncoder(*sizes)
        self.decoder = VSGAEDecoder(
            *sizes, first_edge_given=first_edge_given(adapter), released_tiling=config.released_tiling
        )

    def _encode(self, graphs: ArchitectureBatch) -> tuple[Tensor, Tensor]:
        return self.encoder.both(graphs)

    def _reconstruction(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        return self.decoder.loss(graphs, z)

    def _generate(self, z: Tensor, drawing: GraphDrawing) -> None:
        self.decoder.generate(z, drawing)

    def _loss(self, elbo: ELBO) -> Tensor:
        if self.config.kl_reduction == "sum":
            return elbo.reconstruction.mean() + self.config.beta * elbo.kl.sum()
        return super()._loss(elbo)


def first_edge_given(adapter: VertexAdapter) -> bool:
    """Whether vertex 0 feeds vertex 1 in every vertex graph of the space."""
    if adapter.reads_active or adapter.virtual_start:
        return True  # every vertex but the start is fed by an earlier one
    if adapter.on_edges:
        edges, _ = adapter.pattern_graphs
        return bool(edges[:, 0, 1].all())
    return not adapter.space.layout.allowed_edges[0, 1, 0]
