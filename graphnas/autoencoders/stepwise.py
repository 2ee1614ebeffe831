"""Autoencoders whose decoder draws a graph step by step: vertex after vertex, and the edges of each."""

from __future__ import annotations

import functools
from abc import abstractmethod

import torch
from torch import Tensor

from graphnas.autoencoders import base
from graphnas.autoencoders.base import Decoded, GraphAutoencoder
from graphnas.autoencoders.drawing import DrawingMasks, GraphDrawing
from graphnas.graph.batch import ArchitectureBatch


class StepwiseAutoencoder(GraphAutoencoder):
    """A graph autoencoder that states how it makes its steps; the rest of decoding is here."""

    @abstractmethod
    def _generate(self, z: Tensor, drawing: GraphDrawing) -> None:
        """Decode ``z`` ``(B, d)`` into ``drawing``, step by step."""

    def _decode(
        self, z: Tensor, rng: torch.Generator, *, stochastic: bool, constrained: bool, flatten: float
    ) -> Decoded:
        masks = self._masks if constrained else None
        parts = []
        for part in torch.split(z, base.CHUNK):
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
