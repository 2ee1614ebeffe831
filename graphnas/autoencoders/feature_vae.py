"""FeatureVAE: our latent space, in which distances follow graph kernels and which reconstructs exactly."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.base import ELBO, Decoded, GraphAutoencoder, Graphs
from graphnas.autoencoders.config import AutoencoderConfig, TrainingConfig
from graphnas.autoencoders.estimates import fit_estimates
from graphnas.autoencoders.networks import mlp
from graphnas.autoencoders.principal import PrincipalFeatures
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flatten import Flattener

_CHUNK = 4096
_LEAST_SCALE = 1e-6
_COMPONENTS = 2000
"""Graphs that the principal components are found from."""


@dataclass(frozen=True)
class FeatureVAEConfig(AutoencoderConfig):
    """Settings of :class:`FeatureVAE`.

    Attributes:
        depths: Weisfeiler-Lehman depths of the features.
        estimates: Latent coordinates that estimate the targets, where ``fit`` is given targets.
        estimate_epochs: Passes over the training set for each of them.
    """

    hidden: int = 256
    depths: tuple[int, ...] = (0, 1)
    estimates: int = 4
    estimate_epochs: int = 20
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=20, batch_size=128, learning_rate=3e-3)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.depths or min(self.depths) < 0:
            raise InvalidArgument(f"depths must be non-negative and not empty, got {self.depths}")
        if not 0 <= self.estimates < self.latent:
            raise InvalidArgument(f"estimates must be in 0..{self.latent - 1}, got {self.estimates}")
        if self.estimate_epochs < 1:
            raise InvalidArgument(f"estimate_epochs must be at least 1, got {self.estimate_epochs}")

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`."""
        return replace(super().from_dict(fields), depths=tuple(fields["depths"]))


class ReadBatch(ArchitectureBatch):
    """Completed architectures with what the model reads of them, so that training reads them once.

    Attributes:
        means: ``(B, d)`` posterior means.
        choices: ``(B, S)`` labels, see :meth:`.Layout.choices`.
    """

    __slots__ = ("choices", "means")

    def __init__(self, batch: ArchitectureBatch, means: Tensor, choices: Tensor) -> None:
        super().__init__(batch.adjacency, batch.operations, batch.num_nodes)
        self.means, self.choices = means, choices

    def to(self, device: torch.device | str) -> ReadBatch:
        """The same batch on ``device``."""
        return ReadBatch(super().to(device), self.means.to(device), self.choices.to(device))

    def __getitem__(self, index: Any) -> ReadBatch:
        """A part of the batch."""
        return ReadBatch(super().__getitem__(index), self.means[index], self.choices[index])


class FeatureVAE(GraphAutoencoder):
    """A variational autoencoder whose encoder is linear in graph features; of no paper, our own design.

    - The posterior mean is the principal components of an architecture's bits and Weisfeiler-Lehman counts
      (:class:`.PrincipalFeatures`), so near in the latent space means alike as a graph. Its variance is
      learned with the decoder; the prior is normal with the variance of the training means, since scaling
      every coordinate to one would undo that.
    - The decoder is a perceptron that gives the logits of every slot (node or edge with a choice) at once.
    - Where ``fit`` is given targets, such as accuracies, the last coordinates are not components but
      estimates of the target by perceptrons trained on the same architectures (a supervised term): a
      Gaussian process on such a latent space starts from what they know. Without targets nothing is
      supervised.

    Unlike the models of the papers it reads the architecture itself, not its vertex graph, so that operations
    on edges keep their place; decoded graphs are vertex graphs as with the others.
    """

    config_class: ClassVar[type[AutoencoderConfig]] = FeatureVAEConfig
    config: FeatureVAEConfig

    def _build(self) -> None:
        config = self.config
        self.layout = self.space.layout
        self.principal: PrincipalFeatures | None = None
        self._bits = Flattener(self.space)
        self._estimated = False
        self._scale = torch.ones(config.latent)
        self.spread = nn.Linear(config.latent, config.latent)
        outputs = max(self.layout.labels.size, 1)
        self.decoder = mlp(config.latent, config.hidden, config.hidden, outputs)
        width, h = max(self._bits.width, 1), config.hidden
        self.estimators = nn.ModuleList(mlp(width, h, h, h, 1) for _ in range(config.estimates))

    def restart(self, round_number: int) -> Self:
        """Draw new weights of the decoder; estimates that were fitted are kept."""
        kept = {k: v.clone() for k, v in self.state_dict().items() if k.startswith("estimators.")}
        super().restart(round_number)
        if self._estimated:
            self.load_state_dict(kept, strict=False)
        return self

    # ---------------------------------------------------------------- training

    def fit(
        self,
        architectures: Graphs,
        targets: ArrayLike | None = None,
        *,
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        on_epoch: Callable[[Any, dict[str, float]], None] | None = None,
    ) -> Self:
        """Find the components, then train the estimates (with ``targets``) and the decoder.

        Args:
            architectures: The training set, of ``n``.
            targets: (n,) what the estimates learn, such as accuracies in any unit. None: no supervision.
            progress: As in :meth:`GraphAutoencoder.fit`.
            checkpoint: As in :meth:`GraphAutoencoder.fit`; components and estimates are found anew.
            on_epoch: As in :meth:`GraphAutoencoder.fit`.

        Raises:
            InvalidArgument: As in :meth:`GraphAutoencoder.fit`, or as many targets are not given.
            InvalidArchitecture: A label that the space does not have.
            CorruptData: The checkpoint is damaged.
            TrainingFailed: The loss is no longer finite.
        """
        from graphnas.autoencoders.training import train

        batch = self.space.completed_batch(architectures)
        self.layout.choices(batch)
        values = None if targets is None else np.asarray(targets, float)
        if values is not None and (values.shape != (len(batch),) or not np.isfinite(values).all()):
            raise InvalidArgument(
                f"targets must be {len(batch)} finite numbers, one per architecture, got shape {values.shape}"
            )
        self._estimated = values is not None and self.config.estimates > 0
        rng = np.random.default_rng([self.seed, 4])
        chosen = rng.permutation(len(batch))[:_COMPONENTS]
        self.principal = PrincipalFeatures(
            self.space, self.config.latent - self._estimated * self.config.estimates, self.config.depths
        ).fit(batch[chosen])
        if self._estimated and values is not None:
            rows = torch.from_numpy(self._bits(batch))
            fit_estimates(
                self.estimators,
                rows.to(self.device),
                torch.from_numpy((values - values.mean()) / max(values.std(), 1e-12)).float().to(self.device),
                self._generator(5),
                epochs=self.config.estimate_epochs,
                progress=progress,
            )
        self._scale = torch.ones(self.config.latent)
        means = torch.cat([self._means(batch[k : k + _CHUNK]) for k in range(0, len(batch), _CHUNK)])
        deviation = means.std(0, correction=0).cpu()
        self._scale = torch.where(deviation > _LEAST_SCALE, deviation, torch.ones_like(deviation))
        choices = torch.from_numpy(self.layout.choices(batch))
        train(self, ReadBatch(batch, means, choices), progress, checkpoint, on_epoch)
        return self

    # ---------------------------------------------------------------- the model

    def elbo(self, architectures: Graphs, generator: torch.Generator | None = None) -> ELBO:
        """As in :meth:`GraphAutoencoder.elbo`, with the model's own prior."""
        return self._elbo(self._read(self.space.completed_batch(architectures)), generator)

    @torch.no_grad()
    def encode(self, architectures: Graphs) -> tuple[Tensor, Tensor]:
        """As in :meth:`GraphAutoencoder.encode`."""
        batch = self.space.completed_batch(architectures)
        parts = [self._encode(batch[start : start + _CHUNK]) for start in range(0, len(batch), _CHUNK)]
        return torch.cat([mean for mean, _ in parts]), torch.cat([variance for _, variance in parts])

    def _read(self, batch: ArchitectureBatch) -> ReadBatch:
        if isinstance(batch, ReadBatch):
            return batch
        choices = torch.from_numpy(self.layout.choices(batch)).to(self.device)
        return ReadBatch(batch.to(self.device), self._means(batch), choices)

    @torch.no_grad()
    def _means(self, batch: ArchitectureBatch) -> Tensor:
        """Posterior means ``(B, d)``; coordinates beyond the components there are stay 0."""
        if self.principal is None:
            raise InvalidArgument("FeatureVAE has no components yet: call fit(architectures) first")
        means = torch.zeros(len(batch), self.config.latent, device=self.device)
        components = torch.from_numpy(self.principal(batch)).to(means)
        means[:, : components.shape[1]] = components
        if self._estimated:
            rows = torch.from_numpy(self._bits(batch)).to(self.device)
            means[:, -self.config.estimates :] = torch.cat([e(rows) for e in self.estimators], 1)
        return means

    def _encode(self, graphs: ArchitectureBatch) -> tuple[Tensor, Tensor]:
        means, scale = self._means(graphs), self._scale.to(self.device)
        return means, self.spread(means / scale) + 2 * scale.log()

    def _elbo(self, graphs: ArchitectureBatch, generator: torch.Generator | None) -> ELBO:
        read, scale = self._read(graphs), self._scale.to(self.device)
        # In units of the prior's standard deviation, in which the prior is the standard normal.
        mean = read.means / scale
        log_variance = self.spread(mean).float()
        z = mean
        if generator is not None and self.config.noise:
            noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean.device)
            z = mean + self.config.noise * torch.exp(0.5 * log_variance) * noise
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
        return ELBO(self._choice_loss(read.choices, z * scale), kl)

    def _choice_loss(self, choices: Tensor, z: Tensor) -> Tensor:
        loss = F.cross_entropy(self._logits(z).flatten(0, 1), choices.flatten(), reduction="none")
        return loss.view(len(choices), -1).sum(1)

    def _reconstruction(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        return self._choice_loss(self._read(graphs).choices, z)

    def _logits(self, z: Tensor) -> Tensor:
        """``(B, S, K)``, minus infinity where a slot has no such choice."""
        shape = (len(z), *self.layout.labels.shape)
        logits: Tensor = (
            self.decoder(z / self._scale.to(z.device))[:, : shape[1] * shape[2]].reshape(shape).float()
        )
        return logits.masked_fill(~torch.from_numpy(self.layout.allowed).to(z.device), -torch.inf)

    def _decode(
        self, z: Tensor, rng: torch.Generator, *, stochastic: bool, constrained: bool, flatten: float
    ) -> DecodedSlots:
        # All slots at once, each one of its choices, so there is nothing to mask.
        parts = [self._draw(part, rng, stochastic, flatten) for part in torch.split(z, _CHUNK)]
        found = self._architectures(np.concatenate(parts))
        return DecodedSlots(self._vertex_graphs(found), self.adapter, tuple(found))

    def _draw(self, z: Tensor, rng: torch.Generator, stochastic: bool, flatten: float) -> NDArray[np.int64]:
        logits = self._logits(z)
        if stochastic:
            # The largest of log-probability plus Gumbel noise is a draw; shrinking the logits flattens it.
            uniform = torch.rand(logits.shape, generator=rng, device=rng.device).clamp(1e-12, 1 - 1e-7)
            logits = logits * (1 - flatten) - torch.log(-torch.log(uniform)).to(logits.device)
        return logits.argmax(2).cpu().numpy()

    def _architectures(self, choices: NDArray[np.int64]) -> list[Architecture | None]:
        """The architecture of each row ``(B, S)``; None where the space's rule refuses it."""
        # Rows repeat in decoding, and checking is the slow part: each different row is checked once.
        distinct, inverse = np.unique(choices, axis=0, return_inverse=True)
        built = self.layout.from_choices(distinct).to_architectures()
        checked = [architecture if self.space.is_valid(architecture) else None for architecture in built]
        return [checked[k] for k in inverse.reshape(-1).tolist()]

    def _vertex_graphs(self, found: list[Architecture | None]) -> ArchitectureBatch:
        """Vertex graphs of what was decoded; where that is no architecture, one vertex, which is none."""
        n, valid = self.adapter.max_vertices, np.array([a is not None for a in found], bool)
        adjacency = np.zeros((len(found), n, n), np.int8)
        types = np.zeros((len(found), n), np.int16)
        sizes = np.ones(len(found), np.int64)
        if valid.any():
            real = self.adapter.to_vertices([a for a in found if a is not None]).to_arrays()
            adjacency[valid], types[valid], sizes[valid] = real
        return ArchitectureBatch.from_arrays(adjacency, types, sizes)

    # ---------------------------------------------------------------- state beyond the weights

    def get_extra_state(self) -> dict[str, Any]:
        """The components, for ``state_dict``."""
        if self.principal is None:
            return {}
        return {"estimated": self._estimated, "scale": self._scale, **self.principal.state()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`get_extra_state`."""
        self.principal, self._estimated = None, False
        if state:
            self._estimated, self._scale = state["estimated"], state["scale"].cpu()
            components = self.config.latent - self._estimated * self.config.estimates
            self.principal = PrincipalFeatures(self.space, components, self.config.depths).load(state)


@dataclass(frozen=True)
class DecodedSlots(Decoded):
    """Decoded graphs whose architectures are known already: operations on edges kept their place.

    Attributes:
        found: The architecture of each; None where the space's rule refuses it.
    """

    found: tuple[Architecture | None, ...]

    @property
    def architectures(self) -> list[Architecture | None]:
        """The architecture of the space that each graph is; None for a graph that is none."""
        return list(self.found)

    def with_rows(self, rows: Tensor, others: Self) -> Self:
        """The same, with ``others`` in place of the graphs ``rows``."""
        found = list(self.found)
        for row, architecture in zip(rows.tolist(), others.found, strict=True):
            found[row] = architecture
        return replace(super().with_rows(rows, others), found=tuple(found))
