"""Images in one folder per class, decoded by Pillow."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.optional import require
from graphnas.training.images import IN_MEMORY_BYTES, ImageData, ImageSet, LazyImages, channel_statistics
from graphnas.training.splits import HELD_OUT_FRACTION, stratified_split

EXTENSIONS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
TEST_FOLDERS = ("test", "val", "valid", "validation")


def load_image_folder(path: str | os.PathLike[str], *, image_size: int | None = None) -> ImageData:
    """Images laid out as ``path/train/CLASS/*.png`` and ``path/test/CLASS/*.png``, or ``path/CLASS/*.png``.

    The test folder may also be called ``val``, ``valid`` or ``validation``. If there is none, a fixed fifth
    of every class is held out as test images. Classes are numbered in the order of their names. Images are
    grey if all images of a sample are, and RGB otherwise.

    Args:
        path: The folder.
        image_size: Side in pixels to which the largest centred square of each image is scaled. None: images
            are not scaled, and must all have the same size.

    Raises:
        DataNotFound: There is no such folder.
        InvalidArgument: It holds fewer than two classes, or ``image_size`` is below 1.
        CorruptData: A file cannot be decoded (for a large set, on first use of that image).
        MissingExtra: Pillow is not installed.
    """
    require("PIL", "images")
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataNotFound(f"no folder {root}: it should hold one folder of images per class")
    if image_size is not None and (isinstance(image_size, bool) or image_size < 1):
        raise InvalidArgument(f"image_size must be at least 1, got {image_size!r}")
    test_root = next((root / name for name in TEST_FOLDERS if (root / name).is_dir()), None)
    if (root / "train").is_dir():
        files, labels, classes = _listing(root / "train", None)
    elif test_root is not None:
        raise InvalidArgument(f"{root} has a folder {test_root.name} but no folder train")
    else:
        files, labels, classes = _listing(root, None)

    size, channels = _image_form(files, image_size)
    test_files: list[Path]
    if (root / "train").is_dir() and test_root is not None:
        test_files, test_labels, _ = _listing(test_root, classes)
    else:
        held, kept = stratified_split(labels, HELD_OUT_FRACTION, seed=0)
        test_files, test_labels = [files[i] for i in held.tolist()], labels[held]
        files, labels = [files[i] for i in kept.tolist()], labels[kept]
    scaled = image_size is not None
    train = _images(files, labels, size, channels, scaled)
    load_test = partial(_images, test_files, test_labels, size, channels, scaled)
    return ImageData(
        f"imagefolder:{root}", train, load_test, len(classes), channel_statistics(train), tuple(classes)
    )


def _listing(root: Path, known: list[str] | None) -> tuple[list[Path], torch.Tensor, list[str]]:
    """Image files below each class folder, sorted, with their labels."""
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if known is None and len(classes) < 2:
        raise InvalidArgument(f"{root} must hold a folder per class, two or more, got {classes}")
    unknown = sorted(set(classes) - set(known or classes))
    if unknown:
        raise InvalidArgument(f"{root} has classes that the training images lack: {', '.join(unknown)}")
    files: list[Path] = []
    labels: list[int] = []
    for name in classes:
        images = sorted(p for p in (root / name).rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file())
        if not images:
            raise InvalidArgument(f"{root / name} holds no images ({', '.join(sorted(EXTENSIONS))})")
        files += images
        labels += [(known or classes).index(name)] * len(images)
    return files, torch.tensor(labels), classes


def _image_form(files: list[Path], image_size: int | None) -> tuple[tuple[int, int], int]:
    """``(height, width)`` and the number of channels, from the headers of a sample of the files."""
    chosen = np.linspace(0, len(files) - 1, min(len(files), 100)).astype(int)
    sizes, modes = zip(*(_header(files[i]) for i in chosen), strict=True)
    channels = 1 if set(modes) <= {"1", "L"} else 3
    if image_size is not None:
        return (image_size, image_size), channels
    if len(set(sizes)) > 1:
        different = ", ".join(f"{width}x{height}" for width, height in sorted(set(sizes))[:3])
        raise InvalidArgument(f"the images differ in size ({different} ...): give image_size")
    return (sizes[0][1], sizes[0][0]), channels


def _header(path: Path) -> tuple[tuple[int, int], str]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size, image.mode
    except OSError as error:
        raise CorruptData(f"{path} is not an image that Pillow can read: {error}") from error


def read_image(path: Path, size: tuple[int, int] | None, channels: int) -> torch.Tensor:
    """One image file as ``(channels, height, width)`` bytes, see :func:`pixels_of`.

    Raises:
        CorruptData: The file cannot be decoded.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return pixels_of(image.convert("L" if channels == 1 else "RGB"), size)
    except (OSError, SyntaxError) as error:
        raise CorruptData(f"{path} cannot be decoded: {error}") from error


def pixels_of(image: Any, size: tuple[int, int] | None) -> torch.Tensor:
    """A Pillow image as ``(channels, height, width)`` bytes, its centre scaled to ``size`` if not None."""
    from PIL import Image, ImageOps

    if size is not None and (image.height, image.width) != size:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    array = np.asarray(image, np.uint8)
    return torch.from_numpy(array[None].copy() if array.ndim == 2 else array.transpose(2, 0, 1).copy())


class _Files:
    """Reads file ``i``; a class rather than a closure, so that evaluators can be pickled."""

    def __init__(self, files: list[Path], size: tuple[int, int] | None, channels: int) -> None:
        self.files, self.size, self.channels = files, size, channels

    def __call__(self, index: int) -> torch.Tensor:
        return read_image(self.files[index], self.size, self.channels)


def _images(
    files: list[Path], labels: torch.Tensor, size: tuple[int, int], channels: int, scaled: bool
) -> ImageSet:
    # Without scaling, images of another size are refused when they are read.
    lazy = LazyImages(_Files(files, size if scaled else None, channels), labels, (channels, *size))
    return lazy.in_memory() if len(files) * channels * size[0] * size[1] <= IN_MEMORY_BYTES else lazy
