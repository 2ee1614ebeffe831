"""VS-GAE, the variational-sequential graph autoencoder, and its settings.

Source: Friede, Lukasik, Stuckenschmidt and Keuper, "A Variational-Sequential Graph Autoencoder for Neural
Architecture Performance Prediction" (2019), and their code; where the two differ, this follows the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from graphnas.autoencoders.base import ELBO, StepwiseAutoencoder
from graphnas.autoencoders.config import AutoencoderConfig, TrainingConfig
from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.vertices import VertexAdapter
from graphnas.autoencoders.vsgae_decoder import VSGAEDecoder
from graphnas.autoencoders.vsgae_layers import GraphEncoder
from graphnas.configuration import Presets, check_choices, check_integers
from graphnas.graph.batch import ArchitectureBatch

REDUCTIONS = ("mean", "sum")


@dataclass(frozen=True)
class VSGAEConfig(AutoencoderConfig):
    """Settings of :class:`VSGAE`.

    ``preset("paper")`` is the setting of the released code: states of 250, 300 epochs of Adam at 1e-4 in
    batches of 128, and the rate divided by 10 once the training loss has not fallen for 10 epochs. The code
    drops the last, smaller batch of an epoch; here it is used too.

    Attributes:
        hidden: Size ``H`` of vertex states.
        training: How the model is trained; by default with a smaller rate than that of other models, at
            which long trainings diverge.
        layers: Rounds of messages of the encoder, and of the decoder before each vertex.
        kl_reduction: ``"mean"`` weights each graph's divergence by ``beta``. ``"sum"`` weights the sum over
            the batch, next to the mean of the reconstruction losses, as the released code does: with batches
            of 128 that is a weight of 0.64 per graph.
        edge_reduction: ``"sum"`` of the losses of the edges into a vertex, as eq. 15 has it; ``"mean"`` as in
            the released code.
        released_tiling: Train with the mistake of the released code, see :class:`VSGAE`.
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {
            "kl_reduction": "sum",
            "edge_reduction": "mean",
            "training": TrainingConfig.preset("paper", batch_size=128),
        },
    }

    hidden: int = 250
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(learning_rate=2e-3))
    layers: int = 2
    kl_reduction: str = "mean"
    edge_reduction: str = "sum"
    released_tiling: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integers(self, {"layers": 1})
        check_choices(self, {"kl_reduction": REDUCTIONS, "edge_reduction": REDUCTIONS})


class VSGAE(StepwiseAutoencoder):
    """VS-GAE: messages in both directions, a gated read-out, and a decoder that propagates at every vertex.

    The encoder embeds the types, passes messages along the edges and against them, and computes mean and
    log-variance by two gated sums over the vertices (:class:`.vsgae_layers.GraphEncoder`). Isomorphic graphs
    have the same encoding. The decoder, :class:`.vsgae_decoder.VSGAEDecoder`, shares no weights with it.

    - Vertices and types are those of :mod:`.vertices`, where "start" is 0 and "end" 1; the paper numbers
      them 1 and 0, which only swaps two rows of the embeddings.
    - The edge from vertex 0 to vertex 1 is given rather than decoded if every graph of the space has it, as
      all cells of NAS-Bench-101 do. In other spaces it is scored like the others.
    - The released code makes a mistake when it scores the edges of a batch: the rows of edges are ordered by
      graph, but the graph states and latents next to them are repeated as if ordered by vertex, so that row r
      gets those of graph ``r mod B``. Its tests decode one graph at a time, where this changes nothing.
      ``released_tiling=True`` repeats the mistake in the loss, whose value then depends on the whole batch.
      Decoding is always right.
    """

    config_class = VSGAEConfig
    config: VSGAEConfig

    def _build(self) -> None:
        config, adapter = self.config, self.adapter
        sizes = adapter.num_types, config.hidden, config.latent, config.layers
        self.encoder = GraphEncoder(*sizes)
        self.decoder = VSGAEDecoder(
            *sizes,
            first_edge_given=first_edge_given(adapter),
            released_tiling=config.released_tiling,
            mean_of_edges=config.edge_reduction == "mean",
        )

    def _encode(self, graphs: ArchitectureBatch) -> tuple[Tensor, Tensor]:
        return self.encoder.both(graphs)

    def _reconstruction(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        return self.decoder.loss(graphs, z)

    def _generate(self, z: Tensor, drawing: GraphDrawing) -> None:
        self.decoder.generate(z, drawing)

    def loss(self, elbo: ELBO) -> Tensor:
        """The reconstruction loss and the weighted divergence, reduced as ``config.kl_reduction`` says."""
        if self.config.kl_reduction == "sum":
            return elbo.reconstruction.mean() + self.config.beta * elbo.kl.sum()
        return super().loss(elbo)


def first_edge_given(adapter: VertexAdapter) -> bool:
    """Whether vertex 0 feeds vertex 1 in every vertex graph of the space."""
    if adapter.reads_active or adapter.virtual_start:
        return True  # every vertex but the start is fed by an earlier one
    if adapter.on_edges:
        edges, _ = adapter.pattern_graphs
        return bool(edges[:, 0, 1].all())
    return not adapter.space.layout.allowed_edges[0, 1, 0]
