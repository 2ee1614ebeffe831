"""Settings of the graph autoencoders and of their training, with the papers' values as presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from graphnas.configuration import check_choices, check_integers, check_numbers, from_preset
from graphnas.errors import InvalidArgument

SCHEDULES = ("one_cycle", "plateau", "constant")
PRECISIONS = ("float32", "bfloat16")
PROPAGATIONS = ("in_place", "simultaneous")
PAPER_TRAINING = {
    "epochs": 300,
    "batch_size": 32,
    "learning_rate": 1e-4,
    "schedule": "plateau",
    "clip": None,
}


@dataclass(frozen=True)
class TrainingConfig:
    """How a graph autoencoder is trained.

    ``TrainingConfig.preset("paper")`` is the schedule of D-VAE (NeurIPS 2019, section 4; its code): 300
    epochs of Adam at 1e-4 in batches of 32, the rate divided by 10 when the training loss has not fallen for
    10 epochs. The default is ours, for a shorter training: a third of the epochs, larger batches, which cost
    less per graph on a processor, and a rate that rises to its maximum and falls to almost nothing ("one
    cycle", Smith and Topin, 2018). In 5 epochs on the ENAS graphs (D-VAE, 128 hidden units) a maximum of
    3e-3 came to a loss of 13.1 where 1e-3 came to 17.3.

    Attributes:
        epochs: Passes over the training graphs.
        batch_size: Graphs per update; the last batch of an epoch may be smaller.
        learning_rate: Of Adam; the maximum, where the schedule varies it.
        schedule: ``"one_cycle"``, ``"plateau"`` (ReduceLROnPlateau, minimum of the training loss) or
            ``"constant"``.
        warmup: Share of the updates in which the rate of ``"one_cycle"`` rises.
        factor: What ``"plateau"`` multiplies the rate with.
        patience: Epochs without a lower loss that ``"plateau"`` endures.
        clip: Largest norm of the gradient of the mean loss per graph; None: not clipped, as in the papers.
        precision: ``"float32"``, or ``"bfloat16"`` for autocast (weights and loss stay in float32).
    """

    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 3e-3
    schedule: str = "one_cycle"
    warmup: float = 0.1
    factor: float = 0.1
    patience: int = 10
    clip: float | None = 1.0
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_integers(self, {"epochs": 1, "batch_size": 1, "patience": 0})
        check_numbers(self, {"learning_rate": "(0, inf)", "warmup": "(0, 1)", "factor": "(0, 1)"})
        check_numbers(self, {"clip": "(0, inf)"}, optional=True)
        check_choices(self, {"schedule": SCHEDULES, "precision": PRECISIONS})

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named setting, with single fields changed.

        Raises:
            InvalidArgument: An unknown preset.
        """
        return from_preset(cls, {"default": {}, "paper": PAPER_TRAINING}, name, changes)


@dataclass(frozen=True)
class AutoencoderConfig:
    """What all graph autoencoders have in common.

    Attributes:
        hidden: Size ``H`` of vertex and graph states; 501 in D-VAE.
        latent: Size ``d`` of the latent space; 56 in D-VAE.
        beta: Weight of the Kullback-Leibler divergence.
        noise: What the noise of the reparameterisation is multiplied with in training. D-VAE's code has
            0.01, which makes these models nearly deterministic; 1 is a proper variational autoencoder.
        training: The schedule.
    """

    hidden: int = 256
    latent: int = 56
    beta: float = 0.005
    noise: float = 0.01
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        check_integers(self, {"hidden": 1, "latent": 1})
        check_numbers(self, {"beta": "[0, inf)", "noise": "[0, inf)"})

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named setting, with single fields changed: ``"paper"`` has D-VAE's sizes and schedule.

        Raises:
            InvalidArgument: An unknown preset.
        """
        paper = {"hidden": 501, "latent": 56, "training": TrainingConfig.preset("paper")}
        return from_preset(cls, {"default": {}, "paper": paper}, name, changes)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`."""
        return cls(**{**fields, "training": TrainingConfig(**fields["training"])})


@dataclass(frozen=True)
class DVAEConfig(AutoencoderConfig):
    """Settings of :class:`.dvae.DVAE`.

    Attributes:
        bidirectional: Whether the encoder also sweeps from the end vertex to the start.
        vertex_ids: Whether a message carries the sender's number, as in the released code for ENAS. Without
            it, isomorphic graphs have the same encoding.
        embedding: Dimensions of an operation embedding that encoder and decoder share (DVAE-EMB: 3); None
            for one-hot types.
        rounds: Times the model is trained anew, carrying only the embedding (DVAE-EMB: 4).
    """

    bidirectional: bool = True
    vertex_ids: bool = True
    embedding: int | None = None
    rounds: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_embedding(self)


@dataclass(frozen=True)
class GCNConfig(AutoencoderConfig):
    """Settings of :class:`.gcn.GCN`.

    Attributes:
        levels: Graph convolutions of the encoder.
        propagation: ``"in_place"`` updates the vertices of the second and later levels one after the other,
            as the released code does, so that a vertex already sees its predecessors' new states;
            ``"simultaneous"`` is what the paper describes.
        vertex_ids: As in :class:`DVAEConfig`; only the decoder has messages.
        embedding: As in :class:`DVAEConfig` (GCN-EMB: 3).
        rounds: As in :class:`DVAEConfig` (GCN-EMB: 1).
    """

    levels: int = 3
    propagation: str = "in_place"
    vertex_ids: bool = True
    embedding: int | None = None
    rounds: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integers(self, {"levels": 1})
        check_choices(self, {"propagation": PROPAGATIONS})
        _check_embedding(self)


@dataclass(frozen=True)
class DVAEEmbConfig(DVAEConfig):
    """Settings of :class:`.dvae.DVAEEmb`: those of D-VAE, with an embedding of 3 dimensions.

    ``preset("paper")`` trains 4 times, carrying only the embedding (T = 4).
    """

    embedding: int | None = 3

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """As :meth:`AutoencoderConfig.preset`."""
        return super().preset(name, **{**({"rounds": 4} if name == "paper" else {}), **changes})


@dataclass(frozen=True)
class GCNEmbConfig(GCNConfig):
    """Settings of :class:`.gcn.GCNEmb`: those of GCN, with an embedding of 3 dimensions (T = 1)."""

    embedding: int | None = 3


def _check_embedding(config: DVAEConfig | GCNConfig) -> None:
    check_integers(config, {"embedding": 1}, optional=True)
    check_integers(config, {"rounds": 1})
    if config.rounds > 1 and config.embedding is None:
        raise InvalidArgument(
            f"rounds={config.rounds} carry the embedding from one to the next, but there is none"
        )
