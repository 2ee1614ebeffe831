"""TrainingConfig: how one network is trained, checked before any work is spent, with presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphnas.configuration import Configuration, Presets, check_booleans, check_integers, check_numbers


@dataclass(frozen=True)
class TrainingConfig(Configuration):
    """How one network is trained: SGD with Nesterov momentum and a learning rate that follows a cosine.

    The defaults are the CIFAR-10 proxy of NASGEM as far as the paper states it (a tenth of the training
    images); epochs, learning rate and batch size are ours. The presets are

    - ``"digits"``: for images of 8x8; about a second per small network on one CPU core.
    - ``"cifar10"``: the defaults, NASGEM's proxy: 5,000 images train, 5,000 validate.
    - ``"paper"``: the oracle of GraphPNAS: a tenth of the images of each class trains and all others
      validate, 300 epochs of SGD from 0.1, batches of 256, weight decay 1e-4, flip and crop, no clipping.
      Its momentum is not stated; 0.9 is ours.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Largest number of images per step; an epoch is cut into equal batches.
        learning_rate: The learning rate at the top of the cosine.
        momentum: SGD's momentum; 0 disables Nesterov momentum too.
        weight_decay: L2 penalty on every parameter.
        warmup_epochs: Epochs over which the learning rate first rises linearly from 0; may be a fraction.
        label_smoothing: Label smoothing, from 0 to below 1.
        flip: Whether to mirror images left to right at random; wrong for digits and letters.
        crop_padding: Zeros added around an image before a random window is cut; 0 disables cropping.
        cutout: Side of the square that is erased; 0 disables cutout.
        train_fraction: Fraction of the training images of every class to train on; the rest validates.
        validation_limit: Largest number of validation images, in proportion to the classes; None: no limit.
        reward_epochs: The value of an architecture is its mean validation accuracy over this many last epochs
            (GraphPNAS, appendix on RandWire: 3).
        patience: Stop after this many epochs in a row without a better validation accuracy; None: never.
        gradient_clip: Largest norm of the gradient; None: no clipping.
        mixed_precision: Whether to use float16 where it is safe, with a scaled loss; only on CUDA.
    """

    presets: ClassVar[Presets] = {
        "digits": {
            "epochs": 8,
            "batch_size": 32,
            "learning_rate": 0.1,
            "weight_decay": 5e-4,
            "flip": False,
            "crop_padding": 0,
            "train_fraction": 0.5,
            "validation_limit": None,
        },
        "cifar10": {},
        "paper": {
            "epochs": 300,
            "batch_size": 256,
            "learning_rate": 0.1,
            "weight_decay": 1e-4,
            "train_fraction": 0.1,
            "validation_limit": None,
        },
    }

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = True
    crop_padding: int = 4
    cutout: int = 0
    train_fraction: float = 0.1
    validation_limit: int | None = 5000
    reward_epochs: int = 3
    patience: int | None = None
    gradient_clip: float | None = None
    mixed_precision: bool = True

    def __post_init__(self) -> None:
        check_integers(self, dict.fromkeys(("epochs", "batch_size", "reward_epochs"), 1))
        check_integers(self, dict.fromkeys(("crop_padding", "cutout"), 0))
        check_integers(self, dict.fromkeys(("validation_limit", "patience"), 1), optional=True)
        check_booleans(self, "flip", "mixed_precision")
        check_numbers(
            self,
            {
                "learning_rate": "(0, inf)",
                "momentum": "[0, 1)",
                "weight_decay": "[0, inf)",
                "warmup_epochs": f"[0, {self.epochs})",
                "label_smoothing": "[0, 1)",
                "train_fraction": "(0, 1)",
            },
        )
        check_numbers(self, {"gradient_clip": "(0, inf)"}, optional=True)
