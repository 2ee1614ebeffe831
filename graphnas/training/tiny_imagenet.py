"""Tiny-ImageNet in the layout of its official archive."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData, DataNotFound
from graphnas.training.image_folder import LabelledFiles, load_files, visible_files
from graphnas.training.images import ImageData

HOW_TO_GET = (
    "Download http://cs231n.stanford.edu/tiny-imagenet-200.zip (237 MB) and unpack it: it holds the folder "
    'tiny-imagenet-200. Or give its folder, as in dataset="tinyimagenet:PATH".'
)


def find_tiny_imagenet(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder of Tiny-ImageNet in the data directory, the one that holds ``wnids.txt``.

    Raises:
        DataNotFound: It is not there; the message says how to get it.
    """
    folders = ("tiny-imagenet-200", "tiny_imagenet", "tinyimagenet", "tiny_imagenet/tiny-imagenet-200")
    return find_data(
        [f"{folder}/wnids.txt" for folder in folders],
        what="Tiny-ImageNet",
        how_to_get=HOW_TO_GET,
        data_dir=data_dir,
    ).parent


def load_tiny_imagenet(
    path: str | os.PathLike[str], *, image_size: int | None = None, memory_limit: int | None = None
) -> ImageData:
    """Tiny-ImageNet: 200 classes of ImageNet with 500 training and 50 test images of 64x64 each.

    ``wnids.txt`` lists the classes, and their order is that of the labels; ``words.txt`` has their names.
    Training images are ``train/WNID/images/*.JPEG``. The images in ``val/images``, whose classes are in
    ``val/val_annotations.txt``, are the test images, for the labels of the archive's own test images are not
    public. Any number of classes and images is read.

    Args:
        path: The folder that holds ``wnids.txt``.
        image_size: Side in pixels that images are scaled to; None: they are not. They are enlarged when they
            are used, on the device that they are used on.
        memory_limit: As for :func:`graphnas.training.datasets.load_dataset`.

    Raises:
        DataNotFound: The folder does not hold Tiny-ImageNet.
        CorruptData: A part of it is missing or damaged; the message names it.
        MissingExtra: Pillow is not installed.
    """
    root = Path(path).expanduser()
    if not (root / "wnids.txt").is_file():
        raise DataNotFound(f"{root} does not hold Tiny-ImageNet: it has no file wnids.txt. {HOW_TO_GET}")
    classes = [line.strip() for line in _lines(root / "wnids.txt") if line.strip()]
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise CorruptData(f"{root / 'wnids.txt'} must list two or more different classes, got {len(classes)}")
    number = {wnid: k for k, wnid in enumerate(classes)}
    train = _train_files(root / "train", classes)
    test = _annotated_files(root / "val", number)
    return load_files(
        "tinyimagenet",
        train,
        test,
        _names(root / "words.txt", classes),
        image_size=image_size,
        memory_limit=memory_limit,
        enlarged_later=True,
    )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptData(f"{path} cannot be read: {error}. {HOW_TO_GET}") from error


def _names(path: Path, classes: list[str]) -> list[str]:
    """Names of the classes; a WordNet number stands for itself where ``words.txt`` lacks it."""
    if not path.is_file():
        return classes
    named = dict(line.rstrip("\n").split("\t", 1) for line in _lines(path) if "\t" in line)
    return [named.get(wnid, wnid).strip() for wnid in classes]


def _train_files(folder: Path, classes: list[str]) -> LabelledFiles:
    paths: list[Path] = []
    labels: list[int] = []
    for label, wnid in enumerate(classes):
        files = sorted(visible_files(folder / wnid / "images"))
        if not files:
            raise CorruptData(f"{folder / wnid / 'images'} holds no images. {HOW_TO_GET}")
        paths += files
        labels += [label] * len(files)
    return LabelledFiles(paths, torch.tensor(labels))


def _annotated_files(folder: Path, number: dict[str, int]) -> LabelledFiles:
    annotations = folder / "val_annotations.txt"
    found = {path.name: path for path in visible_files(folder / "images")}
    paths: list[Path] = []
    labels: list[int] = []
    for line_number, line in enumerate(_lines(annotations), 1):
        if not line.strip():
            continue
        name, *rest = line.split("\t")
        where = f"line {line_number} of {annotations}"
        if not rest or rest[0] not in number:
            raise CorruptData(f"{where} must name an image and a class of wnids.txt, got {line!r}")
        if name not in found:
            raise CorruptData(f"{where} names {name}, which is not in {folder / 'images'}, or twice")
        paths.append(found.pop(name))
        labels.append(number[rest[0]])
    if found or not paths:
        which = f"{min(found)} and {len(found) - 1} others have no class" if found else "it has no images"
        raise CorruptData(f"{annotations} does not cover {folder / 'images'}: {which}")
    return LabelledFiles(paths, torch.tensor(labels))
