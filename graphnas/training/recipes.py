"""Recipes: named ways to train a network, with the papers' values and a note on what they leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphnas.configuration import close_match
from graphnas.errors import InvalidArgument


@dataclass(frozen=True)
class Recipe:
    """How networks are trained, by name.

    Attributes:
        summary: What it is for, in one line.
        source: Where its values are published.
        open: What the source leaves open, and what stands there instead.
        settings: Fields of :class:`~graphnas.training.training_config.TrainingConfig`.
        dataset: The data set that it was published for.
        image_size: Side of the images, where the set does not say.
    """

    summary: str
    source: str
    open: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    dataset: str = "cifar10"
    image_size: int | None = None


_RANDWIRE = {"epochs": 300, "batch_size": 256, "learning_rate": 0.1, "weight_decay": 1e-4}
"""What GraphPNAS states of the training of RandWire networks."""

RECIPES: Mapping[str, Recipe] = {
    "digits": Recipe(
        summary="images of 8x8 in seconds",
        source="ours",
        open="everything; meant to try things out",
        settings={
            "epochs": 8,
            "batch_size": 32,
            "learning_rate": 0.1,
            "weight_decay": 5e-4,
            "flip": False,  # a mirrored digit is another sign
            "crop_padding": 0,
            "train_fraction": 0.5,
            "validation_limit": None,
        },
        dataset="digits",
    ),
    "cifar10": Recipe(
        summary="the proxy of NASGEM: a tenth of CIFAR-10 trains, 20 epochs",
        source="Cheng et al., NASGEM (AAAI 2021), section on the evaluation of candidates",
        open="the paper states the part of the images; epochs, rate, batch and augmentation are ours",
    ),
    "enas-cifar10": Recipe(
        summary="final training of ENAS networks on CIFAR-10",
        source="Xu et al., GraphPNAS (TMLR 2023), appendix on the ENAS space: 600 epochs, rate .1, batches "
        "of 256, weight decay 2e-4, cutout with probability .4",
        open="the side of the cutout (16, as DeVries and Taylor 2017), momentum .9, one cosine, and no "
        "auxiliary head",
        settings={
            "epochs": 600,
            "batch_size": 256,
            "learning_rate": 0.1,
            "weight_decay": 2e-4,
            "cutout": 16,
            "cutout_probability": 0.4,
        },
    ),
    "oracle": Recipe(
        summary="the low-data oracle of GraphPNAS: a tenth of each class trains, all others validate",
        source="Xu et al., GraphPNAS (TMLR 2023), appendix on RandWire: 300 epochs of SGD from .1, cosine, "
        "batches of 256, weight decay 1e-4, flip and crop, reward from the last 3 epochs",
        open="momentum .9",
        settings={
            **_RANDWIRE,
            "train_fraction": 0.1,
            "validation_limit": None,
            "validate_every": None,
        },
        dataset="tinyimagenet",
        image_size=224,
    ),
    "randwire-tiny-imagenet": Recipe(
        summary="RandWire networks on all of Tiny-ImageNet",
        source="Xu et al., GraphPNAS (TMLR 2023), appendix on RandWire; Xie et al. (ICCV 2019)",
        open="the schedule is that of the oracle, the only one that is stated; label smoothing as Xie et al.",
        settings={**_RANDWIRE, "label_smoothing": 0.1},
        dataset="tinyimagenet",
        image_size=224,
    ),
    "nasgem-imagenet": Recipe(
        summary="GEMNet-A, GEMNet-B and others of up to 600 million multiply-accumulates on ImageNet",
        source="the usual training of networks of this size, as Xie et al. (ICCV 2019) state it: 250 epochs, "
        "cosine from .1, weight decay 5e-5, label smoothing .1, random resized crops",
        open="NASGEM (AAAI 2021) prints accuracies but no schedule at all; batches of 256, five "
        "warm-up epochs and an average of the weights are ours",
        settings={
            "epochs": 250,
            "batch_size": 256,
            "learning_rate": 0.1,
            "warmup_epochs": 5,
            "weight_decay": 5e-5,
            "decay_norm_and_bias": False,
            "label_smoothing": 0.1,
            "crop_padding": 0,
            "resized_crop": (0.08, 1.0),
            "jitter": 0.4,
            "ema_decay": 0.9999,
        },
        dataset="imagefolder:imagenet",
        image_size=224,
    ),
}


def get_recipe(name: str) -> Recipe:
    """The recipe ``name``.

    Raises:
        InvalidArgument: There is none of that name.
    """
    if name not in RECIPES:
        raise InvalidArgument(f"unknown recipe {name!r}; {close_match(name, RECIPES)}")
    return RECIPES[name]
