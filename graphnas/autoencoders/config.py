"""Settings of the graph autoencoders and of their training, with the papers' values as presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

from graphnas.configuration import Configuration, Presets, check_choices, check_integers, check_numbers
from graphnas.errors import InvalidArgument

OPTIMIZERS = ("muon", "adam")
SCHEDULES = ("one_cycle", "plateau", "constant")
PRECISIONS = ("float32", "bfloat16")
MESSAGES = ("state", "number", "type")
PROPAGATIONS = ("in_place", "simultaneous")


@dataclass(frozen=True)
class TrainingConfig(Configuration):
    """How a model is trained: the optimiser, and one of torch's learning rate schedulers.

    ``preset("paper")`` is the schedule of D-VAE (NeurIPS 2019, section 4; its code): 300 epochs of Adam at
    1e-4 in batches of 32, with the rate divided by 10 once the training loss has not fallen for 10 epochs.
    The default needs a small part of the updates for the same reconstruction: Muon, with the one-cycle
    schedule (Smith and Topin, 2018).

    Attributes:
        epochs: Passes over the training graphs.
        batch_size: Graphs per update; the last batch of an epoch may be smaller.
        optimizer: ``"muon"`` steps weight matrices by Muon (Jordan et al., 2024) and the rest by Adam;
            ``"adam"`` all by Adam.
        learning_rate: The learning rate; the maximum, for schedules that vary it.
        schedule: ``"one_cycle"`` (``OneCycleLR``, a cosine up from 1/25 of the maximum and down to 1/10,000
            of it), ``"plateau"`` (``ReduceLROnPlateau`` on the training loss) or ``"constant"``.
        warmup: Fraction of the updates during which the rate of ``"one_cycle"`` rises.
        factor: What ``"plateau"`` multiplies the rate by.
        patience: Epochs without a lower loss that ``"plateau"`` tolerates.
        clip: Largest norm of the gradient of the mean loss per graph; None: no clipping, as in the papers.
        precision: ``"float32"``, or ``"bfloat16"`` for autocast (weights and loss stay in float32).
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {
            "epochs": 300,
            "batch_size": 32,
            "optimizer": "adam",
            "learning_rate": 1e-4,
            "schedule": "plateau",
            "clip": None,
        },
    }

    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "muon"
    learning_rate: float = 5e-3
    schedule: str = "one_cycle"
    warmup: float = 0.1
    factor: float = 0.1
    patience: int = 10
    clip: float | None = 1.0
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_integers(self, {"epochs": 1, "batch_size": 1, "patience": 0})
        check_choices(self, {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "precision": PRECISIONS})
        check_numbers(self, {"learning_rate": "(0, inf)", "warmup": "(0, 1)", "factor": "(0, 1)"})
        check_numbers(self, {"clip": "(0, inf)"}, optional=True)


@dataclass(frozen=True)
class ModelConfig(Configuration):
    """Settings that the autoencoders and the performance predictor have in common.

    Attributes:
        hidden: Size ``H`` of vertex and graph states.
        latent: Size ``d`` of the latent space.
        training: How the model is trained.
    """

    hidden: int = 256
    latent: int = 56
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        check_integers(self, {"hidden": 1, "latent": 1})

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`."""
        return cls(**{**fields, "training": TrainingConfig(**fields["training"])})


@dataclass(frozen=True)
class AutoencoderConfig(ModelConfig):
    """Settings that all graph autoencoders have in common.

    ``preset("paper")`` has D-VAE's sizes and schedule.

    Attributes:
        beta: Weight of the Kullback-Leibler divergence.
        noise: Factor on the noise of the reparameterisation in training. D-VAE's code has 0.01, which makes
            its models nearly deterministic; 1 is a proper variational autoencoder.
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {"hidden": 501, "latent": 56, "training": TrainingConfig.preset("paper")},
    }

    beta: float = 0.005
    noise: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta", "noise"):
            if not getattr(self, name) >= 0:
                raise InvalidArgument(f"{name} must be at least 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class VertexConfig(AutoencoderConfig):
    """Settings that D-VAE and its GCN variant have in common.

    Attributes:
        message: What a message is computed from besides the sender's state: ``"number"``, its number in the
            graph, as in the released code for ENAS; ``"type"``, the input row of its type, as in the papers
            (eq. 4 and 10 of the embeddings' paper); ``"state"``, nothing. Without numbers, D-VAE encodes
            isomorphic graphs alike. GCN has messages in the decoder only.
        embedding: Dimensions of an operation embedding that encoder and decoder share; None: one-hot types.
        rounds: How often the model is trained, each time from new weights except for the embedding. Without
            an embedding nothing is kept, and the last round is a training with another seed: what to compare
            the rounds of an embedding with.
    """

    message: str = "number"
    embedding: int | None = None
    rounds: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integers(self, {"rounds": 1})
        check_choices(self, {"message": MESSAGES})
        check_integers(self, {"embedding": 1}, optional=True)


@dataclass(frozen=True)
class DVAEConfig(VertexConfig):
    """Settings of :class:`.dvae.DVAE`.

    Attributes:
        bidirectional: Whether the encoder also sweeps from the end vertex to the start.
    """

    bidirectional: bool = True


@dataclass(frozen=True)
class GCNConfig(VertexConfig):
    """Settings of :class:`.gcn.GCN`.

    Attributes:
        levels: Graph convolutions of the encoder.
        propagation: ``"in_place"`` updates the vertices of the second and later levels one after the other,
            as the released code does, so that a vertex already sees its predecessors' new states;
            ``"simultaneous"`` is what the paper describes.
    """

    levels: int = 3
    propagation: str = "in_place"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integers(self, {"levels": 1})
        check_choices(self, {"propagation": PROPAGATIONS})


@dataclass(frozen=True)
class DVAEEmbConfig(DVAEConfig):
    """Settings of :class:`.dvae.DVAEEmb`: D-VAE with an embedding of 3 dimensions.

    ``preset("paper")`` trains it 4 times, carrying on only the embedding (T = 4).
    """

    presets: ClassVar[Presets] = {"default": {}, "paper": {**AutoencoderConfig.presets["paper"], "rounds": 4}}

    embedding: int | None = 3


@dataclass(frozen=True)
class GCNEmbConfig(GCNConfig):
    """Settings of :class:`.gcn.GCNEmb`: GCN with an embedding of 3 dimensions (T = 1)."""

    embedding: int | None = 3
