"""SupernetConfig: how shared weights are trained and architectures are measured with them, with presets."""

from __future__ import annotations

import math
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

SPLITS = ("last", "stratified")
STATISTICS = ("batch", "running")


@dataclass(frozen=True)
class SupernetConfig(Configuration):
    """How the weights that all architectures share are trained and used.

    The presets are

    - ``"digits"``: for images of 8x8; a few seconds per epoch of 12 narrow layers on one CPU core.
    - ``"cifar10"``: the defaults, a short training.
    - ``"paper"``: the schedule of the ENAS example of NNI 1.6, which GraphPNAS builds on: SGD from 0.05
      along a cosine to 0.001 over 310 epochs of 500 batches of 128, momentum 0.9, weight decay 1e-4,
      gradients clipped at 5, the last tenth held out, running statistics. Measured without random changes.
    - ``"small"``: 12 epochs of 40 batches of 64, for narrow layers on a processor.

    Attributes:
        epochs: Length of the cosine that the learning rate follows, epoch by epoch. Training may
            continue after it at the final rate: GraphPNAS trains 1,500 epochs, NNI's schedule ends after 310.
        steps_per_epoch: Batches in an epoch; None means one pass over the training part.
        batch_size: Images per step.
        learning_rate: Learning rate of the first epoch.
        final_learning_rate: Learning rate after the last epoch of the cosine.
        momentum: SGD's momentum (not Nesterov's).
        weight_decay: L2 penalty. Like the gradient, it changes only the operations that a step has run; the
            torch release that NNI 1.6 used also applied it to the others.
        gradient_clip: Largest norm of the gradient; None does not clip.
        architectures_per_step: Sub-networks that see each batch; their gradients are averaged. ENAS has 1.
        flip: Mirror images left to right at random. Wrong for digits and letters.
        crop_padding: Zeros added around an image before a random window is cut; 0 switches cropping off.
        cutout: Side of the square that is erased; 0 switches it off.
        validation_fraction: Part of the training images that is held out to measure on.
        validation_split: ``"stratified"`` draws the same part of every class; ``"last"`` holds out the end of
            the training images, as NNI's example does. That is only right for images in random order: where
            those of a class are sorted by name, the last are of other kinds than those trained on.
        validation_limit: At most this many of the images held out are measured on; None takes all.
        validation_augmentation: Measure on randomly changed images, as NNI's example does. The changes are
            the same ones every time.
        validation_batch_size: Images per batch when measuring.
        statistics: Statistics of batch normalisation when measuring. ``"batch"``: mean and
            variance of the images at hand. ``"running"``: the averages kept in training, as in NNI's example;
            they mix the architectures that were trained last.
        mixed_precision: Use float16 where it is safe, with a scaled loss; only on CUDA.
    """

    presets: ClassVar[Presets] = {
        "digits": {"epochs": 30, "batch_size": 32, "flip": False, "crop_padding": 0},
        "cifar10": {},
        "paper": {"epochs": 310, "steps_per_epoch": 500, "validation_split": "last", "statistics": "running"},
        "small": {
            "epochs": 12,
            "steps_per_epoch": 40,
            "batch_size": 64,
            "learning_rate": 0.1,
            "validation_limit": 500,
        },
    }

    epochs: int = 30
    steps_per_epoch: int | None = None
    batch_size: int = 128
    learning_rate: float = 0.05
    final_learning_rate: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 1e-4
    gradient_clip: float | None = 5.0
    architectures_per_step: int = 1
    flip: bool = True
    crop_padding: int = 4
    cutout: int = 0
    validation_fraction: float = 0.1
    validation_split: str = "stratified"
    validation_limit: int | None = None
    validation_augmentation: bool = False
    validation_batch_size: int = 250
    statistics: str = "batch"
    mixed_precision: bool = True

    def __post_init__(self) -> None:
        counts = ("epochs", "batch_size", "architectures_per_step", "validation_batch_size")
        check_integers(self, dict.fromkeys(counts, 1))
        check_integers(self, dict.fromkeys(("crop_padding", "cutout"), 0))
        check_integers(self, dict.fromkeys(("steps_per_epoch", "validation_limit"), 1), optional=True)
        check_booleans(self, "flip", "validation_augmentation", "mixed_precision")
        check_numbers(self, {"learning_rate": "(0, inf)"})
        check_numbers(
            self,
            {
                "final_learning_rate": f"[0, {self.learning_rate}]",
                "momentum": "[0, 1)",
                "weight_decay": "[0, inf)",
                "validation_fraction": "(0, 1)",
            },
        )
        check_numbers(self, {"gradient_clip": "(0, inf)"}, optional=True)
        check_choices(self, {"validation_split": SPLITS, "statistics": STATISTICS})

    def learning_rate_at(self, epoch: int) -> float:
        """Learning rate of ``epoch`` (from 1): half a cosine, then the final rate.

        ``eta_min + (eta_max - eta_min) (1 + cos(pi t)) / 2`` with ``t`` the part of the epochs that has
        passed (Loshchilov and Hutter 2017, SGDR, eq. 5, without restarts).
        """
        passed = min(1.0, (epoch - 1) / self.epochs)
        span = self.learning_rate - self.final_learning_rate
        return self.final_learning_rate + span * 0.5 * (1 + math.cos(math.pi * passed))
