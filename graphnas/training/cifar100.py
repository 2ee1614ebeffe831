"""CIFAR-100 from the Python files of its official archive."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import torch

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData
from graphnas.training.cifar_batches import found_or_downloaded, read_batch, read_pickle
from graphnas.training.images import ImageData, MemoryImages, Normalisation

CLASSES = 100

NORMALISATION = Normalisation((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), 255.0)
"""Mean and standard deviation of the 50,000 training images, as commonly published."""

HOW_TO_GET = (
    "Download https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz (161 MB) and unpack it: it holds the "
    "folder cifar-100-python. Or let torchvision download it: download=True, or --download."
)


def find_cifar100(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The file ``train`` of CIFAR-100, unread, in a folder ``cifar-100-python`` as in the official archive.

    Raises:
        DataNotFound: It is not in the data directory; the message says how to get it.
    """
    return find_data(
        [
            "cifar-100-python/train",
            "cifar100/cifar-100-python/train",
            "torchvision/cifar-100-python/train",
        ],
        what="CIFAR-100",
        how_to_get=HOW_TO_GET,
        data_dir=data_dir,
    )


def load_cifar100(data_dir: str | os.PathLike[str] | None = None, *, download: bool = False) -> ImageData:
    """CIFAR-100: 50,000 training and 10,000 test images of 32x32 in 100 fine classes (Krizhevsky 2009).

    The test images are read on first use.

    Args:
        data_dir: The data directory; by default ``$GRAPHNAS_DATA`` or ``~/.cache/graphnas``.
        download: Let torchvision download it into the data directory if it is not there.

    Raises:
        DataNotFound: It is not in the data directory.
        CorruptData: A file is truncated or damaged, or is not a part of CIFAR-100.
    """
    directory = found_or_downloaded(find_cifar100, "CIFAR100", data_dir, download).parent
    train = _read(directory, "train")
    load_test = partial(_read, directory, "test")
    return ImageData("cifar100", train, load_test, CLASSES, NORMALISATION, _class_names(directory))


def _read(directory: Path, split: str) -> MemoryImages:
    path = directory / split
    if not path.is_file():
        raise CorruptData(f"{directory} is incomplete: {split} missing. {HOW_TO_GET}")
    images, labels = read_batch(path, "fine_labels", CLASSES)
    return MemoryImages(torch.from_numpy(images), torch.from_numpy(labels))


def _class_names(directory: Path) -> tuple[str, ...]:
    path = directory / "meta"
    if not path.is_file():
        raise CorruptData(f"{directory} is incomplete: meta missing. {HOW_TO_GET}")
    names = read_pickle(path).get("fine_label_names")
    if not isinstance(names, list) or len(names) != CLASSES:
        raise CorruptData(f"{path} does not name the {CLASSES} classes of CIFAR-100")
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)
