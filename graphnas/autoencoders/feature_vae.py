"""FeatureVAE: our latent space, in which distances follow graph kernels and which reconstructs exactly."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.base import ELBO, Decoded, GraphAutoencoder, divergence
from graphnas.autoencoders.config import AutoencoderConfig, TrainingConfig
from graphnas.autoencoders.estimates import fit_estimates
from graphnas.autoencoders.model import CHUNK, Graphs
from graphnas.autoencoders.networks import mlp
from graphnas.autoencoders.principal import PrincipalFeatures
from graphnas.autoencoders.trainer import AnnotatedBatch, checked_targets, train
from graphnas.configuration import check_integers
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flatten import Flattener

_LEAST_SCALE = 1e-6
_FITTED_TO = 2000
"""Number of graphs that the principal components are computed from."""


@dataclass(frozen=True)
class FeatureVAEConfig(AutoencoderConfig):
    """Settings of :class:`FeatureVAE`.

    Attributes:
        depths: Weisfeiler-Lehman depths of the features.
        estimates: Number of latent coordinates that estimate the targets, if ``fit`` is given targets.
        estimate_epochs: Passes over the training set for each of them.
    """

    depths: tuple[int, ...] = (0, 1)
    estimates: int = 4
    estimate_epochs: int = 20
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=20, batch_size=128, optimizer="adam", learning_rate=3e-3
        )
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.depths or min(self.depths) < 0:
            raise InvalidArgument(f"depths must be non-negative and not empty, got {self.depths}")
        if not 0 <= self.estimates < self.latent:
            raise InvalidArgument(f"estimates must be in 0..{self.latent - 1}, got {self.estimates}")
        check_integers(self, {"estimate_epochs": 1})


class FeatureVAE(GraphAutoencoder):
    """A variational autoencoder whose encoder is linear in graph features; our own design.

    - The posterior mean consists of the principal components of an architecture's bits and Weisfeiler-Lehman
      counts (:class:`.PrincipalFeatures`), so points that are close in the latent space are similar graphs.
      The variance is learned with the decoder. The prior is normal with the variance of the training means,
      since scaling every coordinate to unit variance would undo that similarity.
    - The decoder is a perceptron that gives the logits of every slot (node or edge with a choice) at once.
    - If ``fit`` is given targets, such as accuracies, the last coordinates are estimates of the target by
      perceptrons trained on the same architectures, in place of components. A Gaussian process on such a
      latent space starts from their estimates. Without targets nothing is supervised.

    Unlike the papers' models it reads the architecture itself rather than its vertex graph, so that
    operations on edges keep their place. Decoded graphs are vertex graphs, as with the other models.
    """

    config_class = FeatureVAEConfig
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
        """Draw new weights for the decoder; fitted estimates are kept."""
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
        """Compute the components, then train the estimates (if there are targets) and the decoder.

        Args:
            architectures: The training set of ``n`` architectures.
            targets: (n,) what the estimates learn, such as accuracies in any unit. None: no supervision.
            progress: As in :meth:`GraphAutoencoder.fit`.
            checkpoint: As in :meth:`GraphAutoencoder.fit`; components and estimates are computed again.
            on_epoch: As in :meth:`GraphAutoencoder.fit`.

        Raises:
            InvalidArgument: As in :meth:`GraphAutoencoder.fit`, or targets that do not fit or are not finite.
            InvalidArchitecture: A label that the space does not have.
            CorruptData: The checkpoint is damaged.
            TrainingFailed: The loss is no longer finite.
        """
        batch = self._read(architectures)
        choices = torch.from_numpy(self.layout.choices(batch))
        values = None if targets is None else checked_targets(targets, len(batch))
        self._estimated = values is not None and self.config.estimates > 0
        chosen = np.random.default_rng([self.seed, 4]).permutation(len(batch))[:_FITTED_TO]
        self.principal = self._components().fit(batch[chosen])
        if self._estimated and values is not None:
            scaled = (values - values.mean()) / max(values.std(), 1e-12)
            fit_estimates(
                self.estimators,
                torch.from_numpy(self._bits(batch)).to(self.device),
                torch.from_numpy(scaled).float().to(self.device),
                self.generator(5),
                epochs=self.config.estimate_epochs,
                progress=progress,
            )
        self._scale = torch.ones(self.config.latent)
        means = torch.cat([self._means(batch[k : k + CHUNK]) for k in range(0, len(batch), CHUNK)])
        deviation = means.std(0, correction=0).cpu()
        self._scale = torch.where(deviation > _LEAST_SCALE, deviation, torch.ones_like(deviation))
        train(
            self,
            AnnotatedBatch(batch, means=means, choices=choices),
            progress=progress,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            also_decided_by=[] if values is None else [values],
        )
        return self

    # ---------------------------------------------------------------- the model

    def _read(self, architectures: Graphs) -> ArchitectureBatch:
        return self.space.completed_batch(architectures)

    def _annotated(self, batch: ArchitectureBatch) -> AnnotatedBatch:
        """The batch with posterior means ``(B, d)`` and choices ``(B, S)``, which training computes once."""
        if isinstance(batch, AnnotatedBatch):
            return batch
        choices = torch.from_numpy(self.layout.choices(batch)).to(self.device)
        return AnnotatedBatch(batch, means=self._means(batch), choices=choices)

    def _components(self) -> PrincipalFeatures:
        count = self.config.latent - self._estimated * self.config.estimates
        return PrincipalFeatures(self.space, count, self.config.depths)

    @torch.no_grad()
    def _means(self, batch: ArchitectureBatch) -> Tensor:
        """Posterior means ``(B, d)``; if there are fewer components than coordinates, the others are 0."""
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
        columns, scale = self._annotated(graphs).columns, self._scale.to(self.device)
        # In units of the prior's standard deviation, in which the prior is the standard normal.
        mean = columns["means"] / scale
        log_variance = self.spread(mean).float()
        z = self._sample(mean, log_variance, generator)
        return ELBO(self._choice_loss(columns["choices"], z * scale), divergence(mean, log_variance))

    def _choice_loss(self, choices: Tensor, z: Tensor) -> Tensor:
        loss = F.cross_entropy(self._logits(z).flatten(0, 1), choices.flatten(), reduction="none")
        return loss.view(len(choices), -1).sum(1)

    def _reconstruction(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        return self._choice_loss(self._annotated(graphs).columns["choices"], z)

    def _logits(self, z: Tensor) -> Tensor:
        """``(B, S, K)``, minus infinity for choices that a slot does not have."""
        shape = (len(z), *self.layout.labels.shape)
        logits: Tensor = (
            self.decoder(z / self._scale.to(z.device))[:, : shape[1] * shape[2]].reshape(shape).float()
        )
        return logits.masked_fill(~torch.from_numpy(self.layout.allowed).to(z.device), -torch.inf)

    def _decode(
        self, z: Tensor, rng: torch.Generator, *, stochastic: bool, constrained: bool, flatten: float
    ) -> DecodedSlots:
        # Every slot takes one of its own choices, so there is nothing to mask.
        parts = [self._draw(part, rng, stochastic, flatten) for part in torch.split(z, CHUNK)]
        decoded = self._architectures(np.concatenate(parts))
        return DecodedSlots(self._vertex_graphs(decoded), self.adapter, tuple(decoded))

    def _draw(self, z: Tensor, rng: torch.Generator, stochastic: bool, flatten: float) -> NDArray[np.int64]:
        logits = self._logits(z)
        if stochastic:
            # The largest of log-probability plus Gumbel noise is a draw; shrinking the logits flattens it.
            uniform = torch.rand(logits.shape, generator=rng, device=rng.device).clamp(1e-12, 1 - 1e-7)
            # Minus infinity times zero is no number: what a slot does not have stays out.
            logits = torch.where(torch.isneginf(logits), logits, logits * (1 - flatten))
            logits = logits - torch.log(-torch.log(uniform)).to(logits.device)
        return logits.argmax(2).cpu().numpy()

    def _architectures(self, choices: NDArray[np.int64]) -> list[Architecture | None]:
        """The architecture of each row ``(B, S)``; None where the space's rule refuses it."""
        # Rows repeat in decoding, and checking is the slow part: each different row is checked once.
        distinct, inverse = np.unique(choices, axis=0, return_inverse=True)
        built = self.layout.from_choices(distinct).to_architectures()
        checked = [architecture if self.space.is_valid(architecture) else None for architecture in built]
        return [checked[k] for k in inverse.reshape(-1).tolist()]

    def _vertex_graphs(self, decoded: list[Architecture | None]) -> ArchitectureBatch:
        """Vertex graphs of the decoded architectures; a single vertex, which is invalid, for None."""
        n, valid = self.adapter.max_vertices, np.array([a is not None for a in decoded], bool)
        adjacency = np.zeros((len(decoded), n, n), np.int8)
        types = np.zeros((len(decoded), n), np.int16)
        sizes = np.ones(len(decoded), np.int64)
        if valid.any():
            real = self.adapter.to_vertices([a for a in decoded if a is not None]).to_arrays()
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
            self.principal = self._components().load(state)


@dataclass(frozen=True)
class DecodedSlots(Decoded):
    """Decoded graphs whose architectures are already known, with operations on edges in their place.

    Attributes:
        known: The architecture of each graph; None if it breaks the space's rule.
    """

    known: tuple[Architecture | None, ...]

    @property
    def architectures(self) -> list[Architecture | None]:
        """The architecture of each graph; None for a graph that is not one of the space."""
        return list(self.known)

    def with_rows(self, rows: Tensor, others: Self) -> Self:
        """The same graphs, except that ``others`` replace those at ``rows``."""
        known = list(self.known)
        for row, architecture in zip(rows.tolist(), others.known, strict=True):
            known[row] = architecture
        return replace(super().with_rows(rows, others), known=tuple(known))
