"""How a detector is built and trained: one configuration for mmdet's detectors and for torchvision's."""

from __future__ import annotations

from dataclasses import dataclass

from graphnas.configuration import Configuration, check_choices, check_integers, check_numbers
from graphnas.errors import InvalidArgument

DETECTORS = ("retinanet", "faster-rcnn")
IMAGE_SIZE = (800, 1333)
"""Short and long side of COCO's images in papers."""

TRAINED = ("batch", "group", "sync")
"""Ways to normalise that follow the images of the training."""
NORMALISATIONS = ("frozen", *TRAINED)
RATES = {"retinanet": 0.01, "faster-rcnn": 0.02}
"""Learning rates for 16 images a step, of mmdet's 1x schedules."""
FINEST = {"retinanet": 8, "faster-rcnn": 4}
"""Stride of the finest map of each detector: P3 (Lin et al. 2017, RetinaNet) and P2 (FPN)."""


@dataclass(frozen=True)
class DetectorSettings(Configuration):
    """Of a detector and its training; the defaults are mmdet's 1x schedule.

    Attributes:
        detector: ``"retinanet"`` or ``"faster-rcnn"``, both with a feature pyramid of 256 channels.
        epochs: Passes over the training images.
        batch_size: Images per step.
        learning_rate: Rate of SGD with momentum .9 and weight decay 1e-4; None takes the detector's rate for
            16 images in proportion to ``batch_size``.
        clip: Largest norm of the gradient; None: no clipping, as in the 1x schedules. Detectors with new
            weights may diverge without it.
        warmup: Steps of linear warm-up from a thousandth of the rate.
        image_size: Short and long side in pixels: images are scaled, their proportions kept, until one of
            them fits.
        out_indices: Maps of the network to use, from 0 for the finest; None takes those from the finest
            stride that the detector is made for: 8 for RetinaNet, 4 for Faster R-CNN.
        normalisation: How the found network normalises. ``"frozen"``: running statistics of the weights are
            kept, for weights that were trained on large batches; ``"group"``: for training from scratch, or
            with few images per device; ``"batch"``: statistics of each batch, from about 8 images per
            device; ``"sync"``: the same over several. None takes ``"frozen"`` with weights and ``"group"``
            without.
        frozen_stages: How many maps, from the finest, are not trained.
        flip: Probability to mirror a training image.
        workers: Processes that read images; 0 reads in the training process.
        validate_every: Epochs between evaluations; the last epoch is always evaluated.
        seed: Seed of weights, order and augmentation.

    Raises:
        InvalidArgument: A value is out of its range.
    """

    detector: str = "retinanet"
    epochs: int = 12
    batch_size: int = 2
    learning_rate: float | None = None
    clip: float | None = None
    warmup: int = 500
    image_size: tuple[int, int] = IMAGE_SIZE
    out_indices: tuple[int, ...] | None = None
    normalisation: str | None = None
    frozen_stages: int = 0
    flip: float = 0.5
    workers: int = 0
    validate_every: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_choices(self, {"detector": DETECTORS, "normalisation": (None, *NORMALISATIONS)})
        check_integers(self, {"epochs": 1, "batch_size": 1, "validate_every": 1})
        check_integers(self, {"warmup": 0, "frozen_stages": 0, "workers": 0, "seed": 0})
        check_numbers(self, {"learning_rate": "(0, inf)", "clip": "(0, inf)"}, optional=True)
        check_numbers(self, {"flip": "[0, 1]"})
        if len(self.image_size) != 2 or not 32 <= self.image_size[0] <= self.image_size[1]:
            raise InvalidArgument(
                f"image_size must be a short and a long side of at least 32 pixels, got {self.image_size!r}"
            )

    @property
    def rate(self) -> float:
        """The learning rate, in proportion to the batch unless it was given."""
        if self.learning_rate is not None:
            return self.learning_rate
        return RATES[self.detector] * self.batch_size / 16

    @property
    def milestones(self) -> tuple[int, int]:
        """Epochs after which the rate is divided by 10: two thirds and eleven twelfths of all, as in 1x."""
        return max(1, round(self.epochs * 8 / 12)), max(1, round(self.epochs * 11 / 12))

    def chosen_maps(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """The maps to use of a network whose maps have these strides.

        Raises:
            InvalidArgument: The network has no map at the finest stride or coarser, or too few.
        """
        finest = FINEST[self.detector]
        if self.out_indices is not None:
            return self.out_indices
        chosen = tuple(index for index, stride in enumerate(strides) if stride >= finest)
        if not chosen:
            raise InvalidArgument(
                f"the network's maps have strides {', '.join(map(str, strides))}, and {self.detector} starts "
                f"at {finest}: build it for larger images (such as shape stem_stride=4), or give out_indices"
            )
        return chosen

    def normalisation_with(self, weights: bool) -> str:
        """The normalisation: as given, or frozen statistics if there are trained weights, else by groups."""
        return self.normalisation or ("frozen" if weights else "group")
