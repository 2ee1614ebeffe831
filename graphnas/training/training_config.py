"""TrainingConfig: how one network is trained, checked before any work; its presets are the recipes."""

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
from graphnas.errors import InvalidArgument
from graphnas.training.precision import PRECISIONS
from graphnas.training.recipes import RECIPES


@dataclass(frozen=True)
class TrainingConfig(Configuration):
    """How one network is trained: SGD or AdamW with a learning rate that follows a cosine.

    The presets are the recipes of :data:`graphnas.training.recipes.RECIPES`; the defaults are ``"cifar10"``.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Images per step, at least 2; an epoch is cut into equal batches, of which some may
            have one image more where that avoids a batch of a single image.
        optimizer: ``"sgd"`` or ``"adamw"``.
        learning_rate: The learning rate at the top of the cosine.
        momentum: SGD's momentum; 0 disables Nesterov momentum too.
        weight_decay: L2 penalty on every parameter (AdamW: decoupled).
        decay_norm_and_bias: Whether it also falls on biases and on parameters of normalisations.
        warmup_epochs: Epochs over which the learning rate first rises linearly from 0; may be a fraction.
        label_smoothing: Label smoothing, from 0 to below 1.
        flip: Whether to mirror images left to right at random; wrong for digits and letters.
        crop_padding: Zeros added around an image before a random window is cut; 0 disables cropping.
        resized_crop: Smallest and largest part of the area that a random crop covers, which is scaled back to
            the size of the image; None: no such crop.
        jitter: Strength of random changes of brightness, contrast and saturation, from 0 to below 1.
        randaugment: Operations of RandAugment per image; 0 disables it.
        randaugment_magnitude: Their magnitude, 0 to 30.
        cutout: Side of the square that is erased; 0 disables cutout.
        cutout_probability: Probability with which an image gets it.
        random_erasing: Probability with which a random rectangle of an image is erased.
        mixup: Alpha of mixup; 0 disables it.
        cutmix: Alpha of CutMix; 0 disables it. With both, each batch gets one of them.
        drop_path: Probability with which a path is dropped, where a network has such layers; None: as built.
        ema_decay: Decay of a running average of the weights, which is then what is measured and kept; None:
            no average.
        train_fraction: Fraction of the training images of every class to train on; the rest validates.
        validation_limit: Largest number of validation images, in proportion to the classes; None: no limit.
        validate_every: Epochs between validations, where somebody watches them (a pruner, ``patience``, a
            checkpoint); None: only the epochs that make the value.
        reward_epochs: The value of an architecture is its mean validation accuracy over this many last epochs
            (GraphPNAS, appendix on RandWire: 3).
        patience: Stop after this many epochs in a row without a better validation accuracy; None: never.
        gradient_clip: Largest norm of the gradient; None: no clipping.
        precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` (with a scaled loss), or ``"auto"``: on CUDA
            bfloat16 where the card has it, else float16; float32 on the CPU. Weights stay in float32.
        compile: Whether to compile the network with ``torch.compile``.
    """

    presets: ClassVar[Presets] = {name: recipe.settings for name, recipe in RECIPES.items()}

    epochs: int = 20
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay_norm_and_bias: bool = True
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = True
    crop_padding: int = 4
    resized_crop: tuple[float, float] | None = None
    jitter: float = 0.0
    randaugment: int = 0
    randaugment_magnitude: int = 9
    cutout: int = 0
    cutout_probability: float = 1.0
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    drop_path: float | None = None
    ema_decay: float | None = None
    train_fraction: float = 0.1
    validation_limit: int | None = 5000
    validate_every: int | None = 1
    reward_epochs: int = 3
    patience: int | None = None
    gradient_clip: float | None = None
    precision: str = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        check_integers(self, dict.fromkeys(("epochs", "reward_epochs"), 1))
        check_integers(self, {"batch_size": 2})
        counts = ("crop_padding", "cutout", "randaugment", "randaugment_magnitude")
        check_integers(self, dict.fromkeys(counts, 0))
        check_integers(
            self, dict.fromkeys(("validation_limit", "patience", "validate_every"), 1), optional=True
        )
        check_booleans(self, "flip", "decay_norm_and_bias", "compile")
        check_choices(self, {"optimizer": ("sgd", "adamw"), "precision": PRECISIONS})
        check_numbers(
            self,
            {
                "learning_rate": "(0, inf)",
                "momentum": "[0, 1)",
                "weight_decay": "[0, inf)",
                "warmup_epochs": f"[0, {self.epochs})",
                "label_smoothing": "[0, 1)",
                "jitter": "[0, 1)",
                "randaugment_magnitude": "[0, 30]",
                "cutout_probability": "[0, 1]",
                "random_erasing": "[0, 1]",
                "mixup": "[0, inf)",
                "cutmix": "[0, inf)",
                "train_fraction": "(0, 1)",
            },
        )
        check_numbers(
            self, {"gradient_clip": "(0, inf)", "drop_path": "[0, 1)", "ema_decay": "(0, 1)"}, optional=True
        )
        if self.resized_crop is not None:
            self._check_crop(self.resized_crop)

    def _check_crop(self, area: object) -> None:
        pair = tuple(area) if isinstance(area, list | tuple) else ()
        if (
            len(pair) != 2
            or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in pair)
            or not 0 < pair[0] <= pair[1] <= 1
        ):
            raise InvalidArgument(f"resized_crop must be two numbers 0 < a <= b <= 1 or None, got {area!r}")
        object.__setattr__(self, "resized_crop", pair)  # a list, where it comes from JSON
