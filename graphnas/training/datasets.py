"""Image classification sets by name, from a folder, or from the user's own tensors and torch data sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphnas.data_directory import data_directory
from graphnas.errors import InvalidArgument
from graphnas.training.images import ImageData, ImageSet, MemoryImages, channel_statistics
from graphnas.training.lazy_images import memory_limit as checked_limit
from graphnas.training.splits import count_classes, held_out
from graphnas.training.user_data import image_set

DATASETS = (
    "digits",
    "cifar10",
    "cifar100",
    "tiny-imagenet",
    "tiny-imagenet:PATH",
    "torchvision:NAME",
    "imagefolder:PATH",
)


def load_dataset(
    dataset: Any,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    download: bool = False,
    options: Mapping[str, Any] | None = None,
    memory_limit: int | None = None,
) -> ImageData:
    """Load an image classification set.

    Args:
        dataset: One of

            - ``"digits"``: 1,797 grey images of 8x8 that come with scikit-learn; a fixed fifth of each class
              is the test part;
            - ``"cifar10"``, ``"cifar100"``: from the data directory, see
              :func:`graphnas.training.cifar10.load_cifar10` and
              :func:`graphnas.training.cifar100.load_cifar100`;
            - ``"tiny-imagenet"`` from the data directory, ``"tiny-imagenet:PATH"`` from a folder (or
              ``"tinyimagenet"``): see
              :func:`graphnas.training.tiny_imagenet.load_tiny_imagenet`;
            - ``"torchvision:NAME"``: any classification set of ``torchvision.datasets``, such as
              ``"torchvision:FashionMNIST"``, kept in the folder ``torchvision`` of the data directory;
            - ``"imagefolder:PATH"`` or a ``Path``: one folder of images per class, see
              :func:`graphnas.training.image_folder.load_image_folder`;
            - a pair ``(train, test)``, each of them a torch ``Dataset`` or a pair ``(images, labels)`` of
              tensors or arrays. Images are ``(C, H, W)``, or ``(H, W, C)`` where no other reading is
              possible, and Pillow images in a ``Dataset``, whose arrays are ``(H, W, C)``. Labels are
              integers, one-hot vectors or names of classes, which are numbered in their order. Items are
              pairs, or dicts with one key for the image (image, img, pixel_values) and one for the label.
              A ``Dataset`` that fits in memory is read once and kept, so configure augmentation in the
              training configuration rather than in its transform;
            - an :class:`~graphnas.training.images.ImageData`, which is returned unchanged.
        data_dir: The data directory; by default ``$GRAPHNAS_DATA`` or ``~/.cache/graphnas``.
        image_size: Side in pixels that images from files, from torchvision, and Pillow images are scaled to.
        download: Let torchvision download a set that is missing.
        options: Further arguments of the torchvision class, such as ``{"split": "letters"}`` for EMNIST.
        memory_limit: Bytes up to which images are decoded once and kept in memory; larger sets are decoded in
            every epoch, by worker processes where those can be forked. None: a quarter of the memory that is
            free, and at least 1 GiB.

    Raises:
        InvalidArgument: An unknown name, or images and labels that do not fit each other.
        DataNotFound: The set is not in the folder that was searched.
        CorruptData: One of its files is damaged, or an item cannot be read; the message names it.
        MissingExtra: torchvision or Pillow is needed and not installed.
    """
    if isinstance(dataset, ImageData):
        return dataset
    if isinstance(dataset, os.PathLike):
        dataset = f"imagefolder:{os.fspath(dataset)}"
    limit = checked_limit(memory_limit)
    if image_size is not None and (
        isinstance(image_size, bool) or not isinstance(image_size, int) or image_size < 1
    ):
        raise InvalidArgument(f"image_size must be at least 1, got {image_size!r}")
    is_pair = isinstance(dataset, tuple | list) and len(dataset) == 2
    kind, _, rest = dataset.partition(":") if isinstance(dataset, str) else ("", "", "")
    if kind == "tiny-imagenet":
        kind, dataset = "tinyimagenet", dataset.replace("tiny-imagenet", "tinyimagenet", 1)
    if download and (is_pair or kind in ("digits", "imagefolder", "tinyimagenet")):
        name = "data of your own" if is_pair else kind
        raise InvalidArgument(f"download is for cifar10, cifar100 and torchvision:NAME, not for {name}")
    if is_pair:
        return _from_pair(dataset[0], dataset[1], image_size, limit)
    if not isinstance(dataset, str):
        raise InvalidArgument(
            f"dataset must be one of {', '.join(DATASETS)}, a Path, or a pair (train, test), got {dataset!r}"
        )
    if image_size is not None and kind in ("digits", "cifar10", "cifar100"):
        raise InvalidArgument(f"image_size is for images from files or from torchvision, not for {kind}")
    if dataset == "digits":
        return _digits()
    if dataset == "cifar10":
        from graphnas.training.cifar10 import load_cifar10

        return load_cifar10(data_dir, download=download)
    if dataset == "cifar100":
        from graphnas.training.cifar100 import load_cifar100

        return load_cifar100(data_dir, download=download)
    if dataset == "tinyimagenet" or (kind == "tinyimagenet" and rest):
        from graphnas.training.tiny_imagenet import find_tiny_imagenet, load_tiny_imagenet

        root = Path(rest) if rest else find_tiny_imagenet(data_dir)
        return load_tiny_imagenet(root, image_size=image_size, memory_limit=limit)
    if kind == "imagefolder" and rest:
        from graphnas.training.image_folder import load_image_folder

        return load_image_folder(Path(rest), image_size=image_size, memory_limit=limit)
    if kind == "torchvision" and rest:
        from graphnas.training.torchvision_data import load_torchvision

        directory = data_directory(data_dir)
        return load_torchvision(
            rest, directory, image_size=image_size, download=download, options=options, limit=limit
        )
    raise InvalidArgument(f"unknown data set {dataset!r}; allowed: {', '.join(DATASETS)}, or a pair")


def _from_pair(train: Any, test: Any, image_size: int | None, limit: int) -> ImageData:
    images, names = image_set(train, "train", image_size=image_size, limit=limit)
    data = ImageData(
        "custom",
        images,
        partial(_test_of_pair, test, image_size, limit, names, images.shape[0]),
        count_classes(images.labels, "train"),
        channel_statistics(images),
        names,
    )
    data.test  # noqa: B018 - it is already loaded, so report its errors here and not after the search
    return data


def _test_of_pair(
    test: Any, image_size: int | None, limit: int, names: tuple[str, ...], channels: int
) -> ImageSet:
    return image_set(test, "test", image_size=image_size, limit=limit, known=names, channels=channels)[0]


# ---------------------------------------------------------------- digits


def _digits() -> ImageData:
    from sklearn.datasets import load_digits

    content = load_digits()
    # Spread the 17 grey levels 0..16 over a byte.
    pixels = torch.from_numpy(np.rint(content.images * (255 / 16)).astype(np.uint8))[:, None]
    labels = torch.from_numpy(content.target.astype(np.int64))
    return held_out("digits", MemoryImages(pixels, labels), tuple(str(name) for name in content.target_names))
