"""Settings of NASGEM, its encoder and its perceptron, with those of the paper as presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphnas.configuration import (
    Configuration,
    Presets,
    check_booleans,
    check_choices,
    check_integers,
    check_numbers,
)
from graphnas.graph.flatten import NODE_OPS
from graphnas.graph.wl_labels import DIRECTIONS, Direction
from graphnas.methods.nasgem.pairs import TARGETS

SCHEDULES = ("one_cycle", "constant")
UPDATES = ("refit", "fine_tune")


@dataclass(frozen=True)
class EncoderConfig(Configuration):
    """Settings of :class:`graphnas.methods.nasgem.KernelGuidedEncoder`.

    The paper states the loss, 50,000 pairs and 10,000 iterations (its ablation, the preset ``"paper"``), and
    dimensions from 10 to 50; the rest are our choices. It names the Weisfeiler-Lehman kernel without a
    variant: the default is the standard one, grakel's, whose labels see the successors and whose features
    include the first labels.

    Attributes:
        dimension: Size ``d`` of the embedding. On unseen pairs of GEMNet, NAS-Bench-101 and NAS-Bench-201 an
            embedding of 30 follows the kernel better than a constant does, one of 10 does not.
        hidden: Widths between input and embedding; the decoder mirrors them.
        node_ops: ``"onehot"`` appends one-hot operations to the adjacency, ``"none"`` leaves them out.
        pairs: Number of pairs generated once, before training.
        iterations: Number of updates.
        batch_size: Pairs per update.
        learning_rate: Adam's learning rate.
        kernel_iterations: Depth ``h`` of the Weisfeiler-Lehman kernel.
        kernel_direction: Neighbours that its labels see: ``"in"``, ``"out"`` or ``"both"``, kept apart.
        kernel_initial: Whether the labels before the first round are features too. Without them, and in
            both directions, random graphs of 30 nodes are nearly orthogonal: nothing is to be learned.
        target: ``"raw"``, ``"centred"`` or ``"rank"``; see :func:`.pairs.sample_pairs`.
        kernel_guided: Whether the loss has the similarity term; without it, a plain autoencoder.
    """

    presets: ClassVar[Presets] = {"default": {}, "paper": {"iterations": 10_000}}

    dimension: int = 30
    hidden: tuple[int, ...] = (256, 128)
    node_ops: str = "onehot"
    pairs: int = 50_000
    iterations: int = 2500
    batch_size: int = 256
    learning_rate: float = 1e-3
    kernel_iterations: int = 3
    kernel_direction: Direction = "out"
    kernel_initial: bool = True
    target: str = "raw"
    kernel_guided: bool = True

    def __post_init__(self) -> None:
        counts = ("dimension", "iterations", "batch_size", "kernel_iterations")
        check_integers(self, {**dict.fromkeys(counts, 1), "pairs": 2})
        check_numbers(self, {"learning_rate": "(0, inf)"})
        check_choices(self, {"node_ops": NODE_OPS, "kernel_direction": DIRECTIONS, "target": TARGETS})
        check_booleans(self, "kernel_initial", "kernel_guided")


@dataclass(frozen=True)
class PredictorConfig(Configuration):
    """Settings of :class:`graphnas.methods.nasgem.MLPPredictor`.

    The paper states only "fully connected, ReLU": ``PredictorConfig.preset("paper")`` is the plainest such
    perceptron. The default learns in a fifth of its updates.

    Attributes:
        hidden: Widths between the vector and the score.
        epochs: Full-batch updates of a fit from scratch.
        fine_tune_epochs: Full-batch updates when the set has grown.
        learning_rate: Adam's learning rate, or its maximum.
        schedule: ``"one_cycle"`` lets it rise and fall over the updates, ``"constant"`` does not.
        weight_decay: Adam's weight decay.
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {
            "epochs": 500,
            "learning_rate": 1e-3,
            "schedule": "constant",
        },
    }

    hidden: tuple[int, ...] = (64, 32)
    epochs: int = 100
    fine_tune_epochs: int = 100
    learning_rate: float = 5e-3
    schedule: str = "one_cycle"
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        check_integers(self, {"epochs": 1, "fine_tune_epochs": 1})
        check_numbers(self, {"learning_rate": "(0, inf)", "weight_decay": "[0, inf)"})
        check_choices(self, {"schedule": SCHEDULES})


@dataclass(frozen=True)
class NASGEMConfig(Configuration):
    """Settings of :class:`graphnas.methods.nasgem.NASGEM`.

    The default is what searches best in our benchmark. ``NASGEMConfig.preset("paper")`` is the method as
    published; the counts of its search loop (100 random architectures, then 10 rounds of 10) are ours,
    since the paper gives only the 50,000 candidates.

    Attributes:
        n_startup_trials: Random architectures before the first prediction.
        batch_size: Proposals between two updates of the predictor.
        candidates: Random architectures scored per update; a space of at most so many is scored whole.
        refresh: Evaluations after which new random architectures are drawn; until then their features are
            computed only once.
        local_candidates: Changed copies of the best architectures, scored too in spaces not scored whole.
        rank_scores: Whether the perceptron learns normal scores of the ranks, so that a few broken
            networks far below the others do not take all of its attention; the paper's learns the scores.
        standardise: Whether the perceptron reads embeddings whose entries have mean 0 and deviation 1 over
            random architectures; the paper's reads them as they are.
        new_weights: Whether every new perceptron starts from other weights, so that where the evaluations say
            little, proposals differ, as if drawn from what the data leave open.
        update: ``"refit"`` trains the perceptron anew, ``"fine_tune"`` continues from its weights.
        max_points: Evaluations that the perceptron learns from, the best and the most recent, so that the
            time of a proposal stays bounded in a long search; None for all.
        encoder: Settings of the encoder.
        perceptron: Settings of the perceptron.
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {
            "n_startup_trials": 100,
            "batch_size": 10,
            "candidates": 50_000,
            "refresh": 1,
            "local_candidates": 0,
            "rank_scores": False,
            "standardise": False,
            "new_weights": False,
            "max_points": None,
            "encoder": EncoderConfig.preset("paper"),
            "perceptron": PredictorConfig.preset("paper"),
        },
    }

    n_startup_trials: int = 10
    batch_size: int = 1
    candidates: int = 20_000
    refresh: int = 10
    local_candidates: int = 2_000
    rank_scores: bool = True
    standardise: bool = True
    new_weights: bool = True
    update: str = "refit"
    max_points: int | None = 1000
    encoder: EncoderConfig = EncoderConfig()
    perceptron: PredictorConfig = PredictorConfig()

    def __post_init__(self) -> None:
        check_choices(self, {"update": UPDATES})
        check_booleans(self, "rank_scores", "standardise", "new_weights")
        check_integers(
            self,
            {
                "n_startup_trials": 0,
                "batch_size": 1,
                "candidates": 1,
                "refresh": 1,
                "local_candidates": 0,
            },
        )
        check_integers(self, {"max_points": 2}, optional=True)
