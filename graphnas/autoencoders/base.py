"""GraphAutoencoder: the interface of all graph autoencoders, and everything about them but the networks."""

from __future__ import annotations

import functools
import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graphnas.autoencoders.config import AutoencoderConfig
from graphnas.autoencoders.networks import initialise
from graphnas.autoencoders.vertices import VertexAdapter
from graphnas.errors import CorruptData, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.seeds import torch_generator
from graphnas.training.saved_space import describe_space, described_space
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT = "graphnas.autoencoder"
VERSION = 1
CHUNK = 4096
"""Graphs encoded or decoded at once."""

REDRAWS = 20
"""Times constrained decoding draws again what the masks could not make valid."""

Graphs = ArchitectureBatch | Sequence[Architecture]


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
        """The architecture of the space that each graph is; None for a graph that is none."""
        return self.adapter.to_architectures(self.graphs)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``(B,)``: which graphs are architectures of the space."""
        return np.array([architecture is not None for architecture in self.architectures], bool)

    def __len__(self) -> int:
        return len(self.graphs)

    def with_rows(self, rows: Tensor, others: Self) -> Self:
        """The same, with ``others`` in place of the graphs ``rows``."""
        mine, theirs = self.graphs, others.graphs
        graphs = ArchitectureBatch(
            mine.adjacency.index_copy(0, rows, theirs.adjacency),
            mine.operations.index_copy(0, rows, theirs.operations),
            mine.num_nodes.index_copy(0, rows, theirs.num_nodes),
        )
        return replace(self, graphs=graphs)


class GraphAutoencoder(nn.Module):
    """A variational autoencoder of the architectures of a space.

    Args:
        space: Any space that :class:`.vertices.VertexAdapter` reads.
        config: Sizes and training; a model's own defaults when omitted.
        seed: Of the initial weights, the order of the training graphs and the noise of training.
        device: Where the networks live.

    Attributes:
        history: One entry per epoch of training: ``epoch`` (from 1), ``loss``, ``reconstruction`` and ``kl``
            (means per graph, in nats) and ``learning_rate``; ``round`` where there are several.

    Raises:
        InvalidArgument: The space labels nodes and edges, ``config`` is of another model, or ``seed`` is no
            non-negative integer.
    """

    config_class: ClassVar[type[AutoencoderConfig]] = AutoencoderConfig

    def __init__(
        self,
        space: GraphSpace,
        config: AutoencoderConfig | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise InvalidArgument(f"seed must be a non-negative integer, got {seed!r}")
        if config is not None and type(config) is not self.config_class:
            raise InvalidArgument(
                f"{type(self).__name__} needs a {self.config_class.__name__}, got {type(config).__name__}"
            )
        self.space = space
        self.config = config if config is not None else self.config_class()
        self.seed = int(seed)
        self.adapter = VertexAdapter(space)
        self.history: list[dict[str, float]] = []
        with torch.device("meta"):
            self._build()
        self.to_empty(device=device)
        self.restart(0)
        self.eval()

    # ---------------------------------------------------------------- what a model must state

    @abstractmethod
    def _build(self) -> None:
        """Create the parts; their weights are drawn afterwards."""

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

        Where it is ``constrained``, what can be masked is masked; what the space's rule refuses then is for
        :meth:`decode` to draw again. ``flatten`` in 0..1 is how near to uniform the draws are.
        """

    def _kept_between_rounds(self) -> dict[str, Tensor]:
        """Parameters that :meth:`restart` does not draw anew."""
        return {}

    @property
    def rounds(self) -> int:
        """Number of trainings that one :meth:`fit` consists of."""
        return 1

    def unused_in_release(self) -> dict[str, int]:
        """Parameters that the released code allocates but never uses; they are not in this model."""
        return {}

    # ---------------------------------------------------------------- size and weights

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return next(self.parameters()).device

    def parameter_count(self, *, released: bool = False) -> int:
        """Number of parameters.

        Args:
            released: Count :meth:`unused_in_release` too, which gives the count of the released code.
        """
        own = sum(parameter.numel() for parameter in self.parameters())
        return own + (sum(self.unused_in_release().values()) if released else 0)

    def restart(self, round_number: int) -> Self:
        """Draw new weights, which depend on the seed and ``round_number``; round 0 draws all of them.

        From round 1 on, an operation embedding that encoder and decoder share is kept.
        """
        kept = {} if round_number == 0 else {k: v.clone() for k, v in self._kept_between_rounds().items()}
        initialise(self, self._generator(1, round_number))
        self.load_state_dict(kept, strict=False)
        return self

    def _generator(self, *purpose: int) -> torch.Generator:
        """A CPU generator that depends on the seed and ``purpose`` only."""
        return torch_generator(self.seed, *purpose)

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
            checkpoint: A file written after every epoch. Where it exists, training goes on from it and, on
                the processor, ends with the same weights to the last bit as if it had not stopped.
            on_epoch: Called after each epoch with the model, in evaluation mode, and the entry of
                :attr:`history`; it must draw from no generator of the model's, so that it changes nothing.

        Raises:
            InvalidArgument: There are no architectures, or the checkpoint is of another training.
            InvalidArchitecture: A label that the space does not have.
            CorruptData: The checkpoint is damaged.
            TrainingFailed: The loss is no longer finite.
        """
        from graphnas.autoencoders.training import train

        train(self, self.adapter.to_vertices(architectures), progress, checkpoint, on_epoch)
        return self

    def elbo(self, architectures: Graphs, generator: torch.Generator | None = None) -> ELBO:
        """Both parts of the negative evidence lower bound, with gradients.

        Args:
            architectures: ``B`` of them.
            generator: Of the noise; None: the latent is the posterior mean, as in evaluation.
        """
        return self._elbo(self.adapter.to_vertices(architectures).to(self.device), generator)

    def _elbo(self, graphs: ArchitectureBatch, generator: torch.Generator | None) -> ELBO:
        mean, log_variance = self._encode(graphs)
        mean, log_variance = mean.float(), log_variance.float()
        z = mean
        if generator is not None and self.config.noise:
            noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean.device)
            z = mean + self.config.noise * torch.exp(0.5 * log_variance) * noise
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
        return ELBO(self._reconstruction(graphs, z), kl)

    def _loss(self, elbo: ELBO) -> Tensor:
        """What training minimises, as a mean per graph: ``reconstruction + beta kl``."""
        return (elbo.reconstruction + self.config.beta * elbo.kl).mean()

    # ---------------------------------------------------------------- use

    @torch.no_grad()
    def encode(self, architectures: Graphs) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the posterior, each ``(B, d)`` float32 on the model's device."""
        graphs = self.adapter.to_vertices(architectures)
        parts = []
        for start in range(0, len(graphs), CHUNK):
            parts.append(self._encode(graphs[start : start + CHUNK].to(self.device)))
        return torch.cat([mean for mean, _ in parts]), torch.cat([variance for _, variance in parts])

    @torch.no_grad()
    def decode(
        self, z: Tensor, rng: torch.Generator, *, constrained: bool = False, stochastic: bool = True
    ) -> Decoded:
        """One graph for each latent.

        Args:
            z: ``(B, d)``; repeat rows to decode a latent several times.
            rng: Source of all draws.
            constrained: Draw only what the space allows. Types and edges it never has are masked; what its
                rule still refuses is drawn again, at most :data:`REDRAWS` times, each time from a flatter
                distribution until the last is uniform over what the masks leave. Valid graphs then come out
                unless even that draw breaks the rule (:attr:`Decoded.valid` tells).
            stochastic: Draw types and edges from their distribution, as the papers' tests do; else take the
                likeliest type and edges with a probability above one half. What constrained decoding draws
                again is always drawn.

        Raises:
            InvalidArgument: ``z`` has another shape.
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

    # ---------------------------------------------------------------- on disk

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write model, settings, space and history to one file."""
        content = {
            "model": type(self).__name__,
            "config": self.config.to_dict(),
            "seed": self.seed,
            "space": describe_space(self.space),
            "history": self.history,
            "weights": {
                name: value.cpu() if isinstance(value, Tensor) else value
                for name, value in self.state_dict().items()
            },
        }
        write_tensor_file(path, FORMAT, VERSION, content)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        space: GraphSpace | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """The model that :meth:`save` wrote; ``GraphAutoencoder.load`` finds its class.

        Args:
            path: The file.
            space: Needed if the space is the user's own, or was restricted to a table.
            device: Where the networks shall live.

        Raises:
            DataNotFound: There is no file.
            CorruptData: It is damaged, or no saved autoencoder of this version.
            InvalidArgument: It is of another space or another class, or the space is not known.
        """
        content = read_tensor_file(path, FORMAT, VERSION)
        from graphnas.autoencoders import MODELS

        try:
            model_class = MODELS[content["model"]]
            if not issubclass(model_class, cls):
                raise InvalidArgument(f"{path} holds a {content['model']}, not a {cls.__name__}")
            home = described_space(content["space"], space, f"the autoencoder in {path}")
            config = model_class.config_class.from_dict(content["config"])
            model = model_class(home, config, seed=content["seed"], device=device)
            model.history = content["history"]
            model.load_state_dict(content["weights"])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise CorruptData(f"{path} is no complete autoencoder: {error!r}") from error
        return model
